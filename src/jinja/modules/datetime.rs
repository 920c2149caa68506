//! `modules.datetime`: dates, times and differences, printed as Python prints them.

use std::cmp::Ordering;
use std::fmt::{self, Write};
use std::sync::Arc;

use chrono::{
    DateTime, Datelike, Duration, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike, Utc,
};
use minijinja::value::{DynObject, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::error::runtime;
use crate::jinja::functions::{Arguments, Group};
use crate::jinja::modules::pytz::{Zone, zone};

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

/// The classes of the module, by name.
struct Class(&'static str);

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

fn strptime(args: &Arguments) -> Result<Value, Error> {
    let (text, format) = (args.text(0)?, args.text(1)?);
    let format = format.replace("%f", "%6f").replace(".%6f", "%.f");
    if let Ok(moment) = DateTime::parse_from_str(&text, &format) {
        let zone = Some(Zone::Fixed(moment.offset().fix()));
        return Ok(Value::from_object(Moment { local: moment.naive_local(), zone }));
    }
    let local = NaiveDateTime::parse_from_str(&text, &format)
        .ok()
        .or_else(|| NaiveDate::parse_from_str(&text, &format).ok()?.and_hms_opt(0, 0, 0))
        .or_else(|| NaiveDate::parse_from_str(&format!("{text} 1"), &format!("{format} %d")).ok()?.and_hms_opt(0, 0, 0))
        .or_else(|| {
            Some(NaiveDate::from_ymd_opt(1900, 1, 1)?.and_time(NaiveTime::parse_from_str(&text, &format).ok()?))
        });
    let local = local.ok_or_else(|| runtime(format!("the time `{text}` does not have the format `{format}`")))?;
    Ok(Value::from_object(Moment { local, zone: None }))
}

fn number(args: &Arguments, position: usize, name: &str, default: i64) -> Result<i64, Error> {
    args.get(position, name).map_or(Ok(default), i64::try_from)
}

fn out_of_range() -> Error {
    runtime("a part of this date is out of range")
}

fn part(value: i64) -> Result<u32, Error> {
    u32::try_from(value).map_err(|_| out_of_range())
}

fn new_date(args: &Arguments) -> Result<NaiveDate, Error> {
    let (year, month, day) = (number(args, 0, "year", 0)?, number(args, 1, "month", 0)?, number(args, 2, "day", 0)?);
    let year = i32::try_from(year).ok().filter(|year| (1..=9999).contains(year)).ok_or_else(out_of_range)?;
    NaiveDate::from_ymd_opt(year, part(month)?, part(day)?).ok_or_else(out_of_range)
}

fn new_time(args: &Arguments, from: usize) -> Result<NaiveTime, Error> {
    let names = ["hour", "minute", "second", "microsecond"];
    let mut parts = [0; 4];
    for (index, name) in names.iter().enumerate() {
        parts[index] = part(number(args, from + index, name, 0)?)?;
    }
    NaiveTime::from_hms_micro_opt(parts[0], parts[1], parts[2], parts[3]).ok_or_else(out_of_range)
}

fn new_delta(args: &Arguments) -> Result<Value, Error> {
    const UNITS: [(&str, f64); 7] = [
        ("days", 86_400e6),
        ("seconds", 1e6),
        ("microseconds", 1.0),
        ("milliseconds", 1e3),
        ("minutes", 60e6),
        ("hours", 3_600e6),
        ("weeks", 604_800e6),
    ];
    let mut micros = 0.0;
    for (index, (name, unit)) in UNITS.iter().enumerate() {
        let count = args.get(index, name).map_or(Ok(0.0), f64::try_from)?;
        micros += count * unit;
    }
    if micros.abs() > 8.64e19 {
        return Err(out_of_range());
    }
    Ok(Value::from_object(Delta(Duration::microseconds(micros.round() as i64))))
}

fn zone_argument(args: &Arguments, position: usize, name: &str) -> Option<Zone> {
    args.get(position, name).and_then(|value| zone(&value))
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<class 'datetime.{}'>", self.0)
    }
}

impl Object for Class {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (self.0 == "timezone" && key.as_str() == Some("utc")).then(|| Value::from_object(Zone::Named(chrono_tz::UTC)))
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(self.0, args);
        Ok(match self.0 {
            "datetime" => {
                let local = new_date(&args)?.and_time(new_time(&args, 3)?);
                let zone = zone_argument(&args, 7, "tzinfo").map(Zone::unlocalized);
                Value::from_object(Moment { local, zone })
            }
            "date" => Value::from_object(Date(new_date(&args)?)),
            "time" => Value::from_object(Time(new_time(&args, 0)?)),
            "timedelta" => new_delta(&args)?,
            _ => {
                let delta = args.required(0)?;
                let delta = delta.downcast_object_ref::<Delta>().ok_or_else(|| args.missing("a timedelta"))?;
                let offset = FixedOffset::east_opt(i32::try_from(delta.0.num_seconds()).unwrap_or(i32::MAX));
                Value::from_object(Zone::Fixed(offset.ok_or_else(out_of_range)?))
            }
        })
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        let unknown = || Error::from(ErrorKind::UnknownMethod);
        Ok(match (self.0, name) {
            ("datetime", "now") => Value::from_object(Moment::now(zone_argument(&args, 0, "tz"))),
            ("datetime", "today") => Value::from_object(Moment::now(None)),
            ("datetime", "utcnow") => Value::from_object(Moment { local: Utc::now().naive_utc(), zone: None }),
            ("datetime", "strptime") => strptime(&args)?,
            ("datetime", "fromisoformat") => {
                let moment =
                    parse_moment(&args.text(0)?).ok_or_else(|| runtime("this is no date of the ISO format"))?;
                Value::from_object(moment)
            }
            ("datetime", "fromtimestamp" | "utcfromtimestamp") => {
                let seconds = f64::try_from(args.required(0)?)?;
                let utc = DateTime::from_timestamp_micros((seconds * 1e6) as i64).ok_or_else(out_of_range)?.naive_utc();
                match zone_argument(&args, 1, "tz") {
                    Some(zone) => Value::from_object(Moment::at(utc, zone)),
                    None => Value::from_object(Moment { local: utc, zone: None }),
                }
            }
            ("datetime", "combine") => {
                let (date, time) = (args.required(0)?, args.required(1)?);
                let date = date.downcast_object_ref::<Date>().ok_or_else(|| args.missing("a date"))?.0;
                let time = time.downcast_object_ref::<Time>().ok_or_else(|| args.missing("a time"))?.0;
                Value::from_object(Moment { local: date.and_time(time), zone: None })
            }
            ("date", "today") => Value::from_object(Date(chrono::Local::now().date_naive())),
            ("date", "fromisoformat") => {
                let date = NaiveDate::parse_from_str(&args.text(0)?, "%Y-%m-%d");
                Value::from_object(Date(date.map_err(|_| runtime("this is no date of the ISO format"))?))
            }
            _ => return Err(unknown()),
        })
    }
}

