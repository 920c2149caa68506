//! Turns tests that YAML lists below models, seeds, snapshots and sources into draft nodes.
//!
//! Names and unique ids are those that dbt makes, because selections, artifacts and other tools use them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use fancy_regex::Regex;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::adapter::relation::{Relation, identifier};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::ProjectFiles;
use crate::hash;
use crate::jinja::{JsonMap, Library, RenderError, Template};
use crate::manifest::builtin::{self, INTERNAL_PACKAGE};
use crate::manifest::nodes::{self, Drafts, fqn, macro_ids, merge_trees};
use crate::manifest::parse::{self, Said};
use crate::manifest::{GenericTest, Kind, Node, RefArguments, Source, python};
use crate::parallel;
use crate::project::Project;
use crate::project::config::{self, Config, Defaults};
use crate::project::properties::{NodeProperties, Properties, TestProperties};

/// Keys of a test that configure it. In this order they stand in the node's code.
const CONFIG_KEYS: [&str; 14] = [
    "severity",
    "tags",
    "enabled",
    "where",
    "limit",
    "warn_if",
    "error_if",
    "fail_calc",
    "store_failures",
    "store_failures_as",
    "meta",
    "database",
    "schema",
    "alias",
];

/// What a test is written on.
struct Subject<'a> {
    /// `ref('orders')` or `source('raw', 'orders')`.
    call: String,
    name: String,
    is_source: bool,
    /// The unique id of a node or source; none if it is not there or is switched off.
    id: Option<String>,
    properties: &'a NodeProperties,
    tags: Vec<String>,
}

struct Task<'a> {
    package: &'a str,
    file: &'a Properties,
    subject: &'a Subject<'a>,
    column: Option<(String, Vec<String>)>,
    test: &'a TestProperties,
}

/// Drafts every generic test of the project.
pub fn draft(
    project: &Project,
    library: &Library,
    sources: &IndexMap<String, Source>,
    drafts: &mut Drafts,
    sink: &mut Diagnostics,
) {
    let subjects = subjects(project, sources, drafts, sink);
    let mut tasks = Vec::new();
    for (package, file, subject) in &subjects {
        tests_of(package, file, subject, &mut tasks);
    }
    let drafting = Drafting { project, library };
    drafts.nodes.reserve_exact(tasks.len());
    for (node, problems) in parallel::map(&tasks, |task| drafting.draft(task)) {
        sink.extend(problems);
        let Some(node) = node else { continue };
        let attached = node.generic_test().is_some_and(|test| test.attached.is_some());
        if node.config.flag("enabled") && attached {
            drafts.nodes.push(node);
        } else {
            drafts.disabled.push(nodes::disabled(&node));
        }
    }
}

type Subjects<'a> = Vec<(&'a str, &'a Properties, Subject<'a>)>;

fn subjects<'a>(
    project: &'a Project,
    sources: &IndexMap<String, Source>,
    drafts: &Drafts,
    sink: &mut Diagnostics,
) -> Subjects<'a> {
    let enabled: BTreeMap<(&str, &str, &str), &Node> = drafts
        .nodes
        .iter()
        .map(|node| ((node.package.as_str(), node.resource_type(), node.name.as_str()), node.as_ref()))
        .collect();
    let disabled: BTreeSet<(&str, &str, &str)> =
        drafts.disabled.iter().map(|node| (node.package.as_str(), node.resource_type, node.name.as_str())).collect();
    let mut subjects = Vec::new();
    for package in project.packages.values() {
        let name = package.name.as_str();
        for file in &package.properties {
            let kinds = [
                ("model", &file.models),
                ("seed", &file.seeds),
                ("snapshot", &file.snapshots),
                ("analysis", &file.analyses),
                ("test", &file.singular_tests),
            ];
            for (kind, properties) in kinds.into_iter().flat_map(|(kind, all)| all.iter().map(move |p| (kind, p))) {
                let key = (name, kind, properties.name.as_str());
                let node = enabled.get(&key);
                if node.is_none() && !disabled.contains(&key) {
                    sink.push(unknown_patch(kind, properties, enabled.keys().filter(|k| k.1 == kind).map(|k| k.2)));
                    continue;
                }
                let subject = Subject {
                    call: format!("ref('{}')", properties.name),
                    name: properties.name.clone(),
                    is_source: false,
                    id: node.map(|node| node.id.clone()),
                    tags: Vec::new(),
                    properties,
                };
                subjects.push((name, file, subject));
            }
            for (source, table) in file.sources.iter().flat_map(|s| s.tables.iter().map(move |t| (s, t))) {
                let id = format!("source.{name}.{}.{}", source.name, table.node.name);
                let subject = Subject {
                    call: format!("source('{}', '{}')", source.name, table.node.name),
                    name: format!("{}_{}", source.name, table.node.name),
                    is_source: true,
                    tags: sources.get(&id).map_or(Vec::new(), |source| {
                        source.config.texts("tags").into_iter().map(str::to_string).collect()
                    }),
                    id: Some(id).filter(|id| sources.contains_key(id)),
                    properties: &table.node,
                };
                subjects.push((name, file, subject));
            }
        }
    }
    subjects
}

