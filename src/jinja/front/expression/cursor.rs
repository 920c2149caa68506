//! Walks over the tokens of one tag: looks at the next, takes it, or says what was wanted there.

use std::ops::Range;

use crate::jinja::front::SyntaxError;
use crate::jinja::front::expression::Parser;
use crate::jinja::front::lexer::{Token, TokenKind};

impl<'a> Parser<'a> {
    pub fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).map(|token| &self.source[token.start..token.end])
    }

    pub(super) fn peek_kind(&self) -> Option<TokenKind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    /// Whether the next token is this operator or word.
    pub fn is(&self, text: &str) -> bool {
        self.peek() == Some(text) && self.peek_kind() != Some(TokenKind::Str)
    }

    pub(super) fn is_at(&self, ahead: usize, text: &str) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| &self.source[token.start..token.end] == text)
    }

    pub fn skip(&mut self, text: &str) -> bool {
        let found = self.is(text);
        self.at += usize::from(found);
        found
    }

    pub fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).copied();
        self.at += usize::from(token.is_some());
        token
    }

    pub fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The place of the next token, or of the end of the tag.
    pub fn here(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |token| token.start..token.end)
    }

    pub(super) fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(self.end, |token| token.end)
    }

    pub fn unexpected(&self, wanted: &str) -> SyntaxError {
        let message = match self.peek() {
            Some(text) => format!("expected {wanted}, found `{text}`"),
            None => format!("expected {wanted}, found the end of the tag"),
        };
        SyntaxError::new(self.here(), message)
    }

    pub fn expect(&mut self, text: &str) -> Result<(), SyntaxError> {
        if self.skip(text) { Ok(()) } else { Err(self.unexpected(&format!("`{text}`"))) }
    }

    pub fn name(&mut self, what: &str) -> Result<Range<usize>, SyntaxError> {
        match self.tokens.get(self.at) {
            Some(token) if token.kind == TokenKind::Name => {
                self.at += 1;
                Ok(token.start..token.end)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// Ends the tag; dbt's Jinja allows a colon there, minijinja does not.
    pub fn finish(&mut self) -> Result<(), SyntaxError> {
        if self.is(":") && self.at + 1 == self.tokens.len() {
            self.edits.replace(self.here(), "");
            self.at += 1;
        }
        if self.done() { Ok(()) } else { Err(self.unexpected("the end of the tag")) }
    }
}
