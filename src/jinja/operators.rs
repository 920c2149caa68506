//! What the front-end puts in the place of operators that minijinja cannot overload.

use minijinja::formatting::FormatStyle;
use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, State, Value};

use crate::jinja::collections::{self, List};
use crate::jinja::error::runtime;
use crate::jinja::format;
use crate::jinja::functions::Arguments;
use crate::jinja::limits;
use crate::jinja::methods;
use crate::jinja::modules::datetime;
use crate::jinja::objects::relation::RelationObject;
use crate::jinja::objects::view::{View, ViewKind};
use crate::jinja::python;
use crate::jinja::render::render;

/// `__n(value)`: the value to store under a name.
pub fn bind(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    collections::bind(args.required(0)?)
}

/// `__it(value)`: what a loop goes through.
pub fn iterate(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let value = args.required(0)?;
    match value.kind() {
        ValueKind::Undefined => Ok(value),
        ValueKind::String => List::value(value.as_str().unwrap_or_default().chars().map(Value::from).collect()),
        ValueKind::Seq | ValueKind::Map => collections::bind(value),
        ValueKind::Iterable => collections::bind(value),
        ValueKind::Plain => value.try_iter().map(|_| value.clone()),
        _ => Err(runtime(format!("a value of type {} is not iterable", python::type_name(&value)))),
    }
}

fn operands(args: &Arguments) -> Result<(Value, Value), Error> {
    Ok((args.required(0)?, args.required(1)?))
}

/// What Python says of an operator between values of these types.
pub fn unsupported(operator: &str, left: &Value, right: &Value) -> Error {
    let (left, right) = (python::type_name(left), python::type_name(right));
    runtime(format!("`{operator}` is not defined for values of type {left} and {right}"))
}

/// Two numbers of one type; truth values count as 0 and 1.
pub enum Numbers {
    Int(i128, i128),
    Float(f64, f64),
}

pub fn numbers(left: &Value, right: &Value) -> Option<Numbers> {
    let is_number = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if !is_number(left) || !is_number(right) {
        return None;
    }
    let is_int = |value: &Value| value.is_integer() || value.kind() == ValueKind::Bool;
    if is_int(left) && is_int(right) {
        let int = |value: &Value| {
            if value.kind() == ValueKind::Bool {
                Ok(i128::from(value.is_true()))
            } else {
                i128::try_from(value.clone())
            }
        };
        return Some(Numbers::Int(int(left).ok()?, int(right).ok()?));
    }
    let float = |value: &Value| {
        if value.kind() == ValueKind::Bool {
            Ok(f64::from(u8::from(value.is_true())))
        } else {
            f64::try_from(value.clone())
        }
    };
    Some(Numbers::Float(float(left).ok()?, float(right).ok()?))
}

fn int(value: Option<i128>) -> Result<Value, Error> {
    let value = value.ok_or_else(|| runtime("the number is too large"))?;
    Ok(i64::try_from(value).map_or_else(|_| Value::from(value), Value::from))
}

/// `__add(a, b)`: `a + b`.
pub fn add(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let (left, right) = operands(&args)?;
    match numbers(&left, &right) {
        Some(Numbers::Int(left, right)) => return int(left.checked_add(right)),
        Some(Numbers::Float(left, right)) => return Ok(Value::from(left + right)),
        None => {}
    }
    if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
        limits::text(left.len() + right.len())?;
        return Ok(Value::from(format!("{left}{right}")));
    }
    if let Some(result) = datetime::add(&left, &right) {
        return result;
    }
    let is_list = |value: &Value| matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) && !is_view(value);
    if is_list(&left) && is_list(&right) && left.is_tuple() == right.is_tuple() {
        let items: Vec<Value> = left.try_iter()?.chain(right.try_iter()?).collect();
        limits::length(items.len())?;
        render(state)?.copied(items.len())?;
        limits::kept(items.iter().filter_map(Value::as_str).map(str::len).sum())?;
        let items = items.into_iter().map(collections::bind).collect::<Result<Vec<_>, _>>()?;
        return if left.is_tuple() { Ok(Value::from(Tuple::from(items))) } else { List::value(items) };
    }
    Err(unsupported("+", &left, &right))
}

fn is_view(value: &Value) -> bool {
    value.downcast_object_ref::<View>().is_some()
}

