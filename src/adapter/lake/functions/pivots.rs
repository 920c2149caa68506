//! Turns PIVOT and UNPIVOT, whose values or columns the statement lists, into aggregates and unions.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DataFusionError, Result};
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, and, cast, lit};
use sqlparser::ast::{Expr as SqlExpr, ExprWithAlias, Ident, NullInclusion, PivotValueSource, TableFactor};

#[derive(Debug)]
pub struct Pivots;

impl RelationPlanner for Pivots {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let (plan, alias) = match relation {
            TableFactor::Pivot {
                table,
                aggregate_functions,
                value_column,
                value_source: PivotValueSource::List(values),
                default_on_null: None,
                alias,
            } => {
                let input = context.plan(*table)?;
                (pivot(context, input, aggregate_functions, value_column, values)?, alias)
            }
            TableFactor::Unpivot { table, value, name, columns, null_inclusion, alias } => {
                let input = context.plan(*table)?;
                let with_nulls = null_inclusion == Some(NullInclusion::IncludeNulls);
                (unpivot(context, input, value, name, columns, with_nulls)?, alias)
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

fn refused(message: &str) -> DataFusionError {
    DataFusionError::Plan(message.to_string())
}

/// The columns of a plan, as expressions.
fn columns(schema: &DFSchema) -> Vec<Column> {
    schema.columns()
}

/// Groups by all columns that the statement does not name, with one aggregate for each value.
fn pivot(
    context: &mut dyn RelationPlannerContext,
    input: LogicalPlan,
    aggregates: Vec<ExprWithAlias>,
    on: Vec<SqlExpr>,
    values: Vec<ExprWithAlias>,
) -> Result<LogicalPlan> {
    let schema = Arc::clone(input.schema());
    let [on] = on.as_slice() else { return Err(refused("DataFusion can PIVOT on one column only")) };
    let on = context.sql_to_expr(on.clone(), &schema)?;
    let several = aggregates.len() > 1;
    let mut used: Vec<Column> = on.column_refs().into_iter().cloned().collect();
    let (mut results, mut names) = (Vec::new(), Vec::new());
    let written: Vec<String> = aggregates.iter().map(|aggregate| aggregate.expr.to_string()).collect();
    let planned: Vec<Expr> = aggregates
        .iter()
        .map(|aggregate| context.sql_to_expr(aggregate.expr.clone(), &schema))
        .collect::<Result<_>>()?;
    planned.iter().for_each(|aggregate| used.extend(aggregate.column_refs().into_iter().cloned()));
    for value in values {
        let name = value.alias.as_ref().map_or_else(|| plain(&value.expr), |alias| alias.value.clone());
        let value = context.sql_to_expr(value.expr, &schema)?;
        for (at, aggregate) in planned.iter().enumerate() {
            let suffix = aggregates[at].alias.as_ref().map(|alias| alias.value.clone());
            let suffix = suffix.or_else(|| several.then(|| written[at].clone()));
            names.push(suffix.map_or_else(|| name.clone(), |suffix| format!("{name}_{suffix}")).to_lowercase());
            results.push(only_where(aggregate.clone(), &on.clone().eq(value.clone()))?);
        }
    }
    let groups: Vec<Expr> =
        columns(&schema).into_iter().filter(|column| !used.contains(column)).map(Expr::Column).collect();
    let mut inner: Vec<Expr> = Vec::new();
    for result in &results {
        collect_aggregates(result, &mut inner)?;
    }
    let builder = LogicalPlanBuilder::from(input).aggregate(groups.clone(), inner.clone())?;
    let outer = results.into_iter().zip(names).map(|(result, name)| Ok(by_name(result, &inner)?.alias(name)));
    let outer = outer.collect::<Result<Vec<Expr>>>()?;
    builder.project(groups.into_iter().chain(outer))?.build()
}

/// A value as the name of a column.
fn plain(value: &SqlExpr) -> String {
    value.to_string().trim_matches('\'').to_string()
}

/// The aggregates of an expression over those rows only.
fn only_where(expr: Expr, condition: &Expr) -> Result<Expr> {
    let changed = expr.transform(|expr| match expr {
        Expr::AggregateFunction(mut function) => {
            let own = function.params.filter.take();
            let filter = own.map_or_else(|| condition.clone(), |own| and(*own, condition.clone()));
            function.params.filter = Some(Box::new(filter));
            Ok(Transformed::yes(Expr::AggregateFunction(function)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(changed.data)
}

fn collect_aggregates(expr: &Expr, found: &mut Vec<Expr>) -> Result<()> {
    expr.apply(|expr| {
        if matches!(expr, Expr::AggregateFunction(_)) && !found.contains(expr) {
            found.push(expr.clone());
        }
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The expression with its aggregates as columns of the plan that computes them.
fn by_name(expr: Expr, aggregates: &[Expr]) -> Result<Expr> {
    let changed = expr.transform_down(|expr| {
        if aggregates.contains(&expr) {
            let name = expr.schema_name().to_string();
            return Ok(Transformed::new(
                Expr::Column(Column::new_unqualified(name)),
                true,
                datafusion::common::tree_node::TreeNodeRecursion::Jump,
            ));
        }
        Ok(Transformed::no(expr))
    })?;
    Ok(changed.data)
}

/// One row for each of the listed columns.
fn unpivot(
    context: &mut dyn RelationPlannerContext,
    input: LogicalPlan,
    value: SqlExpr,
    name: Ident,
    listed: Vec<ExprWithAlias>,
    with_nulls: bool,
) -> Result<LogicalPlan> {
    let schema = Arc::clone(input.schema());
    let SqlExpr::Identifier(value) = value else { return Err(refused("DataFusion can UNPIVOT into one column only")) };
    let (value, name) = (context.normalize_ident(value), context.normalize_ident(name));
    let mut parts = Vec::new();
    for column in listed {
        let label = column.alias.map_or_else(|| plain(&column.expr).trim_matches('"').to_string(), |alias| alias.value);
        parts.push((label, context.sql_to_expr(column.expr, &schema)?));
    }
    let used: Vec<Column> = parts.iter().flat_map(|(_, part)| part.column_refs().into_iter().cloned()).collect();
    let kept: Vec<Expr> =
        columns(&schema).into_iter().filter(|column| !used.contains(column)).map(Expr::Column).collect();
    let mut whole: Option<LogicalPlanBuilder> = None;
    let data_type = common_type(&parts, &schema)?;
    for (label, part) in parts {
        let shown = [lit(label).alias(&name), cast(part.clone(), data_type.clone()).alias(&value)];
        let builder = LogicalPlanBuilder::from(input.clone());
        let builder = if with_nulls { builder } else { builder.filter(part.is_not_null())? };
        let plan = builder.project(kept.iter().cloned().chain(shown))?;
        whole = Some(match whole {
            Some(before) => before.union(plan.build()?)?,
            None => plan,
        });
    }
    whole.ok_or_else(|| refused("UNPIVOT names no columns"))?.build()
}

fn common_type(parts: &[(String, Expr)], schema: &DFSchema) -> Result<DataType> {
    use datafusion::logical_expr::ExprSchemable;
    let mut types = parts.iter().map(|(_, part)| part.get_type(schema));
    let first = types.next().unwrap_or(Ok(DataType::Null))?;
    for other in types {
        if other? != first {
            return Err(refused("the columns of an UNPIVOT have different types; cast them to one"));
        }
    }
    Ok(first)
}
