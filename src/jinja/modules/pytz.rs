//! `modules.pytz`: time zones by name.

use std::fmt;
use std::sync::Arc;

use chrono::{FixedOffset, NaiveDateTime, Offset, TimeZone};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::error::runtime;
use crate::jinja::functions::{Arguments, Function, Group};
use crate::jinja::modules::datetime::Moment;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Zone {
    Named(chrono_tz::Tz),
    Fixed(FixedOffset),
    /// A named zone that stays at one of its offsets, whatever the time of the year.
    At(chrono_tz::Tz, FixedOffset),
}

pub fn module() -> Value {
    let utc = || Value::from_object(Zone::Named(chrono_tz::UTC));
    Group::value("pytz", [("timezone", Function::value("timezone", timezone)), ("utc", utc()), ("UTC", utc())])
}

fn timezone(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let name = args.text(0)?;
    let zone = name.parse::<chrono_tz::Tz>().map_err(|_| runtime(format!("there is no time zone `{name}`")))?;
    Ok(Value::from_object(Zone::Named(zone)))
}

pub fn zone(value: &Value) -> Option<Zone> {
    value.downcast_object_ref::<Zone>().copied()
}

impl Zone {
    /// The zone as a datetime has it that was made with it, and not by `localize`: at its oldest offset, in whole
    /// minutes. Source: <https://pythonhosted.org/pytz/>.
    pub fn unlocalized(self) -> Zone {
        let Zone::Named(zone) = self else { return self };
        let oldest = zone.offset_from_utc_datetime(&NaiveDateTime::MIN).fix().local_minus_utc();
        match FixedOffset::east_opt((oldest + 30).div_euclid(60) * 60) {
            Some(offset) if zone != chrono_tz::UTC => Zone::At(zone, offset),
            _ => self,
        }
    }

    pub fn offset_at(&self, utc: NaiveDateTime) -> FixedOffset {
        match self {
            Zone::Named(zone) => zone.offset_from_utc_datetime(&utc).fix(),
            Zone::Fixed(offset) | Zone::At(_, offset) => *offset,
        }
    }

    /// The offset of a local time; of two possible ones the first, of none the one before the gap.
    pub fn offset_of(&self, local: NaiveDateTime) -> FixedOffset {
        match self {
            Zone::Named(zone) => match zone.offset_from_local_datetime(&local).earliest() {
                Some(offset) => offset.fix(),
                None => self.offset_at(local),
            },
            Zone::Fixed(offset) | Zone::At(_, offset) => *offset,
        }
    }

    pub fn abbreviation(&self, local: NaiveDateTime) -> String {
        match self {
            Zone::Named(zone) => match zone.from_local_datetime(&local).earliest() {
                Some(moment) => moment.format("%Z").to_string(),
                None => zone.name().to_string(),
            },
            Zone::At(zone, offset) => {
                let named = Zone::Named(*zone);
                if named.offset_of(local) == *offset { named.abbreviation(local) } else { "LMT".to_string() }
            }
            Zone::Fixed(offset) if offset.local_minus_utc() == 0 => "UTC".to_string(),
            Zone::Fixed(offset) => format!("UTC{offset}"),
        }
    }
}

impl Object for Zone {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("zone")).then(|| Value::from(self.to_string()))
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        match name {
            "localize" => {
                let moment = args.value(0, "dt")?;
                let moment = moment.downcast_object_ref::<Moment>().ok_or_else(|| args.missing("a datetime"))?;
                let zone = match **self {
                    Zone::At(zone, _) => Zone::Named(zone),
                    zone => zone,
                };
                Ok(Value::from_object(Moment { local: moment.local, zone: Some(zone) }))
            }
            "normalize" => args.required(0),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Zone::Named(zone) | Zone::At(zone, _) => f.write_str(zone.name()),
            Zone::Fixed(offset) if offset.local_minus_utc() == 0 => f.write_str("UTC"),
            Zone::Fixed(offset) => write!(f, "UTC{offset}"),
        }
    }
}
