//! Compares the columns of a query with the contract of its model: what is missing, what is more, what has another type.

use crate::adapter::binder::Binder;
use crate::check::Schema;
use crate::check::finding::way_out;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::manifest::Node;

/// Whether a model promises its columns.
pub fn is_enforced(node: &Node) -> bool {
    node.config.get("contract").and_then(|contract| contract.get("enforced")?.as_bool()) == Some(true)
}

/// What breaks the contract of a model.
/// Source: <https://docs.getdbt.com/docs/collaborate/govern/model-contracts>.
pub fn breaches(node: &Node, schema: &Schema, binder: &mut dyn Binder) -> Vec<Diagnostic> {
    let span = node.patch_span.unwrap_or(Span::start_of(node.file));
    let problem = |message| match schema.certain {
        true => Diagnostic::error(Code::BrokenContract, span, message),
        false => Diagnostic::warning(Code::BrokenContract, span, message),
    };
    let names: Vec<String> = schema.columns.iter().map(|column| column.name.clone()).collect();
    let mut breaches = Vec::new();
    for promised in node.columns.values() {
        let Some(column) = schema.column(&promised.name) else {
            let message = format!(
                "the contract of `{}` promises the column `{}`, which its query does not give",
                node.name, promised.name
            );
            let help = way_out(&promised.name, &names);
            breaches.push(Diagnostic { help, ..problem(message) });
            continue;
        };
        let Some(wanted) = &promised.data_type else { continue };
        let same =
            binder.type_name(wanted).is_none_or(|wanted| without_size(&wanted) == without_size(&column.data_type));
        if !same {
            let message = format!(
                "the contract of `{}` promises `{}` as {wanted}, but its query gives {}",
                node.name, promised.name, column.data_type
            );
            breaches.push(problem(message).help(format!("write `{}::{wanted}`", promised.name)));
        }
    }
    let promises = |name: &str| node.columns.values().any(|it| it.name.eq_ignore_ascii_case(name));
    for column in schema.columns.iter().filter(|column| !promises(&column.name)) {
        let message = format!(
            "the query of `{}` gives the column `{}`, which its contract does not list",
            node.name, column.name
        );
        let help = format!("add `- name: {}` with `data_type: {}`", column.name, column.data_type);
        breaches.push(problem(message).help(help));
    }
    breaches
}

/// dbt does not compare the sizes of types.
fn without_size(data_type: &str) -> &str {
    data_type.split('(').next().unwrap_or(data_type)
}
