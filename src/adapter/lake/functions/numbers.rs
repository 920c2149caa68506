//! DuckDB's functions of numbers that DataFusion lacks or gives another type.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int8Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::Result;

use crate::adapter::lake::functions::casts::convert;
use crate::adapter::lake::functions::scalar::{
    Spec, bigint, each_boolean, failure, gives_boolean, gives_double, no_such_types, primitive,
};

pub const ALL: &[Spec] = &[
    Spec { name: "round", takes: number_and_digits, gives: rounded_type, run: round, simpler: None },
    Spec { name: "trunc", takes: number_and_digits, gives: rounded_type, run: trunc, simpler: None },
    Spec { name: "ceil", takes: number, gives: rounded_type, run: ceil, simpler: None },
    Spec { name: "floor", takes: number, gives: rounded_type, run: floor, simpler: None },
    Spec { name: "sign", takes: number_and_digits, gives: gives_sign, run: sign, simpler: None },
    Spec { name: "sqrt", takes: doubles, gives: gives_double, run: sqrt, simpler: None },
    Spec { name: "ln", takes: doubles, gives: gives_double, run: ln, simpler: None },
    Spec { name: "log10", takes: doubles, gives: gives_double, run: log10, simpler: None },
    Spec { name: "log2", takes: doubles, gives: gives_double, run: log2, simpler: None },
    Spec { name: "isinf", takes: doubles, gives: gives_boolean, run: is_infinite, simpler: None },
    Spec { name: "isfinite", takes: doubles, gives: gives_boolean, run: is_finite, simpler: None },
];

fn doubles(types: &[DataType]) -> Result<Vec<DataType>> {
    Ok(vec![DataType::Float64; types.len()])
}

/// A number, and of how many digits behind the point.
fn number_and_digits(types: &[DataType]) -> Result<Vec<DataType>> {
    let first = match types.first() {
        Some(DataType::Float32 | DataType::Null) => DataType::Float64,
        Some(number) if number.is_numeric() => number.clone(),
        _ => return Err(no_such_types("round", types)),
    };
    Ok(if types.len() > 1 { vec![first, DataType::Int64] } else { vec![first] })
}

/// Whole numbers are taken as floats.
fn number(types: &[DataType]) -> Result<Vec<DataType>> {
    let whole = types.first().is_some_and(DataType::is_integer);
    if whole { Ok(vec![DataType::Float64]) } else { number_and_digits(types) }
}

/// A decimal keeps as many digits behind the point as it is rounded to.
fn rounded_type(types: &[DataType], literals: &[Option<String>]) -> Result<DataType> {
    let DataType::Decimal128(precision, scale) = types[0] else { return Ok(types[0].clone()) };
    let digits = match literals.get(1) {
        None => 0,
        Some(Some(digits)) => digits.parse::<i8>().unwrap_or(scale).clamp(0, scale),
        Some(None) => scale,
    };
    Ok(DataType::Decimal128(precision, digits))
}

fn gives_sign(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(DataType::Int8)
}

/// How a value between two multiples of `unit` goes to one of them, for whole numbers and for floats.
struct Rounding {
    whole: fn(i128, i128) -> i128,
    float: fn(f64) -> f64,
}

fn round(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    let away = |value: i128, unit: i128| (value.abs() + unit / 2) / unit * unit * value.signum();
    to_digits(args, gives, &Rounding { whole: away, float: f64::round })
}

fn trunc(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    to_digits(args, gives, &Rounding { whole: |value, unit| value / unit * unit, float: f64::trunc })
}

fn ceil(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    let up = |value: i128, unit: i128| -(-value).div_euclid(unit) * unit;
    to_digits(args, gives, &Rounding { whole: up, float: f64::ceil })
}

fn floor(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    to_digits(args, gives, &Rounding { whole: |value, unit| value.div_euclid(unit) * unit, float: f64::floor })
}

