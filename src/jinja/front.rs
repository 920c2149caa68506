//! Turns dbt's Jinja into the Jinja that minijinja understands, and says what a template refers to.
//!
//! minijinja lacks a few things that dbt's Jinja has: lists that can be changed, `%` on texts, `-` on dates, typed
//! parameters … The front-end finds the exact place of each such expression and edits the text, and remembers where
//! every edit was, so that errors point into the user's file.

pub mod blocks;
pub mod edits;
pub mod expression;
pub mod lexer;
pub mod statement;

use std::ops::Range;

/// A mistake in the grammar of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    pub range: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

impl SyntaxError {
    pub fn new(range: Range<usize>, message: impl Into<String>) -> SyntaxError {
        SyntaxError { range, message: message.into(), help: None }
    }

    pub fn help(mut self, help: impl Into<String>) -> SyntaxError {
        self.help = Some(help.into());
        self
    }
}
