//! Turns models that keep what they receive into the columns that they have after a run: files of which something is
//! known (`ingest`), and events (`cdc`).

use serde_json::Value as Json;

use crate::adapter::binder::Binder;
use crate::adapter::relation::Column;
use crate::check::{Checked, Checker, Schema, Unknown};
use crate::compile::landing::look;
use crate::manifest::ingest::Ingest;
use crate::manifest::{Node, Source, cdc, ingest};

/// What an `ingest` model adds to each record: `ingest_metadata` of the templates.
pub const METADATA: [(&str, &str); 7] = [
    ("_rescued", "JSON"),
    ("_source_file", "VARCHAR"),
    ("_source_row", "BIGINT"),
    ("_checksum", "VARCHAR"),
    ("_ingested_at", "TIMESTAMP WITH TIME ZONE"),
    ("_ingest_date", "DATE"),
    ("_batch_id", "VARCHAR"),
];

fn column(name: &str, data_type: &str) -> Column {
    Column { name: name.to_string(), data_type: data_type.to_string() }
}

fn has(columns: &[Column], name: &str) -> bool {
    columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
}

fn is_metadata(name: &str) -> bool {
    METADATA.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// The columns of an `ingest` model: its query over what may land.
pub fn of_ingest(
    checker: &Checker<'_>,
    binder: &mut dyn Binder,
    node: &Node,
    sql: &str,
    known: &Checked,
) -> Result<Schema, Unknown> {
    let manifest = &checker.request.session.manifest;
    let settings = ingest::settings(manifest, node).map_err(|_| Unknown::Broken)?;
    let before = checker.outside.columns(&node.relation);
    let files = checker.landing(&settings).or_else(|| known.schemas.get(&settings.source).cloned());
    let landed = landed(&settings, &before, files.as_ref()).ok_or(Unknown::Undeclared)?;
    let mut relation = node.relation.clone();
    relation.identifier = relation.identifier.map(|name| format!("{name}__landed"));
    let source = &manifest.sources[&settings.source].relation;
    let sql = sql.replace(&source.render(), &relation.render());
    let refused = |refusal: crate::adapter::binder::Refusal| Unknown::World(refusal.message);
    checker.declare(binder, &[(&relation, &landed)]).map_err(refused)?;
    let mut columns = binder.columns(&sql).map_err(refused)?;
    let gone: Vec<Column> = before.into_iter().filter(|old| !has(&columns, &old.name)).collect();
    columns.extend(gone);
    Ok(Schema { columns, certain: landed.certain })
}

impl Checker<'_> {
    /// The columns of the files that a model receives, as it would read them.
    fn landing(&self, settings: &Ingest) -> Option<Schema> {
        let root = self.request.session.project.root().dir.as_path();
        look::columns(root, settings).map(|columns| Schema { columns, certain: false })
    }

    /// The same for a source that nobody reads but `ingest` models: no engine ever reads its files as they are.
    pub fn received(&self, source: &Source) -> Option<Schema> {
        let manifest = &self.request.session.manifest;
        let mut readers = manifest.nodes.values().filter(|node| node.depends_on.contains(&source.id)).peekable();
        let first = readers.peek().map(|node| (*node).as_ref());
        if !readers.all(|node| node.materialized() == "ingest" && self.builds_plainly(node, &["ingest"])) {
            return None;
        }
        self.landing(&ingest::settings(manifest, first?).ok()?)
    }
}

/// The columns of what lands: those that are declared, that the table has already, and that the files have now. Only a model
/// that takes nothing else is certain to have no others.
fn landed(settings: &Ingest, before: &[Column], files: Option<&Schema>) -> Option<Schema> {
    let is_raw = settings.choices["schema_mode"] == "raw";
    let is_strict = settings.choices["schema_mode"] == "strict";
    let mut columns: Vec<Column> = match is_raw {
        true => vec![column("_raw", "VARCHAR")],
        false => settings.declared.iter().map(|(name, data_type)| column(name, data_type)).collect(),
    };
    let seen = files.iter().flat_map(|schema| &schema.columns).map(|seen| column(&seen.name, kept_as(&seen.data_type)));
    for other in before.iter().cloned().chain(seen).filter(|_| !is_raw && !is_strict) {
        if !has(&columns, &other.name) && !is_metadata(&other.name) {
            columns.push(other);
        }
    }
    if columns.is_empty() {
        return None;
    }
    columns.extend(METADATA.map(|(name, data_type)| column(name, data_type)));
    Some(Schema { columns, certain: is_raw || is_strict })
}

