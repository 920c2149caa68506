//! Which columns of a layer hold personal data that the layer forbids, and on which way it comes there.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::layer::classification::{Classified, Mark, written};
use crate::manifest::{Node, refable};
use crate::project::layers::Layer;

/// One mistake for each column of a model that its layer forbids. `place` maps a line and a column of the compiled SQL to
/// the model's file.
pub fn leaks(
    node: &Node,
    layer: &Layer,
    classified: &Classified,
    place: impl Fn(usize, usize) -> Option<Span>,
) -> Vec<Diagnostic> {
    let Some(severity) = layer.severity.filter(|_| layer.forbids_pii) else { return Vec::new() };
    let mut found = without_reason(node);
    let Some(tagged) = classified.of(&node.id) else { return found };
    let declared = |name: &str| node.columns.values().find(|column| column.name.eq_ignore_ascii_case(name))?.span;
    for (name, mark) in &tagged.columns {
        let way = mark.path.join(" → ");
        let span = mark.at.and_then(|at| place(at.line, at.column)).or_else(|| declared(name));
        let span = span.or_else(|| refable::place(node));
        let what = format!("`{name}` of `{}` is personal data, which `{}` forbids", node.name, layer.name);
        let help = format!(
            "leave it out, or mask it: `{{{{ medal.mask('{name}') }}}}`; if it may be read here, write `meta: {{pii: released, \
             reason: …}}` at the column"
        );
        found.push(Diagnostic::error(Code::PiiReaches, span, what).label(way).help(help));
    }
    if let Some(Mark { path, .. }) = &tagged.any {
        let what =
            format!("it cannot be seen whether `{}` gives personal data, which `{}` forbids", node.name, layer.name);
        let help = "name the columns that it takes, or declare all of its columns, with `meta: {pii: false}` at each that is none";
        found.push(Diagnostic::error(Code::PiiReaches, refable::place(node), what).label(path.join(" → ")).help(help));
    }
    found.into_iter().map(|problem| Diagnostic { severity, ..problem }).collect()
}

/// Columns that are released, and nobody says why.
fn without_reason(node: &Node) -> Vec<Diagnostic> {
    let is_released = |value: &serde_json::Value| value.as_str() == Some("released");
    let columns = node.columns.values().filter(|column| written(column).is_some_and(is_released));
    let unsaid = columns.filter(|column| !column.meta.contains_key("reason") && !column.extra.contains_key("reason"));
    let told = unsaid.map(|column| {
        let message = format!("`{}` of `{}` is released without a `reason`", column.name, node.name);
        let span = column.span.or_else(|| refable::place(node));
        Diagnostic::error(Code::PiiReaches, span, message).help("write `meta: {pii: released, reason: …}`")
    });
    told.collect()
}
