//! Merges the configuration of a node from all the places where it can be written.
//!
//! Source of the rules: <https://docs.getdbt.com/reference/define-configs>: the more specific place wins; tags and
//! hooks add up; `meta` and a few other mappings merge by key.

use std::sync::LazyLock;

use serde_json::{Value as Json, json};

use crate::jinja::JsonMap;

/// The levels of a configuration tree that apply to a node, from the root of the tree down its `fqn`.
pub fn levels(tree: &Json, fqn: &[String]) -> Vec<JsonMap> {
    let mut levels = Vec::new();
    let mut here = Some(tree);
    let mut path = fqn.iter();
    while let Some(Json::Object(level)) = here {
        levels.push(own_keys(level));
        here = path.next().and_then(|step| level.get(step));
    }
    levels
}

/// A key with a `+`, or one whose value is not a mapping, is a configuration; any other is a folder.
fn own_keys(level: &JsonMap) -> JsonMap {
    let own = level.iter().filter_map(|(key, value)| match key.strip_prefix('+') {
        Some(bare) => Some((bare.trim().to_string(), value.clone())),
        None if value.is_object() => None,
        None => Some((key.clone(), value.clone())),
    });
    own.collect()
}

/// The configuration of one node: what is written, over the defaults of its kind.
#[derive(Debug, Clone)]
pub struct Config {
    own: JsonMap,
    /// As written: the last place where a key stands counts, and nothing is merged or rendered.
    unrendered: JsonMap,
    defaults: &'static JsonMap,
}

impl Config {
    pub fn new(kind: Defaults) -> Config {
        Config { own: JsonMap::new(), unrendered: JsonMap::new(), defaults: kind.map() }
    }

    /// A value that is written or has a default; null counts as none.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.own.get(key).or_else(|| self.defaults.get(key)).filter(|value| !value.is_null())
    }

    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Json::as_str)
    }

    /// True if the value is true; dbt also takes texts such as `"true"` from rendered YAML.
    pub fn flag(&self, key: &str) -> bool {
        match self.get(key) {
            Some(Json::Bool(flag)) => *flag,
            Some(Json::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    pub fn texts(&self, key: &str) -> Vec<&str> {
        match self.get(key) {
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).collect(),
            Some(Json::String(text)) => vec![text.as_str()],
            _ => Vec::new(),
        }
    }

    /// What is written anywhere, without defaults.
    pub fn written(&self) -> &JsonMap {
        &self.own
    }

    /// dbt's `unrendered_config`, by which runs are compared: what each key was last written as.
    pub fn unrendered(&self) -> &JsonMap {
        &self.unrendered
    }

    /// Everything, defaults included.
    pub fn full(&self) -> JsonMap {
        let mut full = self.defaults.clone();
        full.extend(self.own.iter().map(|(key, value)| (key.clone(), value.clone())));
        full
    }

    /// Sets what is not written anywhere else.
    pub fn fill(&mut self, under: &JsonMap) {
        for (key, value) in under {
            if !self.own.contains_key(key) {
                self.own.insert(key.clone(), value.clone());
                self.unrendered.insert(key.clone(), value.clone());
            }
        }
    }

    /// Puts a more specific configuration, of which the text before rendering is known, over this one.
    pub fn merge_rendered(&mut self, over: JsonMap, written: JsonMap) {
        self.unrendered.extend(written);
        self.merge_own(over);
    }

    /// Puts a more specific configuration over this one.
    pub fn merge(&mut self, over: JsonMap) {
        self.unrendered.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
        self.merge_own(over);
    }

    /// Puts what a template's own `config()` says over this one.
    pub fn merge_call(&mut self, over: JsonMap) {
        let dashed = |key: &String| match key.as_str() {
            "pre_hook" | "post_hook" => key.replace('_', "-"),
            _ => key.clone(),
        };
        self.unrendered.extend(over.iter().map(|(key, value)| (dashed(key), value.clone())));
        self.merge_own(over);
    }

    fn merge_own(&mut self, over: JsonMap) {
        for (key, value) in over {
            let key = match key.as_str() {
                "pre_hook" => "pre-hook".to_string(),
                "post_hook" => "post-hook".to_string(),
                "data_space" => "database".to_string(),
                _ => key,
            };
            let old = self.own.get(&key).or_else(|| self.defaults.get(&key));
            let merged = match key.as_str() {
                "tags" | "packages" => appended(old, value, |item| item),
                "pre-hook" | "post-hook" => appended(old, value, hook),
                "meta" | "quoting" | "column_types" | "docs" | "contract" => updated(old, value),
                "grants" => granted(old, value),
                _ => value,
            };
            self.own.insert(key, merged);
        }
    }
}

/// The written keys whose value means nothing, with what is the matter.
pub fn mistakes(written: &JsonMap, kind: Defaults) -> Vec<(String, String)> {
    let defaults = kind.map();
    let wrong = written.iter().filter_map(|(key, value)| {
        let wanted = wanted(key, defaults.get(key)?, value)?;
        Some((key.clone(), format!("`{key}` is {wanted}, and this is `{value}`")))
    });
    wrong.collect()
}

/// What `on_schema_change` takes.
const CHANGES: [&str; 4] = ["ignore", "fail", "append_new_columns", "sync_all_columns"];

/// What `access` takes.
const ACCESS: [&str; 3] = ["private", "protected", "public"];

/// What a key takes, if the value is something else.
fn wanted(key: &str, default: &Json, value: &Json) -> Option<&'static str> {
    let is_flag = |text: &str| ["true", "false"].contains(&text.to_ascii_lowercase().as_str());
    let texts = |value: &Json| value.as_array().is_some_and(|items| items.iter().all(Json::is_string));
    let is_text = |key: &str| matches!(key, "alias" | "schema" | "database" | "materialized" | "severity" | "where");
    match (default, value) {
        (_, Json::Null) => None,
        (Json::Bool(_), Json::Bool(_)) => None,
        (Json::Bool(_), Json::String(text)) if is_flag(text) => None,
        (Json::Bool(_), _) => Some("true or false"),
        (_, Json::String(word)) if key == "on_schema_change" && !CHANGES.contains(&word.as_str()) => {
            Some("ignore, fail, append_new_columns or sync_all_columns")
        }
        (_, Json::String(word)) if key == "access" && !ACCESS.contains(&word.as_str()) => {
            Some("private, protected or public")
        }
        (_, Json::String(word)) if key == "severity" && !["warn", "error"].contains(&word.to_lowercase().as_str()) => {
            Some("warn or error")
        }
        (Json::Object(_), Json::Object(_)) => None,
        (Json::Object(_), _) if key != "docs" => Some("a mapping"),
        (Json::Array(_), value) if key == "tags" && !value.is_string() && !texts(value) => {
            Some("a text or a list of texts")
        }
        (_, value) if is_text(key) && !value.is_string() => Some("a text"),
        _ => None,
    }
}