fn unknown_patch<'a>(kind: &str, properties: &NodeProperties, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let message = format!("no {kind} is called `{}`", properties.name);
    let problem = Diagnostic::warning(Code::UnknownPatch, properties.span, message).label("described here only");
    match nearest(&properties.name, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("remove this entry, or add the file that it describes"),
    }
}

fn tests_of<'a>(package: &'a str, file: &'a Properties, subject: &'a Subject<'a>, tasks: &mut Vec<Task<'a>>) {
    for column in &subject.properties.columns {
        let quoted = column.quote == Some(true);
        let name = if quoted { identifier(&column.name) } else { column.name.clone() };
        for test in &column.tests {
            let tags = [column.tags.clone(), subject.tags.clone()].concat();
            tasks.push(Task { package, file, subject, column: Some((name.clone(), tags)), test });
        }
    }
    for test in &subject.properties.tests {
        let column = None;
        tasks.push(Task { package, file, subject, column, test });
    }
}

/// A test's entry in YAML, taken apart.
struct Parts {
    namespace: Option<String>,
    name: String,
    arguments: JsonMap,
    config: JsonMap,
    description: String,
    custom_name: Option<String>,
}

fn parts(task: &Task<'_>) -> Parts {
    let (namespace, name) = match task.test.name.split_once('.') {
        Some((namespace, name)) => (Some(namespace.to_string()), name.to_string()),
        None => (None, task.test.name.clone()),
    };
    let mut arguments = task.test.arguments.clone();
    if let Some((column, _)) = &task.column {
        arguments.insert("column_name".to_string(), json!(column));
    }
    if let Some(Json::Object(nested)) = arguments.get("arguments").cloned() {
        arguments.shift_remove("arguments");
        arguments.extend(nested);
    }
    let mut below = match arguments.shift_remove("config") {
        Some(Json::Object(config)) => config,
        _ => JsonMap::new(),
    };
    let mut config = JsonMap::new();
    for key in CONFIG_KEYS {
        let value = arguments.shift_remove(key).filter(|value| !value.is_null()).or_else(|| below.shift_remove(key));
        config.extend(value.filter(|value| !value.is_null()).map(|value| (key.to_string(), value)));
    }
    config.extend(below);
    let text = |value: Option<Json>| value.map(|value| python::str(&value));
    let description = text(arguments.shift_remove("description")).unwrap_or_default();
    let custom_name = text(arguments.shift_remove("name"));
    arguments.insert("model".to_string(), json!(format!("{{{{ get_where_subquery({}) }}}}", task.subject.call)));
    Parts { namespace, name, arguments, config, description, custom_name }
}

