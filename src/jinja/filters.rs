//! Jinja2's filters, where minijinja has none or another result, and dbt's own.

pub mod links;
pub mod numbers;
pub mod sequences;
pub mod texts;

use std::borrow::Cow;

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, Output, State, Value};
use serde_json::Value as Json;

use crate::jinja::collections::List;
use crate::jinja::error::runtime;
use crate::jinja::filters::numbers::{abs, float, int, round};
use crate::jinja::filters::sequences::{
    batch, dictsort, extreme, groupby, items, join, last, length, reverse, sequence, slice, sort, sum, unique,
};
use crate::jinja::filters::texts::{TEXT_FILTERS, format, text_filter};
use crate::jinja::methods;
use crate::jinja::python;
use crate::jinja::render::render;

/// Writes a value into the output as Python's `str` would.
pub fn write_value(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => {
            render(state)?.emitted(text.len())?;
            out.write_str(text).map_err(Error::from)
        }
        None => python::write_text(&mut Writer(out), value).map_err(Error::from),
    }
}

struct Writer<'a, 'b>(&'a mut Output<'b>);

impl std::fmt::Write for Writer<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write_str(text)
    }
}

pub fn register(engine: &mut Environment<'static>) {
    engine.add_filter("string", |value: &Value| python::text(value));
    engine.add_filter("safe", Value::clone);
    engine.add_filter("list", |state: &mut State, value: &Value| {
        let items = items(value)?;
        render(state)?.copied(items.len())?;
        List::value(items)
    });
    engine.add_filter("tojson", to_json);
    engine.add_filter("join", join);
    engine.add_filter("sort", sort);
    engine.add_filter("dictsort", dictsort);
    engine.add_filter("min", |value: &Value, kwargs: Kwargs| extreme(value, &kwargs, false));
    engine.add_filter("max", |value: &Value, kwargs: Kwargs| extreme(value, &kwargs, true));
    engine.add_filter("sum", sum);
    engine.add_filter("unique", unique);
    engine.add_filter("groupby", groupby);
    engine.add_filter("map", |state: &mut State, value: Value, args: Rest<ValueOrKwargs>| {
        minijinja::filters::map(state, sequence(value), args)
    });
    engine.add_filter(
        "select",
        |state: &mut State, value: Value, test: Option<Cow<'_, str>>, args: Rest<ValueOrKwargs>| {
            minijinja::filters::select(state, sequence(value), test, args)
        },
    );
    engine.add_filter(
        "reject",
        |state: &mut State, value: Value, test: Option<Cow<'_, str>>, args: Rest<ValueOrKwargs>| {
            minijinja::filters::reject(state, sequence(value), test, args)
        },
    );
    engine.add_filter(
        "selectattr",
        |state: &mut State, value: Value, by: Cow<'_, str>, test: Option<Cow<'_, str>>, args: Rest<ValueOrKwargs>| {
            minijinja::filters::selectattr(state, sequence(value), by, test, args)
        },
    );
    engine.add_filter(
        "rejectattr",
        |state: &mut State, value: Value, by: Cow<'_, str>, test: Option<Cow<'_, str>>, args: Rest<ValueOrKwargs>| {
            minijinja::filters::rejectattr(state, sequence(value), by, test, args)
        },
    );
    engine.add_filter("first", |value: &Value| Ok::<_, Error>(items(value)?.into_iter().next().unwrap_or_default()));
    engine.add_filter("items", |value: &Value| match value.is_undefined() {
        true => List::value(Vec::new()),
        false if value.kind() != ValueKind::Map => {
            Err(runtime(format!("a value of type {} has no items", python::type_name(value))))
        }
        false => List::value(
            methods::pairs(value)?.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))).collect(),
        ),
    });
    engine.add_filter("last", last);
    engine.add_filter("reverse", reverse);
    engine.add_filter("length", length);
    engine.add_filter("count", length);
    engine.add_filter("batch", batch);
    engine.add_filter("slice", slice);
    engine.add_filter("int", int);
    engine.add_filter("float", float);
    engine.add_filter("round", round);
    engine.add_filter("abs", abs);
    engine.add_filter("attr", attr);
    engine.add_filter("format", format);
    for name in TEXT_FILTERS {
        engine.add_filter(name, move |state: &mut State, args: Rest<Value>| text_filter(state, name, &args));
    }
    for name in ["as_text", "as_bool", "as_number", "as_native"] {
        engine.add_filter(name, move |state: &mut State, value: &Value| native(state, name, value));
    }
    engine.add_filter("is_list", |value: &Value| value.kind() == ValueKind::Seq && !value.is_tuple());
    engine.add_filter("random", random);
}

/// Always the first item, so that the same project gives the same SQL.
fn random(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Map if value.is_true() => Err(runtime("`random` wants a list, not a dict")),
        _ => Ok(items(value)?.into_iter().next().unwrap_or_default()),
    }
}

/// Jinja2's `tojson` is safe in HTML, and sorts keys.
fn to_json(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let _ = indent;
    let text = python::dump_json(&python::to_strict_json(value)?, true);
    Ok(text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027"))
}

/// `attr` finds attributes, never the entries of a dict.
fn attr(value: &Value, name: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(runtime("an undefined value has no attributes"));
    }
    let is_dict =
        python::is_native_map(value) || value.downcast_object_ref::<crate::jinja::collections::Dict>().is_some();
    Ok(if is_dict { Value::UNDEFINED } else { value.get_item(name).unwrap_or_default() })
}

/// dbt's filters for YAML values; in SQL they change nothing.
fn native(state: &mut State, name: &str, value: &Value) -> Result<Value, Error> {
    if !render(state)?.native {
        return Ok(value.clone());
    }
    let Some(text) = value.as_str() else {
        return Ok(if name == "as_text" { Value::from(python::text(value)) } else { value.clone() });
    };
    let literal = match text {
        "True" => Some(Json::Bool(true)),
        "False" => Some(Json::Bool(false)),
        "None" => Some(Json::Null),
        _ => text.parse::<i64>().map(Json::from).ok().or_else(|| text.parse::<f64>().map(Json::from).ok()),
    };
    match (name, literal) {
        ("as_text", _) => Ok(value.clone()),
        ("as_native", literal) => Ok(literal.map_or_else(|| value.clone(), |json| python::from_json(&json))),
        ("as_bool", Some(Json::Bool(value))) => Ok(Value::from(value)),
        ("as_number", Some(Json::Number(number))) => Ok(python::from_json(&Json::Number(number))),
        ("as_bool", _) => Err(runtime(format!("`{text}` is neither True nor False"))),
        _ => Err(runtime(format!("`{text}` is not a number"))),
    }
}
