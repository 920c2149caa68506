//! Turns an operator between two types into the expression that does what DuckDB's operator does.

use datafusion::arrow::datatypes::{DataType, IntervalUnit};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions::expr_fn::nullif;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, ScalarUDF, binary_expr, cast, lit, not};
use sqlparser::ast::BinaryOperator;

use crate::adapter::lake::functions::scalar::{Scalar, Spec, TIMESTAMP, is_list, is_text};
use crate::adapter::lake::functions::{arithmetic, casts, intervals, nested, patterns};

/// The operators whose meaning differs; all others are DataFusion's.
#[derive(Debug)]
pub struct Operators;

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let types = (left.get_type(schema)?, right.get_type(schema)?);
        let (left, right) = literals(left, right, &types);
        let types = (left.get_type(schema)?, right.get_type(schema)?);
        let planned = match &op {
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply => {
                arithmetic_of(&op, &left, &right, &types)
            }
            BinaryOperator::Divide => division(&left, &right, &types),
            BinaryOperator::DuckIntegerDivide => whole_division(&left, &right, &types),
            BinaryOperator::Modulo if is_number(&types.0) && is_number(&types.1) => {
                Some(remainder(&left, &right, &types))
            }
            BinaryOperator::StringConcat => concatenation(&left, &right, &types),
            BinaryOperator::PGRegexMatch => Some(full_match(&left, &right)),
            BinaryOperator::PGRegexNotMatch => Some(not(full_match(&left, &right))),
            BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq
                if types.0.is_nested() =>
            {
                nested::in_order(&op, &left, &right, &types)
            }
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq => return Ok(comparison(op, left, right, &types)),
            _ => None,
        };
        Ok(match planned {
            Some(expr) => PlannerResult::Planned(expr),
            None => PlannerResult::Original(RawBinaryExpr { op, left, right }),
        })
    }
}

/// The function of a name in a pack of this crate.
fn function(pack: &'static [Spec], name: &str, args: Vec<Expr>) -> Option<Expr> {
    let spec = pack.iter().find(|spec| spec.name == name)?;
    Some(ScalarUDF::from(Scalar::new(spec)).call(args))
}

/// An integer literal takes the type of the integer beside it; two literals are INTEGERs.
fn literals(left: Expr, right: Expr, types: &(DataType, DataType)) -> (Expr, Expr) {
    let of = |expr: &Expr, own: &DataType, other: &Expr, beside: &DataType| -> Option<Expr> {
        let Expr::Literal(ScalarValue::Int64(Some(value)), _) = expr else { return None };
        let beside_literal = matches!(other, Expr::Literal(ScalarValue::Int64(Some(_)), _));
        let target = if beside.is_integer() && !beside_literal { beside.clone() } else { DataType::Int32 };
        let small = ScalarValue::Int64(Some(*value)).cast_to(&target).ok()?;
        (own == &DataType::Int64 && !small.is_null()).then(|| Expr::Literal(small, None))
    };
    let new_left = of(&left, &types.0, &right, &types.1);
    let new_right = of(&right, &types.1, &left, &types.0);
    (new_left.unwrap_or(left), new_right.unwrap_or(right))
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

pub fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Decimal128(..))
}

/// Digits and sign of a type of whole numbers.
fn decimal_of(data_type: &DataType) -> Option<DataType> {
    let digits = match data_type {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        DataType::UInt64 => 20,
        DataType::Decimal128(..) => return Some(data_type.clone()),
        _ => return None,
    };
    Some(DataType::Decimal128(digits, 0))
}

/// The wider of two types of whole numbers, one that holds the values of both.
fn wider(left: &DataType, right: &DataType) -> Option<DataType> {
    let size = |data_type: &DataType| data_type.primitive_width();
    let (left_size, right_size) = (size(left)?, size(right)?);
    let signs = (left.is_signed_integer(), right.is_signed_integer());
    if signs.0 == signs.1 {
        return Some(if left_size >= right_size { left.clone() } else { right.clone() });
    }
    let (signed, unsigned) = if signs.0 { (left_size, right_size) } else { (right_size, left_size) };
    Some(match (unsigned * 2).max(signed) {
        0..=2 => DataType::Int16,
        3..=4 => DataType::Int32,
        5..=8 => DataType::Int64,
        _ => DataType::Decimal128(38, 0),
    })
}

