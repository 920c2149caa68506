//! Turns a Diagnostic into text in rustc's look.

use annotate_snippets::renderer::DEFAULT_TERM_WIDTH;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::cli::report::excerpt::{Excerpt, excerpts};
use crate::cli::report::screen::{Screen, tame};
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::ProjectFiles;

/// A diagnostic as it is shown, without a line end.
pub fn render(diagnostic: &Diagnostic, files: &ProjectFiles, screen: &Screen, colors: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = tame(&screen.redact(&diagnostic.message));
    let mut group = level.primary_title(message).id(diagnostic.code.name()).elements(Vec::<Origin>::new());
    for excerpt in excerpts(diagnostic, files) {
        group = with_excerpt(group, excerpt, screen);
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(tame(&screen.redact(help))));
    }
    let renderer = if colors { Renderer::styled() } else { Renderer::plain() };
    renderer.term_width(DEFAULT_TERM_WIDTH).render(&[group]).trim_end().to_string()
}

fn with_excerpt<'a>(group: Group<'a>, excerpt: Excerpt, screen: &Screen) -> Group<'a> {
    let text = screen.mask(&excerpt.shown());
    let marks = excerpt.marks.into_iter().map(|mark| {
        let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let label = Some(tame(&screen.redact(&mark.label))).filter(|label| !label.is_empty());
        kind.span(mark.range).label(label)
    });
    let path = screen.redact(&excerpt.path);
    group.element(Snippet::source(text).path(path).line_start(excerpt.first_line).annotations(marks))
}

/// `3 errors, 1 warning`; nothing if there is neither.
pub fn count(errors: usize, warnings: usize) -> String {
    let parts = [(errors, "error"), (warnings, "warning")];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, word)| plural(number, word));
    parts.collect::<Vec<_>>().join(", ")
}

/// `1 seed`, `2 seeds`.
pub fn plural(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// The first names of a list, and how many more there are.
pub fn first(names: &[String], most: usize) -> String {
    let shown = names[..names.len().min(most)].join(", ");
    match names.len() - names.len().min(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
