//! How Python would print, compare and serialise a value of a template.

use std::fmt::{self, Write};

use indexmap::IndexMap;
use minijinja::value::{ObjectRepr, ValueKind};
use minijinja::{Error, Value};
use serde_json::Value as Json;

use crate::jinja::JsonMap;
use crate::jinja::collections::{Dict, Entries, List};
use crate::jinja::error::runtime;
use crate::jinja::limits;
use crate::jinja::methods;
use crate::jinja::modules::datetime;
use crate::jinja::objects::relation::RelationObject;

/// A list that minijinja computes when it is read (a slice, a filter …); our own objects are never of this kind.
pub fn is_lazy_list(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.repr() == ObjectRepr::Iterable)
}

/// A dict literal or keyword arguments.
pub fn is_native_map(value: &Value) -> bool {
    value.is_kwargs() || value.downcast_object_ref::<IndexMap<Value, Value>>().is_some()
}

/// `str(value)`.
pub fn text(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.to_string(),
        None => {
            let mut out = Limited(String::new());
            // It fails only when there is too much, which is found when the text is stored or put out.
            let _ = write_text(&mut out, value);
            out.0
        }
    }
}

/// Text that ends when it is larger than any variable may be: a small list can print as a huge text.
struct Limited(String);

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.len() > limits::TEXT { Err(fmt::Error) } else { Ok(()) }
    }
}

pub fn write_text(out: &mut impl Write, value: &Value) -> fmt::Result {
    match value.kind() {
        ValueKind::Undefined => Ok(()),
        ValueKind::String => out.write_str(value.as_str().unwrap_or_default()),
        ValueKind::Number => write_number(out, value),
        ValueKind::Plain | ValueKind::Map if !is_native_map(value) => write!(out, "{value}"),
        _ => write_repr(out, value),
    }
}

/// `repr(value)`.
pub fn write_repr(out: &mut impl Write, value: &Value) -> fmt::Result {
    match value.kind() {
        ValueKind::Undefined => out.write_str("Undefined"),
        ValueKind::Number => write_number(out, value),
        ValueKind::Map if value.downcast_object_ref::<RelationObject>().is_some() => {
            write!(out, "<DuckDBRelation {value}>")
        }
        ValueKind::Map if is_native_map(value) => {
            write_entries(out, &methods::pairs(value).unwrap_or_default().into_iter().collect())
        }
        ValueKind::Seq if value.is_tuple() => {
            let items: Vec<Value> = value.try_iter().into_iter().flatten().collect();
            let close = if items.len() == 1 { ",)" } else { ")" };
            write_items(out, "(", items, close)
        }
        ValueKind::Seq | ValueKind::Iterable if is_native_list(value) => {
            write_items(out, "[", value.try_iter().into_iter().flatten().collect(), "]")
        }
        _ => match datetime::repr(value) {
            Some(text) => out.write_str(&text),
            None => write!(out, "{value:?}"),
        },
    }
}

/// A list literal, or a list that minijinja has made.
fn is_native_list(value: &Value) -> bool {
    is_lazy_list(value) || value.downcast_object_ref::<Vec<Value>>().is_some()
}

fn write_number(out: &mut impl Write, value: &Value) -> fmt::Result {
    if value.is_integer() {
        return write!(out, "{value}");
    }
    match f64::try_from(value.clone()) {
        Ok(float) => out.write_str(&float_text(float)),
        Err(_) => write!(out, "{value}"),
    }
}

/// A float as Python writes it: `1e+16`, `1e-07`, `5.0`.
pub fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_string();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_string();
    }
    let plain = float == 0.0 || (1e-4..1e16).contains(&float.abs());
    if plain {
        let text = float.to_string();
        return if text.contains('.') { text } else { text + ".0" };
    }
    let text = format!("{float:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{digits}e{sign}{exponent:0>2}")
}

pub fn write_items(f: &mut impl Write, open: &str, items: Vec<Value>, close: &str) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write_repr(f, item)?;
    }
    f.write_str(close)
}

pub fn write_entries(f: &mut impl Write, entries: &Entries) -> fmt::Result {
    f.write_char('{')?;
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write_repr(f, key)?;
        f.write_str(": ")?;
        write_repr(f, value)?;
    }
    f.write_char('}')
}

