//! Turns YAML text into JSON values and back, as `fromyaml` and `toyaml` do: the YAML 1.1 that Python reads.

use std::collections::BTreeMap;
use std::iter::Peekable;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Value as Json;

use crate::jinja::JsonMap;
use crate::jinja::python;

/// The first document of a text; `None` if it is not YAML.
pub fn parse(text: &str) -> Option<Json> {
    let events = Parser::new_from_str(text).map(|event| event.map(|(event, _)| event));
    let events = events.collect::<Result<Vec<_>, _>>().ok()?;
    let mut reader = Reader { events: events.into_iter().peekable(), anchors: BTreeMap::new() };
    while let Some(Event::StreamStart | Event::DocumentStart(_) | Event::Nothing) = reader.events.peek() {
        reader.events.next();
    }
    match reader.events.peek() {
        Some(Event::StreamEnd) | None => Some(Json::Null),
        Some(_) => reader.value(0),
    }
}

struct Reader<'a, I: Iterator<Item = Event<'a>>> {
    events: Peekable<I>,
    anchors: BTreeMap<usize, Json>,
}

impl<'a, I: Iterator<Item = Event<'a>>> Reader<'a, I> {
    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > 100 {
            return None;
        }
        let (anchor, value) = match self.events.next()? {
            Event::Scalar(text, ScalarStyle::Plain, anchor, _) => (anchor, plain(&text)),
            Event::Scalar(text, _, anchor, _) => (anchor, Json::String(text.into_owned())),
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                while !matches!(self.events.peek()?, Event::SequenceEnd) {
                    items.push(self.value(depth + 1)?);
                }
                self.events.next();
                (anchor, Json::Array(items))
            }
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?),
            Event::Alias(anchor) => return self.anchors.get(&anchor).cloned(),
            _ => return None,
        };
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Some(value)
    }

    fn mapping(&mut self, depth: usize) -> Option<Json> {
        let mut map = JsonMap::new();
        while !matches!(self.events.peek()?, Event::MappingEnd) {
            let key = match self.value(depth + 1)? {
                Json::String(text) => text,
                other => other.to_string(),
            };
            match (key.as_str(), self.value(depth + 1)?) {
                ("<<", Json::Object(merged)) => {
                    for (key, value) in merged {
                        map.entry(key).or_insert(value);
                    }
                }
                (_, value) => drop(map.insert(key, value)),
            }
        }
        self.events.next();
        Some(Json::Object(map))
    }
}

/// A scalar without quotes.
fn plain(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return Json::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return Json::Bool(false),
        _ => {}
    }
    let digits = text.replace('_', "");
    if digits.starts_with(|char: char| char.is_ascii_digit() || matches!(char, '-' | '+' | '.')) {
        if let Ok(int) = digits.parse::<i64>() {
            return Json::from(int);
        }
        let is_float =
            digits.contains('.') && digits.chars().all(|char| char.is_ascii_digit() || "+-.eE".contains(char));
        if let (true, Ok(float)) = (is_float, digits.parse::<f64>()) {
            return Json::from(float);
        }
    }
    Json::String(text.to_string())
}

/// A value as YAML in block style.
pub fn dump(json: &Json, sort_keys: bool) -> String {
    let mut out = String::new();
    match json {
        Json::Array(items) if !items.is_empty() => write_block(&mut out, json, 0, sort_keys),
        Json::Object(map) if !map.is_empty() => write_block(&mut out, json, 0, sort_keys),
        scalar => {
            out.push_str(&scalar_text(scalar));
            out.push_str(if scalar.is_array() || scalar.is_object() { "\n" } else { "\n...\n" });
        }
    }
    out
}

fn write_block(out: &mut String, json: &Json, indent: usize, sort_keys: bool) {
    let pad = " ".repeat(indent);
    match json {
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            if sort_keys {
                entries.sort_by_key(|(key, _)| *key);
            }
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 || !out.ends_with("- ") {
                    out.push_str(&pad);
                }
                out.push_str(&scalar_text(&Json::from(key.as_str())));
                out.push(':');
                // Python's YAML does not indent a list inside of a dict.
                write_entry(out, value, if value.is_array() { indent } else { indent + 2 }, sort_keys);
            }
        }
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 || !out.ends_with("- ") {
                    out.push_str(&pad);
                }
                out.push('-');
                if is_block(item) {
                    out.push(' ');
                    write_block(out, item, indent + 2, sort_keys);
                } else {
                    write_entry(out, item, indent + 2, sort_keys);
                }
            }
        }
        _ => {}
    }
}

fn is_block(json: &Json) -> bool {
    json.as_array().is_some_and(|items| !items.is_empty()) || json.as_object().is_some_and(|map| !map.is_empty())
}

fn write_entry(out: &mut String, json: &Json, indent: usize, sort_keys: bool) {
    if is_block(json) {
        out.push('\n');
        write_block(out, json, indent, sort_keys);
    } else {
        out.push(' ');
        out.push_str(&scalar_text(json));
        out.push('\n');
    }
}

fn scalar_text(json: &Json) -> String {
    match json {
        Json::Null => "null".to_string(),
        Json::Number(number) if number.is_f64() => python::float_text(number.as_f64().unwrap_or_default()),
        Json::String(text) if needs_quotes(text) && text.contains('\n') => json.to_string(),
        Json::String(text) if needs_quotes(text) => format!("'{}'", text.replace('\'', "''")),
        Json::String(text) => text.clone(),
        Json::Array(_) => "[]".to_string(),
        Json::Object(_) => "{}".to_string(),
        other => other.to_string(),
    }
}

fn needs_quotes(text: &str) -> bool {
    !plain(text).is_string()
        || text.starts_with(|char: char| "-?:,[]{}#&*!|>'\"%@` ".contains(char))
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.contains('\n')
}
