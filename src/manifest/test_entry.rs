//! Turns the entry of a generic test in YAML into its arguments and configuration, and into the names that dbt makes.

use serde_json::{Value as Json, json};

use crate::hash;
use crate::jinja::JsonMap;
use crate::manifest::python;
use crate::project::properties::TestProperties;

/// Keys of a test that configure it. In this order they stand in the node's code.
const CONFIG_KEYS: [&str; 14] = [
    "severity",
    "tags",
    "enabled",
    "where",
    "limit",
    "warn_if",
    "error_if",
    "fail_calc",
    "store_failures",
    "store_failures_as",
    "meta",
    "database",
    "schema",
    "alias",
];

/// A test's entry in YAML, taken apart.
pub struct Parts {
    pub namespace: Option<String>,
    pub name: String,
    pub arguments: JsonMap,
    pub config: JsonMap,
    pub description: String,
    pub custom_name: Option<String>,
}

pub fn parts(test: &TestProperties, column: Option<&str>, subject: &str) -> Parts {
    let (namespace, name) = match test.name.split_once('.') {
        Some((namespace, name)) => (Some(namespace.to_string()), name.to_string()),
        None => (None, test.name.clone()),
    };
    let mut arguments = test.arguments.clone();
    if let Some(column) = column {
        arguments.insert("column_name".to_string(), json!(column));
    }
    if let Some(Json::Object(nested)) = arguments.get("arguments").cloned() {
        arguments.shift_remove("arguments");
        arguments.extend(nested);
    }
    let mut below = match arguments.shift_remove("config") {
        Some(Json::Object(config)) => config,
        _ => JsonMap::new(),
    };
    let mut config = JsonMap::new();
    for key in CONFIG_KEYS {
        let value = arguments.shift_remove(key).filter(|value| !value.is_null()).or_else(|| below.shift_remove(key));
        config.extend(value.filter(|value| !value.is_null()).map(|value| (key.to_string(), value)));
    }
    config.extend(below);
    let text = |value: Option<Json>| value.map(|value| python::str(&value));
    let description = text(arguments.shift_remove("description")).unwrap_or_default();
    let custom_name = text(arguments.shift_remove("name"));
    arguments.insert("model".to_string(), json!(format!("{{{{ get_where_subquery({}) }}}}", subject)));
    Parts { namespace, name, arguments, config, description, custom_name }
}

/// The short name (for the file and the alias) and the full one.
pub fn synthesize(prefix: &str, subject: &str, arguments: &JsonMap) -> (String, String) {
    let mut sorted: Vec<(&String, &Json)> = arguments.iter().filter(|(name, _)| *name != "model").collect();
    sorted.sort_by_key(|(name, _)| *name);
    let flat = sorted.into_iter().flat_map(|(_, value)| match value {
        Json::Array(items) => items.iter().map(python::str).collect(),
        Json::Object(map) => map.values().map(python::str).collect(),
        one => vec![python::str(one)],
    });
    let clean: Vec<String> = flat.map(|text| clean(&text)).collect();
    let start = format!("{prefix}_{subject}");
    let full = format!("{start}_{}", clean.join("__"));
    if full.chars().count() < 64 {
        return (full.clone(), full);
    }
    let short = format!("{}_{}", start.chars().take(30).collect::<String>(), hash::md5(&full));
    (short, full)
}

/// With an underscore for what a name cannot have: `[^0-9a-zA-Z_]+`.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut in_name = true;
    for letter in text.chars() {
        let fits = letter.is_ascii_alphanumeric() || letter == '_';
        match (fits, in_name) {
            (true, _) => clean.push(letter),
            (false, true) => clean.push('_'),
            (false, false) => {}
        }
        in_name = fits;
    }
    clean
}

/// The last part of a test's unique id: ten digits over its name and arguments.
pub fn id_hash(name: &str, parts: &Parts) -> String {
    let mut text = format!("{name}{{'kwargs': ");
    write_map(&parts.arguments, &mut text);
    text.push_str(", 'name': ");
    python::write_quoted(&parts.name, &mut text);
    text.push_str(", 'namespace': ");
    python::write_quoted(parts.namespace.as_deref().unwrap_or("None"), &mut text);
    text.push('}');
    let digest = hash::md5(&text);
    digest[digest.len() - 10..].to_string()
}

/// Writes a value as Python does, with its keys sorted and every scalar as text, as dbt hashes it.
fn write_value(value: &Json, out: &mut String) {
    match value {
        Json::Object(map) => write_map(map, out),
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                write_value(item, out);
            }
            out.push(']');
        }
        Json::String(text) => python::write_quoted(text, out),
        scalar => python::write_quoted(&python::repr(scalar), out),
    }
}

fn write_map(map: &JsonMap, out: &mut String) {
    let mut entries: Vec<(&String, &Json)> = map.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (at, (key, value)) in entries.into_iter().enumerate() {
        out.push_str(if at == 0 { "" } else { ", " });
        python::write_quoted(key, out);
        out.push_str(": ");
        write_value(value, out);
    }
    out.push('}');
}

/// The code of the node as dbt shows it.
pub fn raw_code(parts: &Parts, alias: Option<&String>) -> String {
    let name = parts.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}."));
    let call = format!("{{{{ {name}test_{}(**_dbt_generic_test_kwargs) }}}}", parts.name);
    let mut config = parts.config.clone();
    if let Some(alias) = alias.filter(|_| !config.contains_key("alias")) {
        config.insert("alias".to_string(), json!(alias));
    }
    if config.is_empty() {
        return call;
    }
    let settings = config.iter().map(|(key, value)| match value {
        Json::String(text) => format!("{key}=\"{}\"", text.replace('"', "\\\"")),
        other => format!("{key}={}", python::str(other)),
    });
    format!("{call}{{{{ config({}) }}}}", settings.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::{clean, synthesize};
    use serde_json::json;

    #[test]
    fn what_a_name_cannot_have_becomes_one_underscore() {
        let cleaned = ["a - b", "(é)", "_", "", "x.y", "a _ b"].map(clean);
        assert_eq!(cleaned, ["a_b", "_", "_", "", "x_y", "a___b"]);
    }

    #[test]
    fn a_long_name_is_shortened_with_a_hash() {
        let arguments = json!({"column_name": "status", "values": ["placed", "shipped", "completed", "return_pending", "returned"]});
        let (short, full) =
            synthesize("accepted_values", "stg_orders", arguments.as_object().unwrap_or(&Default::default()));
        assert_eq!(full, "accepted_values_stg_orders_status__placed__shipped__completed__return_pending__returned");
        assert_eq!(short, "accepted_values_stg_orders_4f514bf94b77b7ea437830eec4421c58");
    }
}
