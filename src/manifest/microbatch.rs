//! Turns the configuration of a microbatch model into its settings, and finds what is wrong with it.

use crate::map::IndexMap;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value as Json;

use crate::adapter::relation::identifier;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::jinja::Library;
use crate::manifest::builtin::INTERNAL_PACKAGE;
use crate::manifest::{ColumnMap, Kind, Node, Source};
use crate::project::Project;
use crate::project::config::Config;

/// How much time a batch spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BatchSize {
    Hour,
    Day,
    Month,
    Year,
}

/// What a microbatch model says about its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    pub batch_size: BatchSize,
    pub begin: DateTime<Utc>,
    pub lookback: i64,
}

/// Whether a node asks for the strategy `microbatch`.
pub fn is_microbatch(node: &Node) -> bool {
    matches!(node.kind, Kind::Model)
        && node.materialized() == "incremental"
        && node.config.text("incremental_strategy") == Some("microbatch")
}

/// Whether microbatch models are built in batches: a project with a strategy of its own of that name decides itself,
/// unless a flag of the project says that it is built in batches too.
pub fn runs_in_batches(library: &Library, project: &Project) -> bool {
    let root = project.root();
    let forced = root.settings.flags.get("require_batched_execution_for_custom_microbatch_strategy");
    let found = library.find(&root.name, "get_incremental_microbatch_sql");
    forced == Some(&Json::Bool(true)) || found.is_some_and(|found| found.package == INTERNAL_PACKAGE)
}

/// The settings of a model that has been checked.
pub fn settings(node: &Node) -> Option<Settings> {
    Some(Settings {
        batch_size: BatchSize::from_name(node.config.text("batch_size")?)?,
        begin: moment(node.config.text("begin")?)?,
        lookback: node.config.get("lookback").and_then(Json::as_i64).unwrap_or(1),
    })
}

impl BatchSize {
    const ALL: [BatchSize; 4] = [BatchSize::Hour, BatchSize::Day, BatchSize::Month, BatchSize::Year];

    /// The word of the config `batch_size`.
    pub fn name(self) -> &'static str {
        match self {
            BatchSize::Hour => "hour",
            BatchSize::Day => "day",
            BatchSize::Month => "month",
            BatchSize::Year => "year",
        }
    }

    pub fn from_name(name: &str) -> Option<BatchSize> {
        BatchSize::ALL.into_iter().find(|size| size.name() == name)
    }
}

/// A date, or a date with a time: `2024-01-31`, `2024-01-31T12:00:00`. An offset is not looked at, as in dbt.
pub fn moment(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim().replacen('T', " ", 1);
    if let Ok(date) = NaiveDate::parse_from_str(&text, "%Y-%m-%d") {
        return Some(NaiveDateTime::from(date).and_utc());
    }
    let text = text.strip_suffix('Z').unwrap_or(&text);
    let naive = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| Some(DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%:z").ok()?.naive_local()));
    naive.map(|naive| naive.and_utc())
}

/// The column that says when a row happened.
fn event_time(config: &Config) -> Option<&str> {
    config.text("event_time").filter(|column| !column.is_empty())
}

/// The event time of a node or source as SQL: in quotes if its column, or else all columns of a source, are.
pub fn event_time_sql(config: &Config, columns: &ColumnMap, quotes_columns: bool) -> Option<String> {
    let name = event_time(config)?;
    let own = columns.values().find(|column| column.name == name).and_then(|column| column.quote);
    Some(if own.unwrap_or(quotes_columns) { identifier(name) } else { name.to_string() })
}

/// Finds settings that cannot be used, and models none of whose inputs is filtered.
pub fn check(nodes: &IndexMap<String, Box<Node>>, sources: &IndexMap<String, Source>, sink: &mut Diagnostics) {
    let input_config = |id: &String| {
        let node = nodes.get(id).map(|node| &node.config);
        node.or_else(|| sources.get(id).map(|source| &source.config))
    };
    for node in nodes.values().filter(|node| is_microbatch(node)) {
        for (key, problem) in mistakes(node) {
            let message = format!("the microbatch model `{}` {problem}", node.name);
            sink.push(Diagnostic::error(Code::InvalidValue, node.config_place(key), message));
        }
        if !node.depends_on.iter().filter_map(input_config).any(|config| event_time(config).is_some()) {
            let message = format!("no input of the microbatch model `{}` has an `event_time`", node.name);
            let help = "give the models and sources that it reads the config `event_time`: the column that says when \
                        a row happened. Without it each batch reads all rows";
            sink.push(
                Diagnostic::warning(Code::UnfilteredBatch, node.config_place("incremental_strategy"), message)
                    .event("MicrobatchModelNoEventTimeInputs")
                    .help(help),
            );
        }
    }
}

/// Keys with what is the matter with them.
fn mistakes(node: &Node) -> Vec<(&'static str, String)> {
    let config = &node.config;
    let mut found = Vec::new();
    let mut wrong = |key: &'static str, what: String| found.push((key, what));
    match config.get("event_time") {
        Some(Json::String(_)) => {}
        Some(other) => wrong("event_time", format!("has the `event_time` {other}, which is not the name of a column")),
        None => wrong("event_time", "needs an `event_time`: the column that says when a row happened".to_string()),
    }
    match config.get("begin") {
        Some(Json::String(text)) if moment(text).is_some() => {}
        Some(other) => wrong("begin", format!("has the `begin` {other}, which is not a date such as '2024-01-31'")),
        None => wrong("begin", "needs a `begin`: the date of its first batch, for instance '2024-01-31'".to_string()),
    }
    match config.get("batch_size") {
        Some(Json::String(text)) if BatchSize::from_name(text).is_some() => {}
        Some(other) => {
            wrong("batch_size", format!("has the `batch_size` {other}; there are hour, day, month and year"))
        }
        None => wrong("batch_size", "needs a `batch_size`: hour, day, month or year".to_string()),
    }
    let is_lookback = |value: &Json| value.is_i64() || node.layer.is_some() && value == "auto";
    if let Some(other) = config.get("lookback").filter(|value| !is_lookback(value)) {
        wrong("lookback", format!("has the `lookback` {other}, which is not a whole number of batches"));
    }
    if let Some(other) = config.get("concurrent_batches").filter(|value| !value.is_boolean()) {
        wrong("concurrent_batches", format!("has the `concurrent_batches` {other}, which is neither true nor false"));
    }
    found
}
