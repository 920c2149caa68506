//! Turns something to tell into a line of text, or into the JSON object that orchestrators of dbt read.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value as Json, json};

use crate::cli::arguments::global::LogLevel;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::{ProjectFiles, Span};

/// Something to tell.
#[derive(Clone)]
pub struct Told {
    pub name: EventName,
    pub level: LogLevel,
    /// For people; may have several lines.
    pub text: String,
    pub data: Json,
    /// Number of the worker that it happened on, from 1.
    pub worker: Option<usize>,
}

/// A name and a code of dbt's structured log. Source: <https://docs.getdbt.com/reference/events-logging>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventName(pub &'static str, pub &'static str);

impl EventName {
    pub const VERSION: EventName = EventName("MainReportVersion", "A001");
    pub const ENCOUNTERED_ERROR: EventName = EventName("MainEncounteredError", "Z002");
    pub const FOUND: EventName = EventName("FoundStats", "W006");
    pub const CONCURRENCY: EventName = EventName("ConcurrencyLine", "Q027");
    pub const NODE_START: EventName = EventName("NodeStart", "Q024");
    pub const NODE_FINISHED: EventName = EventName("NodeFinished", "Q025");
    pub const START_LINE: EventName = EventName("LogStartLine", "Q011");
    pub const HOOK_START: EventName = EventName("LogHookStartLine", "Q032");
    pub const HOOK_END: EventName = EventName("LogHookEndLine", "Q033");
    pub const TEST_RESULT: EventName = EventName("LogTestResult", "Q007");
    pub const MODEL_RESULT: EventName = EventName("LogModelResult", "Q012");
    pub const SNAPSHOT_RESULT: EventName = EventName("LogSnapshotResult", "Q015");
    pub const FRESHNESS_RESULT: EventName = EventName("LogFreshnessResult", "Q018");
    pub const FRESHNESS_COMPLETE: EventName = EventName("FreshnessCheckComplete", "Q003");
    pub const SEED_RESULT: EventName = EventName("LogSeedResult", "Q016");
    pub const NO_OP_RESULT: EventName = EventName("LogNodeNoOpResult", "Q019");
    pub const SKIPPED: EventName = EventName("SkippingDetails", "Q034");
    pub const COMMAND_COMPLETED: EventName = EventName("CommandCompleted", "Q039");
    pub const SQL_QUERY: EventName = EventName("SQLQuery", "E016");
    pub const SHOW_NODE: EventName = EventName("ShowNode", "Q041");
    pub const COMPILED_NODE: EventName = EventName("CompiledNode", "Q042");
    pub const FINISHED_RUNNING: EventName = EventName("FinishedRunningStats", "E047");
    pub const LOG_INFO: EventName = EventName("JinjaLogInfo", "I062");
    pub const LOG_DEBUG: EventName = EventName("JinjaLogDebug", "I063");
    pub const LOG_WARNING: EventName = EventName("JinjaLogWarning", "I061");
    pub const NOTE: EventName = EventName("Note", "Z050");
    pub const EMPTY_LINE: EventName = EventName("Formatting", "Z017");
    pub const RESULT_WARNING: EventName = EventName("RunResultWarning", "Z021");
    pub const RESULT_WARNING_MESSAGE: EventName = EventName("RunResultWarningMessage", "Z046");
    pub const RESULT_FAILURE: EventName = EventName("RunResultFailure", "Z022");
    pub const RESULT_ERROR: EventName = EventName("RunResultError", "Z024");
    pub const STATS: EventName = EventName("StatsLine", "Z023");
    pub const COMPILED_PATH: EventName = EventName("SQLCompiledPath", "Z026");
    pub const END_OF_RUN: EventName = EventName("EndOfRunSummary", "Z030");
}

impl Told {
    pub fn new(name: EventName, level: LogLevel, text: impl Into<String>, data: Json) -> Told {
        Told { name, level, text: text.into(), data, worker: None }
    }

    pub fn info(name: EventName, text: impl Into<String>, data: Json) -> Told {
        Told::new(name, LogLevel::Info, text, data)
    }

    pub fn empty_line() -> Told {
        Told::info(EventName::EMPTY_LINE, "", json!({"msg": ""}))
    }

    pub fn thread(&self) -> String {
        self.worker.map_or("MainThread".to_string(), |number| format!("Thread-{number} (worker)"))
    }

    /// The object of the JSON log.
    pub fn json(self, invocation: &str, now: DateTime<Utc>) -> Json {
        let thread = self.thread();
        json!({
            "info": {
                "name": self.name.0,
                "code": self.name.1,
                "level": self.level.name(),
                "msg": self.text,
                "ts": timestamp(now),
                "invocation_id": invocation,
                "pid": std::process::id(),
                "thread": thread,
                "category": "",
                "extra": {},
            },
            "data": self.data,
        })
    }
}

/// `2026-01-31T12:00:00.000000Z`.
pub fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A diagnostic as data of an event.
pub fn diagnostic(diagnostic: &Diagnostic, files: &ProjectFiles) -> Json {
    let related = diagnostic.related.iter().map(|related| {
        let mut place = place(related.span, files);
        place["label"] = json!(related.label);
        place
    });
    json!({
        "code": diagnostic.code.name(),
        "severity": match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": diagnostic.message,
        "place": diagnostic.span.map(|span| place(span, files)),
        "label": diagnostic.label,
        "related": related.collect::<Vec<_>>(),
        "help": diagnostic.help,
    })
}

fn place(span: Span, files: &ProjectFiles) -> Json {
    let file = files.get(span.file);
    let (line, column) = file.line_column(span.range().start);
    let (end_line, end_column) = file.line_column(span.range().end);
    json!({"path": &*file.path, "line": line, "column": column, "end_line": end_line, "end_column": end_column})
}

/// Replaces every text of a value, the keys of its objects included.
pub fn map_texts(value: Json, change: &impl Fn(&str) -> String) -> Json {
    match value {
        Json::String(text) => Json::String(change(&text)),
        Json::Array(items) => items.into_iter().map(|item| map_texts(item, change)).collect(),
        Json::Object(entries) => {
            entries.into_iter().map(|(key, value)| (change(&key), map_texts(value, change))).collect()
        }
        other => other,
    }
}
