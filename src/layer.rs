//! Turns a Manifest and its Layers into verdicts: which models break the rules of the layer that they are in.

pub mod actions;
pub mod publishing;
pub mod reads;
pub mod shape;

use indexmap::IndexMap;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::Span;
use crate::layer::reads::Reading;
use crate::manifest::{Kind, Manifest, Node, Source};
use crate::project::layers::{Layers, explicit};

/// Checks what the graph alone tells: that explicit layers exist, and that every layer reads only what it may.
pub fn verdicts(manifest: &Manifest, layers: &Layers, sink: &mut Diagnostics) {
    judge(&manifest.nodes, &manifest.sources, layers, sink);
}

fn judge(
    nodes: &IndexMap<String, Box<Node>>,
    sources: &IndexMap<String, Source>,
    layers: &Layers,
    sink: &mut Diagnostics,
) {
    if !layers.enforced {
        return;
    }
    let reading = Reading::new(nodes, sources, layers);
    for node in nodes.values().filter(|node| matches!(node.kind, Kind::Model | Kind::Snapshot)) {
        sink.extend(unknown_layer(node, layers));
        sink.extend(reading.forbidden(node));
    }
}

/// A layer that the configuration of a node names and the project does not have.
fn unknown_layer(node: &Node, layers: &Layers) -> Option<Diagnostic> {
    let name = explicit(node.config.written())?;
    if layers.layers.contains_key(name) {
        return None;
    }
    let message = format!("`{}` is put into the layer `{name}`, which does not exist", node.name);
    let known = || layers.layers.keys().map(String::as_str);
    let help = match nearest(name, known()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the layers of the project are {}", words(known(), "and")),
    };
    Some(Diagnostic::error(Code::UnknownLayer, layer_span(node), message).label("no such layer").help(help))
}

/// Where a node's configuration names its layer.
fn layer_span(node: &Node) -> Span {
    let facts = node.template.as_ref().map(|template| template.facts());
    let key =
        |name: &str| facts.as_ref()?.config_keys.iter().find(|(key, _)| key.as_str() == name).map(|(_, span)| *span);
    key("layer").or_else(|| key("meta")).or(node.patch_span).unwrap_or(Span::start_of(node.file))
}

/// `a`, `b` and `c`, between backticks.
fn words<'a>(names: impl Iterator<Item = &'a str>, last: &str) -> String {
    let quoted: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [start @ .., end] if !start.is_empty() => format!("{} {last} {end}", start.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests;
