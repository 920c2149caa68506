//! Turns the quarantine of models into numbers: how many rows are open, and for which reasons. No row is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapter::rows::Cell;
use crate::compile::session::{Session, Warehouse};
use crate::manifest::Node;
use crate::run::ledger;

/// What a quarantine has open.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    pub rows: i64,
    /// When the newest of them was held back.
    pub newest: Option<String>,
    /// The most frequent first. A row may have several.
    pub reasons: Vec<Reason>,
}

/// A reason for which rows are held back.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    pub code: String,
    /// The unique id of the test that says so, if a test does.
    pub test: Option<String>,
    pub column: Option<String>,
    pub rows: i64,
    pub newest: Option<String>,
}

/// What is held back of some models, by unique id. A model is left out if it has no quarantine, or one that cannot be
/// looked at: nothing is known of it then.
pub fn held<'n>(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    nodes: impl Iterator<Item = &'n Node>,
) -> BTreeMap<String, Held> {
    let nodes = nodes.filter(|node| ledger::keeps(node, &session.project.layers));
    nodes.filter_map(|node| Some((node.id.clone(), of_node(session, warehouse, node)?))).collect()
}

fn of_node(session: &Arc<Session>, warehouse: &Arc<Warehouse>, node: &Node) -> Option<Held> {
    let query = ledger::ask(session, warehouse, node, "quarantine_counts", &[]).ok()?;
    let query = query.as_str()?;
    let counted = warehouse.with(|connection| connection.query(query)).ok()?;
    let mut held = Held::default();
    for row in &counted.rows {
        let [is_whole, code, test, column, rows, newest] = &row[..] else { return None };
        let (rows, newest) = (rows.as_int()?.try_into().ok()?, time(newest));
        if is_whole.as_bool()? {
            held = Held { rows, newest, ..held };
        } else {
            held.reasons.push(Reason { code: code.text(), test: some(test), column: some(column), rows, newest });
        }
    }
    Some(held)
}

fn some(cell: &Cell) -> Option<String> {
    (*cell != Cell::Null).then(|| cell.text())
}

/// A time as JSON writes it.
fn time(cell: &Cell) -> Option<String> {
    some(cell).map(|text| text.replacen(' ', "T", 1))
}
