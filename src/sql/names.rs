//! Turns a query into the names that it gives: its common table expressions, and relations that share a name.

use std::ops::ControlFlow;

use sqlparser::ast::{Query, Select, Spanned, Statement, TableFactor, Visit, Visitor};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

use crate::sql::selects::each;
use crate::sql::{Location, on_enough_stack};

/// The names of the common table expressions, those of subqueries too.
pub fn common_tables(sql: &str) -> Vec<String> {
    walked(sql, None).map_or_else(Vec::new, |walk| walk.common_tables)
}

/// The second relation of a select that has this name.
pub fn second(sql: &str, name: &str) -> Option<Location> {
    Location::of(walked(sql, Some(name))?.second?.start)
}

fn walked(sql: &str, wanted: Option<&str>) -> Option<Walk> {
    on_enough_stack(sql, || {
        let statements: Vec<Statement> = Parser::parse_sql(&DuckDbDialect {}, sql).ok()?;
        let mut walk = Walk { wanted: wanted.map(str::to_lowercase), ..Walk::default() };
        let _ = statements.visit(&mut walk);
        Some(walk)
    })
}

#[derive(Default)]
struct Walk {
    wanted: Option<String>,
    common_tables: Vec<String>,
    second: Option<Span>,
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.common_tables.extend(tables.map(|table| table.alias.name.value.clone()));
        each(&query.body, &mut |select| self.select(select));
        ControlFlow::Continue(())
    }
}

impl Walk {
    fn select(&mut self, select: &Select) {
        let factors = select
            .from
            .iter()
            .flat_map(|from| std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)));
        let named = factors.filter_map(name).filter(|(name, _)| Some(name) == self.wanted.as_ref());
        self.second = self.second.or_else(|| named.map(|(_, span)| span).nth(1));
    }
}

/// The name by which columns of a relation are called, in lower case, and its place.
fn name(factor: &TableFactor) -> Option<(String, Span)> {
    let alias = match factor {
        TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } | TableFactor::Function { alias, .. } => {
            alias.as_ref()
        }
        _ => None,
    };
    match (alias, factor) {
        (Some(alias), _) => Some((alias.name.value.to_lowercase(), alias.name.span)),
        (None, TableFactor::Table { name, .. }) => {
            let last = name.0.last()?;
            Some((last.as_ident()?.value.to_lowercase(), last.span()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{common_tables, second};

    #[test]
    fn relations_of_one_name_are_told_apart() {
        let sql = "with a as (select 1), b as (select * from a)\nselect * from b x join s.A on true join a on true";
        assert_eq!(common_tables(sql), ["a", "b"]);
        assert_eq!(second(sql, "a").map(|at| (at.line, at.column)), Some((2, 41)));
        assert_eq!(second(sql, "x"), None);
    }
}
