//! Turns semantic models, metrics and saved queries into dbt's objects, for `graph` and the manifest.

use serde_json::{Value as Json, json};

use crate::jinja::JsonMap;
use crate::manifest::semantic::{Semantic, named};
use crate::manifest::{Manifest, RefArguments};
use crate::project::semantic::SemanticKind;

/// dbt's objects of one kind, by unique id.
pub fn objects(manifest: &Manifest, kind: SemanticKind) -> JsonMap {
    let of_kind = manifest.semantics.values().filter(|item| item.kind == kind);
    of_kind.map(|item| (item.id.clone(), object(manifest, item))).collect()
}

fn object(manifest: &Manifest, item: &Semantic) -> Json {
    let refs = |call: &RefArguments| json!({"name": call.name, "package": call.package, "version": call.version});
    let mut all = map(json!({
        "name": item.name,
        "resource_type": item.kind.resource_type(),
        "package_name": item.package,
        "path": item.path,
        "original_file_path": item.original_path,
        "unique_id": item.id,
        "fqn": item.fqn,
        "description": item.written.get("description"),
        "label": item.written.get("label"),
        "metadata": null,
        "config": {
            "enabled": true,
            "group": item.config.get("group"),
            "meta": item.config.get("meta").cloned().unwrap_or_else(|| json!({})),
        },
        "unrendered_config": item.config.unrendered(),
        "group": item.config.get("group"),
        "depends_on": {"macros": [], "nodes": item.depends_on},
        "refs": item.refs.iter().map(refs).collect::<Vec<_>>(),
    }));
    all.extend(map(match item.kind {
        SemanticKind::Model => model(manifest, item),
        SemanticKind::Metric => metric(item),
        SemanticKind::SavedQuery => return saved_query(item, all),
    }));
    Json::Object(all)
}

fn map(json: Json) -> JsonMap {
    match json {
        Json::Object(map) => map,
        _ => JsonMap::new(),
    }
}

/// The keys of a pattern: as they are written, or as the pattern has them. None if nothing is written.
fn filled(pattern: Json, written: Option<&Json>) -> Json {
    let Some(written) = written.and_then(Json::as_object) else { return Json::Null };
    let mut all = map(pattern);
    for (key, value) in &mut all {
        if let Some(own) = written.get(key).filter(|own| !own.is_null()) {
            *value = own.clone();
        }
    }
    Json::Object(all)
}

fn list<'a>(written: &'a JsonMap, key: &str) -> impl Iterator<Item = &'a Json> {
    written.get(key).and_then(Json::as_array).into_iter().flatten()
}

/// An expression is a text, also where it is a number.
fn text(written: Option<&Json>) -> Json {
    match written {
        None | Some(Json::Null) => Json::Null,
        Some(Json::String(text)) => json!(text),
        Some(other) => json!(other.to_string()),
    }
}

/// The name of a variant, which may be written in any case.
fn variant(written: Option<&Json>) -> Json {
    json!(written.and_then(Json::as_str).map(str::to_lowercase))
}

fn model(manifest: &Manifest, item: &Semantic) -> Json {
    let relation = item.depends_on.first().and_then(|id| manifest.node(id)).map(|node| {
        json!({
            "alias": super::context::alias(node),
            "schema_name": node.relation.schema,
            "database": node.relation.database,
            "relation_name": node.relation.render(),
        })
    });
    let parts = |key: &str, pattern: Json, finish: fn(&Json, &mut JsonMap)| -> Vec<Json> {
        let part = |written: &Json| {
            let mut part = map(filled(pattern.clone(), Some(written)));
            part.insert("expr".to_string(), text(written.get("expr")));
            finish(written, &mut part);
            part.insert("config".to_string(), json!({"meta": meta(item, written)}));
            Json::Object(part)
        };
        list(&item.written, key).map(part).collect()
    };
    let entity = json!({"name": null, "type": null, "description": null, "label": null, "role": null});
    let measure = json!({
        "name": null, "agg": null, "description": null, "label": null, "create_metric": false, "expr": null,
        "agg_params": null, "non_additive_dimension": null, "agg_time_dimension": null,
    });
    let dimension = json!({
        "name": null, "type": null, "description": null, "label": null, "is_partition": false, "type_params": null,
        "expr": null, "metadata": null,
    });
    json!({
        "model": item.written.get("model"),
        "node_relation": relation,
        "defaults": filled(json!({"agg_time_dimension": null}), item.written.get("defaults")),
        "primary_entity": item.written.get("primary_entity"),
        "entities": parts("entities", entity, |written, part| put(part, "type", variant(written.get("type")))),
        "measures": parts("measures", measure, finish_measure),
        "dimensions": parts("dimensions", dimension, finish_dimension),
    })
}

