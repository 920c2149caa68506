//! Walks through a parsed query and notes what it reads and does.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Cte, Expr, Function, GroupByExpr, LimitClause, ObjectName, Query, Select, SelectItem, SetExpr, SetOperator,
    SetQuantifier, Spanned, Statement, TableFactor, TableWithJoins, Visit, Visitor,
};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Span;

use crate::sql::aggregates::is_aggregate;
use crate::sql::flow::Flow;
use crate::sql::{Location, Shape};

/// Names of common table expressions, in lower case.
type Names = Vec<String>;

#[derive(Default)]
pub struct Reader {
    pub shape: Shape,
    pub flow: Flow,
    /// How many subqueries of expressions are around the present place.
    depth: usize,
    /// What every query around the present place can see.
    visible: Vec<Names>,
    /// What the query of a common table expression can see, by its address: those before it, not itself.
    bodies: BTreeMap<*const Query, Names>,
}

impl Visitor for Reader {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.open_scope(query);
        let limit = query.limit_clause.as_ref().and_then(limit);
        let fetch = query.fetch.as_ref().map(|_| Span::empty());
        self.flow.filters |= self.depth == 0 && limit.or(fetch).is_some();
        note(&mut self.shape.filters, limit.or(fetch), start_of_body(&query.body));
        self.body(&query.body);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.visible.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        let gives_rows =
            matches!(factor, TableFactor::Table { args: None, version: None, .. } | TableFactor::Derived { .. });
        self.flow.is_unclear |= self.depth == 0 && !gives_rows;
        match factor {
            TableFactor::Table { name, args: None, sample, .. } => {
                self.relation(name);
                self.flow.filters |= self.depth == 0 && sample.is_some();
                note(&mut self.shape.filters, sample.as_ref().map(|_| start_of_factor(factor)), Span::empty());
            }
            TableFactor::Derived { sample: Some(_), .. } => {
                self.flow.filters |= self.depth == 0;
                note(&mut self.shape.filters, Some(start_of_factor(factor)), Span::empty());
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.joins(table_with_joins),
            TableFactor::Pivot { .. } => note(&mut self.shape.aggregates, Some(start_of_factor(factor)), Span::empty()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            self.function(function);
        }
        self.depth += usize::from(holds_query(expr));
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.depth -= usize::from(holds_query(expr));
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
                let start = Some(start_of_body(body));
                self.flow.is_unclear |= self.depth == 0;
                note(&mut self.shape.set_operations, start, Span::empty());
                let all = matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName);
                note(&mut self.shape.aggregates, start.filter(|_| *op != SetOperator::Union || !all), Span::empty());
                self.body(left);
                self.body(right);
            }
            SetExpr::Query(_) => {}
            _ => self.flow.is_unclear |= self.depth == 0,
        }
    }

    fn select(&mut self, select: &Select) {
        let whole = select.select_token.0.span;
        let filters = [&select.prewhere, &select.selection, &select.having, &select.qualify];
        for filter in filters.into_iter().flatten() {
            note(&mut self.shape.filters, Some(start_of(filter)), whole);
        }
        note(&mut self.shape.filters, select.top.as_ref().map(|_| whole), whole);
        let grouped = match &select.group_by {
            GroupByExpr::All(_) => Some(whole),
            GroupByExpr::Expressions(keys, modifiers) => {
                keys.first().map(start_of).or((!modifiers.is_empty()).then_some(whole))
            }
        };
        note(&mut self.shape.aggregates, grouped, whole);
        note(&mut self.shape.aggregates, select.distinct.as_ref().map(|_| whole), whole);
        let computed = select.projection.iter().find_map(|item| computed(item, whole));
        note(&mut self.shape.computes, computed, whole);
        note(&mut self.shape.joins, select.from.get(1).map(|second| start_of_factor(&second.relation)), whole);
        select.from.iter().for_each(|from| self.joins(from));
        if self.depth == 0 {
            let filters = [&select.prewhere, &select.selection, &select.having];
            self.flow.filters |= filters.into_iter().any(Option::is_some) || select.top.is_some();
            self.flow.picks |= select.qualify.is_some() || select.distinct.is_some();
            self.flow.folds |= grouped.is_some();
            let is_plain = matches!(select.from.as_slice(), [one] if one.joins.is_empty());
            self.flow.is_unclear |= !is_plain || !select.lateral_views.is_empty();
        }
    }

    fn joins(&mut self, from: &TableWithJoins) {
        let joined = from.joins.first().map(|join| start_of_factor(&join.relation));
        note(&mut self.shape.joins, joined, start_of_factor(&from.relation));
    }

    fn function(&mut self, function: &Function) {
        let [.., last] = function.name.0.as_slice() else { return };
        let name = last.as_ident().map(|name| name.value.to_lowercase()).unwrap_or_default();
        let is_here = self.depth == 0;
        self.flow.is_unclear |= is_here && MAKE_ROWS.contains(&name.as_str());
        if function.over.is_some() {
            note(&mut self.shape.windows, Some(function.name.span()), Span::empty());
        } else if is_aggregate(&name) {
            self.flow.folds |= is_here;
            note(&mut self.shape.aggregates, Some(function.name.span()), Span::empty());
        }
    }

    fn relation(&mut self, name: &ObjectName) {
        let parts: Vec<String> =
            name.0.iter().filter_map(|part| part.as_ident()).map(|ident| ident.value.clone()).collect();
        let is_cte =
            parts.len() == 1 && self.visible.last().is_some_and(|names| names.contains(&parts[0].to_lowercase()));
        // What a subquery of an expression reads by another name may be there for it alone.
        self.flow.is_unclear |= is_cte && self.depth > 0;
        if !is_cte && self.depth == 0 && !self.flow.relations.contains(&parts) {
            self.flow.relations.push(parts.clone());
        }
        if !is_cte && !self.shape.relations.contains(&parts) {
            self.shape.relations.push(parts);
            self.shape.places.push(Location::of(name.span().start).unwrap_or(Location { line: 1, column: 1 }));
        }
    }
}

