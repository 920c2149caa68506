//! Turns everything that is told into lines of a log file, as dbt's `logs/dbt.log`.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use chrono::Utc;
use fancy_regex::Regex;

use crate::cli::arguments::global::LogLevel;
use crate::cli::report::Format;
use crate::cli::report::screen::Screen;
use crate::cli::report::told::{Told, map_texts};

/// Where to log, and what.
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub path: PathBuf,
    pub format: Format,
    /// The least important thing to log.
    pub level: LogLevel,
    /// A larger file is put aside, as `dbt.log.1`, when a command begins.
    pub max_bytes: u64,
}

/// A log file, made with the first line. A file that cannot be written is done without: it is no part of the work.
pub struct LogFile {
    options: LogOptions,
    invocation: String,
    file: Mutex<Option<Option<File>>>,
}

impl LogFile {
    pub fn new(options: LogOptions, invocation: &str) -> LogFile {
        LogFile { options, invocation: invocation.to_string(), file: Mutex::default() }
    }

    /// Logs what is important enough, without secrets and colours.
    pub fn write(&self, told: &Told, screen: &Screen) {
        if told.level < self.options.level || (self.options.format == Format::Text && told.text.is_empty()) {
            return;
        }
        let line = match self.options.format {
            Format::Json => {
                let json = told.clone().json(&self.invocation, Utc::now());
                map_texts(json, &|text| screen.redact(&plain(text))).to_string()
            }
            Format::Text => {
                let (time, level) = (Utc::now().format("%H:%M:%S%.6f"), told.level.name());
                let text = screen.redact(&plain(&told.text));
                format!("{time} [{level:<5}] [{}]: {text}", told.thread())
            }
        };
        let mut file = self.file.lock().expect("nobody panics while holding the lock");
        if let Some(file) = file.get_or_insert_with(|| self.open()) {
            let _ = writeln!(file, "{line}");
        }
    }

    fn open(&self) -> Option<File> {
        let LogOptions { path, format, max_bytes, .. } = &self.options;
        std::fs::create_dir_all(path.parent()?).ok()?;
        if path.metadata().is_ok_and(|found| found.len() > *max_bytes) {
            let _ = std::fs::rename(path, path.with_extension("log.1"));
        }
        let mut file = OpenOptions::new().create(true).append(true).open(path).ok()?;
        if *format == Format::Text {
            let bar = "=".repeat(30);
            let _ = writeln!(file, "\n\n{bar} {} | {} {bar}", Utc::now().format("%H:%M:%S%.6f"), self.invocation);
        }
        Some(file)
    }
}

/// A text without the codes that colour it.
fn plain(text: &str) -> String {
    static COLOUR: LazyLock<Regex> = LazyLock::new(|| Regex::new("\x1b\\[[0-9;]*m").expect("the pattern is valid"));
    if text.contains('\x1b') { COLOUR.replace_all(text, "").into_owned() } else { text.to_string() }
}
