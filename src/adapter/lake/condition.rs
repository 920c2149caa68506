//! Turns `delete … using` and `update … from` into statements with one table and a condition.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    Delete, Expr, FromTable, Ident, Merge, MergeAction, MergeClause, MergeClauseKind, MergeUpdateExpr, ObjectName,
    ObjectNamePart, Query, SelectItem, SetExpr, Statement, TableFactor, TableWithJoins, Update, UpdateTableFromKind,
    Value, visit_expressions_mut,
};

use crate::adapter::AdapterError;
use crate::adapter::lake::error::refused;
use crate::adapter::lake::statement::{parse_plain, plain};

/// The rows that have a match in other tables are those for which there is one.
pub fn of_delete(mut delete: Delete) -> Result<Delete, AdapterError> {
    if let Some(others) = delete.using.take() {
        let matched = delete.selection.take().unwrap_or_else(|| Expr::value(Value::Boolean(true)));
        delete.selection = Some(exists(others, matched)?);
    }
    let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &mut delete.from;
    if let [TableWithJoins { relation: TableFactor::Table { name, alias, .. }, .. }] = &mut tables[..]
        && let Some(alias) = alias.take()
        && let Some(selection) = &mut delete.selection
    {
        call_by_name(selection, &plain(&alias.name), name);
    }
    Ok(delete)
}

/// `exists (select 1 from others where matched)`.
fn exists(others: Vec<TableWithJoins>, matched: Expr) -> Result<Expr, AdapterError> {
    let wrong = || refused("Internal Error: a condition is not what it was made to be");
    let Statement::Query(mut query) = parse_plain("select exists (select 1)")? else { return Err(wrong()) };
    let SetExpr::Select(select) = query.body.as_mut() else { return Err(wrong()) };
    let Some(SelectItem::UnnamedExpr(mut exists)) = select.projection.pop() else { return Err(wrong()) };
    if let Expr::Exists { subquery, .. } = &mut exists
        && let Query { body, .. } = subquery.as_mut()
        && let SetExpr::Select(inner) = body.as_mut()
    {
        inner.from = others;
        inner.selection = Some(matched);
    }
    Ok(exists)
}

/// Columns of the table under its alias, which the engine does not know, get its whole name.
fn call_by_name(condition: &mut Expr, alias: &str, table: &ObjectName) {
    let names: Vec<Ident> = table.0.iter().filter_map(ObjectNamePart::as_ident).cloned().collect();
    let _ = visit_expressions_mut(condition, |expression| {
        if let Expr::CompoundIdentifier(parts) = expression
            && let [owner, rest @ ..] = &parts[..]
            && plain(owner).to_lowercase() == alias.to_lowercase()
        {
            *parts = names.iter().chain(rest).cloned().collect();
        }
        ControlFlow::<()>::Continue(())
    });
}

/// An update from another table is a merge that adds nothing.
pub fn of_update(update: Update) -> Result<Merge, AdapterError> {
    let (Some(UpdateTableFromKind::AfterSet(from)) | Some(UpdateTableFromKind::BeforeSet(from))) = update.from else {
        return Err(refused("Parser Error: an update from nothing"));
    };
    let [TableWithJoins { relation: source, joins }] = &from[..] else {
        return Err(refused("Not implemented Error: an update takes its values from one table or query"));
    };
    if !joins.is_empty() {
        return Err(refused("Not implemented Error: an update takes its values from one table or query"));
    }
    let set = MergeUpdateExpr {
        update_token: AttachedToken::empty(),
        assignments: update.assignments,
        update_predicate: None,
        delete_predicate: None,
    };
    let clause = MergeClause {
        when_token: AttachedToken::empty(),
        clause_kind: MergeClauseKind::Matched,
        predicate: None,
        action: MergeAction::Update(set),
    };
    Ok(Merge {
        merge_token: AttachedToken::empty(),
        optimizer_hint: None,
        into: true,
        table: update.table.relation,
        source: source.clone(),
        on: Box::new(update.selection.unwrap_or_else(|| Expr::value(Value::Boolean(true)))),
        clauses: vec![clause],
        output: None,
    })
}
