//! Turns `merge` into a new version of a table.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::{Column as Reference, DFSchema, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::DataFrame;
use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Expr as Written, ExprWithAlias, Merge, MergeAction, MergeClause, MergeClauseKind,
    MergeInsertKind, ObjectName, Query, SetExpr, Statement, TableFactor, TableWithJoins,
};
use deltalake_core::delta_datafusion::DataFusionMixins;
use deltalake_core::operations::merge::{DeleteBuilder, MergeBuilder, UpdateBuilder};

use crate::adapter::AdapterError;
use crate::adapter::lake::catalog::{Lakehouse, Named};
use crate::adapter::lake::error::{delta_error, refused, sql_error};
use crate::adapter::lake::statement::{parse_plain, parts, plain, plan};
use crate::adapter::lake::temporary::Temporary;
use crate::adapter::lake::write;

/// The two sides of a merge: how they are named, and what their columns are.
struct Sides<'a> {
    state: &'a SessionState,
    target: DFSchema,
    source: DFSchema,
    both: DFSchema,
    target_name: String,
}

/// Runs a merge. Gives the number of rows that were added, changed or taken out.
pub async fn merge(lake: &Lakehouse, state: &SessionState, merge: Merge) -> Result<u64, AdapterError> {
    let (name, target_alias) = named(&merge.table)?;
    let Named::Table(place) = lake.find(&lake.name(&parts(name))?).await? else {
        return Err(refused(format!("Catalog Error: `{name}` is not a table of the lakehouse")));
    };
    let table = lake.open(&place).await?;
    let source_alias = alias(&merge.source)?;
    let source = source(state, plan(state, all_of(merge.source)?).await?).await.map_err(sql_error)?;
    let snapshot = table.snapshot().map_err(delta_error)?.snapshot().clone();
    let qualified = |alias: &str, schema: &Schema| {
        DFSchema::try_from_qualified_schema(TableReference::bare(alias), schema).map_err(sql_error)
    };
    let target_schema = qualified(&target_alias, &snapshot.input_schema())?;
    let source_schema = qualified(&source_alias, source.schema().as_arrow())?;
    let both = source_schema.join(&target_schema).map_err(sql_error)?;
    let sides = Sides { state, target: target_schema, source: source_schema, both, target_name: target_alias.clone() };
    let condition = sides.expression(*merge.on, &sides.both)?;
    let mut builder = MergeBuilder::new(table.log_store(), Some(snapshot), condition, source)
        .with_session_state(Arc::new(state.clone()))
        .with_source_alias(source_alias)
        .with_target_alias(target_alias)
        .with_writer_properties(write::properties()?)
        .with_commit_properties(write::commit_properties());
    for clause in merge.clauses {
        builder = sides.add(builder, clause)?;
    }
    let (_, done) = builder.await.map_err(delta_error)?;
    Ok((done.num_target_rows_inserted + done.num_target_rows_updated + done.num_target_rows_deleted) as u64)
}

/// The rows that are merged. Delta Lake plans them by itself, and takes no care of what joins by sorting do not know: so
/// where these are meant, the rows are collected first.
async fn source(state: &SessionState, rows: LogicalPlan) -> Result<DataFrame, DataFusionError> {
    if state.config_options().optimizer.prefer_hash_join {
        return Ok(DataFrame::new(state.clone(), rows));
    }
    let rows = provider_as_source(Arc::new(Temporary::of(state, rows).await?));
    let scan = LogicalPlanBuilder::scan("merged", rows, None)?.build()?;
    Ok(DataFrame::new(state.clone(), scan))
}

