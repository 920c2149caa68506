//! DuckDB's functions of dates and timestamps.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use datafusion::arrow::array::{Array, ArrayRef, Date32Array, Float64Array, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Date32Type, Float64Type, TimestampMicrosecondType};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, cast};

use crate::adapter::lake::functions::casts::convert;
use crate::adapter::lake::functions::scalar::{
    Spec, TIMESTAMP, bigint, each_bigint, failure, gives_bigint, gives_date, gives_timestamp, is_text, no_such_types,
    primitive, text, timestamptz,
};
use crate::adapter::lake::functions::times::{MICROS_PER_DAY, days, last_day, micros, moment};

pub const ALL: &[Spec] = &[
    Spec { name: "medal_timestamp", takes: as_timestamp, gives: first_type, run: first, simpler: Some(as_cast) },
    Spec { name: "medal_step", takes: as_step, gives: first_type, run: first, simpler: Some(as_cast) },
    Spec { name: "date_part", takes: name_and_moment, gives: part_type, run: date_part, simpler: None },
    Spec { name: "date_diff", takes: name_and_moments, gives: gives_bigint, run: date_diff, simpler: None },
    Spec { name: "date_sub", takes: name_and_moments, gives: gives_bigint, run: date_sub, simpler: None },
    Spec { name: "last_day", takes: moment_only, gives: gives_date, run: last_days, simpler: None },
    Spec { name: "make_date", takes: bigints, gives: gives_date, run: make_date, simpler: None },
    Spec { name: "make_timestamp", takes: doubles, gives: gives_timestamp, run: make_timestamp, simpler: None },
    Spec { name: "epoch_ms", takes: moment_or_number, gives: epoch_ms_type, run: epoch_ms, simpler: None },
    Spec { name: "to_timestamp", takes: doubles, gives: gives_timestamptz, run: to_timestamp, simpler: None },
    Spec { name: "timezone", takes: name_and_any_moment, gives: other_kind, run: timezone, simpler: None },
];

fn gives_timestamptz(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(timestamptz())
}

fn first_type(types: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(types[0].clone())
}

fn first(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    Ok(args[0].clone())
}

/// The argument, converted to what the function takes.
fn as_cast(args: &[Expr], types: &[DataType]) -> Option<Expr> {
    Some(cast(args.first()?.clone(), types.first()?.clone()))
}

/// A timestamp with microseconds; a date is its midnight.
fn micro(data_type: &DataType) -> Result<DataType> {
    match data_type {
        DataType::Timestamp(_, Some(_)) => Ok(timestamptz()),
        DataType::Timestamp(_, None) | DataType::Date32 | DataType::Null => Ok(TIMESTAMP),
        other if is_text(other) => Ok(TIMESTAMP),
        _ => Err(no_such_types("a function of dates", std::slice::from_ref(data_type))),
    }
}

fn as_timestamp(types: &[DataType]) -> Result<Vec<DataType>> {
    types.iter().map(micro).collect()
}

/// A bound of a series: a number or a moment.
fn as_step(types: &[DataType]) -> Result<Vec<DataType>> {
    let step = |data_type: &DataType| if data_type.is_integer() { Ok(DataType::Int64) } else { micro(data_type) };
    types.iter().map(step).collect()
}

fn name_and_moment(types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [_, moment] => Ok(vec![DataType::Utf8, micro(moment).map(|_| TIMESTAMP)?]),
        _ => Err(no_such_types("date_part", types)),
    }
}

fn name_and_moments(types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [_, from, to] => Ok(vec![DataType::Utf8, micro(from).map(|_| TIMESTAMP)?, micro(to).map(|_| TIMESTAMP)?]),
        _ => Err(no_such_types("date_diff", types)),
    }
}

fn name_and_any_moment(types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [_, moment] => Ok(vec![DataType::Utf8, micro(moment)?]),
        _ => Err(no_such_types("at time zone", types)),
    }
}

fn moment_only(types: &[DataType]) -> Result<Vec<DataType>> {
    types.iter().map(|data_type| micro(data_type).map(|_| TIMESTAMP)).collect()
}

