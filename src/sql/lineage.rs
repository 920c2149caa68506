//! Turns a query into its column lineage: for each column that it gives, the columns of relations that it is made of,
//! and those that only decide which rows there are.

mod expression;
mod item;
mod query;
mod relation;
mod rewrite;
mod scope;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, Statement, visit_expressions};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::parser::Parser;

use crate::sql::lineage::query::Resolver;
use crate::sql::{Location, on_enough_stack};

/// A column of a relation that is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// What `Relations` calls the relation.
    pub relation: String,
    pub column: String,
}

/// What one column comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// Columns whose values it is made of.
    pub direct: BTreeSet<Origin>,
    /// Columns that only decide rows and their order: filters, join conditions, groups, orders, windows.
    pub indirect: BTreeSet<Origin>,
}

impl Uses {
    pub fn add(&mut self, other: &Uses) {
        self.direct.extend(other.direct.iter().cloned());
        self.indirect.extend(other.indirect.iter().cloned());
    }

    /// Leaves out what has no name.
    fn forget_rest(&mut self) {
        [&mut self.direct, &mut self.indirect].into_iter().for_each(|uses| uses.retain(|origin| origin.column != REST));
    }

    /// Takes over everything as something that only decides rows.
    pub fn add_indirectly(&mut self, other: &Uses) {
        self.indirect.extend(other.direct.iter().cloned());
        self.indirect.extend(other.indirect.iter().cloned());
    }
}

/// A column that a query gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    pub name: String,
    pub uses: Uses,
    /// Where the outermost `select` names it, or the `*` that it is part of.
    pub at: Option<Location>,
    pub null: Null,
}

/// What stands in the place of the columns that a relation has and nobody knows.
const REST: &str = "*";

impl Output {
    /// All columns of a relation of which none is known. A name that nothing else has is one of them.
    fn rest(relation: &str) -> Output {
        let origin = Origin { relation: relation.to_string(), column: REST.to_string() };
        Output {
            name: REST.to_string(),
            uses: Uses { direct: [origin].into(), ..Uses::default() },
            ..Output::default()
        }
    }

    fn is_rest(&self) -> bool {
        self.name == REST
    }

    /// Takes back that it may be what an outer join has not found.
    pub fn may_be_found(&mut self) {
        if self.null == Null::Joined {
            self.null = Null::Unknown;
        }
    }
}

/// Whether a column can be null, as far as the query alone says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Null {
    #[default]
    Unknown,
    /// Where an outer join finds no row, and nothing behind it filters.
    Joined,
    /// It is written so, at least in one part of a `union`.
    Always,
}

/// The relations that a query may read.
pub trait Relations {
    /// What to call a relation, by the parts of its name, and its columns if they are known.
    fn find(&self, name: &[String]) -> (String, Option<Vec<String>>);
}

/// The columns of a query in their order; none where the parser or this module cannot follow it.
///
/// `names` are those of the columns, if they are known: they decide what a condition in `columns(…)` chooses.
pub fn lineage(sql: &str, relations: &(dyn Relations + Sync), names: Option<&[String]>) -> Option<Vec<Output>> {
    let follow = |sql: &str| {
        let resolver = Resolver { names, ..Resolver::new(relations) };
        let query = parse(sql).filter(|query| !names_first(query))?;
        let mut outputs = resolver.query(query.as_ref(), &scope::Scope::default())?.outputs();
        outputs.iter_mut().for_each(|output| output.uses.forget_rest());
        outputs.iter().all(|output| !output.is_rest()).then_some(outputs)
    };
    // Nothing is known of the places of a query that the parser does not read as it is written.
    let elsewhere = |outputs: Vec<Output>| outputs.into_iter().map(|output| Output { at: None, ..output }).collect();
    on_enough_stack(sql, || follow(sql))
        .or_else(|| on_enough_stack(sql, || follow(&rewrite::plainer(sql)?).map(elsewhere)))
}

/// Whether a query has `name: expression`, which the parser takes for a way into JSON, and DuckDB for a column's name.
/// Source: <https://duckdb.org/docs/stable/sql/query_syntax/select>.
fn names_first(query: &Query) -> bool {
    let is_name = |expr: &Expr| match expr {
        Expr::JsonAccess { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    visit_expressions(query, is_name).is_break()
}

/// The part of a `union` (or another set operation) that has more or fewer columns than the part before it.
pub fn uneven_part(sql: &str, relations: &(dyn Relations + Sync)) -> Option<Location> {
    on_enough_stack(sql, || {
        let resolver = Resolver::new(relations);
        resolver.query(parse(sql)?.as_ref(), &scope::Scope::default());
        resolver.uneven.get()
    })
}

/// The query that SQL is, if it is one and can be read.
pub fn parse(sql: &str) -> Option<Box<Query>> {
    let mut statements = Parser::parse_sql(&DuckDbDialect {}, sql).ok()?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Some(query),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