/// `__sub(a, b)`: `a - b`.
pub fn subtract(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let (left, right) = operands(&args)?;
    match numbers(&left, &right) {
        Some(Numbers::Int(left, right)) => return int(left.checked_sub(right)),
        Some(Numbers::Float(left, right)) => return Ok(Value::from(left - right)),
        None => {}
    }
    if let Some(result) = datetime::subtract(&left, &right) {
        return result;
    }
    if let (Some(ours), Some(theirs)) = (left.downcast_object_ref::<View>(), right.downcast_object_ref::<View>())
        && !matches!(ours.kind, ViewKind::Range { .. } | ViewKind::Values)
    {
        let theirs = theirs.items();
        return Ok(View::set(ours.items().into_iter().filter(|item| !theirs.contains(item))));
    }
    Err(unsupported("-", &left, &right))
}

/// `__neg(a)`: `-a`.
pub fn negate(state: &mut State, args: Arguments) -> Result<Value, Error> {
    subtract(state, Arguments::new("-", &[Value::from(0), args.required(0)?]))
}

/// `__part(value)`: what `[a:b]` is taken of. What has no parts gives nothing, as in Jinja2.
pub fn sliceable(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let value = args.required(0)?;
    match value.kind() {
        ValueKind::Undefined => Err(runtime("a value that is not defined has no parts")),
        _ if value.downcast_object_ref::<RelationObject>().is_some() => Err(runtime("a relation has no parts")),
        ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::Map => Ok(Value::from("")),
        _ => Ok(value),
    }
}

/// `__mod(a, b)`: the remainder, or a text with `%s` in it.
pub fn remainder(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let (left, right) = operands(&args)?;
    if let Some(format) = left.as_str() {
        return format_percent(format, &right);
    }
    match numbers(&left, &right) {
        Some(Numbers::Int(_, 0)) => Err(runtime("division by zero")),
        Some(Numbers::Int(left, right)) => int(left
            .checked_rem(right)
            .map(|rest| if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest })),
        Some(Numbers::Float(left, right)) if right != 0.0 => Ok(Value::from(left - right * (left / right).floor())),
        Some(Numbers::Float(..)) => Err(runtime("division by zero")),
        None => {
            let _ = state;
            Err(unsupported("%", &left, &right))
        }
    }
}

/// `'%s' % value`.
fn format_percent(format: &str, value: &Value) -> Result<Value, Error> {
    methods::checked_widths(format)?;
    let args: Vec<Value> = match value.kind() {
        _ if value.is_tuple() => value.try_iter()?.collect(),
        _ => vec![value.clone()],
    };
    let used = format.replace("%%", "").matches('%').count();
    let by_name = format.contains("%(");
    if !by_name && used != args.len() && !(used == 0 && value.kind() == ValueKind::Map) {
        return Err(runtime(format!("the text has {used} places for values, and gets {}", args.len())));
    }
    printf(format, args).map(Value::from)
}

/// The text with the values in their places; as in Python, `%d` takes the whole part of any number, and `%r` shows a
/// value as code.
pub fn printf(format: &str, mut args: Vec<Value>) -> Result<String, Error> {
    let mut shown = String::new();
    let mut args_left = args.iter_mut();
    let mut rest = format;
    while let Some((before, place)) = rest.split_once('%') {
        shown.push_str(before);
        shown.push('%');
        let at = place.find(|c: char| c == '%' || c.is_ascii_alphabetic()).unwrap_or(place.len());
        let (flags, end) = place.split_at(at);
        let conversion = end.chars().next();
        shown.push_str(flags);
        match (conversion, if conversion == Some('%') { None } else { args_left.next() }) {
            (Some('d' | 'i'), Some(arg)) if !arg.is_integer() => {
                let float = f64::try_from(arg.clone()).ok().filter(|float| float.abs() < 1e18);
                *arg = float.map_or(arg.clone(), |float| Value::from(float.trunc() as i64));
                shown.extend(conversion);
            }
            (Some('r' | 'a'), Some(arg)) if !flags.starts_with('(') => {
                *arg = Value::from(format::shown(arg, "r")?);
                shown.push('s');
            }
            _ => shown.extend(conversion),
        }
        rest = &end[conversion.map_or(0, char::len_utf8)..];
    }
    shown.push_str(rest);
    minijinja::formatting::format(FormatStyle::Printf, &shown, &args)
}
