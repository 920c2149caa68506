//! Turns a node, and how it ended, into the lines that tell of it, in dbt's form.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use crate::cli::arguments::global::LogLevel;
use crate::cli::report::paint::Paint;
use crate::cli::report::screen::tame;
use crate::cli::report::told::{EventName, Told, timestamp};
use crate::manifest::microbatch::is_microbatch;
use crate::manifest::{Exposure, Kind, Node};
use crate::run::{Outcome, Status};

/// Dots reach to this column.
const WIDTH: usize = 80;

/// `sql table model main.orders`, `seed file main.countries`, or the name of a test.
pub fn description(node: &Node) -> String {
    let text = match node.kind {
        Kind::Model if is_microbatch(node) => format!("sql microbatch model {}", short_relation(node)),
        Kind::Model => format!("sql {} model {}", node.materialized(), short_relation(node)),
        Kind::Seed { .. } => format!("seed file {}", short_relation(node)),
        Kind::Snapshot => format!("snapshot {}", short_relation(node)),
        Kind::UnitTest(ref test) => format!("{}::{}", test.model, node.versioned_name()),
        Kind::Operation => format!("hook: {}", hook_name(node)),
        Kind::Analysis | Kind::SingularTest | Kind::GenericTest(_) => node.name.clone(),
    };
    tame(&text)
}

/// `table model`, `seed` or `data test`: what nodes are counted as.
pub fn counted_as(node: &Node) -> String {
    match node.kind {
        Kind::Model => format!("{} model", node.materialized()),
        Kind::SingularTest | Kind::GenericTest(_) => "data test".to_string(),
        Kind::UnitTest(_) => "unit test".to_string(),
        Kind::Operation => "project hook".to_string(),
        _ => node.resource_type().to_string(),
    }
}

/// `shop.on-run-start.0`.
fn hook_name(node: &Node) -> String {
    let rest = node.name.strip_prefix(&node.package).unwrap_or(&node.name).trim_start_matches('-');
    let (moment, at) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    format!("{}.{moment}.{at}", node.package)
}

fn short_relation(node: &Node) -> String {
    let parts = [&node.relation.schema, &node.relation.identifier];
    parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(".")
}

pub fn started(index: usize, total: usize, node: &Node) -> Told {
    let what = match node.kind {
        Kind::SingularTest | Kind::GenericTest(_) => format!("test {}", node.name),
        Kind::UnitTest(_) => format!("unit_test {}", description(node)),
        _ => description(node),
    };
    let text = dotted(index, total, &format!("START {}", tame(&what)), "[RUN]");
    let info = info(node, "started", Some(SystemTime::now()), None);
    let data = json!({"description": what, "index": index, "total": total, "node_info": info});
    let name = if matches!(node.kind, Kind::Operation) { EventName::HOOK_START } else { EventName::START_LINE };
    Told::info(name, text, data)
}

pub fn finished(index: usize, total: usize, node: &Node, outcome: &Outcome, paint: Paint) -> Told {
    let seconds = took(outcome).as_secs_f64();
    let tag = paint.status(outcome.status, &tag(outcome));
    let end = match (outcome.status, &outcome.message) {
        (Status::Skipped, Some(reason)) => format!("[{tag}] {}", tame(reason)),
        (Status::Skipped, None) => format!("[{tag}]"),
        _ => format!("[{tag} in {seconds:.2}s]"),
    };
    Told {
        name: event_name(node, outcome.status),
        level: level(outcome.status),
        text: dotted(index, total, &verdict(node, outcome), &end),
        data: result_data(index, total, node, outcome),
        worker: Some(outcome.worker),
    }
}

/// An exposure, for which nothing was done.
pub fn exposure(index: usize, total: usize, exposure: &Exposure, outcome: &Outcome, paint: Paint) -> Told {
    let word = word(outcome.status);
    let what = format!("{word} exposure {}", tame(&exposure.properties.name));
    let info = json!({
        "node_path": exposure.path,
        "node_name": exposure.properties.name,
        "unique_id": exposure.id,
        "resource_type": "exposure",
        "materialized": "",
        "node_status": outcome.status.name(),
        "node_started_at": iso(outcome.started).trim_end_matches('Z'),
        "node_finished_at": iso(ended_at(outcome)).trim_end_matches('Z'),
        "meta": exposure.config.get("meta").cloned().unwrap_or_else(|| json!({})),
        "node_relation": {"database": "", "schema": "", "alias": "", "relation_name": ""},
        "node_checksum": "",
    });
    let data = json!({
        "description": format!("exposure {}", exposure.properties.name),
        "index": index,
        "total": total,
        "status": outcome.status.name(),
        "execution_time": took(outcome).as_secs_f64(),
        "node_info": info,
    });
    let end = format!("[{} in {:.2}s]", paint.status(outcome.status, word), took(outcome).as_secs_f64());
    let name = if outcome.status == Status::Skipped { EventName::SKIPPED } else { EventName::NO_OP_RESULT };
    Told::info(name, dotted(index, total, &what, &end), data)
}

