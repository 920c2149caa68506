//! Turns single values into the text that DuckDB prints for them, whichever engine they come from.

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;
use duckdb::types::TimeUnit;

/// Whether a value inside of a list, struct or map could be taken for syntax.
pub fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text.starts_with(|c: char| c.is_ascii_whitespace())
        || text.ends_with(|c: char| c.is_ascii_whitespace())
        || text.contains(['(', ')', '[', ']', '{', '}', ',', '"', '\'', ':', '='])
}

pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// A float from Rust's shortest scientific form, for instance `1.5e-7`.
pub fn float(scientific: &str) -> String {
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

pub fn blob(bytes: &[u8]) -> String {
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
pub fn bits(bytes: &[u8]) -> String {
    let padding = bytes.first().map_or(0, |byte| usize::from(*byte));
    let bits = bytes.iter().skip(1).map(|byte| format!("{byte:08b}"));
    bits.collect::<String>().get(padding..).unwrap_or_default().to_string()
}

pub fn date(days: i32) -> String {
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

pub fn nanos(unit: TimeUnit, ticks: i64) -> i128 {
    let scale = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    i128::from(ticks) * scale
}

/// `12:34:56.5`; zeros at the end of the fraction are left out.
pub fn time_of_day(nanos: i128) -> String {
    let seconds = nanos / 1_000_000_000;
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match nanos % 1_000_000_000 {
        0 => clock,
        fraction => format!("{clock}.{}", format!("{fraction:09}").trim_end_matches('0')),
    }
}

pub fn timestamp(unit: TimeUnit, ticks: i64) -> String {
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
pub fn zoned(unit: TimeUnit, ticks: i64, zone: Tz, form: &str) -> String {
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

pub fn interval(months: i32, days: i32, nanos: i64) -> String {
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
