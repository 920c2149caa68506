//! Turns the selectors of `selectors.yml` into the manifest's `selectors`: short forms written out, names followed.

use serde_json::{Map, Value as Json, json};

use crate::manifest::selectors::Selectors;

/// The selectors by name, with their definitions as dbt writes them out.
pub fn selectors(selectors: &Selectors) -> Map<String, Json> {
    let mut found = Map::new();
    for (name, named) in selectors.iter() {
        let mut entry = named.entry.to_json();
        entry["definition"] = definition(&entry["definition"], &found);
        found.insert(name.clone(), entry);
    }
    found
}

fn definition(written: &Json, known: &Map<String, Json>) -> Json {
    if let Some(text) = written.as_str() {
        return spec(text);
    }
    for join in ["union", "intersection"] {
        if let Some(parts) = written.get(join) {
            return json!({join: all(parts, known)});
        }
    }
    let Some((key, value)) = written.as_object().and_then(|map| map.iter().next()) else { return written.clone() };
    match written.as_object().map_or(0, Map::len) {
        _ if key == "exclude" => json!({"exclude": all(value, known)}),
        1 => json!({"method": key, "value": all(value, known)}),
        _ if key == "method" && value == "selector" => {
            let other = written.get("value").and_then(Json::as_str).and_then(|name| known.get(name));
            other.map_or_else(|| written.clone(), |other| other["definition"].clone())
        }
        _ => written.clone(),
    }
}

fn all(parts: &Json, known: &Map<String, Json>) -> Json {
    match parts {
        Json::Array(parts) => parts.iter().map(|part| definition(part, known)).collect(),
        other => other.clone(),
    }
}

/// One criterion of the command line, `+tag:nightly`, as a mapping. Depths stay text, as in dbt.
fn spec(text: &str) -> Json {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mut entry = Map::new();
    let mut put = |key: &str, value: Json| drop(entry.insert(key.to_string(), value));
    let rest = text.strip_prefix('@').unwrap_or(text);
    if rest.len() < text.len() {
        put("childrens_parents", json!(true));
    }
    let (parents, rest) = match rest.split_once('+').filter(|(depth, _)| all_digits(depth)) {
        Some((depth, rest)) => (Some(depth), rest),
        None => (None, rest),
    };
    if let Some(depth) = parents {
        put("parents", json!(true));
        if !depth.is_empty() {
            put("parents_depth", json!(depth));
        }
    }
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    let (method, rest) = match rest.split_once(':').filter(|(method, _)| is_word(method)) {
        Some((method, rest)) => (Some(method), rest),
        None => (None, rest),
    };
    let (value, children) = match rest.rsplit_once('+').filter(|(_, depth)| all_digits(depth)) {
        Some((value, depth)) => (value, Some(depth)),
        None => (rest, None),
    };
    put("method", json!(method.unwrap_or_else(|| method_of(value))));
    put("value", json!(value));
    if let Some(depth) = children {
        put("children", json!(true));
        if !depth.is_empty() {
            put("children_depth", json!(depth));
        }
    }
    Json::Object(entry)
}

/// What a value without a method is looked for in.
fn method_of(value: &str) -> &'static str {
    let is_file = [".sql", ".py", ".csv"].iter().any(|end| value.to_lowercase().ends_with(end));
    match () {
        () if value.contains('/') => "path",
        () if is_file => "file",
        () => "fqn",
    }
}
