//! Turns diagnostics into data: a list of JSON objects, or annotations of GitHub.

use serde_json::Value as Json;

use crate::cli::report::told;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::ProjectFiles;

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
        let text = data(&format!("{}{help}", problem.message));
        format!("::{level} {place}title={}::{text}", property(problem.code.name()))
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
