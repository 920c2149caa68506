//! Turns two numbers into their sum, difference or product of DuckDB's type; too large a result is an error.
//!
//! DataFusion's own operators wrap round, and give decimals another precision.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Decimal128Array};
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::Result;

use crate::adapter::lake::functions::scalar::{Spec, no_such_types, same};

pub const ALL: &[Spec] = &[
    Spec { name: "medal_add", takes: same, gives: sum_type, run: add, simpler: None },
    Spec { name: "medal_subtract", takes: same, gives: sum_type, run: subtract, simpler: None },
    Spec { name: "medal_multiply", takes: same, gives: product_type, run: multiply, simpler: None },
    Spec { name: "medal_whole_division", takes: wholes, gives: gives_whole, run: whole_division, simpler: None },
];

/// Digits of DuckDB's decimals that fit in 64 bits: two of these give one of these.
const SMALL: u8 = 18;
const LARGE: u8 = 38;

/// A HUGEINT is a DECIMAL(38,0).
const HUGEINT: DataType = DataType::Decimal128(LARGE, 0);

fn wholes(types: &[DataType]) -> Result<Vec<DataType>> {
    Ok(vec![HUGEINT; types.len()])
}

fn gives_whole(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(HUGEINT)
}

/// By zero it is NULL.
fn whole_division(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    let (left, right) = (args[0].as_primitive::<Decimal128Type>(), args[1].as_primitive::<Decimal128Type>());
    let pairs = left.iter().zip(right.iter());
    let quotients = pairs.map(|(left, right)| left?.checked_div(right?)).collect::<Decimal128Array>();
    Ok(Arc::new(quotients.with_data_type(gives.clone())))
}

fn sum_type(types: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    match types {
        [DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)] => {
            let scale = (*s1).max(*s2);
            let whole = whole_digits(*p1, *s1).max(whole_digits(*p2, *s2));
            Ok(DataType::Decimal128(capped(whole + i16::from(scale) + 1, *p1, *p2), scale))
        }
        [left, right] if left == right => Ok(left.clone()),
        _ => Err(no_such_types("+", types)),
    }
}

fn product_type(types: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    match types {
        [DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)] => {
            let scale = i16::from(*s1) + i16::from(*s2);
            let scale = i8::try_from(scale).ok().filter(|scale| *scale <= 38);
            let scale = scale.ok_or_else(|| no_such_types("*", types))?;
            Ok(DataType::Decimal128(capped(i16::from(*p1) + i16::from(*p2), *p1, *p2), scale))
        }
        [left, right] if left == right => Ok(left.clone()),
        _ => Err(no_such_types("*", types)),
    }
}

fn whole_digits(precision: u8, scale: i8) -> i16 {
    i16::from(precision) - i16::from(scale)
}

fn capped(digits: i16, left: u8, right: u8) -> u8 {
    let most = if left <= SMALL && right <= SMALL { SMALL } else { LARGE };
    u8::try_from(digits).map_or(most, |digits| digits.min(most))
}

fn add(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    typed(numeric::add(&args[0], &args[1])?, gives)
}

fn subtract(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    typed(numeric::sub(&args[0], &args[1])?, gives)
}

fn multiply(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    typed(numeric::mul(&args[0], &args[1])?, gives)
}

/// The digits are right, only the type says less or more of them than DuckDB's.
fn typed(array: ArrayRef, gives: &DataType) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = gives else { return Ok(array) };
    let Some(decimals) = array.as_primitive_opt::<Decimal128Type>() else { return Ok(array) };
    if matches!(*precision, SMALL | LARGE) {
        decimals.validate_decimal_precision(*precision)?;
    }
    Ok(Arc::new(decimals.clone().with_precision_and_scale(*precision, *scale)?))
}