/// Python's name of a value's type, for messages.
pub fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "undefined",
        ValueKind::None => "None",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Seq if value.is_tuple() => "tuple",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "dict",
        _ => "object",
    }
}

pub fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), _, _) => Value::from(int),
            (_, Some(int), _) => Value::from(int),
            (_, _, float) => Value::from(float.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => List::value(items.iter().map(from_json).collect()).unwrap_or_default(),
        Json::Object(map) => from_map(map),
    }
}

pub fn from_map(map: &JsonMap) -> Value {
    let entries = map.iter().map(|(key, value)| (Value::from(key.as_str()), from_json(value)));
    Dict::value(entries.collect()).unwrap_or_default()
}

/// A value as JSON; what JSON does not know becomes its text.
pub fn to_json(value: &Value) -> Json {
    to_json_at(value, &mut |other| Ok(Json::String(text(other))), 0, &mut 0).unwrap_or(Json::Null)
}

/// A value as JSON, if Python's `json.dumps` would take it.
pub fn to_strict_json(value: &Value) -> Result<Json, Error> {
    let mut refuse = |other: &Value| Err(runtime(format!("a value of type {} cannot become JSON", type_name(other))));
    to_json_at(value, &mut refuse, 0, &mut 0)
}

fn to_json_at(
    value: &Value,
    other: &mut dyn FnMut(&Value) -> Result<Json, Error>,
    depth: usize,
    count: &mut usize,
) -> Result<Json, Error> {
    if depth > 250 {
        return Err(runtime("this value is nested too deeply"));
    }
    // A list that is in itself many times is small until it is written out.
    *count += 1;
    limits::length(*count)?;
    match value.kind() {
        ValueKind::None => Ok(Json::Null),
        ValueKind::Bool => Ok(Json::Bool(value.is_true())),
        ValueKind::Number => number_to_json(value).map_or_else(|| other(value), Ok),
        ValueKind::String => Ok(Json::String(value.as_str().unwrap_or_default().to_string())),
        ValueKind::Seq | ValueKind::Iterable => {
            let items = value.try_iter()?.map(|item| to_json_at(&item, other, depth + 1, count));
            Ok(Json::Array(items.collect::<Result<_, _>>()?))
        }
        ValueKind::Map => {
            if value.downcast_object_ref::<RelationObject>().is_some() {
                return other(value);
            }
            let mut map = JsonMap::new();
            for key in value.try_iter()? {
                let entry = to_json_at(&value.get_item(&key)?, other, depth + 1, count)?;
                map.insert(json_key(&key), entry);
            }
            Ok(Json::Object(map))
        }
        _ => other(value),
    }
}

fn number_to_json(value: &Value) -> Option<Json> {
    if !value.is_integer() {
        return serde_json::Number::from_f64(f64::try_from(value.clone()).ok()?).map(Json::Number);
    }
    match value.as_i64() {
        Some(int) => Some(Json::from(int)),
        None => u64::try_from(value.clone()).ok().map(Json::from),
    }
}

fn json_key(key: &Value) -> String {
    match key.kind() {
        ValueKind::None => "null".to_string(),
        ValueKind::Bool => key.is_true().to_string(),
        _ => text(key),
    }
}

/// `json.dumps`: a space after `,` and `:`, and only ASCII.
pub fn dump_json(json: &Json, sort_keys: bool) -> String {
    let mut out = String::new();
    write_json(&mut out, json, sort_keys);
    out
}

fn write_json(out: &mut String, json: &Json, sort_keys: bool) {
    match json {
        Json::String(text) => write_json_text(out, text),
        Json::Number(number) if number.is_f64() => out.push_str(&float_text(number.as_f64().unwrap_or_default())),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_json(out, item, sort_keys);
            }
            out.push(']');
        }
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            if sort_keys {
                entries.sort_by_key(|(key, _)| *key);
            }
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_json_text(out, key);
                out.push_str(": ");
                write_json(out, value, sort_keys);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn write_json_text(out: &mut String, text: &str) {
    for char in Json::from(text).to_string().chars() {
        if char.is_ascii() && char != '\u{7f}' {
            out.push(char);
        } else {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
}
