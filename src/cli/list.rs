//! `medal ls`: prints what a selection names.

use std::io::Write;

use serde_json::{Map, Value as Json, json};

use crate::artifact::manifest::Sql;
use crate::artifact::node::{Nodes, tests_by_node};
use crate::artifact::{declared, unit_test};
use crate::cli::arguments::{ListOptions, ListOutput};
use crate::cli::choice;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::diagnostic::code::Code;
use crate::manifest::Manifest;
use crate::manifest::selection::NodeSet;

/// What `ls` lists when no kind is named, and what `--resource-type all` stands for.
const KINDS: [&str; 7] = ["model", "snapshot", "seed", "test", "unit_test", "source", "exposure"];
const ALL_KINDS: [&str; 8] = ["model", "snapshot", "seed", "test", "unit_test", "source", "exposure", "analysis"];

/// Keys of `--output json` when `--output-keys` names none.
const KEYS: [&str; 11] = [
    "alias",
    "name",
    "package_name",
    "depends_on",
    "tags",
    "config",
    "resource_type",
    "source_name",
    "original_file_path",
    "unique_id",
    "layer",
];

/// Lists the selected nodes, one a line, in the order of their unique ids.
pub fn list(context: &Context, options: &ListOptions) -> Result<Exit, Exit> {
    let workspace = workspace::open(context)?;
    let mut selection = choice(context, &options.choice)?;
    if !options.choice.selection.models.is_empty() {
        if !options.choice.kinds.resource_type.is_empty() {
            let message = "`--models` lists models only, so that `--resource-type` cannot be given with it";
            context.error(Code::InvalidSelector, message, Some("use `--select`"));
            return Err(Exit::Unusable);
        }
        selection.resource_types = vec!["model".to_string()];
    }
    let mut selected = workspace::select_of(context, &workspace, &selection, &KINDS, &ALL_KINDS)?;
    selected.sort();
    let lines: Vec<String> = match options.output {
        ListOutput::Json => objects(&workspace, &selected, &options.output_keys),
        output => selected.iter().filter_map(|id| line(&workspace.manifest, id, output)).collect(),
    };
    let mut out = std::io::stdout().lock();
    // A closed pipe (`| head`) is no mistake of the user's.
    lines.iter().for_each(|line| drop(writeln!(out, "{line}")));
    Ok(Exit::Fine)
}

fn line(manifest: &Manifest, id: &str, output: ListOutput) -> Option<String> {
    if let Some(node) = manifest.node(id) {
        return Some(match output {
            ListOutput::Name => node.search_name().into_owned(),
            ListOutput::Path => node.original_path.clone(),
            ListOutput::Selector if node.unit_test().is_some() => {
                format!("unit_test:{}.{}", node.package, node.versioned_name())
            }
            ListOutput::Selector | ListOutput::Json => node.fqn.join("."),
        });
    }
    if let Some(source) = manifest.sources.get(id) {
        return Some(match output {
            ListOutput::Name => format!("{}.{}", source.source_name, source.name),
            ListOutput::Path => source.path.clone(),
            _ => format!("source:{}.{}.{}", source.package, source.source_name, source.name),
        });
    }
    let exposure = manifest.exposures.get(id)?;
    Some(match output {
        ListOutput::Name => exposure.properties.name.clone(),
        ListOutput::Path => exposure.path.clone(),
        _ => format!("exposure:{}.{}", exposure.package, exposure.properties.name),
    })
}

/// dbt's objects, with the layer of a node, which dbt does not know.
fn objects(workspace: &Workspace, selected: &NodeSet, keys: &[String]) -> Vec<String> {
    let Workspace { manifest, project, .. } = workspace;
    let nodes = Nodes { manifest, project, sql: Sql::default(), created_at: 0.0, tests: tests_by_node(manifest) };
    let object = |id: &String| {
        let json = if let Some(node) = manifest.node(id) {
            let mut json = match node.unit_test() {
                Some(test) => serde_json::to_value(unit_test::entry(node, test, project, 0.0)).ok()?,
                None => serde_json::to_value(nodes.entry(node)).ok()?,
            };
            json["layer"] = json!(node.layer);
            json
        } else if let Some(source) = manifest.sources.get(id) {
            serde_json::to_value(declared::source(source, 0.0)).ok()?
        } else {
            serde_json::to_value(declared::exposure(manifest.exposures.get(id)?, 0.0)).ok()?
        };
        Some(chosen(&json, keys).to_string())
    };
    selected.iter().filter_map(object).collect()
}

/// The chosen keys of an object; a key with dots looks deeper.
fn chosen(json: &Json, keys: &[String]) -> Json {
    let pick = |key: &str| key.split('.').try_fold(json, |value, step| value.get(step)).cloned();
    let picked: Map<String, Json> = match keys {
        [] => {
            let all = json.as_object().into_iter().flatten();
            all.filter(|(key, _)| KEYS.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect()
        }
        keys => keys.iter().filter_map(|key| Some((key.clone(), pick(key)?))).collect(),
    };
    Json::Object(picked)
}
