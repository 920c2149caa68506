//! Turns diagnostics, the events of a run, rows and explanations into what the user sees. The only file, with those
//! below it, that renders: data goes to stdout, everything else to stderr; a JSON log goes to stdout.

pub mod excerpt;
pub mod explain;
pub mod freshness;
pub mod findings;
pub mod impact;
pub mod lineage;
pub mod live;
pub mod logfile;
pub mod node;
pub mod paint;
pub mod problem;
pub mod progress;
pub mod screen;
pub mod summary;
pub mod table;
pub mod told;

use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use crate::map::IndexMap;
use chrono::{Local, Utc};
use serde_json::{Value as Json, json};

use crate::adapter::rows::Rows;
use crate::cli::arguments::global::LogLevel;
use crate::cli::report::logfile::{LogFile, LogOptions};
use crate::cli::report::paint::Paint;
use crate::cli::report::problem::{count, render};
use crate::cli::report::progress::Progress;
use crate::cli::report::screen::{Screen, Stream, tame};
use crate::cli::report::told::{EventName, Told, map_texts, timestamp};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::ProjectFiles;
use crate::manifest::{Manifest, Node};
use crate::project::Project;

/// How many warnings that say the same are shown, before they are only counted.
const SHOWN_ALIKE: usize = 3;

/// The form of everything that is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    #[default]
    Text,
    /// One object a line, in the form of dbt's structured log.
    Json,
}

/// How to report.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    pub format: Format,
    pub colors: bool,
    /// Tell only errors.
    pub quiet: bool,
    /// Tell everything.
    pub debug: bool,
    /// The least important thing to tell, if neither of them is set.
    pub level: LogLevel,
    /// Whether stderr is a terminal, on which lines can be drawn again.
    pub progress: bool,
    /// Whether to show what templates print.
    pub print: bool,
    /// The UUID of this call of medal.
    pub invocation: String,
    /// Where results go, if the user says so.
    pub target_path: Option<String>,
    /// The file that everything is written into, besides.
    pub log: Option<LogOptions>,
}

impl Default for ReportOptions {
    fn default() -> ReportOptions {
        ReportOptions {
            format: Format::Text,
            colors: false,
            quiet: false,
            debug: false,
            level: LogLevel::Info,
            progress: false,
            print: true,
            invocation: String::new(),
            target_path: None,
            log: None,
        }
    }
}

impl ReportOptions {
    fn level(&self) -> LogLevel {
        match self {
            ReportOptions { quiet: true, .. } => self.level.max(LogLevel::Error),
            ReportOptions { debug: true, .. } => LogLevel::Debug,
            _ => self.level,
        }
    }
}

/// The one mouth of the program. Used from several workers.
pub struct Reporter {
    options: ReportOptions,
    level: LogLevel,
    files: Arc<ProjectFiles>,
    screen: Screen,
    log: Option<LogFile>,
    project: RwLock<ProjectPlace>,
    progress: Mutex<Option<Progress>>,
}

/// What is known of the project once it is read.
struct ProjectPlace {
    target_name: String,
    target_path: String,
}

impl Reporter {
    /// `secrets` are values that must not be in any output.
    pub fn new(options: ReportOptions, secrets: Vec<String>, files: Arc<ProjectFiles>) -> Reporter {
        let progress = options.progress && options.format == Format::Text && options.level() <= LogLevel::Info;
        Reporter::on(Screen::standard(progress), options, secrets, files)
    }

    fn on(screen: Screen, options: ReportOptions, secrets: Vec<String>, files: Arc<ProjectFiles>) -> Reporter {
        screen.add_secrets(secrets);
        let target_path = options.target_path.clone().unwrap_or_else(|| "target".to_string());
        let project = RwLock::new(ProjectPlace { target_name: String::new(), target_path });
        let log = options.log.clone().map(|log| LogFile::new(log, &options.invocation));
        Reporter { level: options.level(), options, files, screen, log, project, progress: Mutex::default() }
    }

    /// Values to hide from now on, for instance the password of a profile.
    pub fn add_secrets(&self, secrets: impl IntoIterator<Item = String>) {
        self.screen.add_secrets(secrets);
    }

    pub fn paint(&self) -> Paint {
        Paint { colors: self.options.colors && !self.is_json() }
    }

    pub fn version(&self) {
        let version = env!("CARGO_PKG_VERSION");
        let data = json!({"version": format!("={version}"), "log_version": 3});
        self.tell(Told::info(EventName::VERSION, format!("Running with medal={version}"), data));
    }

    /// The project is read: `Found 5 models, 1 seed`.
    pub fn found(&self, manifest: &Manifest, project: &Project) {
        *self.project.write().expect("nobody panics while holding the lock") = ProjectPlace {
            target_name: project.target.name.clone(),
            target_path: self
                .options
                .target_path
                .clone()
                .unwrap_or_else(|| project.root().settings.target_path.clone()),
        };
        let counts = summary::counts(manifest);
        self.tell(Told::info(EventName::FOUND, format!("Found {counts}"), json!({"stat_line": counts})));
    }

    pub fn note(&self, text: &str) {
        self.tell(Told::info(EventName::NOTE, tame(text), json!({"msg": text})));
    }

    /// A mistake that has no place in a file.
    pub fn error(&self, code: Code, message: &str, help: Option<&str>) {
        let problem = Diagnostic::error(code, None, message);
        self.diagnostic(&Diagnostic { help: help.map(str::to_string), ..problem });
    }

