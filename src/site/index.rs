//! The facts of the docs site as `index.json` writes them for other tools.
//!
//! `docs/site.md` describes every field. A field without content is left out of the file.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::jinja::JsonMap;

/// The version of the format: it changes when a field changes its meaning or goes.
pub const VERSION: u32 = 1;

/// Everything that the docs site shows.
#[derive(Serialize)]
pub struct Index<'a> {
    pub medal_index: u32,
    pub generated_at: &'a str,
    pub project: Project<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Run<'a>>,
    /// The last runs, the newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run<'a>>,
    pub nodes: Vec<Node<'a>>,
    /// By unique id and column: which columns its values are made of (`direct`), and which only decide what rows there
    /// are (`indirect`), each a pair of unique id and column; null where a query could not be read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub column_lineage: &'a BTreeMap<&'a str, Json>,
}

#[derive(Serialize)]
pub struct Project<'a> {
    pub name: &'a str,
    pub adapter: &'a str,
    /// The docs block `__overview__`, as Markdown.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub overview: &'a str,
}

/// The run that the results of the nodes are from.
#[derive(Serialize)]
pub struct Run<'a> {
    pub command: &'a str,
    pub at: &'a str,
    pub seconds: f64,
}

/// A model, seed, snapshot, analysis, test, unit test, source, exposure or macro.
#[derive(Serialize)]
pub struct Node<'a> {
    pub id: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    pub package: &'a str,
    pub path: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub layer: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub materialized: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub relation: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "nothing")]
    pub meta: &'a Json,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub group: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub access: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub contract: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub macros: Vec<&'a str>,
    #[serde(skip_serializing_if = "nothing")]
    pub arguments: &'a Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<Test<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<NodeResult<'a>>,
    /// How the node ended in the last runs: the place in `runs`, the status, the seconds, and failures or rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Json>,
    /// How many rows the table has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub freshness: Option<Freshness<'a>>,
    /// What of the model is in quarantine, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stats: Vec<Stat<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub raw_code: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub compiled_code: &'a str,
}

#[derive(Serialize)]
pub struct Column<'a> {
    pub name: &'a str,
    #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
    pub data_type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<&'a str>,
    #[serde(skip_serializing_if = "nothing")]
    pub meta: &'a Json,
    /// Described, but not in the relation as the catalog has it.
    #[serde(skip_serializing_if = "is_false")]
    pub absent: bool,
}

#[derive(Serialize)]
pub struct Test<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub column: &'a str,
    /// The node or source that the test is written on.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub on: &'a str,
    #[serde(skip_serializing_if = "JsonMap::is_empty")]
    pub arguments: JsonMap,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub severity: &'a str,
    /// The rows that a unit test gives to its model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Fixture<'a>>,
    /// The rows that a unit test expects of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Fixture<'a>>,
}

/// Rows of a unit test.
#[derive(Serialize)]
pub struct Fixture<'a> {
    /// What they stand for, as it is written: `ref('orders')`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub input: &'a str,
    /// The file that they are from.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub fixture: &'a str,
    /// A list of objects, or SQL.
    pub rows: &'a Json,
}

/// The open rows of a quarantine, as numbers.
#[derive(Serialize)]
pub struct Quarantine<'a> {
    pub rows: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason<'a>>,
}

/// Why rows are held back.
#[derive(Serialize)]
pub struct Reason<'a> {
    pub code: &'a str,
    /// The unique id of the test that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<&'a str>,
    pub rows: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Source<'a> {
    pub name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub loader: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub description: &'a str,
}

#[derive(Serialize)]
pub struct Exposure<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub label: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub url: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub maturity: &'a str,
    #[serde(skip_serializing_if = "nothing")]
    pub owner: &'a Json,
}

#[derive(Serialize)]
pub struct NodeResult<'a> {
    pub status: &'a str,
    pub seconds: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub at: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<i64>,
}

#[derive(Serialize)]
pub struct Freshness<'a> {
    pub status: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub loaded_at: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub checked_at: &'a str,
    #[serde(skip_serializing_if = "nothing")]
    pub criteria: &'a Json,
}

#[derive(Serialize)]
pub struct Stat<'a> {
    pub label: &'a str,
    pub value: &'a Json,
}

fn nothing(json: &&Json) -> bool {
    match json {
        Json::Null => true,
        Json::Object(map) => map.is_empty(),
        Json::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}
