//! Jinja2's filters for lists, dicts and whatever else can be gone through.

use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Error, State, Value};

use crate::jinja::checks::hashable;
use crate::jinja::collections::List;
use crate::jinja::error::runtime;
use crate::jinja::functions::Arguments;
use crate::jinja::limits;
use crate::jinja::methods;
use crate::jinja::python;

/// What Python would iterate over.
pub fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::String => Ok(value.as_str().unwrap_or_default().chars().map(Value::from).collect()),
        ValueKind::Undefined => Ok(Vec::new()),
        ValueKind::None | ValueKind::Bool | ValueKind::Number => {
            Err(runtime(format!("a value of type {} is not iterable", python::type_name(value))))
        }
        _ => Ok(value.try_iter()?.collect()),
    }
}

/// A path such as `a.b.0` of a value.
fn attribute(value: &Value, path: &Value) -> Value {
    let Some(text) = path.as_str() else { return value.get_item(path).unwrap_or_default() };
    text.split('.').fold(value.clone(), |value, part| match part.parse::<usize>() {
        Ok(index) => value.get_item_by_index(index).unwrap_or_default(),
        Err(_) => value.get_attr(part).unwrap_or_default(),
    })
}

fn key_of(value: &Value, by: Option<&Value>, case_sensitive: bool) -> Value {
    let key = by.map_or_else(|| value.clone(), |path| attribute(value, path));
    match key.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => key,
    }
}

pub fn join(value: &Value, joiner: Option<Value>, by: Option<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let joiner = joiner.or_else(|| kwargs.get("d").ok()).map(|joiner| python::text(&joiner)).unwrap_or_default();
    let by: Option<Value> = by.or_else(|| kwargs.get("attribute").ok());
    let mut joined = String::new();
    for (at, item) in items(value)?.iter().enumerate() {
        if at > 0 {
            joined.push_str(&joiner);
        }
        joined.push_str(&python::text(&by.as_ref().map_or_else(|| item.clone(), |path| attribute(item, path))));
        limits::text(joined.len())?;
    }
    Ok(joined)
}

pub fn sort(
    value: &Value,
    reverse: Option<bool>,
    case_sensitive: Option<bool>,
    by: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let reverse = reverse.or_else(|| kwargs.get("reverse").ok()).unwrap_or(false);
    let case_sensitive = case_sensitive.or_else(|| kwargs.get("case_sensitive").ok()).unwrap_or(false);
    let by: Option<Value> = by.or_else(|| kwargs.get("attribute").ok());
    let paths: Vec<Value> = match by.as_ref().and_then(Value::as_str) {
        Some(text) => text.split(',').map(Value::from).collect(),
        None => by.into_iter().collect(),
    };
    let key = |item: &Value| match &paths[..] {
        [] => key_of(item, None, case_sensitive),
        paths => Value::from(paths.iter().map(|path| key_of(item, Some(path), case_sensitive)).collect::<Vec<_>>()),
    };
    let mut keyed: Vec<(Value, Value)> = items(value)?.into_iter().map(|item| (key(&item), item)).collect();
    if paths.is_empty() {
        methods::comparable(&keyed.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())?;
    }
    keyed.sort_by(|(left, _), (right, _)| if reverse { right.cmp(left) } else { left.cmp(right) });
    List::value(keyed.into_iter().map(|(_, item)| item).collect())
}

pub fn dictsort(value: &Value, kwargs: Kwargs) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Err(runtime(format!("`dictsort` wants a dict, not a value of type {}", python::type_name(value))));
    }
    let by_value = kwargs.get::<&str>("by").is_ok_and(|by| by == "value");
    let case_sensitive = kwargs.get::<bool>("case_sensitive").unwrap_or(false);
    let mut pairs = methods::pairs(value)?;
    pairs.sort_by_key(|(key, value)| key_of(if by_value { value } else { key }, None, case_sensitive));
    if kwargs.get::<bool>("reverse").unwrap_or(false) {
        pairs.reverse();
    }
    List::value(pairs.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))).collect())
}

