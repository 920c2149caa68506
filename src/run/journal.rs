//! Writes down what a run has done, line by line, so that a killed run is not forgotten.
//!
//! The plan is on disk before the first node begins, and each outcome is handed to the disk (fsync) as it happens; a
//! writer of its own takes all outcomes that are waiting in one go, so that workers never wait for the disk. What a
//! crash can lose is the knowledge that a node succeeded: it is built again, which changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use crate::compile::microbatch::{Batch, Progress};
use crate::manifest::microbatch::BatchSize;
use crate::run::Outcome;

/// The journal of one run.
pub struct Journal {
    sender: Option<Sender<String>>,
    writer: Option<JoinHandle<io::Result<()>>>,
}

/// The place of the journal below the target folder.
pub fn path(target_dir: &Path) -> PathBuf {
    target_dir.join("journal.jsonl")
}

impl Journal {
    /// Starts a journal with the command and every node that the run is going to touch.
    pub fn start(
        target_dir: &Path,
        command: &str,
        target: &str,
        arguments: &Json,
        (run, started): (&str, DateTime<Utc>),
        nodes: &[&str],
    ) -> io::Result<Journal> {
        std::fs::create_dir_all(target_dir)?;
        let mut file = File::create(path(target_dir))?;
        let started = started.to_rfc3339();
        let head = json!({"run": run, "command": command, "target": target, "arguments": arguments, "started": started, "nodes": nodes});
        writeln!(file, "{head}")?;
        file.sync_data()?;
        let (sender, receiver) = channel();
        let writer = std::thread::spawn(move || write(&mut file, &receiver));
        Ok(Journal { sender: Some(sender), writer: Some(writer) })
    }

    /// Notes how a node ended.
    pub fn record(&self, outcome: &Outcome) {
        let mut line = json!({"node": outcome.node, "status": outcome.status.name()});
        if let Some(progress) = &outcome.batches {
            line["batches"] = json!({"successful": written(&progress.successful), "failed": written(&progress.failed)});
        }
        let line = line.to_string();
        if let Some(sender) = &self.sender {
            // The writer ends early only if the disk failed, which `finish` reports.
            let _ = sender.send(line);
        }
    }

    /// Waits until everything is on disk.
    pub fn finish(mut self) -> io::Result<()> {
        self.sender = None;
        match self.writer.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            _ => Ok(()),
        }
    }
}

fn written(batches: &[Batch]) -> Vec<[String; 3]> {
    let times = |batch: &Batch| [batch.start, batch.end].map(|time| time.to_rfc3339());
    let all = batches.iter().map(|batch| {
        let [start, end] = times(batch);
        [start, end, batch.size.name().to_string()]
    });
    all.collect()
}

/// Batches as a line of a journal has them.
fn batches(line: &Json, kind: &str) -> Vec<Batch> {
    let time = |text: &Json| Some(DateTime::parse_from_rfc3339(text.as_str()?).ok()?.to_utc());
    let batch = |item: &Json| {
        let (start, end) = (time(item.get(0)?)?, time(item.get(1)?)?);
        Some(Batch { start, end, size: BatchSize::from_name(item.get(2)?.as_str()?)? })
    };
    let listed = line.get("batches").and_then(|batches| batches.get(kind)?.as_array());
    listed.into_iter().flatten().filter_map(batch).collect()
}

fn write(file: &mut File, lines: &Receiver<String>) -> io::Result<()> {
    while let Ok(first) = lines.recv() {
        writeln!(file, "{first}")?;
        for line in lines.try_iter() {
            writeln!(file, "{line}")?;
        }
        file.sync_data()?;
    }
    Ok(())
}

/// An earlier run, as its journal tells it.
#[derive(Debug, Clone)]
pub struct Past {
    /// The id of the run.
    pub run: String,
    pub command: String,
    pub target: String,
    pub arguments: Json,
    /// Nodes that the run was to touch and that did not succeed, in order.
    pub unfinished: Vec<String>,
    /// When the run began, if the journal says so.
    pub started: Option<DateTime<Utc>>,
    /// Models of which some batches are built and others are not.
    pub batches: BTreeMap<String, Progress>,
}

/// Reads a journal; a torn last line is what a crash leaves, and is dropped.
pub fn read(target_dir: &Path) -> Result<Past, String> {
    let path = path(target_dir);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let mut lines = text.lines().map_while(|line| serde_json::from_str::<Json>(line).ok());
    let head = lines.next().ok_or_else(|| format!("`{}` does not begin with the plan of a run", path.display()))?;
    let word = |key: &str| head.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
    if word("command").is_empty() {
        return Err(format!("`{}` does not begin with the plan of a run", path.display()));
    }
    let good =
        |line: &Json| matches!(line.get("status").and_then(Json::as_str), Some("success" | "pass" | "warn" | "no-op"));
    let lines: Vec<Json> = lines.collect();
    let name = |line: &Json| Some(line.get("node")?.as_str()?.to_string());
    let done: BTreeSet<String> = lines.iter().filter(|line| good(line)).filter_map(name).collect();
    let in_part = lines.iter().filter_map(|line| {
        let progress = Progress { successful: batches(line, "successful"), failed: batches(line, "failed") };
        let in_part = !progress.successful.is_empty() && !progress.failed.is_empty();
        Some((name(line)?, progress)).filter(|_| in_part)
    });
    let nodes = head.get("nodes").and_then(Json::as_array).cloned().unwrap_or_default();
    let unfinished = nodes.iter().filter_map(Json::as_str).filter(|id| !done.contains(*id)).map(str::to_string);
    Ok(Past {
        run: word("run"),
        command: word("command"),
        target: word("target"),
        arguments: head.get("arguments").cloned().unwrap_or(Json::Null),
        unfinished: unfinished.collect(),
        started: DateTime::parse_from_rfc3339(&word("started")).ok().map(|time| time.to_utc()),
        batches: in_part.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Journal, read};
    use crate::compile::context::tests::node;
    use crate::compile::microbatch::{Batch, Progress};
    use crate::manifest::Kind;
    use crate::manifest::microbatch::{BatchSize, moment};
    use crate::run::outcome::Timer;
    use crate::run::{Outcome, Status};

    const A: &str = "model.shop.a";
    const B: &str = "model.shop.b";
    const C: &str = "model.shop.c";

    fn outcome(name: &str, status: Status) -> Outcome {
        Timer::start(&node(name, Kind::Model), 1).ended(status, None)
    }

    #[test]
    fn what_did_not_succeed_is_known_after_a_torn_line() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let journal =
            Journal::start(dir.path(), "build", "dev", &serde_json::json!({}), ("r", chrono::Utc::now()), &[A, B, C])?;
        let batch = |day: &str, end: &str| Batch {
            start: moment(day).unwrap_or_default(),
            end: moment(end).unwrap_or_default(),
            size: BatchSize::Day,
        };
        let (first, second) = (batch("2024-01-01", "2024-01-02"), batch("2024-01-02", "2024-01-03"));
        let progress = Progress { successful: vec![first], failed: vec![second] };
        journal.record(&outcome("a", Status::Success));
        journal.record(&Outcome { batches: Some(progress.clone()), ..outcome("b", Status::PartialSuccess) });
        journal.finish()?;
        let path = super::path(dir.path());
        let text = std::fs::read_to_string(&path)? + "{\"node\": \"model.shop.c\", \"sta";
        std::fs::write(&path, text)?;
        let past = read(dir.path())?;
        assert_eq!(past.unfinished, [B, C]);
        assert_eq!(past.batches, [(B.to_string(), progress)].into());
        Ok(())
    }
}
