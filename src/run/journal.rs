//! Writes down what a run has done, line by line, so that a killed run is not forgotten.
//!
//! The plan is on disk before the first node begins, and each outcome is handed to the disk (fsync) as it happens; a
//! writer of its own takes all outcomes that are waiting in one go, so that workers never wait for the disk. What a
//! crash can lose is the knowledge that a node succeeded: it is built again, which changes nothing.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use serde_json::{Value as Json, json};

use crate::run::Status;

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
        nodes: &[&str],
    ) -> io::Result<Journal> {
        std::fs::create_dir_all(target_dir)?;
        let mut file = File::create(path(target_dir))?;
        let head = json!({"command": command, "target": target, "arguments": arguments, "nodes": nodes});
        writeln!(file, "{head}")?;
        file.sync_data()?;
        let (sender, receiver) = channel();
        let writer = std::thread::spawn(move || write(&mut file, &receiver));
        Ok(Journal { sender: Some(sender), writer: Some(writer) })
    }

    /// Notes how a node ended.
    pub fn record(&self, node: &str, status: Status) {
        let line = json!({"node": node, "status": status.name()}).to_string();
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
    pub command: String,
    pub target: String,
    pub arguments: Json,
    /// Nodes that the run was to touch and that did not succeed, in order.
    pub unfinished: Vec<String>,
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
    let good = |line: &Json| matches!(line.get("status").and_then(Json::as_str), Some("success" | "pass" | "warn"));
    let done: std::collections::BTreeSet<String> =
        lines.filter(good).filter_map(|line| Some(line.get("node")?.as_str()?.to_string())).collect();
    let nodes = head.get("nodes").and_then(Json::as_array).cloned().unwrap_or_default();
    let unfinished = nodes.iter().filter_map(Json::as_str).filter(|id| !done.contains(*id)).map(str::to_string);
    Ok(Past {
        command: word("command"),
        target: word("target"),
        arguments: head.get("arguments").cloned().unwrap_or(Json::Null),
        unfinished: unfinished.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Journal, read};
    use crate::run::Status;

    #[test]
    fn what_did_not_succeed_is_known_after_a_torn_line() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let journal = Journal::start(dir.path(), "build", "dev", &serde_json::json!({}), &["a", "b", "c"])?;
        journal.record("a", Status::Success);
        journal.record("b", Status::Error);
        journal.finish()?;
        let path = super::path(dir.path());
        let text = std::fs::read_to_string(&path)? + "{\"node\": \"c\", \"sta";
        std::fs::write(&path, text)?;
        assert_eq!(read(dir.path())?.unfinished, ["b", "c"]);
        Ok(())
    }
}
