//! Turns a Manifest and its Layers into verdicts: which models break the rules of the layer that they are in.

pub mod actions;
pub mod classification;
pub mod mirror;
pub mod pii;
pub mod publishing;
pub mod reads;
pub mod requirements;
pub mod shape;
pub mod waivers;

use crate::map::IndexMap;
use chrono::NaiveDate;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::Span;
use crate::layer::reads::Reading;
use crate::manifest::{Kind, Manifest, Node, Source};
use crate::project::layers::{Layers, explicit};
use crate::sql;

/// Checks what the graph alone tells: that explicit layers exist, that every layer reads only what it may, and that its
/// models have what it requires.
pub fn verdicts(manifest: &Manifest, layers: &Layers, today: NaiveDate, sink: &mut Diagnostics) {
    if !layers.enforced {
        return;
    }
    judge(&manifest.nodes, &manifest.sources, layers, today, sink);
    for node in judged(&manifest.nodes, layers) {
        let layer = node.layer.as_ref().and_then(|name| layers.layers.get(name));
        let missing = layer.and_then(|layer| requirements::missing(manifest, node, layer, layer.severity?));
        sink.extend(waivers::settle(node, today, missing.into_iter().collect()));
    }
}

fn judge(
    nodes: &IndexMap<String, Box<Node>>,
    sources: &IndexMap<String, Source>,
    layers: &Layers,
    today: NaiveDate,
    sink: &mut Diagnostics,
) {
    let reading = Reading::new(nodes, sources, layers);
    for node in judged(nodes, layers) {
        sink.extend(unknown_layer(node, layers));
        sink.extend(waivers::problems(node));
        sink.extend(waivers::settle(node, today, reading.forbidden(node)));
    }
}

/// The nodes that layers have a say in.
fn judged<'a>(nodes: &'a IndexMap<String, Box<Node>>, layers: &Layers) -> impl Iterator<Item = &'a Node> {
    let enforced = layers.enforced;
    nodes.values().map(Box::as_ref).filter(move |node| enforced && matches!(node.kind, Kind::Model | Kind::Snapshot))
}

/// Checks what the compiled query of a model does: what it reads by name, and its shape. `place` maps a line and a column
/// of that SQL to the model's file; `home` is the database and the schema of names that have none.
pub fn query_verdicts(
    reading: &Reading<'_>,
    node: &Node,
    sql: &str,
    home: [&str; 2],
    place: impl Fn(usize, usize) -> Option<Span> + Copy,
) -> Vec<Diagnostic> {
    let Some((layer, shape)) = reading.layer(node).zip(sql::shape(sql)) else { return Vec::new() };
    let mut found = shape::shape_verdict(node, layer, &shape, place);
    found.extend(reading.forbidden_names(node, &shape, home, place));
    found.extend(mirror::mirror(reading.nodes, node, layer, &shape, place));
    found
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