/// The short name (for the file and the alias) and the full one.
fn synthesize(prefix: &str, subject: &str, arguments: &JsonMap) -> (String, String) {
    static UNCLEAN: LazyLock<Regex> = LazyLock::new(|| Regex::new("[^0-9a-zA-Z_]+").expect("the pattern is valid"));
    let mut sorted: Vec<(&String, &Json)> = arguments.iter().filter(|(name, _)| *name != "model").collect();
    sorted.sort_by_key(|(name, _)| *name);
    let flat = sorted.into_iter().flat_map(|(_, value)| match value {
        Json::Array(items) => items.iter().map(python::str).collect(),
        Json::Object(map) => map.values().map(python::str).collect(),
        one => vec![python::str(one)],
    });
    let clean: Vec<String> = flat.map(|text| UNCLEAN.replace_all(&text, "_").into_owned()).collect();
    let start = format!("{prefix}_{subject}");
    let full = format!("{start}_{}", clean.join("__"));
    if full.chars().count() < 64 {
        return (full.clone(), full);
    }
    let short = format!("{}_{}", start.chars().take(30).collect::<String>(), hash::md5(&full));
    (short, full)
}

/// The last part of a test's unique id: ten digits over its name and arguments.
fn id_hash(name: &str, parts: &Parts) -> String {
    let as_text = |value: &Json| texts(value);
    let kwargs: BTreeMap<&String, Json> = parts.arguments.iter().map(|(key, value)| (key, as_text(value))).collect();
    let kwargs: JsonMap = kwargs.into_iter().map(|(key, value)| (key.clone(), value)).collect();
    let namespace = parts.namespace.clone().unwrap_or_else(|| "None".to_string());
    let metadata = json!({"kwargs": kwargs, "name": parts.name, "namespace": namespace});
    let digest = hash::md5(&format!("{name}{}", python::repr(&metadata)));
    digest[digest.len() - 10..].to_string()
}

/// A value with its keys sorted and every scalar as text, as dbt hashes it.
fn texts(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            let sorted: BTreeMap<&String, Json> = map.iter().map(|(key, value)| (key, texts(value))).collect();
            Json::Object(sorted.into_iter().map(|(key, value)| (key.clone(), value)).collect())
        }
        Json::Array(items) => Json::Array(items.iter().map(texts).collect()),
        scalar => Json::String(python::str(scalar)),
    }
}

struct Drafting<'a> {
    project: &'a Project,
    library: &'a Library,
}

