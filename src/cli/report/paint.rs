//! Turns words into coloured words, where colours are wanted.

use annotate_snippets::renderer::{AnsiColor, Effects, Style};

use crate::run::Status;

/// Whether to write colours.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    pub colors: bool,
}

impl Paint {
    pub fn good(self, text: &str) -> String {
        self.with(AnsiColor::Green.on_default(), text)
    }

    pub fn warning(self, text: &str) -> String {
        self.with(AnsiColor::Yellow.on_default(), text)
    }

    pub fn bad(self, text: &str) -> String {
        self.with(AnsiColor::Red.on_default(), text)
    }

    pub fn strong(self, text: &str) -> String {
        self.with(Style::new().effects(Effects::BOLD), text)
    }

    /// In the colour that belongs to a status.
    pub fn status(self, status: Status, text: &str) -> String {
        match status {
            Status::Success | Status::Pass | Status::NoOp => self.good(text),
            Status::Warn | Status::Skipped => self.warning(text),
            Status::Error | Status::Fail | Status::PartialSuccess => self.bad(text),
        }
    }

    fn with(self, style: Style, text: &str) -> String {
        if self.colors { format!("{style}{text}{style:#}") } else { text.to_string() }
    }
}
