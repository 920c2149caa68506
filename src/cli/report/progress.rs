//! Turns a running run into lines that stand at the end of a terminal: what each worker does, and how far it is.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::report::problem::plural;

/// The lines of one run.
pub struct Progress {
    screen: MultiProgress,
    bar: ProgressBar,
    /// By the node's unique id.
    running: BTreeMap<String, ProgressBar>,
    failed: usize,
}

/// How often times are drawn again.
const TICK: Duration = Duration::from_millis(200);

impl Progress {
    pub fn start(screen: &MultiProgress, total: usize) -> Progress {
        let bar = screen.add(ProgressBar::new(total as u64));
        bar.set_style(style("[{bar:30}] {pos}/{len} {elapsed} {msg}").progress_chars("=> "));
        bar.enable_steady_tick(TICK);
        Progress { screen: screen.clone(), bar, running: BTreeMap::new(), failed: 0 }
    }

    pub fn node_started(&mut self, id: &str, text: String) {
        let line = self.screen.insert_before(&self.bar, ProgressBar::new_spinner());
        line.set_style(style("{spinner} {wide_msg} {elapsed}"));
        line.set_message(text);
        line.enable_steady_tick(TICK);
        self.running.insert(id.to_string(), line);
    }

    pub fn node_ended(&mut self, id: &str, failed: bool) {
        if let Some(line) = self.running.remove(id) {
            line.finish_and_clear();
            self.screen.remove(&line);
        }
        if failed {
            self.failed += 1;
            self.bar.set_message(plural(self.failed, "failure"));
        }
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.running.values().chain([&self.bar]).for_each(ProgressBar::finish_and_clear);
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are right")
}
