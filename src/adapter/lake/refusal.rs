//! Turns what DataFusion's planner and the dialect say against a query into a Refusal: what it is about, and where.

use std::str::FromStr;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::adapter::binder::{Refusal, Refused, signature};
use crate::adapter::lake::error::sql_error;
use crate::adapter::lake::files::READING;
use crate::adapter::lake::kind::type_name;
use crate::adapter::{AdapterError, SqlPosition};

/// What the dialect refuses. What it takes for a misspelt name is one.
pub fn of_dialect(error: &AdapterError, sql: &str) -> Refusal {
    let (message, at) = said(error);
    let between = |before: &str| message.split_once(before)?.1.split('`').next().map(str::to_string);
    let kind = match (between("did you mean `"), between("the function `"), between("has no type `")) {
        (Some(near), Some(name), _) => Refused::UnknownFunction { name, nearest: Some(near) },
        (Some(near), None, Some(name)) => Refused::UnknownType { name, nearest: Some(near) },
        _ => Refused::Syntax,
    };
    Refusal { kind, at: at.and_then(|at| byte(sql, at)), message }
}

/// What the planner will not plan. The relations that it looks at are known, so all that it says of them is certain;
/// files, stores and the engine's own limits are not the query's fault.
pub fn of_planner(error: DataFusionError, sql: &str) -> Refusal {
    let mut told = None;
    let kind = match error.find_root() {
        _ if is_of_files(&error) => Refused::World,
        DataFusionError::SchemaError(said, _) => match said.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => Refused::UnknownColumn {
                name: field.name.clone(),
                candidates: valid_fields.iter().map(|field| field.name.clone()).collect(),
            },
            SchemaError::AmbiguousReference { field } => {
                Refused::AmbiguousColumn { name: field.name.clone(), candidates: ways(&error) }
            }
            _ => Refused::Other,
        },
        DataFusionError::Plan(said) => {
            let (kind, better) = of_plan(said);
            told = better;
            kind
        }
        DataFusionError::NotImplemented(_) => Refused::Other,
        _ => Refused::World,
    };
    let (message, at) = said(&sql_error(error));
    let message = told.map_or(message, |told| format!("Binder Error: {told}"));
    // The planner points at the whole of a set operation.
    let at = at.filter(|_| kind != Refused::Union).and_then(|at| byte(sql, at));
    let kind = match kind {
        // The whole name can be read at its place.
        Refused::UnknownRelation { name } if at.is_some() => {
            Refused::UnknownRelation { name: name.rsplit('.').next().unwrap_or(&name).to_string() }
        }
        kind => kind,
    };
    Refusal { kind, message, at }
}

/// Whether something is wrong within the query, and nobody says where.
pub fn is_placeless(refusal: &Refusal) -> bool {
    refusal.at.is_none() && matches!(refusal.kind, Refused::Type | Refused::Other)
}

fn said(error: &AdapterError) -> (String, Option<SqlPosition>) {
    match error {
        AdapterError::Sql { message, at } => (message.clone(), *at),
        other => (other.to_string(), None),
    }
}

fn is_of_files(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::Context(what, inner) => what == READING || is_of_files(inner),
        DataFusionError::Diagnostic(_, inner) => is_of_files(inner),
        DataFusionError::Shared(inner) => is_of_files(inner),
        DataFusionError::Collection(all) => all.iter().any(is_of_files),
        _ => false,
    }
}

/// The ways to write a column that is ambiguous.
fn ways(error: &DataFusionError) -> Vec<String> {
    let notes = error.diagnostic().map_or_else(Vec::new, |diagnostic| diagnostic.notes.clone());
    let way = |note: &str| {
        let parts: Vec<&str> = note.strip_prefix("possible column ")?.split('.').collect();
        (parts.len() > 1).then(|| parts[parts.len() - 2..].join("."))
    };
    notes.iter().filter_map(|note| way(&note.message)).collect()
}