/// The kinds of nodes that have defaults of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defaults {
    Model,
    Snapshot,
    Seed,
    Test,
    Source,
    UnitTest,
}

impl Defaults {
    fn map(self) -> &'static JsonMap {
        static MAPS: LazyLock<[JsonMap; 6]> = LazyLock::new(|| {
            [
                model_defaults(),
                snapshot_defaults(),
                seed_defaults(),
                test_defaults(),
                source_defaults(),
                unit_test_defaults(),
            ]
        });
        &MAPS[self as usize]
    }
}

fn appended(old: Option<&Json>, new: Json, each: fn(Json) -> Json) -> Json {
    let mut items = old.and_then(Json::as_array).cloned().unwrap_or_default();
    match new {
        Json::Array(more) => items.extend(more.into_iter().map(each)),
        Json::Null => {}
        one => items.push(each(one)),
    }
    Json::Array(items)
}

/// A hook is a text or a mapping with `sql` and `transaction`; a text may itself be JSON (`before_begin(…)`).
fn hook(hook: Json) -> Json {
    let parsed = match &hook {
        Json::String(text) => serde_json::from_str::<JsonMap>(text).ok(),
        Json::Object(map) => Some(map.clone()),
        _ => None,
    };
    match parsed {
        Some(map) if map.contains_key("sql") => {
            let transaction = map.get("transaction").cloned().unwrap_or(Json::Bool(true));
            json!({"sql": map["sql"], "transaction": transaction, "index": map.get("index").cloned().unwrap_or(Json::Null)})
        }
        _ => json!({"sql": hook, "transaction": true, "index": Json::Null}),
    }
}