impl Drafting<'_> {
    fn draft(&self, task: &Task<'_>) -> (Option<Box<Node>>, Vec<Diagnostic>) {
        let parts = parts(task);
        let Some(found) = self.find(task.package, &parts) else {
            return (None, vec![self.unknown(task, &parts)]);
        };
        let from_medal = found.package == INTERNAL_PACKAGE;
        let mut node = self.blank(task, &parts);
        let template = match draft_template(&node) {
            Ok(template) => template,
            Err(error) => return (None, vec![builtin::diagnostic(&error).related(task.test.span, "the test is here")]),
        };
        let mut problems = Vec::new();
        // The tests that come with medal refer to nothing besides their arguments.
        let mut said = arguments_of(&template);
        if !from_medal && task.subject.id.is_some() {
            let model = nodes::brief(&node);
            match parse::listen(self.project, self.library, &template, task.package, &node.relation, model) {
                Ok(heard) => said = heard,
                Err(mut error) => {
                    // The outermost place is in the code that was made of the YAML.
                    error.frames.pop();
                    error.frames.push(task.test.span);
                    problems.push(builtin::diagnostic(&error));
                }
            }
        }
        node.depends_on_macros = vec![found.unique_id.clone()];
        node.depends_on_macros.extend(macro_ids(self.library, task.package, ["get_where_subquery"].into_iter()));
        node.refs = unique(said.refs);
        node.source_refs = unique(said.sources);
        let written = parts.config.clone();
        let fqn = node.fqn.clone();
        merge_trees(&mut node.config, self.project, task.package, "data_tests", &fqn, |config| {
            config.merge(said.config);
            config.merge(written);
        });
        if let Some((_, tags)) = task.column.as_ref().filter(|(_, tags)| !tags.is_empty()) {
            node.config.merge(JsonMap::from_iter([("tags".to_string(), json!(tags))]));
        }
        let mistakes = config::mistakes(node.config.written(), Defaults::Test).into_iter();
        problems.extend(mistakes.map(|(_, message)| Diagnostic::error(Code::InvalidValue, task.test.span, message)));
        (Some(Box::new(node)), problems)
    }

    fn find(&self, package: &str, parts: &Parts) -> Option<&crate::jinja::MacroInfo> {
        let name = format!("test_{}", parts.name);
        match &parts.namespace {
            Some(namespace) => {
                self.library.macros().iter().find(|found| found.package == *namespace && found.name == name)
            }
            None => self.library.find(package, &name),
        }
    }

    fn unknown(&self, task: &Task<'_>, parts: &Parts) -> Diagnostic {
        let message = format!("the test `{}` is not defined", task.test.name);
        let problem = Diagnostic::error(Code::UnknownTest, task.test.span, message);
        let known = self.library.macros().iter().filter_map(|found| found.name.strip_prefix("test_"));
        if let Some(namespace) = parts.namespace.as_ref().filter(|name| !self.project.packages.contains_key(*name)) {
            return problem.help(format!("the package `{namespace}` is not installed"));
        }
        match nearest(&parts.name, known) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("define it with `{{% test {}(model, column_name) %}}`", parts.name)),
        }
    }

    fn blank(&self, task: &Task<'_>, parts: &Parts) -> Node {
        let prefix = if task.subject.is_source { format!("source_{}", parts.name) } else { parts.name.clone() };
        let prefix = parts.namespace.as_ref().map_or(prefix.clone(), |namespace| format!("{namespace}_{prefix}"));
        let (short, full) = match &parts.custom_name {
            Some(name) => (name.clone(), name.clone()),
            None => synthesize(&prefix, &task.subject.name, &parts.arguments),
        };
        let mut config = Config::new(Defaults::Test);
        if short != full && !parts.config.contains_key("alias") {
            config.merge(JsonMap::from_iter([("alias".to_string(), json!(short))]));
        }
        let below_kind = task.file.path.split_once('/').map_or(task.file.path.as_str(), |(_, rest)| rest);
        let test = GenericTest {
            name: parts.name.clone(),
            namespace: parts.namespace.clone(),
            arguments: parts.arguments.clone(),
            column_name: task.column.as_ref().map(|(name, _)| name.clone()),
            attached: task.subject.id.clone(),
            span: task.test.span,
            references: task.test.references.clone().into(),
            short_name: short.clone(),
        };
        let target = &self.project.target;
        Node {
            id: format!("test.{}.{full}.{}", task.package, id_hash(&full, parts)),
            kind: Kind::GenericTest(test),
            fqn: fqn(task.package, below_kind, &full, false),
            relation: Relation::new(&target.database, &target.schema, &full),
            package: task.package.to_string(),
            original_path: task.file.path.clone(),
            path: format!("{short}.sql"),
            file: task.file.file,
            config,
            description: parts.description.clone(),
            columns: IndexMap::new(),
            patch_path: None,
            patch_span: None,
            template: None,
            raw_code: raw_code(parts, (short != full).then_some(&short)).into(),
            refs: Vec::new(),
            source_refs: Vec::new(),
            depends_on: Vec::new(),
            depends_on_macros: Vec::new(),
            checksum: String::new(),
            layer: None,
            constraints: Json::Null,
            name: full,
        }
    }
}

fn unique<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut kept = Vec::with_capacity(items.len().min(1));
    items.into_iter().for_each(|item| {
        if !kept.contains(&item) {
            kept.push(item)
        }
    });
    kept
}

