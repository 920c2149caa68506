//! DuckDB's functions of JSON. A lakehouse keeps JSON as text.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListBuilder, StringBuilder, UInt64Array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use serde_json::Value as Json;

use crate::adapter::lake::functions::json_values::to_json;
use crate::adapter::lake::functions::scalar::{
    Spec, each_boolean, each_text, failure, gives_boolean, gives_text, gives_ubigint, is_text, same, text, texts,
};
use crate::adapter::lake::functions::texts::gives_list;

pub const ALL: &[Spec] = &[
    Spec { name: "json", takes: same, gives: gives_text, run: checked, simpler: None },
    Spec { name: "try_json", takes: same, gives: gives_text, run: tried, simpler: None },
    Spec { name: "json_extract", takes: texts, gives: gives_text, run: extract, simpler: None },
    Spec { name: "json_extract_string", takes: texts, gives: gives_text, run: extract_string, simpler: None },
    Spec { name: "json_exists", takes: texts, gives: gives_boolean, run: exists, simpler: None },
    Spec { name: "json_valid", takes: texts, gives: gives_boolean, run: valid, simpler: None },
    Spec { name: "json_array_length", takes: texts, gives: gives_ubigint, run: array_length, simpler: None },
    Spec { name: "json_keys", takes: texts, gives: gives_list, run: keys, simpler: None },
    Spec { name: "medal_object", takes: texts, gives: gives_text, run: members, simpler: None },
    Spec { name: "json_type", takes: texts, gives: gives_text, run: type_of, simpler: None },
];

pub fn parse(text: &str) -> Result<Json> {
    serde_json::from_str(text).map_err(|error| failure(format!("Malformed JSON: {error}, in `{text}`")))
}

/// The part of a value that a path names: `$.a[0]."b c"`, `/a/0`, a key or, if it is a number, an index.
fn at<'a>(json: &'a Json, path: &str) -> Result<Option<&'a Json>> {
    if path.starts_with('/') {
        return Ok(json.pointer(path));
    }
    let Some(steps) = path.strip_prefix('$') else {
        let index = path.parse::<i64>().ok().filter(|_| json.is_array());
        return Ok(match index {
            Some(index) => element(json, index),
            None => json.get(path),
        });
    };
    let mut found = Some(json);
    let mut rest = steps;
    while !rest.is_empty() {
        let unreadable =
            || failure(format!("the JSON path `{path}` cannot be read here; name one key or index a step"));
        if let Some(after) = rest.strip_prefix('.') {
            let (key, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(unreadable)?,
                None => after.split_at(after.find(['.', '[']).unwrap_or(after.len())),
            };
            if key.is_empty() || key.contains('*') {
                return Err(unreadable());
            }
            found = found.and_then(|json| json.get(key));
            rest = after;
        } else {
            let (index, after) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(unreadable)?;
            let index = match index.strip_prefix("#-") {
                Some(back) => -back.parse::<i64>().map_err(|_| unreadable())?,
                None => index.parse::<i64>().map_err(|_| unreadable())?,
            };
            found = found.and_then(|json| element(json, index));
            rest = after;
        }
    }
    Ok(found)
}

/// An element of an array, from its end if the index is negative.
fn element(json: &Json, index: i64) -> Option<&Json> {
    let items = json.as_array()?;
    let at = if index < 0 { index + i64::try_from(items.len()).ok()? } else { index };
    items.get(usize::try_from(at).ok()?)
}

/// A function of a value, or of the part that a path names.
fn of_part<V>(args: &[ArrayRef], row_of: impl Fn(&Json) -> Option<V>) -> Result<Vec<Option<V>>> {
    let jsons = text(&args[0])?;
    let paths = args.get(1).map(text).transpose()?;
    (0..jsons.len())
        .map(|row| {
            if jsons.is_null(row) || paths.as_ref().is_some_and(|paths| paths.is_null(row)) {
                return Ok(None);
            }
            let json = parse(jsons.value(row))?;
            let part = match &paths {
                Some(paths) => at(&json, paths.value(row))?,
                None => Some(&json),
            };
            Ok(part.and_then(&row_of))
        })
        .collect()
}

fn extract(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let parts = of_part(args, |json| Some(json.to_string()))?;
    Ok(Arc::new(datafusion::arrow::array::StringArray::from_iter(parts)))
}

fn extract_string(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let parts = of_part(args, |json| match json {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    })?;
    Ok(Arc::new(datafusion::arrow::array::StringArray::from_iter(parts)))
}

fn exists(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let found = of_part(args, |_| Some(()))?;
    let jsons = text(&args[0])?;
    each_boolean(jsons.len(), |row| Ok(jsons.is_valid(row).then(|| found[row].is_some())))
}

fn valid(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let jsons = text(&args[0])?;
    each_boolean(jsons.len(), |row| Ok(jsons.is_valid(row).then(|| parse(jsons.value(row)).is_ok())))
}

fn array_length(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let lengths = of_part(args, |json| Some(json.as_array().map_or(0, |items| items.len() as u64)))?;
    Ok(Arc::new(UInt64Array::from_iter(lengths)))
}

fn keys(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let keys = of_part(args, |json| Some(json.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>())))?;
    let mut list = ListBuilder::new(StringBuilder::new());
    for keys in keys {
        let present = keys.is_some();
        keys.flatten().into_iter().flatten().for_each(|key| list.values().append_value(key));
        list.append(present);
    }
    Ok(Arc::new(list.finish()))
}

fn type_of(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let names = of_part(args, |json| Some(kind(json)))?;
    Ok(Arc::new(datafusion::arrow::array::StringArray::from_iter(names)))
}

/// What DuckDB calls the type of a value.
pub fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "NULL",
        Json::Bool(_) => "BOOLEAN",
        Json::Number(number) if number.is_f64() => "DOUBLE",
        Json::Number(number) if number.is_u64() => "UBIGINT",
        Json::Number(_) => "BIGINT",
        Json::String(_) => "VARCHAR",
        Json::Array(_) => "ARRAY",
        Json::Object(_) => "OBJECT",
    }
}

/// An object of names and values, which are JSON: those that are there. Nothing, if none is. A number that JSON has not, as
/// NaN, becomes a text.
fn members(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = args.iter().map(text).collect::<Result<Vec<_>>>()?;
    each_text(texts.first().map_or(0, |first| first.len()), |row| {
        let mut object = serde_json::Map::new();
        for pair in texts.chunks_exact(2).filter(|pair| pair[1].is_valid(row)) {
            let value = pair[1].value(row);
            object.insert(
                pair[0].value(row).to_string(),
                parse(value).unwrap_or_else(|_| Json::String(value.to_string())),
            );
        }
        Ok((!object.is_empty()).then(|| Json::Object(object).to_string()))
    })
}

/// Text is JSON already, if it can be read; other values are written as JSON.
fn checked(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    if !is_text(args[0].data_type()) {
        return to_json(args, gives);
    }
    let jsons = text(&args[0])?;
    each_text(jsons.len(), |row| {
        let Some(text) = jsons.is_valid(row).then(|| jsons.value(row)) else { return Ok(None) };
        parse(text).map(|_| Some(text.to_string()))
    })
}

fn tried(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    if !is_text(args[0].data_type()) {
        return to_json(args, gives);
    }
    let jsons = text(&args[0])?;
    each_text(jsons.len(), |row| {
        Ok(jsons.is_valid(row).then(|| jsons.value(row)).filter(|text| parse(text).is_ok()).map(str::to_string))
    })
}
