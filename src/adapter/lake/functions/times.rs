//! Turns days and microseconds since 1970 into dates and times, and back.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime};

pub const MICROS_PER_DAY: i64 = 86_400_000_000;

pub fn days(date: NaiveDate) -> i32 {
    date.to_epoch_days()
}

pub fn moment(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|moment| moment.naive_utc())
}

pub fn micros(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_micros()
}

pub fn midnight(date: NaiveDate) -> NaiveDateTime {
    date.and_time(NaiveTime::MIN)
}

pub fn last_day(date: NaiveDate) -> Option<NaiveDate> {
    date.with_day(1)?.checked_add_months(Months::new(1))?.checked_sub_days(Days::new(1))
}

/// Reads `2024-1-31`, also with `/` or blanks round it; what follows the day is given back.
pub fn read_date(text: &str) -> Option<(NaiveDate, &str)> {
    let text = text.trim();
    let (year, rest) = digits(text, 4)?;
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/' | ' ' | '\\'))?;
    let (month, rest) = digits(rest.strip_prefix(separator)?, 2)?;
    let (day, rest) = digits(rest.strip_prefix(separator)?, 2)?;
    Some((NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?, rest))
}

/// Reads a date and an optional time: `2024-01-31 12:00:05.25`, `2024-01-31T12:00:05+02`. With an offset it is that
/// moment in UTC.
pub fn read_moment(text: &str) -> Option<NaiveDateTime> {
    let (day, rest) = read_date(text)?;
    let rest = rest.trim_end();
    let Some(clock) = rest.strip_prefix(['T', 't', ' ']) else {
        return rest.is_empty().then(|| midnight(day));
    };
    let (time, rest) = read_time(clock.trim_start())?;
    let offset = read_offset(rest.trim())?;
    day.and_time(time).checked_sub_signed(chrono::TimeDelta::seconds(offset))
}

/// Reads `12:00`, `12:00:05.25`.
pub fn read_time(text: &str) -> Option<(NaiveTime, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let Some(seconds) = rest.strip_prefix(':') else {
        return Some((NaiveTime::from_hms_opt(hour, minute, 0)?, rest));
    };
    let (second, rest) = digits(seconds, 2)?;
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some((NaiveTime::from_hms_opt(hour, minute, second)?, rest));
    };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let micros: String = fraction[..length].chars().chain("000000".chars()).take(6).collect();
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros.parse().ok()?)?;
    Some((time, &fraction[length..]))
}

/// Seconds east of UTC: ``, `Z`, `+02`, `-03:30`, `UTC`.
fn read_offset(text: &str) -> Option<i64> {
    if matches!(text, "" | "Z" | "z" | "UTC") {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (hours, rest) = digits(text.strip_prefix(['+', '-'])?, 2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let minutes = if rest.is_empty() { 0 } else { digits(rest, 2).filter(|(_, rest)| rest.is_empty())?.0 };
    Some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
}

/// A number of one to `most` digits, and what follows it.
fn digits(text: &str, most: usize) -> Option<(u32, &str)> {
    let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    Some((text[..length].parse().ok()?, &text[length..]))
}