fn moment_or_number(types: &[DataType]) -> Result<Vec<DataType>> {
    let of = |data_type: &DataType| {
        if data_type.is_integer() { Ok(DataType::Int64) } else { micro(data_type).map(|_| TIMESTAMP) }
    };
    types.iter().map(of).collect()
}

fn bigints(types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() == 3 { Ok(vec![DataType::Int64; 3]) } else { Err(no_such_types("make_date", types)) }
}

fn doubles(types: &[DataType]) -> Result<Vec<DataType>> {
    Ok(vec![DataType::Float64; types.len()])
}

/// The moments of a column.
fn moments(array: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let array = convert(array, &TIMESTAMP, false)?;
    primitive::<TimestampMicrosecondType>(&array, &TIMESTAMP)
}

fn at(moments: &TimestampMicrosecondArray, row: usize) -> Result<Option<NaiveDateTime>> {
    if moments.is_null(row) {
        return Ok(None);
    }
    moment(moments.value(row)).map(Some).ok_or_else(|| failure("a timestamp lies outside of the calendar"))
}

/// The word for a part as DuckDB knows it, in one form.
fn part(word: &str) -> Result<&'static str> {
    Ok(match word.to_lowercase().trim() {
        "year" | "years" | "y" | "yr" | "yrs" => "year",
        "quarter" | "quarters" => "quarter",
        "month" | "months" | "mon" | "mons" => "month",
        "week" | "weeks" | "w" | "weekofyear" => "week",
        "day" | "days" | "d" | "dayofmonth" => "day",
        "hour" | "hours" | "h" | "hr" | "hrs" => "hour",
        "minute" | "minutes" | "min" | "mins" | "m" => "minute",
        "second" | "seconds" | "sec" | "secs" | "s" => "second",
        "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => "millisecond",
        "microsecond" | "microseconds" | "us" | "usec" | "usecs" => "microsecond",
        "dow" | "dayofweek" | "weekday" => "dow",
        "isodow" => "isodow",
        "doy" | "dayofyear" => "doy",
        "isoyear" => "isoyear",
        "yearweek" => "yearweek",
        "decade" | "decades" => "decade",
        "century" | "centuries" => "century",
        "millennium" | "millennia" => "millennium",
        "epoch" => "epoch",
        "epoch_us" => "epoch_us",
        "julian" => "julian",
        "era" => "era",
        _ => return Err(failure(format!("`{word}` is no part of a date that DataFusion knows"))),
    })
}

fn part_type(_: &[DataType], literals: &[Option<String>]) -> Result<DataType> {
    let name = literals.first().and_then(Option::as_deref);
    Ok(match name.map(part).transpose()? {
        Some("epoch" | "julian") => DataType::Float64,
        _ => DataType::Int64,
    })
}

fn date_part(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    let (names, moments) = (text(&args[0])?, moments(&args[1])?);
    let name_of = |row: usize| part(names.value(row));
    if gives == &DataType::Float64 {
        let values = (0..moments.len()).map(|row| {
            let at = at(&moments, row)?;
            at.map(|at| name_of(row).map(|name| float_part(name, at))).transpose()
        });
        return Ok(Arc::new(values.collect::<Result<Float64Array>>()?));
    }
    let values = (0..moments.len()).map(|row| {
        let at = at(&moments, row)?;
        at.map(|at| name_of(row).map(|name| whole_part(name, at))).transpose()
    });
    Ok(Arc::new(values.collect::<Result<datafusion::arrow::array::Int64Array>>()?))
}

fn float_part(name: &str, at: NaiveDateTime) -> f64 {
    match name {
        "julian" => micros(at) as f64 / MICROS_PER_DAY as f64 + 2_440_588.0,
        _ => micros(at) as f64 / 1e6,
    }
}

