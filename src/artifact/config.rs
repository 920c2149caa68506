//! Turns a Config into dbt's `config` object: every key that dbt has for the kind, and then the user's own.

use std::borrow::Cow;
use std::sync::LazyLock;

use chrono::NaiveDate;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Value as Json, json};

use crate::jinja::JsonMap;
use crate::manifest::{Kind, Node};
use crate::project::config::{Config, Defaults};
use crate::project::freshness::complete;

/// A configuration, complete.
pub struct FullConfig<'a> {
    config: &'a Config,
    defaults: &'static JsonMap,
}

/// The sets of keys that dbt has.
#[derive(Clone, Copy)]
enum Keys {
    Model,
    /// As for models, without `access` and `freshness`.
    Analysis,
    Snapshot,
    Seed,
    Test,
    Source,
    Exposure,
    UnitTest,
}

impl<'a> FullConfig<'a> {
    pub fn of_node(node: &'a Node) -> FullConfig<'a> {
        let keys = match node.kind {
            Kind::Model => Keys::Model,
            Kind::Analysis | Kind::Operation => Keys::Analysis,
            Kind::Snapshot => Keys::Snapshot,
            Kind::Seed { .. } => Keys::Seed,
            Kind::SingularTest | Kind::GenericTest(_) => Keys::Test,
            Kind::UnitTest(_) => Keys::UnitTest,
        };
        FullConfig { config: &node.config, defaults: defaults(keys) }
    }

    pub fn of_source(config: &'a Config) -> FullConfig<'a> {
        FullConfig { config, defaults: defaults(Keys::Source) }
    }

    pub fn of_exposure(config: &'a Config) -> FullConfig<'a> {
        FullConfig { config, defaults: defaults(Keys::Exposure) }
    }

    /// What is written, in the form in which dbt writes it; the default if nothing is.
    fn value(&self, key: &str, default: &'a Json) -> Cow<'a, Json> {
        match (key, self.config.written().get(key)) {
            ("freshness", Some(written)) => Cow::Owned(complete(Some(written))),
            // Each of the two says what the other is; the kind of relation counts more.
            ("store_failures_as", None | Some(Json::Null)) if self.config.written().contains_key("store_failures") => {
                Cow::Owned(json!(if self.config.flag("store_failures") { "table" } else { "ephemeral" }))
            }
            ("store_failures", _) if self.config.text("store_failures_as").is_some() => {
                Cow::Owned(json!(self.config.text("store_failures_as") != Some("ephemeral")))
            }
            ("begin", Some(Json::String(day))) if NaiveDate::parse_from_str(day, "%Y-%m-%d").is_ok() => {
                Cow::Owned(json!(format!("{day}T00:00:00")))
            }
            (_, None | Some(Json::Null)) => Cow::Borrowed(default),
            ("enabled", _) => Cow::Owned(Json::Bool(self.config.flag("enabled"))),
            ("snapshot_meta_column_names", Some(Json::Object(written))) => Cow::Owned(filled(default.clone(), written)),
            (_, Some(written)) => Cow::Borrowed(written),
        }
    }
}

impl Serialize for FullConfig<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, default) in self.defaults {
            map.serialize_entry(key, &*self.value(key, default))?;
        }
        for (key, value) in self.config.written().iter().filter(|(key, _)| !self.defaults.contains_key(*key)) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The keys of a default with what is written over them.
pub fn filled(mut default: Json, written: &JsonMap) -> Json {
    if let Json::Object(all) = &mut default {
        all.extend(written.clone());
    }
    default
}

fn defaults(keys: Keys) -> &'static JsonMap {
    static ALL: LazyLock<[JsonMap; 8]> = LazyLock::new(|| {
        let of = |kind| Config::new(kind).full();
        [
            with(of(Defaults::Model), json!({"static_analysis": null})),
            analysis_defaults(Defaults::Model, json!({})),
            analysis_defaults(Defaults::Snapshot, snapshot_keys()),
            with(of(Defaults::Seed), json!({"static_analysis": null})),
            with(of(Defaults::Test), json!({"static_analysis": null})),
            source_defaults(),
            with(JsonMap::new(), json!({"enabled": true, "tags": [], "meta": {}})),
            with(Config::new(Defaults::UnitTest).full(), json!({"static_analysis": null})),
        ]
    });
    &ALL[keys as usize]
}

fn analysis_defaults(kind: Defaults, more: Json) -> JsonMap {
    let mut defaults = with(Config::new(kind).full(), json!({"static_analysis": null}));
    defaults.retain(|key, _| !matches!(key.as_str(), "access" | "freshness"));
    with(defaults, more)
}

fn source_defaults() -> JsonMap {
    let more = json!({"static_analysis": null, "loaded_at_field": null, "loaded_at_query": null});
    let mut defaults = with(Config::new(Defaults::Source).full(), more);
    defaults.insert("freshness".to_string(), complete(None));
    defaults
}

fn snapshot_keys() -> Json {
    json!({
        "strategy": null, "target_schema": null, "target_database": null, "updated_at": null, "check_cols": null,
        "snapshot_meta_column_names": {
            "dbt_valid_to": null, "dbt_valid_from": null, "dbt_scd_id": null, "dbt_updated_at": null,
            "dbt_is_deleted": null,
        },
        "dbt_valid_to_current": null,
    })
}

fn with(mut map: JsonMap, more: Json) -> JsonMap {
    for (key, value) in more.as_object().into_iter().flatten() {
        map.entry(key).or_insert_with(|| value.clone());
    }
    map
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::FullConfig;
    use crate::project::config::{Config, Defaults};

    #[test]
    fn a_config_has_every_key_and_the_users_own() {
        let mut config = Config::new(Defaults::Source);
        let written = json!({"enabled": "true", "freshness": {"warn_after": {"count": 1, "period": "day"}}, "mine": 1});
        config.merge(written.as_object().cloned().unwrap());
        let expected = json!({
            "enabled": true, "tags": [], "meta": {}, "event_time": null, "static_analysis": null,
            "loaded_at_field": null, "loaded_at_query": null, "mine": 1,
            "freshness": {
                "warn_after": {"count": 1, "period": "day"},
                "error_after": {"count": null, "period": null},
                "filter": null,
            },
        });
        assert_eq!(to_value(FullConfig::of_source(&config)).unwrap(), expected);
    }
}
