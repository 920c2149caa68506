//! Turns what DuckDB says against a query into a Refusal: what it is about, and where.

use crate::adapter::binder::{Refusal, Refused, TYPES};
use crate::adapter::{AdapterError, SqlPosition};
use crate::diagnostic::nearest;

/// Reads an error about a text in which the query begins after `before` bytes.
pub fn refusal(error: AdapterError, sent: &str, before: usize) -> Refusal {
    let AdapterError::Sql { message, at } = error else {
        return Refusal { kind: Refused::World, message: error.to_string(), at: None };
    };
    let at = at.and_then(|at| byte_of(sent, at)).and_then(|byte| byte.checked_sub(before));
    Refusal { kind: kind(&message), message, at }
}

fn kind(message: &str) -> Refused {
    let Some((class, said)) = message.split_once(" Error: ") else { return Refused::World };
    match class {
        "Parser" => Refused::Syntax,
        "Catalog" => catalog(said),
        "Binder" => column(said).unwrap_or_else(|| other(said)),
        _ => Refused::World,
    }
}

fn catalog(said: &str) -> Refused {
    let missing = |what: &str| {
        let (name, rest) = said.strip_prefix(what)?.strip_prefix(" with name ")?.split_once(" does not exist")?;
        Some((name.trim_matches('"').to_string(), rest))
    };
    if let Some((name, _)) = missing("Table") {
        // `Table with name "s.t" does not exist because schema "s" does not exist`
        return Refused::UnknownRelation { name: name.rsplit('.').next().unwrap_or(&name).to_string() };
    }
    if let Some((name, rest)) = missing("Type") {
        let own = quoted(rest);
        let own = own.iter().map(|name| name.rsplit('.').next().unwrap_or(name));
        let near = nearest(&name.to_lowercase(), TYPES.into_iter().chain(own)).map(str::to_string);
        return Refused::UnknownType { name, nearest: near };
    }
    for what in ["Scalar Function", "Aggregate Function", "Table Function", "Macro Function"] {
        if let Some((name, rest)) = missing(what) {
            let own = quoted(rest);
            let near = nearest(&name.to_lowercase(), own.iter().map(String::as_str)).map(str::to_string);
            return Refused::UnknownFunction { name, nearest: near };
        }
    }
    Refused::World
}

/// The ways in which DuckDB says that a column is not there, or there twice.
fn column(said: &str) -> Option<Refused> {
    let first = said.lines().next().unwrap_or_default();
    let names = quoted(first);
    let candidates = || {
        let after = said.split_once("Candidate bindings: ").map_or("", |(_, after)| after);
        quoted(after).iter().map(|name| name.rsplit('.').next().unwrap_or(name).trim_matches('"').to_string()).collect()
    };
    let unknown =
        |name: Option<&String>| name.cloned().map(|name| Refused::UnknownColumn { name, candidates: candidates() });
    if first.starts_with("Referenced column ") && first.contains("not found") {
        return unknown(names.first());
    }
    if (first.starts_with("Table ") || first.starts_with("Values list "))
        && first.contains("does not have a column named")
    {
        return unknown(names.last());
    }
    if first.starts_with("Column ") && (first.contains("side of join") || first.contains(" list not found")) {
        return unknown(names.first());
    }
    if first.starts_with("Ambiguous reference to column name ") {
        let (name, ways) = names.split_first()?;
        return Some(Refused::AmbiguousColumn { name: name.clone(), candidates: ways.to_vec() });
    }
    None
}

fn other(said: &str) -> Refused {
    let types =
        ["No function matches", "Could not choose a best candidate", "Cannot compare values", "Cannot mix values"];
    if said.starts_with("Set operations") {
        return Refused::Union;
    }
    if types.iter().any(|start| said.starts_with(start)) || said.contains("an explicit cast is required") {
        return Refused::Type;
    }
    // What is attached, set or loaded elsewhere cannot be seen here.
    let elsewhere =
        ["Catalog ", "PIVOT", "Pivot", "Prepared", "Unrecognized", "Unknown", "No extension", "Can not", "Cannot open"];
    if elsewhere.iter().any(|start| said.starts_with(start)) { Refused::World } else { Refused::Other }
}

/// The texts between double quotes; what stands between `""` within one stays in it.
fn quoted(text: &str) -> Vec<String> {
    let mut parts = text.split('"');
    parts.next();
    let mut found = Vec::new();
    while let (Some(name), Some(_)) = (parts.next(), parts.next()) {
        found.push(name.to_string());
    }
    found
}

fn byte_of(text: &str, at: SqlPosition) -> Option<usize> {
    let start: usize = text.split_inclusive('\n').take(at.line - 1).map(str::len).sum();
    let line = text.get(start..)?;
    Some(start + line.char_indices().nth(at.column - 1).map_or(line.len(), |(byte, _)| byte))
}
