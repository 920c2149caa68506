//! DuckDB's functions that give intervals.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, IntervalMonthDayNanoArray};
use datafusion::arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit, TimestampMicrosecondType,
};
use datafusion::common::Result;

use crate::adapter::lake::functions::scalar::{Spec, TIMESTAMP, bigint, failure, no_such_types, primitive};
use crate::adapter::lake::functions::times::MICROS_PER_DAY;

pub const ALL: &[Spec] = &[
    Spec { name: "medal_elapsed", takes: moments, gives: gives_interval, run: elapsed, simpler: None },
    Spec { name: "medal_times", takes: interval_and_number, gives: gives_interval, run: times, simpler: None },
    Spec { name: "to_years", takes: counts, gives: gives_interval, run: to_years, simpler: None },
    Spec { name: "to_months", takes: counts, gives: gives_interval, run: to_months, simpler: None },
    Spec { name: "to_days", takes: counts, gives: gives_interval, run: to_days, simpler: None },
    Spec { name: "to_hours", takes: counts, gives: gives_interval, run: to_hours, simpler: None },
    Spec { name: "to_minutes", takes: counts, gives: gives_interval, run: to_minutes, simpler: None },
    Spec { name: "to_seconds", takes: doubles, gives: gives_interval, run: to_seconds, simpler: None },
    Spec { name: "to_milliseconds", takes: doubles, gives: gives_interval, run: to_milliseconds, simpler: None },
    Spec { name: "to_microseconds", takes: counts, gives: gives_interval, run: to_microseconds, simpler: None },
];

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

fn gives_interval(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(INTERVAL)
}

fn moments(types: &[DataType]) -> Result<Vec<DataType>> {
    Ok(vec![TIMESTAMP; types.len()])
}

fn counts(types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() == 1 { Ok(vec![DataType::Int64]) } else { Err(no_such_types("an interval", types)) }
}

fn doubles(types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() == 1 { Ok(vec![DataType::Float64]) } else { Err(no_such_types("an interval", types)) }
}

fn interval_and_number(types: &[DataType]) -> Result<Vec<DataType>> {
    match types.get(1) {
        Some(number) if number.is_integer() => Ok(vec![INTERVAL, DataType::Int64]),
        _ => Err(no_such_types("* of an interval", types)),
    }
}

fn too_large() -> datafusion::common::DataFusionError {
    failure("an interval is too large")
}

/// Days and a time: the months of an interval have no fixed length, so there are none.
fn of_micros(micros: i64) -> Result<IntervalMonthDayNano> {
    let days = i32::try_from(micros / MICROS_PER_DAY).map_err(|_| too_large())?;
    Ok(IntervalMonthDayNano::new(0, days, micros % MICROS_PER_DAY * 1_000))
}

fn elapsed(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let to = primitive::<TimestampMicrosecondType>(&args[0], &TIMESTAMP)?;
    let from = primitive::<TimestampMicrosecondType>(&args[1], &TIMESTAMP)?;
    let spans = to.iter().zip(from.iter()).map(|(to, from)| match (to, from) {
        (Some(to), Some(from)) => of_micros(to.checked_sub(from).ok_or_else(too_large)?).map(Some),
        _ => Ok(None),
    });
    Ok(Arc::new(spans.collect::<Result<IntervalMonthDayNanoArray>>()?))
}

fn times(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let intervals = primitive::<IntervalMonthDayNanoType>(&args[0], &INTERVAL)?;
    let factors = bigint(&args[1])?;
    let products = (0..intervals.len()).map(|row| {
        if intervals.is_null(row) || factors.is_null(row) {
            return Ok(None);
        }
        let (interval, factor) = (intervals.value(row), factors.value(row));
        let part = |count: i32| i64::from(count).checked_mul(factor).and_then(|count| i32::try_from(count).ok());
        let months = part(interval.months).ok_or_else(too_large)?;
        let days = part(interval.days).ok_or_else(too_large)?;
        let nanos = interval.nanoseconds.checked_mul(factor).ok_or_else(too_large)?;
        Ok(Some(IntervalMonthDayNano::new(months, days, nanos)))
    });
    Ok(Arc::new(products.collect::<Result<IntervalMonthDayNanoArray>>()?))
}

/// An interval of each count.
fn each(args: &[ArrayRef], of: impl Fn(i64) -> Option<IntervalMonthDayNano>) -> Result<ArrayRef> {
    let counts = bigint(&args[0])?;
    let intervals = counts.iter().map(|count| match count {
        Some(count) => of(count).map(Some).ok_or_else(too_large),
        None => Ok(None),
    });
    Ok(Arc::new(intervals.collect::<Result<IntervalMonthDayNanoArray>>()?))
}

fn months(count: i64, each: i64) -> Option<IntervalMonthDayNano> {
    let months = i32::try_from(count.checked_mul(each)?).ok()?;
    Some(IntervalMonthDayNano::new(months, 0, 0))
}

fn nanos(count: i64, each: i64) -> Option<IntervalMonthDayNano> {
    Some(IntervalMonthDayNano::new(0, 0, count.checked_mul(each)?))
}

fn to_years(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    each(args, |count| months(count, 12))
}

fn to_months(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    each(args, |count| months(count, 1))
}

fn to_days(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    each(args, |count| Some(IntervalMonthDayNano::new(0, i32::try_from(count).ok()?, 0)))
}

fn to_hours(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    each(args, |count| nanos(count, 3_600_000_000_000))
}

fn to_minutes(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    each(args, |count| nanos(count, 60_000_000_000))
}

fn to_microseconds(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    each(args, |count| nanos(count, 1_000))
}

fn to_seconds(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    fractions(args, 1e6)
}

fn to_milliseconds(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    fractions(args, 1e3)
}

fn fractions(args: &[ArrayRef], micros: f64) -> Result<ArrayRef> {
    let counts = primitive::<Float64Type>(&args[0], &DataType::Float64)?;
    let interval = |count: f64| IntervalMonthDayNano::new(0, 0, (count * micros).round() as i64 * 1_000);
    let intervals = counts.iter().map(|count| count.map(interval));
    Ok(Arc::new(intervals.collect::<IntervalMonthDayNanoArray>()))
}
