//! Turns comparisons of structs and of lists into those of DuckDB, where a NULL inside of a value is larger than all else.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Int32Array, make_comparator};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::{Expr, Operator, ScalarUDF, binary_expr, cast, lit};
use sqlparser::ast::BinaryOperator;

use crate::adapter::lake::functions::scalar::{Scalar, Spec, same};

pub const ALL: &[Spec] = &[COMPARE];

/// -1, 0 or 1.
const COMPARE: Spec = Spec {
    name: "medal_compare",
    takes: same,
    gives: |_, _| Ok(DataType::Int32),
    run: |args, _| compare(&args[0], &args[1]),
    simpler: None,
};

/// Whether the one nested value is above or below the other; none if their types have nothing in common.
pub fn in_order(op: &BinaryOperator, left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Option<Expr> {
    let operator = match op {
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    };
    let both = comparison_coercion(&types.0, &types.1)?;
    let side = |expr: &Expr, own: &DataType| if own == &both { expr.clone() } else { cast(expr.clone(), both.clone()) };
    let compared = ScalarUDF::from(Scalar::new(&COMPARE)).call(vec![side(left, &types.0), side(right, &types.1)]);
    Some(binary_expr(compared, operator, lit(0)))
}

fn compare(left: &ArrayRef, right: &ArrayRef) -> Result<ArrayRef> {
    let order = make_comparator(left, right, SortOptions { descending: false, nulls_first: false })?;
    let row = |row: usize| (left.is_valid(row) && right.is_valid(row)).then(|| order(row, row) as i32);
    Ok(Arc::new((0..left.len()).map(row).collect::<Int32Array>()))
}
