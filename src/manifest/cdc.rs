//! Turns the configuration of a model that is materialized as `cdc` into what its events are told apart and ordered by.
//!
//! Source of the rules: `docs/medallion.md`, section 3.

use serde_json::{Value as Json, json};

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::manifest::settings::Reader;
use crate::manifest::{Manifest, Node};
use crate::project::properties::ColumnInfo;

/// The settings of a model, as a template sees them. Every mistake in them is an error of its own.
pub fn settings(manifest: &Manifest, node: &Node) -> Result<Json, Vec<Diagnostic>> {
    let parents = node.depends_on.iter();
    let sources = parents.clone().filter_map(|id| manifest.sources.get(id)).map(|source| &source.config);
    let nodes = parents.filter_map(|id| manifest.node(id)).flat_map(|parent| &parent.depends_on);
    let above = nodes.filter_map(|id| manifest.sources.get(id)).map(|source| &source.config);
    let mut reader = Reader { node, configs: vec![&node.config], code: Code::CdcConfig, problems: Vec::new() };
    // What an event looks like is said by the source, also through the bronze model that keeps it.
    reader.configs.extend(sources.chain(above));
    let format = reader.choice("cdc_format", &["none", "debezium", "dms", "generic"]);
    let cdc_columns = reader.written("cdc_columns").unwrap_or(json!({}));
    reader.configs.truncate(1);

    let is_decoded = format != "none";
    let unique_key = reader.texts("unique_key");
    let mut sequence_by = reader.texts("sequence_by");
    if sequence_by.is_empty() && is_decoded {
        sequence_by = vec!["_source_ts".to_string(), "_op_order".to_string()];
    }
    for (key, names) in [("unique_key", &unique_key), ("sequence_by", &sequence_by)] {
        if names.is_empty() {
            let help = "name the columns that tell things apart with `unique_key`, and those that order their events \
                        with `sequence_by`";
            reader.refuse(key, "is missing", help);
        }
    }
    let by_op = |op: &str| is_decoded.then(|| format!("_op = '{op}'"));
    let settings = json!({
        "unique_key": unique_key,
        "sequence_by": sequence_by,
        "delete_when": reader.text("delete_when").or(by_op("D")),
        "truncate_when": reader.text("truncate_when").or(by_op("T")),
        "scd": if reader.choice("scd", &["1", "2"]) == "2" { 2 } else { 1 },
        "except": except(&mut reader),
        "event_time": reader.text("event_time"),
        "late_horizon": reader.text("late_horizon"),
        "on_late": reader.choice("on_late", &["apply", "quarantine"]),
        "on_null_key": reader.choice("on_null_key", &["quarantine", "fail"]),
        "on_schema_change": reader.choice("on_schema_change", &["fail", "append_new_columns"]),
        "cdc_format": format,
        "cdc_columns": cdc_columns,
        "declared": declared(node),
    });
    check(&mut reader, &settings);
    if reader.problems.is_empty() { Ok(settings) } else { Err(reader.problems) }
}

/// `columns: {except: […]}`.
fn except(reader: &mut Reader<'_>) -> Vec<String> {
    let written = reader.written("columns");
    let names = written.as_ref().and_then(|columns| columns.get("except")).and_then(Json::as_array);
    names.into_iter().flatten().filter_map(Json::as_str).map(str::to_string).collect()
}

fn declared(node: &Node) -> Vec<Json> {
    let typed =
        |column: &ColumnInfo| column.data_type.as_ref().map(|kind| json!({"name": column.name, "data_type": kind}));
    node.columns.values().filter_map(|column| typed(column)).collect()
}

/// What settings ask of each other.
fn check(reader: &mut Reader<'_>, settings: &Json) {
    if reader.written("ignore_null_updates") == Some(json!(true)) {
        let fact = "is true, which no order of arrival would keep: a late event could not tell which nulls are its own";
        reader.refuse("ignore_null_updates", fact, "fill the nulls in a model that reads the history (`scd: 2`)");
    }
    if settings["event_time"].is_null() {
        for key in ["late_horizon", "on_late"] {
            if reader.written(key).is_some() {
                reader.refuse(key, "needs `event_time`", "name the column that says when an event happened");
            }
        }
    } else if settings["on_late"] == "quarantine" && settings["late_horizon"].is_null() {
        reader.refuse("on_late", "needs `late_horizon`", "say how late an event may be, for instance `7 days`");
    }
    if settings["cdc_format"] == "debezium" && settings["declared"] == json!([]) {
        let help = "list the columns of a row with their `data_type` below the model: an event tells no types";
        reader.refuse("cdc_format", "is debezium, and no column of the model is declared", help);
    }
}