fn put(part: &mut JsonMap, key: &str, value: Json) {
    part.insert(key.to_string(), value);
}

/// The `meta` of a part, over that of its model.
fn meta(item: &Semantic, part: &Json) -> JsonMap {
    let mut meta = item.config.get("meta").cloned().map(map).unwrap_or_default();
    meta.extend(part.get("config").and_then(|config| config.get("meta")).cloned().map(map).unwrap_or_default());
    meta
}

fn finish_measure(written: &Json, part: &mut JsonMap) {
    let params = json!({
        "percentile": null, "use_discrete_percentile": false, "use_approximate_percentile": false,
    });
    let non_additive = json!({"name": null, "window_choice": null, "window_groupings": []});
    put(part, "agg", variant(written.get("agg")));
    // The metric that it asks for stands among the metrics.
    put(part, "create_metric", json!(false));
    put(part, "agg_params", filled(params, written.get("agg_params")));
    put(part, "non_additive_dimension", filled(non_additive, written.get("non_additive_dimension")));
}

fn finish_dimension(written: &Json, part: &mut JsonMap) {
    let params = written.get("type_params");
    let mut filled_params = filled(json!({"time_granularity": null, "validity_params": null}), params);
    if let Some(validity) = params.and_then(|params| params.get("validity_params")) {
        filled_params["validity_params"] = filled(json!({"is_start": false, "is_end": false}), Some(validity));
    }
    put(part, "type", variant(written.get("type")));
    put(part, "type_params", filled_params);
}

/// One condition or several, as the semantic layer has them.
fn conditions(written: Option<&Json>) -> Json {
    let one = |text: &Json| json!({"where_sql_template": text});
    match written {
        None | Some(Json::Null) => Json::Null,
        Some(Json::Array(several)) => json!({"where_filters": several.iter().map(one).collect::<Vec<_>>()}),
        Some(text) => json!({"where_filters": [one(text)]}),
    }
}

const GRANULARITIES: [&str; 10] =
    ["nanosecond", "microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter"];

/// `28 days` as a count and a granularity.
fn window(written: Option<&Json>) -> Json {
    let Some((count, unit)) = written.and_then(Json::as_str).and_then(|text| text.trim().split_once(' ')) else {
        return Json::Null;
    };
    let unit = unit.trim().to_lowercase();
    let one = unit.strip_suffix('s').filter(|one| GRANULARITIES.contains(one) || *one == "year").unwrap_or(&unit);
    json!({"count": count.parse::<u64>().ok(), "granularity": one})
}

fn measure_input(written: &Json) -> Json {
    let pattern =
        json!({"name": null, "filter": null, "alias": null, "join_to_timespine": false, "fill_nulls_with": null});
    let written = named(written);
    let mut input = filled(pattern, Some(&written));
    input["filter"] = conditions(written.get("filter"));
    input
}

fn metric_input(written: &Json) -> Json {
    let pattern = json!({"name": null, "filter": null, "alias": null, "offset_window": null, "offset_to_grain": null});
    let written = named(written);
    let mut input = filled(pattern, Some(&written));
    input["filter"] = conditions(written.get("filter"));
    input["offset_window"] = window(written.get("offset_window"));
    input
}