impl Sides<'_> {
    fn expression(&self, written: Written, schema: &DFSchema) -> Result<Expr, AdapterError> {
        let written = ExprWithAlias { expr: written, alias: None };
        self.state.create_logical_expr_from_sql_expr(written, schema).map_err(sql_error)
    }

    fn condition(&self, written: Option<Written>, schema: &DFSchema) -> Result<Option<Expr>, AdapterError> {
        written.map(|written| self.expression(written, schema)).transpose()
    }

    fn add(&self, builder: MergeBuilder, clause: MergeClause) -> Result<MergeBuilder, AdapterError> {
        let MergeClause { clause_kind: kind, predicate, action, .. } = clause;
        let schema = match kind {
            MergeClauseKind::Matched => &self.both,
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => &self.source,
            MergeClauseKind::NotMatchedBySource => &self.target,
        };
        let condition = self.condition(predicate, schema)?;
        let by_source = matches!(kind, MergeClauseKind::NotMatchedBySource);
        let added = match action {
            MergeAction::Update(update) => {
                let set = self.assignments(update.assignments, schema)?;
                let fill = |one: UpdateBuilder| {
                    let one = set.into_iter().fold(one, |one, (column, value)| one.update(column, value));
                    condition.into_iter().fold(one, |one, condition| one.predicate(condition))
                };
                if by_source {
                    builder.when_not_matched_by_source_update(fill)
                } else {
                    builder.when_matched_update(fill)
                }
            }
            MergeAction::Delete { .. } => {
                let fill =
                    |one: DeleteBuilder| condition.into_iter().fold(one, |one, condition| one.predicate(condition));
                if by_source {
                    builder.when_not_matched_by_source_delete(fill)
                } else {
                    builder.when_matched_delete(fill)
                }
            }
            MergeAction::Insert(insert) => {
                let set = self.inserted(&insert.columns, insert.kind)?;
                builder.when_not_matched_insert(|one| {
                    let one = set.into_iter().fold(one, |one, (column, value)| one.set(column, value));
                    condition.into_iter().fold(one, |one, condition| one.predicate(condition))
                })
            }
        };
        added.map_err(delta_error)
    }

    fn assignments(&self, set: Vec<Assignment>, schema: &DFSchema) -> Result<Vec<(Reference, Expr)>, AdapterError> {
        let assigned = |Assignment { target, value }: Assignment| match target {
            AssignmentTarget::ColumnName(name) => Ok((self.column(&name)?, self.expression(value, schema)?)),
            AssignmentTarget::Tuple(_) => Err(refused("Not implemented Error: a merge sets one column at a time")),
        };
        set.into_iter().map(assigned).collect()
    }

    fn inserted(&self, columns: &[ObjectName], kind: MergeInsertKind) -> Result<Vec<(Reference, Expr)>, AdapterError> {
        let MergeInsertKind::Values(values) = kind else {
            return Err(refused("Not implemented Error: a merge inserts `values (…)`"));
        };
        let row = values.rows.into_iter().next().unwrap_or_default();
        let columns: Vec<Reference> = match columns.is_empty() {
            true => self.target.columns(),
            false => columns.iter().map(|name| self.column(name)).collect::<Result<_, _>>()?,
        };
        if columns.len() != row.len() {
            let message = format!("Binder Error: {} columns are given {} values", columns.len(), row.len());
            return Err(refused(message));
        }
        let value = |(column, value)| Ok((column, self.expression(value, &self.source)?));
        columns.into_iter().zip(row).map(value).collect()
    }

    /// A column of the target, whatever its case.
    fn column(&self, name: &ObjectName) -> Result<Reference, AdapterError> {
        let name = parts(name).pop().unwrap_or_default();
        let found = self.target.fields().iter().find(|field| field.name().to_lowercase() == name.to_lowercase());
        let found = found.ok_or_else(|| refused(format!("Binder Error: there is no column `{name}`")))?;
        Ok(Reference::new(Some(TableReference::bare(self.target_name.as_str())), found.name()))
    }
}

/// The name of a table, and how the statement calls it.
fn named(table: &TableFactor) -> Result<(&ObjectName, String), AdapterError> {
    match table {
        TableFactor::Table { name, .. } => Ok((name, alias(table)?)),
        _ => Err(refused("Parser Error: a merge goes into a table")),
    }
}

fn alias(table: &TableFactor) -> Result<String, AdapterError> {
    let (alias, name) = match table {
        TableFactor::Table { name, alias, .. } => (alias, parts(name).pop()),
        TableFactor::Derived { alias, .. } => (alias, None),
        _ => (&None, None),
    };
    let written = alias.as_ref().map(|alias| plain(&alias.name));
    written.or(name).ok_or_else(|| refused("Parser Error: the source of a merge needs a name"))
}

/// All rows of what stands after `using`.
fn all_of(source: TableFactor) -> Result<Statement, AdapterError> {
    let mut statement = parse_plain("select * from source")?;
    if let Statement::Query(query) = &mut statement
        && let Query { body, .. } = query.as_mut()
        && let SetExpr::Select(select) = body.as_mut()
    {
        select.from = vec![TableWithJoins { relation: source, joins: Vec::new() }];
    }
    Ok(statement)
}
