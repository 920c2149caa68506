//! Sequences that Python prints in a way of their own: `range(0, 3)`, `dict_items([…])`, `{1, 2}`.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexSet;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::functions::Arguments;
use crate::jinja::limits;
use crate::jinja::python;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewKind {
    Range { start: i64, stop: i64, step: i64 },
    Keys,
    Values,
    Items,
    Set,
}

#[derive(Debug)]
pub struct View {
    pub kind: ViewKind,
    items: std::sync::Mutex<Vec<Value>>,
}

impl View {
    pub fn value(kind: ViewKind, items: Vec<Value>) -> Value {
        Value::from_object(View { kind, items: std::sync::Mutex::new(items) })
    }

    /// `set(…)`: the first of equal values stays, in order.
    pub fn set(items: impl Iterator<Item = Value>) -> Value {
        let items: IndexSet<Value> = items.collect();
        View::value(ViewKind::Set, items.into_iter().collect())
    }

    pub fn items(&self) -> Vec<Value> {
        self.items.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn is_unordered(&self) -> bool {
        matches!(self.kind, ViewKind::Set | ViewKind::Keys | ViewKind::Items)
    }

    fn replace(&self, items: Vec<Value>) -> Value {
        *self.items.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = items;
        Value::from(())
    }
}

impl Object for View {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items().get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items())
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        if self.kind != ViewKind::Set {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        set_method(self, name, args)
    }

    /// Sets are equal whatever the order of their items.
    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<View>().filter(|other| self.is_unordered() && other.is_unordered())?;
        let sorted = |view: &View| view.items().into_iter().collect::<BTreeSet<_>>();
        Some(sorted(self).cmp(&sorted(other)))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items();
        match self.kind {
            ViewKind::Range { start, stop, step: 1 } => write!(f, "range({start}, {stop})"),
            ViewKind::Range { start, stop, step } => write!(f, "range({start}, {stop}, {step})"),
            ViewKind::Keys => python::write_items(f, "dict_keys([", items, "])"),
            ViewKind::Values => python::write_items(f, "dict_values([", items, "])"),
            ViewKind::Items => python::write_items(f, "dict_items([", items, "])"),
            ViewKind::Set if items.is_empty() => f.write_str("set()"),
            ViewKind::Set => python::write_items(f, "{", items, "}"),
        }
    }
}

/// `range([start,] stop[, step])`.
pub fn range(args: Arguments) -> Result<Value, Error> {
    let numbers = args.positional.iter().map(|value| i64::try_from(value.clone())).collect::<Result<Vec<_>, _>>()?;
    let (start, stop, step) = match numbers[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] if step != 0 => (start, stop, step),
        [_, _, 0] => return Err(Error::new(ErrorKind::InvalidOperation, "the step of `range` must not be 0")),
        _ => return Err(Error::new(ErrorKind::InvalidOperation, "`range` takes one to three numbers")),
    };
    let distance = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
    let count = u64::try_from(distance).unwrap_or(0).div_ceil(step.unsigned_abs());
    if count > 100_000 {
        return Err(limits::error("`range` gives 100000 numbers at most"));
    }
    let items = (0..count as i64).map(|index| Value::from(start + index * step)).collect();
    Ok(View::value(ViewKind::Range { start, stop, step }, items))
}

fn set_method(set: &View, name: &str, args: &[Value]) -> Result<Value, Error> {
    let items = set.items();
    let other = || -> Result<Vec<Value>, Error> {
        let mut all = Vec::new();
        for arg in args {
            all.extend(arg.try_iter()?);
        }
        Ok(all)
    };
    let one = || args.first().cloned().ok_or_else(|| Error::from(ErrorKind::MissingArgument));
    Ok(match name {
        "union" => View::set(items.into_iter().chain(other()?)),
        "intersection" => {
            let other = other()?;
            View::set(items.into_iter().filter(|item| other.contains(item)))
        }
        "difference" => {
            let other = other()?;
            View::set(items.into_iter().filter(|item| !other.contains(item)))
        }
        "symmetric_difference" => {
            let other = other()?;
            let ours = items.iter().filter(|item| !other.contains(item)).cloned();
            let theirs = other.iter().filter(|item| !items.contains(item)).cloned();
            View::set(ours.chain(theirs))
        }
        "issubset" => {
            let other = other()?;
            Value::from(items.iter().all(|item| other.contains(item)))
        }
        "issuperset" => Value::from(other()?.iter().all(|item| items.contains(item))),
        "isdisjoint" => Value::from(!other()?.iter().any(|item| items.contains(item))),
        "copy" => View::set(items.into_iter()),
        "add" => {
            let item = one()?;
            let new = if items.contains(&item) { items } else { items.into_iter().chain([item]).collect() };
            set.replace(new)
        }
        "update" => {
            let all: IndexSet<Value> = items.into_iter().chain(other()?).collect();
            set.replace(all.into_iter().collect())
        }
        "discard" | "remove" => {
            let item = one()?;
            set.replace(items.into_iter().filter(|other| *other != item).collect())
        }
        "pop" => {
            let mut items = items;
            if items.is_empty() {
                return Err(Error::new(ErrorKind::InvalidOperation, "pop from an empty set"));
            }
            let first = items.remove(0);
            set.replace(items);
            first
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    })
}
