//! Whether a model may be published with other columns than it had: what `on_schema_change` of its layer says.

use serde_json::{Value as Json, json};

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::manifest::{Node, refable};
use crate::project::layers::medal_key;

/// What is wrong with the columns of a model that was built anew; `drift` is what `schema_drift` said.
///
/// `fail` lets nothing change, `append_new_columns` lets columns come and widen. Without either all changes are only
/// written down, and so are those that `medal schema approve` has allowed.
pub fn refused(node: &Node, drift: &Json) -> Option<Diagnostic> {
    let policy = medal_key(node.config.written(), "on_schema_change")?.as_str()?;
    let counts = |change: &&Json| policy == "fail" || policy == "append_new_columns" && change["class"] == "breaking";
    let told: Vec<String> = drift["changes"].as_array()?.iter().filter(counts).map(said).collect();
    if told.is_empty() || drift["approved"] == json!(true) {
        return None;
    }
    let name = node.search_name();
    let message = format!("the columns of `{name}` have changed: {}", told.join(", "));
    let help = format!("if that is meant, `medal schema approve --select {name}`, and build again");
    Some(Diagnostic::error(Code::SchemaDrift, refable::place(node), message).help(help))
}

fn said(change: &Json) -> String {
    let text = |key: &str| change[key].as_str();
    let name = text("column").unwrap_or_default();
    match (text("old"), text("new")) {
        (None, Some(new)) => format!("`{name}` is new ({new})"),
        (Some(_), None) => format!("`{name}` is gone"),
        (old, new) => format!("`{name}` was {} and is {}", old.unwrap_or_default(), new.unwrap_or_default()),
    }
}