fn whole_part(name: &str, at: NaiveDateTime) -> i64 {
    let year = i64::from(at.year());
    let within_minute = i64::from(at.second()) * 1_000_000 + i64::from(at.nanosecond()) / 1_000;
    let week = at.date().iso_week();
    match name {
        "year" => year,
        "quarter" => i64::from(at.month0() / 3 + 1),
        "month" => at.month().into(),
        "week" => week.week().into(),
        "day" => at.day().into(),
        "hour" => at.hour().into(),
        "minute" => at.minute().into(),
        "second" => at.second().into(),
        "millisecond" => within_minute / 1_000,
        "microsecond" => within_minute,
        "dow" => at.weekday().num_days_from_sunday().into(),
        "isodow" => at.weekday().number_from_monday().into(),
        "doy" => at.ordinal().into(),
        "isoyear" => week.year().into(),
        "yearweek" => i64::from(week.year()) * 100 + i64::from(week.week()),
        "decade" => year / 10,
        "century" => (year - 1).div_euclid(100) + 1,
        "millennium" => (year - 1).div_euclid(1000) + 1,
        "epoch_us" => micros(at),
        _ => 1,
    }
}

/// How many borders of a unit lie between two moments.
fn date_diff(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    between(args, |unit, from, to| match unit {
        // Weeks have no borders: they are seven days each.
        "week" => Ok((border("day", to)? - border("day", from)?) / 7),
        _ => Ok(border(unit, to)? - border(unit, from)?),
    })
}

/// How many whole units lie between two moments.
fn date_sub(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    between(args, |unit, from, to| {
        if let Some(length) = length_of(unit) {
            return Ok((micros(to) - micros(from)) / length);
        }
        let months = whole_months(from, to);
        Ok(match unit {
            "month" => months,
            "quarter" => months / 3,
            "year" => months / 12,
            _ => return Err(no_unit(unit)),
        })
    })
}

fn no_unit(unit: &str) -> datafusion::common::DataFusionError {
    failure(format!("`{unit}` is no unit to count time with"))
}

fn between(
    args: &[ArrayRef],
    count: impl Fn(&'static str, NaiveDateTime, NaiveDateTime) -> Result<i64>,
) -> Result<ArrayRef> {
    let (units, from, to) = (text(&args[0])?, moments(&args[1])?, moments(&args[2])?);
    each_bigint(from.len(), |row| {
        let (Some(from), Some(to)) = (at(&from, row)?, at(&to, row)?) else { return Ok(None) };
        count(part(units.value(row))?, from, to).map(Some)
    })
}

fn length_of(unit: &str) -> Option<i64> {
    Some(match unit {
        "microsecond" => 1,
        "millisecond" => 1_000,
        "second" => 1_000_000,
        "minute" => 60_000_000,
        "hour" => 3_600_000_000,
        "day" => MICROS_PER_DAY,
        "week" => 7 * MICROS_PER_DAY,
        _ => return None,
    })
}

/// The number of the unit that a moment lies in, counted from any start.
fn border(unit: &str, at: NaiveDateTime) -> Result<i64> {
    if let Some(length) = length_of(unit) {
        return Ok(micros(at).div_euclid(length));
    }
    let year = i64::from(at.year());
    Ok(match unit {
        "month" => year * 12 + i64::from(at.month0()),
        "quarter" => year * 4 + i64::from(at.month0() / 3),
        "year" => year,
        "isoyear" => at.date().iso_week().year().into(),
        "decade" => year.div_euclid(10),
        "century" => (year - 1).div_euclid(100),
        "millennium" => (year - 1).div_euclid(1000),
        _ => return Err(no_unit(unit)),
    })
}

fn whole_months(from: NaiveDateTime, to: NaiveDateTime) -> i64 {
    if to < from {
        return -whole_months(to, from);
    }
    let months = |at: NaiveDateTime| i64::from(at.year()) * 12 + i64::from(at.month0());
    // The last day of a month completes a month that began on a later day.
    let is_last = last_day(to.date()) == Some(to.date());
    let day = if is_last { from.day().min(to.day()) } else { from.day() };
    let complete = (to.day(), to.time()) >= (day, from.time());
    months(to) - months(from) - i64::from(!complete)
}

fn last_days(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let moments = moments(&args[0])?;
    let lasts = (0..moments.len()).map(|row| Ok(at(&moments, row)?.and_then(|at| last_day(at.date())).map(days)));
    Ok(Arc::new(lasts.collect::<Result<Date32Array>>()?))
}

fn make_date(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let parts = args.iter().map(bigint).collect::<Result<Vec<_>>>()?;
    let dates = (0..parts[0].len()).map(|row| {
        if parts.iter().any(|part| part.is_null(row)) {
            return Ok(None);
        }
        let [year, month, day] = [0, 1, 2].map(|at: usize| parts[at].value(row));
        let date = i32::try_from(year)
            .ok()
            .and_then(|year| NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?));
        date.map(|date| Some(days(date))).ok_or_else(|| failure(format!("there is no date {year}-{month}-{day}")))
    });
    let dates = dates.collect::<Result<datafusion::arrow::array::PrimitiveArray<Date32Type>>>()?;
    Ok(Arc::new(dates))
}

