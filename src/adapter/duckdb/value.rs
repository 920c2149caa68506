//! Turns DuckDB's values into cells, with the text that DuckDB itself prints for them.

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use duckdb::core::{LogicalTypeHandle, LogicalTypeId};
use duckdb::types::{TimeUnit, Value, ValueRef};

use crate::adapter::rows::Cell;

/// A value of a result as a cell. Times with a zone are shown in `zone`.
pub fn cell(value: ValueRef<'_>, kind: &ColumnType, zone: Tz) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Boolean(value) => Cell::Bool(value),
        ValueRef::TinyInt(value) => Cell::Int(value.into()),
        ValueRef::SmallInt(value) => Cell::Int(value.into()),
        ValueRef::Int(value) => Cell::Int(value.into()),
        ValueRef::BigInt(value) => Cell::Int(value.into()),
        ValueRef::UTinyInt(value) => Cell::Int(value.into()),
        ValueRef::USmallInt(value) => Cell::Int(value.into()),
        ValueRef::UInt(value) => Cell::Int(value.into()),
        ValueRef::UBigInt(value) => Cell::Int(value.into()),
        ValueRef::HugeInt(value) => Cell::Int(value),
        ValueRef::UHugeInt(value) => i128::try_from(value).map_or_else(|_| Cell::Decimal(value.to_string()), Cell::Int),
        ValueRef::Float(value) => Cell::Float(value.into()),
        ValueRef::Double(value) => Cell::Float(value),
        ValueRef::Decimal(value) => Cell::Decimal(value.to_string()),
        ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Date32(days) => Cell::Date(date(days)),
        ValueRef::Timestamp(unit, ticks) if kind.id == LogicalTypeId::TimestampTZ => {
            Cell::Timestamp(zoned(unit, ticks, zone, "+00:00"))
        }
        ValueRef::Timestamp(unit, ticks) => Cell::Timestamp(timestamp(unit, ticks)),
        ValueRef::Enum(..) => Cell::Text(text(&value.to_owned(), kind, zone)),
        other => match other.to_owned() {
            Value::Union(member) if *member == Value::Null => Cell::Null,
            value => Cell::Other(text(&value, kind, zone)),
        },
    }
}

/// What is needed of a column's type to write its values: the engine's type, unfolded once for all rows.
pub struct ColumnType {
    pub id: LogicalTypeId,
    children: Vec<ColumnType>,
    /// Structs without field names are written as tuples.
    unnamed: bool,
    /// DuckDB never puts such a value between quotes, not even inside of a list.
    verbatim: bool,
}

impl ColumnType {
    pub fn new(kind: &LogicalTypeHandle) -> ColumnType {
        let id = kind.id();
        let children = (0..kind.num_children()).map(|index| ColumnType::new(&kind.child(index))).collect::<Vec<_>>();
        let unnamed = id == LogicalTypeId::Struct && (0..children.len()).all(|index| kind.child_name(index).is_empty());
        let verbatim = !children.is_empty()
            || matches!(id, LogicalTypeId::Blob | LogicalTypeId::Bit)
            || kind.get_alias().is_some_and(|alias| alias == "JSON");
        ColumnType { id, children, unnamed, verbatim }
    }

    /// Whether the type, or a type inside of it, fulfils a condition.
    pub fn any(&self, condition: &impl Fn(LogicalTypeId) -> bool) -> bool {
        condition(self.id) || self.children.iter().any(|child| child.any(condition))
    }
}

