//! Turns the results of a run into the summary at its end: what failed and why, and dbt's counts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::map::IndexMap;
use serde_json::{Value as Json, json};

use crate::artifact::sql::path_of;
use crate::cli::arguments::global::LogLevel;
use crate::cli::report::node::{counted_as, ended_info, level};
use crate::cli::report::paint::Paint;
use crate::cli::report::problem::plural;
use crate::cli::report::screen::tame;
use crate::cli::report::told::{EventName, Told};
use crate::diagnostic::Diagnostic;
use crate::manifest::{Kind, Manifest, Node};
use crate::run::{Outcome, RunResults, Status};

/// What there is to say at the end of a run.
pub struct Summary<'r> {
    results: &'r RunResults,
    kinds: BTreeMap<String, usize>,
    /// Reasons, with how many nodes were skipped for each.
    skipped: IndexMap<String, usize>,
    /// Failures, then warnings, then nodes that ended well and still have something to say.
    remarks: Vec<Remark<'r>>,
}

/// A node about which there is something to say.
struct Remark<'r> {
    node: &'r Node,
    outcome: &'r Outcome,
    compiled_path: Option<String>,
    node_info: Json,
}

/// A part of the summary.
pub enum Part<'a> {
    Told(Told),
    /// Shown as text in the place of the message before it; the JSON log has them in the message's data.
    Problems(&'a [Diagnostic]),
}

/// Sorts the outcomes of a run; `target_path` is where the user finds compiled SQL.
pub fn summary<'r>(manifest: &'r Manifest, results: &'r RunResults, target_path: &str) -> Summary<'r> {
    let mut summary = Summary { results, kinds: BTreeMap::new(), skipped: IndexMap::default(), remarks: Vec::new() };
    for outcome in &results.outcomes {
        if manifest.exposures.contains_key(&outcome.node) {
            *summary.kinds.entry("exposure".to_string()).or_default() += 1;
        }
        let Some(node) = manifest.node(&outcome.node) else { continue };
        *summary.kinds.entry(counted_as(node)).or_default() += 1;
        if outcome.status == Status::Skipped {
            let reason = outcome.message.as_deref().unwrap_or("the run stopped");
            *summary.skipped.entry(tame(reason)).or_default() += 1;
        } else if outcome.status.is_bad() || outcome.status == Status::Warn || !outcome.diagnostics.is_empty() {
            summary.remarks.push(remark(node, outcome, target_path));
        }
    }
    summary.remarks.sort_by_key(|remark| std::cmp::Reverse(level(remark.outcome.status)));
    summary
}

impl Summary<'_> {
    /// Everything to tell when the run is over; `problem` gives a diagnostic as JSON.
    pub fn parts(&self, paint: Paint, problem: impl Fn(&Diagnostic) -> Json) -> Vec<Part<'_>> {
        let mut parts = vec![Part::Told(Told::empty_line())];
        parts.push(Part::Told(self.finished_running(self.results.elapsed)));
        parts.push(Part::Told(Told::empty_line()));
        parts.push(Part::Told(self.end_of_run(paint)));
        parts.push(Part::Told(Told::empty_line()));
        for remark in &self.remarks {
            remark.push_parts(&mut parts, paint, &problem);
        }
        for (reason, count) in &self.skipped {
            let text = format!("Skipped {}: {reason}", plural(*count, "node"));
            let data = json!({"msg": text, "reason": reason, "count": count});
            parts.push(Part::Told(Told::info(EventName::NOTE, text, data)));
        }
        if !self.skipped.is_empty() {
            parts.push(Part::Told(Told::empty_line()));
        }
        parts.push(Part::Told(stats(self.results)));
        parts
    }

    fn finished_running(&self, elapsed: Duration) -> Told {
        let counts: Vec<String> = self.kinds.iter().map(|(kind, count)| plural(*count, kind)).collect();
        let counts = if counts.is_empty() { "nothing".to_string() } else { counts.join(", ") };
        let seconds = elapsed.as_secs_f64();
        let (hours, minutes, rest) = (elapsed.as_secs() / 3600, elapsed.as_secs() / 60 % 60, seconds % 60.0);
        let execution = format!(" in {hours} hours {minutes} minutes and {rest:.2} seconds");
        let text = format!("Finished running {counts}{execution} ({seconds:.2}s).");
        let data = json!({"stat_line": counts, "execution": execution, "execution_time": seconds});
        Told::info(EventName::FINISHED_RUNNING, text, data)
    }

    fn end_of_run(&self, paint: Paint) -> Told {
        let errors = self.results.count(Status::Error) + self.results.count(Status::Fail);
        let partial = self.results.count(Status::PartialSuccess);
        let warnings = self.results.count(Status::Warn);
        let text = match (self.results.interrupted, errors + partial, warnings) {
            (true, ..) => paint.bad(&format!("Stopped before the end, with {}:", plural(errors, "error"))),
            (false, 0, 0) => paint.good("Completed successfully"),
            (false, 0, _) => paint.warning(&format!("Completed with {}:", plural(warnings, "warning"))),
            (false, ..) => {
                let partial = match partial {
                    0 => String::new(),
                    1 => ", 1 partial success".to_string(),
                    _ => format!(", {partial} partial successes"),
                };
                let counts = format!("{}{partial} and {}", plural(errors, "error"), plural(warnings, "warning"));
                paint.bad(&format!("Completed with {counts}:"))
            }
        };
        let data = json!({
            "num_errors": errors,
            "num_warnings": warnings,
            "num_partial_success": partial,
            "keyboard_interrupt": self.results.interrupted,
        });
        Told::info(EventName::END_OF_RUN, text, data)
    }
}

