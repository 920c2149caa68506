//! `config`, `var` and `validation`.

use minijinja::{Error, State, Value};
use serde_json::Value as Json;

use crate::jinja::error::{self, from_host, runtime};
use crate::jinja::functions::{Arguments, Body, Function, Group};
use crate::jinja::render::render;
use crate::jinja::{ErrorKind, JsonMap, python};

const METHODS: [(&str, Body); 8] = [
    ("get", get),
    ("require", require),
    ("meta_get", meta_get),
    ("meta_require", meta_require),
    ("set", set),
    ("persist_relation_docs", persist_relation_docs),
    ("persist_column_docs", persist_column_docs),
    ("model", model),
];

pub fn object() -> Value {
    Function::with_attributes("config", config, &METHODS)
}

/// `config(key=value, …)` or `config({…})`.
fn config(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let mut values = JsonMap::new();
    match args.positional {
        [] => {}
        [map] => match python::to_json(map) {
            Json::Object(map) => values = map,
            _ => return Err(runtime("`config` takes keywords, or one dict")),
        },
        _ => return Err(runtime("`config` takes keywords, or one dict")),
    }
    values.extend(args.keywords().into_iter().map(|(key, value)| (key, python::to_json(&value))));
    render(state)?.host.set_config(values).map_err(from_host)?;
    Ok(Value::from(""))
}

/// `config.get(key, default)`. While the project is parsed, a missing value is an empty text, as in dbt, so that it
/// can be looped over.
fn get(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let host = render(state)?.host.clone();
    let found =
        host.config(&args.shown(0, "name")?).map(|json| python::from_json(&json)).filter(|value| !value.is_none());
    let default = args.get(1, "default").filter(|default| !default.is_none());
    Ok(found.or(default).unwrap_or_else(|| if host.execute() { Value::from(()) } else { Value::from("") }))
}

fn require(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let host = render(state)?.host.clone();
    let key = args.shown(0, "name")?;
    match host.config(&key) {
        Some(json) => Ok(python::from_json(&json)),
        None if !host.execute() => Ok(Value::from("")),
        None => Err(missing(&key)),
    }
}

fn missing(key: &str) -> Error {
    let help = Some(format!("set it: `{{{{ config({key}=…) }}}}`"));
    error::raise(ErrorKind::Raised, format!("the configuration `{key}` is required here"), help)
}

fn meta(state: &mut State, key: &str) -> Result<Option<Value>, Error> {
    let meta = render(state)?.host.config("meta").unwrap_or_default();
    Ok(meta.get(key).map(python::from_json))
}

fn meta_get(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let found = meta(state, &args.shown(0, "name")?)?;
    Ok(found.or_else(|| args.get(1, "default")).unwrap_or_else(|| Value::from(())))
}

fn meta_require(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let key = args.shown(0, "name")?;
    meta(state, &key)?.ok_or_else(|| missing(&format!("meta.{key}")))
}

/// `config.set(key, value)`.
fn set(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let value = python::to_json(&args.value(1, "value")?);
    let values = JsonMap::from_iter([(args.shown(0, "name")?, value)]);
    render(state)?.host.set_config(values).map_err(from_host)?;
    Ok(Value::from(""))
}

fn persist_docs(state: &mut State, key: &str) -> Result<Value, Error> {
    let docs = render(state)?.host.config("persist_docs").unwrap_or_default();
    Ok(Value::from(docs.get(key).and_then(Json::as_bool).unwrap_or(false)))
}

fn persist_relation_docs(state: &mut State, _args: Arguments) -> Result<Value, Error> {
    persist_docs(state, "relation")
}

fn persist_column_docs(state: &mut State, _args: Arguments) -> Result<Value, Error> {
    persist_docs(state, "columns")
}

fn model(state: &mut State, _args: Arguments) -> Result<Value, Error> {
    Ok(render(state)?.lookup("model").unwrap_or_default())
}

/// `var(name, default)`.
pub fn var(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let name = args.shown(0, "var")?;
    let render = render(state)?;
    match render.host.var(&name) {
        // The text of a variable may be a template too.
        Some(Json::String(text)) => return render.nested(&text).map(Value::from).map_err(from_host),
        Some(json) => return Ok(python::from_json(&json)),
        None => {}
    }
    if let Some(default) = args.get(1, "default") {
        return Ok(default);
    }
    if render.host.may_miss_vars() {
        return Ok(Value::from(()));
    }
    let help = format!("set it under `vars:`, or give a default: `var('{name}', 'default')`");
    Err(error::raise(ErrorKind::MissingVar, format!("the variable `{name}` is not set"), Some(help)))
}

/// `var.has_var(name)`.
pub fn has_var(state: &mut State, args: Arguments) -> Result<Value, Error> {
    Ok(Value::from(render(state)?.host.var(&args.shown(0, "var")?).is_some()))
}

/// `validation.any[…]`: a check that dbt lets `config.get` do; nothing is checked here.
pub fn validation() -> Value {
    Group::value("validation", [("any", Group::value("any", []))])
}