    /// The command is over. Told to orchestrators, and to people who want to know everything.
    pub fn completed(&self, command: &str, success: bool, elapsed: Duration) {
        let (now, seconds) = (timestamp(Utc::now()), elapsed.as_secs_f64());
        let word = if success { "succeeded" } else { "failed" };
        let text = format!("Command `medal {command}` {word} after {seconds:.2} seconds");
        let data =
            json!({"command": format!("medal {command}"), "success": success, "completed_at": now, "elapsed": seconds});
        self.tell(Told::new(EventName::COMMAND_COMPLETED, LogLevel::Debug, text, data));
    }

    /// Data that was asked for, to stdout as it is.
    pub fn data(&self, text: &str) {
        self.screen.line(Stream::Out, text);
    }

    /// Rows or SQL of a node (`None`: of an inline query), to stdout: as text, or as an event of the JSON log, which
    /// has `content` by itself.
    pub fn preview(&self, name: EventName, node: Option<&Node>, text: &str, content: &str) {
        if !self.is_json() {
            return self.data(text);
        }
        let key = if name == EventName::COMPILED_NODE { "compiled" } else { "preview" };
        let data = json!({
            key: content,
            "is_inline": node.is_none(),
            "node_name": node.map_or("inline_query", |node| &node.name),
            "unique_id": node.map(|node| &node.id),
        });
        self.write(Told::info(name, text, data));
    }

    /// A query that was sent for a node.
    pub fn query(&self, node: &str, sql: &str) {
        let data = json!({"conn_name": node, "sql": sql, "node_info": {"unique_id": node}});
        self.tell(Told::new(EventName::SQL_QUERY, LogLevel::Debug, format!("On {node}: {sql}"), data));
    }

    /// Shows diagnostics, then how many there are: `3 errors, 1 warning`.
    pub fn diagnostics<'a>(&self, diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
        let (mut errors, mut warnings) = (0, 0);
        let mut alike: IndexMap<(&str, &str), usize> = IndexMap::default();
        for diagnostic in diagnostics {
            *if diagnostic.severity == Severity::Error { &mut errors } else { &mut warnings } += 1;
            let seen = alike.entry((diagnostic.code.name(), diagnostic.message.as_str())).or_default();
            *seen += 1;
            let is_repeated = *seen > SHOWN_ALIKE && diagnostic.severity == Severity::Warning;
            if is_repeated && !self.is_json() && self.level > LogLevel::Debug {
                continue;
            }
            if self.diagnostic(diagnostic) && !self.is_json() {
                self.screen.line(Stream::Err, "");
            }
        }
        self.left_out(&alike);
        let level = if errors > 0 { LogLevel::Error } else { LogLevel::Warn };
        if errors + warnings > 0 && !self.is_json() && level >= self.level {
            self.screen.line(Stream::Err, &count(errors, warnings));
        }
    }

    /// Counts the warnings of which only the first were shown.
    fn left_out(&self, alike: &IndexMap<(&str, &str), usize>) {
        if self.is_json() || self.level > LogLevel::Warn || self.level <= LogLevel::Debug {
            return;
        }
        for ((code, message), count) in alike.iter().filter(|(_, count)| **count > SHOWN_ALIKE) {
            let more = count - SHOWN_ALIKE;
            let line = format!("warning[{code}]: {message}: {more} more places (`--log-level debug` shows them)\n");
            self.screen.line(Stream::Err, &line);
        }
    }

    /// Shows a diagnostic if it is important enough; whether it was.
    pub fn diagnostic(&self, diagnostic: &Diagnostic) -> bool {
        let level = match diagnostic.severity {
            Severity::Error => LogLevel::Error,
            Severity::Warning => LogLevel::Warn,
        };
        let text = render(diagnostic, &self.files, &self.screen, self.paint().colors);
        let name = EventName("Diagnostic", diagnostic.code.name());
        let told = Told::new(name, level, text, told::diagnostic(diagnostic, &self.files));
        if let Some(log) = &self.log {
            log.write(&told, &self.screen);
        }
        if level < self.level {
            return false;
        }
        match self.is_json() {
            true => self.write(told),
            false => self.screen.line(Stream::Err, &told.text),
        }
        true
    }

    /// Tells something if it is important enough.
    pub fn tell(&self, told: Told) {
        if let Some(log) = &self.log {
            log.write(&told, &self.screen);
        }
        if told.level >= self.level {
            self.write(told);
        }
    }

    fn write(&self, told: Told) {
        if self.is_json() {
            let redacted = map_texts(told.json(&self.options.invocation, Utc::now()), &|text| self.screen.redact(text));
            self.screen.line(Stream::Out, &redacted.to_string());
        } else if self.screen.progress.is_some() {
            self.screen.line(Stream::Err, &told.text);
        } else {
            let line = format!("{}  {}", Local::now().format("%H:%M:%S"), told.text);
            self.screen.line(Stream::Err, line.trim_end());
        }
    }

    fn is_json(&self) -> bool {
        self.options.format == Format::Json
    }
}

/// Rows as a table for people.
pub fn table(rows: &Rows) -> String {
    table::table(rows, screen::width_of_stdout())
}

/// Rows as a list of objects.
pub fn json_rows(rows: &Rows) -> Json {
    table::json(rows)
}

/// The text of `medal explain CODE`.
pub fn explain(code: Code) -> String {
    explain::explain(code, Paint { colors: false })
}

/// The text of `medal explain`: every code with one sentence.
pub fn explain_all() -> String {
    explain::list(Paint { colors: false })
}

#[cfg(test)]
mod tests;
