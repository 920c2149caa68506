//! Turns what was found out about sources into `target/sources.json`, version 3 of dbt's schema.

use chrono::{DateTime, SecondsFormat, Timelike, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use crate::artifact::{Invocation, Metadata, Timing, timestamp};
use crate::jinja::JsonMap;
use crate::manifest::Manifest;
use crate::project::freshness::complete;
use crate::run::freshness::{Age, Checked};

const SCHEMA: &str = "https://schemas.getdbt.com/dbt/sources/v3.json";

#[derive(Serialize)]
pub struct SourcesArtifact<'a> {
    metadata: Metadata<'a>,
    results: Vec<SourceResult<'a>>,
    elapsed_time: f64,
}

#[derive(Serialize)]
struct SourceResult<'a> {
    unique_id: &'a str,
    max_loaded_at: String,
    snapshotted_at: String,
    max_loaded_at_time_ago_in_s: f64,
    status: &'static str,
    criteria: Json,
    adapter_response: &'a JsonMap,
    timing: Vec<Timing>,
    thread_id: String,
    execution_time: f64,
}

/// `target/sources.json`. As with dbt, a source whose age could not be found out is not in it.
pub fn sources_json<'a>(
    checked: &'a [Checked],
    elapsed: std::time::Duration,
    manifest: &Manifest,
    invocation: &'a Invocation,
) -> SourcesArtifact<'a> {
    let end = checked.iter().map(ended).max().unwrap_or(invocation.started_at);
    let result = |checked: &'a Checked| Some(entry(checked, checked.age?, manifest));
    SourcesArtifact {
        metadata: Metadata::new(SCHEMA, end, invocation),
        results: checked.iter().filter_map(result).collect(),
        elapsed_time: elapsed.as_secs_f64(),
    }
}

fn ended(checked: &Checked) -> DateTime<Utc> {
    DateTime::from(checked.started + checked.elapsed)
}

fn entry<'a>(checked: &'a Checked, age: Age, manifest: &Manifest) -> SourceResult<'a> {
    let source = manifest.sources.get(&checked.source);
    let started = DateTime::from(checked.started);
    let step = |name, from, to| Timing { name, started_at: timestamp(from), completed_at: timestamp(to) };
    SourceResult {
        unique_id: &checked.source,
        max_loaded_at: moment(age.max_loaded_at),
        snapshotted_at: moment(age.snapshotted_at),
        max_loaded_at_time_ago_in_s: age.seconds(),
        status: checked.verdict.name(),
        criteria: complete(source.and_then(|source| source.config.get("freshness"))),
        adapter_response: &checked.response,
        timing: vec![step("compile", started, started), step("execute", started, ended(checked))],
        thread_id: format!("Thread-{} (worker)", checked.worker),
        execution_time: checked.elapsed.as_secs_f64(),
    }
}

/// As Python writes a time: `2024-01-31T12:00:00+00:00`, with six digits of the second where it has a fraction.
fn moment(time: DateTime<Utc>) -> String {
    let digits = if time.nanosecond() / 1000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    time.to_rfc3339_opts(digits, false)
}
