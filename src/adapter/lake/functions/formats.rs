//! Turns moments into texts of a given form, and such texts into moments.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use datafusion::arrow::array::{Array, ArrayRef, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::common::Result;

use crate::adapter::lake::functions::scalar::{
    Spec, TIMESTAMP, each_text, failure, gives_text, gives_timestamp, is_text, no_such_types, primitive, text, texts,
};
use crate::adapter::lake::functions::times::{micros, moment};

pub const ALL: &[Spec] = &[
    Spec { name: "strftime", takes: moment_and_form, gives: gives_text, run: strftime, simpler: None },
    Spec { name: "strptime", takes: texts, gives: gives_timestamp, run: strptime, simpler: None },
    Spec { name: "try_strptime", takes: texts, gives: gives_timestamp, run: try_strptime, simpler: None },
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// DuckDB takes the two in either order.
fn moment_and_form(types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [first, second] if is_text(second) && !is_text(first) => Ok(vec![TIMESTAMP, DataType::Utf8]),
        [first, second] if is_text(first) && !is_text(second) => Ok(vec![DataType::Utf8, TIMESTAMP]),
        _ => Err(no_such_types("strftime", types)),
    }
}

fn strftime(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (moments, forms) = if is_text(args[0].data_type()) { (&args[1], &args[0]) } else { (&args[0], &args[1]) };
    let moments = primitive::<TimestampMicrosecondType>(moments, &TIMESTAMP)?;
    let forms = text(forms)?;
    each_text(moments.len(), |row| {
        if moments.is_null(row) || forms.is_null(row) {
            return Ok(None);
        }
        let at = moment(moments.value(row)).ok_or_else(|| failure("a timestamp lies outside of the calendar"))?;
        written_moment(at, forms.value(row)).map(Some)
    })
}

/// The letters of a form: a word after `%`, with `-` where it is not padded, or a plain letter.
fn pieces(form: &str) -> Vec<(bool, bool, char)> {
    let mut pieces = Vec::new();
    let mut chars = form.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next() {
                Some('-') => pieces.extend(chars.next().map(|letter| (true, false, letter))),
                Some(letter) => pieces.push((true, true, letter)),
                None => pieces.push((false, true, '%')),
            },
            other => pieces.push((false, true, other)),
        }
    }
    pieces
}

fn written_moment(at: NaiveDateTime, form: &str) -> Result<String> {
    let mut text = String::new();
    for (is_word, padded, letter) in pieces(form) {
        if !is_word {
            text.push(letter);
            continue;
        }
        let two = |number: u32| if padded { format!("{number:02}") } else { number.to_string() };
        let weekday = at.weekday().num_days_from_sunday() as usize;
        let hour12 = if at.hour().is_multiple_of(12) { 12 } else { at.hour() % 12 };
        text.push_str(&match letter {
            'Y' => format!("{:04}", at.year()),
            'y' => two(at.year().rem_euclid(100).unsigned_abs()),
            'm' => two(at.month()),
            'd' => two(at.day()),
            'H' => two(at.hour()),
            'I' => two(hour12),
            'M' => two(at.minute()),
            'S' => two(at.second()),
            'p' => if at.hour() < 12 { "AM" } else { "PM" }.to_string(),
            'f' => format!("{:06}", at.nanosecond() / 1_000),
            'g' => format!("{:03}", at.nanosecond() / 1_000_000),
            'n' => format!("{:09}", at.nanosecond()),
            'a' => WEEKDAYS[weekday][..3].to_string(),
            'A' => WEEKDAYS[weekday].to_string(),
            'b' | 'h' => MONTHS[at.month0() as usize][..3].to_string(),
            'B' => MONTHS[at.month0() as usize].to_string(),
            'j' => {
                if padded {
                    format!("{:03}", at.ordinal())
                } else {
                    at.ordinal().to_string()
                }
            }
            'w' => weekday.to_string(),
            'u' => at.weekday().number_from_monday().to_string(),
            'G' => format!("{:04}", at.iso_week().year()),
            'V' => two(at.iso_week().week()),
            'U' => two((at.ordinal() + 6 - at.weekday().num_days_from_sunday()) / 7),
            'W' => two((at.ordinal() + 6 - at.weekday().num_days_from_monday()) / 7),
            'c' => at.format("%Y-%m-%d %H:%M:%S").to_string(),
            'x' => at.format("%Y-%m-%d").to_string(),
            'X' => at.format("%H:%M:%S").to_string(),
            '%' => "%".to_string(),
            _ => return Err(failure(format!("`%{letter}` is no part of a form that DataFusion knows"))),
        });
    }
    Ok(text)
}

fn strptime(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    read_moments(args, false)
}

fn try_strptime(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    read_moments(args, true)
}

fn read_moments(args: &[ArrayRef], tries: bool) -> Result<ArrayRef> {
    let (texts, forms) = (text(&args[0])?, text(&args[1])?);
    let moments = (0..texts.len()).map(|row| {
        if texts.is_null(row) || forms.is_null(row) {
            return Ok(None);
        }
        match read_moment(texts.value(row), forms.value(row))? {
            None if !tries => {
                let (text, form) = (texts.value(row), forms.value(row));
                Err(failure(format!("Could not parse string \"{text}\" according to format specifier \"{form}\"")))
            }
            moment => Ok(moment.map(micros)),
        }
    });
    Ok(Arc::new(moments.collect::<Result<TimestampMicrosecondArray>>()?))
}

