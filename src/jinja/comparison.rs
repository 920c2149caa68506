//! Compares values as Python does, which refuses to order values of different types; minijinja orders anything.

use std::cmp::Ordering;

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use crate::jinja::error::runtime;
use crate::jinja::functions::{Arguments, Function};
use crate::jinja::objects::relation::RelationObject;
use crate::jinja::operators::{self, Numbers};
use crate::jinja::python;

/// `__cmp(a, '<', b, '<=', c)`: `a < b <= c`, which in Python is `a < b and b <= c`.
pub fn compare(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let mut left = args.required(0)?;
    let mut place = 1;
    while let (Some(operator), Some(right)) = (args.positional.get(place), args.positional.get(place + 1)) {
        if !holds(state, &left, operator.as_str().unwrap_or_default(), right)? {
            return Ok(Value::from(false));
        }
        left = right.clone();
        place += 2;
    }
    Ok(Value::from(true))
}

fn holds(state: &mut State, left: &Value, operator: &str, right: &Value) -> Result<bool, Error> {
    let ordered = |wanted: fn(Ordering) -> bool| Ok(order(left, operator, right)?.is_some_and(wanted));
    match operator {
        "==" => Ok(left == right),
        "!=" => Ok(left != right),
        "in" => contains(state, right, left),
        "not in" => Ok(!contains(state, right, left)?),
        "<" => ordered(Ordering::is_lt),
        "<=" => ordered(Ordering::is_le),
        ">" => ordered(Ordering::is_gt),
        _ => ordered(Ordering::is_ge),
    }
}

fn contains(state: &mut State, container: &Value, item: &Value) -> Result<bool, Error> {
    if container.kind() == ValueKind::String && item.kind() != ValueKind::String {
        let message = format!("a text can only have texts in it, not a value of type {}", python::type_name(item));
        return Err(runtime(message));
    }
    let has_no_parts = matches!(container.kind(), ValueKind::None | ValueKind::Bool | ValueKind::Number)
        || container.downcast_object_ref::<RelationObject>().is_some()
        || container.downcast_object_ref::<Function>().is_some();
    if has_no_parts {
        return Err(runtime("`in` wants a text, a list or a dict on its right"));
    }
    minijinja::tests::is_in(state, item, container)
}

/// Which of two values comes first; `None` where nothing can be said, as with a number and NaN.
fn order(left: &Value, operator: &str, right: &Value) -> Result<Option<Ordering>, Error> {
    match operators::numbers(left, right) {
        Some(Numbers::Int(left, right)) => return Ok(Some(left.cmp(&right))),
        Some(Numbers::Float(left, right)) => return Ok(left.partial_cmp(&right)),
        None => {}
    }
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        return Ok(Some(left.cmp(right)));
    }
    let (ours, theirs) = (python::type_name(left), python::type_name(right));
    match (ours, theirs) {
        ("list", "list") | ("tuple", "tuple") => order_items(left, operator, right),
        ("object", "object") if left.downcast_object_ref::<Function>().is_none() => Ok(left.partial_cmp(right)),
        _ => Err(operators::unsupported(operator, left, right)),
    }
}

/// The first items that differ decide, else the lengths.
fn order_items(left: &Value, operator: &str, right: &Value) -> Result<Option<Ordering>, Error> {
    let (ours, theirs): (Vec<Value>, Vec<Value>) = (left.try_iter()?.collect(), right.try_iter()?.collect());
    match ours.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs) {
        Some((ours, theirs)) => order(ours, operator, theirs),
        None => Ok(Some(ours.len().cmp(&theirs.len()))),
    }
}
