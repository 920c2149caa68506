//! `exceptions.…`: macros stop a run, or warn.

use minijinja::{Error, State, Value};

use crate::jinja::ErrorKind;
use crate::jinja::error;
use crate::jinja::functions::{Arguments, Body, Group};
use crate::jinja::python;
use crate::jinja::render::render;

const FUNCTIONS: [(&str, Body); 21] = [
    ("warn", warn),
    ("raise_compiler_error", raise),
    ("raise_database_error", raise_database),
    ("raise_not_implemented", raise),
    ("raise_fail_fast_error", raise),
    ("raise_dependency_error", raise),
    ("raise_parsing_error", raise),
    ("raise_contract_error", contract),
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
    render(state)?.host.warn(&args.shown(0, "msg")?);
    Ok(Value::from(""))
}

fn raised(message: String) -> Error {
    error::raise(ErrorKind::Raised, message, None)
}

fn raise(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Err(raised(args.shown(0, "msg")?))
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

fn contract(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let columns = |value: Value| -> Vec<String> {
        let names = value.try_iter().into_iter().flatten();
        names
            .map(|column| column.get_attr("name").map_or_else(|_| python::text(&column), |name| python::text(&name)))
            .collect()
    };
    let (expected, actual) = (columns(args.value(0, "yaml_columns")?), columns(args.value(1, "sql_columns")?));
    Err(raised(format!(
        "the columns of this model differ from its contract: the contract has {}, the query gives {}",
        expected.join(", "),
        actual.join(", ")
    )))
}

fn wrong_type(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let (relation, expected) = (args.shown(0, "relation")?, args.shown(1, "expected_type")?);
    Err(raised(format!("{relation} is not a {expected}; drop or rename it first")))
}

fn column_type_missing(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Err(raised(format!("the contract gives no data type for {}", args.shown(0, "column_names")?)))
}