/// What has been read of a moment; what a form does not name is the start of 1900.
struct Read {
    year: i32,
    month: u32,
    day: u32,
    ordinal: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    micro: u32,
    is_afternoon: Option<bool>,
    offset: i64,
}

fn read_moment(text: &str, form: &str) -> Result<Option<NaiveDateTime>> {
    let mut read = Read {
        year: 1900,
        month: 1,
        day: 1,
        ordinal: None,
        hour: 0,
        minute: 0,
        second: 0,
        micro: 0,
        is_afternoon: None,
        offset: 0,
    };
    let mut rest = text.trim();
    for (is_word, _, letter) in pieces(form) {
        if !is_word {
            let next = if letter.is_whitespace() { Some(rest.trim_start()) } else { rest.strip_prefix(letter) };
            let Some(next) = next else { return Ok(None) };
            rest = next;
            continue;
        }
        let Some(next) = read_part(&mut read, letter, rest)? else { return Ok(None) };
        rest = next;
    }
    if !rest.trim().is_empty() {
        return Ok(None);
    }
    let hour = match read.is_afternoon {
        Some(is_afternoon) => read.hour % 12 + if is_afternoon { 12 } else { 0 },
        None => read.hour,
    };
    let date = match read.ordinal {
        Some(ordinal) => NaiveDate::from_yo_opt(read.year, ordinal),
        None => NaiveDate::from_ymd_opt(read.year, read.month, read.day),
    };
    let at = date.and_then(|date| date.and_hms_micro_opt(hour, read.minute, read.second, read.micro));
    Ok(at.and_then(|at| at.checked_sub_signed(chrono::TimeDelta::seconds(read.offset))))
}

fn read_part<'a>(read: &mut Read, letter: char, text: &'a str) -> Result<Option<&'a str>> {
    let digits = |most: usize| -> Option<(u32, &'a str)> {
        let length = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
        Some((text[..length].parse().ok()?, &text[length..]))
    };
    let named = |names: &[&str], length: Option<usize>| -> Option<(usize, &'a str)> {
        names.iter().enumerate().find_map(|(at, name)| {
            let name = length.map_or(*name, |length| &name[..length]);
            let found = text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            found.then(|| (at, &text[name.len()..]))
        })
    };
    macro_rules! set {
        ($field:ident, $most:expr) => {
            digits($most).map(|(number, rest)| {
                read.$field = number;
                rest
            })
        };
    }
    Ok(match letter {
        'Y' => digits(4).and_then(|(year, rest)| {
            read.year = i32::try_from(year).ok()?;
            Some(rest)
        }),
        'y' => digits(2).and_then(|(year, rest)| {
            read.year = i32::try_from(year).ok()? + if year < 69 { 2000 } else { 1900 };
            Some(rest)
        }),
        'm' => set!(month, 2),
        'd' => set!(day, 2),
        'H' | 'I' => set!(hour, 2),
        'M' => set!(minute, 2),
        'S' => set!(second, 2),
        'j' => digits(3).map(|(ordinal, rest)| {
            read.ordinal = Some(ordinal);
            rest
        }),
        'f' => {
            let length = text.bytes().take_while(u8::is_ascii_digit).count();
            let micro: String = text[..length].chars().chain("000000".chars()).take(6).collect();
            micro.parse().ok().filter(|_| length > 0).map(|micro| {
                read.micro = micro;
                &text[length..]
            })
        }
        'g' => digits(3).map(|(milli, rest)| {
            read.micro = milli * 1_000;
            rest
        }),
        'b' | 'h' => named(&MONTHS, Some(3)).map(|(at, rest)| {
            read.month = at as u32 + 1;
            rest
        }),
        'B' => named(&MONTHS, None).map(|(at, rest)| {
            read.month = at as u32 + 1;
            rest
        }),
        'a' => named(&WEEKDAYS, Some(3)).map(|(_, rest)| rest),
        'A' => named(&WEEKDAYS, None).map(|(_, rest)| rest),
        'p' => named(&["AM", "PM"], None).map(|(at, rest)| {
            read.is_afternoon = Some(at == 1);
            rest
        }),
        'z' => read_offset(read, text),
        '%' => text.strip_prefix('%'),
        _ => return Err(failure(format!("`%{letter}` is no part of a form that DataFusion reads"))),
    })
}

/// `+02`, `-0330`, `+03:30`, `Z`.
fn read_offset<'a>(read: &mut Read, text: &'a str) -> Option<&'a str> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some(rest);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let rest = text.strip_prefix(['+', '-'])?;
    let hours: i64 = rest.get(..2)?.parse().ok()?;
    let rest = &rest[2..];
    let minutes = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = match minutes.get(..2).and_then(|digits| digits.parse::<i64>().ok()) {
        Some(count) => (count, &minutes[2..]),
        None => (0, rest),
    };
    read.offset = sign * (hours * 3600 + minutes * 60);
    Some(rest)
}