/// The code of the node as dbt shows it.
fn raw_code(parts: &Parts, alias: Option<&String>) -> String {
    let name = parts.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}."));
    let call = format!("{{{{ {name}test_{}(**_dbt_generic_test_kwargs) }}}}", parts.name);
    let mut config = parts.config.clone();
    if let Some(alias) = alias.filter(|_| !config.contains_key("alias")) {
        config.insert("alias".to_string(), json!(alias));
    }
    if config.is_empty() {
        return call;
    }
    let settings = config.iter().map(|(key, value)| match value {
        Json::String(text) => format!("{key}=\"{}\"", text.replace('"', "\\\"")),
        other => format!("{key}={}", python::str(other)),
    });
    format!("{call}{{{{ config({}) }}}}", settings.collect::<Vec<_>>().join(","))
}

/// The template of a generic test. It is made when it is needed: a project may have tens of thousands.
pub fn template(node: &Node, files: &ProjectFiles) -> Result<Template, RenderError> {
    let test = node.generic_test().expect("only generic tests are made so");
    let code: Arc<str> = code(test).into();
    let path = format!("{}, test `{}`", node.original_path, test.name);
    let file = files.add_shared(&path, code.clone());
    Template::new(file, code)
}

/// The same, for a first look: places in it mean nothing.
fn draft_template(node: &Node) -> Result<Template, RenderError> {
    let test = node.generic_test().expect("only generic tests are made so");
    Template::new(node.file, code(test).into()).map_err(|error| RenderError { frames: Vec::new(), ..error })
}

/// What the arguments of a test refer to.
fn arguments_of(template: &Template) -> Said {
    let facts = template.facts();
    let call = |call: &crate::jinja::RefCall| RefArguments {
        package: call.package.clone(),
        name: call.name.clone(),
        version: call.version.clone(),
    };
    Said {
        refs: facts.refs.iter().map(call).collect(),
        sources: facts.sources.iter().map(|call| [call.source.clone(), call.table.clone()]).collect(),
        config: JsonMap::new(),
    }
}

/// The code that medal renders: the call with its arguments written out, so that each is an expression in place.
fn code(test: &GenericTest) -> String {
    let name = test.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}."));
    let arguments = test.arguments.iter().map(|(key, value)| {
        let value = if key == "column_name" { literal(value) } else { expression(value) };
        format!("{key}={value}")
    });
    format!("{{{{ {name}test_{}({}) }}}}", test.name, arguments.collect::<Vec<_>>().join(", "))
}

/// A value as a Jinja expression; a text may itself hold Jinja, or be a bare call of `ref` and the like.
fn expression(value: &Json) -> String {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?s)^\s*(env_var|ref|var|source|doc)\s*\(.+\)\s*$").expect("the pattern is valid")
    });
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(expression).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), expression(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::String(text) if CALL.is_match(text).unwrap_or(false) => text.trim().to_string(),
        Json::String(text) if text.contains("{{") || text.contains("{%") => match only_expression(text) {
            Some(inner) => format!("({inner})"),
            None => format!("render({})", quoted(text)),
        },
        other => literal(other),
    }
}

/// The inside of a text that is one `{{ … }}` and nothing else.
fn only_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.trim_start_matches('-').trim_end_matches('-').trim();
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then_some(inner)
}

fn literal(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Null => "none".to_string(),
        Json::Bool(flag) => flag.to_string(),
        other => python::repr(other),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::{expression, synthesize};
    use serde_json::json;

    #[test]
    fn a_long_name_is_shortened_with_a_hash() {
        let arguments = json!({"column_name": "status", "values": ["placed", "shipped", "completed", "return_pending", "returned"]});
        let (short, full) =
            synthesize("accepted_values", "stg_orders", arguments.as_object().unwrap_or(&Default::default()));
        assert_eq!(full, "accepted_values_stg_orders_status__placed__shipped__completed__return_pending__returned");
        assert_eq!(short, "accepted_values_stg_orders_4f514bf94b77b7ea437830eec4421c58");
    }

    #[test]
    fn a_bare_ref_is_a_call_and_a_text_is_a_text() {
        let value = json!(["ref('a')", "it's", "{{ var('x') }}", 1, null]);
        assert_eq!(expression(&value), r"[ref('a'), 'it\'s', (var('x')), 1, none]");
    }
}
