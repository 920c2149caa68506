//! Turns a property file (`schema.yml` and its like) into descriptions of resources, with the place of each.

use std::sync::Arc;

use crate::map::IndexMap;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::files::{FileId, Span};
use crate::jinja::JsonMap;
use crate::project::fields::Fields;
use crate::project::freshness::{self, FreshnessProperties};
use crate::project::render::YamlRenderer;
use crate::project::semantic::{self, SemanticProperties};
use crate::project::unit_tests::{self, UnitTestProperties};
use crate::project::versions::{self, ModelVersion};
use crate::yaml::{Value, Yaml};

/// What one property file says.
#[derive(Debug, Clone)]
pub struct Properties {
    pub file: FileId,
    /// Path relative to the package.
    pub path: String,
    pub models: Vec<NodeProperties>,
    pub seeds: Vec<NodeProperties>,
    pub snapshots: Vec<NodeProperties>,
    pub analyses: Vec<NodeProperties>,
    pub singular_tests: Vec<NodeProperties>,
    pub macros: Vec<MacroProperties>,
    pub sources: Vec<SourceProperties>,
    pub exposures: Vec<ExposureProperties>,
    pub groups: Vec<GroupProperties>,
    /// Semantic models, metrics and saved queries.
    pub semantics: Vec<SemanticProperties>,
    pub unit_tests: Vec<UnitTestProperties>,
}

/// What YAML says of a model, seed, snapshot, analysis or source table.
#[derive(Debug, Clone)]
pub struct NodeProperties {
    pub name: String,
    pub span: Span,
    pub description: String,
    pub config: JsonMap,
    /// The place of each key of `config`.
    pub config_spans: Vec<(String, Span)>,
    pub columns: Vec<ColumnProperties>,
    pub tests: Vec<TestProperties>,
    pub constraints: Json,
    /// Of models: which version this describes, if it has versions.
    pub version: Option<Box<ModelVersion>>,
    pub deprecation_date: Option<DateTime<Utc>>,
    pub time_spine: Json,
    /// Of a snapshot that is written in YAML alone: the `ref(…)` or `source(…)` that it reads, and its place.
    pub relation: Option<(String, Span)>,
}

#[derive(Debug, Clone)]
pub struct ColumnProperties {
    /// Shared with the node: a project has tens of thousands of columns.
    pub info: Arc<ColumnInfo>,
    pub span: Span,
    pub tests: Vec<TestProperties>,
}

/// The columns of a node by their names, in the order of the file.
pub type ColumnMap = IndexMap<String, Arc<ColumnInfo>>;

/// What a column is said to be.
#[derive(Debug, Clone)]
pub struct ColumnInfo {
    pub name: String,
    pub description: String,
    pub data_type: Option<String>,
    pub quote: Option<bool>,
    pub meta: JsonMap,
    pub tags: Vec<String>,
    pub constraints: Json,
    /// Of a column of times: how long each of its steps is.
    pub granularity: Option<Box<str>>,
    /// Keys that nobody but the readers of the manifest knows, such as `pii: true`.
    pub extra: JsonMap,
    /// Unique ids of the docs blocks that the description quotes.
    pub doc_blocks: Vec<String>,
    /// Where its name is written.
    pub span: Option<Span>,
}

/// A generic test as written: its name, perhaps with a package, and everything below it.
#[derive(Debug, Clone)]
pub struct TestProperties {
    pub name: String,
    pub span: Span,
    /// Arguments and configuration together, not rendered.
    pub arguments: JsonMap,
    /// The texts in it that refer to something, as in `to: ref('orders')`, and where they are written.
    pub references: Vec<(String, Span)>,
}

#[derive(Debug, Clone)]
pub struct MacroProperties {
    pub name: String,
    pub span: Span,
    pub description: String,
    pub meta: JsonMap,
    pub arguments: Json,
    pub docs: JsonMap,
}

#[derive(Debug, Clone)]
pub struct SourceProperties {
    pub name: String,
    pub span: Span,
    pub description: String,
    pub database: Option<String>,
    pub schema: Option<String>,
    /// `database` and `schema` as they are written, with their Jinja.
    pub written_place: [Option<String>; 2],
    pub loader: String,
    pub quoting: JsonMap,
    pub config: JsonMap,
    pub freshness: FreshnessProperties,
    pub meta: JsonMap,
    /// Without those below `config:`.
    pub tags: Vec<String>,
    pub tables: Vec<SourceTable>,
}

#[derive(Debug, Clone)]
pub struct SourceTable {
    /// Without those below `config:`.
    pub tags: Vec<String>,
    pub node: NodeProperties,
    pub freshness: FreshnessProperties,
    pub identifier: Option<String>,
    pub loader: Option<String>,
    pub quoting: JsonMap,
    pub external: Json,
}

