//! Turns a text and a list of edits into a new text, and places in it back into places of the old one.

use std::borrow::Cow;
use std::ops::Range;

/// Where an insertion stands if several meet in one place: what ends comes before what begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Close,
    Open,
    Replace,
}

#[derive(Debug)]
struct Edit {
    at: usize,
    rank: Rank,
    delete: usize,
    insert: Cow<'static, str>,
}

/// Edits of one text, in any order.
#[derive(Debug, Default)]
pub struct Edits {
    list: Vec<Edit>,
}

impl Edits {
    /// Puts text around an expression. Of two that begin at the same place, the later one encloses the earlier.
    pub fn wrap(&mut self, range: Range<usize>, before: impl Into<Cow<'static, str>>, after: &'static str) {
        self.list.push(Edit { at: range.start, rank: Rank::Open, delete: 0, insert: before.into() });
        self.list.push(Edit { at: range.end, rank: Rank::Close, delete: 0, insert: after.into() });
    }

    pub fn replace(&mut self, range: Range<usize>, text: impl Into<Cow<'static, str>>) {
        self.list.push(Edit { at: range.start, rank: Rank::Replace, delete: range.len(), insert: text.into() });
    }

    pub fn insert(&mut self, at: usize, text: impl Into<Cow<'static, str>>) {
        self.replace(at..at, text);
    }

    /// The edited text of a range, after a prelude that belongs to no place.
    pub fn apply(mut self, prelude: &str, source: &str, range: Range<usize>) -> (String, EditMap) {
        // Opening parts were pushed from the inside out, and must come out from the outside in.
        let mut order: Vec<(usize, Rank, isize, usize)> = Vec::with_capacity(self.list.len());
        for (index, edit) in self.list.iter().enumerate() {
            let sequence = if edit.rank == Rank::Open { -(index as isize) } else { index as isize };
            order.push((edit.at, edit.rank, sequence, index));
        }
        order.sort_unstable();
        let mut out = String::with_capacity(prelude.len() + range.len() + self.list.len() * 8);
        out.push_str(prelude);
        let mut map = EditMap { points: vec![(out.len(), range.start)], prelude: prelude.len() };
        let mut at = range.start;
        for (_, _, _, index) in order {
            let edit = &mut self.list[index];
            if edit.at < at || edit.at > range.end {
                continue;
            }
            out.push_str(&source[at..edit.at]);
            map.points.push((out.len(), edit.at));
            out.push_str(&edit.insert);
            at = edit.at + edit.delete;
            map.points.push((out.len(), at));
        }
        out.push_str(&source[at..range.end]);
        (out, map)
    }
}

/// From offsets of an edited text to offsets of its source.
#[derive(Debug, Clone, Default)]
pub struct EditMap {
    points: Vec<(usize, usize)>,
    prelude: usize,
}

impl EditMap {
    pub fn shrink_to_fit(&mut self) {
        self.points.shrink_to_fit();
    }

    /// The range of the source that became a range of the edited text; `None` within the prelude.
    pub fn source(&self, range: Range<usize>) -> Option<Range<usize>> {
        if range.start < self.prelude {
            return None;
        }
        let start = self.offset(range.start);
        Some(start..self.offset(range.end).max(start))
    }

    fn offset(&self, out: usize) -> usize {
        let next = self.points.partition_point(|(at, _)| *at <= out);
        let (at, source) = self.points[next.saturating_sub(1)];
        let offset = source + out.saturating_sub(at);
        self.points.get(next).map_or(offset, |(_, limit)| offset.min(*limit))
    }
}
