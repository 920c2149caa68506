//! `modules.datetime`: dates, times and differences, printed as Python prints them.

mod class;
mod objects;

use std::fmt::{self, Write};

use chrono::{DateTime, Datelike, Duration, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Timelike, Utc};
use minijinja::{Error, Value};

use crate::jinja::error::runtime;
use crate::jinja::functions::Group;
use crate::jinja::modules::datetime::class::Class;
use crate::jinja::modules::pytz::Zone;

/// A date with a time, and a time zone if it is an aware one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    pub local: NaiveDateTime,
    pub zone: Option<Zone>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub NaiveDate);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub NaiveTime);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delta(pub Duration);

pub fn module() -> Value {
    let class = |name| (name, Value::from_object(Class(name)));
    Group::value("datetime", ["datetime", "date", "time", "timedelta", "timezone"].map(class))
}

/// `2024-01-31`, or a date with a time and perhaps an offset.
pub fn parse(text: &str) -> Option<Value> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(Value::from_object(Date(date)));
    }
    parse_moment(text).map(Value::from_object)
}

fn parse_moment(text: &str) -> Option<Moment> {
    let text = text.trim().replacen('T', " ", 1);
    let text = text.strip_suffix('Z').map_or(text.clone(), |rest| format!("{rest}+00:00"));
    for format in ["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f%#z"] {
        if let Ok(moment) = DateTime::parse_from_str(&text, format) {
            return Some(Moment { local: moment.naive_local(), zone: Some(Zone::Fixed(*moment.offset())) });
        }
    }
    let formats = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    let local = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
    let local = local.or_else(|| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0))?;
    Some(Moment { local, zone: None })
}

/// `repr(value)` of a date, or of a time of no zone: `datetime.date(2024, 1, 31)`.
pub fn repr(value: &Value) -> Option<String> {
    let day = |date: NaiveDate| format!("{}, {}, {}", date.year(), date.month(), date.day());
    if let Some(Date(date)) = value.downcast_object_ref::<Date>() {
        return Some(format!("datetime.date({})", day(*date)));
    }
    let moment = value.downcast_object_ref::<Moment>().filter(|moment| moment.zone.is_none())?;
    let time = moment.local.time();
    let (second, micros) = (time.second(), time.nanosecond() / 1000);
    let rest = match (second, micros) {
        (0, 0) => String::new(),
        (second, 0) => format!(", {second}"),
        (second, micros) => format!(", {second}, {micros}"),
    };
    Some(format!("datetime.datetime({}, {}, {}{rest})", day(moment.local.date()), time.hour(), time.minute()))
}

impl Moment {
    pub fn now(zone: Option<Zone>) -> Moment {
        match zone {
            Some(zone) => Moment::at(Utc::now().naive_utc(), zone),
            None => Moment { local: chrono::Local::now().naive_local(), zone: None },
        }
    }

    /// A moment of UTC as a zone shows it.
    pub fn at(utc: NaiveDateTime, zone: Zone) -> Moment {
        let offset = zone.offset_at(utc);
        Moment { local: utc + Duration::seconds(offset.local_minus_utc().into()), zone: Some(zone) }
    }

    fn offset(&self) -> Option<FixedOffset> {
        Some(self.zone?.offset_of(self.local))
    }

    fn utc(&self) -> NaiveDateTime {
        self.local - Duration::seconds(self.offset().map_or(0, |offset| offset.local_minus_utc().into()))
    }

    fn isoformat(&self, separator: &str) -> String {
        let mut out = format!("{}{separator}{}", self.local.date(), Time(self.local.time()));
        if let Some(offset) = self.offset() {
            out.push_str(&offset.to_string());
        }
        out
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%H:%M:%S"))?;
        match self.0.nanosecond() / 1000 {
            0 => Ok(()),
            micros => write!(f, ".{micros:06}"),
        }
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds, micros) = self.parts();
        if days != 0 {
            write!(f, "{days} day{}, ", if days.abs() == 1 { "" } else { "s" })?;
        }
        write!(f, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if micros == 0 { Ok(()) } else { write!(f, ".{micros:06}") }
    }
}

impl Delta {
    /// Days, seconds and microseconds; only the days may be negative.
    fn parts(&self) -> (i64, i64, i64) {
        let micros = self.0.num_microseconds().unwrap_or(i64::MAX);
        let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        (seconds.div_euclid(86_400), seconds.rem_euclid(86_400), micros)
    }
}

/// `strftime`; Python's `%f` has six digits.
fn strftime(moment: &Moment, format: &str) -> Result<Value, Error> {
    let name = moment.zone.map(|zone| zone.abbreviation(moment.local)).unwrap_or_default();
    let format = format.replace("%f", "%6f").replace("%Z", &name);
    let mut out = String::new();
    let offset = moment.offset();
    let written = match offset {
        Some(offset) => match offset.from_local_datetime(&moment.local).single() {
            Some(aware) => write!(out, "{}", aware.format(&format)),
            None => write!(out, "{}", moment.local.format(&format)),
        },
        None => write!(out, "{}", moment.local.format(&format.replace("%z", ""))),
    };
    written.map_err(|_| runtime(format!("`{format}` is no format of dates")))?;
    Ok(Value::from(out))
}

/// `a + b`, if one of them is a timedelta.
pub fn add(left: &Value, right: &Value) -> Option<Result<Value, Error>> {
    match (left.downcast_object_ref::<Delta>(), right.downcast_object_ref::<Delta>()) {
        (Some(left), Some(right)) => {
            Some(left.0.checked_add(&right.0).map(|sum| Value::from_object(Delta(sum))).ok_or_else(out_of_range))
        }
        (None, Some(delta)) => shifted(left, delta.0),
        (Some(delta), None) => shifted(right, delta.0),
        (None, None) => None,
    }
}

fn shifted(value: &Value, delta: Duration) -> Option<Result<Value, Error>> {
    if let Some(moment) = value.downcast_object_ref::<Moment>() {
        let local = moment.local.checked_add_signed(delta).ok_or_else(out_of_range);
        return Some(local.map(|local| Value::from_object(Moment { local, zone: moment.zone })));
    }
    let date = value.downcast_object_ref::<Date>()?;
    let days = Duration::days(Delta(delta).parts().0);
    Some(date.0.checked_add_signed(days).map(|date| Value::from_object(Date(date))).ok_or_else(out_of_range))
}

/// `a - b`, if they are dates or timedeltas.
pub fn subtract(left: &Value, right: &Value) -> Option<Result<Value, Error>> {
    if let Some(delta) = right.downcast_object_ref::<Delta>() {
        if let Some(left) = left.downcast_object_ref::<Delta>() {
            return Some(
                left.0.checked_sub(&delta.0).map(|rest| Value::from_object(Delta(rest))).ok_or_else(out_of_range),
            );
        }
        return shifted(left, -delta.0);
    }
    if let (Some(left), Some(right)) = (left.downcast_object_ref::<Moment>(), right.downcast_object_ref::<Moment>()) {
        if left.zone.is_some() != right.zone.is_some() {
            return Some(Err(runtime("one of the dates has a time zone, and the other has none")));
        }
        return Some(Ok(Value::from_object(Delta(left.utc() - right.utc()))));
    }
    let (left, right) = (left.downcast_object_ref::<Date>()?, right.downcast_object_ref::<Date>()?);
    Some(Ok(Value::from_object(Delta(left.0 - right.0))))
}

fn out_of_range() -> Error {
    runtime("a part of this date is out of range")
}
