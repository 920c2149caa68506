//! Walks from columns to the columns that they come from, and to those that are made of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::lineage::{Column, ColumnRef, Lineage};

/// How one column uses another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// Its value is part of the other's.
    Direct,
    /// It decides which rows there are.
    Indirect,
}

/// A use of one column by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: ColumnRef,
    pub to: ColumnRef,
    pub kind: Use,
}

impl Lineage {
    pub fn column(&self, at: &ColumnRef) -> Option<&Column> {
        let columns = self.nodes.get(&at.node)?.as_ref()?;
        columns.iter().find(|column| column.name.eq_ignore_ascii_case(&at.column))
    }

    /// Every use of a column by another, in the order of the graph.
    pub fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        self.nodes.iter().flat_map(|(id, columns)| {
            columns.iter().flatten().flat_map(move |column| {
                let to = ColumnRef { node: id.clone(), column: column.name.clone() };
                let direct = column.direct.iter().map(|from| (from, Use::Direct));
                let indirect = column.indirect.iter().map(|from| (from, Use::Indirect));
                direct.chain(indirect).map(move |(from, kind)| Edge { from: from.clone(), to: to.clone(), kind })
            })
        })
    }

    /// The uses that lead to some columns, from the very beginning.
    pub fn upstream(&self, start: &BTreeSet<ColumnRef>) -> BTreeSet<Edge> {
        let mut into: BTreeMap<ColumnRef, Vec<Edge>> = BTreeMap::new();
        self.edges().for_each(|edge| into.entry(small(&edge.to)).or_default().push(edge));
        walk(&into, start, |edge| &edge.from)
    }

    /// The uses that some columns lead to, to the very end.
    pub fn downstream(&self, start: &BTreeSet<ColumnRef>) -> BTreeSet<Edge> {
        let mut out: BTreeMap<ColumnRef, Vec<Edge>> = BTreeMap::new();
        self.edges().for_each(|edge| out.entry(small(&edge.from)).or_default().push(edge));
        walk(&out, start, |edge| &edge.to)
    }
}

/// Names of columns are the same whatever their case.
fn small(column: &ColumnRef) -> ColumnRef {
    ColumnRef { node: column.node.clone(), column: column.column.to_lowercase() }
}

fn walk(
    edges: &BTreeMap<ColumnRef, Vec<Edge>>,
    start: &BTreeSet<ColumnRef>,
    next: impl Fn(&Edge) -> &ColumnRef,
) -> BTreeSet<Edge> {
    let mut seen: BTreeSet<ColumnRef> = start.iter().map(small).collect();
    let mut open: Vec<ColumnRef> = seen.iter().cloned().collect();
    let mut found = BTreeSet::new();
    while let Some(column) = open.pop() {
        for edge in edges.get(&column).into_iter().flatten() {
            found.insert(edge.clone());
            let other = small(next(edge));
            if seen.insert(other.clone()) {
                open.push(other);
            }
        }
    }
    found
}