/// The line of a terminal, where a progress bar counts and passed tests are not listed.
pub fn compact(node: &Node, outcome: &Outcome, paint: Paint) -> Option<String> {
    let word = paint.status(outcome.status, &format!("{:<5}", word(outcome.status)));
    let what = description(node);
    let seconds = took(outcome).as_secs_f64();
    match (outcome.status, &outcome.message) {
        (Status::Pass, _) => None,
        (Status::Success | Status::Error, _) => Some(format!("{word} {what} in {seconds:.2}s")),
        (_, Some(message)) => Some(format!("{word} {what}: {}", tame(message))),
        (_, None) => Some(format!("{word} {what}")),
    }
}

/// The word of a status in capital letters.
fn word(status: Status) -> &'static str {
    match status {
        Status::Success => "OK",
        Status::PartialSuccess => "PARTIAL SUCCESS",
        Status::Error => "ERROR",
        Status::Skipped => "SKIP",
        Status::Pass => "PASS",
        Status::Fail => "FAIL",
        Status::Warn => "WARN",
        Status::NoOp => "NO-OP",
    }
}

/// `OK created sql view model main.a`, `FAIL 3 unique_orders_id`.
fn verdict(node: &Node, outcome: &Outcome) -> String {
    let what = description(node);
    match (&node.kind, outcome.status) {
        (_, Status::Skipped) if node.is_refable() => format!("SKIP relation {}", tame(&short_relation(node))),
        (_, Status::Skipped) => format!("SKIP {} {what}", node.resource_type()),
        (Kind::Model, Status::Success) => format!("OK created {what}"),
        (Kind::Model, Status::PartialSuccess) => format!("PARTIAL SUCCESS creating {what}"),
        (Kind::Model, Status::Error) => format!("ERROR creating {what}"),
        (Kind::Seed { .. }, Status::Success) => format!("OK loaded {what}"),
        (Kind::Seed { .. }, Status::Error) => format!("ERROR loading {what}"),
        (Kind::Snapshot, Status::Success) => format!("OK snapshotted {}", tame(&short_relation(node))),
        (Kind::Snapshot, Status::Error) => format!("ERROR snapshotting {what}"),
        (_, Status::Fail | Status::Warn) => format!("{} {what}", tag(outcome)),
        (_, status) => format!("{} {what}", word(status)),
    }
}

/// What stands between brackets: `OK`, `INSERT 20`, `FAIL 3`.
fn tag(outcome: &Outcome) -> String {
    match (outcome.status, outcome.failures, &outcome.message) {
        (Status::Success, ..) if outcome.worker == 0 => "OK".to_string(),
        (Status::Success | Status::PartialSuccess, _, Some(message)) => tame(message),
        (status @ (Status::Fail | Status::Warn), Some(count), _) => format!("{} {count}", word(status)),
        (status, ..) => word(status).to_string(),
    }
}

pub fn dotted(index: usize, total: usize, text: &str, end: &str) -> String {
    format!("{:.<WIDTH$} {end}", format!("{index} of {total} {text} "))
}

pub fn level(status: Status) -> LogLevel {
    match status {
        Status::Success | Status::Pass | Status::Skipped | Status::NoOp => LogLevel::Info,
        Status::Warn => LogLevel::Warn,
        Status::Error | Status::Fail | Status::PartialSuccess => LogLevel::Error,
    }
}

fn event_name(node: &Node, status: Status) -> EventName {
    match (status, &node.kind) {
        (Status::Skipped, _) => EventName::SKIPPED,
        (_, Kind::Operation) => EventName::HOOK_END,
        (_, Kind::Seed { .. }) => EventName::SEED_RESULT,
        (_, Kind::Snapshot) => EventName::SNAPSHOT_RESULT,
        _ if node.is_test() || node.unit_test().is_some() => EventName::TEST_RESULT,
        _ => EventName::MODEL_RESULT,
    }
}