pub fn extreme(value: &Value, kwargs: &Kwargs, largest: bool) -> Result<Value, Error> {
    let by = kwargs.get::<Value>("attribute").ok();
    let case_sensitive = kwargs.get::<bool>("case_sensitive").unwrap_or(false);
    let keyed: Vec<(Value, Value)> =
        items(value)?.into_iter().map(|item| (key_of(&item, by.as_ref(), case_sensitive), item)).collect();
    methods::comparable(&keyed.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())?;
    let mut best: Option<(Value, Value)> = None;
    for (key, item) in keyed {
        let better = best.as_ref().is_none_or(|(other, _)| if largest { key > *other } else { key < *other });
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map(|(_, item)| item).unwrap_or_default())
}

pub fn sum(
    state: &mut State,
    value: &Value,
    by: Option<Value>,
    start: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let by = by.filter(|by| !by.is_none()).or_else(|| kwargs.get::<Value>("attribute").ok());
    let mut total = start.or_else(|| kwargs.get::<Value>("start").ok()).unwrap_or_else(|| Value::from(0));
    for item in items(value)? {
        let item = by.as_ref().map_or_else(|| item.clone(), |path| attribute(&item, path));
        total = crate::jinja::operators::add(state, Arguments::new("sum", &[total, item]))?;
    }
    Ok(total)
}

pub fn unique(value: &Value, kwargs: Kwargs) -> Result<Value, Error> {
    let by = kwargs.get::<Value>("attribute").ok();
    let case_sensitive = kwargs.get::<bool>("case_sensitive").unwrap_or(false);
    let mut seen = crate::map::IndexSet::default();
    let mut kept = Vec::new();
    for item in items(value)? {
        let key = key_of(&item, by.as_ref(), case_sensitive);
        hashable(&key)?;
        if seen.insert(key) {
            kept.push(item);
        }
    }
    List::value(kept)
}

/// `groupby`: what has no such attribute cannot be put in order.
pub fn groupby(value: Value, by: Option<&str>, kwargs: Kwargs) -> Result<Value, Error> {
    let path = by.or_else(|| kwargs.peek::<&str>("attribute").ok()).unwrap_or_default();
    let all = items(&value)?;
    let is_absent = |item: &Value| attribute(item, &Value::from(path)).is_undefined();
    if all.len() > 1 && !kwargs.has("default") && all.iter().any(is_absent) {
        return Err(runtime(format!("`groupby` finds no `{path}` in one of the items")));
    }
    minijinja::filters::groupby(value, by, kwargs)
}

/// What `map`, `select` and their like go through: what is false has no items, whatever it is.
pub fn sequence(value: Value) -> Value {
    let is_empty = matches!(value.kind(), ValueKind::None | ValueKind::Bool | ValueKind::Number) && !value.is_true();
    if is_empty { Value::from(Vec::<Value>::new()) } else { value }
}

pub fn last(value: &Value) -> Result<Value, Error> {
    Ok(items(value)?.pop().unwrap_or_default())
}

pub fn reverse(value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut items = items(value)?;
    items.reverse();
    List::value(items)
}

pub fn length(value: &Value) -> Result<usize, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(0),
        ValueKind::Plain => Err(runtime("this value has no length")),
        _ => Ok(value.len().map_or_else(|| items(value).map(|items| items.len()), Ok)?),
    }
}

fn count_of(count: i64) -> Result<usize, Error> {
    usize::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| runtime("the number of items must be positive"))
}

pub fn batch(value: &Value, count: i64, fill: Option<Value>) -> Result<Value, Error> {
    let count = count_of(count)?;
    let items = items(value)?;
    let row = |chunk: &[Value]| {
        let mut row = chunk.to_vec();
        if let Some(fill) = &fill {
            row.resize(limits::width(count)?, fill.clone());
        }
        List::value(row)
    };
    List::value(items.chunks(count).map(row).collect::<Result<_, _>>()?)
}

pub fn slice(value: &Value, count: i64, fill: Option<Value>) -> Result<Value, Error> {
    let count = limits::width(count_of(count)?)?;
    let items = items(value)?;
    let (size, larger) = (items.len() / count, items.len() % count);
    let mut out = Vec::new();
    let mut at = 0;
    for index in 0..count {
        let take = size + usize::from(index < larger);
        let mut part = items[at..at + take].to_vec();
        if let Some(fill) = fill.as_ref().filter(|_| index >= larger && larger > 0) {
            part.push(fill.clone());
        }
        out.push(List::value(part)?);
        at += take;
    }
    List::value(out)
}