fn remark<'r>(node: &'r Node, outcome: &'r Outcome, target_path: &str) -> Remark<'r> {
    let compiled_path = || tame(&format!("{target_path}/compiled/{}/{}", node.package, path_of(node)));
    // The SQL of a snapshot is in no file of its own.
    let has_file = outcome.compiled.is_some() && !matches!(node.kind, Kind::Snapshot);
    let is_shown = has_file && outcome.status != Status::Success;
    Remark { node, outcome, compiled_path: is_shown.then(compiled_path), node_info: ended_info(node, outcome) }
}

impl Remark<'_> {
    fn push_parts<'a>(&'a self, parts: &mut Vec<Part<'a>>, paint: Paint, problem: &impl Fn(&Diagnostic) -> Json) {
        parts.push(Part::Told(self.title(paint)));
        let message = self.message(self.outcome.diagnostics.iter().map(problem).collect());
        parts.push(Part::Told(message));
        if !self.outcome.diagnostics.is_empty() {
            parts.push(Part::Problems(&self.outcome.diagnostics));
        }
        if let Some(path) = &self.compiled_path {
            let data = json!({"path": path, "node_info": self.node_info});
            let level = level(self.outcome.status);
            parts.push(Part::Told(Told::new(
                EventName::COMPILED_PATH,
                level,
                format!("  compiled code at {path}"),
                data,
            )));
        }
        parts.push(Part::Told(Told::empty_line()));
    }

    fn title(&self, paint: Paint) -> Told {
        let Node { name, original_path: path, .. } = self.node;
        let kind = self.node.resource_type();
        let what = tame(&format!("{kind} {name} ({path})"));
        let data = json!({
            "resource_type": kind,
            "node_name": name,
            "path": path,
            "node_info": self.node_info,
        });
        if self.outcome.status.is_bad() {
            let text = paint.bad(&format!("Failure in {what}"));
            Told::new(EventName::RESULT_FAILURE, LogLevel::Error, text, data)
        } else {
            let text = paint.warning(&format!("Warning in {what}"));
            Told::new(EventName::RESULT_WARNING, LogLevel::Warn, text, data)
        }
    }

    /// The node's message; diagnostics, which say the same and more, take its place where there are any.
    fn message(&self, problems: Vec<Json>) -> Told {
        let message = self.outcome.message.as_deref().unwrap_or_default();
        let data = json!({"msg": message, "diagnostics": problems, "node_info": self.node_info});
        let text = format!("  {}", tame(message).replace('\n', "\n  "));
        if self.outcome.status.is_bad() {
            Told::new(EventName::RESULT_ERROR, LogLevel::Error, text, data)
        } else {
            Told::new(EventName::RESULT_WARNING_MESSAGE, LogLevel::Warn, text, data)
        }
    }
}

fn stats(results: &RunResults) -> Told {
    let count = |statuses: &[Status]| -> usize { statuses.iter().map(|status| results.count(*status)).sum() };
    let pass = count(&[Status::Success, Status::Pass]);
    let error = count(&[Status::Error, Status::Fail, Status::PartialSuccess]);
    let (warn, skip) = (results.count(Status::Warn), results.count(Status::Skipped));
    let (noop, total) = (results.count(Status::NoOp), results.outcomes.len());
    let text = format!("Done. PASS={pass} WARN={warn} ERROR={error} SKIP={skip} NO-OP={noop} TOTAL={total}");
    let stats = json!({"pass": pass, "warn": warn, "error": error, "skip": skip, "noop": noop, "total": total});
    Told::info(EventName::STATS, text, json!({"stats": stats}))
}

/// What a project has: `5 models, 1 seed, 3 data tests`.
pub fn counts(manifest: &Manifest) -> String {
    let mut counts: IndexMap<&str, usize> = IndexMap::default();
    for node in manifest.nodes.values() {
        let kind = match node.kind {
            Kind::UnitTest(_) => "unit test",
            _ if node.is_test() => "data test",
            _ => node.resource_type(),
        };
        *counts.entry(kind).or_default() += 1;
    }
    counts.insert("source", manifest.sources.len());
    counts.insert("exposure", manifest.exposures.len());
    let counts = counts.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| match (kind, count) {
        ("analysis", 2..) => format!("{count} analyses"),
        _ => plural(count, kind),
    });
    counts.collect::<Vec<_>>().join(", ")
}
