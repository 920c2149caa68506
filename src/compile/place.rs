//! From a place in SQL that the engine complains of, back to the place in the user's file.

use crate::adapter::{AdapterError, SqlPosition};
use crate::compile::{CompiledNode, Inlined};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::manifest::Node;

impl CompiledNode {
    /// The place in the template that a byte of `sql` came from.
    pub fn place(&self, offset: usize) -> Option<Span> {
        let offset = match self.inlined {
            Some(Inlined { at, length }) if offset >= at + length => offset - length,
            Some(Inlined { at, .. }) if offset >= at => return None,
            _ => offset,
        };
        let after = self.map.segments.partition_point(|(start, ..)| *start as usize <= offset);
        let (start, span, verbatim) = self.map.segments.get(after.checked_sub(1)?)?;
        if !verbatim {
            return Some(*span);
        }
        let at = (span.start + (offset as u32 - start)).min(span.end);
        Some(Span { start: at, end: at, ..*span })
    }

    /// The place of a line and column, both from 1, of `sql`.
    pub fn place_of(&self, line: usize, column: usize) -> Option<Span> {
        self.place(offset_of(&self.sql, SqlPosition { line, column })?)
    }
}

/// The byte of a line and column of a text.
fn offset_of(text: &str, at: SqlPosition) -> Option<usize> {
    let line_start: usize = text.split_inclusive('\n').take(at.line - 1).map(str::len).sum();
    let line = text.get(line_start..)?;
    let column = line.char_indices().nth(at.column - 1).map_or(line.len(), |(byte, _)| byte);
    Some(line_start + column)
}

/// The engine's complaint about a statement of a node, at the place in the node's own file.
pub fn sql_problem(node: &Node, compiled: Option<&CompiledNode>, error: &AdapterError, sent: &str) -> Diagnostic {
    let place = match (error, compiled) {
        (AdapterError::Sql { at: Some(at), .. }, Some(compiled)) => place_in(compiled, sent, *at),
        _ => None,
    };
    let fallback = match &node.kind {
        crate::manifest::Kind::GenericTest(test) => Some(test.span),
        _ => node.template.as_ref().map(|_| Span::start_of(node.file)),
    };
    let in_own_text = place.is_some();
    let span = match node.generic_test() {
        Some(_) => fallback,
        None => place.map(widen_to_word(node)).or(fallback),
    };
    let problem = Diagnostic::error(Code::SqlError, span, error.to_string());
    if in_own_text { problem.label("the engine stops here") } else { problem }
}

fn place_in(compiled: &CompiledNode, sent: &str, at: SqlPosition) -> Option<Span> {
    let offset = offset_of(sent, at)?;
    let own = compiled.sql.trim();
    let start = sent.find(own)?;
    if !(start..=start + own.len()).contains(&offset) {
        return None;
    }
    let leading = compiled.sql.len() - compiled.sql.trim_start().len();
    compiled.place(offset - start + leading)
}

/// A caret under a whole word reads better than one under its first letter.
fn widen_to_word(node: &Node) -> impl Fn(Span) -> Span {
    let template = node.template.clone();
    move |span| {
        let Some(text) = template.as_ref().map(|template| template.file_text()) else { return span };
        let rest = text.get(span.start as usize..).unwrap_or_default();
        let length = rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
        Span { end: span.end.max(span.start + length as u32), ..span }
    }
}
