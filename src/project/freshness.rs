//! Reads what a source, or one table of it, says of how new its data should be.

use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::jinja::JsonMap;
use crate::project::fields::Fields;
use crate::yaml::Yaml;

/// The keys about freshness at one level: of a source, or of a table in it.
#[derive(Debug, Clone, Default)]
pub struct FreshnessProperties {
    /// `freshness` beside `config:`, then below it, with their places; null switches the check off.
    pub thresholds: Vec<(Json, Span)>,
    /// The column, or expression, that says when a row was loaded.
    pub loaded_at_field: Option<String>,
    /// Whether the key stands beside `config:`, if only with null, which takes back what the source says.
    pub field_is_written: bool,
    /// A query that gives the time in place of a column.
    pub loaded_at_query: Option<String>,
}

/// Reads the keys, which may stand beside `config:` or below it, and takes them out of the configuration.
pub fn read(yaml: &Yaml, fields: &mut Fields<'_, '_>, config: &mut JsonMap) -> FreshnessProperties {
    fields.ignore(&["freshness"]);
    let below = |key: &str| yaml.get("config").and_then(|config| config.get(key));
    let written = [yaml.get("freshness"), below("freshness")];
    let thresholds = written.into_iter().flatten().map(|value| (value.to_json(), value.span)).collect();
    let text = |fields: &mut Fields<'_, '_>, key: &'static str| {
        fields.text(key).or_else(|| below(key)?.as_str().map(str::to_string))
    };
    let loaded_at_field = text(fields, "loaded_at_field");
    let loaded_at_query = text(fields, "loaded_at_query");
    let place = || yaml.get("loaded_at_query").or_else(|| below("loaded_at_query")).map(|value| value.span);
    if let (Some(_), Some(_), Some(place)) = (&loaded_at_field, &loaded_at_query, place()) {
        let message = "`loaded_at_field` and `loaded_at_query` are both given, and only one of them can count";
        fields.sink.push(Diagnostic::error(Code::InvalidValue, place, message).help("remove one of them"));
    }
    for key in ["freshness", "loaded_at_field", "loaded_at_query"] {
        config.shift_remove(key);
    }
    FreshnessProperties {
        thresholds,
        loaded_at_field,
        field_is_written: yaml.get("loaded_at_field").is_some(),
        loaded_at_query,
    }
}

/// `freshness` with all its keys, also if it is not written; null only if null is. That of a model has `build_after`.
pub fn complete(written: Option<&Json>) -> Json {
    let get = |key: &str| written.and_then(|written| written.get(key));
    let limit = |key: &str| match get(key) {
        Some(Json::Null) => Json::Null,
        limit => {
            let part = |part: &str| limit.and_then(|limit| limit.get(part)).cloned().unwrap_or(Json::Null);
            serde_json::json!({"count": part("count"), "period": part("period")})
        }
    };
    match written {
        Some(Json::Null) => Json::Null,
        Some(of_model) if of_model.get("build_after").is_some() => of_model.clone(),
        _ => serde_json::json!({
            "warn_after": limit("warn_after"),
            "error_after": limit("error_after"),
            "filter": get("filter").cloned().unwrap_or(Json::Null),
        }),
    }
}
