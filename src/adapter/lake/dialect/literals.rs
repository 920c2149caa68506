//! Turns number literals into literals of the type that DuckDB gives them.
//!
//! DataFusion reads `1` as a BIGINT, DuckDB as an INTEGER. It shows where a literal decides the type of a column: as an
//! item of a select, of VALUES, of a list, as a branch of CASE. Elsewhere the literal takes the type of what it meets.

use sqlparser::ast::{DataType, Expr, UnaryOperator, Value};

use crate::adapter::lake::dialect::build;

/// Gives a literal its type; any other expression stays.
pub fn give_type(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) => give_type(inner),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => {
            if let Some(data_type) = number(inner).and_then(type_of) {
                let whole = build::take(expr);
                *expr = build::cast(whole, data_type);
            }
        }
        Expr::Value(_) => {
            if let Some(data_type) = number(expr).and_then(type_of) {
                let literal = build::take(expr);
                *expr = build::cast(literal, data_type);
            }
        }
        _ => {}
    }
}

/// A number with an exponent is a DOUBLE; with more digits than a BIGINT has, a HUGEINT.
pub fn widen(expr: &mut Expr) {
    let Some(digits) = number(expr).map(|digits| digits.replace('_', "")) else { return };
    if digits.contains(['e', 'E']) {
        *expr = build::cast(build::text(&digits), DataType::DoublePrecision);
    } else if !digits.contains('.') && digits.parse::<i64>().is_err() {
        *expr = build::cast(build::text(&digits), build::decimal(38, 0));
    } else if let Expr::Value(value) = expr {
        value.value = Value::Number(digits, false);
    }
}

fn number(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => Some(digits),
            _ => None,
        },
        _ => None,
    }
}

fn type_of(digits: &str) -> Option<DataType> {
    if let Some((whole, fraction)) = digits.split_once('.') {
        let scale = fraction.len();
        let precision = (whole.len() + scale).max(1);
        return Some(build::decimal(u64::try_from(precision).ok()?, i64::try_from(scale).ok()?));
    }
    let value: i64 = digits.parse().ok()?;
    Some(if i32::try_from(value).is_ok() { DataType::Int(None) } else { DataType::BigInt(None) })
}
