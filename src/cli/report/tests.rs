use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use insta::{Settings, assert_snapshot};
use serde_json::Value as Json;

use crate::cli::report::screen::Screen;
use crate::cli::report::{Format, ReportOptions, Reporter};
use crate::compile::context::tests::{manifest, node};
use crate::compile::session::Messages;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::{ProjectFiles, Span};
use crate::jinja::JsonMap;
use crate::manifest::{Kind, Node};
use crate::run::{Event, Listener, Outcome, RunResults, Status};

/// A stream that is kept.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// What a reporter with these options writes to stdout and stderr.
fn reported(options: ReportOptions, work: impl Fn(&Reporter, &ProjectFiles)) -> (String, String) {
    let (out, err) = (Kept::default(), Kept::default());
    let files = Arc::new(ProjectFiles::new("/p"));
    let screen = Screen::new(Box::new(out.clone()), Box::new(err.clone()), None);
    work(&Reporter::on(screen, options, vec!["hunter22".to_string()], files.clone()), &files);
    (out.text(), err.text())
}

fn nodes() -> Vec<Node> {
    vec![
        node("countries", Kind::Seed { on_disk: PathBuf::new() }),
        node("orders", Kind::Model),
        node("sales", Kind::Model),
        node("report", Kind::Model),
        node("unique_orders_id", Kind::SingularTest),
        node("recent_orders", Kind::SingularTest),
    ]
}

fn outcome(node: &Node, status: Status, message: &str, failures: Option<i64>) -> Outcome {
    Outcome {
        node: node.id.clone(),
        status,
        message: Some(message.to_string()).filter(|message| !message.is_empty()),
        failures,
        response: JsonMap::new(),
        compiled: None,
        sent: None,
        batches: None,
        batch_sql: Vec::new(),
        diagnostics: Vec::new(),
        worker: 1,
        started: SystemTime::UNIX_EPOCH,
        compile_time: Duration::from_millis(20),
        execute_time: Duration::from_millis(100),
    }
}

/// A run in which everything happens once.
fn run(reporter: &Reporter, files: &ProjectFiles) {
    let nodes = nodes();
    let file = files.add("models/sales.sql", "select nope from orders\n");
    let mut outcomes = vec![
        outcome(&nodes[0], Status::Success, "INSERT 20", None),
        outcome(&nodes[1], Status::Success, "OK", None),
        outcome(&nodes[2], Status::Error, "no column `nope`", None),
        outcome(&nodes[3], Status::Skipped, "`sales` did not end well", None),
        outcome(&nodes[4], Status::Fail, "Got 3 results, configured to fail if != 0", Some(3)),
        outcome(&nodes[5], Status::Pass, "", Some(0)),
    ];
    let problem = Diagnostic::error(Code::SqlError, Span::new(file, 7..11), "no column `nope`").label("hunter22");
    outcomes[2].diagnostics.push(problem);
    reporter.event(&Event::Started { total: 6, workers: 2 });
    for (at, (node, outcome)) in nodes.iter().zip(&outcomes).enumerate() {
        if outcome.status != Status::Skipped {
            reporter.event(&Event::NodeStarted { index: at + 1, total: 6, node });
        }
        reporter.event(&Event::NodeFinished { index: at + 1, total: 6, node, outcome });
    }
    let results = RunResults { outcomes, elapsed: Duration::from_millis(3_725_250), interrupted: false };
    reporter.summary(&manifest(nodes), &results);
}

/// Compares without what differs from call to call.
fn stable(check: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.add_filter(r"(?m)^\d\d:\d\d:\d\d", "12:00:00");
    settings.bind(check);
}