#[derive(Debug, Clone)]
pub struct ExposureProperties {
    pub name: String,
    pub span: Span,
    pub label: Option<String>,
    pub kind: String,
    pub description: String,
    pub maturity: Option<String>,
    pub url: Option<String>,
    pub owner: JsonMap,
    /// `ref('x')` and `source('a', 'b')`, as texts with their places.
    pub depends_on: Vec<(String, Span)>,
    pub config: JsonMap,
}

#[derive(Debug, Clone)]
pub struct GroupProperties {
    pub name: String,
    pub span: Span,
    pub description: String,
    pub owner: JsonMap,
    pub config: JsonMap,
}

/// Keys that dbt renders only when the node is compiled, or never.
const AS_WRITTEN: [&str; 10] = [
    "description",
    "loaded_at_query",
    "tests",
    "data_tests",
    "pre-hook",
    "post-hook",
    "arguments",
    "metrics",
    "semantic_models",
    "saved_queries",
];

/// Reads one property file.
pub fn read(path: &str, raw: &Yaml, renderer: &YamlRenderer, sink: &mut Diagnostics) -> Properties {
    let yaml = renderer.yaml(raw, &AS_WRITTEN, sink);
    let mut fields = Fields::new(&yaml, "a property file", sink);
    fields.ignore(&["version", "metrics", "semantic_models", "saved_queries", "anchors", "functions"]);
    let list = |fields: &mut Fields<'_, '_>, key: &'static str, what: &'static str| -> Vec<NodeProperties> {
        fields.each(key, |item, sink| node(item, what, sink))
    };
    let models = fields.each("models", model).concat();
    let seeds = list(&mut fields, "seeds", "a seed");
    let snapshots = list(&mut fields, "snapshots", "a snapshot");
    let analyses = list(&mut fields, "analyses", "an analysis");
    let mut singular_tests = list(&mut fields, "data_tests", "a test");
    singular_tests.extend(list(&mut fields, "tests", "a test"));
    let mut sources = fields.each("sources", source);
    for source in &mut sources {
        let written = raw.get("sources").map_or(&[][..], Yaml::items).iter();
        let own = written.into_iter().find(|own| own.get("name").and_then(Yaml::as_str) == Some(&source.name));
        let text = |key: &str| own.and_then(|own| own.get(key)?.as_str().map(str::to_string));
        source.written_place = [text("database"), text("schema")];
    }
    let properties = Properties {
        file: yaml.span.file,
        path: path.to_string(),
        models,
        seeds,
        snapshots,
        analyses,
        singular_tests,
        macros: fields.each("macros", macro_),
        sources,
        semantics: semantic::read(raw, renderer, fields.sink),
        exposures: fields.each("exposures", exposure),
        groups: fields.each("groups", group),
        unit_tests: fields.each("unit_tests", unit_tests::read),
    };
    fields.finish(Severity::Warning);
    properties
}

/// Keys that may stand beside `config:` as well as below it.
const TOP_LEVEL_CONFIGS: [&str; 5] = ["meta", "tags", "docs", "access", "group"];

/// A model, or one description for each of its versions.
fn model(yaml: &Yaml, sink: &mut Diagnostics) -> Option<Vec<NodeProperties>> {
    let mut fields = Fields::new(yaml, "a model", sink);
    let node = node_fields(yaml, &mut fields);
    let versions = node.map(|node| versions::spread(node, &mut fields));
    fields.ignore(&["freshness", "primary_key"]);
    fields.finish(Severity::Warning);
    versions
}

fn node(yaml: &Yaml, what: &'static str, sink: &mut Diagnostics) -> Option<NodeProperties> {
    let mut fields = Fields::new(yaml, what, sink);
    let node = node_fields(yaml, &mut fields);
    fields.ignore(&["freshness", "primary_key", "query"]);
    fields.finish(Severity::Warning);
    node
}

fn node_fields(yaml: &Yaml, fields: &mut Fields<'_, '_>) -> Option<NodeProperties> {
    let (name, span) = fields.name()?;
    let (config, config_spans) = config(yaml, fields);
    Some(NodeProperties {
        name,
        span,
        description: fields.text("description").unwrap_or_default(),
        config,
        config_spans,
        columns: fields.each("columns", column),
        tests: tests(fields),
        constraints: json(fields, "constraints"),
        version: None,
        deprecation_date: date(fields, "deprecation_date"),
        time_spine: json(fields, "time_spine"),
        relation: relation(fields),
    })
}

