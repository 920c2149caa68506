//! Turns a query into a Table: its columns, and what decides its rows.

use std::cell::Cell;
use std::rc::Rc;

use sqlparser::ast::{
    Cte, Distinct, Expr, GroupByExpr, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, SetOperator,
    SetQuantifier, Value,
};

use crate::sql::Location;
use crate::sql::aggregates::is_aggregate;
use crate::sql::lineage::scope::{Scope, Table};
use crate::sql::lineage::{Output, Relations, Uses};
use crate::sql::reader::start_of_body;

/// Follows queries over relations.
pub struct Resolver<'a> {
    pub relations: &'a (dyn Relations + Sync),
    /// The first part of a set operation that does not fit the part before it.
    pub uneven: Cell<Option<Location>>,
    /// The names of the columns of the whole query, if the engine has told them.
    pub names: Option<&'a [String]>,
    /// How many queries are around the present place, with the whole one.
    pub depth: Cell<usize>,
}

/// A recursive expression is looked at until nothing new comes out of it, but not more often than this.
const ROUNDS: usize = 8;

impl<'a> Resolver<'a> {
    pub fn new(relations: &'a (dyn Relations + Sync)) -> Resolver<'a> {
        Resolver { relations, uneven: Cell::default(), names: None, depth: Cell::default() }
    }

    /// The result of a query; none if it cannot be followed.
    pub fn query(&self, query: &Query, around: &Scope) -> Option<Table> {
        self.depth.set(self.depth.get() + 1);
        let table = self.followed(query, around);
        self.depth.set(self.depth.get() - 1);
        table
    }

    fn followed(&self, query: &Query, around: &Scope) -> Option<Table> {
        let mut scope = Scope { ctes: around.ctes.clone(), outer: around.outer.clone(), ..Scope::default() };
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let table = self.cte(cte, with.recursive, &scope)?;
                scope.ctes.push((cte.alias.name.value.to_lowercase(), Rc::new(table)));
            }
        }
        let (mut table, inner) = self.body(&query.body, &scope)?;
        if let Some(order) = &query.order_by {
            self.order(order, &inner, &mut table)?;
        }
        Some(table)
    }

    fn cte(&self, cte: &Cte, recursive: bool, scope: &Scope) -> Option<Table> {
        let named = |mut table: Table| {
            let names = cte.alias.columns.iter().map(|column| column.name.value.clone());
            table.columns.iter_mut().zip(names).for_each(|(column, name)| column.name = name);
            table
        };
        if !recursive {
            return self.query(&cte.query, scope).map(named);
        }
        let mut scope = scope.clone();
        // Of the recursive part nothing is known at first but the columns that it goes on from.
        let start = match &*cte.query.body {
            SetExpr::SetOperation { left, .. } => {
                let with = Scope { ctes: scope.ctes.clone(), outer: scope.outer.clone(), ..Scope::default() };
                self.body(left, &with)?.0
            }
            _ => return self.query(&cte.query, &scope).map(named),
        };
        let name = cte.alias.name.value.to_lowercase();
        let mut table = named(start);
        for _ in 0..ROUNDS {
            scope.ctes.push((name.clone(), Rc::new(table.clone())));
            let next = named(self.query(&cte.query, &scope)?);
            scope.ctes.pop();
            let is_done = next.columns == table.columns && next.rows == table.rows;
            table = next;
            if is_done {
                break;
            }
        }
        Some(table)
    }

    /// A body, and the scope in which an `order by` behind it stands.
    fn body(&self, body: &SetExpr, scope: &Scope) -> Option<(Table, Scope)> {
        match body {
            SetExpr::Select(select) => self.select(select, scope),
            SetExpr::Query(query) => Some((self.query(query, scope)?, Scope::default())),
            SetExpr::Values(values) => {
                let width = values.rows.first().map_or(0, Vec::len);
                let mut columns: Vec<Output> =
                    (0..width).map(|at| Output { name: format!("col{at}"), ..Output::default() }).collect();
                for row in &values.rows {
                    for (column, expr) in columns.iter_mut().zip(row) {
                        column.uses.add(&self.expression(expr, scope, &[])?);
                    }
                }
                Some((Table { columns, rows: Uses::default() }, Scope::default()))
            }
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                let place = Location::of(start_of_body(right).start);
                let (left, right) = (self.body(left, scope)?.0, self.body(right, scope)?.0);
                if [&left, &right].iter().any(|part| part.columns.iter().any(Output::is_rest)) {
                    return None;
                }
                if !is_by_name(*set_quantifier) && left.columns.len() != right.columns.len() {
                    self.uneven.set(self.uneven.get().or(place));
                    return None;
                }
                Some((combined(*op, *set_quantifier, left, right), Scope::default()))
            }
            _ => None,
        }
    }

    fn select(&self, select: &Select, around: &Scope) -> Option<(Table, Scope)> {
        let mut scope = Scope { ctes: around.ctes.clone(), outer: around.outer.clone(), ..Scope::default() };
        let mut rows = Uses::default();
        for from in &select.from {
            rows.add(&self.from(from, &mut scope)?);
        }
        if !select.lateral_views.is_empty() {
            return None;
        }
        let mut columns = Vec::new();
        let projection: Vec<&SelectItem> = select.projection.iter().collect();
        if projection.is_empty() {
            // `from relation` alone means all of its columns.
            columns = self.every(&scope)?;
        }
        for item in projection {
            let outputs = self.item(item, &scope, select)?;
            if let SelectItem::ExprWithAlias { .. } = item {
                scope.aliases.extend(outputs.iter().cloned());
            }
            columns.extend(outputs);
        }
        // Of two such, a name could belong to either.
        if columns.iter().filter(|column| column.is_rest()).count() > 1 {
            return None;
        }
        let windows = &select.named_window;
        for filter in [&select.prewhere, &select.selection, &select.having, &select.qualify].into_iter().flatten() {
            rows.add_indirectly(&self.expression(filter, &scope, windows)?);
        }
        match &select.group_by {
            GroupByExpr::All(_) => {
                let plain = select.projection.iter().zip(&columns).filter(|(item, _)| !aggregates(item));
                plain.for_each(|(_, column)| rows.add_indirectly(&column.uses));
            }
            GroupByExpr::Expressions(keys, _) => {
                for key in keys {
                    rows.add_indirectly(&self.key(key, &scope, &columns)?);
                }
            }
        }
        if let Some(Distinct::On(keys)) = &select.distinct {
            for key in keys {
                rows.add_indirectly(&self.key(key, &scope, &columns)?);
            }
        }
        // What a filter leaves may well be what was found.
        if select.selection.is_some() || select.qualify.is_some() {
            columns.iter_mut().for_each(Output::may_be_found);
        }
        scope.aliases.clone_from(&columns);
        Some((Table { columns, rows }, scope))
    }

    fn order(&self, order: &OrderBy, scope: &Scope, table: &mut Table) -> Option<()> {
        let OrderByKind::Expressions(keys) = &order.kind else {
            let all: Vec<Uses> = table.columns.iter().map(|column| column.uses.clone()).collect();
            all.iter().for_each(|uses| table.rows.add_indirectly(uses));
            return Some(());
        };
        let scope = Scope { aliases: table.columns.clone(), ..scope.clone() };
        for key in keys {
            let uses = self.key(&key.expr, &scope, &table.columns)?;
            table.rows.add_indirectly(&uses);
        }
        Some(())
    }

    /// A key of a group or an order: an expression, or the number of a column.
    fn key(&self, key: &Expr, scope: &Scope, columns: &[Output]) -> Option<Uses> {
        if let Expr::Value(value) = key
            && let Value::Number(number, _) = &value.value
        {
            let at: usize = number.parse().ok()?;
            return Some(columns.get(at.checked_sub(1)?).map(|column| column.uses.clone()).unwrap_or_default());
        }
        self.expression(key, scope, &[])
    }
}

