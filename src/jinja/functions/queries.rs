//! Results of statements: `store_result`, `load_result`.

use minijinja::{Error, State, Value};

use crate::adapter::rows::Rows;
use crate::jinja::collections::{Dict, List};
use crate::jinja::error::from_host;
use crate::jinja::functions::Arguments;
use crate::jinja::objects::table::Table;
use crate::jinja::render::{lock, render};

/// `store_result(name, response, agate_table=none)`.
pub fn store_result(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let response = args.get(1, "response").unwrap_or_default();
    let table = args.get(2, "agate_table").filter(|table| !table.is_none() && !table.is_undefined());
    store(state, &args.shown(0, "name")?, response, table)
}

/// `store_raw_result(name, message, code, rows_affected, agate_table)`.
pub fn store_raw_result(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let response = Response::value(
        args.optional_text(1, "message").unwrap_or_default(),
        args.optional_text(2, "code").unwrap_or_default(),
        args.get(3, "rows_affected").and_then(|value| value.as_i64()),
    );
    let table = args.get(4, "agate_table").filter(|table| !table.is_none() && !table.is_undefined());
    store(state, &args.shown(0, "name")?, response, table)
}

fn store(state: &mut State, name: &str, response: Value, table: Option<Value>) -> Result<Value, Error> {
    let table = table.unwrap_or_else(|| Table::value(&Rows::default()));
    let data = match table.downcast_object_ref::<Table>() {
        Some(table) => table.data()?,
        None => List::value(Vec::new())?,
    };
    let entries = [("response", response), ("data", data), ("table", table)];
    let result = Dict::value(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())?;
    lock(&render(state)?.results).insert(name.to_string(), result);
    Ok(Value::from(""))
}

/// `load_result(name)`: None if there was no such statement.
pub fn load_result(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let render = render(state)?;
    let found = lock(&render.results).get(&args.shown(0, "name")?).cloned();
    Ok(found.unwrap_or_else(|| Value::from(())))
}

/// `load_agate_table()`: the rows of the seed that is built.
pub fn load_agate_table(state: &mut State, _args: Arguments) -> Result<Value, Error> {
    Ok(Table::value(&render(state)?.host.seed_rows().map_err(from_host)?))
}

/// What the engine said about a statement; prints as its message.
#[derive(Debug)]
pub struct Response {
    message: String,
    code: String,
    rows_affected: Option<i64>,
}

impl Response {
    pub fn value(message: String, code: String, rows_affected: Option<i64>) -> Value {
        Value::from_object(Response { message, code, rows_affected })
    }
}

impl minijinja::value::Object for Response {
    fn repr(self: &std::sync::Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn get_value(self: &std::sync::Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "_message" | "message" => Some(Value::from(self.message.as_str())),
            "code" => Some(Value::from(self.code.as_str())),
            "rows_affected" => Some(self.rows_affected.map_or_else(|| Value::from(()), Value::from)),
            _ => None,
        }
    }

    fn render(self: &std::sync::Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