/// The query of one statement, read; none if it is something else or cannot be read.
pub fn read(sql: &str) -> Option<Reader> {
    let statements = Parser::parse_sql(&DuckDbDialect {}, sql).ok()?;
    let [statement @ Statement::Query(_)] = statements.as_slice() else { return None };
    let mut reader = Reader::default();
    let ControlFlow::Continue(()) = statement.visit(&mut reader) else { return None };
    Some(reader)
}

/// Functions of a selected column that give a row for each of many values.
const MAKE_ROWS: [&str; 4] = ["generate_subscripts", "regexp_split_to_table", "unnest", "string_split_to_table"];

fn holds_query(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::AnyOp { .. } | Expr::AllOp { .. }
    )
}

/// The place of a selected item that is neither a column nor all of them.
fn computed(item: &SelectItem, whole: Span) -> Option<Span> {
    let is_column = |expr: &Expr| matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            (!is_column(expr)).then(|| start_of(expr))
        }
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
            options.opt_replace.as_ref().map(|_| whole)
        }
    }
}

/// The place of a limit or an offset. `limit all` keeps everything.
fn limit(clause: &LimitClause) -> Option<Span> {
    match clause {
        LimitClause::LimitOffset { limit, offset, .. } => {
            limit.as_ref().or(offset.as_ref().map(|offset| &offset.value)).map(start_of)
        }
        LimitClause::OffsetCommaLimit { offset, .. } => Some(start_of(offset)),
    }
}

// The parser's own spans look into every part of an expression and recurse as deep as it is: a condition of many
// thousand terms would exhaust the stack. The functions below go to the first part only, in a loop.

pub fn start_of(mut expr: &Expr) -> Span {
    while let Expr::BinaryOp { left, .. } = expr {
        expr = left;
    }
    expr.span()
}

pub fn start_of_body(mut body: &SetExpr) -> Span {
    loop {
        body = match body {
            SetExpr::Select(select) => return select.select_token.0.span,
            SetExpr::SetOperation { left, .. } => left,
            SetExpr::Query(query) => &query.body,
            _ => return Span::empty(),
        }
    }
}

fn start_of_factor(mut factor: &TableFactor) -> Span {
    loop {
        factor = match factor {
            TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => return name.span(),
            TableFactor::Derived { subquery, .. } => return start_of_body(&subquery.body),
            TableFactor::NestedJoin { table_with_joins, .. } => &table_with_joins.relation,
            TableFactor::Pivot { table, .. } | TableFactor::Unpivot { table, .. } => table,
            TableFactor::UNNEST { array_exprs, .. } => return array_exprs.first().map_or(Span::empty(), start_of),
            _ => return Span::empty(),
        }
    }
}

/// Keeps the earliest place. Where the parser knows none, the place of what is around stands in, else the start.
fn note(earliest: &mut Option<Location>, found: Option<Span>, around: Span) {
    let Some(found) = found else { return };
    let start = if found.start.line == 0 { around.start } else { found.start };
    let here = Location::of(start).unwrap_or(Location { line: 1, column: 1 });
    *earliest = Some(earliest.map_or(here, |before| before.min(here)));
}
