//! `medal ls`: prints what a selection names.

use std::io::Write;

use serde_json::{Map, Value as Json, json};

use crate::cli::arguments::{ListOptions, ListOutput};
use crate::cli::selection;
use crate::cli::workspace::{self, Context, Exit};
use crate::compile::context as nodes;
use crate::manifest::{Manifest, Node, Source};

/// What `ls` lists when no kind is named.
const KINDS: [&str; 8] = ["model", "snapshot", "seed", "test", "unit_test", "source", "exposure", "analysis"];

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

/// Lists the selected nodes, one a line, in the order of their names.
pub fn list(context: &Context, options: &ListOptions) -> Result<Exit, Exit> {
    let workspace = workspace::open(context)?;
    let selection = selection(context, &options.selection, Some(&options.kinds), Some(&options.indirect))?;
    let selected = workspace::select(context, &workspace, &selection, &KINDS)?;
    let manifest = &workspace.manifest;
    let mut lines: Vec<String> = selected.iter().filter_map(|id| line(manifest, id, options)).collect();
    if options.output != ListOutput::Json {
        lines.sort();
    }
    let mut out = std::io::stdout().lock();
    // A closed pipe (`| head`) is no mistake of the user's.
    lines.iter().for_each(|line| drop(writeln!(out, "{line}")));
    Ok(Exit::Fine)
}

fn line(manifest: &Manifest, id: &str, options: &ListOptions) -> Option<String> {
    if let Some(node) = manifest.node(id) {
        return Some(match options.output {
            ListOutput::Name => node.name.clone(),
            ListOutput::Path => node.original_path.clone(),
            ListOutput::Selector if node.unit_test().is_some() => format!("unit_test:{}.{}", node.package, node.name),
            ListOutput::Selector => node.fqn.join("."),
            ListOutput::Json => object(node_object(manifest, node), &options.output_keys),
        });
    }
    if let Some(source) = manifest.sources.get(id) {
        return Some(match options.output {
            ListOutput::Name => format!("{}.{}", source.source_name, source.name),
            ListOutput::Path => source.path.clone(),
            ListOutput::Selector => format!("source:{}.{}.{}", source.package, source.source_name, source.name),
            ListOutput::Json => object(source_object(source), &options.output_keys),
        });
    }
    let exposure = manifest.exposures.get(id)?;
    Some(match options.output {
        ListOutput::Name => exposure.properties.name.clone(),
        ListOutput::Path => exposure.path.clone(),
        ListOutput::Selector => format!("exposure:{}.{}", exposure.package, exposure.properties.name),
        ListOutput::Json => {
            let json = json!({
                "name": exposure.properties.name, "resource_type": "exposure", "package_name": exposure.package,
                "original_file_path": exposure.path, "unique_id": exposure.id, "tags": exposure.config.texts("tags"),
                "config": exposure.config.full(), "depends_on": {"macros": [], "nodes": exposure.depends_on},
            });
            object(json, &options.output_keys)
        }
    })
}

/// dbt's object of a node, with the layer, which dbt does not know.
fn node_object(manifest: &Manifest, node: &Node) -> Json {
    let mut json = nodes::node_json(manifest, node);
    if let Some(map) = json.as_object_mut() {
        map.insert("layer".to_string(), json!(node.layer));
        map.insert("config".to_string(), Json::Object(node.config.full()));
    }
    json
}

fn source_object(source: &Source) -> Json {
    json!({
        "name": source.name, "resource_type": "source", "package_name": source.package,
        "original_file_path": source.path, "unique_id": source.id, "source_name": source.source_name,
        "tags": source.config.texts("tags"), "config": source.config.full(),
    })
}

/// The chosen keys of an object; a key with dots looks deeper.
fn object(json: Json, keys: &[String]) -> String {
    let chosen: Vec<&str> = if keys.is_empty() { KEYS.to_vec() } else { keys.iter().map(String::as_str).collect() };
    let pick = |key: &str| key.split('.').try_fold(&json, |value, step| value.get(step)).cloned();
    let map: Map<String, Json> = chosen.into_iter().filter_map(|key| Some((key.to_string(), pick(key)?))).collect();
    Json::Object(map).to_string()
}
