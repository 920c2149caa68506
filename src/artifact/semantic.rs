//! Turns semantic models, metrics and saved queries into their parts of the manifest, and into
//! `target/semantic_manifest.json`, which MetricFlow and its like read.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::compile::{context, semantic};
use crate::jinja::JsonMap;
use crate::manifest::{Kind, Manifest, Node};
use crate::project::semantic::SemanticKind;

/// A section of the manifest.
pub fn entries(manifest: &Manifest, kind: SemanticKind, created_at: f64) -> JsonMap {
    let mut entries = semantic::objects(manifest, kind);
    entries.values_mut().for_each(|entry| entry["created_at"] = json!(created_at));
    entries
}

/// Which of them read each node, or each other.
pub fn readers(manifest: &Manifest) -> BTreeMap<&str, Vec<&str>> {
    let mut readers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for item in manifest.semantics.values() {
        item.depends_on.iter().for_each(|parent| readers.entry(parent).or_default().push(&item.id));
    }
    readers
}

/// `target/semantic_manifest.json`.
/// Source: `dbt-semantic-interfaces`, the package that defines it.
pub fn semantic_manifest_json(manifest: &Manifest) -> Json {
    let all = |kind: SemanticKind, tidy: fn(Json) -> Json| -> Vec<Json> {
        semantic::objects(manifest, kind).into_iter().map(|(_, object)| tidy(object)).collect()
    };
    let models = all(SemanticKind::Model, model);
    let old_spine = (!models.is_empty()).then(|| old_time_spine(manifest)).flatten();
    json!({
        "semantic_models": models,
        "metrics": all(SemanticKind::Metric, metric),
        "project_configuration": {
            "time_spine_table_configurations": old_spine.into_iter().collect::<Vec<Json>>(),
            "metadata": null,
            "dsi_package_version": {"major_version": "0", "minor_version": "9", "patch_version": "0"},
            "time_spines": models_of(manifest).filter_map(time_spine).collect::<Vec<Json>>(),
        },
        "saved_queries": all(SemanticKind::SavedQuery, saved_query),
    })
}

fn picked(object: &Json, keys: &[&str]) -> Json {
    keys.iter().map(|key| (key.to_string(), object.get(key).cloned().unwrap_or_default())).collect::<JsonMap>().into()
}

/// Of the configuration only `meta` counts here.
fn with_meta(mut entry: Json, object: &Json) -> Json {
    entry["config"] = json!({"meta": object["config"]["meta"]});
    entry
}

fn model(object: Json) -> Json {
    let keys =
        ["name", "defaults", "description", "node_relation", "primary_entity", "entities", "measures", "dimensions"];
    let mut model = with_meta(picked(&object, &[&keys[..], &["label", "metadata"]].concat()), &object);
    for part in ["entities", "measures"].iter().flat_map(|key| object[*key].as_array().map(|parts| (key, parts.len())))
    {
        let (key, count) = part;
        (0..count).for_each(|at| model[*key][at]["metadata"] = Json::Null);
    }
    model
}

fn metric(object: Json) -> Json {
    let keys = ["name", "description", "type", "type_params", "filter", "metadata", "label", "time_granularity"];
    let mut metric = with_meta(picked(&object, &keys), &object);
    let params = &mut metric["type_params"];
    params.as_object_mut().map(|params| params.shift_remove("metric_aggregation_params"));
    params["cumulative_type_params"].as_object_mut().map(|params| params.shift_remove("metric"));
    metric
}

fn saved_query(object: Json) -> Json {
    let mut query = picked(&object, &["name", "query_params", "description", "metadata", "label", "exports", "tags"]);
    for export in query["exports"].as_array_mut().into_iter().flatten() {
        let config = picked(&export["config"], &["export_as", "schema_name", "alias"]);
        *export = json!({"name": export["name"], "config": config});
    }
    query
}

fn models_of(manifest: &Manifest) -> impl Iterator<Item = &Node> {
    manifest.nodes.values().map(Box::as_ref).filter(|node| matches!(node.kind, Kind::Model))
}

fn time_spine(node: &Node) -> Option<Json> {
    let spine = node.time_spine.as_ref()?;
    let name = spine.get("standard_granularity_column")?.as_str()?;
    let granularity = node.columns.get(name).and_then(|column| column.granularity.as_deref());
    Some(json!({
        "node_relation": {
            "alias": context::alias(node),
            "schema_name": node.relation.schema,
            "database": node.relation.database,
            "relation_name": node.relation.render(),
        },
        "primary_column": {"name": name, "time_granularity": granularity},
        "custom_granularities": spine["custom_granularities"],
    }))
}

/// The model that was the only time spine before models could say that they are one.
fn old_time_spine(manifest: &Manifest) -> Option<Json> {
    let node = models_of(manifest).find(|node| node.name == "metricflow_time_spine" && node.time_spine.is_none())?;
    Some(json!({"location": node.relation.render(), "column_name": "date_day", "grain": "day"}))
}