pub fn took(outcome: &Outcome) -> Duration {
    outcome.compile_time + outcome.execute_time
}

fn result_data(index: usize, total: usize, node: &Node, outcome: &Outcome) -> Json {
    let status = outcome.status.name();
    let mut data = json!({
        "description": description(node),
        "index": index,
        "status": status,
        "execution_time": took(outcome).as_secs_f64(),
        "node_info": ended_info(node, outcome),
    });
    if node.is_test() || node.unit_test().is_some() {
        data["name"] = json!(description(node));
        data["num_models"] = json!(total);
        data["num_failures"] = json!(outcome.failures.unwrap_or(0));
        data["attached_node"] = json!(node.generic_test().and_then(|test| test.attached.as_deref()));
    } else {
        data["total"] = json!(total);
    }
    match (&node.kind, outcome.status) {
        (_, Status::Skipped) => {
            data["schema"] = json!(node.relation.schema);
            data["node_name"] = json!(node.name);
            data["resource_type"] = json!(node.resource_type());
            data["reason"] = json!(outcome.message);
        }
        (Kind::Seed { .. }, _) => {
            data["schema"] = json!(node.relation.schema);
            data["relation"] = json!(node.relation.identifier);
            data["result_message"] = json!(outcome.message);
        }
        (Kind::Model, Status::Success) => data["status"] = json!(outcome.message.as_deref().unwrap_or("OK")),
        _ => {}
    }
    data
}

/// dbt's debug event with everything about how a node ended.
pub fn node_finished(node: &Node, outcome: &Outcome) -> Told {
    let compiled_at = outcome.started + outcome.compile_time;
    let run_result = json!({
        "status": outcome.status.name(),
        "message": outcome.message.as_deref().unwrap_or(""),
        "thread": format!("Thread-{} (worker)", outcome.worker),
        "execution_time": took(outcome).as_secs_f64(),
        "num_failures": outcome.failures.unwrap_or(0),
        "adapter_response": outcome.response,
        "timing_info": [
            {"name": "compile", "started_at": iso(outcome.started), "completed_at": iso(compiled_at)},
            {"name": "execute", "started_at": iso(compiled_at), "completed_at": iso(ended_at(outcome))},
        ],
    });
    let data = json!({"node_info": ended_info(node, outcome), "run_result": run_result});
    let text = format!("Finished running node {}", node.id);
    Told { worker: Some(outcome.worker), ..Told::new(EventName::NODE_FINISHED, LogLevel::Debug, text, data) }
}

fn ended_at(outcome: &Outcome) -> SystemTime {
    outcome.started + took(outcome)
}

/// dbt's `node_info` of a node that has ended.
pub fn ended_info(node: &Node, outcome: &Outcome) -> Json {
    info(node, outcome.status.name(), Some(outcome.started), Some(ended_at(outcome)))
}

/// dbt's `node_info`, the part of an event that says which node it is about.
pub fn info(node: &Node, status: &str, started: Option<SystemTime>, finished: Option<SystemTime>) -> Json {
    let time = |time: Option<SystemTime>| time.map(|time| iso(time).trim_end_matches('Z').to_string());
    let (materialized, relation_name) = match node.kind {
        Kind::UnitTest(_) => ("unit", String::new()),
        _ if node.is_test() => ("test", String::new()),
        _ => (node.materialized(), node.relation.render()),
    };
    json!({
        "node_path": node.path,
        "node_name": node.name,
        "unique_id": node.id,
        "resource_type": node.resource_type(),
        "materialized": materialized,
        "node_status": status,
        "node_started_at": time(started).unwrap_or_default(),
        "node_finished_at": time(finished).unwrap_or_default(),
        "meta": node.config.get("meta").cloned().unwrap_or_else(|| json!({})),
        "node_relation": {
            "database": node.relation.database,
            "schema": node.relation.schema,
            "alias": node.relation.identifier,
            "relation_name": relation_name,
        },
        "node_checksum": node.checksum,
    })
}

fn iso(time: SystemTime) -> String {
    timestamp(DateTime::<Utc>::from(time))
}