fn metric(item: &Semantic) -> Json {
    let params = item.written.get("type_params").cloned().map(map).unwrap_or_default();
    let get = |key: &str| params.get(key).filter(|value| !value.is_null());
    let kind = variant(item.written.get("type"));
    json!({
        "description": item.written.get("description").cloned().unwrap_or_else(|| json!("")),
        "type": kind,
        "type_params": {
            "measure": get("measure").map(measure_input),
            "input_measures": item.measures.iter().map(measure_input).collect::<Vec<_>>(),
            "numerator": get("numerator").map(metric_input),
            "denominator": get("denominator").map(metric_input),
            "expr": text(get("expr")),
            "window": window(get("window")),
            "grain_to_date": get("grain_to_date"),
            "metrics": list(&params, "metrics").map(metric_input).collect::<Vec<_>>(),
            "conversion_type_params": get("conversion_type_params").map(conversion),
            "cumulative_type_params": (kind == "cumulative").then(|| cumulative(&params)),
            "metric_aggregation_params": null,
        },
        "filter": conditions(item.written.get("filter")),
        "time_granularity": item.written.get("time_granularity"),
        "meta": item.config.get("meta").or(item.written.get("meta")).cloned().unwrap_or_else(|| json!({})),
        "tags": list(&item.written, "tags").collect::<Vec<_>>(),
        "sources": [],
        "metrics": [],
    })
}

/// What is written beside `cumulative_type_params` counts as if it stood in it.
fn cumulative(params: &JsonMap) -> Json {
    let own = params.get("cumulative_type_params");
    let get = |key: &str| own.and_then(|own| own.get(key)).filter(|value| !value.is_null());
    json!({
        "window": window(get("window").or(params.get("window"))),
        "grain_to_date": get("grain_to_date").or(params.get("grain_to_date")),
        "period_agg": get("period_agg").cloned().unwrap_or_else(|| json!("first")),
        "metric": null,
    })
}

fn conversion(written: &Json) -> Json {
    json!({
        "base_measure": written.get("base_measure").map(measure_input),
        "conversion_measure": written.get("conversion_measure").map(measure_input),
        "entity": written.get("entity"),
        "calculation": written.get("calculation").cloned().unwrap_or_else(|| json!("conversion_rate")),
        "window": window(written.get("window")),
        "constant_properties": written.get("constant_properties"),
    })
}

fn saved_query(item: &Semantic, mut all: JsonMap) -> Json {
    let pattern = json!({"metrics": [], "group_by": [], "where": null, "order_by": [], "limit": null});
    let written = item.written.get("query_params");
    let mut params = filled(pattern, written);
    params["where"] = conditions(written.and_then(|params| params.get("where")));
    let exports = list(&item.written, "exports").map(|written| export(item, written));
    put(&mut all, "exports", exports.collect());
    put(&mut all, "query_params", params);
    let mut tags: Vec<&str> =
        list(&item.written, "tags").filter_map(Json::as_str).chain(item.config.texts("tags")).collect();
    tags.sort_unstable();
    tags.dedup();
    put(&mut all, "tags", json!(tags));
    let config = &mut all["config"];
    config["export_as"] = json!(item.config.get("export_as"));
    config["schema"] = json!(item.config.get("schema"));
    config["cache"] = filled(json!({"enabled": false}), Some(item.config.get("cache").unwrap_or(&json!({}))));
    Json::Object(all)
}

/// An export goes where the saved query says, or where models go.
fn export(item: &Semantic, written: &Json) -> Json {
    let own = written.get("config").cloned().map(map).unwrap_or_default();
    let get = |key: &str| own.get(key).or(item.config.get(key)).filter(|value| !value.is_null()).cloned();
    json!({
        "name": written.get("name"),
        "config": {
            "export_as": get("export_as"),
            "schema_name": get("schema_name").or_else(|| get("schema")).unwrap_or_else(|| json!(item.place.1)),
            "alias": get("alias").or_else(|| written.get("name").cloned()),
            "database": item.place.0,
        },
        "unrendered_config": own,
    })
}