fn date_attribute(date: NaiveDate, name: &str) -> Option<Value> {
    Some(match name {
        "year" => Value::from(date.year()),
        "month" => Value::from(date.month()),
        "day" => Value::from(date.day()),
        _ => return None,
    })
}

fn time_attribute(time: NaiveTime, name: &str) -> Option<Value> {
    Some(match name {
        "hour" => Value::from(time.hour()),
        "minute" => Value::from(time.minute()),
        "second" => Value::from(time.second()),
        "microsecond" => Value::from(time.nanosecond() / 1000),
        _ => return None,
    })
}

fn date_method(date: NaiveDate, name: &str) -> Option<Value> {
    Some(match name {
        "weekday" => Value::from(date.weekday().num_days_from_monday()),
        "isoweekday" => Value::from(date.weekday().number_from_monday()),
        "isocalendar" => {
            let week = date.iso_week();
            Value::from((week.year(), week.week(), date.weekday().number_from_monday()))
        }
        "toordinal" => Value::from(date.num_days_from_ce()),
        _ => return None,
    })
}

/// `replace(year=…, hour=…)`.
fn replaced(local: NaiveDateTime, args: &Arguments) -> Result<NaiveDateTime, Error> {
    let mut local = Some(local);
    for (name, value) in args.keywords() {
        if name == "tzinfo" {
            continue;
        }
        let value = i64::try_from(value)?;
        let number = part(value)?;
        local = local.and_then(|local| match name.as_str() {
            "year" => local.with_year(i32::try_from(value).ok()?),
            "month" => local.with_month(number),
            "day" => local.with_day(number),
            "hour" => local.with_hour(number),
            "minute" => local.with_minute(number),
            "second" => local.with_second(number),
            "microsecond" => local.with_nanosecond(number.checked_mul(1000)?),
            _ => None,
        });
    }
    local.ok_or_else(out_of_range)
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        if key == "tzinfo" {
            let zone = self.zone.map(|zone| match zone {
                Zone::Named(name) if name != chrono_tz::UTC => Zone::At(name, zone.offset_of(self.local)),
                zone => zone,
            });
            return Some(zone.map_or_else(|| Value::from(()), Value::from_object));
        }
        date_attribute(self.local.date(), key).or_else(|| time_attribute(self.local.time(), key))
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        Ok(match name {
            "strftime" | "__format__" => strftime(self, &args.text(0)?)?,
            "isoformat" => {
                Value::from(self.isoformat(&args.optional_text(0, "sep").unwrap_or_else(|| "T".to_string())))
            }
            "date" => Value::from_object(Date(self.local.date())),
            "time" => Value::from_object(Time(self.local.time())),
            "timestamp" => Value::from(self.utc().and_utc().timestamp_micros() as f64 / 1e6),
            "replace" => {
                let zone = match args.keyword("tzinfo") {
                    Some(value) => zone(&value).map(Zone::unlocalized),
                    None => self.zone,
                };
                Value::from_object(Moment { local: replaced(self.local, &args)?, zone })
            }
            "astimezone" => match zone_argument(&args, 0, "tz") {
                Some(zone) => Value::from_object(Moment::at(self.utc(), zone)),
                None => Value::from_object(**self),
            },
            "utcoffset" => self.offset().map_or_else(
                || Value::from(()),
                |offset| Value::from_object(Delta(Duration::seconds(offset.local_minus_utc().into()))),
            ),
            "tzname" => self.zone.map_or_else(|| Value::from(()), |zone| Value::from(zone.abbreviation(self.local))),
            "ctime" => strftime(self, "%a %b %e %H:%M:%S %Y")?,
            _ => return date_method(self.local.date(), name).ok_or_else(|| Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.utc().cmp(&other.downcast_ref::<Moment>()?.utc()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.isoformat(" "))
    }
}

impl Object for Date {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        date_attribute(self.0, key.as_str()?)
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        let midnight = self.0.and_time(NaiveTime::MIN);
        Ok(match name {
            "strftime" => strftime(&Moment { local: midnight, zone: None }, &args.text(0)?)?,
            "isoformat" => Value::from(self.0.to_string()),
            "replace" => Value::from_object(Date(replaced(midnight, &args)?.date())),
            _ => return date_method(self.0, name).ok_or_else(|| Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Date>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Object for Time {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        time_attribute(self.0, key.as_str()?)
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        let date = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default();
        match name {
            "strftime" => strftime(&Moment { local: date.and_time(self.0), zone: None }, &args.text(0)?),
            "isoformat" => Ok(Value::from(self.to_string())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Time>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Object for Delta {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (days, seconds, micros) = self.parts();
        Some(match key.as_str()? {
            "days" => Value::from(days),
            "seconds" => Value::from(seconds),
            "microseconds" => Value::from(micros),
            _ => return None,
        })
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, _args: &[Value]) -> Result<Value, Error> {
        match name {
            "total_seconds" => Ok(Value::from(self.0.num_microseconds().unwrap_or(i64::MAX) as f64 / 1e6)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Delta>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
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
