//! Types that YAML names and that the engine does not know.

use crate::adapter::binder::Binder;
use crate::check::outside::Outside;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::manifest::Node;

/// The types of the contract of a model that the engine does not know.
pub fn unknown(node: &Node, outside: &Outside, binder: &mut dyn Binder) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for column in node.columns.values() {
        let Some(data_type) = &column.data_type else { continue };
        if binder.type_name(data_type).is_some() || outside.has_type(data_type) {
            continue;
        }
        let span = column.span.or(node.patch_span).unwrap_or(Span::start_of(node.file));
        let message = format!("the type `{data_type}` of `{}` does not exist", column.name);
        found.push(match outside.has_hooks {
            true => Diagnostic::warning(Code::UnknownType, span, message),
            false => Diagnostic::error(Code::UnknownType, span, message),
        });
    }
    found
}
