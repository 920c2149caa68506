//! Turns `external_location` of a source into SQL: a file, or a call of a table function, in the place of a table.
//!
//! Source of the rules: <https://github.com/duckdb/dbt-duckdb#reading-from-external-files>.

use serde_json::{Value as Json, json};

use crate::adapter::relation::Relation;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::jinja::JsonMap;
use crate::manifest::{Kind, Manifest, Source};
use crate::project::config::Config;
use crate::project::properties::{SourceProperties, SourceTable};

/// What stands in the place of the name of a source's table; none if the source is a table. The error says which name
/// in braces means nothing.
pub fn location(
    config: &Config,
    source: &SourceProperties,
    table: &SourceTable,
    relation: &Relation,
) -> Result<Option<String>, String> {
    let names = names(config, source, table, relation);
    let Some(pattern) = names.get("external_location").and_then(Json::as_str) else { return Ok(None) };
    if names.contains_key("plugin") {
        return Ok(None);
    }
    let formatter = names.get("formatter").and_then(Json::as_str).unwrap_or("newstyle");
    let filled = match formatter {
        "newstyle" => braces(pattern, &names),
        "oldstyle" => percents(pattern, &names),
        "template" => dollars(pattern, &names),
        other => return Err(format!("the `formatter` `{other}` is not newstyle, oldstyle or template")),
    };
    let filled = filled.map_err(|name| {
        format!("`external_location` of `{}.{}` names `{name}`, which the source has not", source.name, table.node.name)
    })?;
    let is_sql = filled.contains('(') || filled.starts_with('\'');
    Ok(Some(if is_sql { filled } else { format!("'{filled}'") }))
}

/// Everything that a pattern can name: the source, and what its `meta` and `config` say.
fn names(config: &Config, source: &SourceProperties, table: &SourceTable, relation: &Relation) -> JsonMap {
    let mut names = JsonMap::new();
    for (name, value) in [
        ("name", json!(table.node.name)),
        ("identifier", json!(relation.identifier)),
        ("schema", json!(relation.schema)),
        ("database", json!(relation.database)),
        ("source_name", json!(source.name)),
        ("tags", json!(config.texts("tags"))),
    ] {
        names.insert(name.to_string(), value);
    }
    names.extend(source.meta.clone());
    names.extend(config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default());
    let own = config.written().iter().filter(|(key, _)| !["meta", "tags", "enabled"].contains(&key.as_str()));
    names.extend(own.map(|(key, value)| (key.clone(), value.clone())));
    names
}

/// A value, padded as `04d` says.
fn shown(value: &Json, format: &str) -> String {
    let text = match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let width = format.trim_end_matches(['d', 's']);
    match (width.strip_prefix('0').map(str::parse::<usize>), width.parse::<usize>()) {
        (Some(Ok(width)), _) => format!("{text:0>width$}"),
        (_, Ok(width)) if value.is_number() => format!("{text:>width$}"),
        (_, Ok(width)) => format!("{text:<width$}"),
        _ => text,
    }
}

/// Python's `str.format`: `{name}`, `{year:04d}`, and `{{` for a brace.
fn braces(pattern: &str, names: &JsonMap) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let Some((field, after)) = after.split_once('}').filter(|_| brace == "{") else {
            return Err(rest[at..].to_string());
        };
        let (name, format) = field.split_once(':').unwrap_or((field, ""));
        out.push_str(&shown(names.get(name).ok_or(name)?, format));
        rest = after;
    }
    Ok(out + rest)
}

/// Python's `%`: `%(name)s`, and `%%` for a percent sign.
fn percents(pattern: &str, names: &JsonMap) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let field = after.strip_prefix('(').and_then(|after| after.split_once(')'));
        let (name, after) = field.ok_or_else(|| format!("%{after}"))?;
        let end = after.find(|letter: char| letter.is_ascii_alphabetic()).ok_or_else(|| format!("%({name}){after}"))?;
        out.push_str(&shown(names.get(name).ok_or(name)?, &after[..=end]));
        rest = &after[end + 1..];
    }
    Ok(out + rest)
}

/// Python's `string.Template`: `$name`, `${name}`, and `$$` for a dollar sign.
fn dollars(pattern: &str, names: &JsonMap) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = after.strip_prefix('{').and_then(|after| after.split_once('}'));
        let (name, after) = braced.unwrap_or_else(|| {
            let end =
                after.find(|letter: char| letter != '_' && !letter.is_ascii_alphanumeric()).unwrap_or(after.len());
            after.split_at(end)
        });
        out.push_str(&shown(names.get(name).ok_or(name)?, ""));
        rest = after;
    }
    Ok(out + rest)
}

/// Reports what asks for a plugin of dbt-duckdb: sources that are read, and external models.
pub fn plugins(manifest: &Manifest, sink: &mut Diagnostics) {
    let plugin_of = |source: &Source| {
        let in_meta = source.config.get("meta").and_then(|meta| meta.get("plugin"));
        let found = source.config.get("plugin").or(in_meta).or_else(|| source.source_meta.get("plugin"));
        found.map(|plugin| plugin.as_str().unwrap_or_default().to_string())
    };
    let refused = |span, who: String, plugin: &str| {
        let message = format!("{who} asks for the plugin `{plugin}` of dbt-duckdb, which is written in Python");
        let help =
            "read the files with `external_location`, or write them with a model of the materialization external";
        Diagnostic::error(Code::Unsupported, span, message).help(help)
    };
    for source in manifest.sources.values() {
        let is_read = || manifest.nodes.values().any(|node| node.depends_on.contains(&source.id));
        if let Some(plugin) = plugin_of(source).filter(|_| is_read()) {
            let who = format!("the source `{}.{}`", source.source_name, source.name);
            sink.push(refused(Some(source.span), who, &plugin));
        }
    }
    let models = manifest.nodes.values().filter(|node| matches!(node.kind, Kind::Model));
    for node in models.filter(|node| node.materialized() == "external") {
        let who = format!("the external model `{}`", node.name);
        if let Some(plugin) = node.config.text("plugin") {
            sink.push(refused(node.config_place("plugin"), who, plugin));
        } else if node.config.flag("glue_register") {
            sink.push(refused(node.config_place("glue_register"), who, "glue"));
        }
    }
}
