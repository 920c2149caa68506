//! Turns values into values of another type as DuckDB converts them: text is read leniently, halves are rounded.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, ListArray, PrimitiveArray, StringArray,
};
use datafusion::arrow::compute::{CastOptions, cast, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, cast as cast_expr};

use crate::adapter::lake::functions::scalar::{Spec, TIMESTAMP, each_boolean, each_text, failure, is_text, same, text};
use crate::adapter::lake::functions::times;
use crate::adapter::lake::value;

pub const ALL: &[Spec] = &[
    Spec { name: "medal_cast", takes: same, gives: target, run: convert_all, simpler: Some(plain) },
    Spec { name: "medal_try_cast", takes: same, gives: target, run: try_convert_all, simpler: Some(plain) },
    Spec {
        name: "to_uuid",
        takes: crate::adapter::lake::functions::scalar::texts,
        gives: crate::adapter::lake::functions::scalar::gives_text,
        run: uuids,
        simpler: None,
    },
    Spec {
        name: "try_to_uuid",
        takes: crate::adapter::lake::functions::scalar::texts,
        gives: crate::adapter::lake::functions::scalar::gives_text,
        run: try_uuids,
        simpler: None,
    },
];

/// The second argument is a NULL of the type to convert to.
fn target(types: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    types.get(1).cloned().ok_or_else(|| failure("a cast names its type"))
}

/// A conversion that cannot fail nor round is DataFusion's own cast, which filters can be pushed through.
fn plain(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    let [from, to] = types else { return None };
    if from == to {
        return Some(args.first()?.clone());
    }
    let widens = match (from, to) {
        (DataType::Int8 | DataType::Int16 | DataType::Int32, DataType::Int64 | DataType::Float64) => true,
        (DataType::Int8 | DataType::Int16, DataType::Int32) => true,
        (DataType::Int64, DataType::Float64) | (DataType::Decimal128(..), DataType::Float64) => true,
        (DataType::Date32, DataType::Timestamp(..)) => to == &TIMESTAMP,
        (DataType::Null, _) => true,
        _ => false,
    };
    widens.then(|| args.first().map(|arg| cast_expr(arg.clone(), to.clone()))).flatten()
}

fn convert_all(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    convert(&args[0], gives, false)
}

fn try_convert_all(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    convert(&args[0], gives, true)
}

/// Values of another type. What cannot be converted is an error, or NULL if it is only tried.
pub fn convert(array: &ArrayRef, to: &DataType, tries: bool) -> Result<ArrayRef> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    match (from, to) {
        (DataType::Null, _) => Ok(cast(array, to)?),
        (_, DataType::Utf8) => written(array),
        (from, _) if is_text(from) => read(&text(array)?, to, tries),
        (DataType::Float32 | DataType::Float64, to) if to.is_integer() => {
            let floats = cast(array, &DataType::Float64)?;
            let rounded = floats.as_primitive::<Float64Type>().unary::<_, Float64Type>(f64::round_ties_even);
            let array: ArrayRef = Arc::new(rounded);
            arrow(&array, to, tries)
        }
        (DataType::Decimal128(_, scale), to) if to.is_integer() && *scale > 0 => {
            let whole = arrow(array, &DataType::Decimal128(38, 0), tries)?;
            arrow(&whole, to, tries)
        }
        (DataType::Boolean, DataType::Decimal128(..)) => arrow(&cast(array, &DataType::Int32)?, to, tries),
        (DataType::Decimal128(..), DataType::Boolean) => {
            let numbers = array.as_primitive::<Decimal128Type>();
            each_boolean(array.len(), |row| Ok(numbers.is_valid(row).then(|| numbers.value(row) != 0)))
        }
        (DataType::List(_), DataType::List(field)) => {
            let list = array.as_list::<i32>();
            let values = convert(list.values(), field.data_type(), tries)?;
            Ok(Arc::new(ListArray::new(field.clone(), list.offsets().clone(), values, list.nulls().cloned())))
        }
        _ => arrow(array, to, tries),
    }
}

fn arrow(array: &ArrayRef, to: &DataType, tries: bool) -> Result<ArrayRef> {
    Ok(cast_with_options(array, to, &CastOptions { safe: tries, ..CastOptions::default() })?)
}

/// As text, as DuckDB prints it.
pub fn written(array: &ArrayRef) -> Result<ArrayRef> {
    if is_text(array.data_type()) || array.data_type().is_null() {
        return Ok(Arc::new(text(array)?));
    }
    each_text(array.len(), |row| {
        if array.is_null(row) {
            return Ok(None);
        }
        value::text(array, row).map(Some).map_err(|error| failure(error.to_string()))
    })
}

