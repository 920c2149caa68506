//! Turns a Node, and its SQL if it was compiled, into dbt's node object.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::artifact::config::FullConfig;
use crate::artifact::manifest::Sql;
use crate::artifact::parts::{self, Checksum, Columns, Constraint, Contract, DependsOn, Docs, Identity, NOTHING, Ref};
use crate::artifact::{contract, sql};
use crate::compile::context::alias;
use crate::jinja::JsonMap;
use crate::manifest::access;
use crate::manifest::{GenericTest, Kind, Manifest, Node};
use crate::project::Project;

/// Where the fields of nodes come from.
pub struct Nodes<'a> {
    pub manifest: &'a Manifest,
    pub project: &'a Project,
    pub sql: Sql<'a>,
    /// Seconds since 1970: the start of the invocation, the same for all.
    pub created_at: f64,
    /// The generic tests of each node, by the node's id.
    pub tests: BTreeMap<&'a str, Vec<&'a GenericTest>>,
}

#[derive(Serialize)]
pub struct NodeEntry<'a> {
    database: &'a str,
    schema: &'a str,
    #[serde(flatten)]
    identity: Identity<'a>,
    fqn: &'a [String],
    alias: &'a str,
    checksum: Checksum<'a>,
    config: FullConfig<'a>,
    tags: Vec<&'a str>,
    description: &'a str,
    columns: Columns<'a>,
    meta: Option<&'a Json>,
    group: Option<&'a str>,
    docs: Docs<'a>,
    patch_path: Option<&'a str>,
    build_path: Option<String>,
    unrendered_config: &'a JsonMap,
    created_at: f64,
    relation_name: Option<String>,
    raw_code: &'a str,
    doc_blocks: &'a [String],
    #[serde(flatten)]
    code: Code<'a>,
    #[serde(flatten)]
    own: Own<'a>,
}

/// What seeds have in place of code, and what everything else has.
#[derive(Serialize)]
#[serde(untagged)]
enum Code<'a> {
    Seed { root_path: String, depends_on: MacrosOnly<'a> },
    Sql(Box<SqlCode<'a>>),
}

#[derive(Serialize)]
struct MacrosOnly<'a> {
    macros: &'a [String],
}

#[derive(Serialize)]
struct SqlCode<'a> {
    language: &'static str,
    refs: Vec<Ref<'a>>,
    sources: &'a [[String; 2]],
    metrics: [&'static str; 0],
    functions: [&'static str; 0],
    depends_on: DependsOn<'a>,
    compiled_path: Option<String>,
    #[serde(flatten)]
    compiled: Option<Compiled<'a>>,
    contract: Contract,
}

#[derive(Serialize)]
struct Compiled<'a> {
    compiled: bool,
    compiled_code: &'a str,
    extra_ctes_injected: bool,
    extra_ctes: Vec<Cte<'a>>,
}

#[derive(Serialize)]
struct Cte<'a> {
    id: &'a str,
    sql: &'a str,
}

/// The fields that one kind alone has.
#[derive(Serialize)]
#[serde(untagged)]
enum Own<'a> {
    Model(Box<Model<'a>>),
    GenericTest(Box<Test<'a>>),
    Operation { index: usize },
    None {},
}

#[derive(Serialize)]
struct Model<'a> {
    access: &'a str,
    constraints: Vec<Constraint<'a>>,
    version: Option<&'a Json>,
    latest_version: Option<&'a Json>,
    deprecation_date: Option<String>,
    primary_key: Vec<&'a str>,
    time_spine: Option<&'a Json>,
}

#[derive(Serialize)]
struct Test<'a> {
    column_name: Option<&'a str>,
    file_key_name: Option<String>,
    attached_node: Option<&'a str>,
    test_metadata: TestMetadata<'a>,
}

#[derive(Serialize)]
struct TestMetadata<'a> {
    name: &'a str,
    kwargs: &'a JsonMap,
    namespace: Option<&'a str>,
}

/// The generic tests of each node, in the order of the nodes.
pub fn tests_by_node(manifest: &Manifest) -> BTreeMap<&str, Vec<&GenericTest>> {
    let mut tests: BTreeMap<&str, Vec<&GenericTest>> = BTreeMap::new();
    for test in manifest.nodes.values().filter_map(|node| node.generic_test()) {
        if let Some(attached) = &test.attached {
            tests.entry(attached).or_default().push(test);
        }
    }
    tests
}

