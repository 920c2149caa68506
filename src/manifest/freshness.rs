//! Turns what a source and its table say of freshness into one threshold, and an age into a verdict.
//!
//! Source of the rules: <https://docs.getdbt.com/reference/resource-properties/freshness>.

use serde_json::{Value as Json, json};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::Span;
use crate::jinja::JsonMap;
use crate::manifest::Source;
use crate::project::freshness::{FreshnessProperties, complete};

/// From which age on data is too old, and which rows count.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    pub warn_after: Option<Limit>,
    pub error_after: Option<Limit>,
    pub filter: Option<String>,
}

/// `{count: 12, period: hour}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    pub count: i64,
    pub period: Period,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    Minute,
    Hour,
    Day,
}

/// What an age means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Pass,
    Warn,
    Error,
}

impl Threshold {
    /// The threshold of a source; None if it has no limit, so that there is nothing to check.
    pub fn of(source: &Source) -> Option<Threshold> {
        let written = source.config.get("freshness")?;
        let limit = |key: &str| written.get(key).and_then(|limit| Limit::read(limit).ok().flatten());
        let threshold = Threshold {
            warn_after: limit("warn_after"),
            error_after: limit("error_after"),
            filter: written.get("filter").and_then(Json::as_str).map(str::to_string),
        };
        (threshold.warn_after.is_some() || threshold.error_after.is_some()).then_some(threshold)
    }

    pub fn verdict(&self, age_in_seconds: f64) -> Freshness {
        let exceeded = |limit: &Option<Limit>| limit.as_ref().is_some_and(|limit| age_in_seconds > limit.seconds());
        match (exceeded(&self.error_after), exceeded(&self.warn_after)) {
            (true, _) => Freshness::Error,
            (false, true) => Freshness::Warn,
            (false, false) => Freshness::Pass,
        }
    }
}

impl Limit {
    /// None if the count or the period is not given; the message of an error says what is wrong.
    fn read(written: &Json) -> Result<Option<Limit>, String> {
        let part = |key: &str| written.get(key).filter(|value| !value.is_null());
        let period = match part("period").map(|period| period.as_str().unwrap_or_default()) {
            None => None,
            Some("minute") => Some(Period::Minute),
            Some("hour") => Some(Period::Hour),
            Some("day") => Some(Period::Day),
            Some(other) => return Err(format!("`period` is minute, hour or day, and this is `{other}`")),
        };
        let count = match part("count") {
            None => None,
            Some(count) => match count.as_i64() {
                Some(count) => Some(count),
                None => return Err(format!("`count` is a whole number, and this is `{count}`")),
            },
        };
        Ok(count.zip(period).map(|(count, period)| Limit { count, period }))
    }

    fn seconds(&self) -> f64 {
        let unit = match self.period {
            Period::Minute => 60,
            Period::Hour => 3600,
            Period::Day => 86400,
        };
        self.count.saturating_mul(unit) as f64
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let unit = match self.period {
            Period::Minute => "minute",
            Period::Hour => "hour",
            Period::Day => "day",
        };
        write!(f, "{} {unit}{}", self.count, if self.count == 1 { "" } else { "s" })
    }
}

/// The configuration that a source and its table give in YAML, over which only that of other packages goes.
pub fn settle(source: &FreshnessProperties, table: &FreshnessProperties, sink: &mut Diagnostics) -> JsonMap {
    let levels = || source.thresholds.iter().chain(&table.thresholds);
    for (written, span) in levels() {
        sink.extend(mistakes(written, *span));
    }
    let table_has_field = table.field_is_written || table.loaded_at_field.is_some();
    let field = if table_has_field { &table.loaded_at_field } else { &source.loaded_at_field };
    let query = match &table.loaded_at_query {
        None if table.field_is_written => &None,
        None => &source.loaded_at_query,
        query => query,
    };
    let mut config = JsonMap::new();
    let merged = levels().fold(complete(None), |base, (written, _)| merge(base, written));
    if merged.is_null() || is_limited(&merged) {
        config.insert("freshness".to_string(), merged);
    }
    config.insert("loaded_at_field".to_string(), json!(field));
    config.insert("loaded_at_query".to_string(), json!(query));
    config
}

/// A more specific threshold over a less specific one: null takes away, a limit counts if it is whole.
fn merge(base: Json, written: &Json) -> Json {
    let over = complete(Some(written));
    match (&base, &over) {
        (_, Json::Null) => Json::Null,
        (Json::Null, _) if is_limited(&over) => over,
        (Json::Null, _) => Json::Null,
        _ => {
            let limit = |key: &str| match &over[key] {
                Json::Null => Json::Null,
                limit if is_whole(limit) => limit.clone(),
                _ => base[key].clone(),
            };
            let filter = if over["filter"].is_null() { &base["filter"] } else { &over["filter"] };
            json!({"warn_after": limit("warn_after"), "error_after": limit("error_after"), "filter": filter})
        }
    }
}

fn is_whole(limit: &Json) -> bool {
    limit.get("count").is_some_and(|count| !count.is_null())
        && limit.get("period").is_some_and(|period| !period.is_null())
}

fn is_limited(threshold: &Json) -> bool {
    ["warn_after", "error_after"].into_iter().any(|key| threshold.get(key).is_some_and(is_whole))
}

/// What is wrong with a threshold as written.
pub fn mistakes(written: &Json, span: Span) -> Vec<Diagnostic> {
    let problem = |message: String| Diagnostic::error(Code::InvalidValue, span, message);
    if !written.is_object() && !written.is_null() {
        return vec![problem(format!("`freshness` is a mapping, and this is `{written}`")).help(EXAMPLE)];
    }
    let limits = ["warn_after", "error_after"].into_iter().filter_map(|key| Some((key, written.get(key)?)));
    let wrong = limits.filter_map(|(key, limit)| {
        let message = match limit {
            Json::Null => return None,
            Json::Object(_) => Limit::read(limit).err()?,
            other => format!("a limit is a mapping, and this is `{other}`"),
        };
        Some(problem(format!("`{key}`: {message}")).help(EXAMPLE))
    });
    wrong.collect()
}

const EXAMPLE: &str = "write it as `freshness: {warn_after: {count: 12, period: hour}}`";

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::merge;
    use crate::project::freshness::complete;

    fn merged(levels: &[Json]) -> Json {
        levels.iter().fold(complete(None), merge)
    }

    #[test]
    fn a_table_changes_one_limit_and_keeps_the_other() {
        let source = json!({"warn_after": {"count": 12, "period": "hour"}, "filter": "a"});
        let table = json!({"warn_after": {"count": 3}, "error_after": {"count": 1, "period": "day"}});
        let expected = json!({
            "warn_after": {"count": 12, "period": "hour"},
            "error_after": {"count": 1, "period": "day"},
            "filter": "a",
        });
        assert_eq!(merged(&[source.clone(), table.clone()]), expected);
        assert_eq!(merged(&[source.clone(), json!({"warn_after": null})])["warn_after"], Json::Null);
        assert_eq!(merged(&[source, Json::Null]), Json::Null);
        assert_eq!(merged(&[Json::Null, table.clone()]), complete(Some(&table)));
    }
}
