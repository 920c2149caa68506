//! What dates, times and differences have: attributes, methods, an order, and how they are printed.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{Datelike, Duration, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use minijinja::value::{DynObject, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::functions::Arguments;
use crate::jinja::modules::datetime::class::{part, zone_argument};
use crate::jinja::modules::datetime::{Date, Delta, Moment, Time, out_of_range, strftime};
use crate::jinja::modules::pytz::{Zone, zone};

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