impl<'a> Nodes<'a> {
    pub fn entry(&self, node: &'a Node) -> NodeEntry<'a> {
        // An ephemeral model has no database and no schema; dbt shows those of the target.
        let target = &self.project.target;
        NodeEntry {
            database: node.relation.database.as_deref().unwrap_or(&target.database),
            schema: node.relation.schema.as_deref().unwrap_or(&target.schema),
            identity: Identity {
                name: &node.name,
                resource_type: node.resource_type(),
                package_name: &node.package,
                path: &node.path,
                original_file_path: &node.original_path,
                unique_id: &node.id,
            },
            fqn: &node.fqn,
            alias: alias(node),
            checksum: Checksum::new(&node.checksum),
            config: FullConfig::of_node(node),
            tags: tags(node),
            description: &node.description,
            columns: Columns(&node.columns),
            meta: node.config.get("meta"),
            group: access::group(self.manifest, node),
            docs: Docs::new(node.config.get("docs").and_then(Json::as_object)),
            patch_path: node.patch_path.as_deref(),
            build_path: self.sql.sent.binary_search(&node.id.as_str()).is_ok().then(|| self.file("run", node)),
            unrendered_config: node.config.unrendered(),
            created_at: self.created_at,
            relation_name: relation_name(node),
            raw_code: &node.raw_code,
            doc_blocks: &node.doc_blocks,
            code: self.code(node),
            own: self.own(node),
        }
    }

    fn code(&self, node: &'a Node) -> Code<'a> {
        let macros = &node.depends_on_macros;
        if let Kind::Seed { .. } = node.kind {
            let package = self.project.packages.get(&node.package).unwrap_or(self.project.root());
            return Code::Seed {
                root_path: package.dir.to_string_lossy().into_owned(),
                depends_on: MacrosOnly { macros },
            };
        }
        let compiled = self.sql.compiled.and_then(|compiled| compiled.get(&node.id));
        Code::Sql(Box::new(SqlCode {
            language: "sql",
            refs: parts::refs(&node.refs),
            sources: &node.source_refs,
            metrics: NOTHING,
            functions: NOTHING,
            depends_on: DependsOn { macros, nodes: &node.depends_on },
            compiled_path: compiled.and_then(|_| self.compiled_path(node)),
            compiled: compiled.map(|compiled| Compiled {
                compiled: true,
                compiled_code: &compiled.sql,
                extra_ctes_injected: true,
                extra_ctes: compiled.ctes.iter().map(|(id, sql)| Cte { id, sql }).collect(),
            }),
            contract: Contract::new(&node.config, contract::checksum(node)),
        }))
    }

    fn compiled_path(&self, node: &Node) -> Option<String> {
        let has_file = !matches!(node.kind, Kind::Snapshot);
        has_file.then(|| self.file("compiled", node))
    }

    /// The file of a node's SQL in a folder below that of the artifacts.
    fn file(&self, folder: &str, node: &Node) -> String {
        let target = &self.project.root().settings.target_path;
        format!("{target}/{folder}/{}/{}", node.package, sql::path_of(node))
    }

    fn own(&self, node: &'a Node) -> Own<'a> {
        match &node.kind {
            Kind::Model => Own::Model(Box::new(Model {
                access: node.config.text("access").unwrap_or("protected"),
                constraints: parts::model_constraints(&node.constraints).collect(),
                version: node.version.as_ref().map(|version| &version.v),
                latest_version: node.version.as_ref().map(|version| &version.latest),
                deprecation_date: node.deprecation_date.map(|date| date.to_rfc3339()),
                primary_key: self.primary_key(node),
                time_spine: node.time_spine.as_deref(),
            })),
            Kind::GenericTest(test) => Own::GenericTest(Box::new(self.test(test))),
            Kind::Operation => Own::Operation { index: index(node) },
            _ => Own::None {},
        }
    }

    fn test(&self, test: &'a GenericTest) -> Test<'a> {
        let attached = test.attached.as_deref();
        Test {
            column_name: test.column_name.as_deref(),
            file_key_name: attached.and_then(|id| self.file_key_name(id)),
            attached_node: attached.filter(|id| self.manifest.nodes.contains_key(*id)),
            test_metadata: TestMetadata {
                name: &test.name,
                kwargs: &test.arguments,
                namespace: test.namespace.as_deref(),
            },
        }
    }

    /// Where YAML holds the test: `models.orders`, or `sources.raw` for any table of that source.
    fn file_key_name(&self, attached: &str) -> Option<String> {
        if let Some(source) = self.manifest.sources.get(attached) {
            return Some(format!("sources.{}", source.source_name));
        }
        let node = self.manifest.node(attached)?;
        let key = match node.kind {
            Kind::Analysis => "analyses".to_string(),
            _ => format!("{}s", node.resource_type()),
        };
        Some(format!("{key}.{}", node.name))
    }

    /// The columns that tell rows apart: by a constraint, else by tests that hold them unique.
    fn primary_key(&self, node: &'a Node) -> Vec<&'a str> {
        if let Some(columns) = parts::model_constraints(&node.constraints).find_map(Constraint::primary_key) {
            return columns;
        }
        let is_key = |constraints: &Json| parts::constraints(constraints).any(|one| one.primary_key().is_some());
        if let Some(column) = node.columns.values().find(|column| is_key(&column.constraints)) {
            return vec![&column.name];
        }
        let tests = self.tests.get(node.id.as_str()).map_or(&[][..], Vec::as_slice);
        let columns_of = |names: &[&str]| -> Vec<&'a str> {
            let mut columns = Vec::new();
            for test in tests.iter().filter(|test| names.contains(&test.name.as_str())) {
                columns.extend(
                    tested_columns(test).into_iter().filter(|column| !columns.contains(column)).collect::<Vec<_>>(),
                );
            }
            columns
        };
        let unique = columns_of(&["unique", "unique_combination_of_columns"]);
        let not_null = columns_of(&["not_null"]);
        let both: Vec<&str> = unique.iter().copied().filter(|column| not_null.contains(column)).collect();
        if both.is_empty() { unique } else { both }
    }
}

fn tested_columns(test: &GenericTest) -> Vec<&str> {
    match test.arguments.get("column_name").and_then(Json::as_str).or(test.column_name.as_deref()) {
        Some(column) => vec![column],
        None => {
            let columns = test.arguments.get("combination_of_columns").and_then(Json::as_array);
            columns.into_iter().flatten().filter_map(Json::as_str).collect()
        }
    }
}

/// Where the node is in the warehouse, if it is there: of tests, only those that store what they find.
pub fn relation_name(node: &Node) -> Option<String> {
    let is_there = match node.kind {
        Kind::Model => !node.is_ephemeral(),
        Kind::Seed { .. } | Kind::Snapshot => true,
        Kind::SingularTest | Kind::GenericTest(_) => {
            node.config.flag("store_failures")
                || matches!(node.config.text("store_failures_as"), Some("table" | "view"))
        }
        Kind::UnitTest(_) | Kind::Analysis | Kind::Operation => false,
    };
    is_there.then(|| node.relation.render())
}

/// A hook has the tag of its moment.
fn tags(node: &Node) -> Vec<&str> {
    let is_hook = |moment: &&str| matches!(node.kind, Kind::Operation) && node.name.contains(*moment);
    match ["on-run-start", "on-run-end"].into_iter().find(is_hook) {
        Some(moment) => vec![moment],
        None => node.tags(),
    }
}

/// The place of a hook among its like, counted from 1: `shop-on-run-start-0` is the first.
fn index(node: &Node) -> usize {
    node.name.rsplit('-').next().and_then(|number| number.parse::<usize>().ok()).map_or(1, |number| number + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use crate::artifact::manifest::tests::artifact_of;
    use crate::compile::context::tests::node;
    use crate::files::{FileId, Span};
    use crate::manifest::{GenericTest, Kind, Node};

    fn generic_test(name: &str, arguments: Json) -> Node {
        let test = GenericTest {
            name: name.to_string(),
            namespace: None,
            arguments: arguments.as_object().cloned().unwrap(),
            column_name: arguments["column_name"].as_str().map(str::to_string),
            attached: Some("model.shop.orders".to_string()),
            span: Span::start_of(FileId(0)),
            references: Box::default(),
            short_name: name.to_string(),
            tags: Vec::new(),
        };
        node(&format!("{name}_{}", arguments.as_object().unwrap().len()), Kind::GenericTest(Box::new(test)))
    }

    /// The object of the first of some nodes.
    fn written(nodes: Vec<Node>) -> Json {
        artifact_of(nodes)["nodes"].as_object().and_then(|nodes| nodes.values().next().cloned()).unwrap()
    }

    #[test]
    fn a_primary_key_is_what_tests_hold_unique_and_not_null() {
        let column = |name| json!({"column_name": name});
        let tests = vec![
            node("orders", Kind::Model),
            generic_test("unique", column("id")),
            generic_test("unique_combination_of_columns", json!({"combination_of_columns": ["a", "b"], "model": ""})),
        ];
        assert_eq!(written(tests.clone())["primary_key"], json!(["id", "a", "b"]));
        let with_not_null = [tests, vec![generic_test("not_null", column("id"))]].concat();
        assert_eq!(written(with_not_null)["primary_key"], json!(["id"]));
    }

    #[test]
    fn a_generic_test_tells_what_it_tests() {
        let test = generic_test("unique", json!({"column_name": "id"}));
        let written = written(vec![test, node("orders", Kind::Model)]);
        assert_eq!(written["attached_node"], "model.shop.orders");
        assert_eq!(written["file_key_name"], "models.orders");
        assert_eq!(
            written["test_metadata"],
            json!({"name": "unique", "kwargs": {"column_name": "id"}, "namespace": null})
        );
        assert_eq!(written["relation_name"], Json::Null);
    }
}
