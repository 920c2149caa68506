//! Compares the columns of a query with the contract of its model: what is missing, what is more, what has another type,
//! and what can be null though it must not be.

use serde_json::Value as Json;

use crate::adapter::binder::Binder;
use crate::check::finding::way_out;
use crate::check::{Checked, Request, Schema, inputs};
use crate::compile::place::source_at;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::Span;
use crate::manifest::Node;
use crate::project::properties::ColumnInfo;
use crate::sql::lineage::{Null, Output};

/// Whether a model promises its columns.
pub fn is_enforced(node: &Node) -> bool {
    node.config.get("contract").and_then(|contract| contract.get("enforced")?.as_bool()) == Some(true)
}

/// What breaks the contract of a model.
/// Source: <https://docs.getdbt.com/docs/collaborate/govern/model-contracts>.
pub fn breaches(
    request: &Request,
    node: &Node,
    schema: &Schema,
    checked: &Checked,
    binder: &mut dyn Binder,
) -> Vec<Diagnostic> {
    let outputs = inputs::outputs(&request.session.manifest, node, checked).unwrap_or_default();
    let judge = Judge { request, node, schema, checked, outputs };
    let mut breaches: Vec<Diagnostic> =
        node.columns.values().flat_map(|promised| judge.promised(promised, binder)).collect();
    let promises = |name: &str| node.columns.values().any(|it| it.name.eq_ignore_ascii_case(name));
    breaches.extend(schema.columns.iter().filter(|it| !promises(&it.name)).map(|more| {
        let message =
            format!("the query of `{}` gives the column `{}`, which its contract does not list", node.name, more.name);
        let help = format!("add `- name: {}` with `data_type: {}`", more.name, more.data_type);
        let contract = node.patch_span.unwrap_or(Span::start_of(node.file));
        match judge.given(&more.name) {
            Some(given) => judge.problem(given, message).related(contract, "the contract is here").help(help),
            None => judge.problem(contract, message).help(help),
        }
    }));
    breaches
}

struct Judge<'a> {
    request: &'a Request,
    node: &'a Node,
    schema: &'a Schema,
    checked: &'a Checked,
    /// What the query says of its columns; nothing where it cannot be followed.
    outputs: Vec<Output>,
}

impl Judge<'_> {
    fn promised(&self, promised: &ColumnInfo, binder: &mut dyn Binder) -> Vec<Diagnostic> {
        let (model, name) = (&self.node.name, &promised.name);
        let span = promised.span.or(self.node.patch_span).unwrap_or(Span::start_of(self.node.file));
        let Some(column) = self.schema.column(name) else {
            let message =
                format!("the contract of `{model}` promises the column `{name}`, which its query does not give");
            let names: Vec<String> = self.schema.columns.iter().map(|column| column.name.clone()).collect();
            return vec![Diagnostic { help: way_out(name, &names), ..self.problem(span, message) }];
        };
        let related = |problem: Diagnostic| match self.given(name) {
            Some(given) => problem.related(given, "the query gives it here"),
            None => problem,
        };
        let mut breaches = Vec::new();
        if let Some(wanted) = &promised.data_type
            && binder.type_name(wanted).is_some_and(|wanted| wanted != column.data_type)
        {
            let message = format!(
                "the contract of `{model}` promises `{name}` as {wanted}, but its query gives {}",
                column.data_type
            );
            breaches.push(related(self.problem(span, message).help(format!("write `{name}::{wanted}`"))));
        }
        let said = match self.output(name).map_or(Null::Unknown, |output| output.null) {
            Null::Always => "but its query gives null",
            Null::Joined => "but it is null where an outer join of its query finds no row",
            Null::Unknown => return breaches,
        };
        if self.is_never_null(promised) {
            let message = format!("the contract of `{model}` promises that `{name}` is never null, {said}");
            // A query without rows keeps the promise all the same.
            let problem = Diagnostic { severity: Severity::Warning, ..self.problem(span, message) };
            breaches.push(related(problem.help(format!("write `coalesce({name}, …)`, or filter with `where`"))));
        }
        breaches
    }

    fn problem(&self, span: Span, message: String) -> Diagnostic {
        match self.schema.certain {
            true => Diagnostic::error(Code::BrokenContract, span, message),
            false => Diagnostic::warning(Code::BrokenContract, span, message),
        }
    }

    fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|output| output.name.eq_ignore_ascii_case(name))
    }

    /// Where the query gives a column.
    fn given(&self, name: &str) -> Option<Span> {
        let at = self.output(name)?.at?;
        source_at(&self.request.session, self.checked.compiled.get(&self.node.id)?, at)
    }

    fn is_never_null(&self, promised: &ColumnInfo) -> bool {
        let forbids = |one: &Json| {
            one.get("type").and_then(Json::as_str).is_some_and(|kind| ["not_null", "primary_key"].contains(&kind))
        };
        let names = |one: &Json| {
            let columns = one.get("columns").and_then(Json::as_array);
            columns.is_some_and(|columns| columns.iter().any(|it| it.as_str() == Some(promised.name.as_str())))
        };
        let list = |constraints: &Json| constraints.as_array().cloned().unwrap_or_default();
        let is_enforced = matches!(self.node.materialized(), "table" | "incremental");
        is_enforced
            && (list(&promised.constraints).iter().any(forbids)
                || list(&self.node.constraints).iter().any(|one| forbids(one) && names(one)))
    }
}
