//! Whether a model of a raw layer keeps what was received: a projection, without joins, filters or aggregates.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::manifest::Node;
use crate::project::layers::Layer;
use crate::sql::{Location, Shape};

/// Judges the compiled SQL of a model of a layer. `place` maps a line and a column of that SQL to the model's file.
///
/// A model that is built incrementally and reads itself may filter: that is how it finds what is new.
pub fn shape_verdict(
    node: &Node,
    layer: &Layer,
    shape: &Shape,
    place: impl Fn(usize, usize) -> Option<Span>,
) -> Vec<Diagnostic> {
    let Some(severity) = layer.severity.filter(|_| layer.raw) else { return Vec::new() };
    let finds_what_is_new = node.materialized() == "incremental" && reads_itself(node, shape);
    let unless_new = |location: Option<Location>| location.filter(|_| !finds_what_is_new);
    let parts = [
        (shape.joins, "joins", "join"),
        (unless_new(shape.filters), "leaves out rows", "filter"),
        (unless_new(shape.aggregates), "aggregates or removes duplicates", "aggregate"),
    ];
    let verdicts = parts.into_iter().filter_map(|(location, fact, way_out)| {
        let location = location?;
        let span = place(location.line, location.column).unwrap_or(Span::start_of(node.file));
        let message =
            format!("`{}` is in the layer `{}`, which keeps what was received, and {fact}", node.name, layer.name);
        let help = format!("keep every row of one source here, and {way_out} in a model that reads this one");
        let problem = Diagnostic::error(Code::BronzeShape, span, message).label(format!("it {fact} here")).help(help);
        Some(Diagnostic { severity, ..problem })
    });
    verdicts.collect()
}

fn reads_itself(node: &Node, shape: &Shape) -> bool {
    let own = [&node.relation.database, &node.relation.schema, &node.relation.identifier];
    let own: Vec<&String> = own.into_iter().flatten().collect();
    let same = |name: &Vec<String>| {
        let known = own.len().min(name.len());
        let ends = own[own.len() - known..].iter().zip(&name[name.len() - known..]);
        known > 0 && ends.into_iter().all(|(own, written)| own.to_lowercase() == written.to_lowercase())
    };
    shape.relations.iter().any(same)
}