fn updated(old: Option<&Json>, new: Json) -> Json {
    match (old, new) {
        (Some(Json::Object(old)), Json::Object(new)) => {
            let mut merged = old.clone();
            merged.extend(new);
            Json::Object(merged)
        }
        (Some(old), Json::Null) => old.clone(),
        (_, new) => new,
    }
}

/// A grantee list replaces the one before, unless its key has a `+`.
fn granted(old: Option<&Json>, new: Json) -> Json {
    let mut merged = old.and_then(Json::as_object).cloned().unwrap_or_default();
    let Json::Object(new) = new else { return Json::Object(merged) };
    for (key, value) in new {
        let grantees = |before: Option<&Json>| appended(before, value.clone(), |item| item);
        match key.strip_prefix('+') {
            Some(bare) => merged.insert(bare.to_string(), grantees(merged.get(bare))),
            None => merged.insert(key.clone(), grantees(None)),
        };
    }
    Json::Object(merged)
}

/// The configuration of a model or snapshot of which nothing is written.
fn model_defaults() -> JsonMap {
    object(json!({
        "enabled": true, "alias": null, "schema": null, "database": null, "tags": [], "meta": {}, "group": null,
        "materialized": "view", "incremental_strategy": null, "batch_size": null, "lookback": 1, "begin": null,
        "persist_docs": {}, "post-hook": [], "pre-hook": [], "quoting": {}, "column_types": {},
        "full_refresh": null, "unique_key": null, "on_schema_change": "ignore",
        "on_configuration_change": "apply", "grants": {}, "packages": [],
        "docs": {"show": true, "node_color": null}, "contract": {"enforced": false, "alias_types": true},
        "event_time": null, "concurrent_batches": null, "access": "protected", "freshness": null,
    }))
}

fn seed_defaults() -> JsonMap {
    let mut config = model_defaults();
    for key in ["access", "freshness"] {
        config.shift_remove(key);
    }
    config.insert("materialized".to_string(), json!("seed"));
    config.insert("delimiter".to_string(), json!(","));
    config.insert("quote_columns".to_string(), Json::Null);
    config
}

fn snapshot_defaults() -> JsonMap {
    let mut config = model_defaults();
    config.retain(|key, _| !matches!(key.as_str(), "access" | "freshness"));
    config.insert("materialized".to_string(), json!("snapshot"));
    config
}

fn source_defaults() -> JsonMap {
    object(json!({"enabled": true, "tags": [], "meta": {}, "event_time": null, "freshness": null}))
}

fn unit_test_defaults() -> JsonMap {
    object(json!({"tags": [], "meta": {}, "enabled": true}))
}

fn test_defaults() -> JsonMap {
    object(json!({
        "enabled": true, "alias": null, "schema": "dbt_test__audit", "database": null, "tags": [], "meta": {},
        "group": null, "materialized": "test", "severity": "ERROR", "store_failures": null,
        "store_failures_as": null, "where": null, "limit": null, "fail_calc": "count(*)", "warn_if": "!= 0",
        "error_if": "!= 0",
    }))
}

fn object(json: Json) -> JsonMap {
    match json {
        Json::Object(map) => map,
        _ => unreachable!("the literals above are objects"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Defaults, levels};
    use serde_json::{Value as Json, json};

    #[test]
    fn the_deeper_level_wins_and_tags_add_up() {
        let tree = json!({"shop": {"+tags": "a", "materialized": "table", "marts": {"+materialized": "view", "+tags": ["b"]}}});
        let fqn: Vec<String> = ["shop", "marts", "orders"].map(str::to_string).to_vec();
        let mut config = Config::new(Defaults::Model);
        levels(&tree, &fqn).into_iter().for_each(|level| config.merge(level));
        assert_eq!(Json::Object(config.written().clone()), json!({"tags": ["a", "b"], "materialized": "view"}));
    }

    #[test]
    fn a_hook_may_be_a_text_or_a_mapping() {
        let mut config = Config::new(Defaults::Model);
        let hooks = json!({"pre_hook": ["select 1", {"sql": "select 2", "transaction": false}]});
        config.merge(hooks.as_object().cloned().unwrap_or_default());
        let expected = json!([
            {"sql": "select 1", "transaction": true, "index": null},
            {"sql": "select 2", "transaction": false, "index": null},
        ]);
        assert_eq!(config.get("pre-hook"), Some(&expected));
    }
}
