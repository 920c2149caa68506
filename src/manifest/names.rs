//! Gives every node its database, schema and alias, through the project's own macros where it has them.

use std::sync::Arc;

use serde_json::json;

use crate::adapter::relation::{Parts, Relation};
use crate::diagnostic::Diagnostics;
use crate::jinja::{JsonMap, Library, ScopeValue};
use crate::manifest::builtin::{self, INTERNAL_PACKAGE};
use crate::manifest::parse::{ParseHost, base_scope};
use crate::manifest::{Kind, Node, nodes};
use crate::parallel;
use crate::project::Project;

/// Settles the names of all nodes. Source: <https://docs.getdbt.com/docs/build/custom-schemas>.
pub fn settle(project: &Project, library: &Library, nodes: &mut [Box<Node>], sink: &mut Diagnostics) {
    let naming = Naming::new(project, library);
    let problems = parallel::map_mut(nodes, |node| {
        let (relation, problems) = naming.relation(node);
        node.relation = relation;
        problems
    });
    problems.iter().flatten().for_each(|error| sink.push(builtin::diagnostic(error)));
}

struct Naming<'a> {
    project: &'a Project,
    library: &'a Library,
    /// Which of the three macros the project has written itself.
    custom: [bool; 3],
}

/// The three macros that name a node, with the configuration that each is given.
const MACROS: [(&str, &str); 3] =
    [("generate_database_name", "database"), ("generate_schema_name", "schema"), ("generate_alias_name", "alias")];

type Problems = Vec<crate::jinja::RenderError>;

impl<'a> Naming<'a> {
    fn new(project: &'a Project, library: &'a Library) -> Naming<'a> {
        let root = &project.root().name;
        let written = |name: &str| library.macros().iter().any(|item| item.name == name && item.package == *root);
        let custom = MACROS.map(|(name, _)| {
            let dispatched = [format!("default__{name}"), format!("{}__{name}", project.target.kind)];
            let overridden = library.find_override(name).is_some_and(|found| found.package != INTERNAL_PACKAGE);
            overridden || dispatched.iter().any(|name| written(name))
        });
        Naming { project, library, custom }
    }

    fn relation(&self, node: &Node) -> (Relation, Problems) {
        let mut problems = Vec::new();
        let mut part = |at: usize, default: fn(&Project, Option<&str>, &Node) -> String| {
            let (name, key) = MACROS[at];
            let given = node.config.text(key).filter(|text| !text.trim().is_empty());
            if !self.custom[at] {
                return default(self.project, given, node);
            }
            self.call(name, given, node).unwrap_or_else(|error| {
                problems.push(error);
                default(self.project, given, node)
            })
        };
        let database = part(0, |project, given, _| given.unwrap_or(&project.target.database).trim().to_string());
        let schema = part(1, |project, given, _| match given {
            Some(custom) => format!("{}_{}", project.target.schema, custom.trim()),
            None => project.target.schema.clone(),
        });
        let alias = part(2, |_, given, node| given.map_or_else(|| own_alias(node), |given| given.trim().to_string()));
        if node.is_ephemeral() {
            return (Relation::cte(&database, &schema, &alias), problems);
        }
        // What a snapshot names is taken as it is written.
        let exact = |key: &str, else_: String| match node.kind {
            Kind::Snapshot => node.config.text(key).map_or(else_, str::to_string),
            _ => else_,
        };
        let (database, schema) = (exact("target_database", database), exact("target_schema", schema));
        let mut relation = Relation::new(&database, &schema, &alias);
        relation.quote = quoting(&self.project.root().settings.quoting, node.config.get("quoting"));
        (relation, problems)
    }

    fn call(&self, name: &str, given: Option<&str>, node: &Node) -> Result<String, crate::jinja::RenderError> {
        let found = self.library.find_override(name).expect("the templates have this macro");
        let given = ScopeValue::Json(given.map_or(json!(null), |text| json!(text)));
        let args = [given, ScopeValue::Json(nodes::brief(node))];
        let host = Arc::new(ParseHost::new(self.project, &node.package, node.relation.clone()));
        let scope = base_scope(self.project, &self.project.root().name, &node.relation);
        let result = self.library.call(&found.unique_id, &args, &[], &scope, host)?;
        Ok(result.text.trim().to_string())
    }
}

/// `orders`; of a version, `orders_v2`.
fn own_alias(node: &Node) -> String {
    match &node.version {
        Some(version) => format!("{}_{}", node.name, version.to_string().replace('.', "_")),
        None => node.name.clone(),
    }
}

/// Which parts of a name are quoted: all of them with DuckDB, unless the project or the node says otherwise.
pub fn quoting(project: &JsonMap, own: Option<&serde_json::Value>) -> Parts {
    let part = |key: &str| {
        let own = own.and_then(|own| own.get(key)).and_then(serde_json::Value::as_bool);
        own.or_else(|| project.get(key).and_then(serde_json::Value::as_bool)).unwrap_or(true)
    };
    Parts { database: part("database"), schema: part("schema"), identifier: part("identifier") }
}

/// Whether the node stands for something in the warehouse.
pub fn has_relation(node: &Node) -> bool {
    matches!(node.kind, Kind::Model | Kind::Seed { .. } | Kind::Snapshot) && !node.is_ephemeral()
}