fn make_timestamp(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let parts = args.iter().map(|arg| primitive::<Float64Type>(arg, &DataType::Float64)).collect::<Result<Vec<_>>>()?;
    if parts.len() != 6 {
        return Err(failure("make_timestamp takes year, month, day, hour, minute and second"));
    }
    let moments = (0..parts[0].len()).map(|row| {
        if parts.iter().any(|part| part.is_null(row)) {
            return Ok(None);
        }
        let [year, month, day, hour, minute] = [0, 1, 2, 3, 4].map(|at: usize| parts[at].value(row) as i64);
        let seconds = (parts[5].value(row) * 1e6).round() as i64;
        let date = i32::try_from(year)
            .ok()
            .and_then(|year| NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?));
        let date = date.ok_or_else(|| failure(format!("there is no date {year}-{month}-{day}")))?;
        Ok(Some(i64::from(days(date)) * MICROS_PER_DAY + hour * 3_600_000_000 + minute * 60_000_000 + seconds))
    });
    Ok(Arc::new(moments.collect::<Result<TimestampMicrosecondArray>>()?))
}

fn epoch_ms_type(types: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(if types[0] == DataType::Int64 { TIMESTAMP } else { DataType::Int64 })
}

/// Milliseconds since 1970 of a moment, or the moment of these.
fn epoch_ms(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    if gives == &TIMESTAMP {
        let numbers = bigint(&args[0])?;
        let moments = numbers.iter().map(|number| number.and_then(|number| number.checked_mul(1_000)));
        return Ok(Arc::new(moments.collect::<TimestampMicrosecondArray>()));
    }
    let moments = moments(&args[0])?;
    each_bigint(moments.len(), |row| Ok(moments.is_valid(row).then(|| moments.value(row).div_euclid(1_000))))
}

fn to_timestamp(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    let seconds = primitive::<Float64Type>(&args[0], &DataType::Float64)?;
    let moments = seconds.iter().map(|seconds| seconds.map(|seconds| (seconds * 1e6).round() as i64));
    Ok(Arc::new(moments.collect::<TimestampMicrosecondArray>().with_data_type(gives.clone())))
}

/// `at time zone` makes a moment from a local time, and a local time from a moment.
fn other_kind(types: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(if matches!(types.get(1), Some(DataType::Timestamp(_, Some(_)))) { TIMESTAMP } else { timestamptz() })
}

fn timezone(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    let zones = text(&args[0])?;
    let given = primitive::<TimestampMicrosecondType>(&args[1], &args[1].data_type().clone())?;
    let result = (0..given.len()).map(|row| {
        if zones.is_null(row) || given.is_null(row) {
            return Ok(None);
        }
        let name = zones.value(row);
        let zone: Tz = name.parse().map_err(|_| failure(format!("there is no time zone `{name}`")))?;
        let at = moment(given.value(row)).ok_or_else(|| failure("a timestamp lies outside of the calendar"))?;
        Ok(Some(if gives == &TIMESTAMP {
            micros(zone.from_utc_datetime(&at).naive_local())
        } else {
            // A local time that a clock shows twice is the first of these; one that it skips is read an hour later.
            let local = zone.from_local_datetime(&at);
            let moment =
                local.earliest().or_else(|| zone.from_local_datetime(&(at + chrono::TimeDelta::hours(1))).earliest());
            moment.map_or(given.value(row), |moment| micros(moment.with_timezone(&Utc).naive_utc()))
        }))
    });
    Ok(Arc::new(result.collect::<Result<TimestampMicrosecondArray>>()?.with_data_type(gives.clone())))
}
