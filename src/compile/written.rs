//! From a place in SQL that a macro has written, back to the words of the macro.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::compile::CompiledNode;
use crate::compile::session::Session;
use crate::files::Span;
use crate::jinja::MacroInfo;
use crate::manifest::Node;
use crate::manifest::builtin::INTERNAL_PACKAGE;

/// A place in a macro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub span: Span,
    /// Whether the macro is one of the project, which the user can mend.
    pub is_own: bool,
}

/// The words of a macro that the word at a byte of a compiled query is, or has a part of. None where the template has
/// written it, or where it is what the macro was given.
pub fn written_by_macro(session: &Session, node: &Node, compiled: &CompiledNode, at: usize) -> Option<Written> {
    let piece = compiled.piece(at)?;
    let word = word_around(&compiled.sql, at, &piece);
    let (text, word) = (&compiled.sql[piece.clone()], word.start - piece.start..word.end - piece.start);
    let found = reach(session, node).into_iter().flat_map(|info| {
        let parts = info.literal_parts().into_iter();
        let found: Vec<_> = parts.filter_map(|part| Some((info, overlap(info, part, text, &word)?))).collect();
        found
    });
    // The longest text that fits is the likeliest to be the one.
    let (info, (_, range)) = found.reduce(|best, next| if next.1.0 > best.1.0 { next } else { best })?;
    let start = info.span.range().start;
    let span = Span::new(info.file, start + range.start..start + range.end);
    Some(Written { span, is_own: info.package == session.project.root().name })
}

/// The name or number that a byte is in; else that byte alone.
fn word_around(sql: &str, at: usize, within: &Range<usize>) -> Range<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let before = sql[within.start..at].trim_end_matches(is_part).len();
    let after = sql[at..within.end].find(|c| !is_part(c)).map_or(within.end, |length| at + length);
    let start = within.start + before;
    start..after.max(at + sql[at..].chars().next().map_or(0, char::len_utf8)).min(within.end)
}

/// The macros that a node calls, and those that they call, without medal's own.
fn reach<'a>(session: &'a Session, node: &Node) -> Vec<&'a MacroInfo> {
    let library = &session.manifest.library;
    let is_called = |info: &&MacroInfo| node.depends_on_macros.contains(&info.unique_id);
    let mut open: Vec<&MacroInfo> = library.macros().iter().filter(is_called).collect();
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(info) = open.pop() {
        if info.package != INTERNAL_PACKAGE && seen.insert(info.unique_id.as_str()) {
            found.push(info);
            open.extend(library.resolve_calls(&info.package, info.calls.iter().map(String::as_str)));
        }
    }
    found
}

/// Where a part of a macro stands for the word: how long the part is, and the range of the macro's text.
fn overlap(info: &MacroInfo, part: Range<usize>, text: &str, word: &Range<usize>) -> Option<(usize, Range<usize>)> {
    let whole = &info.text[part.clone()];
    let own = whole.trim();
    let start = part.start + whole.len() - whole.trim_start().len();
    // Signs alone may come from anywhere.
    if !own.contains(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let fits = |at: usize| {
        let range = at.max(word.start)..(at + own.len()).min(word.end);
        // A letter or two within a word may be anything.
        let is_told = at <= word.start || at + own.len() >= word.end || own.len() > 2;
        (!range.is_empty() && is_told).then(|| start + range.start - at..start + range.end - at)
    };
    text.match_indices(own).find_map(|(at, _)| fits(at)).map(|range| (own.len(), range))
}