/// The columns of a set operation, by place or by name.
fn combined(op: SetOperator, quantifier: SetQuantifier, left: Table, right: Table) -> Table {
    let mut rows = left.rows;
    let mut columns = left.columns;
    if op != SetOperator::Union {
        rows.add_indirectly(&right.rows);
        right.columns.iter().for_each(|column| rows.add_indirectly(&column.uses));
        return Table { columns, rows };
    }
    rows.add(&right.rows);
    let merge = |column: &mut Output, other: &Output| {
        column.uses.add(&other.uses);
        column.null = column.null.max(other.null);
    };
    if is_by_name(quantifier) {
        for column in right.columns {
            match columns.iter_mut().find(|other| other.name.eq_ignore_ascii_case(&column.name)) {
                Some(other) => merge(other, &column),
                None => columns.push(column),
            }
        }
    } else {
        columns.iter_mut().zip(&right.columns).for_each(|(column, other)| merge(column, other));
    }
    Table { columns, rows }
}

fn is_by_name(quantifier: SetQuantifier) -> bool {
    matches!(quantifier, SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName)
}

/// Whether an item folds rows, so that `group by all` does not group by it.
fn aggregates(item: &SelectItem) -> bool {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return false };
    let text = expr.to_string().to_lowercase();
    text.match_indices('(').any(|(at, _)| {
        let name = text[..at].rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        is_aggregate(name)
    })
}
