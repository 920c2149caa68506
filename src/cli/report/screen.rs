//! Turns finished text into bytes on stdout and stderr, with every secret replaced. All output passes here.

use std::io::{self, Write};
use std::sync::{Mutex, RwLock};

use indicatif::MultiProgress;

use crate::artifact::write::hide;

/// The two streams, what must never be written to them, and the progress lines that stand below the text.
pub struct Screen {
    out: Mutex<Box<dyn Write + Send>>,
    err: Mutex<Box<dyn Write + Send>>,
    secrets: RwLock<Vec<String>>,
    /// Moved out of the way while text is written.
    pub progress: Option<MultiProgress>,
}

/// Where a text goes: data to stdout, what is told about it to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// How many letters a line of stdout has room for; what reads a pipe or a file has room for all.
pub fn width_of_stdout() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(usize::MAX, |(width, _)| usize::from(width.0))
}

impl Screen {
    pub fn new(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, progress: Option<MultiProgress>) -> Screen {
        Screen { out: Mutex::new(out), err: Mutex::new(err), secrets: RwLock::default(), progress }
    }

    pub fn standard(progress: bool) -> Screen {
        Screen::new(Box::new(io::stdout()), Box::new(io::stderr()), progress.then(MultiProgress::new))
    }

    /// Values to replace from now on. The lines of a value count too, since text is indented line by line.
    pub fn add_secrets(&self, secrets: impl IntoIterator<Item = String>) {
        let mut known = self.secrets.write().expect("nobody panics while holding the lock");
        for secret in secrets {
            let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
            known.extend(lines.filter(|line| *line != secret).map(str::to_string));
            known.push(secret);
        }
    }

    /// The text without secrets.
    pub fn redact(&self, text: &str) -> String {
        hide(text, &self.secrets.read().expect("nobody panics while holding the lock")).into_owned()
    }

    /// The text with each secret's letters replaced by as many bytes, so that places in it stay where they are.
    pub fn mask(&self, text: &str) -> String {
        let secrets = self.secrets.read().expect("nobody panics while holding the lock");
        let mut masked = text.to_string();
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            masked = masked.replace(secret.as_str(), &"*".repeat(secret.len()));
        }
        masked
    }

    /// Writes a text and a line end. A reader that has gone away is no error.
    pub fn line(&self, stream: Stream, text: &str) {
        let text = self.redact(text);
        let write = || {
            let stream = if stream == Stream::Out { &self.out } else { &self.err };
            let mut stream = stream.lock().expect("nobody panics while holding the lock");
            let _ = writeln!(stream, "{text}").and_then(|()| stream.flush());
        };
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }
}

/// A line of a secret with fewer letters says nothing, but would hide much.
const SHORTEST_LINE: usize = 6;

/// Text from outside (names, log messages, an engine's errors) without the control characters that move the cursor.
pub fn tame(text: &str) -> String {
    let tamed = |letter: char| match letter {
        '\n' | '\t' => letter,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        _ if letter.is_control() => char::REPLACEMENT_CHARACTER,
        _ => letter,
    };
    text.chars().map(tamed).collect()
}