fn relation(fields: &mut Fields<'_, '_>) -> Option<(String, Span)> {
    let span = fields.get("relation")?.span;
    Some((fields.text("relation")?, span))
}

pub fn json(fields: &mut Fields<'_, '_>, key: &'static str) -> Json {
    fields.get(key).map_or(Json::Null, Yaml::to_json)
}

/// A date, or a date and a time; without a zone it is that of Greenwich.
pub fn date(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<DateTime<Utc>> {
    let value = fields.get(key)?;
    let text = fields.text(key)?.trim().replacen(' ', "T", 1);
    let with_zone = || DateTime::parse_from_rfc3339(&text).map(|date| date.to_utc()).ok();
    let of_day = || text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0);
    let found = with_zone().or_else(|| text.parse::<NaiveDateTime>().ok().or_else(of_day).map(|date| date.and_utc()));
    if found.is_none() {
        let message = format!("`{key}` is a date, and this is `{text}`");
        fields.sink.push(Diagnostic::error(Code::InvalidValue, value.span, message).help("write it as 2026-01-31"));
    }
    found
}

pub fn config(yaml: &Yaml, fields: &mut Fields<'_, '_>) -> (JsonMap, Vec<(String, Span)>) {
    let mut config = JsonMap::new();
    let mut spans = Vec::new();
    for key in TOP_LEVEL_CONFIGS {
        if let Some(value) = fields.get(key) {
            spans.push((key.to_string(), value.span));
            config.insert(key.to_string(), value.to_json());
        }
    }
    for (key, value) in fields.json_map("config") {
        // Tags and meta of both places count.
        match (config.get_mut(&key), &value) {
            (Some(Json::Object(own)), Json::Object(more)) => own.extend(more.clone()),
            (Some(Json::Array(own)), Json::Array(more)) => own.extend(more.clone()),
            _ => drop(config.insert(key, value)),
        }
    }
    let written = yaml.get("config").map_or(&[][..], Yaml::entries);
    spans.extend(written.iter().map(|(key, value)| (key.name.clone(), value.span)));
    (config, spans)
}

pub fn column(yaml: &Yaml, sink: &mut Diagnostics) -> Option<ColumnProperties> {
    let mut fields = Fields::new(yaml, "a column", sink);
    let (name, span) = fields.name()?;
    let mut config = fields.json_map("config");
    let mut meta = fields.json_map("meta");
    if let Some(Json::Object(more)) = config.shift_remove("meta") {
        meta.extend(more);
    }
    let mut tags = fields.texts("tags").unwrap_or_default();
    if let Some(Json::Array(more)) = config.shift_remove("tags") {
        tags.extend(more.iter().filter_map(|tag| tag.as_str().map(str::to_string)));
    }
    let tests = tests(&mut fields);
    fields.ignore(&["docs"]);
    let info = ColumnInfo {
        name,
        description: fields.text("description").unwrap_or_default(),
        data_type: fields.text("data_type"),
        quote: fields.flag("quote"),
        meta,
        tags,
        constraints: json(&mut fields, "constraints"),
        granularity: fields.text("granularity").map(String::into_boxed_str),
        extra: fields.rest(),
        doc_blocks: Vec::new(),
        span: Some(span),
    };
    Some(ColumnProperties { info: Arc::new(info), span, tests })
}

pub fn tests(fields: &mut Fields<'_, '_>) -> Vec<TestProperties> {
    let new = fields.list("data_tests");
    let old = fields.list("tests");
    new.iter().chain(old).filter_map(|item| test(item, fields.sink)).collect()
}

/// A test is a name, a mapping of one name to its arguments, or a mapping with `test_name` among the arguments.
fn test(yaml: &Yaml, sink: &mut Diagnostics) -> Option<TestProperties> {
    let (name, span, arguments) = match &yaml.value {
        Value::String(name) => (name.clone(), yaml.span, JsonMap::new()),
        Value::Map(entries) => match (yaml.get("test_name"), entries.as_slice()) {
            (Some(name), _) => {
                let mut arguments = object(yaml);
                arguments.shift_remove("test_name");
                (name.as_str()?.to_string(), name.span, arguments)
            }
            (None, [(key, value)]) => (key.name.clone(), key.span, object(value)),
            _ => return bad_test(yaml, sink),
        },
        _ => return bad_test(yaml, sink),
    };
    let mut references = Vec::new();
    collect_references(yaml, &mut references);
    Some(TestProperties { name, span, arguments, references })
}

fn collect_references(yaml: &Yaml, found: &mut Vec<(String, Span)>) {
    match &yaml.value {
        Value::String(text) if text.contains("ref(") || text.contains("source(") => {
            found.push((text.clone(), yaml.span));
        }
        Value::List(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| collect_references(value, found)),
        _ => {}
    }
}

