//! JSON, YAML, sets, `zip` and other helpers that only work on values.

use std::sync::{Arc, Mutex};

use md5::{Digest, Md5};
use minijinja::value::{Object, ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use crate::jinja::collections::{Dict, Entries, List, bind};
use crate::jinja::error::runtime;
use crate::jinja::functions::Arguments;
use crate::jinja::methods;
use crate::jinja::modules::yaml;
use crate::jinja::objects::view::View;
use crate::jinja::python;

fn default(args: &Arguments) -> Value {
    args.get(1, "default").unwrap_or_else(|| Value::from(()))
}

/// `fromjson(text, default)`.
pub fn from_json(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Ok(serde_json::from_str::<Json>(&args.shown(0, "string")?)
        .map_or_else(|_| default(&args), |json| python::from_json(&json)))
}

/// `tojson(value, default, sort_keys=false)`.
pub fn to_json(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    match python::to_strict_json(&args.value(0, "value")?) {
        Ok(json) => Ok(Value::from(python::dump_json(&json, args.flag(2, "sort_keys", false)))),
        Err(_) => Ok(default(&args)),
    }
}

/// `fromyaml(text, default)`.
pub fn from_yaml(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Ok(yaml::parse(&args.shown(0, "value")?).map_or_else(|| default(&args), |json| python::from_json(&json)))
}

/// `toyaml(value, default, sort_keys=false)`.
pub fn to_yaml(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    match python::to_strict_json(&args.value(0, "value")?) {
        Ok(json) => Ok(Value::from(yaml::dump(&json, args.flag(2, "sort_keys", false)))),
        Err(_) => Ok(default(&args)),
    }
}

fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.as_str() {
        Some(text) => Ok(text.chars().map(Value::from).collect()),
        None if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) => {
            Ok(value.try_iter()?.collect())
        }
        None => Err(runtime(format!("a value of type {} is not iterable", python::type_name(value)))),
    }
}

/// `set(value, default)`.
pub fn set(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Ok(items(&args.value(0, "value")?).map_or_else(|_| default(&args), |items| View::set(items.into_iter())))
}

/// `set_strict(value)`.
pub fn set_strict(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    Ok(View::set(items(&args.value(0, "value")?)?.into_iter()))
}

/// `zip(a, b, …, default=none)`.
pub fn zip(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    match zipped(args.positional) {
        Ok(list) => Ok(list),
        Err(_) => Ok(args.keyword("default").unwrap_or_else(|| Value::from(()))),
    }
}

/// `zip_strict(a, b, …)`.
pub fn zip_strict(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    zipped(args.positional)
}

fn zipped(lists: &[Value]) -> Result<Value, Error> {
    let lists = lists.iter().map(items).collect::<Result<Vec<_>, _>>()?;
    let length = lists.iter().map(Vec::len).min().unwrap_or(0);
    let tuple = |at: usize| Value::from(Tuple::from(lists.iter().map(|list| list[at].clone()).collect::<Vec<_>>()));
    List::value((0..length).map(tuple).collect())
}

/// `local_md5(text)`.
pub fn local_md5(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let digest = Md5::digest(args.shown(0, "value")?.as_bytes());
    Ok(Value::from(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// `diff_of_two_dicts(a, b)`: the entries of `a`, a list each, without those of `b`.
pub fn diff_of_two_dicts(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let lower = |value: Value| value.as_str().map_or(value.clone(), |text| Value::from(text.to_lowercase()));
    let pairs = |value: Value| -> Result<Vec<(Value, Vec<Value>)>, Error> {
        methods::pairs(&value)?.into_iter().map(|(key, list)| Ok((key, items(&list)?))).collect()
    };
    let (ours, theirs) = (pairs(args.value(0, "dict_a")?)?, pairs(args.value(1, "dict_b")?)?);
    let mut out = Entries::default();
    for (key, list) in ours {
        let known: Vec<Value> = theirs
            .iter()
            .filter(|(other, _)| lower(other.clone()) == lower(key.clone()))
            .flat_map(|(_, list)| list.iter().cloned().map(lower))
            .collect();
        let rest: Vec<Value> = list.into_iter().filter(|item| !known.contains(&lower(item.clone()))).collect();
        if !rest.is_empty() {
            out.insert(key, List::value(rest)?);
        }
    }
    Dict::value(out)
}

/// `dict(…)`.
pub fn dict(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let mut entries = Entries::default();
    if let Some(value) = args.positional.first() {
        entries.extend(methods::pairs(value)?);
    }
    for (name, value) in args.keywords() {
        entries.insert(Value::from(name), bind(value)?);
    }
    Dict::value(entries)
}

/// `namespace(…)`: minijinja's own, which `set ns.a = …` needs.
pub fn namespace(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let entries = dict(state, args)?;
    let make = Value::from_function(minijinja::functions::namespace);
    make.call(state, &[entries])
}

/// Gives its values in turn: `cycler('a', 'b').next()`.
#[derive(Debug)]
struct Turns {
    values: Vec<Value>,
    at: Mutex<usize>,
    /// A joiner gives nothing the first time, and then always the same.
    joins: bool,
}

impl Turns {
    fn advance(&self) -> Value {
        let mut at = self.at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *at += 1;
        match self.joins {
            true if *at == 1 => Value::from(""),
            true => self.values[0].clone(),
            false => self.values[(*at - 1) % self.values.len()].clone(),
        }
    }
}

impl Object for Turns {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = *self.at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        (key.as_str() == Some("current")).then(|| self.values[at % self.values.len()].clone())
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, _args: &[Value]) -> Result<Value, Error> {
        Ok(self.advance())
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, _args: &[Value]) -> Result<Value, Error> {
        match name {
            "next" => Ok(self.advance()),
            "reset" => {
                *self.at.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = 0;
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

pub fn cycler(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    if args.positional.is_empty() {
        return Err(args.missing("at least one value"));
    }
    Ok(Value::from_object(Turns { values: args.positional.to_vec(), at: Mutex::new(0), joins: false }))
}

pub fn joiner(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let separator = args.get(0, "sep").unwrap_or_else(|| Value::from(", "));
    Ok(Value::from_object(Turns { values: vec![separator], at: Mutex::new(0), joins: true }))
}

/// Jinja's sample text.
pub fn lipsum(_state: &mut State, _args: Arguments) -> Result<Value, Error> {
    Ok(Value::from("Lorem ipsum dolor sit amet."))
}
