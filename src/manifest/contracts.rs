//! Checks what a contract asks of a model's declaration before anything runs, and finds what its foreign keys lead to.
//!
//! Source of the rules: <https://docs.getdbt.com/reference/resource-configs/contract>.

use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::{FileId, Span};
use crate::jinja::Template;
use crate::manifest::{Kind, Manifest, Node, RefArguments};
use crate::project::properties::NodeProperties;

/// What the foreign keys of a model lead to: its constraints first, then those of its columns.
pub fn references(node: &Node) -> (Vec<RefArguments>, Vec<[String; 2]>) {
    let (mut refs, mut sources) = (Vec::new(), Vec::new());
    for target in constraints(node).filter_map(foreign).filter_map(target) {
        match target {
            Target::Model(call) => refs.push(call),
            Target::Source(table) => sources.push(table),
        }
    }
    (refs, sources)
}

/// Constraints with the relations that their foreign keys lead to, in place of `ref(…)` and `source(…)`.
pub fn resolved(manifest: &Manifest, node: &Node, mut constraints: Json) -> Json {
    for constraint in constraints.as_array_mut().into_iter().flatten() {
        let relation = foreign(constraint).and_then(target).and_then(|target| relation(manifest, node, &target));
        if let (Some(relation), Some(map)) = (relation, constraint.as_object_mut()) {
            map.insert("to".to_string(), Json::String(relation));
        }
    }
    constraints
}

enum Target {
    Model(RefArguments),
    Source([String; 2]),
}

fn relation(manifest: &Manifest, node: &Node, target: &Target) -> Option<String> {
    let mut parents = node.depends_on.iter();
    match target {
        Target::Model(call) => parents
            .filter_map(|id| manifest.node(id))
            .find(|parent| parent.answers_to(call))
            .map(|n| n.relation.render()),
        Target::Source([source, table]) => parents
            .find_map(|id| {
                manifest.sources.get(id).filter(|found| found.source_name == *source && found.name == *table)
            })
            .map(|found| found.relation.render()),
    }
}

fn list(constraints: &Json) -> impl Iterator<Item = &Json> {
    constraints.as_array().into_iter().flatten()
}

fn constraints(node: &Node) -> impl Iterator<Item = &Json> {
    list(&node.constraints).chain(node.columns.values().flat_map(|column| list(&column.constraints)))
}

fn kind(constraint: &Json) -> &str {
    constraint.get("type").and_then(Json::as_str).unwrap_or_default()
}

/// `to` of a foreign key.
fn foreign(constraint: &Json) -> Option<&str> {
    constraint.get("to")?.as_str().filter(|_| kind(constraint) == "foreign_key")
}

fn target(text: &str) -> Option<Target> {
    let template = Template::new(FileId(0), format!("{{{{ {text} }}}}").into()).ok()?;
    let facts = template.facts();
    match (&facts.refs[..], &facts.sources[..]) {
        ([call], []) => Some(Target::Model(call.into())),
        ([], [call]) => Some(Target::Source([call.source.clone(), call.table.clone()])),
        _ => None,
    }
}

const KINDS: [&str; 6] = ["check", "not_null", "unique", "primary_key", "foreign_key", "custom"];

/// The mistakes in the contract of a model; `place` says where a key of its configuration is written.
pub fn problems(node: &Node, patch: Option<&NodeProperties>, place: impl Fn(&str) -> Option<Span>) -> Vec<Diagnostic> {
    if !matches!(node.kind, Kind::Model) || !node.config.flag("enabled") {
        return Vec::new();
    }
    let name = &node.name;
    let error = |span: Option<Span>, message: String| Diagnostic::error(Code::InvalidContract, span, message);
    let mut found = keys_problems(node, patch);
    if !node.config.get("contract").is_some_and(|contract| contract.get("enforced") == Some(&Json::Bool(true))) {
        return found;
    }
    let columns = patch.map_or(&[][..], |patch| &patch.columns);
    if columns.is_empty() {
        let problem = error(place("contract"), format!("`{name}` has a contract and declares no columns"));
        found.push(problem.help("list every column below `columns:` in its property file, each with its `data_type`"));
    }
    for column in columns.iter().filter(|column| column.info.data_type.is_none()) {
        let message =
            format!("the column `{}` of `{name}` has no `data_type`, which the contract needs", column.info.name);
        found.push(error(Some(column.span), message));
    }
    let change = node.config.text("on_schema_change").unwrap_or("ignore");
    if node.materialized() == "incremental" && !["append_new_columns", "fail"].contains(&change) {
        let message = format!("`{name}` is incremental and has a contract, so `on_schema_change` cannot be `{change}`");
        found.push(
            error(place("on_schema_change").or(place("contract")), message)
                .help("set it to append_new_columns or fail"),
        );
    }
    let is_enforced = matches!(node.materialized(), "table" | "incremental");
    let warns = |one: &&Json| one.get("warn_unsupported") != Some(&Json::Bool(false));
    if !is_enforced && constraints(node).any(|one| warns(&one)) {
        let message = format!("the constraints of `{name}` do nothing: a {} has none", node.materialized());
        let problem = Diagnostic { severity: Severity::Warning, ..error(place("materialized"), message) };
        let problem = problem.event("UnsupportedConstraintMaterialization");
        found.push(problem.help("materialize it as a table, or set `warn_unsupported: false` on them"));
    }
    found
}

/// Constraints that mean nothing, and primary keys that contradict each other. dbt looks at them without a contract too.
fn keys_problems(node: &Node, patch: Option<&NodeProperties>) -> Vec<Diagnostic> {
    let Some(patch) = patch else { return Vec::new() };
    let error = |span: Span, message: String| Diagnostic::error(Code::InvalidContract, span, message);
    let own: Vec<(&Json, Span)> = list(&patch.constraints).map(|one| (one, patch.span)).collect();
    let columns = patch.columns.iter();
    let of_columns: Vec<(&Json, Span)> =
        columns.flat_map(|column| list(&column.info.constraints).map(|one| (one, column.span))).collect();
    let mut found = Vec::new();
    for (one, span) in own.iter().chain(&of_columns).copied() {
        if !KINDS.contains(&kind(one)) {
            let message = format!("`{}` is no type of constraint", kind(one));
            found.push(error(span, message).help(format!("the types are {}", KINDS.join(", "))));
        }
        if let Some(to) = foreign(one).filter(|to| target(to).is_none()) {
            let message = format!("`to` of a foreign key is a `ref(…)` or a `source(…)`, and this is `{to}`");
            found.push(error(span, message));
        }
    }
    let is_key = |(one, _): &&(&Json, Span)| kind(one) == "primary_key";
    let of_model = own.iter().any(|one| is_key(&one));
    let keys: Vec<Span> = of_columns.iter().filter(is_key).map(|(_, span)| *span).collect();
    let help = "write one constraint for all its columns below the model: `- {type: primary_key, columns: […]}`";
    match keys[..] {
        [first, ..] if of_model => {
            let message = format!("`{}` has a primary key of its own and one on a column", node.name);
            found.push(error(first, message).help(help));
        }
        [first, second, ..] => {
            let message = format!("`{}` has {} columns that are each its primary key", node.name, keys.len());
            found.push(error(second, message).related(first, "another").help(help));
        }
        _ => {}
    }
    found
}
