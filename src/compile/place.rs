//! From a place in SQL that the engine complains of, back to the place in the user's file.

use std::ops::Range;

use crate::adapter::{AdapterError, SqlPosition};
use crate::compile::session::Session;
use crate::compile::{CompiledNode, Inlined};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::jinja::SourceMap;
use crate::manifest::unit_tests::UnitTest;
use crate::manifest::{Node, refable};
use crate::sql::Location;

impl From<Location> for SqlPosition {
    fn from(Location { line, column }: Location) -> SqlPosition {
        SqlPosition { line, column }
    }
}

impl CompiledNode {
    /// The place in the template that a byte of `sql` came from.
    pub fn place(&self, offset: usize) -> Option<Span> {
        place_of_byte(&self.map, self.before_inlining(offset)?)
    }

    fn before_inlining(&self, offset: usize) -> Option<usize> {
        match self.inlined {
            Some(Inlined { at, length }) if offset >= at + length => Some(offset - length),
            Some(Inlined { at, .. }) if offset >= at => None,
            _ => Some(offset),
        }
    }

    /// The range of `sql` around a byte that one expression of the template has put out; none in the template's own text.
    pub fn piece(&self, offset: usize) -> Option<Range<usize>> {
        let own = self.before_inlining(offset)?;
        let shift = offset - own;
        let after = self.map.segments.partition_point(|(start, ..)| *start as usize <= own);
        let (start, _, is_verbatim) = self.map.segments.get(after.checked_sub(1)?)?;
        let end = self.map.segments.get(after).map_or(self.sql.len(), |(end, ..)| *end as usize + shift);
        let piece = *start as usize + shift..end.min(self.sql.len());
        (!is_verbatim && self.sql.get(piece.clone()).is_some()).then_some(piece)
    }

    /// The place of a line and column, both from 1, of `sql`.
    pub fn place_of(&self, line: usize, column: usize) -> Option<Span> {
        self.place(offset_of(&self.sql, SqlPosition { line, column })?)
    }
}

/// The place in the user's files that a byte of a compiled query came from, ephemeral models included: a whole word.
pub fn source_of(session: &Session, compiled: &CompiledNode, offset: usize) -> Option<Span> {
    let place = compiled.place(offset).or_else(|| place_in_ephemeral(session, compiled, offset));
    place.map(|span| widen_to_word(session, span))
}

/// The same for a line and column, both from 1.
pub fn source_at(session: &Session, compiled: &CompiledNode, at: Location) -> Option<Span> {
    source_of(session, compiled, offset_of(&compiled.sql, at.into())?)
}

/// The byte of a line and column of a text.
pub fn offset_of(text: &str, at: SqlPosition) -> Option<usize> {
    let line_start: usize = text.split_inclusive('\n').take(at.line - 1).map(str::len).sum();
    let line = text.get(line_start..)?;
    let column = line.char_indices().nth(at.column - 1).map_or(line.len(), |(byte, _)| byte);
    Some(line_start + column)
}

/// The engine's complaint about a statement of a node, at the place in the node's own file.
pub fn sql_problem(
    session: &Session,
    node: &Node,
    compiled: Option<&CompiledNode>,
    error: &AdapterError,
    sent: &str,
) -> Diagnostic {
    let place = match (error, compiled) {
        (AdapterError::Sql { at: Some(at), .. }, Some(compiled)) => place_in(session, compiled, sent, *at),
        _ => None,
    };
    let fallback = match &node.kind {
        crate::manifest::Kind::GenericTest(test) => Some(test.span),
        crate::manifest::Kind::UnitTest(test) => Some(place_in_rows(test, compiled, error, sent)),
        _ => node.template.as_ref().and_then(|_| refable::place(node)),
    };
    // The query of a snapshot in YAML is written nowhere.
    let place = place.filter(|span| !(node.is_yaml_snapshot() && span.file == node.file));
    let in_own_text = place.is_some();
    let span = match node.generic_test() {
        Some(_) => fallback,
        None => place.map(|span| widen_to_word(session, span)).or(fallback),
    };
    let problem = not_built(session, Diagnostic::error(Code::SqlError, span, error.to_string()));
    if node.generic_test().is_some() {
        problem.label("the query of this test")
    } else if in_own_text {
        problem.label("the engine stops here")
    } else {
        problem
    }
}

