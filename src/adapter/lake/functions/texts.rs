//! DuckDB's functions of text that DataFusion lacks or gives another meaning.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListBuilder, StringBuilder, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::adapter::lake::functions::casts::written;
use crate::adapter::lake::functions::scalar::{
    Spec, bigint, each_bigint, each_text, gives_bigint, gives_text, gives_ubigint, no_such_types, same, text, texts,
};
use crate::hash::hex;

pub const ALL: &[Spec] = &[
    Spec { name: "concat", takes: same, gives: gives_text, run: concat, simpler: None },
    Spec { name: "concat_ws", takes: same, gives: gives_text, run: concat_ws, simpler: None },
    Spec { name: "lower", takes: texts, gives: gives_text, run: lower, simpler: None },
    Spec { name: "upper", takes: texts, gives: gives_text, run: upper, simpler: None },
    Spec { name: "replace", takes: texts, gives: gives_text, run: replace, simpler: None },
    Spec { name: "split_part", takes: text_text_number, gives: gives_text, run: split_part, simpler: None },
    Spec { name: "md5", takes: texts, gives: gives_text, run: md5_of, simpler: None },
    Spec { name: "md5_number_lower", takes: texts, gives: gives_ubigint, run: md5_number_lower, simpler: None },
    Spec { name: "sha1", takes: texts, gives: gives_text, run: sha1_of, simpler: None },
    Spec { name: "sha256", takes: texts_or_blob, gives: gives_text, run: sha256_of, simpler: None },
    Spec { name: "string_split", takes: texts, gives: gives_list, run: split, simpler: None },
    Spec { name: "strlen", takes: texts, gives: gives_bigint, run: bytes, simpler: None },
    Spec { name: "strpos", takes: texts, gives: gives_bigint, run: position, simpler: None },
    Spec { name: "substr", takes: text_and_numbers, gives: gives_text, run: substr, simpler: None },
    Spec { name: "reverse", takes: texts, gives: gives_text, run: reverse, simpler: None },
];

fn text_and_numbers(types: &[DataType]) -> Result<Vec<DataType>> {
    Ok(types.iter().enumerate().map(|(at, _)| if at == 0 { DataType::Utf8 } else { DataType::Int64 }).collect())
}

fn texts_or_blob(types: &[DataType]) -> Result<Vec<DataType>> {
    if types == [DataType::Binary] { Ok(types.to_vec()) } else { texts(types) }
}

fn text_text_number(types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() == 3 {
        Ok(vec![DataType::Utf8, DataType::Utf8, DataType::Int64])
    } else {
        Err(no_such_types("split_part", types))
    }
}

pub fn gives_list(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))))
}

/// NULL is left out.
fn concat(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let parts = args.iter().map(|arg| text(&written(arg)?)).collect::<Result<Vec<_>>>()?;
    each_text(args.first().map_or(0, |first| first.len()), |row| {
        let present = parts.iter().filter(|part| part.is_valid(row));
        Ok(Some(present.map(|part| part.value(row)).collect()))
    })
}

fn concat_ws(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let parts = args.iter().map(|arg| text(&written(arg)?)).collect::<Result<Vec<_>>>()?;
    let Some((separator, parts)) = parts.split_first() else { return Ok(args[0].clone()) };
    each_text(separator.len(), |row| {
        let present: Vec<&str> = parts.iter().filter(|part| part.is_valid(row)).map(|part| part.value(row)).collect();
        Ok(separator.is_valid(row).then(|| present.join(separator.value(row))))
    })
}

/// A function of one text.
fn of_text(args: &[ArrayRef], of: impl Fn(&str) -> String) -> Result<ArrayRef> {
    let texts = text(&args[0])?;
    each_text(texts.len(), |row| Ok(texts.is_valid(row).then(|| of(texts.value(row)))))
}

fn upper(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let of = |c: char| if c == 'ß' { 'ẞ' } else { only(c.to_uppercase()).unwrap_or(c) };
    of_text(args, |text| if text.is_ascii() { text.to_ascii_uppercase() } else { text.chars().map(of).collect() })
}

fn lower(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let of = |c: char| if c == 'İ' { 'i' } else { only(c.to_lowercase()).unwrap_or(c) };
    of_text(args, |text| if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().map(of).collect() })
}

/// DuckDB changes a letter into one letter, never into several.
fn only(mut letters: impl Iterator<Item = char>) -> Option<char> {
    letters.next().filter(|_| letters.next().is_none())
}

