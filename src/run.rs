//! Turns a Plan into RunResults: runs every node in dependency order on several workers, and tells what happens.

pub mod journal;
pub mod node;
pub mod scheduler;
pub mod seed;
pub mod test;

use std::time::{Duration, SystemTime};

use crate::compile::CompiledNode;
use crate::diagnostic::Diagnostic;
use crate::jinja::JsonMap;
use crate::manifest::Node;

/// How a node ended, in dbt's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Success,
    Error,
    Skipped,
    Pass,
    Fail,
    Warn,
}

impl Status {
    /// The word of `run_results.json`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Success => "success",
            Status::Error => "error",
            Status::Skipped => "skipped",
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Warn => "warn",
        }
    }

    /// Whether the node makes the run fail, and blocks what is downstream.
    pub fn is_bad(self) -> bool {
        matches!(self, Status::Error | Status::Fail)
    }
}

/// What happened to one node.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The node's unique id.
    pub node: String,
    pub status: Status,
    /// For instance `OK` or `Got 3 results, configured to fail if != 0`.
    pub message: Option<String>,
    /// Rows that a test found.
    pub failures: Option<i64>,
    /// dbt's `adapter_response`.
    pub response: JsonMap,
    pub compiled: Option<CompiledNode>,
    /// Mistakes that the node's own run brought to light, with their places.
    pub diagnostics: Vec<Diagnostic>,
    /// Number of the worker, from 1.
    pub worker: usize,
    pub started: SystemTime,
    pub compile_time: Duration,
    pub execute_time: Duration,
}

/// What happened to every node of a run.
#[derive(Debug, Clone, Default)]
pub struct RunResults {
    /// In the order in which they ended.
    pub outcomes: Vec<Outcome>,
    pub elapsed: Duration,
    /// Stopped by a signal or by `--fail-fast` before the end.
    pub interrupted: bool,
}

impl RunResults {
    pub fn failed(&self) -> bool {
        self.interrupted || self.outcomes.iter().any(|outcome| outcome.status.is_bad())
    }

    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.status == status).count()
    }
}

/// What a run tells while it goes on.
pub enum Event<'a> {
    /// Before the first node: how many nodes will run, on how many workers.
    Started { total: usize, workers: usize },
    /// A node begins; `index` counts from 1 in the order in which nodes begin.
    NodeStarted { index: usize, total: usize, node: &'a Node },
    /// A node has ended; skipped nodes have no `NodeStarted`.
    NodeFinished { index: usize, total: usize, node: &'a Node, outcome: &'a Outcome },
    /// `log(…, info=true)` and `print(…)` of a template.
    Message { node: Option<&'a Node>, text: &'a str },
    /// `log(…)` without `info`: for `--debug` only.
    Debug { text: &'a str },
    /// `exceptions.warn(…)` of a template.
    Warning { node: Option<&'a Node>, text: &'a str },
    Finished { results: &'a RunResults },
}

/// Where events go. Called from several workers.
pub trait Listener: Send + Sync {
    fn event(&self, event: &Event<'_>);
}
