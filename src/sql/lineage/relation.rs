//! Turns the items of a `from` into Sources.

use std::rc::Rc;

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Join, JoinConstraint, JoinOperator, ObjectName, PivotValueSource, TableAlias,
    TableFactor, TableWithJoins,
};

use crate::sql::lineage::query::Resolver;
use crate::sql::lineage::scope::{Columns, Scope, Source, Table};
use crate::sql::lineage::{Null, Origin, Output, Uses};

/// The parts of a name; none if one of them is not a plain name.
pub fn parts(name: &ObjectName) -> Option<Vec<String>> {
    name.0.iter().map(|part| part.as_ident().map(|ident| ident.value.clone())).collect()
}

impl Resolver<'_> {
    /// Adds an item of a `from` with its joins; gives what the conditions of the joins decide.
    pub fn from(&self, from: &TableWithJoins, scope: &mut Scope) -> Option<Uses> {
        let mut rows = self.factor(&from.relation, scope)?;
        for join in &from.joins {
            rows.add(&self.join(join, scope)?);
        }
        Some(rows)
    }

    fn join(&self, join: &Join, scope: &mut Scope) -> Option<Uses> {
        let before = scope.sources.len();
        let mut rows = self.factor(&join.relation, scope)?;
        let (constraint, more) = constraint(&join.join_operator);
        if let Some(condition) = more {
            rows.add_indirectly(&self.expression(condition, scope, &[])?);
        }
        match constraint {
            Some(JoinConstraint::On(condition)) => rows.add_indirectly(&self.expression(condition, scope, &[])?),
            Some(JoinConstraint::Using(names)) => {
                for name in names {
                    rows.add_indirectly(&merge(&parts(name)?.pop()?, &join.join_operator, scope)?);
                }
            }
            Some(JoinConstraint::Natural) => {
                for name in shared_columns(scope)? {
                    rows.add_indirectly(&merge(&name, &join.join_operator, scope)?);
                }
            }
            _ => {}
        }
        let filters = matches!(
            join.join_operator,
            JoinOperator::Semi(_) | JoinOperator::LeftSemi(_) | JoinOperator::Anti(_) | JoinOperator::LeftAnti(_)
        );
        if filters {
            scope.sources.pop();
        }
        mark_nulls(&join.join_operator, scope, before);
        Some(rows)
    }

    fn factor(&self, factor: &TableFactor, scope: &mut Scope) -> Option<Uses> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => self.table(name, alias.as_ref(), scope),
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                self.made(&parts(name)?.pop()?, &args.args, alias.as_ref(), scope)
            }
            TableFactor::Function { name, args, alias, .. } => {
                self.made(&parts(name)?.pop()?, args, alias.as_ref(), scope)
            }
            TableFactor::UNNEST { alias, array_exprs, .. } => {
                let mut uses = Uses::default();
                for expr in array_exprs {
                    uses.add(&self.expression(expr, scope, &[])?);
                }
                push(scope, "unnest", alias.as_ref(), Columns::Made(uses), Uses::default())
            }
            TableFactor::Derived { subquery, alias, .. } => {
                // What stands before may be used, whether or not `lateral` is written.
                let inner = Scope { ctes: scope.ctes.clone(), outer: Some(Rc::new(scope.clone())), ..Scope::default() };
                let table = self.query(subquery, &inner)?;
                push(scope, "", alias.as_ref(), Columns::Known(table.columns), table.rows)
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.from(table_with_joins, scope),
            TableFactor::Pivot { table, aggregate_functions, value_column, value_source, alias, .. } => {
                let mut inner = Scope { ctes: scope.ctes.clone(), ..Scope::default() };
                let rows = self.factor(table, &mut inner)?;
                let mut aggregates = Vec::new();
                for function in aggregate_functions {
                    aggregates.push(self.expression(&function.expr, &inner, &[])?);
                }
                let mut kind = Uses::default();
                for column in value_column {
                    kind.add(&self.expression(column, &inner, &[])?);
                }
                let PivotValueSource::List(values) = value_source else { return None };
                let used: Vec<Origin> = aggregates.iter().chain([&kind]).flat_map(|uses| uses.direct.clone()).collect();
                let [Source { columns: Columns::Known(columns), .. }] = &inner.sources[..] else { return None };
                if columns.iter().any(Output::is_rest) {
                    return None;
                }
                let is_left = |column: &&Output| !column.uses.direct.iter().any(|origin| used.contains(origin));
                let mut pivoted: Vec<Output> = columns.iter().filter(is_left).cloned().collect();
                for value in values {
                    for (uses, function) in aggregates.iter().zip(aggregate_functions) {
                        let mut uses = uses.clone();
                        uses.add_indirectly(&kind);
                        let name = pivot_name(value, function, aggregates.len());
                        pivoted.push(Output { name, uses, ..Output::default() });
                    }
                }
                push(scope, "", alias.as_ref(), Columns::Known(pivoted), rows)
            }
            _ => None,
        }
    }

    /// A relation or a common table expression.
    fn table(&self, name: &ObjectName, alias: Option<&TableAlias>, scope: &mut Scope) -> Option<Uses> {
        let parts = parts(name)?;
        if let [single] = &parts[..]
            && let Some(table) = scope.cte(single)
        {
            let Table { columns, rows } = (*table).clone();
            return push(scope, single, alias, Columns::Known(columns), rows);
        }
        let (relation, columns) = self.relations.find(&parts);
        let output = |column: String| {
            let origin = Origin { relation: relation.clone(), column: column.clone() };
            let uses = Uses { direct: [origin].into(), ..Uses::default() };
            Output { name: column, uses, ..Output::default() }
        };
        let columns = match columns {
            Some(columns) => Columns::Known(columns.into_iter().map(output).collect()),
            None => Columns::Unknown(relation),
        };
        let rows = push(scope, parts.last()?, alias, columns, Uses::default());
        if let (None, Some(source)) = (alias, scope.sources.last_mut()) {
            source.names = parts.iter().map(|part| part.to_lowercase()).collect();
        }
        rows
    }

    fn made(&self, name: &str, args: &[FunctionArg], alias: Option<&TableAlias>, scope: &mut Scope) -> Option<Uses> {
        let mut uses = Uses::default();
        for arg in args {
            let (FunctionArg::Unnamed(arg) | FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. }) = arg;
            if let FunctionArgExpr::Expr(expr) = arg {
                uses.add(&self.expression(expr, scope, &[])?);
            }
        }
        push(scope, name, alias, Columns::Made(uses), Uses::default())
    }
}

