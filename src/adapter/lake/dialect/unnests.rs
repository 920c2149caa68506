//! Turns `from t, unnest(t.list) as u(x)` into a select of `t` with one row an element, which DataFusion can run.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, Join, JoinOperator, Select, SelectItem, SetExpr, TableAlias,
    TableFactor, TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use crate::adapter::lake::dialect::build;
use crate::adapter::lake::dialect::queries::{query_of, select_of};

/// An `unnest` in FROM: its list, the relation and the column that it makes.
struct Unnest {
    list: Expr,
    relation: String,
    column: Ident,
}

/// Changes a select whose FROM is one relation and one `unnest` of a list of its rows.
pub fn join(select: &mut Select) {
    let [first, rest @ ..] = select.from.as_mut_slice() else { return };
    let unnest = match (rest, first.joins.as_slice()) {
        ([TableWithJoins { relation, joins }], []) if joins.is_empty() => read(relation),
        ([], [Join { relation, join_operator: JoinOperator::CrossJoin(_), .. }]) => read(relation),
        _ => None,
    };
    let Some(unnest) = unnest.filter(|unnest| reads_columns(&unnest.list)) else { return };
    let Some(name) = name_of(&first.relation) else { return };
    first.joins.clear();
    let relation = std::mem::replace(
        &mut first.relation,
        TableFactor::Table {
            name: sqlparser::ast::ObjectName::from(vec![name.clone()]),
            alias: None,
            args: None,
            with_hints: Vec::new(),
            version: None,
            with_ordinality: false,
            partitions: Vec::new(),
            json_path: None,
            sample: None,
            index_hints: Vec::new(),
        },
    );
    let star = SelectItem::Wildcard(WildcardAdditionalOptions::default());
    let mut inner = select_of(star, vec![TableWithJoins { relation, joins: Vec::new() }]);
    let elements = build::call("unnest", vec![unnest.list]);
    inner.projection.push(SelectItem::ExprWithAlias { expr: elements, alias: unnest.column.clone() });
    let subquery = Box::new(query_of(SetExpr::Select(Box::new(inner))));
    let alias = Some(TableAlias { explicit: true, name, columns: Vec::new() });
    first.relation = TableFactor::Derived { lateral: false, subquery, alias, sample: None };
    select.from.truncate(1);
    let _ = select.visit(&mut Rename { relation: unnest.relation, column: unnest.column });
}

fn read(relation: &TableFactor) -> Option<Unnest> {
    let (list, alias) = match relation {
        TableFactor::UNNEST { alias, array_exprs, with_offset: false, .. } => match array_exprs.as_slice() {
            [list] => (list, alias),
            _ => return None,
        },
        TableFactor::Table { name, args: Some(args), alias, .. } if name.to_string().to_lowercase() == "unnest" => {
            match args.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(list))] => (list, alias),
                _ => return None,
            }
        }
        _ => return None,
    };
    let relation = alias.as_ref().map_or("unnest".to_string(), |alias| alias.name.value.to_lowercase());
    let named = alias.as_ref().and_then(|alias| alias.columns.first()).map(|column| column.name.clone());
    let column = named.unwrap_or_else(|| Ident::with_quote('"', "unnest"));
    Some(Unnest { list: list.clone(), relation, column })
}

/// A list of constants is a relation of its own.
fn reads_columns(list: &Expr) -> bool {
    let found = sqlparser::ast::visit_expressions(list, |expr| match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn name_of(relation: &TableFactor) -> Option<Ident> {
    match relation {
        TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
            Some(alias.name.clone())
        }
        TableFactor::Table { name, .. } => name.0.last()?.as_ident().cloned(),
        _ => None,
    }
}

/// `u.x` is a column of the one relation now.
struct Rename {
    relation: String,
    column: Ident,
}

impl VisitorMut for Rename {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr
            && let [relation, column] = parts.as_slice()
            && relation.value.to_lowercase() == self.relation
            && column.value.to_lowercase() == self.column.value.to_lowercase()
        {
            *expr = Expr::Identifier(self.column.clone());
        }
        ControlFlow::Continue(())
    }
}