/// What is empty is found nowhere.
fn replace(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let parts = args.iter().map(text).collect::<Result<Vec<_>>>()?;
    each_text(parts[0].len(), |row| {
        if parts.iter().any(|part| part.is_null(row)) {
            return Ok(None);
        }
        let (text, old, new) = (parts[0].value(row), parts[1].value(row), parts[2].value(row));
        Ok(Some(if old.is_empty() { text.to_string() } else { text.replace(old, new) }))
    })
}

/// A part by its number, from the end if it is negative; empty if there is none.
fn split_part(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, separators, numbers) = (text(&args[0])?, text(&args[1])?, bigint(&args[2])?);
    each_text(texts.len(), |row| {
        if texts.is_null(row) || separators.is_null(row) || numbers.is_null(row) {
            return Ok(None);
        }
        let parts = parts_of(texts.value(row), separators.value(row));
        let number = numbers.value(row);
        let at = if number < 0 { number + parts.len() as i64 } else { number.max(1) - 1 };
        Ok(Some(usize::try_from(at).ok().and_then(|at| parts.get(at).cloned()).unwrap_or_default()))
    })
}

/// Without a separator every letter is a part.
fn parts_of(text: &str, separator: &str) -> Vec<String> {
    if separator.is_empty() {
        return text.chars().map(String::from).collect();
    }
    text.split(separator).map(str::to_string).collect()
}

fn md5_of(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    of_text(args, |text| hex(&Md5::digest(text)))
}

/// The last eight bytes of the digest as a number, the first of them the smallest.
fn md5_number_lower(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = text(&args[0])?;
    let number =
        |text: &str| Md5::digest(text)[8..].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    Ok(Arc::new(texts.iter().map(|text| text.map(number)).collect::<UInt64Array>()))
}

fn sha1_of(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    of_text(args, |text| hex(&sha1::Sha1::digest(text)))
}

fn sha256_of(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    match args[0].as_binary_opt::<i32>() {
        Some(blobs) => {
            each_text(blobs.len(), |row| Ok(blobs.is_valid(row).then(|| hex(&Sha256::digest(blobs.value(row))))))
        }
        None => of_text(args, |text| hex(&Sha256::digest(text))),
    }
}

fn reverse(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    of_text(args, |text| text.chars().rev().collect())
}

fn bytes(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = text(&args[0])?;
    each_bigint(texts.len(), |row| Ok(texts.is_valid(row).then(|| texts.value(row).len() as i64)))
}

/// The place of a text in another, in characters from 1; 0 if it is not there.
fn position(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, needles) = (text(&args[0])?, text(&args[1])?);
    each_bigint(texts.len(), |row| {
        if texts.is_null(row) || needles.is_null(row) {
            return Ok(None);
        }
        let (text, needle) = (texts.value(row), needles.value(row));
        Ok(Some(text.find(needle).map_or(0, |at| text[..at].chars().count() as i64 + 1)))
    })
}

/// From a place, counted from 1 or, if negative, from the end; without a length, up to the end.
fn substr(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, starts) = (text(&args[0])?, bigint(&args[1])?);
    let lengths = args.get(2).map(bigint).transpose()?;
    each_text(texts.len(), |row| {
        if texts.is_null(row) || starts.is_null(row) || lengths.as_ref().is_some_and(|lengths| lengths.is_null(row)) {
            return Ok(None);
        }
        let length = lengths.as_ref().map(|lengths| lengths.value(row));
        Ok(Some(piece(texts.value(row), starts.value(row), length)))
    })
}

fn piece(text: &str, start: i64, length: Option<i64>) -> String {
    let count = text.chars().count() as i64;
    let first = if start < 0 { (count + start).max(0) } else { start - 1 };
    let end = length.map_or(count, |length| first.saturating_add(length));
    // A negative length takes what stands before.
    let (from, to) = if end < first { (end, first) } else { (first, end) };
    let (from, to) = (from.clamp(0, count), to.clamp(0, count));
    text.chars().skip(from as usize).take((to - from) as usize).collect()
}

fn split(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, separators) = (text(&args[0])?, text(&args[1])?);
    let mut list = ListBuilder::new(StringBuilder::new());
    for row in 0..texts.len() {
        if texts.is_null(row) {
            list.append(false);
            continue;
        }
        let text = texts.value(row);
        match separators.is_valid(row).then(|| separators.value(row)) {
            None => list.values().append_value(text),
            Some(separator) => {
                parts_of(text, separator).iter().for_each(|part| list.values().append_value(part));
            }
        }
        list.append(true);
    }
    Ok(Arc::new(list.finish()))
}
