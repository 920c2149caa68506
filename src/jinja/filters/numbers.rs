//! Jinja2's filters for numbers, which read texts as numbers too.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

use crate::jinja::error::runtime;
use crate::jinja::python;

pub fn int(value: &Value, default: Option<Value>, base: Option<u32>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = default.or_else(|| kwargs.get("default").ok()).unwrap_or_else(|| Value::from(0));
    let base = base.or_else(|| kwargs.get("base").ok()).unwrap_or(10);
    let from_float =
        |float: f64| if float.is_finite() { Value::from(float.trunc() as i128 as i64) } else { default.clone() };
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(runtime("an undefined value is no number")),
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => value.clone(),
        ValueKind::Number => f64::try_from(value.clone()).map_or(default.clone(), from_float),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim().replace('_', "");
            match i64::from_str_radix(&text, base.clamp(2, 36)) {
                Ok(int) => Value::from(int),
                Err(_) => text.parse::<f64>().map_or(default.clone(), from_float),
            }
        }
        _ => default,
    })
}

pub fn float(value: &Value, default: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = default.or_else(|| kwargs.get("default").ok()).unwrap_or_else(|| Value::from(0.0));
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(runtime("an undefined value is no number")),
        ValueKind::Bool => Value::from(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => f64::try_from(value.clone()).map_or(default, Value::from),
        ValueKind::String => value.as_str().unwrap_or_default().trim().parse::<f64>().map_or(default, Value::from),
        _ => default,
    })
}

pub fn round(value: &Value, precision: Option<i32>, method: Option<String>, kwargs: Kwargs) -> Result<Value, Error> {
    let precision = precision.or_else(|| kwargs.get("precision").ok()).unwrap_or(0);
    let method = method.or_else(|| kwargs.get("method").ok()).unwrap_or_else(|| "common".to_string());
    match value.kind() {
        ValueKind::Number | ValueKind::Bool => {}
        _ => return Err(runtime(format!("a value of type {} cannot be rounded", python::type_name(value)))),
    }
    if method == "common" && (value.is_integer() || value.kind() == ValueKind::Bool) {
        return if precision >= 0 {
            int(value, None, None, Kwargs::from_iter(Vec::<(String, Value)>::new()))
        } else {
            minijinja::filters::round(value.clone(), Some(precision), None, kwargs)
        };
    }
    let float = f64::try_from(value.clone())?;
    let scale = 10f64.powi(precision.clamp(-300, 300));
    Ok(Value::from(match method.as_str() {
        "ceil" => (float * scale).ceil() / scale,
        "floor" => (float * scale).floor() / scale,
        // Python rounds the decimal text of a number, and a half to the even digit.
        _ if (0..=17).contains(&precision) => format!("{float:.*}", precision as usize).parse().unwrap_or(float),
        _ => (float * scale).round_ties_even() / scale,
    }))
}

pub fn abs(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(i64::from(value.is_true()))),
        ValueKind::Number => minijinja::filters::abs(value.clone()),
        _ => Err(runtime(format!("a value of type {} has no absolute value", python::type_name(value)))),
    }
}
