//! Turns the runs of a project into `target/runs.jsonl`: one line a run, the newest last, for pages that show how things
//! went before. dbt's `run_results.json` knows of the last run only.

use std::io;
use std::path::Path;

use serde_json::{Map, Value as Json, json};

use crate::artifact::write::write_text;
use crate::artifact::{Invocation, timestamp};
use crate::run::{Outcome, RunResults, Status};

/// So many runs are kept.
const KEPT: usize = 10;

const FILE: &str = "runs.jsonl";

/// Adds a run, and drops the oldest.
pub fn add(target_dir: &Path, invocation: &Invocation, results: &RunResults) -> io::Result<()> {
    let path = target_dir.join(FILE);
    let earlier = std::fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<&str> = earlier.lines().collect();
    let kept = &lines[lines.len().saturating_sub(KEPT - 1)..];
    let mut text: String = kept.iter().map(|line| format!("{line}\n")).collect();
    text.push_str(&format!("{}\n", line(invocation, results)));
    write_text(&path, &text)
}

/// The runs that are kept, the newest first. A line that cannot be read is left out.
pub fn read(target_dir: &Path) -> Vec<Json> {
    let text = std::fs::read_to_string(target_dir.join(FILE)).unwrap_or_default();
    text.lines().rev().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn line(invocation: &Invocation, results: &RunResults) -> Json {
    let ran = results.outcomes.iter().filter(|outcome| outcome.status != Status::Skipped);
    let nodes: Map<String, Json> = ran.map(|outcome| (outcome.node.clone(), node(outcome))).collect();
    json!({
        "command": invocation.command,
        "at": timestamp(invocation.started_at),
        "seconds": results.elapsed.as_secs_f64(),
        "nodes": nodes,
    })
}

/// The status, the seconds, and the failures or the rows, if there are any.
fn node(outcome: &Outcome) -> Json {
    let seconds = (outcome.compile_time + outcome.execute_time).as_secs_f64();
    let seconds = (seconds * 1000.0).round() / 1000.0;
    let rows = outcome.response.get("rows_affected").and_then(Json::as_i64);
    match outcome.failures.filter(|failures| *failures > 0).or(rows) {
        Some(number) => json!([outcome.status.name(), seconds, number]),
        None => json!([outcome.status.name(), seconds]),
    }
}
