//! Walks through a parsed query and notes what it reads and does.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Cte, Expr, Function, GroupByExpr, LimitClause, ObjectName, Query, Select, SetExpr, SetOperator, SetQuantifier,
    Spanned, TableFactor, TableWithJoins, Visitor,
};
use sqlparser::tokenizer::Span;

use crate::sql::aggregates::is_aggregate;
use crate::sql::{Location, Shape};

/// Names of common table expressions, in lower case.
type Names = Vec<String>;

#[derive(Default)]
pub struct Reader {
    pub shape: Shape,
    /// What every query around the present place can see.
    visible: Vec<Names>,
    /// What the query of a common table expression can see, by its address: those before it, not itself.
    bodies: BTreeMap<*const Query, Names>,
}

impl Visitor for Reader {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.open_scope(query);
        let limit = query.limit_clause.as_ref().filter(|limit| drops_rows(limit)).map(Spanned::span);
        note(&mut self.shape.filters, limit.or(query.fetch.as_ref().map(Spanned::span)), query.span());
        self.body(&query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.visible.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, args: None, sample, .. } => {
                self.relation(name);
                note(&mut self.shape.filters, sample.as_ref().map(|_| factor.span()), Span::empty());
            }
            TableFactor::Derived { sample: Some(_), .. } => {
                note(&mut self.shape.filters, Some(factor.span()), Span::empty());
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.joins(table_with_joins),
            TableFactor::Pivot { .. } => note(&mut self.shape.aggregates, Some(factor.span()), Span::empty()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            self.function(function);
        }
        ControlFlow::Continue(())
    }
}

impl Reader {
    fn open_scope(&mut self, query: &Query) {
        let around = self.visible.last().cloned().unwrap_or_default();
        let mut names = self.bodies.remove(&std::ptr::from_ref(query)).unwrap_or(around);
        if let Some(with) = &query.with {
            let name = |cte: &Cte| cte.alias.name.value.to_lowercase();
            let all: Names = names.iter().cloned().chain(with.cte_tables.iter().map(name)).collect();
            for cte in &with.cte_tables {
                let seen = if with.recursive { all.clone() } else { names.clone() };
                self.bodies.insert(std::ptr::from_ref(&*cte.query), seen);
                names.push(name(cte));
            }
        }
        self.visible.push(names);
    }

    /// The selects of a query and of its set operations; the queries inside of them are visited by themselves.
    fn body(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                note(&mut self.shape.set_operations, Some(left.span()), right.span());
                let all = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
                if *op != SetOperator::Union || !all {
                    note(&mut self.shape.aggregates, Some(left.span()), right.span());
                }
                self.body(left);
                self.body(right);
            }
            _ => {}
        }
    }

    fn select(&mut self, select: &Select) {
        let whole = select.select_token.0.span;
        let filters = [&select.prewhere, &select.selection, &select.having, &select.qualify];
        for filter in filters.into_iter().flatten() {
            note(&mut self.shape.filters, Some(filter.span()), whole);
        }
        note(&mut self.shape.filters, select.top.as_ref().map(|_| whole), whole);
        let grouped = match &select.group_by {
            GroupByExpr::All(_) => true,
            GroupByExpr::Expressions(keys, modifiers) => !keys.is_empty() || !modifiers.is_empty(),
        };
        note(&mut self.shape.aggregates, grouped.then(|| select.group_by.span()), whole);
        note(&mut self.shape.aggregates, select.distinct.as_ref().map(|_| whole), whole);
        note(&mut self.shape.joins, select.from.get(1).map(|second| second.relation.span()), whole);
        select.from.iter().for_each(|from| self.joins(from));
    }

    fn joins(&mut self, from: &TableWithJoins) {
        note(&mut self.shape.joins, from.joins.first().map(|join| join.relation.span()), from.relation.span());
    }

    fn function(&mut self, function: &Function) {
        let [.., last] = function.name.0.as_slice() else { return };
        if function.over.is_some() {
            note(&mut self.shape.windows, Some(function.name.span()), Span::empty());
        } else if last.as_ident().is_some_and(|name| is_aggregate(&name.value)) {
            note(&mut self.shape.aggregates, Some(function.name.span()), Span::empty());
        }
    }

    fn relation(&mut self, name: &ObjectName) {
        let parts: Vec<String> =
            name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.clone()).collect();
        let is_cte = parts.len() == 1
            && self.visible.last().is_some_and(|names| names.contains(&parts[0].to_lowercase()));
        if !is_cte && !self.shape.relations.contains(&parts) {
            self.shape.relations.push(parts);
        }
    }
}

/// `limit all` keeps everything, and is read as a clause without a limit.
fn drops_rows(limit: &LimitClause) -> bool {
    !matches!(limit, LimitClause::LimitOffset { limit: None, offset: None, .. })
}

/// Keeps the earliest place. Where the parser knows none, the place of what is around stands in.
fn note(earliest: &mut Option<Location>, found: Option<Span>, around: Span) {
    let Some(found) = found else { return };
    let start = if found.start.line == 0 { around.start } else { found.start };
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).max(1);
    let here = Location { line: count(start.line), column: count(start.column) };
    *earliest = Some(earliest.map_or(here, |before| before.min(here)));
}