fn place_in(session: &Session, compiled: &CompiledNode, sent: &str, at: SqlPosition) -> Option<Span> {
    let offset = offset_of(sent, at)?;
    let own = compiled.sql.trim();
    let start = sent.find(own)?;
    if !(start..=start + own.len()).contains(&offset) {
        return None;
    }
    let leading = compiled.sql.len() - compiled.sql.trim_start().len();
    let offset = offset - start + leading;
    compiled.place(offset).or_else(|| place_in_ephemeral(session, compiled, offset))
}

/// The rows of a unit test that the engine complains of: those of an input, else those that are expected.
fn place_in_rows(test: &UnitTest, compiled: Option<&CompiledNode>, error: &AdapterError, sent: &str) -> Span {
    let (AdapterError::Sql { at: Some(at), .. }, Some(compiled)) = (error, compiled) else { return test.span };
    let Some(offset) = offset_of(sent, *at) else { return test.span };
    let of_input = compiled
        .ctes
        .iter()
        .find(|(_, text)| sent.find(text.as_str()).is_some_and(|start| (start..start + text.len()).contains(&offset)));
    let given = of_input.and_then(|(id, _)| test.given.iter().find(|given| given.bound.as_ref() == Some(id)));
    let end = sent.find(compiled.sql.trim()).map_or(sent.len(), |start| start + compiled.sql.trim().len());
    match given {
        Some(given) => given.fixture.span,
        None if offset >= end => test.expect.span,
        None => test.span,
    }
}

/// A place in the text of an ephemeral model that was put into the SQL: in that model's own file.
fn place_in_ephemeral(session: &Session, compiled: &CompiledNode, offset: usize) -> Option<Span> {
    let mut from = compiled.inlined?.at;
    for (id, text) in &compiled.ctes {
        let start = from + compiled.sql.get(from..)?.find(text.as_str())?;
        from = start + text.len();
        if (start..from).contains(&offset) {
            let own = text.find("(\n")? + 2;
            let map = &session.inlined(id)?.map;
            return place_of_byte(map, offset.checked_sub(start + own)?);
        }
    }
    None
}

/// The place in the template that a byte of what it rendered came from.
fn place_of_byte(map: &SourceMap, offset: usize) -> Option<Span> {
    let after = map.segments.partition_point(|(start, ..)| *start as usize <= offset);
    let (start, span, verbatim) = map.segments.get(after.checked_sub(1)?)?;
    if !verbatim {
        return Some(*span);
    }
    let at = (span.start + (offset as u32 - start)).min(span.end);
    Some(Span { start: at, end: at, ..*span })
}

/// A caret under a whole word reads better than one under its first letter.
fn widen_to_word(session: &Session, span: Span) -> Span {
    let text = session.files.get(span.file).text;
    let rest = text.get(span.start as usize..).unwrap_or_default();
    let length = rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
    Span { end: span.end.max(span.start + length as u32), ..span }
}

/// A relation that is missing because its node was never built: say so, instead of the engine's guess.
fn not_built(session: &Session, problem: Diagnostic) -> Diagnostic {
    let missing = |start: &str| problem.message.strip_prefix(start)?.split_once(" does not exist");
    let Some((name, _)) = missing("Catalog Error: Table with name ") else { return problem };
    let mut nodes = session.manifest.nodes.values();
    let built = nodes.find(|node| node.is_refable() && node.relation.identifier.as_deref() == Some(name));
    let Some(node) = built else { return problem };
    let message = problem.message.lines().next().unwrap_or_default().to_string();
    let help =
        format!("the {} `{}` is not built yet: `medal build --select {}`", node.resource_type(), node.name, node.name);
    Diagnostic { message, ..problem }.help(help)
}
