//! The smaller objects that dbt's artifacts are made of: columns, constraints, refs, checksums.

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::Value as Json;

use crate::jinja::JsonMap;
use crate::manifest::RefArguments;
use crate::project::config::Config;
use crate::project::properties::{ColumnInfo, ColumnMap};

/// An empty list or mapping of things that medal does not have.
pub const NOTHING: [&str; 0] = [];

/// A mapping that is made while it is written.
pub struct Entries<F>(pub F);

impl<K: Serialize, V: Serialize, I: Iterator<Item = (K, V)>, F: Fn() -> I> Serialize for Entries<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map((self.0)())
    }
}

/// What every resource says of itself.
#[derive(Serialize)]
pub struct Identity<'a> {
    pub name: &'a str,
    pub resource_type: &'static str,
    pub package_name: &'a str,
    /// Below the folder of its kind.
    pub path: &'a str,
    pub original_file_path: &'a str,
    pub unique_id: &'a str,
}

/// Which parts of a name are quoted; null is the engine's own habit, which is to quote.
#[derive(Serialize)]
pub struct Quoting {
    pub database: Option<bool>,
    pub schema: Option<bool>,
    pub identifier: Option<bool>,
    pub column: Option<bool>,
}

#[derive(Serialize)]
pub struct Checksum<'a> {
    name: &'static str,
    checksum: &'a str,
}

impl<'a> Checksum<'a> {
    /// Generic tests have no text of their own, and so no checksum; a large seed has its path.
    pub fn new(checksum: &'a str) -> Checksum<'a> {
        let is_digest = checksum.len() == 64 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = match checksum {
            "" => "none",
            _ if is_digest => "sha256",
            _ => "path",
        };
        Checksum { name, checksum }
    }
}

#[derive(Serialize)]
pub struct Docs<'a> {
    show: bool,
    node_color: Option<&'a str>,
}

impl<'a> Docs<'a> {
    pub fn new(docs: Option<&'a JsonMap>) -> Docs<'a> {
        let get = |key| docs.and_then(|docs| docs.get(key));
        let node_color = get("node_color").and_then(Json::as_str);
        Docs { show: get("show").and_then(Json::as_bool).unwrap_or(true), node_color }
    }
}

#[derive(Serialize)]
pub struct Contract {
    enforced: bool,
    alias_types: bool,
    checksum: Option<String>,
}

impl Contract {
    pub fn new(config: &Config, checksum: Option<String>) -> Contract {
        let contract = config.get("contract");
        let flag = |key, default| contract.and_then(|contract| contract.get(key)?.as_bool()).unwrap_or(default);
        let enforced = flag("enforced", false);
        Contract { enforced, alias_types: flag("alias_types", true), checksum: checksum.filter(|_| enforced) }
    }
}

#[derive(Serialize)]
pub struct Ref<'a> {
    name: &'a str,
    package: Option<&'a str>,
    version: Option<&'a Json>,
}

pub fn refs(refs: &[RefArguments]) -> Vec<Ref<'_>> {
    let calls = refs.iter();
    calls
        .map(|call| Ref { name: &call.name, package: call.package.as_deref(), version: call.version.as_ref() })
        .collect()
}

#[derive(Serialize)]
pub struct DependsOn<'a> {
    pub macros: &'a [String],
    pub nodes: &'a [String],
}

/// The described columns of a node or source, by name.
pub struct Columns<'a>(pub &'a ColumnMap);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, column)| (name, Column::from(column.as_ref()))))
    }
}

#[derive(Serialize)]
struct Column<'a> {
    name: &'a str,
    description: &'a str,
    meta: &'a JsonMap,
    data_type: Option<&'a str>,
    constraints: Vec<Constraint<'a>>,
    quote: Option<bool>,
    config: ColumnConfig<'a>,
    tags: &'a [String],
    granularity: Option<&'a str>,
    doc_blocks: &'a [String],
    #[serde(flatten)]
    extra: &'a JsonMap,
}

#[derive(Serialize)]
struct ColumnConfig<'a> {
    meta: &'a JsonMap,
    tags: &'a [String],
}

impl<'a> From<&'a ColumnInfo> for Column<'a> {
    fn from(column: &'a ColumnInfo) -> Column<'a> {
        Column {
            name: &column.name,
            description: &column.description,
            meta: &column.meta,
            data_type: column.data_type.as_deref(),
            constraints: constraints(&column.constraints).collect(),
            quote: column.quote,
            config: ColumnConfig { meta: &column.meta, tags: &column.tags },
            tags: &column.tags,
            granularity: column.granularity.as_deref(),
            doc_blocks: &column.doc_blocks,
            extra: &column.extra,
        }
    }
}

/// A constraint of a contract, on a column or (with `columns`) on a model.
#[derive(Serialize)]
pub struct Constraint<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    name: Option<&'a str>,
    expression: Option<&'a str>,
    warn_unenforced: bool,
    warn_unsupported: bool,
    to: Option<&'a str>,
    to_columns: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    columns: Option<Vec<&'a str>>,
}

/// The constraints of a column, as the user has written them.
pub fn constraints(written: &Json) -> impl Iterator<Item = Constraint<'_>> {
    written.as_array().into_iter().flatten().filter_map(constraint)
}

/// The constraints of a model.
pub fn model_constraints(written: &Json) -> impl Iterator<Item = Constraint<'_>> {
    let with_columns = |(written, constraint)| Constraint { columns: Some(texts(written, "columns")), ..constraint };
    let all = written.as_array().into_iter().flatten();
    all.filter_map(|written| Some((written, constraint(written)?))).map(with_columns)
}

fn constraint(written: &Json) -> Option<Constraint<'_>> {
    let text = |key| written.get(key).and_then(Json::as_str);
    let flag = |key| written.get(key).and_then(Json::as_bool).unwrap_or(true);
    Some(Constraint {
        kind: text("type")?,
        name: text("name"),
        expression: text("expression"),
        warn_unenforced: flag("warn_unenforced"),
        warn_unsupported: flag("warn_unsupported"),
        to: text("to"),
        to_columns: texts(written, "to_columns"),
        columns: None,
    })
}

impl<'a> Constraint<'a> {
    /// The columns of a primary key; empty for that of a column.
    pub fn primary_key(self) -> Option<Vec<&'a str>> {
        (self.kind == "primary_key").then(|| self.columns.unwrap_or_default())
    }
}

pub fn texts<'a>(written: &'a Json, key: &str) -> Vec<&'a str> {
    let items = written.get(key).and_then(Json::as_array);
    items.into_iter().flatten().filter_map(Json::as_str).collect()
}
