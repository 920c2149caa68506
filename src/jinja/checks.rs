//! Jinja2's tests (`is …`), where minijinja has none or another result.

use minijinja::value::{ObjectRepr, ValueKind};
use minijinja::{Environment, Error, State, Value};

use crate::jinja::error::runtime;
use crate::jinja::functions::Function;
use crate::jinja::objects::relation::RelationObject;
use crate::jinja::proxy::{Missing, Proxy};
use crate::jinja::python;

pub fn register(engine: &mut Environment<'static>) {
    engine.add_test("__missing", |value: &Value| value.downcast_object_ref::<Missing>().is_some());
    engine.add_test("callable", callable);
    engine.add_test("filter", |state: &State, name: &Value| {
        hashable(name)?;
        Ok::<_, Error>(name.as_str().is_some_and(|name| minijinja::tests::is_filter(state, name)))
    });
    engine.add_test("test", |state: &State, name: &Value| {
        hashable(name)?;
        Ok::<_, Error>(name.as_str().is_some_and(|name| minijinja::tests::is_test(state, name)))
    });
    engine.add_test("iterable", iterable);
    engine.add_test("sequence", |value: &Value| is_iterable(value));
    engine.add_test("mapping", |value: &Value| value.kind() == ValueKind::Map);
    engine.add_test("boolean", |value: &Value| value.kind() == ValueKind::Bool);
    engine.add_test("number", |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    engine.add_test("integer", |value: &Value| value.is_integer());
    engine.add_test("float", |value: &Value| value.kind() == ValueKind::Number && !value.is_integer());
    engine.add_test("true", |value: &Value| value.kind() == ValueKind::Bool && value.is_true());
    engine.add_test("false", |value: &Value| value.kind() == ValueKind::Bool && !value.is_true());
    engine.add_test("odd", |value: &Value| remainder(value, 2.0).map(|rest| rest == 1.0));
    engine.add_test("even", |value: &Value| remainder(value, 2.0).map(|rest| rest == 0.0));
    engine.add_test("divisibleby", |value: &Value, by: f64| remainder(value, by).map(|rest| rest == 0.0));
    engine.add_test("lower", |value: &Value| cased(value, char::is_lowercase, char::is_uppercase));
    engine.add_test("upper", |value: &Value| cased(value, char::is_uppercase, char::is_lowercase));
    engine.add_test("sameas", |value: &Value, other: &Value| same(value, other));
}

/// Refuses what Python cannot look up in a dict or set: lists and dicts.
pub fn hashable(value: &Value) -> Result<(), Error> {
    match python::type_name(value) {
        kind @ ("list" | "dict") if value.downcast_object_ref::<RelationObject>().is_none() => {
            Err(runtime(format!("a value of type {kind} cannot be looked up: it can change")))
        }
        _ => Ok(()),
    }
}

fn callable(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return value.is_undefined() };
    object.downcast_ref::<Function>().is_some()
        || object.downcast_ref::<Proxy>().is_some()
        || (object.repr() == ObjectRepr::Map && value.to_string().starts_with("<macro "))
}

/// dbt's relations look like dicts and fail when they are asked for their items.
fn iterable(value: &Value) -> Result<bool, Error> {
    match value.downcast_object_ref::<RelationObject>() {
        Some(_) => Err(runtime("a relation has no items")),
        None => Ok(is_iterable(value)),
    }
}

fn is_iterable(value: &Value) -> bool {
    let is_relation = value.downcast_object_ref::<RelationObject>().is_some();
    !is_relation
        && matches!(
            value.kind(),
            ValueKind::Undefined | ValueKind::String | ValueKind::Seq | ValueKind::Iterable | ValueKind::Map
        )
}

fn remainder(value: &Value, by: f64) -> Result<f64, Error> {
    let number = match value.kind() {
        ValueKind::Bool => f64::from(u8::from(value.is_true())),
        ValueKind::Number => f64::try_from(value.clone())?,
        _ => return Err(runtime(format!("a value of type {} is not a number", python::type_name(value)))),
    };
    if by == 0.0 {
        return Err(runtime("division by zero"));
    }
    Ok(number.rem_euclid(by))
}

/// The text of the value has letters of one case, and none of the other.
fn cased(value: &Value, wanted: fn(char) -> bool, other: fn(char) -> bool) -> bool {
    let text = python::text(value);
    text.chars().any(wanted) && !text.chars().any(other)
}

/// Python's `is`: small values are the same if they are equal.
fn same(value: &Value, other: &Value) -> bool {
    value.kind() == other.kind() && value == other
}
