//! Turns diagnostics into data: a list of JSON objects, annotations of GitHub, or Markdown for a pull request.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::cli::report::problem::count;
use crate::cli::report::told;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::{ProjectFiles, Span};

/// One object for each diagnostic.
pub fn json(problems: &[Diagnostic], files: &ProjectFiles) -> Json {
    problems.iter().map(|problem| told::diagnostic(problem, files)).collect()
}

/// One workflow command a line.
/// Source: <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.
pub fn github(problems: &[Diagnostic], files: &ProjectFiles) -> String {
    let line = |problem: &Diagnostic| {
        let level = if problem.severity == Severity::Error { "error" } else { "warning" };
        let place = problem.span.map_or(String::new(), |span| {
            let file = files.get(span.file);
            let (start, end) = (file.line_column(span.range().start), file.line_column(span.range().end));
            let end_column =
                if start.0 == end.0 && end.1 > start.1 { format!(",endColumn={}", end.1) } else { String::new() };
            format!("file={},line={},col={}{end_column},", property(&file.path), start.0, start.1)
        });
        let help = problem.help.as_ref().map_or(String::new(), |help| format!("\n{help}"));
        let related = problem.related.iter().map(|related| {
            let file = files.get(related.span.file);
            let (line, _) = file.line_column(related.span.range().start);
            format!("\n{}:{line}: {}", file.path, related.label)
        });
        let text = data(&format!("{}{help}{}", problem.message, related.collect::<String>()));
        format!("::{level} {place}title={}::{text}", property(problem.code.name()))
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A table with a line for each; nothing if there are none.
pub fn markdown(problems: &[Diagnostic], files: &ProjectFiles) -> String {
    if problems.is_empty() {
        return String::new();
    }
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let mut out = format!("### {}\n\n", count(errors, problems.len() - errors));
    out.push_str("| severity | place | finding | help |\n|---|---|---|---|\n");
    for problem in problems {
        let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
        let related = problem.related.iter().map(|related| related.span);
        let places: Vec<String> = problem.span.into_iter().chain(related).map(|span| place(span, files)).collect();
        let (message, help) = (cell(&[&problem.message]), cell(problem.help.as_slice()));
        let _ = writeln!(out, "| {severity} | {} | {message} | {help} |", cell(&places));
    }
    out
}

/// `file:line:column`.
fn place(span: Span, files: &ProjectFiles) -> String {
    let file = files.get(span.file);
    let (line, column) = file.line_column(span.range().start);
    format!("`{}:{line}:{column}`", file.path)
}

/// Texts as a cell of a table in Markdown.
pub fn cell(texts: &[impl AsRef<str>]) -> String {
    let plain = |text: &str| text.trim().replace('|', "\\|").replace('<', "&lt;").replace('\n', "<br>");
    texts.iter().map(|text| plain(text.as_ref())).collect::<Vec<_>>().join("<br>")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