fn pivot_name(
    value: &sqlparser::ast::ExprWithAlias,
    function: &sqlparser::ast::ExprWithAlias,
    functions: usize,
) -> String {
    let value = value
        .alias
        .as_ref()
        .map_or_else(|| value.expr.to_string().trim_matches('\'').to_string(), |alias| alias.value.clone());
    match &function.alias {
        Some(alias) if functions > 1 || !alias.value.is_empty() => format!("{value}_{}", alias.value),
        _ => value,
    }
}

/// Adds a source; the columns of its alias give the columns new names.
fn push(scope: &mut Scope, name: &str, alias: Option<&TableAlias>, columns: Columns, rows: Uses) -> Option<Uses> {
    let names =
        alias.map_or_else(Vec::new, |alias| alias.columns.iter().map(|it| it.name.value.clone()).collect::<Vec<_>>());
    let columns = match columns {
        Columns::Known(columns) if !names.is_empty() && columns.iter().any(Output::is_rest) => return None,
        Columns::Known(mut columns) => {
            columns.iter_mut().zip(names).for_each(|(column, name)| column.name = name);
            Columns::Known(columns)
        }
        Columns::Made(uses) if !names.is_empty() => Columns::Known(
            names.into_iter().map(|name| Output { name, uses: uses.clone(), ..Output::default() }).collect(),
        ),
        other => other,
    };
    let name = alias.map_or(name, |alias| alias.name.value.as_str());
    scope.sources.push(Source { names: vec![name.to_lowercase()], columns });
    Some(rows)
}

fn constraint(operator: &JoinOperator) -> (Option<&JoinConstraint>, Option<&Expr>) {
    match operator {
        JoinOperator::Join(on)
        | JoinOperator::Inner(on)
        | JoinOperator::Left(on)
        | JoinOperator::LeftOuter(on)
        | JoinOperator::Right(on)
        | JoinOperator::RightOuter(on)
        | JoinOperator::FullOuter(on)
        | JoinOperator::CrossJoin(on)
        | JoinOperator::Semi(on)
        | JoinOperator::LeftSemi(on)
        | JoinOperator::RightSemi(on)
        | JoinOperator::Anti(on)
        | JoinOperator::LeftAnti(on)
        | JoinOperator::RightAnti(on)
        | JoinOperator::StraightJoin(on) => (Some(on), None),
        JoinOperator::AsOf { match_condition, constraint } => (Some(constraint), Some(match_condition)),
        JoinOperator::CrossApply | JoinOperator::OuterApply => (None, None),
    }
}

/// Notes which columns are null where the join finds no row. `before` is the number of sources on its left.
fn mark_nulls(operator: &JoinOperator, scope: &mut Scope, before: usize) {
    let lacks = |column: &mut Output| column.null = column.null.max(Null::Joined);
    let before = before.min(scope.sources.len());
    let (left, right) = scope.sources.split_at_mut(before);
    match operator {
        JoinOperator::Left(_) | JoinOperator::LeftOuter(_) | JoinOperator::OuterApply => {
            right.iter_mut().for_each(|source| source.each(lacks));
        }
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => left.iter_mut().for_each(|source| source.each(lacks)),
        JoinOperator::FullOuter(_) => scope.sources.iter_mut().for_each(|source| source.each(lacks)),
        // Its condition may be about what an outer join before it has found.
        _ => left.iter_mut().for_each(|source| source.each(Output::may_be_found)),
    }
}

/// Makes one column of the two that `using` names. Gives both.
fn merge(name: &str, operator: &JoinOperator, scope: &mut Scope) -> Option<Uses> {
    let (right, left) = scope.sources.split_last()?;
    let before = scope.merged.iter().find(|column| column.name.eq_ignore_ascii_case(name)).map(|it| it.uses.clone());
    let left_uses = before
        .or_else(|| left.iter().find_map(|it| it.column(name)))
        .or_else(|| left.iter().find_map(|it| it.assumed(name)))?;
    let right_uses = right.column(name).or_else(|| right.assumed(name))?;
    let mut both = left_uses.clone();
    both.add(&right_uses);
    let uses = match operator {
        JoinOperator::FullOuter(_) => both.clone(),
        JoinOperator::Right(_) | JoinOperator::RightOuter(_) => right_uses,
        _ => left_uses,
    };
    scope.merged.retain(|column| !column.name.eq_ignore_ascii_case(name));
    scope.merged.push(Output { name: name.to_string(), uses, ..Output::default() });
    Some(both)
}

/// The columns that the last source has in common with those before it.
fn shared_columns(scope: &Scope) -> Option<Vec<String>> {
    let (right, left) = scope.sources.split_last().filter(|_| !scope.sources.iter().any(Source::has_rest))?;
    let Columns::Known(columns) = &right.columns else { return None };
    let shared = columns.iter().filter(|column| left.iter().any(|source| source.column(&column.name).is_some()));
    Some(shared.map(|column| column.name.clone()).collect())
}
