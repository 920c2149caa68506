//! Turns an insert whose query has VALUES of its own into one that DataFusion plans.
//!
//! DataFusion takes all VALUES of an insert for rows of its table, also those of a join or a CTE: so the query is planned
//! by itself, and the insert reads its result.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::datasource::ViewTable;
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::{
    Insert, Query, SelectItem, SetExpr, Statement, TableFactor, TableWithJoins, Visit, Visitor,
};

use crate::adapter::AdapterError;
use crate::adapter::lake::catalog::Lakehouse;
use crate::adapter::lake::statement::{parse_plain, plan};

/// What the result of the query is called while the statement runs.
pub const ROWS: &str = "medal_inserted";

/// The insert as DataFusion plans it.
pub async fn planned(lake: &Lakehouse, state: &SessionState, mut insert: Insert) -> Result<Statement, AdapterError> {
    if let Some(query) = insert.source.take_if(|query| has_own_values(query)) {
        let rows = plan(state, Statement::Query(query)).await?;
        lake.add_temporary(ROWS, Arc::new(ViewTable::new(rows, None)));
        if let Statement::Query(query) = parse_plain(&format!("select * from temp.main.{ROWS}"))? {
            insert.source = Some(query);
        }
    }
    Ok(Statement::Insert(insert))
}

/// Whether VALUES stand anywhere but in the place of the whole query, which is then a select of all of them.
fn has_own_values(query: &Query) -> bool {
    let is_whole = query.with.is_none()
        && query.body.as_select().is_some_and(|select| match (&select.projection[..], &select.from[..]) {
            (
                [SelectItem::Wildcard(_)],
                [TableWithJoins { relation: TableFactor::Derived { subquery, .. }, joins }],
            ) => joins.is_empty() && matches!(*subquery.body, SetExpr::Values(_)),
            _ => false,
        });
    !is_whole && query.visit(&mut Values).is_break()
}

struct Values;

impl Visitor for Values {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if matches!(*query.body, SetExpr::Values(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
