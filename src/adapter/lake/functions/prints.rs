//! Turns values into texts of a given form: `format` and `printf`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::common::Result;

use crate::adapter::lake::functions::casts::{convert, written};
use crate::adapter::lake::functions::scalar::{Spec, each_text, failure, gives_text, same, text};

pub const ALL: &[Spec] = &[
    Spec { name: "format", takes: same, gives: gives_text, run: format, simpler: None },
    Spec { name: "printf", takes: same, gives: gives_text, run: printf, simpler: None },
];

/// How one value is written.
#[derive(Default)]
struct Form {
    zeros: bool,
    left: bool,
    right: bool,
    grouped: bool,
    width: usize,
    precision: Option<usize>,
    kind: Option<char>,
}

/// A column of values to write.
enum Values {
    Whole(Int64Array),
    Float(Float64Array),
    Text(StringArray),
}

fn values(array: &ArrayRef) -> Result<Values> {
    Ok(match array.data_type() {
        number if number.is_integer() => {
            Values::Whole(convert(array, &DataType::Int64, false)?.as_primitive::<Int64Type>().clone())
        }
        number if number.is_numeric() => {
            Values::Float(convert(array, &DataType::Float64, false)?.as_primitive::<Float64Type>().clone())
        }
        _ => Values::Text(text(&written(array)?)?),
    })
}

fn format(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    fill(args, braces)
}

fn printf(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    fill(args, percents)
}

/// A form cut into plain text and values with the number of their argument.
type Parts = Vec<(String, Option<(usize, Form)>)>;

fn fill(args: &[ArrayRef], cut: impl Fn(&str) -> Option<Parts>) -> Result<ArrayRef> {
    let forms = text(&args[0])?;
    let columns = args[1..].iter().map(values).collect::<Result<Vec<_>>>()?;
    let is_null = |row: usize| args.iter().any(|arg| arg.is_null(row));
    each_text(forms.len(), |row| {
        if is_null(row) {
            return Ok(None);
        }
        let unknown = || failure(format!("DataFusion cannot write the form `{}`", forms.value(row)));
        let mut text = String::new();
        for (plain, value) in cut(forms.value(row)).ok_or_else(unknown)? {
            text.push_str(&plain);
            if let Some((at, form)) = value {
                let column = columns.get(at).ok_or_else(unknown)?;
                text.push_str(&one(column, row, &form).ok_or_else(unknown)?);
            }
        }
        Ok(Some(text))
    })
}

/// `{}`, `{1}`, `{:.2f}`, `{:,}`, `{:05d}`, `{:>8}`.
fn braces(form: &str) -> Option<Parts> {
    let mut parts = Parts::new();
    let mut plain = String::new();
    let mut chars = form.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        match c {
            '{' | '}' if chars.peek() == Some(&c) => {
                chars.next();
                plain.push(c);
            }
            '{' => {
                let inside: String = chars.by_ref().take_while(|c| *c != '}').collect();
                let (number, rest) = inside.split_once(':').unwrap_or((&inside, ""));
                let at = if number.is_empty() { next } else { number.parse().ok()? };
                next += 1;
                parts.push((std::mem::take(&mut plain), Some((at, read_form(rest)?))));
            }
            other => plain.push(other),
        }
    }
    parts.push((plain, None));
    Some(parts)
}

/// `%s`, `%d`, `%.2f`, `%05d`, `%,d`, `%-8s`.
fn percents(form: &str) -> Option<Parts> {
    let mut parts = Parts::new();
    let mut plain = String::new();
    let mut chars = form.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        match c {
            '%' if chars.peek() == Some(&'%') => {
                chars.next();
                plain.push('%');
            }
            '%' => {
                let mut inside = String::new();
                loop {
                    let letter = chars.next()?;
                    inside.push(letter);
                    if letter.is_ascii_alphabetic() {
                        break;
                    }
                }
                let left = inside.starts_with('-');
                let mut read = read_form(inside.trim_start_matches('-'))?;
                read.left = left;
                read.right = !left;
                parts.push((std::mem::take(&mut plain), Some((next, read))));
                next += 1;
            }
            other => plain.push(other),
        }
    }
    parts.push((plain, None));
    Some(parts)
}

fn read_form(text: &str) -> Option<Form> {
    let mut form = Form::default();
    let mut rest = text;
    if let Some(after) = rest.strip_prefix('<') {
        (form.left, rest) = (true, after);
    } else if let Some(after) = rest.strip_prefix('>') {
        (form.right, rest) = (true, after);
    }
    if let Some(after) = rest.strip_prefix('0') {
        (form.zeros, rest) = (true, after);
    }
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    form.width = if length == 0 { 0 } else { rest[..length].parse().ok()? };
    rest = &rest[length..];
    if let Some(after) = rest.strip_prefix(',') {
        (form.grouped, rest) = (true, after);
    }
    if let Some(after) = rest.strip_prefix('.') {
        let length = after.bytes().take_while(u8::is_ascii_digit).count();
        form.precision = Some(after[..length].parse().ok()?);
        rest = &after[length..];
    }
    let mut letters = rest.chars();
    form.kind = letters.next();
    (letters.next().is_none() && form.kind.is_none_or(|kind| matches!(kind, 'd' | 'f' | 's'))).then_some(form)
}

fn one(column: &Values, row: usize, form: &Form) -> Option<String> {
    let (is_number, text) = match (column, form.kind) {
        (Values::Whole(numbers), None | Some('d' | 's')) if form.precision.is_none() => {
            (true, numbers.value(row).to_string())
        }
        (Values::Float(numbers), Some('f')) => {
            let precision = form.precision.unwrap_or(6);
            (true, format!("{:.precision$}", numbers.value(row)))
        }
        (Values::Float(numbers), None) if form.precision.is_none() && !form.grouped => {
            let number: ArrayRef = Arc::new(numbers.slice(row, 1));
            (true, self::text(&written(&number).ok()?).ok()?.value(0).to_string())
        }
        (Values::Text(texts), None | Some('s')) if form.precision.is_none() && !form.grouped => {
            (false, texts.value(row).to_string())
        }
        _ => return None,
    };
    let text = if form.grouped { group(&text) } else { text };
    let missing = form.width.saturating_sub(text.chars().count());
    Some(if form.zeros && is_number {
        let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
        format!("{sign}{}{digits}", "0".repeat(missing))
    } else if form.left || (!form.right && !is_number) {
        text + &" ".repeat(missing)
    } else {
        " ".repeat(missing) + &text
    })
}

/// `1234567.5` as `1,234,567.5`.
fn group(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}
