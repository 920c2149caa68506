//! Turns values of several types that meet into values of the type that they have in common in DuckDB.
//!
//! DataFusion makes decimals of floats, and texts of numbers; DuckDB does the opposite. This comes before DataFusion's
//! own rule, which then finds equal types.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{Case, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Union, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::adapter::lake::functions::operators::{convert, is_decimal, is_float};
use crate::adapter::lake::functions::scalar::is_text;

/// Values within one expression.
#[derive(Debug)]
pub struct Values;

impl FunctionRewrite for Values {
    fn name(&self) -> &str {
        "values"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        match expr {
            Expr::InList(list) => members(list, schema),
            Expr::Case(case) => branches(case, schema),
            Expr::ScalarFunction(call) if takes_one_type(call.name()) => arguments(call, schema),
            other => Ok(Transformed::no(other)),
        }
    }
}

fn takes_one_type(function: &str) -> bool {
    matches!(function, "coalesce" | "greatest" | "least" | "nullif" | "make_array")
}

fn types(exprs: &[Expr], schema: &DFSchema) -> Result<Vec<DataType>> {
    exprs.iter().map(|expr| expr.get_type(schema)).collect()
}

/// Whether decimals meet floats.
fn mixed(types: &[DataType]) -> bool {
    types.iter().any(is_decimal) && types.iter().any(is_float)
}

/// The type as which texts that are written out are read, where they stand beside values of it.
fn read_as(exprs: &[&Expr], types: &[DataType]) -> Option<DataType> {
    let is_written = |expr: &Expr| matches!(expr, Expr::Literal(..));
    let texts = exprs.iter().zip(types).filter(|(_, kind)| is_text(kind));
    let all_written = texts.clone().all(|(expr, _)| is_written(expr));
    let kind = types.iter().find(|kind| !is_text(kind) && !kind.is_null())?;
    (texts.count() > 0 && all_written).then(|| kind.clone())
}

fn as_float(expr: Expr, own: &DataType) -> Expr {
    if is_decimal(own) { cast(expr, DataType::Float64) } else { expr }
}

/// `code in (1, 2)` of a text, and `id in ('1', '2')` of a number.
fn members(InList { expr, list, negated }: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let own = expr.get_type(schema)?;
    let of_list = types(&list, schema)?;
    let text = of_list.iter().find(|other| is_text(other) != is_text(&own) && !other.is_null() && !own.is_null());
    let target = match text {
        Some(_) if !is_text(&own) => own.clone(),
        Some(other) => other.clone(),
        None if mixed(&[of_list.clone(), vec![own.clone()]].concat()) => DataType::Float64,
        None => return Ok(Transformed::no(Expr::InList(InList { expr, list, negated }))),
    };
    let to = |expr: Expr, from: &DataType| match from == &target || from.is_null() {
        true => expr,
        false => convert(&expr, &target).unwrap_or(expr),
    };
    let expr = Box::new(to(*expr, &own));
    let list = list.into_iter().zip(&of_list).map(|(member, from)| to(member, from)).collect();
    Ok(Transformed::yes(Expr::InList(InList { expr, list, negated })))
}

fn branches(case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let results = case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(case.else_expr.as_deref());
    let results: Vec<&Expr> = results.collect();
    let of_results = results.iter().map(|result| result.get_type(schema)).collect::<Result<Vec<_>>>()?;
    let (read, is_mixed) = (read_as(&results, &of_results), mixed(&of_results));
    if read.is_none() && !is_mixed {
        return Ok(Transformed::no(Expr::Case(case)));
    }
    let float = |result: Box<Expr>| -> Result<Box<Expr>> {
        let own = result.get_type(schema)?;
        Ok(Box::new(match &read {
            Some(kind) if is_text(&own) => convert(&result, kind).unwrap_or(*result),
            _ if is_mixed => as_float(*result, &own),
            _ => *result,
        }))
    };
    let when_then = case.when_then_expr.into_iter().map(|(when, then)| Ok((when, float(then)?)));
    let when_then_expr = when_then.collect::<Result<Vec<_>>>()?;
    let else_expr = case.else_expr.map(float).transpose()?;
    Ok(Transformed::yes(Expr::Case(Case { expr: case.expr, when_then_expr, else_expr })))
}

fn arguments(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let own = types(&call.args, schema)?;
    let (read, is_mixed) = (read_as(&call.args.iter().collect::<Vec<_>>(), &own), mixed(&own));
    if read.is_none() && !is_mixed {
        return Ok(Transformed::no(Expr::ScalarFunction(call)));
    }
    let of_one_type = |(arg, own): (Expr, &DataType)| match &read {
        Some(kind) if is_text(own) => convert(&arg, kind).unwrap_or(arg),
        _ if !is_mixed => arg,
        _ => as_float(arg, own),
    };
    let args = call.args.into_iter().zip(&own).map(of_one_type).collect();
    Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func: call.func, args })))
}

/// Values of the parts of a UNION.
#[derive(Debug)]
pub struct Unions;

impl AnalyzerRule for Unions {
    fn name(&self) -> &str {
        "unions"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let changed = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Union(union) => parts(union),
            other => Ok(Transformed::no(other)),
        })?;
        Ok(changed.data)
    }
}

fn parts(union: Union) -> Result<Transformed<LogicalPlan>> {
    let width = union.inputs.first().map_or(0, |input| input.schema().fields().len());
    let of_column = |at: usize| -> Vec<DataType> {
        let fields = union.inputs.iter().filter_map(|input| input.schema().fields().get(at));
        fields.map(|field| field.data_type().clone()).collect()
    };
    let floats: Vec<bool> = (0..width).map(|at| mixed(&of_column(at))).collect();
    if !floats.contains(&true) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.into_iter().map(|input| {
        let columns = input.schema().iter().zip(&floats).map(|((relation, field), float)| {
            let column = Expr::from((relation, field));
            let name = field.name();
            if *float { as_float(column, field.data_type()).alias_qualified(relation.cloned(), name) } else { column }
        });
        let columns: Vec<Expr> = columns.collect();
        Ok(Arc::new(LogicalPlanBuilder::from(Arc::unwrap_or_clone(input)).project(columns)?.build()?))
    });
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    Ok(Transformed::yes(LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?)))
}
