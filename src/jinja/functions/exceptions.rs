//! `exceptions.…`: macros stop a run, or warn.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::{Error, State, Value};

use crate::diagnostic::code::Code;
use crate::jinja::ErrorKind;
use crate::jinja::error;
use crate::jinja::functions::{Arguments, Body, Group};
use crate::jinja::python;
use crate::jinja::render::render;

const FUNCTIONS: [(&str, Body); 23] = [
    ("warn", warn),
    ("warn_snapshot_timestamp_data_types", warn_of_types),
    ("raise_compiler_error", raise),
    ("raise_database_error", raise_database),
    ("raise_not_implemented", raise),
    ("raise_fail_fast_error", raise),
    ("raise_dependency_error", raise),
    ("raise_parsing_error", raise),
    ("raise_contract_error", contract),
    ("refuse", refuse),
    ("raise_ambiguous_alias", shown),
    ("raise_ambiguous_catalog_match", shown),
    ("raise_cache_inconsistent", shown),
    ("raise_dataclass_not_dict", shown),
    ("raise_dep_not_found", shown),
    ("raise_duplicate_patch_name", shown),
    ("raise_duplicate_resource_name", shown),
    ("raise_invalid_property_yml_version", shown),
    ("missing_config", shown),
    ("missing_materialization", shown),
    ("missing_relation", shown),
    ("relation_wrong_type", wrong_type),
    ("column_type_missing", column_type_missing),
];

pub fn object() -> Value {
    Group::functions("exceptions", &FUNCTIONS)
}

fn warn(state: &mut State, args: Arguments) -> Result<Value, Error> {
    render(state)?.host.warn(&args.shown(0, "msg")?).map_err(error::from_host)?;
    Ok(Value::from(""))
}

fn warn_of_types(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let (ours, theirs) = (args.shown(0, "snapshot_time_data_type")?, args.shown(1, "updated_at_data_type")?);
    let message = format!("the times of the snapshot are of type {ours}, and `updated_at` is of type {theirs}");
    render(state)?.host.warn(&message).map_err(error::from_host)?;
    Ok(Value::from(""))
}

fn raised(message: String) -> Error {
    error::raise(ErrorKind::Raised, message, None)
}

fn raise(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Err(raised(args.shown(0, "msg")?))
}

/// `exceptions.refuse(code, message, help)`: a mistake that `medal explain` knows.
fn refuse(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let name = args.shown(0, "code")?;
    let kind = Code::from_name(&name).map_or(ErrorKind::Raised, ErrorKind::Refused);
    Err(error::raise(kind, args.shown(1, "msg")?, args.optional_text(2, "help")))
}

fn raise_database(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Err(error::raise(ErrorKind::Database, args.shown(0, "msg")?, None))
}

/// An error of dbt whose arguments say enough.
fn shown(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let arguments: Vec<String> = args.positional.iter().map(python::text).collect();
    let name = args.function.trim_start_matches("raise_").replace('_', " ");
    Err(raised(format!("{name}: {}", arguments.join(", "))))
}

/// The columns that differ, as a table: name, type in the query, type in the contract.
fn contract(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let columns = |value: Value| -> BTreeMap<String, String> {
        let columns = value.try_iter().into_iter().flatten();
        let part = |column: &Value, key: &str| column.get_attr(key).map(|part| python::text(&part)).unwrap_or_default();
        columns.map(|column| (part(&column, "name"), part(&column, "data_type"))).collect()
    };
    let (declared, given) = (columns(args.value(0, "yaml_columns")?), columns(args.value(1, "sql_columns")?));
    if declared.is_empty() {
        return Err(error::raise(ErrorKind::Contract, "the contract of this model has no columns".to_string(), None));
    }
    let names: BTreeSet<&String> = declared.keys().chain(given.keys()).collect();
    let mut rows = vec![["column", "query", "contract", ""].map(str::to_string)];
    for name in names {
        let cell = |type_: Option<&String>| type_.cloned().unwrap_or_else(|| "-".to_string());
        let reason = match (given.get(name), declared.get(name)) {
            (Some(given), Some(declared)) if given == declared => continue,
            (Some(_), Some(_)) => "other type",
            (None, _) => "not in the query",
            (_, None) => "not in the contract",
        };
        rows.push([name.clone(), cell(given.get(name)), cell(declared.get(name)), reason.to_string()]);
    }
    let message = format!("the columns of this model differ from its contract\n{}", table(&rows));
    Err(error::raise(ErrorKind::Contract, message, None))
}

/// Columns of the same width, without lines.
fn table(rows: &[[String; 4]]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), 0];
    let line = |row: &[String; 4]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn wrong_type(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let (relation, expected) = (args.shown(0, "relation")?, args.shown(1, "expected_type")?);
    Err(raised(format!("{relation} is not a {expected}; drop or rename it first")))
}

fn column_type_missing(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Err(raised(format!("the contract gives no data type for {}", args.shown(0, "column_names")?)))
}
