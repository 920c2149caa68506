//! Turns what a node's run left behind into its Outcome.

use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use crate::adapter::SeedLoad;
use crate::adapter::rows::Rows;
use crate::compile::CompiledNode;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::Span;
use crate::jinja::JsonMap;
use crate::manifest::Node;
use crate::manifest::unit_tests::Given;
use crate::run::{Outcome, Status, diff};

/// The clock of one node.
pub struct Timer {
    node: String,
    worker: usize,
    started: SystemTime,
    begin: Instant,
    compiled: Option<Instant>,
}

impl Timer {
    pub fn start(node: &Node, worker: usize) -> Timer {
        Timer::of(&node.id, worker)
    }

    /// The clock of something that is no node, by its unique id.
    pub fn of(id: &str, worker: usize) -> Timer {
        Timer { node: id.to_string(), worker, started: SystemTime::now(), begin: Instant::now(), compiled: None }
    }

    /// The node's SQL is ready; what follows is its execution.
    pub fn compiled(&mut self) {
        self.compiled = Some(Instant::now());
    }

    pub fn ended(self, status: Status, message: Option<String>) -> Outcome {
        let compiled = self.compiled.unwrap_or_else(Instant::now);
        Outcome {
            node: self.node,
            status,
            message,
            failures: None,
            response: JsonMap::new(),
            compiled: None,
            sent: None,
            batches: None,
            batch_sql: Vec::new(),
            diagnostics: Vec::new(),
            worker: self.worker,
            started: self.started,
            compile_time: compiled.duration_since(self.begin),
            execute_time: self.compiled.map_or(Duration::ZERO, |compiled| compiled.elapsed()),
        }
    }

    pub fn failed(self, compiled: Option<CompiledNode>, problem: Diagnostic) -> Outcome {
        let message = Some(problem.message.clone());
        Outcome { compiled, diagnostics: vec![problem], ..self.ended(Status::Error, message) }
    }
}

/// A model, snapshot or seed that was built.
pub fn of_build(timer: Timer, node: &Node, compiled: Option<CompiledNode>, seed: Option<SeedLoad>) -> Outcome {
    let message = match &seed {
        Some(load) => format!("INSERT {}", load.rows),
        None => "OK".to_string(),
    };
    let diagnostics = seed.iter().filter_map(|load| coercions(node, load)).collect();
    let mut response = JsonMap::from_iter([("_message".to_string(), json!(message))]);
    if let Some(load) = &seed {
        response.insert("code".to_string(), json!("INSERT"));
        response.insert("rows_affected".to_string(), json!(load.rows));
    }
    Outcome { compiled, diagnostics, response, ..timer.ended(Status::Success, Some(message)) }
}

fn coercions(node: &Node, load: &SeedLoad) -> Option<Diagnostic> {
    if load.coerced.is_empty() {
        return None;
    }
    let shown: Vec<String> = load.coerced.iter().map(|(column, value)| format!("`{value}` of `{column}`")).collect();
    let message = format!("type inference changed values of the seed `{}`: {}", node.name, shown.join(", "));
    let columns: Vec<&str> = load.coerced.iter().map(|(column, _)| column.as_str()).collect();
    let help =
        format!("to keep the text, declare `column_types` of the seed: {}", columns.join(": varchar, ") + ": varchar");
    Some(Diagnostic::warning(Code::SeedCoercion, node.patch_span, message).help(help))
}

/// A test that found nothing.
pub fn of_passed_test(timer: Timer, compiled: CompiledNode) -> Outcome {
    let response = JsonMap::from_iter([("_message".to_string(), json!("OK"))]);
    Outcome { compiled: Some(compiled), failures: Some(0), response, ..timer.ended(Status::Pass, None) }
}

/// A test, by the one row of its query: how many failures, and whether they are to warn or to fail.
/// Source: <https://docs.getdbt.com/reference/resource-configs/severity>.
pub fn of_test(
    timer: Timer,
    node: &Node,
    compiled: Option<CompiledNode>,
    rows: Option<Rows>,
    warnings_fail: bool,
) -> Outcome {
    let row = rows.as_ref().and_then(|rows| rows.rows.first());
    let Some([failures, should_warn, should_error, ..]) = row.map(Vec::as_slice) else {
        let message = format!("the test `{}` gave no row that says how many failures there are", node.name);
        return timer.failed(compiled, Diagnostic::error(Code::SqlError, None, message));
    };
    let count = failures.as_int().unwrap_or(0);
    let plural = if count == 1 { "result" } else { "results" };
    let limit = |key: &str| node.config.text(key).unwrap_or("!= 0").to_string();
    let is_error = node.config.text("severity").is_none_or(|severity| severity.eq_ignore_ascii_case("error"));
    let (status, message) = if is_error && should_error.as_bool() == Some(true) {
        (Status::Fail, Some(format!("Got {count} {plural}, configured to fail if {}", limit("error_if"))))
    } else if should_warn.as_bool() == Some(true) {
        let status = if warnings_fail { Status::Fail } else { Status::Warn };
        (status, Some(format!("Got {count} {plural}, configured to warn if {}", limit("warn_if"))))
    } else {
        (Status::Pass, None)
    };
    // What the limits let pass is no failure.
    let failures = if status == Status::Pass { Some(0) } else { i64::try_from(count).ok() };
    let diagnostics = message.iter().map(|message| found_rows(node, status, message)).collect();
    let response = JsonMap::from_iter([("_message".to_string(), json!("OK"))]);
    Outcome { compiled, failures, response, diagnostics, ..timer.ended(status, message) }
}

/// A unit test, by the rows of its query: those that there are, and those that are expected.
pub fn of_unit_test(timer: Timer, node: &Node, compiled: Option<CompiledNode>, rows: Option<Rows>) -> Outcome {
    let test = node.unit_test().expect("it is a unit test");
    let used: Vec<&String> = compiled.iter().flat_map(|compiled| &compiled.ctes).map(|(id, _)| id).collect();
    // What one version does not read, another may.
    let is_read = |given: &Given| given.bound.as_ref().is_none_or(|id| used.contains(&id)) || node.version.is_some();
    let unused = test.given.iter().filter(|given| !is_read(given));
    let mut diagnostics: Vec<Diagnostic> = unused
        .map(|given| {
            let message = format!("`{}` does not read `{}`, whose rows the unit test gives", test.model, given.input);
            Diagnostic::warning(Code::UnitTest, given.span, message).help("remove the input")
        })
        .collect();
    let difference = diff::difference(&rows.unwrap_or_default());
    let message = difference.map(|table| format!("actual differs from expected:\n\n{table}\n"));
    diagnostics.extend(message.iter().map(|message| {
        let place = test.expect.span;
        Diagnostic::error(Code::UnitTest, place, message.trim_end()).label("these rows are expected")
    }));
    let response = JsonMap::from_iter([("_message".to_string(), json!("OK"))]);
    let status = if message.is_some() { Status::Fail } else { Status::Pass };
    let failures = Some(i64::from(message.is_some()));
    Outcome { compiled, failures, response, diagnostics, ..timer.ended(status, message) }
}

/// What a test has found, at the place where the test is written.
fn found_rows(node: &Node, status: Status, message: &str) -> Diagnostic {
    let place = match node.generic_test() {
        Some(test) => test.span,
        None => Span::start_of(node.file),
    };
    let severity = if status == Status::Fail { Severity::Error } else { Severity::Warning };
    let help = format!("`medal show --select {}` shows the rows that it found", node.name);
    Diagnostic { severity, ..Diagnostic::error(Code::TestFailed, place, message).help(help) }
}