fn to(expr: &Expr, from: &DataType, target: &DataType) -> Expr {
    if from == target { expr.clone() } else { cast(expr.clone(), target.clone()) }
}

pub fn is_float(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Float32 | DataType::Float64)
}

fn float_of(types: &(DataType, DataType)) -> DataType {
    let single = |data_type: &DataType| data_type == &DataType::Float32;
    let (left, right) = (single(&types.0), single(&types.1));
    if (left && (right || types.1.is_integer())) || (right && types.0.is_integer()) {
        DataType::Float32
    } else {
        DataType::Float64
    }
}

fn arithmetic_of(op: &BinaryOperator, left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Option<Expr> {
    let (name, operator) = match op {
        BinaryOperator::Plus => ("medal_add", Operator::Plus),
        BinaryOperator::Minus => ("medal_subtract", Operator::Minus),
        _ => ("medal_multiply", Operator::Multiply),
    };
    let (l, r) = (&types.0, &types.1);
    if is_number(l) && is_number(r) {
        if is_float(l) || is_float(r) {
            let float = float_of(types);
            return Some(binary_expr(to(left, l, &float), operator, to(right, r, &float)));
        }
        let (left_type, right_type) = if is_decimal(l) || is_decimal(r) {
            (decimal_of(l)?, decimal_of(r)?)
        } else {
            let both = wider(l, r)?;
            (both.clone(), both)
        };
        return function(arithmetic::ALL, name, vec![to(left, l, &left_type), to(right, r, &right_type)]);
    }
    times(operator, left, right, types)
}

/// Dates, timestamps and intervals.
fn times(operator: Operator, left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Option<Expr> {
    let date = DataType::Date32;
    let (l, r) = (&types.0, &types.1);
    let is_interval = |data_type: &DataType| matches!(data_type, DataType::Interval(_));
    let is_timestamp = |data_type: &DataType| matches!(data_type, DataType::Timestamp(..));
    let days = |expr: &Expr| cast(expr.clone(), DataType::Int32);
    match operator {
        Operator::Plus if l == &date && r.is_integer() => {
            let sum = function(arithmetic::ALL, "medal_add", vec![days(left), days(right)])?;
            Some(cast(sum, date))
        }
        Operator::Plus if r == &date && l.is_integer() => times(operator, right, left, &(r.clone(), l.clone())),
        Operator::Minus if l == &date && r.is_integer() => {
            let difference = function(arithmetic::ALL, "medal_subtract", vec![days(left), days(right)])?;
            Some(cast(difference, date))
        }
        Operator::Minus if l == &date && r == &date => {
            let difference = function(arithmetic::ALL, "medal_subtract", vec![days(left), days(right)])?;
            Some(cast(difference, DataType::Int64))
        }
        Operator::Plus if is_interval(l) && !is_interval(r) => times(operator, right, left, &(r.clone(), l.clone())),
        Operator::Plus | Operator::Minus if l == &date && is_interval(r) => {
            Some(binary_expr(cast(left.clone(), TIMESTAMP), operator, right.clone()))
        }
        Operator::Plus | Operator::Minus if is_timestamp(l) && is_interval(r) => {
            Some(binary_expr(left.clone(), operator, right.clone()))
        }
        Operator::Minus if (is_timestamp(l) || l == &date) && (is_timestamp(r) || r == &date) => {
            function(intervals::ALL, "medal_elapsed", vec![left.clone(), right.clone()])
        }
        Operator::Multiply if is_interval(l) && is_number(r) => {
            function(intervals::ALL, "medal_times", vec![left.clone(), right.clone()])
        }
        Operator::Multiply if is_interval(r) && is_number(l) => {
            function(intervals::ALL, "medal_times", vec![right.clone(), left.clone()])
        }
        _ => None,
    }
}

fn division(left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Option<Expr> {
    let number = |data_type: &DataType| is_number(data_type) || data_type.is_null();
    if !number(&types.0) || !number(&types.1) {
        return None;
    }
    let float = float_of(types);
    Some(binary_expr(to(left, &types.0, &float), Operator::Divide, to(right, &types.1, &float)))
}

/// Of whole numbers; by zero it is NULL.
fn whole_division(left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Option<Expr> {
    if types.0.is_integer() && types.1.is_integer() {
        let both = wider(&types.0, &types.1).filter(DataType::is_integer)?;
        let divisor = nullif(to(right, &types.1, &both), cast(lit(0), both.clone()));
        return Some(binary_expr(to(left, &types.0, &both), Operator::Divide, divisor));
    }
    let huge = |data_type: &DataType| data_type == &DataType::Decimal128(38, 0);
    let whole = |data_type: &DataType| huge(data_type) || data_type.is_integer();
    if (huge(&types.0) || huge(&types.1)) && whole(&types.0) && whole(&types.1) {
        return function(arithmetic::ALL, "medal_whole_division", vec![left.clone(), right.clone()]);
    }
    if is_decimal(&types.0) || is_decimal(&types.1) {
        return division(left, right, types);
    }
    None
}

fn remainder(left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Expr {
    let both =
        if is_float(&types.0) || is_float(&types.1) { Some(DataType::Float64) } else { wider(&types.0, &types.1) };
    let (left, right, zero) = match both {
        Some(both) if !is_decimal(&types.0) && !is_decimal(&types.1) => {
            (to(left, &types.0, &both), to(right, &types.1, &both), cast(lit(0), both))
        }
        _ => (left.clone(), right.clone(), cast(lit(0), types.1.clone())),
    };
    binary_expr(left, Operator::Modulo, nullif(right, zero))
}

/// NULL beside anything is NULL; what is not text is written as DuckDB writes it.
fn concatenation(left: &Expr, right: &Expr, types: &(DataType, DataType)) -> Option<Expr> {
    if is_list(&types.0) || is_list(&types.1) {
        return None;
    }
    let text = |expr: &Expr, data_type: &DataType| {
        if is_text(data_type) { Some(expr.clone()) } else { convert(expr, &DataType::Utf8) }
    };
    Some(binary_expr(text(left, &types.0)?, Operator::StringConcat, text(right, &types.1)?))
}

/// The expression as another type, as DuckDB converts it.
pub fn convert(expr: &Expr, target: &DataType) -> Option<Expr> {
    let null = ScalarValue::try_from(target).ok()?;
    function(casts::ALL, "medal_cast", vec![expr.clone(), Expr::Literal(null, None)])
}

fn full_match(left: &Expr, right: &Expr) -> Expr {
    let args = vec![left.clone(), right.clone()];
    function(patterns::ALL, "regexp_full_match", args).unwrap_or_else(|| lit(ScalarValue::Boolean(None)))
}

/// Text beside another type is read as that type, and a date beside a timestamp is its midnight.
fn comparison(
    op: BinaryOperator,
    left: Expr,
    right: Expr,
    types: &(DataType, DataType),
) -> PlannerResult<RawBinaryExpr> {
    let readable = |data_type: &DataType| {
        is_number(data_type)
            || data_type.is_temporal() && !matches!(data_type, DataType::Interval(IntervalUnit::MonthDayNano))
            || data_type == &DataType::Boolean
    };
    let convert_side = |expr: Expr, own: &DataType, other: &DataType| {
        if is_decimal(own) && is_float(other) {
            return cast(expr, DataType::Float64);
        }
        let midnight = own == &DataType::Date32 && matches!(other, DataType::Timestamp(..));
        if (is_text(own) && readable(other)) || midnight {
            return convert(&expr, other).unwrap_or(expr);
        }
        expr
    };
    let left = convert_side(left, &types.0, &types.1);
    let right = convert_side(right, &types.1, &types.0);
    PlannerResult::Original(RawBinaryExpr { op, left, right })
}