#[test]
fn a_run_is_told_in_dbts_lines_and_summed_up() {
    let (out, err) = reported(ReportOptions::default(), run);
    assert_eq!(out, "");
    stable(|| {
        assert_snapshot!(err, @r#"
    12:00:00  Concurrency: 2 threads (target='')
    12:00:00
    12:00:00  1 of 6 START seed file main.countries .......................................... [RUN]
    12:00:00  1 of 6 OK loaded seed file main.countries ...................................... [INSERT 20 in 0.12s]
    12:00:00  2 of 6 START sql view model main.orders ........................................ [RUN]
    12:00:00  2 of 6 OK created sql view model main.orders ................................... [OK in 0.12s]
    12:00:00  3 of 6 START sql view model main.sales ......................................... [RUN]
    12:00:00  3 of 6 ERROR creating sql view model main.sales ................................ [ERROR in 0.12s]
    12:00:00  4 of 6 SKIP relation main.report ............................................... [SKIP] `sales` did not end well
    12:00:00  5 of 6 START test unique_orders_id ............................................. [RUN]
    12:00:00  5 of 6 FAIL 3 unique_orders_id ................................................. [FAIL 3 in 0.12s]
    12:00:00  6 of 6 START test recent_orders ................................................ [RUN]
    12:00:00  6 of 6 PASS recent_orders ...................................................... [PASS in 0.12s]
    12:00:00
    12:00:00  Finished running 2 data tests, 1 seed, 3 view models in 1 hours 2 minutes and 5.25 seconds (3725.25s).
    12:00:00
    12:00:00  Completed with 2 errors and 0 warnings:
    12:00:00
    12:00:00  Failure in model sales (models/sales.sql)
    error[sql-error]: no column `nope`
     --> models/sales.sql:1:8
      |
    1 | select nope from orders
      |        ^^^^ *****
    12:00:00
    12:00:00  Failure in test unique_orders_id (models/unique_orders_id.sql)
    12:00:00    Got 3 results, configured to fail if != 0
    12:00:00
    12:00:00  Skipped 1 node: `sales` did not end well
    12:00:00
    12:00:00  Done. PASS=3 WARN=0 ERROR=2 SKIP=1 NO-OP=0 TOTAL=6
    "#)
    });
}

#[test]
fn quiet_tells_only_what_failed() {
    let (_, err) = reported(ReportOptions { quiet: true, ..ReportOptions::default() }, run);
    stable(|| {
        assert_snapshot!(err, @r#"
    12:00:00  3 of 6 ERROR creating sql view model main.sales ................................ [ERROR in 0.12s]
    12:00:00  5 of 6 FAIL 3 unique_orders_id ................................................. [FAIL 3 in 0.12s]
    12:00:00  Failure in model sales (models/sales.sql)
    error[sql-error]: no column `nope`
     --> models/sales.sql:1:8
      |
    1 | select nope from orders
      |        ^^^^ *****
    12:00:00  Failure in test unique_orders_id (models/unique_orders_id.sql)
    12:00:00    Got 3 results, configured to fail if != 0
    "#)
    });
}

#[test]
fn a_json_log_has_dbts_events_one_a_line_and_no_secrets() {
    let options = ReportOptions { format: Format::Json, colors: true, debug: true, ..ReportOptions::default() };
    let (out, err) = reported(options, run);
    assert_eq!(err, "");
    assert!(!out.contains("hunter22") && !out.contains('\u{1b}'));
    let events: Vec<Json> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = |event: &Json| {
        let (info, data) = (&event["info"], &event["data"]);
        let node = data["node_info"]["unique_id"].as_str().unwrap_or("-");
        let text = |value: &Json| value.as_str().unwrap_or("-").to_string();
        format!("{} {} {node} {}", text(&info["level"]), text(&info["name"]), text(&data["node_info"]["node_status"]))
    };
    assert_snapshot!(events.iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
    info ConcurrencyLine - -
    info Formatting - -
    debug NodeStart seed.shop.countries started
    info LogStartLine seed.shop.countries started
    debug NodeFinished seed.shop.countries success
    info LogSeedResult seed.shop.countries success
    debug NodeStart model.shop.orders started
    info LogStartLine model.shop.orders started
    debug NodeFinished model.shop.orders success
    info LogModelResult model.shop.orders success
    debug NodeStart model.shop.sales started
    info LogStartLine model.shop.sales started
    debug NodeFinished model.shop.sales error
    error LogModelResult model.shop.sales error
    debug NodeFinished model.shop.report skipped
    info SkippingDetails model.shop.report skipped
    debug NodeStart test.shop.unique_orders_id started
    info LogStartLine test.shop.unique_orders_id started
    debug NodeFinished test.shop.unique_orders_id fail
    error LogTestResult test.shop.unique_orders_id fail
    debug NodeStart test.shop.recent_orders started
    info LogStartLine test.shop.recent_orders started
    debug NodeFinished test.shop.recent_orders pass
    info LogTestResult test.shop.recent_orders pass
    info Formatting - -
    info FinishedRunningStats - -
    info Formatting - -
    info EndOfRunSummary - -
    info Formatting - -
    error RunResultFailure model.shop.sales error
    error RunResultError model.shop.sales error
    info Formatting - -
    error RunResultFailure test.shop.unique_orders_id fail
    error RunResultError test.shop.unique_orders_id fail
    info Formatting - -
    info Note - -
    info Formatting - -
    info StatsLine - -
    "#);
    let failed = events.iter().find(|event| event["info"]["name"] == "RunResultError").unwrap();
    assert_snapshot!(failed["data"]["diagnostics"], @r#"[{"code":"sql-error","severity":"error","message":"no column `nope`","place":{"path":"models/sales.sql","line":1,"column":8,"end_line":1,"end_column":12},"label":"*****","related":[],"help":null}]"#);
}

#[test]
fn diagnostics_end_with_their_number() {
    let (_, err) = reported(ReportOptions::default(), |reporter, files| {
        let file = files.add("a.yml", "a: 1\n");
        let place = Span::new(file, 0..1);
        reporter.diagnostics(&[
            Diagnostic::warning(Code::UnknownKey, place, "the key `a` is not known"),
            Diagnostic::error(Code::NoProject, None, "there is no project here"),
            Diagnostic::error(Code::DuplicateKey, place, "twice"),
        ]);
    });
    assert_snapshot!(err, @r#"
    warning[unknown-key]: the key `a` is not known
     --> a.yml:1:1
      |
    1 | a: 1
      | ^

    error[no-project]: there is no project here

    error[duplicate-key]: twice
     --> a.yml:1:1
      |
    1 | a: 1
      | ^

    2 errors, 1 warning
    "#);
}

#[test]
fn what_templates_print_goes_to_stdout_and_warnings_to_stderr() {
    let say = |reporter: &Reporter, _: &ProjectFiles| {
        reporter.message(Some("model.shop.orders"), "select 1 -- hunter22");
        Messages::warning(reporter, Some("model.shop.orders"), "old\u{1b}[2J");
        reporter.debug("only with --debug");
    };
    let (out, err) = reported(ReportOptions::default(), say);
    assert_eq!(out, "select 1 -- *****\n");
    stable(|| assert_snapshot!(err, @"12:00:00  warning in model.shop.orders: old�[2J"));
    let (out, _) = reported(ReportOptions { print: false, ..ReportOptions::default() }, say);
    assert_eq!(out, "");
}