/// What the planner's words are about, and better ones where those are of its own insides.
fn of_plan(said: &str) -> (Refused, Option<String>) {
    let quoted = || said.split('\'').nth(1).unwrap_or_default().to_string();
    if said.starts_with("table '") && said.ends_with("' not found") {
        return (Refused::UnknownRelation { name: quoted() }, None);
    }
    if said.starts_with("Invalid function '") {
        let nearest = said.split("Did you mean '").nth(1).and_then(|rest| rest.split('\'').next());
        return (Refused::UnknownFunction { name: quoted(), nearest: nearest.map(str::to_string) }, None);
    }
    let of_sets = ["UNION", "INTERSECT", "EXCEPT", "Incompatible inputs for Union"];
    if of_sets.iter().any(|start| said.starts_with(start)) {
        return (Refused::Union, None);
    }
    if let Some(call) = said.split_once("argument types '").and_then(|(_, rest)| rest.split('\'').next()) {
        let call = named(call);
        let told = format!(
            "No function matches the given name and argument types '{call}'. You might need to add explicit type casts"
        );
        return (Refused::Type, Some(told));
    }
    if let Some((_, types)) = said.split_once("Cannot infer common argument type for comparison operation ") {
        return (Refused::Type, compared(types));
    }
    if let Some((_, rest)) = said.split_once("While expanding wildcard, column \"")
        && let Some((column, _)) = rest.split_once("\" must appear")
    {
        let is_name = column.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        let column = if is_name { column.rsplit('.').next().unwrap_or(column) } else { column };
        let told =
            format!("column \"{column}\" must appear in the GROUP BY clause or must be part of an aggregate function");
        return (Refused::Other, Some(told));
    }
    let of_types = ["Cannot coerce", "Failed to coerce", "Cannot infer common", "takes no arguments of the types"];
    match of_types.iter().any(|words| said.contains(words)) {
        true => (Refused::Type, Some(with_types(said))),
        false => (Refused::Other, None),
    }
}

/// `sum(Utf8)` as DuckDB would write it: `sum(VARCHAR)`.
fn named(call: &str) -> String {
    match signature(call) {
        Some((name, types)) => {
            let types: Vec<String> = types.into_iter().map(type_of).collect();
            format!("{name}({})", types.join(", "))
        }
        None => call.to_string(),
    }
}

fn type_of(text: &str) -> String {
    DataType::from_str(text).map_or_else(|_| text.to_string(), |kind| type_name(&kind))
}

/// A text whose words that are types of the engine have the names that a user knows.
fn with_types(said: &str) -> String {
    let is_type = |word: &str| {
        word == "Boolean" || word.starts_with(char::is_uppercase) && word.ends_with(|c: char| c.is_ascii_digit())
    };
    let word = |word: &str| if is_type(word) { type_of(word) } else { word.to_string() };
    let mut told = String::new();
    let said = said.replace("Interval(MonthDayNano)", "INTERVAL");
    for part in said.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let bare = part.trim_end_matches(|c: char| !c.is_alphanumeric());
        told.push_str(&word(bare));
        told.push_str(&part[bare.len()..]);
    }
    told
}

/// `Utf8 > Int32`.
fn compared(types: &str) -> Option<String> {
    let operators = [" = ", " != ", " <> ", " >= ", " <= ", " > ", " < "];
    let (left, right) = operators.iter().find_map(|operator| types.split_once(operator))?;
    Some(format!("Cannot compare values of type {} and type {}", type_of(left), type_of(right)))
}

/// The byte of a place in a text.
pub fn byte(sql: &str, at: SqlPosition) -> Option<usize> {
    let start: usize = sql.split_inclusive('\n').take(at.line.checked_sub(1)?).map(str::len).sum();
    let (byte, _) = sql.get(start..)?.char_indices().nth(at.column.checked_sub(1)?)?;
    Some(start + byte)
}
