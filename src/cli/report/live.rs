//! Turns the events of a run into lines as they come, and its results into a summary.

use std::sync::MutexGuard;
use std::time::SystemTime;

use serde_json::{Value as Json, json};

use crate::cli::arguments::global::LogLevel;
use crate::cli::report::problem::plural;
use crate::cli::report::progress::Progress;
use crate::cli::report::screen::{Stream, tame};
use crate::cli::report::summary::{Part, summary};
use crate::cli::report::told::{EventName, Told};
use crate::cli::report::{Reporter, node, told};
use crate::compile::session::Messages;
use crate::manifest::{Exposure, Manifest, Node};
use crate::run::{Event, Listener, Outcome, RunResults};

impl Reporter {
    /// The end of a run: what failed and why, and dbt's counts.
    pub fn summary(&self, manifest: &Manifest, results: &RunResults) {
        *self.progress() = None;
        let target_path = self.project.read().expect("nobody panics while holding the lock").target_path.clone();
        let summary = summary(manifest, results, &target_path);
        let parts = summary.parts(self.paint(), |problem| told::diagnostic(problem, &self.files));
        let mut parts = parts.into_iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Problems(problems) if !self.is_json() => {
                    problems.iter().for_each(|problem| {
                        self.diagnostic(problem);
                    });
                }
                Part::Problems(_) => {}
                // The text of the diagnostics says the same.
                Part::Told(_) if !self.is_json() && matches!(parts.peek(), Some(Part::Problems(_))) => {}
                Part::Told(told) => self.tell(told),
            }
        }
    }

    /// An exposure that came along in a build.
    pub fn exposure(&self, index: usize, total: usize, exposure: &Exposure, outcome: &Outcome) {
        self.tell(node::exposure(index, total, exposure, outcome, self.paint()));
    }

    fn progress(&self) -> MutexGuard<'_, Option<Progress>> {
        self.progress.lock().expect("nobody panics while holding the lock")
    }

    fn started(&self, total: usize, workers: usize) {
        let target = self.project.read().expect("nobody panics while holding the lock").target_name.clone();
        let text = format!("Concurrency: {} (target='{}')", plural(workers, "thread"), tame(&target));
        let data = json!({"num_threads": workers, "target_name": target, "node_count": total});
        self.tell(Told::info(EventName::CONCURRENCY, text, data));
        self.tell(Told::empty_line());
        *self.progress() = self.screen.progress.as_ref().map(|screen| Progress::start(screen, total));
    }

    fn node_started(&self, index: usize, total: usize, node: &Node) {
        let text = format!("Began running node {}", node.id);
        let data = json!({"node_info": node::info(node, "started", Some(SystemTime::now()), None)});
        self.tell(Told::new(EventName::NODE_START, LogLevel::Debug, text, data));
        match &mut *self.progress() {
            Some(progress) => progress.node_started(&node.id, self.screen.redact(&node::description(node))),
            None => self.tell(node::started(index, total, node)),
        }
    }

    fn node_finished(&self, index: usize, total: usize, node: &Node, outcome: &Outcome) {
        self.tell(node::node_finished(node, outcome));
        let mut progress = self.progress();
        let Some(lines) = &mut *progress else {
            return self.tell(node::finished(index, total, node, outcome, self.paint()));
        };
        lines.node_ended(&node.id, outcome.status.is_bad());
        if let Some(line) = node::compact(node, outcome, self.paint()) {
            self.screen.line(Stream::Err, &line);
        }
    }
}

impl Messages for Reporter {
    fn message(&self, node: Option<&str>, text: &str) {
        if self.is_json() {
            self.tell(Told::info(EventName::LOG_INFO, text, message_data(node, text)));
        } else if self.options.print {
            self.screen.line(Stream::Out, &tame(text));
        }
    }

    fn debug(&self, text: &str) {
        self.tell(Told::new(EventName::LOG_DEBUG, LogLevel::Debug, tame(text), json!({"msg": text})));
    }

    fn warning(&self, node: Option<&str>, text: &str) {
        let place = node.map(|node| format!(" in {node}")).unwrap_or_default();
        let shown = format!("{}{}: {}", self.paint().warning("warning"), tame(&place), tame(text));
        self.tell(Told::new(EventName::LOG_WARNING, LogLevel::Warn, shown, message_data(node, text)));
    }
}

fn message_data(node: Option<&str>, text: &str) -> Json {
    json!({"msg": text, "node_info": {"unique_id": node}})
}

impl Listener for Reporter {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Started { total, workers } => self.started(*total, *workers),
            Event::NodeStarted { index, total, node } => self.node_started(*index, *total, node),
            Event::NodeFinished { index, total, node, outcome } => self.node_finished(*index, *total, node, outcome),
            Event::Message { node, text } => self.message(node.map(|node| node.id.as_str()), text),
            Event::Debug { text } => self.debug(text),
            Event::Warning { node, text } => Messages::warning(self, node.map(|node| node.id.as_str()), text),
            Event::Finished { .. } => *self.progress() = None,
        }
    }
}
