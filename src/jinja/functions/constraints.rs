//! Constraints of a contract as SQL: `adapter.render_raw_columns_constraints` and `render_raw_model_constraints`.

use minijinja::{Error, Value};
use serde_json::Value as Json;

use crate::adapter::relation::identifier;
use crate::jinja::collections::List;
use crate::jinja::functions::Arguments;
use crate::jinja::python;

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn texts(json: &Json, key: &str) -> String {
    let items = json.get(key).and_then(Json::as_array).into_iter().flatten();
    items.filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn lines(lines: Vec<String>) -> Result<Value, Error> {
    List::value(lines.into_iter().map(Value::from).collect())
}

/// `name type constraint …` for each column.
pub fn columns(args: &Arguments) -> Result<Value, Error> {
    let columns = python::to_json(&args.value(0, "raw_columns")?);
    let column = |column: &Json| {
        let name = text(column, "name");
        let is_quoted = column.get("quote").and_then(Json::as_bool).unwrap_or(false);
        let name = if is_quoted { identifier(name) } else { name.to_string() };
        let constraints = list(column.get("constraints").unwrap_or(&Json::Null)).filter_map(column_constraint);
        [name, text(column, "data_type").to_string()].into_iter().chain(constraints).collect::<Vec<_>>().join(" ")
    };
    lines(columns.as_object().into_iter().flat_map(|map| map.values()).map(column).collect())
}

fn column_constraint(constraint: &Json) -> Option<String> {
    let expression = text(constraint, "expression");
    let rendered = match text(constraint, "type") {
        "check" if !expression.is_empty() => format!("check ({expression})"),
        "not_null" => format!("not null {expression}"),
        "unique" => format!("unique {expression}"),
        "primary_key" => format!("primary key {expression}"),
        "foreign_key" => format!("references {}", target(constraint)?),
        "custom" => expression.to_string(),
        _ => return None,
    };
    Some(rendered.trim().to_string()).filter(|rendered| !rendered.is_empty())
}

/// The other side of a foreign key.
fn target(constraint: &Json) -> Option<String> {
    let (to, columns, expression) =
        (text(constraint, "to"), texts(constraint, "to_columns"), text(constraint, "expression"));
    if !to.is_empty() && !columns.is_empty() {
        return Some(format!("{} ({columns})", without_database(to)));
    }
    Some(expression.to_string()).filter(|expression| !expression.is_empty())
}

/// DuckDB takes no database in a foreign key, not even its own.
fn without_database(relation: &str) -> &str {
    match relation.splitn(3, '.').collect::<Vec<_>>()[..] {
        [database, _, _] => &relation[database.len() + 1..],
        _ => relation,
    }
}

/// The constraints of the whole table.
pub fn model(args: &Arguments) -> Result<Value, Error> {
    let constraints = python::to_json(&args.value(0, "raw_constraints")?);
    lines(list(&constraints).filter_map(model_constraint).collect())
}

fn model_constraint(constraint: &Json) -> Option<String> {
    let expression = text(constraint, "expression");
    let columns = texts(constraint, "columns");
    let spaced = if expression.is_empty() { String::new() } else { format!(" {expression}") };
    let rendered = match text(constraint, "type") {
        "check" if !expression.is_empty() => format!("check ({expression})"),
        "unique" => format!("unique{spaced} ({columns})"),
        "primary_key" => format!("primary key{spaced} ({columns})"),
        "foreign_key" => format!("foreign key ({columns}) references {}", target(constraint)?),
        "custom" if !expression.is_empty() => expression.to_string(),
        _ => return None,
    };
    let name = text(constraint, "name");
    Some(if name.is_empty() { rendered } else { format!("constraint {name} {rendered}") })
}