fn to_digits(args: &[ArrayRef], gives: &DataType, rounding: &Rounding) -> Result<ArrayRef> {
    let digits = args.get(1).map(bigint).transpose()?;
    let digits = |row: usize| digits.as_ref().map_or(Some(0), |digits| digits.is_valid(row).then(|| digits.value(row)));
    match args[0].data_type() {
        DataType::Float64 => {
            let numbers = args[0].as_primitive::<Float64Type>();
            let rounded = (0..numbers.len()).map(|row| {
                let digits = digits(row)?;
                numbers.is_valid(row).then(|| float_to_digits(numbers.value(row), digits, rounding))
            });
            Ok(Arc::new(rounded.collect::<Float64Array>()))
        }
        DataType::Decimal128(_, scale) => {
            let numbers = args[0].as_primitive::<Decimal128Type>();
            let kept = if let DataType::Decimal128(_, kept) = gives { *kept } else { *scale };
            let shrink = power(i64::from(*scale - kept));
            let rounded = (0..numbers.len()).map(|row| {
                let unit = power(i64::from(*scale) - digits(row)?);
                numbers.is_valid(row).then(|| (rounding.whole)(numbers.value(row), unit) / shrink)
            });
            let rounded: datafusion::arrow::array::Decimal128Array = rounded.collect();
            Ok(Arc::new(rounded.with_data_type(gives.clone())))
        }
        whole => {
            let numbers = primitive::<Int64Type>(&args[0], &DataType::Int64)?;
            let rounded = (0..numbers.len()).map(|row| {
                let unit = power(-digits(row)?);
                let value = numbers.is_valid(row).then(|| (rounding.whole)(i128::from(numbers.value(row)), unit))?;
                i64::try_from(value).ok()
            });
            let rounded: ArrayRef = Arc::new(rounded.collect::<datafusion::arrow::array::Int64Array>());
            convert(&rounded, whole, false)
        }
    }
}

/// 10 to the power; 1 for less than zero.
fn power(exponent: i64) -> i128 {
    10_i128.pow(u32::try_from(exponent.clamp(0, 38)).unwrap_or(0))
}

/// DuckDB orders and groups -0.0 as 0.0, DataFusion does not: so what is rounded to zero is 0.0.
fn float_to_digits(number: f64, digits: i64, rounding: &Rounding) -> f64 {
    if digits == 0 {
        return (rounding.float)(number) + 0.0;
    }
    let scale = 10_f64.powi(i32::try_from(digits.abs()).unwrap_or(i32::MAX));
    let rounded =
        if digits > 0 { (rounding.float)(number * scale) / scale } else { (rounding.float)(number / scale) * scale };
    if rounded.is_finite() { rounded + 0.0 } else { number }
}

fn sign(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let numbers = convert(&args[0], &DataType::Float64, false)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let sign = |number: f64| i8::from(number > 0.0) - i8::from(number < 0.0);
    Ok(Arc::new(numbers.iter().map(|number| number.map(sign)).collect::<Int8Array>()))
}

/// A function of one float that is an error outside of its domain, as in DuckDB.
fn of_float(args: &[ArrayRef], domain: fn(f64) -> bool, what: &str, of: fn(f64) -> f64) -> Result<ArrayRef> {
    let numbers = primitive::<Float64Type>(&args[0], &DataType::Float64)?;
    let values = numbers.iter().map(|number| match number {
        Some(number) if !domain(number) => Err(failure(format!("cannot take {what} of {number}"))),
        number => Ok(number.map(of)),
    });
    Ok(Arc::new(values.collect::<Result<Float64Array>>()?))
}

fn sqrt(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    of_float(args, |number| number >= 0.0 || number.is_nan(), "the square root", f64::sqrt)
}

fn ln(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    of_float(args, has_logarithm, "the logarithm", f64::ln)
}

fn log10(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    of_float(args, has_logarithm, "the logarithm", f64::log10)
}

fn log2(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    of_float(args, has_logarithm, "the logarithm", f64::log2)
}

fn has_logarithm(number: f64) -> bool {
    number > 0.0 || number.is_nan()
}

fn is_infinite(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    float_test(args, f64::is_infinite)
}

fn is_finite(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    float_test(args, f64::is_finite)
}

fn float_test(args: &[ArrayRef], test: fn(f64) -> bool) -> Result<ArrayRef> {
    let numbers = primitive::<Float64Type>(&args[0], &DataType::Float64)?;
    each_boolean(numbers.len(), |row| Ok(numbers.is_valid(row).then(|| test(numbers.value(row)))))
}
