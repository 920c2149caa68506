//! The methods of Python's texts, lists and dicts.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::collections::{Dict, List, bind};
use crate::jinja::error::runtime;
use crate::jinja::filters::texts::replaced;
use crate::jinja::format;
use crate::jinja::functions::Arguments;
use crate::jinja::limits;
use crate::jinja::objects::view::{View, ViewKind};
use crate::jinja::python;
use crate::jinja::render::weigh;

fn none() -> Value {
    Value::from(())
}

/// A position as Python counts it: negative from the end, and never outside.
fn position(index: i64, length: usize) -> usize {
    let length = length as i64;
    (if index < 0 { index + length } else { index }).clamp(0, length) as usize
}

/// An index of an existing item.
fn index(args: &Arguments, at: usize, default: i64, length: usize) -> Result<usize, Error> {
    let index = args.int(at, default)?;
    let from_start = if index < 0 { index + length as i64 } else { index };
    usize::try_from(from_start).ok().filter(|at| *at < length).ok_or_else(|| runtime("list index out of range"))
}

/// `list.method(…)`.
pub fn list(list: &List, _state: &mut State, name: &str, args: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new("list method", args);
    match name {
        "append" => {
            let item = bind(args.required(0)?)?;
            list.change(&[&item], |items| items.push(item.clone()))?;
            Ok(none())
        }
        "extend" => {
            let added = iterate(&args.required(0)?)?.into_iter().map(bind).collect::<Result<Vec<_>, _>>()?;
            list.change(&added.iter().collect::<Vec<_>>(), |items| items.extend(added.iter().cloned()))?;
            Ok(none())
        }
        "insert" => {
            let at = args.int(0, 0)?;
            let item = bind(args.required(1)?)?;
            list.change(&[&item], |items| items.insert(position(at, items.len()), item.clone()))?;
            Ok(none())
        }
        "pop" => {
            let length = list.items().len();
            if length == 0 {
                return Err(runtime("pop from an empty list"));
            }
            let at = index(&args, 0, -1, length)?;
            list.change(&[], |items| items.remove(at))
        }
        "remove" => {
            let item = args.required(0)?;
            let at = list.items().iter().position(|other| *other == item);
            let at = at.ok_or_else(|| runtime("the list has no such item"))?;
            list.change(&[], |items| drop(items.remove(at)))?;
            Ok(none())
        }
        "clear" => list.change(&[], Vec::clear).map(|()| none()),
        "reverse" => list.change(&[], |items| items.reverse()).map(|()| none()),
        "sort" => {
            let sorted = sorted(list.items(), args.keyword("reverse").is_some_and(|value| value.is_true()))?;
            list.change(&[], |items| *items = sorted)?;
            Ok(none())
        }
        "copy" => List::value(list.items()),
        "count" | "index" => sequence(&list.items(), name, &args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Methods that lists and tuples share.
fn sequence(items: &[Value], name: &str, args: &Arguments) -> Result<Value, Error> {
    let item = args.required(0)?;
    match name {
        "count" => Ok(Value::from(items.iter().filter(|other| **other == item).count())),
        "index" => items
            .iter()
            .position(|other| *other == item)
            .map(Value::from)
            .ok_or_else(|| runtime("the list has no such item")),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// Sorts as Python does, which does not compare values of different types.
pub fn sorted(mut items: Vec<Value>, reverse: bool) -> Result<Vec<Value>, Error> {
    comparable(&items)?;
    items.sort();
    if reverse {
        items.reverse();
    }
    Ok(items)
}

pub fn comparable(items: &[Value]) -> Result<(), Error> {
    let class = |value: &Value| match value.kind() {
        ValueKind::Bool => ValueKind::Number,
        kind => kind,
    };
    let Some(first) = items.first() else { return Ok(()) };
    let unordered = |value: &Value| matches!(value.kind(), ValueKind::None | ValueKind::Map | ValueKind::Undefined);
    match items.iter().find(|item| class(item) != class(first) || (items.len() > 1 && unordered(item))) {
        None => Ok(()),
        Some(item) => Err(runtime(format!(
            "values of type {} and {} cannot be ordered",
            python::type_name(first),
            python::type_name(item)
        ))),
    }
}

fn iterate(value: &Value) -> Result<Vec<Value>, Error> {
    match value.as_str() {
        Some(text) => Ok(text.chars().map(Value::from).collect()),
        None if value.is_undefined() || value.is_none() => {
            Err(runtime(format!("a value of type {} is not iterable", python::type_name(value))))
        }
        None => Ok(value.try_iter()?.collect()),
    }
}

/// `dict.method(…)`.
pub fn dict(dict: &Dict, _state: &mut State, name: &str, args: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new("dict method", args);
    match name {
        "update" => {
            let mut added = Vec::new();
            if let Some(other) = args.positional.first() {
                added.extend(pairs(other)?);
            }
            for (key, value) in args.keywords() {
                added.push((Value::from(key), bind(value)?));
            }
            let values: Vec<&Value> = added.iter().map(|(_, value)| value).collect();
            dict.change(&values, |entries| entries.extend(added.iter().cloned()))?;
            Ok(none())
        }
        "setdefault" => {
            let key = args.required(0)?;
            let default = bind(args.get(1, "default").unwrap_or_else(none))?;
            dict.change(&[&default], |entries| entries.entry(key).or_insert(default.clone()).clone())
        }
        "pop" => {
            let key = args.required(0)?;
            let found = dict.change(&[], |entries| entries.shift_remove(&key))?;
            found.or_else(|| args.get(1, "default")).ok_or_else(|| runtime(format!("the dict has no key {key:?}")))
        }
        "popitem" => {
            let last = dict.change(&[], |entries| entries.pop())?;
            let (key, value) = last.ok_or_else(|| runtime("the dict is empty"))?;
            Ok(Value::from(Tuple::from([key, value])))
        }
        "clear" => dict.change(&[], |entries| entries.clear()).map(|()| none()),
        "copy" => Dict::value(dict.entries()),
        "get" | "keys" | "values" | "items" | "to_dict" => mapping(dict.entries().into_iter().collect(), name, &args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// The pairs of a dict, or of a list of pairs.
pub fn pairs(value: &Value) -> Result<Vec<(Value, Value)>, Error> {
    if value.kind() == ValueKind::Map {
        let entries = value.as_object().and_then(|object| object.try_iter_pairs());
        let entries = entries.ok_or_else(|| runtime("this mapping has no entries to go through"))?;
        return entries.map(|(key, value)| Ok((key, bind(value)?))).collect();
    }
    let mut out = Vec::new();
    for pair in iterate(value)? {
        let parts = iterate(&pair)?;
        let [key, value] = &parts[..] else { return Err(runtime("expected pairs of a key and a value")) };
        out.push((key.clone(), bind(value.clone())?));
    }
    Ok(out)
}

/// Methods of every mapping.
fn mapping(entries: Vec<(Value, Value)>, name: &str, args: &Arguments) -> Result<Value, Error> {
    Ok(match name {
        "get" => {
            let key = args.required(0)?;
            let found = entries.into_iter().find(|(other, _)| *other == key).map(|(_, value)| value);
            found.or_else(|| args.get(1, "default")).unwrap_or_else(none)
        }
        "keys" => View::value(ViewKind::Keys, entries.into_iter().map(|(key, _)| key).collect()),
        "values" => View::value(ViewKind::Values, entries.into_iter().map(|(_, value)| value).collect()),
        "items" => {
            let items = entries.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value])));
            View::value(ViewKind::Items, items.collect())
        }
        // dbt's own objects (nodes, results, the configuration) have it; here they are mappings.
        "to_dict" => Dict::value(entries.into_iter().collect())?,
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

/// Methods of values that have none of their own: texts, constants, and what filters make.
pub fn unknown(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    weigh(state, value)?;
    let result = method(state, value, name, args)?;
    weigh(state, &result)?;
    Ok(result)
}

fn method(state: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String => text(value.as_str().unwrap_or_default(), name, args).or_else(|error| match error.kind() {
            ErrorKind::UnknownMethod => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args),
            _ => Err(error),
        }),
        ValueKind::Map => {
            if python::is_native_map(value) {
                return bind(value.clone())?.call_method(state, name, args);
            }
            if name == "get" {
                let args = Arguments::new("get", args);
                let key = args.required(0)?;
                let found = value.as_object().and_then(|object| object.get_value(&key));
                return Ok(found.or_else(|| args.get(1, "default")).unwrap_or_else(none));
            }
            let pairs = value.as_object().and_then(|object| object.try_iter_pairs()).into_iter().flatten().collect();
            mapping(pairs, name, &Arguments::new("dict method", args))
        }
        ValueKind::Seq if value.is_tuple() => {
            sequence(&value.try_iter()?.collect::<Vec<_>>(), name, &Arguments::new("tuple method", args))
        }
        ValueKind::Seq | ValueKind::Iterable => match bind(value.clone())?.downcast_object::<List>() {
            Some(object) => list(&object, state, name, args),
            None => Err(Error::from(ErrorKind::UnknownMethod)),
        },
        ValueKind::Number if name == "is_integer" => {
            Ok(Value::from(f64::try_from(value.clone()).is_ok_and(|float| float.fract() == 0.0)))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// `str.method(…)`, where minijinja-contrib has none or another result.
fn text(text: &str, name: &str, args: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new("str method", args);
    Ok(match name {
        "format" => return format::format(text, args.all),
        "split" => split(text, &args, false)?,
        "rsplit" => split(text, &args, true)?,
        "splitlines" => {
            let keep = args.get(0, "keepends").is_some_and(|value| value.is_true());
            let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
            if !keep {
                lines.iter_mut().for_each(|line| *line = line.trim_end_matches(['\n', '\r']));
            }
            List::value(lines.into_iter().map(Value::from).collect())?
        }
        "join" => {
            let items = iterate(&args.required(0)?)?;
            let mut parts = Vec::new();
            for item in &items {
                parts.push(item.as_str().ok_or_else(|| {
                    runtime(format!("`join` takes texts, not a value of type {}", python::type_name(item)))
                })?);
            }
            limits::text(parts.iter().map(|part| part.len() + text.len()).sum())?;
            Value::from(parts.join(text))
        }
        "replace" => {
            let count = usize::try_from(args.int(2, -1)?).unwrap_or(usize::MAX);
            Value::from(replaced(text, &args.text(0)?, &args.text(1)?, count)?)
        }
        "title" => Value::from(title(text)),
        "capitalize" => Value::from(capitalize(text)),
        "casefold" => Value::from(text.to_lowercase()),
        "swapcase" => Value::from(swap_case(text)),
        "zfill" => Value::from(zero_fill(text, args.width(0)?)),
        "ljust" | "rjust" | "center" => Value::from(justify(text, name, &args)?),
        "partition" | "rpartition" => partition(text, &args.text(0)?, name == "partition"),
        "removeprefix" => Value::from(text.strip_prefix(args.text(0)?.as_str()).unwrap_or(text)),
        "removesuffix" => Value::from(text.strip_suffix(args.text(0)?.as_str()).unwrap_or(text)),
        "index" | "rindex" => {
            let wanted = args.text(0)?;
            let found = if name == "index" { text.find(&wanted) } else { text.rfind(&wanted) };
            let at = found.ok_or_else(|| runtime("the text has no such part"))?;
            Value::from(text[..at].chars().count())
        }
        "expandtabs" => {
            let width = limits::width(args.int(0, 8)?.max(0) as usize)?;
            limits::text(text.len().saturating_add(text.matches('\t').count().saturating_mul(width)))?;
            Value::from(expand_tabs(text, width))
        }
        "isdecimal" => Value::from(!text.is_empty() && text.chars().all(|char| char.is_numeric())),
        "isidentifier" => Value::from(is_identifier(text)),
        "istitle" => Value::from(text.chars().any(char::is_alphabetic) && title(text) == text),
        "isspace" => Value::from(!text.is_empty() && text.chars().all(char::is_whitespace)),
        "encode" | "decode" => Value::from(text),
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}

fn is_identifier(text: &str) -> bool {
    let is_part = |char: char| char == '_' || char.is_alphanumeric();
    text.chars().next().is_some_and(|first| !first.is_numeric()) && text.chars().all(is_part)
}

/// `'…'.format(…)`, with a limit for widths.
/// Refuses formats with a number of more digits than any sensible width.
pub fn checked_widths(format: &str) -> Result<(), Error> {
    let longest = format.split(|char: char| !char.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if longest > 6 && (format.contains('{') || format.contains('%')) {
        return Err(runtime("a width in this format is too large"));
    }
    Ok(())
}

fn split(text: &str, args: &Arguments, from_end: bool) -> Result<Value, Error> {
    let separator = args.get(0, "sep").filter(|value| !value.is_none());
    let limit = match args.get(1, "maxsplit") {
        Some(value) => usize::try_from(i64::try_from(value)?).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let mut parts: Vec<&str> = match separator.as_ref() {
        Some(separator) => {
            let separator = separator.as_str().ok_or_else(|| runtime("a separator must be a text"))?;
            if separator.is_empty() {
                return Err(runtime("an empty separator cannot split a text"));
            }
            if from_end {
                text.rsplitn(limit.saturating_add(1), separator).collect()
            } else {
                text.splitn(limit.saturating_add(1), separator).collect()
            }
        }
        None => split_at_spaces(text, limit, from_end),
    };
    if from_end {
        parts.reverse();
    }
    List::value(parts.into_iter().map(Value::from).collect())
}

/// Words, and the rest in one piece once the limit is reached; from the end if wanted, last part first.
fn split_at_spaces(text: &str, limit: usize, from_end: bool) -> Vec<&str> {
    let mut rest = text.trim();
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let cut = if from_end { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        match cut {
            Some(cut) if parts.len() < limit && from_end => {
                parts.push(rest[cut..].trim());
                rest = rest[..cut].trim_end();
            }
            Some(cut) if parts.len() < limit => {
                parts.push(&rest[..cut]);
                rest = rest[cut..].trim_start();
            }
            _ => {
                parts.push(rest);
                break;
            }
        }
    }
    parts
}

fn title(text: &str) -> String {
    let mut after_letter = false;
    let mut out = String::new();
    for char in text.chars() {
        if after_letter {
            out.extend(char.to_lowercase())
        } else {
            out.extend(char.to_uppercase())
        }
        after_letter = char.is_alphabetic();
    }
    out
}

pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars.flat_map(char::to_lowercase)).collect()
}

fn swap_case(text: &str) -> String {
    let swap = |char: char| {
        if char.is_uppercase() { char.to_lowercase().to_string() } else { char.to_uppercase().to_string() }
    };
    text.chars().map(swap).collect()
}

/// Spaces up to the next column that `width` divides, in the place of each tab.
fn expand_tabs(text: &str, width: usize) -> String {
    let (mut out, mut column) = (String::new(), 0_usize);
    for letter in text.chars() {
        match letter {
            '\t' => {
                let spaces = column.checked_rem(width).map_or(0, |past| width - past);
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\n' | '\r' => {
                out.push(letter);
                column = 0;
            }
            _ => {
                out.push(letter);
                column += 1;
            }
        }
    }
    out
}

fn zero_fill(text: &str, width: usize) -> String {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => text.split_at(text.len() - digits.len()),
        None => ("", text),
    };
    let missing = width.saturating_sub(text.chars().count());
    format!("{sign}{}{digits}", "0".repeat(missing))
}

fn justify(text: &str, name: &str, args: &Arguments) -> Result<String, Error> {
    let width = args.width(0)?;
    let fill = args.get(1, "fillchar").map_or(" ".to_string(), |fill| python::text(&fill));
    if fill.chars().count() != 1 {
        return Err(runtime("a text is filled up with exactly one character"));
    }
    let missing = width.saturating_sub(text.chars().count());
    let left = match name {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2 + (missing & width & 1),
    };
    Ok(format!("{}{text}{}", fill.repeat(left), fill.repeat(missing - left)))
}

fn partition(text: &str, separator: &str, first: bool) -> Value {
    let found = if first { text.split_once(separator) } else { text.rsplit_once(separator) };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if first => [text, "", ""],
        None => ["", "", text],
    };
    Value::from(Tuple::from(parts.map(Value::from)))
}
