//! Turns a Catalog into `target/catalog.json`, version 1 of dbt's schema: the relations of nodes and sources.

use crate::map::{IndexMap, IndexSet};
use serde::Serialize;

use crate::artifact::{Invocation, Metadata};
use crate::manifest::{Manifest, names};
use crate::run::catalog::{Catalog, Table, key};

const SCHEMA: &str = "https://schemas.getdbt.com/dbt/catalog/v1.json";

#[derive(Serialize)]
pub struct CatalogArtifact<'a> {
    metadata: Metadata<'a>,
    nodes: IndexMap<&'a str, TableEntry<'a>>,
    sources: IndexMap<&'a str, TableEntry<'a>>,
    errors: Option<Vec<String>>,
}

#[derive(Serialize)]
struct TableEntry<'a> {
    metadata: TableMetadata<'a>,
    columns: IndexMap<&'a str, ColumnEntry<'a>>,
    stats: Stats,
    unique_id: &'a str,
}

#[derive(Serialize)]
struct TableMetadata<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    schema: &'a str,
    name: &'a str,
    database: &'a str,
    comment: Option<&'a str>,
    owner: Option<&'a str>,
}

#[derive(Serialize)]
struct ColumnEntry<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    index: i64,
    name: &'a str,
    comment: Option<&'a str>,
}

/// DuckDB has no statistics; dbt says so for each relation.
#[derive(Serialize)]
struct Stats {
    has_stats: Stat,
}

#[derive(Serialize)]
struct Stat {
    id: &'static str,
    label: &'static str,
    value: bool,
    include: bool,
    description: &'static str,
}

const NO_STATS: Stats = Stats {
    has_stats: Stat {
        id: "has_stats",
        label: "Has Stats?",
        value: false,
        include: false,
        description: "Indicates whether there are statistics for this table",
    },
};

/// `target/catalog.json`: what the warehouse has of the selected nodes and sources.
pub fn catalog_json<'a>(
    catalog: &'a Catalog,
    manifest: &'a Manifest,
    selected: &IndexSet<String>,
    invocation: &'a Invocation,
) -> CatalogArtifact<'a> {
    let of = |id: &'a String, relation| {
        let table = catalog.get_full(&key(relation)).filter(|_| selected.contains(id))?;
        Some((table.0, id.as_str(), entry(id, table.2)))
    };
    let nodes = manifest.nodes.values().filter(|node| names::has_relation(node));
    let nodes = nodes.filter_map(|node| of(&node.id, &node.relation));
    let sources = manifest.sources.values().filter_map(|source| of(&source.id, &source.relation));
    CatalogArtifact {
        metadata: Metadata::new(SCHEMA, invocation.started_at, invocation),
        nodes: in_order(nodes.collect()),
        sources: in_order(sources.collect()),
        errors: None,
    }
}

/// In the order of the warehouse's catalog.
fn in_order<'a>(mut entries: Vec<(usize, &'a str, TableEntry<'a>)>) -> IndexMap<&'a str, TableEntry<'a>> {
    entries.sort_by_key(|(at, ..)| *at);
    entries.into_iter().map(|(_, id, entry)| (id, entry)).collect()
}

fn entry<'a>(id: &'a str, table: &'a Table) -> TableEntry<'a> {
    let columns = table.columns.iter().map(|column| {
        let entry = ColumnEntry {
            kind: &column.data_type,
            index: column.index,
            name: &column.name,
            comment: column.comment.as_deref(),
        };
        (column.name.as_str(), entry)
    });
    TableEntry {
        metadata: TableMetadata {
            kind: &table.kind,
            schema: &table.schema,
            name: &table.name,
            database: &table.database,
            comment: table.comment.as_deref(),
            owner: table.owner.as_deref(),
        },
        columns: columns.collect(),
        stats: NO_STATS,
        unique_id: id,
    }
}
