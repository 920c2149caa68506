//! Turns what went wrong inside of minijinja into a RenderError with the places of the user's files.

use std::fmt;

use minijinja::{Error, ErrorKind as EngineKind};

use crate::jinja::{ErrorKind, HostError};

/// A mistake of ours that travels through minijinja as the source of its error.
#[derive(Debug, Clone)]
pub struct Raised(pub HostError);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Raised {}

pub fn raise(kind: ErrorKind, message: impl Into<String>, help: Option<String>) -> Error {
    from_host(HostError { kind, message: message.into(), help })
}

pub fn from_host(error: HostError) -> Error {
    Error::new(EngineKind::InvalidOperation, error.message.clone()).with_source(Raised(error))
}

/// A wrong argument, an impossible operation.
pub fn runtime(message: impl Into<String>) -> Error {
    Error::new(EngineKind::InvalidOperation, message.into())
}

/// The name of a template and a range in it, innermost first, with the kind, the message and the help.
pub struct Trace {
    pub kind: ErrorKind,
    pub message: String,
    pub help: Option<String>,
    pub places: Vec<(String, std::ops::Range<usize>)>,
}

/// Follows the sources of an error: each macro call has put a level around the one below.
pub fn trace(error: &Error) -> Trace {
    let mut places = Vec::new();
    let mut innermost = error;
    let mut raised = None;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(engine) = current.downcast_ref::<Error>() {
            innermost = engine;
            if let (Some(name), Some(range)) = (engine.name(), engine.range()) {
                places.push((name.to_string(), range));
            }
        } else if let Some(host) = current.downcast_ref::<Raised>() {
            raised = Some(host.0.clone());
        }
        next = current.source();
    }
    places.reverse();
    places.dedup();
    if let Some(host) = raised {
        return Trace { kind: host.kind, message: host.message, help: host.help, places };
    }
    let (kind, message) = describe(innermost);
    Trace { kind, message, help: None, places }
}

/// minijinja points at `.method(…)`; the name before it belongs to the place.
pub fn widened(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let is_postfix = text.get(range.clone()).is_some_and(|found| found.starts_with(['.', '(', '[']));
    let before = text.get(..range.start).unwrap_or_default();
    let name = before.trim_end_matches(|char: char| char == '_' || char == '.' || char.is_alphanumeric());
    if is_postfix { name.len()..range.end } else { range }
}

/// `sequence has no method named firs`, `undefined has no method named star (`dbt_utils` is undefined)`.
fn unknown_method(detail: &str) -> (ErrorKind, String) {
    let Some((what, rest)) = detail.split_once(" has no method named ") else {
        return (ErrorKind::Runtime, format!("unknown method: {detail}"));
    };
    let name = rest.split(' ').next().unwrap_or(rest);
    if let Some(object) = rest.split('`').nth(1).filter(|_| what == "undefined") {
        return (
            ErrorKind::UnknownMacro,
            format!("`{object}.{name}` is called, and there is no package or value `{object}`"),
        );
    }
    let what = match what {
        "sequence" => "list",
        "map" => "mapping",
        what => what,
    };
    (ErrorKind::Runtime, format!("a {what} has no method `{name}`"))
}

fn describe(error: &Error) -> (ErrorKind, String) {
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        EngineKind::SyntaxError => (ErrorKind::Syntax, detail.to_string()),
        EngineKind::OutOfFuel => {
            (ErrorKind::Limit, "this template takes too many steps; is there a loop that never ends?".to_string())
        }
        EngineKind::UnknownFunction => {
            let name = detail.strip_suffix(" is unknown").unwrap_or(detail);
            (ErrorKind::UnknownMacro, format!("`{name}` is undefined"))
        }
        EngineKind::WriteFailure => (ErrorKind::Limit, "the rendered text is too large".to_string()),
        EngineKind::InvalidOperation if detail.contains("recursion limit") => {
            (ErrorKind::Limit, "macros call each other too deeply; does one call itself without an end?".to_string())
        }
        EngineKind::InvalidOperation if detail.starts_with("value of type undefined is not callable") => {
            (ErrorKind::Runtime, "this call is of an undefined value".to_string())
        }
        EngineKind::UnknownMethod => unknown_method(detail),
        EngineKind::InvalidOperation if !detail.is_empty() => (ErrorKind::Runtime, detail.to_string()),
        EngineKind::UndefinedError if !detail.is_empty() => (ErrorKind::Runtime, detail.to_string()),
        kind if detail.is_empty() => (ErrorKind::Runtime, kind.to_string()),
        kind => (ErrorKind::Runtime, format!("{kind}: {detail}")),
    }
}
