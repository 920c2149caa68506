//! Turns DuckDB SQL into statements that DataFusion runs with the same meaning, or refuses them with their place.
//!
//! What is the same, what is rewritten and what is refused is in `docs/dialect.md`. Names are not told apart by case
//! in DuckDB: here all become lower case, also those between quotes.

mod aliases;
mod build;
mod calls;
mod casts;
mod expressions;
pub mod files;
mod grammar;
mod inserts;
mod literals;
mod members;
mod names;
pub mod parts;
mod queries;
mod refusal;
mod unnests;
mod usings;
pub mod versions;

use std::ops::ControlFlow;

use datafusion::common::DataFusionError;
use sqlparser::ast::{
    AlterColumnOperation, AlterTableOperation, ColumnOption, DataType, Expr, Query, Statement, TableFactor, VisitMut,
    VisitorMut,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::grammar::Grammar;
use crate::adapter::lake::error::syntax_error;

/// Nesting deeper than this is refused, as the engine's planner would need too much stack for it.
const DEPTH: usize = 200;

/// The statements of a text, rewritten.
///
/// # Errors
/// [`AdapterError::Sql`] with the place of the first thing that cannot be read, or whose meaning DataFusion would change.
pub fn statements(sql: &str) -> Result<Vec<Statement>, AdapterError> {
    let mut tokens = grammar::tokens(sql)?;
    let by_name = inserts::take_by_name(&mut tokens);
    let parser = Parser::new(&Grammar).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens);
    let mut statements = { parser }.parse_statements().map_err(|error| syntax_error(&error))?;
    for statement in &mut statements {
        column_types(statement)?;
        if let Statement::Insert(insert) = statement
            && by_name.contains(&insert.insert_token.0.span.start)
        {
            inserts::name_columns(insert)?;
        }
        if let ControlFlow::Break(error) = statement.visit(&mut Rewriter) {
            return Err(error);
        }
    }
    Ok(statements)
}

/// A type, as it is written in SQL.
pub fn kind(text: &str) -> Result<DataType, AdapterError> {
    let parser = Parser::new(&Grammar).with_tokens_with_locations(grammar::tokens(text)?);
    let mut kind = { parser }.parse_data_type().map_err(|error| syntax_error(&error))?;
    casts::rewrite_type(&mut kind, Span::empty())?;
    Ok(kind)
}

/// A statement that the planner refused, written so that it may not: a name that it misses may be an alias.
pub fn again(statement: &Statement, error: &DataFusionError) -> Option<Statement> {
    aliases::written_out(statement, error)
}

/// The types of `create table t (column type)`, and of columns that are added or changed.
fn column_types(statement: &mut Statement) -> Result<(), AdapterError> {
    if let Statement::AlterTable(alter) = statement {
        for operation in &mut alter.operations {
            match operation {
                AlterTableOperation::AddColumn { column_def: column, .. } => {
                    casts::rewrite_type(&mut column.data_type, column.name.span)?;
                }
                AlterTableOperation::AlterColumn {
                    column_name,
                    op: AlterColumnOperation::SetDataType { data_type, .. },
                } => casts::rewrite_type(data_type, column_name.span)?,
                _ => {}
            }
        }
    }
    let Statement::CreateTable(table) = statement else { return Ok(()) };
    for column in &mut table.columns {
        casts::rewrite_type(&mut column.data_type, column.name.span)?;
        column.options.retain(|option| !matches!(option.option, ColumnOption::Null));
    }
    Ok(())
}

struct Rewriter;

fn flow(result: Result<(), AdapterError>) -> ControlFlow<AdapterError> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl VisitorMut for Rewriter {
    type Break = AdapterError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<AdapterError> {
        flow(queries::before(query))
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<AdapterError> {
        flow(queries::after(query))
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<AdapterError> {
        flow(files::relation(factor).and_then(|()| versions::relation(factor)))
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<AdapterError> {
        flow(queries::relation(factor))
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<AdapterError> {
        flow(expressions::rewrite(expr))
    }
}