/// A value as DuckDB prints it.
fn text(value: &Value, kind: &ColumnType, zone: Tz) -> String {
    match value {
        Value::Null => "NULL".to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::UTinyInt(value) => value.to_string(),
        Value::USmallInt(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::UBigInt(value) => value.to_string(),
        // Inside of lists a UHUGEINT comes as a signed number.
        Value::HugeInt(value) if kind.id == LogicalTypeId::UHugeint => (*value as u128).to_string(),
        Value::HugeInt(value) => value.to_string(),
        Value::UHugeInt(value) => value.to_string(),
        Value::Float(value) => float(&format!("{value:e}")),
        Value::Double(value) => float(&format!("{value:e}")),
        Value::Decimal(value) => value.to_string(),
        Value::Text(text) | Value::Enum(text) => text.clone(),
        Value::Blob(bytes) if kind.id == LogicalTypeId::Bit => bits(bytes),
        Value::Blob(bytes) => blob(bytes),
        Value::Date32(days) => date(*days),
        Value::Time64(unit, ticks) => time_of_day(nanos(*unit, *ticks)),
        Value::Timestamp(unit, ticks) if kind.id == LogicalTypeId::TimestampTZ => zoned(*unit, *ticks, zone, "+00"),
        Value::Timestamp(unit, ticks) => timestamp(*unit, *ticks),
        Value::Interval { months, days, nanos } => interval(*months, *days, *nanos),
        Value::List(items) | Value::Array(items) => {
            let items = items.iter().map(|item| element(item, kind.children.first(), zone));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Struct(fields) => {
            let fields = fields.iter().zip(&kind.children).map(|((name, value), child)| {
                let value = element(value, Some(child), zone);
                if kind.unnamed { value } else { format!("{}: {value}", quoted(name)) }
            });
            let fields = fields.collect::<Vec<_>>().join(", ");
            if kind.unnamed { format!("({fields})") } else { format!("{{{fields}}}") }
        }
        Value::Map(entries) => {
            let (keys, values) = (kind.children.first(), kind.children.get(1));
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{}={}", element(key, keys, zone), element(value, values, zone)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Union(value) => text(value, kind, zone),
        other => format!("{other:?}"),
    }
}

/// A value inside of a list, struct or map: quoted where its text could be taken for syntax.
fn element(value: &Value, kind: Option<&ColumnType>, zone: Tz) -> String {
    let plain = ColumnType { id: LogicalTypeId::Varchar, children: Vec::new(), unnamed: false, verbatim: false };
    let kind = kind.unwrap_or(&plain);
    let written = text(value, kind, zone);
    if *value == Value::Null || kind.verbatim || !needs_quotes(&written) { written } else { quoted(&written) }
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text.starts_with(|c: char| c.is_ascii_whitespace())
        || text.ends_with(|c: char| c.is_ascii_whitespace())
        || text.contains(['(', ')', '[', ']', '{', '}', ',', '"', '\'', ':', '='])
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A float from Rust's shortest scientific form, for instance `1.5e-7`.
fn float(scientific: &str) -> String {
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific.to_lowercase();
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let digits = digits.replace('.', "");
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}.0", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

fn blob(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' | b'\'' | b'"' => text.push_str(&format!("\\x{byte:02X}")),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02X}")),
        }
    }
    text
}

/// The first byte counts the bits at the start of the second that do not belong to the value.
fn bits(bytes: &[u8]) -> String {
    let padding = bytes.first().map_or(0, |byte| usize::from(*byte));
    let bits = bytes.iter().skip(1).map(|byte| format!("{byte:08b}"));
    bits.collect::<String>().get(padding..).unwrap_or_default().to_string()
}

fn date(days: i32) -> String {
    match days {
        i32::MAX => return "infinity".to_string(),
        days if days == -i32::MAX => return "-infinity".to_string(),
        _ => {}
    }
    let (year, month, day) = civil(days.into());
    if year > 0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{:04}-{month:02}-{day:02} (BC)", 1 - year)
    }
}

/// Year, month and day of a count of days since 1970-01-01, in the Gregorian calendar; chrono's range is too small.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years start in March here, so that the leap day is the last of a year; 146,097 days are 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

const DAY: i128 = 86_400_000_000_000;

fn nanos(unit: TimeUnit, ticks: i64) -> i128 {
    let scale = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    i128::from(ticks) * scale
}

/// `12:34:56.5`; zeros at the end of the fraction are left out.
fn time_of_day(nanos: i128) -> String {
    let seconds = nanos / 1_000_000_000;
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match nanos % 1_000_000_000 {
        0 => clock,
        fraction => format!("{clock}.{}", format!("{fraction:09}").trim_end_matches('0')),
    }
}

fn timestamp(unit: TimeUnit, ticks: i64) -> String {
    match ticks {
        i64::MAX => return "infinity".to_string(),
        ticks if ticks == -i64::MAX => return "-infinity".to_string(),
        _ => {}
    }
    let nanos = nanos(unit, ticks);
    let days = i32::try_from(nanos.div_euclid(DAY)).unwrap_or(i32::MAX);
    let date = date(days);
    let clock = time_of_day(nanos.rem_euclid(DAY));
    match date.strip_suffix(" (BC)") {
        None => format!("{date} {clock}"),
        Some(date) => format!("{date} (BC) {clock}"),
    }
}

/// A moment in a time zone. `form` shows how an offset of none is written: `+00` or `+00:00`.
fn zoned(unit: TimeUnit, ticks: i64, zone: Tz, form: &str) -> String {
    if ticks == i64::MAX || ticks == -i64::MAX {
        return timestamp(unit, ticks);
    }
    let seconds = nanos(unit, ticks).div_euclid(1_000_000_000);
    let moment = i64::try_from(seconds).ok().and_then(|seconds| DateTime::<Utc>::from_timestamp(seconds, 0));
    let offset = moment.map_or(0, |moment| zone.offset_from_utc_datetime(&moment.naive_utc()).fix().local_minus_utc());
    let micros = unit.to_micros(ticks).saturating_add(i64::from(offset) * 1_000_000);
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let local = timestamp(TimeUnit::Microsecond, micros);
    if minutes == 0 && form == "+00" {
        format!("{local}{sign}{hours:02}")
    } else {
        format!("{local}{sign}{hours:02}:{minutes:02}")
    }
}

fn interval(months: i32, days: i32, nanos: i64) -> String {
    let count = |number: i32, unit: &str| match number {
        0 => None,
        1 | -1 => Some(format!("{number} {unit}")),
        _ => Some(format!("{number} {unit}s")),
    };
    let parts = [count(months / 12, "year"), count(months % 12, "month"), count(days, "day")];
    let mut parts = parts.into_iter().flatten().collect::<Vec<_>>();
    if nanos != 0 || parts.is_empty() {
        let sign = if nanos < 0 { "-" } else { "" };
        parts.push(format!("{sign}{}", time_of_day(i128::from(nanos).abs())));
    }
    parts.join(" ")
}
