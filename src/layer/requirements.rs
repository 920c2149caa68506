//! Which models lack what their layer requires: an owner, a description, a key, a contract.

use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::layer::words;
use crate::manifest::{Manifest, Node, refable};
use crate::project::layers::{Layer, Requirement, medal_key};

/// One mistake for all that a model of a layer lacks. An ephemeral model is nothing that anyone reads.
pub fn missing(manifest: &Manifest, node: &Node, layer: &Layer, severity: Severity) -> Option<Diagnostic> {
    let lacks = |wanted: &&Requirement| !node.is_ephemeral() && !has(manifest, node, **wanted);
    let missing: Vec<Requirement> = layer.require.iter().filter(lacks).copied().collect();
    if missing.is_empty() {
        return None;
    }
    let names: Vec<&str> = missing.iter().map(|it| called(*it)).collect();
    let message = format!("`{}` is in the layer `{}` and has no {}", node.name, layer.name, names.join(" and no "));
    let required = words(layer.require.iter().map(|it| it.name()), "and");
    let ways: Vec<&str> = missing.iter().map(|it| way_out(*it)).collect();
    let problem = Diagnostic::error(Code::LayerRequires, refable::place(node), message);
    let problem = problem.label(format!("`{}` requires {required}", layer.name)).help(ways.join("; "));
    Some(Diagnostic { severity, ..problem })
}

fn called(requirement: Requirement) -> &'static str {
    match requirement {
        Requirement::Owner => "owner",
        Requirement::Description => "description",
        Requirement::UniqueKey => "key",
        Requirement::Contract => "contract",
    }
}

fn way_out(requirement: Requirement) -> &'static str {
    match requirement {
        Requirement::Owner => "name a `group`, or write `meta: {owner: …}`",
        Requirement::Description => "write a `description` in its property file",
        Requirement::UniqueKey => "test the column with `unique`, or set `unique_key`",
        Requirement::Contract => "set `contract: {enforced: true}`, and list its columns with their types",
    }
}

fn has(manifest: &Manifest, node: &Node, requirement: Requirement) -> bool {
    let config = node.config.written();
    match requirement {
        Requirement::Owner => {
            let of_meta = config.get("meta").and_then(|meta| meta.get("owner"));
            node.config.text("group").is_some() || medal_key(config, "owner").or(of_meta).is_some_and(is_something)
        }
        Requirement::Description => !node.description.trim().is_empty(),
        Requirement::UniqueKey => {
            node.config.get("unique_key").is_some_and(is_something) || has_key(node) || is_tested(manifest, node)
        }
        Requirement::Contract => {
            node.config.get("contract").is_some_and(|it| it.get("enforced") == Some(&Json::Bool(true)))
        }
    }
}

fn is_something(value: &Json) -> bool {
    !matches!(value, Json::Null) && value.as_str() != Some("") && value.as_array().is_none_or(|list| !list.is_empty())
}

/// A constraint that is a key.
fn has_key(node: &Node) -> bool {
    let lists = [&node.constraints].into_iter().chain(node.columns.values().map(|column| &column.constraints));
    let is_key =
        |one: &Json| one.get("type").and_then(Json::as_str).is_some_and(|it| ["primary_key", "unique"].contains(&it));
    lists.into_iter().filter_map(Json::as_array).flatten().any(is_key)
}

/// A test that finds duplicates: `unique`, or `unique_combination_of_columns` of a package.
fn is_tested(manifest: &Manifest, node: &Node) -> bool {
    let tests = manifest.graph.children(&node.id).filter_map(|id| manifest.node(id)?.generic_test());
    let mut own = tests.filter(|test| test.attached.as_ref() == Some(&node.id));
    own.any(|test| test.name.starts_with("unique"))
}
