//! Turns checks of sources into lines as they come, and into a summary.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use crate::cli::arguments::global::LogLevel;
use crate::cli::report::node::dotted;
use crate::cli::report::problem::plural;
use crate::cli::report::screen::tame;
use crate::cli::report::told::{EventName, Told, timestamp};
use crate::cli::report::{Reporter, told};
use crate::manifest::{Manifest, Source};
use crate::run::freshness::{Checked, FreshnessEvent, Verdict};

impl Reporter {
    /// A check begins or ends.
    pub fn freshness(&self, event: &FreshnessEvent<'_>) {
        match event {
            FreshnessEvent::Started { index, total, source } => {
                let what = format!("freshness of {}", name(source));
                let text = dotted(*index, *total, &format!("START {}", tame(&what)), "[RUN]");
                let info = info(source, "started", Some(SystemTime::now()), None);
                let data = json!({"description": what, "index": index, "total": total, "node_info": info});
                self.tell(Told::info(EventName::START_LINE, text, data));
            }
            FreshnessEvent::Finished { index, total, source, checked } => {
                self.tell(self.finished(*index, *total, source, checked));
            }
        }
    }

    fn finished(&self, index: usize, total: usize, source: &Source, checked: &Checked) -> Told {
        let word = word(checked.verdict);
        let painted = match checked.verdict {
            Verdict::Pass => self.paint().good(word),
            Verdict::Warn => self.paint().warning(word),
            Verdict::Error | Verdict::RuntimeError => self.paint().bad(word),
        };
        let seconds = checked.elapsed.as_secs_f64();
        let what = format!("{word} freshness of {}", tame(&name(source)));
        let data = json!({
            "status": checked.verdict.name(),
            "source_name": source.source_name,
            "table_name": source.name,
            "index": index,
            "total": total,
            "execution_time": seconds,
            "node_info": ended_info(source, checked),
        });
        let text = dotted(index, total, &what, &format!("[{painted} in {seconds:.2}s]"));
        Told { worker: Some(checked.worker), ..Told::new(EventName::FRESHNESS_RESULT, level(checked), text, data) }
    }

    /// All checks have ended: what is wrong, and where it is written.
    pub fn freshness_summary(&self, manifest: &Manifest, checked: &[Checked], elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let text = format!("Finished checking {} in {seconds:.2}s", plural(checked.len(), "source"));
        let data = json!({"stat_line": plural(checked.len(), "source"), "execution": "", "execution_time": seconds});
        self.tell(Told::empty_line());
        self.tell(Told::info(EventName::FINISHED_RUNNING, text, data));
        for checked in checked.iter().filter(|checked| checked.verdict != Verdict::Pass) {
            let Some(source) = manifest.sources.get(&checked.source) else { continue };
            if self.is_json() && checked.verdict.is_bad() {
                self.tell(self.result_error(source, checked));
            } else if !self.is_json() {
                self.tell(Told::empty_line());
                for problem in &checked.diagnostics {
                    self.diagnostic(problem);
                }
            }
        }
        self.tell(Told::empty_line());
        self.tell(Told::info(EventName::FRESHNESS_COMPLETE, "Done.", json!({})));
    }

    fn result_error(&self, source: &Source, checked: &Checked) -> Told {
        let problems = checked.diagnostics.iter().map(|problem| told::diagnostic(problem, &self.files));
        let message = checked.message.clone().unwrap_or_else(|| {
            checked.diagnostics.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("\n")
        });
        let data = json!({
            "msg": message,
            "diagnostics": problems.collect::<Vec<_>>(),
            "node_info": ended_info(source, checked),
        });
        Told::new(EventName::RESULT_ERROR, LogLevel::Error, tame(&message), data)
    }
}

fn name(source: &Source) -> String {
    format!("{}.{}", source.source_name, source.name)
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Warn => "WARN",
        Verdict::Error => "ERROR STALE",
        Verdict::RuntimeError => "ERROR",
    }
}

fn level(checked: &Checked) -> LogLevel {
    match checked.verdict {
        Verdict::Pass => LogLevel::Info,
        Verdict::Warn => LogLevel::Warn,
        Verdict::Error | Verdict::RuntimeError => LogLevel::Error,
    }
}

fn ended_info(source: &Source, checked: &Checked) -> Json {
    info(source, checked.verdict.name(), Some(checked.started), Some(checked.started + checked.elapsed))
}

/// dbt's `node_info` of a source.
fn info(source: &Source, status: &str, started: Option<SystemTime>, finished: Option<SystemTime>) -> Json {
    let time = |time: Option<SystemTime>| {
        time.map(|time| timestamp(DateTime::<Utc>::from(time)).trim_end_matches('Z').to_string()).unwrap_or_default()
    };
    json!({
        "node_path": source.path,
        "node_name": source.name,
        "unique_id": source.id,
        "resource_type": "source",
        "materialized": "",
        "node_status": status,
        "node_started_at": time(started),
        "node_finished_at": time(finished),
        "meta": source.config.get("meta").cloned().unwrap_or_else(|| json!({})),
        "node_relation": {
            "database": source.relation.database,
            "schema": source.relation.schema,
            "alias": source.relation.identifier,
            "relation_name": source.relation.render(),
        },
        "node_checksum": "",
    })
}