/// The type in which a value of a file is kept.
fn kept_as(data_type: &str) -> &str {
    let is_nested = data_type.starts_with("STRUCT") || data_type.starts_with("MAP") || data_type.ends_with(']');
    if is_nested { "JSON" } else { data_type }
}

/// The columns of a `cdc` model whose query gives these. Nothing is certain if its settings are wrong, of which others tell.
pub fn of_events(checker: &Checker<'_>, node: &Node, given: Vec<Column>, certain: bool) -> Schema {
    let Ok(settings) = cdc::settings(&checker.request.session.manifest, node) else {
        return Schema { columns: given, certain: false };
    };
    let texts = |key: &str| -> Vec<String> {
        let items = settings[key].as_array().into_iter().flatten();
        items.filter_map(Json::as_str).map(str::to_lowercase).collect()
    };
    let (keys, except) = (texts("unique_key"), texts("except"));
    let decoded = decoded(&settings, given);
    let sequence = sequence_type(&decoded, &texts("sequence_by"));
    let is_kept = |column: &Column| {
        let name = column.name.to_lowercase();
        let arrives = name != "_rescued" && is_metadata(&name);
        keys.contains(&name) || !arrives && !except.contains(&name)
    };
    let mut columns: Vec<Column> = decoded.into_iter().filter(is_kept).collect();
    let certain = certain && sequence.is_some();
    let sequence = sequence.unwrap_or("BIGINT".to_string());
    if settings["scd"] == 1 {
        columns.push(column("_seq", &sequence));
    } else {
        let own = node.config.get("snapshot_meta_column_names");
        let name = |key: &str, default: &str| {
            let own = own.and_then(|names| names.get(key)?.as_str());
            own.unwrap_or(default).to_string()
        };
        columns.push(column(&name("dbt_valid_from", "valid_from"), &sequence));
        columns.push(column(&name("dbt_valid_to", "valid_to"), &sequence));
        columns.push(column(&name("dbt_is_current", "is_current"), "BOOLEAN"));
    }
    columns.push(column("_row_hash", "UBIGINT"));
    Schema { columns, certain }
}

/// What `cdc_decoded` of the templates makes of an envelope.
fn decoded(settings: &Json, given: Vec<Column>) -> Vec<Column> {
    let named =
        |names: &[&str]| given.iter().find(|column| names.contains(&column.name.to_lowercase().as_str())).cloned();
    let own = |key: &str, names: &[&str]| match settings["cdc_columns"][key].as_str() {
        Some(name) => named(&[&name.to_lowercase()]),
        None => named(names),
    };
    match settings["cdc_format"].as_str() {
        Some("debezium") => {
            let added = [
                column("_op", "VARCHAR"),
                column("_source_ts", "TIMESTAMP WITH TIME ZONE"),
                column("_op_order", "HUGEINT"),
            ];
            let text = |value: &Json| value.as_str().unwrap_or_default().to_string();
            let declared = settings["declared"].as_array().into_iter().flatten();
            let declared = declared.map(|one| column(&text(&one["name"]), &text(&one["data_type"])));
            added.into_iter().chain(declared).collect()
        }
        Some("dms" | "generic") => {
            let op = own("op", &["op", "_op", "operation"]);
            let time = own("timestamp", &["_timestamp", "timestamp", "ar_h_timestamp", "dms_timestamp", "ts"]);
            let order = own("order", &["ar_h_change_seq", "transact_id", "lsn", "order"]);
            let gone: Vec<String> = [&op, &time, &order].into_iter().flatten().map(|gone| gone.name.clone()).collect();
            let kind =
                |found: Option<Column>, default: &str| found.map_or(default.to_string(), |found| found.data_type);
            let added = [
                column("_op", "VARCHAR"),
                column("_source_ts", &kind(time, "TIMESTAMP")),
                column("_op_order", &kind(order, "INTEGER")),
            ];
            given.into_iter().filter(|column| !gone.contains(&column.name)).chain(added).collect()
        }
        _ => given,
    }
}

/// The type of what orders events; none if a column of it is missing.
fn sequence_type(columns: &[Column], names: &[String]) -> Option<String> {
    let found: Option<Vec<&Column>> =
        names.iter().map(|name| columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))).collect();
    match found?.as_slice() {
        [] => None,
        [one] => Some(one.data_type.clone()),
        several => {
            let part = |column: &&Column| format!("\"{}\" {}", column.name, column.data_type);
            Some(format!("STRUCT({})", several.iter().map(part).collect::<Vec<_>>().join(", ")))
        }
    }
}
