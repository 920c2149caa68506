//! The classes of `modules.datetime`: what makes dates, times and differences from arguments and texts.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Duration, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, Utc};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::error::runtime;
use crate::jinja::functions::Arguments;
use crate::jinja::modules::datetime::{Date, Delta, Moment, Time, out_of_range, parse_moment};
use crate::jinja::modules::pytz::{Zone, zone};

/// The classes of the module, by name.
pub(super) struct Class(pub &'static str);

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

pub(super) fn part(value: i64) -> Result<u32, Error> {
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

pub(super) fn zone_argument(args: &Arguments, position: usize, name: &str) -> Option<Zone> {
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
