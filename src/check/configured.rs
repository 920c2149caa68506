//! Turns the columns that a configuration names into findings: keys and times that the query does not give.

use serde_json::Value as Json;

use crate::check::finding::way_out;
use crate::check::{Checked, Schema};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::manifest::{Kind, Node};
use crate::project::Project;

/// Keys that name columns, and whether the first build asks for them already.
const OF_SNAPSHOTS: [(&str, bool); 3] = [("unique_key", true), ("updated_at", true), ("check_cols", false)];
const OF_MODELS: [(&str, bool); 3] =
    [("unique_key", false), ("merge_update_columns", false), ("merge_exclude_columns", false)];

/// What is wrong with the names of columns in a node's configuration.
pub fn absent(project: &Project, node: &Node, schema: &Schema, known: &Checked) -> Vec<Diagnostic> {
    let keys = match node.kind {
        Kind::Snapshot => OF_SNAPSHOTS,
        Kind::Model if node.materialized() == "incremental" => OF_MODELS,
        _ => return Vec::new(),
    };
    // Those that a snapshot adds are certain or not by themselves.
    let certain = node.depends_on.iter().all(|id| known.schemas.get(id).is_none_or(|schema| schema.certain));
    let named = keys.into_iter().flat_map(|(key, at_once)| names(node, key).map(move |name| (key, at_once, name)));
    let absent = named.filter(|(.., name)| schema.column(name).is_none());
    let told = absent.map(|(key, at_once, name)| {
        let make = if certain && at_once { Diagnostic::error } else { Diagnostic::warning };
        let message = format!("the `{key}` of `{}` names the column `{name}`, which it does not have", node.name);
        let columns: Vec<String> = schema.columns.iter().map(|column| column.name.clone()).collect();
        let problem = make(Code::UnknownColumn, place(project, node, key), message);
        Diagnostic { help: way_out(name, &columns), ..problem }
    });
    told.collect()
}

/// Where a key is written: in the node's own `config()`, or in a property file.
fn place(project: &Project, node: &Node, key: &str) -> Option<Span> {
    let facts = node.template.as_ref().map(|template| template.facts());
    let own = facts.iter().flat_map(|facts| &facts.config_keys);
    let properties = project.packages.get(&node.package).into_iter().flat_map(|package| &package.properties);
    let described = properties.flat_map(|file| file.models.iter().chain(&file.snapshots));
    let in_yaml = described.filter(|it| it.name == node.name).flat_map(|it| &it.config_spans);
    let written = own.chain(in_yaml).find(|(name, _)| name == key).map(|(_, span)| *span);
    written.or_else(|| node.config_place(key))
}

/// The plain names of a text or a list; anything else is an expression, or a word such as `all`.
fn names<'n>(node: &'n Node, key: &str) -> impl Iterator<Item = &'n str> {
    let listed = match node.config.get(key) {
        Some(Json::Array(items)) => items.as_slice(),
        Some(one) if key != "check_cols" => std::slice::from_ref(one),
        _ => &[],
    };
    let is_name = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
    listed.iter().filter_map(Json::as_str).filter(is_name)
}
