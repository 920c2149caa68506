//! Turns places of a diagnostic into Excerpts: the lines to show, with marks that fit them.

use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::files::{FileId, ProjectFiles, SourceFile, Span};
use crate::project::secrets;

/// Lines of one file with marks on them.
pub struct Excerpt {
    pub path: String,
    /// Number of the first line of `text`.
    pub first_line: usize,
    pub text: String,
    pub marks: Vec<Mark>,
    file: FileId,
    /// Where `text` stands in the file.
    whole: Range<usize>,
}

/// A range of an excerpt's text.
pub struct Mark {
    pub range: Range<usize>,
    pub label: String,
    pub primary: bool,
}

/// A mark that goes over more lines is shown on its first line only.
const MOST_LINES: usize = 6;
/// Places of one file that are this many lines apart share an excerpt.
const NEAR: usize = 8;

/// The excerpts of a diagnostic: its own place first.
pub fn excerpts(diagnostic: &Diagnostic, files: &ProjectFiles) -> Vec<Excerpt> {
    let mut excerpts: Vec<Excerpt> = Vec::new();
    let own = diagnostic.span.map(|span| (span, diagnostic.label.as_str(), true));
    let related = diagnostic.related.iter().map(|related| (related.span, related.label.as_str(), false));
    for (span, label, primary) in own.into_iter().chain(related) {
        let file = files.get(span.file);
        let excerpt = excerpt(&file, span, label, primary);
        match excerpts.iter_mut().find(|other| other.is_near(&excerpt)) {
            Some(other) => other.join(excerpt, &file.text),
            None => excerpts.push(excerpt),
        }
    }
    excerpts
}

fn excerpt(file: &SourceFile, span: Span, label: &str, primary: bool) -> Excerpt {
    let text = &*file.text;
    let mut mark = fit(text, span.range());
    let mut lines = lines_around(text, &mark);
    if text[lines.clone()].matches('\n').count() >= MOST_LINES {
        lines = lines_around(text, &(mark.start..mark.start));
        mark.end = lines.end;
    }
    let (first_line, _) = file.line_column(lines.start);
    Excerpt {
        path: file.path.to_string(),
        first_line,
        text: text[lines.clone()].to_string(),
        marks: vec![Mark {
            range: mark.start - lines.start..mark.end - lines.start,
            label: label.to_string(),
            primary,
        }],
        file: span.file,
        whole: lines,
    }
}

/// A range that lies in the text and between letters.
fn fit(text: &str, range: Range<usize>) -> Range<usize> {
    let start = floor(text, range.start);
    let end = ceil(text, range.end.max(start));
    start..end
}

fn floor(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (0..=offset).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn ceil(text: &str, offset: usize) -> usize {
    let offset = offset.min(text.len());
    (offset..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

/// The whole lines that a range touches, without the last line end. A range that ends behind a line end does not
/// touch the line after it.
fn lines_around(text: &str, range: &Range<usize>) -> Range<usize> {
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let last = if range.end > range.start && text[..range.end].ends_with('\n') { range.end - 1 } else { range.end };
    let end = text[last..].find('\n').map_or(text.len(), |at| last + at);
    start..end.max(range.start)
}

/// Files that hold secrets as they are.
const SECRET_FILES: [&str; 3] = ["profiles.yml", "medal.yml", "packages.yml"];

impl Excerpt {
    /// The lines, without the secrets that are written in them.
    pub fn shown(&self) -> String {
        let is_secret = SECRET_FILES.iter().any(|name| self.path.ends_with(name));
        if is_secret { secrets::masked(&self.text) } else { self.text.clone() }
    }

    fn is_near(&self, other: &Excerpt) -> bool {
        self.file == other.file && self.first_line.abs_diff(other.first_line) <= NEAR
    }

    /// Takes in the marks of another excerpt of the same file.
    fn join(&mut self, other: Excerpt, text: &str) {
        let (mine, its) = (self.whole.clone(), other.whole);
        let whole = mine.start.min(its.start)..mine.end.max(its.end);
        let shift = |mark: Mark, by: usize| Mark { range: mark.range.start + by..mark.range.end + by, ..mark };
        let mut marks: Vec<Mark> = self.marks.drain(..).map(|mark| shift(mark, mine.start - whole.start)).collect();
        marks.extend(other.marks.into_iter().map(|mark| shift(mark, its.start - whole.start)));
        self.marks = marks;
        self.first_line = self.first_line.min(other.first_line);
        self.text = text[whole.clone()].to_string();
        self.whole = whole;
    }
}
