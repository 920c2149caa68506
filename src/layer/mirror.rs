//! Whether a model of a layer only repeats one model of another layer.

use crate::map::IndexMap;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::manifest::{Kind, Node};
use crate::project::layers::Layer;
use crate::sql::Shape;

/// Points out a model whose query takes the columns of one model of another layer as they are, and all its rows.
pub fn mirror(
    nodes: &IndexMap<String, Box<Node>>,
    node: &Node,
    layer: &Layer,
    shape: &Shape,
    place: impl Fn(usize, usize) -> Option<Span>,
) -> Option<Diagnostic> {
    let severity = layer.mirror?;
    let does = [shape.joins, shape.filters, shape.aggregates, shape.set_operations, shape.windows, shape.computes];
    let ([parent], [_], [at]) = (node.depends_on.as_slice(), shape.relations.as_slice(), shape.places.as_slice())
    else {
        return None;
    };
    let parent = nodes.get(parent).filter(|parent| matches!(parent.kind, Kind::Model | Kind::Snapshot))?;
    let other = parent.layer.as_ref().filter(|other| **other != layer.name)?;
    if node.is_ephemeral() || does.iter().any(Option::is_some) {
        return None;
    }
    let message = format!(
        "`{}` is in the layer `{}` and only repeats `{}`, which is in `{other}`",
        node.name, layer.name, parent.name
    );
    let span = place(at.line, at.column).unwrap_or(Span::start_of(node.file));
    let problem =
        Diagnostic::error(Code::LayerMirror, span, message).label("its rows and columns are taken as they are");
    let help = format!("read `{}` itself, or add here what the readers of `{}` ask for", parent.name, layer.name);
    Some(Diagnostic { severity, ..problem }.help(help))
}
