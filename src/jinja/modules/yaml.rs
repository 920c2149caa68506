//! Turns YAML text into JSON values and back, as `fromyaml` and `toyaml` do: the YAML 1.1 that Python reads.

use serde_json::Value as Json;

use crate::diagnostic::Diagnostics;
use crate::diagnostic::code::Code;
use crate::files::FileId;
use crate::jinja::python;
use crate::yaml::{self, Value, scalar};

/// The first document of a text; `None` if it is not YAML. Of a key that stands twice the last one counts.
pub fn parse(text: &str) -> Option<Json> {
    let mut problems = Diagnostics::default();
    let value = yaml::parse(FileId(0), text, &mut problems);
    let is_yaml = problems.iter().all(|problem| problem.code != Code::InvalidYaml);
    is_yaml.then(|| value.map_or(Json::Null, |value| value.to_json()))
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
    !matches!(scalar::read(text), Value::String(_))
        || text.starts_with(|char: char| "-?:,[]{}#&*!|>'\"%@` ".contains(char))
        || text.ends_with([' ', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.contains('\n')
}