fn bad_test(yaml: &Yaml, sink: &mut Diagnostics) -> Option<TestProperties> {
    let message = "a test is a name, or one name with its arguments below it";
    let help = "indent the arguments below the name: `- accepted_values:` and then `arguments:` further in";
    sink.push(Diagnostic::error(Code::InvalidValue, yaml.span, message).help(help));
    None
}

fn object(yaml: &Yaml) -> JsonMap {
    match yaml.to_json() {
        Json::Object(map) => map,
        _ => JsonMap::new(),
    }
}

fn macro_(yaml: &Yaml, sink: &mut Diagnostics) -> Option<MacroProperties> {
    let mut fields = Fields::new(yaml, "a macro", sink);
    let (name, span) = fields.name()?;
    fields.ignore(&["config"]);
    let properties = MacroProperties {
        name,
        span,
        description: fields.text("description").unwrap_or_default(),
        meta: fields.json_map("meta"),
        arguments: json(&mut fields, "arguments"),
        docs: fields.json_map("docs"),
    };
    fields.finish(Severity::Warning);
    Some(properties)
}

fn source(yaml: &Yaml, sink: &mut Diagnostics) -> Option<SourceProperties> {
    let mut fields = Fields::new(yaml, "a source", sink);
    let (name, span) = fields.name()?;
    let (mut config, _) = config(yaml, &mut fields);
    if let Some(enabled) = fields.get("enabled") {
        config.entry("enabled").or_insert_with(|| enabled.to_json());
    }
    let freshness = freshness::read(yaml, &mut fields, &mut config);
    let meta = config.get("meta").and_then(Json::as_object).cloned().unwrap_or_default();
    let source = SourceProperties {
        name,
        span,
        description: fields.text("description").unwrap_or_default(),
        database: fields.text("database"),
        schema: fields.text("schema"),
        written_place: [None, None],
        loader: fields.text("loader").unwrap_or_default(),
        quoting: fields.json_map("quoting"),
        config,
        freshness,
        meta,
        tags: own_tags(yaml),
        tables: fields.each("tables", source_table),
    };
    fields.ignore(&["overrides", "tests", "data_tests", "unrendered_database", "unrendered_schema"]);
    fields.finish(Severity::Warning);
    Some(source)
}

/// The tags that stand beside `config:`, which tests inherit. dbt does not pass on those below it.
fn own_tags(yaml: &Yaml) -> Vec<String> {
    let tags = yaml.get("tags").map(Yaml::items).unwrap_or_default();
    tags.iter().filter_map(|tag| tag.as_str().map(str::to_string)).collect()
}

fn source_table(yaml: &Yaml, sink: &mut Diagnostics) -> Option<SourceTable> {
    let mut fields = Fields::new(yaml, "a source table", sink);
    let mut node = node_fields(yaml, &mut fields)?;
    let freshness = freshness::read(yaml, &mut fields, &mut node.config);
    let table = SourceTable {
        tags: own_tags(yaml),
        node,
        freshness,
        identifier: fields.text("identifier"),
        loader: fields.text("loader"),
        quoting: fields.json_map("quoting"),
        external: json(&mut fields, "external"),
    };
    fields.finish(Severity::Warning);
    Some(table)
}

fn exposure(yaml: &Yaml, sink: &mut Diagnostics) -> Option<ExposureProperties> {
    let mut fields = Fields::new(yaml, "an exposure", sink);
    let (name, span) = fields.name()?;
    let (config, _) = config(yaml, &mut fields);
    let exposure = ExposureProperties {
        name,
        span,
        label: fields.text("label"),
        kind: fields.text("type").unwrap_or_default(),
        description: fields.text("description").unwrap_or_default(),
        maturity: fields.text("maturity"),
        url: fields.text("url"),
        owner: fields.json_map("owner"),
        depends_on: fields
            .list("depends_on")
            .iter()
            .filter_map(|item| Some((item.as_str()?.to_string(), item.span)))
            .collect(),
        config,
    };
    fields.finish(Severity::Warning);
    Some(exposure)
}

fn group(yaml: &Yaml, sink: &mut Diagnostics) -> Option<GroupProperties> {
    let mut fields = Fields::new(yaml, "a group", sink);
    let (name, span) = fields.name()?;
    let group = GroupProperties {
        name,
        span,
        description: fields.text("description").unwrap_or_default(),
        owner: fields.json_map("owner"),
        config: fields.json_map("config"),
    };
    fields.finish(Severity::Warning);
    Some(group)
}