/// What texts say.
fn read(texts: &StringArray, to: &DataType, tries: bool) -> Result<ArrayRef> {
    macro_rules! whole {
        ($kind:ty) => {
            each::<$kind>(texts, to, tries, |text| whole_number(text).and_then(|number| number.try_into().ok()))
        };
    }
    match to {
        DataType::Int8 => whole!(Int8Type),
        DataType::Int16 => whole!(Int16Type),
        DataType::Int32 => whole!(Int32Type),
        DataType::Int64 => whole!(Int64Type),
        DataType::UInt8 => whole!(UInt8Type),
        DataType::UInt16 => whole!(UInt16Type),
        DataType::UInt32 => whole!(UInt32Type),
        DataType::UInt64 => whole!(UInt64Type),
        DataType::Float32 => each::<Float32Type>(texts, to, tries, |text| float(text).map(|number| number as f32)),
        DataType::Float64 => each::<Float64Type>(texts, to, tries, float),
        DataType::Decimal128(precision, scale) => {
            let limit = 10_i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX);
            let scale = u32::try_from(*scale).unwrap_or(0);
            each::<Decimal128Type>(texts, to, tries, |text| scaled(text, scale).filter(|number| number.abs() < limit))
        }
        DataType::Boolean => {
            let truths = texts.iter().map(|text| text.map_or(Ok(None), |text| known(truth(text), text, to, tries)));
            Ok(Arc::new(truths.collect::<Result<BooleanArray>>()?))
        }
        DataType::Date32 => {
            each::<Date32Type>(texts, to, tries, |text| times::read_moment(text).map(|at| times::days(at.date())))
        }
        DataType::Timestamp(datafusion::arrow::datatypes::TimeUnit::Microsecond, _) => {
            each::<TimestampMicrosecondType>(texts, to, tries, |text| times::read_moment(text).map(times::micros))
        }
        _ => {
            let array: ArrayRef = Arc::new(texts.clone());
            arrow(&array, to, tries)
        }
    }
}

fn each<T: ArrowPrimitiveType>(
    texts: &StringArray,
    to: &DataType,
    tries: bool,
    of: impl Fn(&str) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let values = texts.iter().map(|text| text.map_or(Ok(None), |text| known(of(text), text, to, tries)));
    Ok(Arc::new(values.collect::<Result<PrimitiveArray<T>>>()?.with_data_type(to.clone())))
}

fn known<V>(value: Option<V>, text: &str, to: &DataType, tries: bool) -> Result<Option<V>> {
    match value {
        None if !tries => Err(failure(format!("Could not convert string '{text}' to {to}"))),
        value => Ok(value),
    }
}

/// A whole number, also from `1.5` (rounded), `1e3`, `1_000`, `0x1F` and with blanks round it.
fn whole_number(text: &str) -> Option<i128> {
    let text = text.trim();
    let plain = text.parse().ok().or_else(|| scaled(text, 0));
    plain.or_else(|| match text.get(..2)? {
        "0x" | "0X" => i128::from_str_radix(&text[2..], 16).ok(),
        "0b" | "0B" => i128::from_str_radix(&text[2..], 2).ok(),
        _ if between_digits(text) => text.replace('_', "").parse().ok(),
        _ => None,
    })
}

/// Whether each underscore stands between two digits.
fn between_digits(text: &str) -> bool {
    text.split('_').all(|part| !part.is_empty()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

fn float(text: &str) -> Option<f64> {
    let text = text.trim();
    // Rust knows more words than DuckDB does.
    let word = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if word.starts_with(|c: char| c.is_ascii_alphabetic()) && !matches!(word.as_str(), "nan" | "inf" | "infinity") {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// The digits of a number with `scale` of them behind the point; a half is rounded away from zero.
fn scaled(text: &str, scale: u32) -> Option<i128> {
    let text = text.trim();
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let negative = number.starts_with('-');
    let digits = number.strip_prefix(['-', '+']).unwrap_or(number);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: String = [whole, fraction].concat();
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let shift = i32::try_from(scale).ok()? + exponent - i32::try_from(fraction.len()).ok()?;
    let value: i128 = all.parse().ok()?;
    let value = if shift >= 0 {
        value.checked_mul(10_i128.checked_pow(shift.unsigned_abs())?)?
    } else {
        match 10_i128.checked_pow(shift.unsigned_abs()) {
            Some(divisor) => (value + divisor / 2) / divisor,
            None => 0,
        }
    };
    Some(if negative { -value } else { value })
}

fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

fn uuids(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    read_uuids(&text(&args[0])?, gives, false)
}

fn try_uuids(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    read_uuids(&text(&args[0])?, gives, true)
}

/// A lakehouse has no type for these: they are text, in lower case with hyphens.
fn read_uuids(texts: &StringArray, to: &DataType, tries: bool) -> Result<ArrayRef> {
    let read = |text: &str| uuid::Uuid::parse_str(text).ok().map(|uuid| uuid.to_string());
    each_text(texts.len(), |row| {
        let Some(text) = texts.is_valid(row).then(|| texts.value(row)) else { return Ok(None) };
        known(read(text), text, to, tries)
    })
}
