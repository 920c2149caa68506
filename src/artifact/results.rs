//! Turns RunResults into `target/run_results.json`, version 6 of dbt's schema.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::artifact::node::relation_name;
use crate::artifact::{Invocation, Metadata, Timing, timestamp};
use crate::compile::microbatch::{Batch, Progress};
use crate::jinja::JsonMap;
use crate::manifest::{Kind, Manifest};
use crate::run::{Outcome, RunResults, Status};

const SCHEMA: &str = "https://schemas.getdbt.com/dbt/run-results/v6.json";

#[derive(Serialize)]
pub struct ResultsArtifact<'a> {
    metadata: Metadata<'a>,
    results: Vec<ResultEntry<'a>>,
    elapsed_time: f64,
    args: JsonMap,
}

#[derive(Serialize)]
struct ResultEntry<'a> {
    status: &'static str,
    timing: Vec<Timing>,
    thread_id: String,
    execution_time: f64,
    adapter_response: &'a JsonMap,
    message: Option<&'a str>,
    failures: Option<i64>,
    unique_id: &'a str,
    /// Null for seeds, which have no code.
    compiled: Option<bool>,
    compiled_code: Option<&'a str>,
    relation_name: Option<String>,
    batch_results: Option<BatchResults>,
}

/// The windows of a microbatch model, each from its start to its end.
#[derive(Serialize)]
struct BatchResults {
    successful: Vec<[String; 2]>,
    failed: Vec<[String; 2]>,
}

/// `target/run_results.json`.
pub fn run_results_json<'a>(
    results: &'a RunResults,
    manifest: &Manifest,
    invocation: &'a Invocation,
) -> ResultsArtifact<'a> {
    let end = results.outcomes.iter().map(ended).max().unwrap_or(invocation.started_at);
    ResultsArtifact {
        metadata: Metadata::new(SCHEMA, end, invocation),
        results: results.outcomes.iter().map(|outcome| entry(outcome, manifest)).collect(),
        elapsed_time: results.elapsed.as_secs_f64(),
        args: args(invocation),
    }
}

/// One outcome as the list of results has it.
pub fn result_json(outcome: &Outcome, manifest: &Manifest) -> Json {
    json!(entry(outcome, manifest))
}

fn ended(outcome: &Outcome) -> DateTime<Utc> {
    DateTime::from(outcome.started + outcome.compile_time + outcome.execute_time)
}

/// The options of the command, and what no other field has room for.
fn args(invocation: &Invocation) -> JsonMap {
    let mut args = invocation.args.clone();
    args.insert("which".to_string(), invocation.command.as_str().into());
    args.insert("medal_version".to_string(), invocation.medal_version.as_str().into());
    args
}

fn entry<'a>(outcome: &'a Outcome, manifest: &Manifest) -> ResultEntry<'a> {
    let node = manifest.node(&outcome.node);
    let is_seed = node.is_some_and(|node| matches!(node.kind, Kind::Seed { .. }));
    let node = node.filter(|_| !is_seed);
    let compiled = outcome.compiled.as_ref();
    ResultEntry {
        status: outcome.status.name(),
        timing: timing(outcome),
        thread_id: thread(outcome),
        execution_time: (outcome.compile_time + outcome.execute_time).as_secs_f64(),
        adapter_response: &outcome.response,
        message: outcome.message.as_deref(),
        failures: outcome.failures,
        unique_id: &outcome.node,
        compiled: (!is_seed).then_some(compiled.is_some()),
        compiled_code: compiled.map(|compiled| compiled.sql.as_str()),
        relation_name: node.and_then(relation_name),
        batch_results: outcome.batches.as_ref().map(batch_results),
    }
}

/// Hooks run on the main thread.
fn thread(outcome: &Outcome) -> String {
    match outcome.worker {
        0 => "main".to_string(),
        number => format!("Thread-{number} (worker)"),
    }
}

fn batch_results(progress: &Progress) -> BatchResults {
    let spans = |batches: &[Batch]| {
        let span =
            |batch: &Batch| [batch.start, batch.end].map(|time| time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string());
        batches.iter().map(span).collect()
    };
    BatchResults { successful: spans(&progress.successful), failed: spans(&progress.failed) }
}

fn timing(outcome: &Outcome) -> Vec<Timing> {
    if outcome.status == Status::Skipped {
        return Vec::new();
    }
    let step = |name, from, to| Timing { name, started_at: timestamp(from), completed_at: timestamp(to) };
    let compiled = DateTime::from(outcome.started + outcome.compile_time);
    vec![step("compile", DateTime::from(outcome.started), compiled), step("execute", compiled, ended(outcome))]
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{json, to_value};

    use super::run_results_json;
    use crate::artifact::manifest::tests::invocation;
    use crate::compile::context::tests::{manifest, node};
    use crate::jinja::JsonMap;
    use crate::manifest::Kind;
    use crate::run::{Outcome, RunResults, Status};

    #[test]
    fn a_result_tells_when_the_node_was_compiled_and_run() {
        let outcome = Outcome {
            node: "model.shop.orders".to_string(),
            status: Status::Error,
            message: Some("no".to_string()),
            failures: None,
            response: JsonMap::new(),
            compiled: None,
            sent: None,
            batches: None,
            batch_sql: Vec::new(),
            diagnostics: Vec::new(),
            worker: 1,
            started: UNIX_EPOCH,
            compile_time: Duration::from_secs(1),
            execute_time: Duration::from_millis(500),
        };
        let results = RunResults { outcomes: vec![outcome], elapsed: Duration::from_secs(2), interrupted: false };
        let (manifest, invocation) = (manifest(vec![node("orders", Kind::Model)]), invocation());
        let written = to_value(run_results_json(&results, &manifest, &invocation)).unwrap();
        let at = |seconds: &str| format!("1970-01-01T00:00:{seconds}00000Z");
        let expected = json!([{
            "status": "error",
            "timing": [
                {"name": "compile", "started_at": at("00.0"), "completed_at": at("01.0")},
                {"name": "execute", "started_at": at("01.0"), "completed_at": at("01.5")},
            ],
            "thread_id": "Thread-1 (worker)",
            "execution_time": 1.5,
            "adapter_response": {},
            "message": "no",
            "failures": null,
            "unique_id": "model.shop.orders",
            "compiled": false,
            "compiled_code": null,
            "relation_name": "\"db\".\"main\".\"orders\"",
            "batch_results": null,
        }]);
        assert_eq!(written["results"], expected);
        assert_eq!(written["metadata"]["generated_at"], "1970-01-01T00:00:01.500000Z");
        assert_eq!(written["args"], json!({"which": "build", "medal_version": "0.1.0"}));
    }
}
