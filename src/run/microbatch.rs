//! Runs a microbatch model: one batch after the other, each with a transaction of its own.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::adapter::relation::RelationKind;
use crate::compile::host::NodeHost;
use crate::compile::microbatch::{Batch, Progress, batches};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Node, microbatch};
use crate::run::node::{Part, Worker};
use crate::run::outcome::Timer;
use crate::run::{BatchSql, Outcome, Status};

/// How one batch has ended.
struct Ended {
    result: Result<(), Diagnostic>,
    sql: Option<BatchSql>,
}

impl Worker {
    /// Runs the batches of a model. If the first fails, the others are not tried: it is the one that makes the table.
    /// Any other that fails leaves those before and after it as they are.
    /// Source: <https://docs.getdbt.com/docs/build/incremental-microbatch>.
    pub fn run_batches(&self, node: &Node) -> Outcome {
        let mut timer = Timer::start(node, self.number);
        timer.compiled();
        let earlier = self.session.batches.earlier.get(&node.id);
        let is_incremental = earlier.is_some() || self.is_incremental(node);
        let todo = match earlier {
            Some(earlier) => Ok((earlier.failed.clone(), None)),
            None => self.with_late(node, self.batches(node, is_incremental), is_incremental),
        };
        let (todo, arrived) = match todo {
            Ok(todo) => todo,
            Err(problem) => return timer.failed(None, problem),
        };
        let (mut progress, mut batch_sql, mut problems) = (Progress::default(), Vec::new(), Vec::new());
        for (at, batch) in todo.iter().enumerate() {
            let part = Part { batch: Some(*batch), is_first: at == 0, is_last: at + 1 == todo.len() };
            let is_hopeless = at > 0 && progress.successful.is_empty() && progress.failed.first() == todo.first();
            if is_hopeless || self.stop.load(Ordering::Relaxed) {
                progress.failed.push(*batch);
                continue;
            }
            let ended = self.run_batch(node, *batch, part, is_incremental || at > 0);
            batch_sql.extend(ended.sql);
            match ended.result {
                Ok(()) => progress.successful.push(*batch),
                Err(problem) => {
                    progress.failed.push(*batch);
                    problems.push(of_batch(problem, node, batch));
                }
            }
        }
        if let Some(arrived) = arrived.filter(|_| progress.failed.is_empty()) {
            problems.extend(self.note_arrived(node, &arrived).err());
        }
        let (status, message) = match problems.first() {
            Some(problem) if progress.failed.is_empty() => (Status::Error, problem.message.clone()),
            _ => verdict(&progress),
        };
        progress.successful.extend(earlier.into_iter().flat_map(|earlier| &earlier.successful));
        let outcome = timer.ended(status, Some(message));
        Outcome { failures: Some(0), batches: Some(progress), batch_sql, diagnostics: problems, ..outcome }
    }

    fn run_batch(&self, node: &Node, batch: Batch, part: Part, adds: bool) -> Ended {
        // A transaction that is held has watched the table since it began.
        if !self.warehouse.is_held()
            && let Err(problem) = self.watch(node)
        {
            return Ended { result: Err(problem), sql: None };
        }
        let compiled = match self.compile(node, Some(batch)) {
            Ok(compiled) => compiled,
            Err(refused) => {
                let (compiled, problem) = *refused;
                let sql = compiled.map(|compiled| BatchSql { batch, compiled: compiled.sql.into(), sent: None });
                return Ended { result: Err(problem), sql };
            }
        };
        let host = NodeHost::new(self.session.clone(), self.warehouse.clone(), Some(node)).of_batch(batch, adds);
        let host = Arc::new(host);
        let result = self.build(node, Some(&compiled), &host, part);
        let sent = host.take_written().map(Arc::from);
        Ended { result, sql: Some(BatchSql { batch, compiled: compiled.sql.into(), sent }) }
    }

    fn batches(&self, node: &Node, is_incremental: bool) -> Vec<Batch> {
        let settings = microbatch::settings(node).expect("the settings were checked when the project was read");
        batches(&settings, &self.session.batches, self.session.invocation.started, is_incremental)
    }

    /// Whether the model is a table already that is not to be built anew.
    pub fn is_incremental(&self, node: &Node) -> bool {
        let existing = self.session.existing.find(&self.warehouse, &node.relation);
        let is_table = existing.is_ok_and(|found| found.is_some_and(|found| found.kind == Some(RelationKind::Table)));
        let refresh = match node.config.get("full_refresh") {
            Some(_) => node.config.flag("full_refresh"),
            None => self.session.flags.get("FULL_REFRESH") == Some(&serde_json::Value::Bool(true)),
        };
        is_table && !refresh
    }
}

fn verdict(progress: &Progress) -> (Status, String) {
    let (good, bad) = (progress.successful.len(), progress.failed.len());
    match (good, bad) {
        (_, 0) => (Status::Success, "SUCCESS".to_string()),
        (0, _) => (Status::Error, "ERROR".to_string()),
        _ => (Status::PartialSuccess, format!("PARTIAL SUCCESS ({good}/{})", good + bad)),
    }
}

/// The batch belongs into the message: the SQL of the others may be fine.
fn of_batch(problem: Diagnostic, node: &Node, batch: &Batch) -> Diagnostic {
    let message = format!("batch {} of `{}`: {}", batch.name(), node.name, problem.message);
    Diagnostic { message, ..problem }
}
