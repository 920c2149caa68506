//! Lists and dicts that templates can change, as in Python: minijinja's own are constants.
//!
//! A value becomes one of these where it is bound (`set`, arguments, `return`, …); see `bind`. A list or dict never
//! contains itself, and never nests deeper than `MAX_DEPTH`, so that printing and comparing always end.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::limits;
use crate::jinja::methods;
use crate::jinja::python;

pub type Entries = IndexMap<Value, Value>;

/// A list of Python.
#[derive(Debug)]
pub struct List {
    items: Mutex<Vec<Value>>,
    depth: AtomicUsize,
    /// Bytes of the texts that were added.
    kept: AtomicUsize,
}

/// A dict of Python; also stands for a set, which prints differently.
#[derive(Debug)]
pub struct Dict {
    entries: Mutex<Entries>,
    depth: AtomicUsize,
    /// Bytes of the texts that were added.
    kept: AtomicUsize,
}

/// Where a list, dict or tuple stands in memory.
type Place = *const u8;

/// How deep lists and dicts may nest.
const MAX_DEPTH: usize = 200;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn too_deep() -> Error {
    limits::error(format!("lists and dicts may nest {MAX_DEPTH} levels deep at most"))
}

fn depth_of(value: &Value) -> usize {
    if let Some(list) = value.downcast_object_ref::<List>() {
        list.depth.load(Ordering::Relaxed)
    } else if let Some(dict) = value.downcast_object_ref::<Dict>() {
        dict.depth.load(Ordering::Relaxed)
    } else if value.is_tuple() {
        tuple_depth(value, &mut 10_000)
    } else {
        0
    }
}

/// Tuples are minijinja's own and do not know how deep they are; one with very many tuples inside counts as too deep.
fn tuple_depth(value: &Value, budget: &mut usize) -> usize {
    *budget = budget.saturating_sub(1);
    if *budget == 0 {
        return MAX_DEPTH;
    }
    let items = value.downcast_object_ref::<Tuple>().map(|tuple| &tuple[..]).unwrap_or_default();
    let depths = items.iter().filter(|item| item.as_object().is_some());
    let depths = depths.map(|item| if item.is_tuple() { tuple_depth(item, budget) } else { depth_of(item) });
    depths.max().unwrap_or(0) + 1
}

fn depth_above<'a>(values: impl Iterator<Item = &'a Value>) -> Result<AtomicUsize, Error> {
    let depth = values.map(depth_of).max().unwrap_or(0) + 1;
    if depth > MAX_DEPTH { Err(too_deep()) } else { Ok(AtomicUsize::new(depth)) }
}

/// Whether a container is reachable from a value. `seen` are those that need not be looked at again.
fn reaches(value: &Value, target: Place, depth: usize, seen: &mut BTreeSet<Place>) -> Result<bool, Error> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    let (place, children): (Place, Vec<Value>) = if let Some(list) = value.downcast_object_ref::<List>() {
        (std::ptr::from_ref(list).cast(), list.items())
    } else if let Some(dict) = value.downcast_object_ref::<Dict>() {
        (std::ptr::from_ref(dict).cast(), lock(&dict.entries).values().cloned().collect())
    } else if let Some(tuple) = value.downcast_object_ref::<Tuple>() {
        (std::ptr::from_ref(tuple).cast(), tuple.to_vec())
    } else {
        return Ok(false);
    };
    if place == target || !seen.insert(place) {
        return Ok(place == target);
    }
    for child in children.iter().filter(|child| child.as_object().is_some()) {
        if reaches(child, target, depth + 1, seen)? {
            return Ok(true);
        }
    }
    Ok(false)
}

impl List {
    pub fn value(items: Vec<Value>) -> Result<Value, Error> {
        let depth = depth_above(items.iter())?;
        Ok(Value::from_object(List { items: Mutex::new(items), depth, kept: AtomicUsize::new(0) }))
    }

    pub fn items(&self) -> Vec<Value> {
        lock(&self.items).clone()
    }

    pub fn change<T>(&self, added: &[&Value], change: impl FnOnce(&mut Vec<Value>) -> T) -> Result<T, Error> {
        adopt(std::ptr::from_ref(self).cast(), &self.depth, &self.kept, added)?;
        let mut items = lock(&self.items);
        let result = change(&mut items);
        limits::length(items.len())?;
        Ok(result)
    }
}

/// Checks what a list or dict at `place` is going to hold.
fn adopt(place: Place, depth: &AtomicUsize, kept: &AtomicUsize, added: &[&Value]) -> Result<(), Error> {
    for value in added {
        if let Some(text) = value.as_str() {
            limits::kept(kept.fetch_add(text.len(), Ordering::Relaxed))?;
        } else if value.as_object().is_some() {
            if reaches(value, place, 0, &mut BTreeSet::new())? {
                return Err(Error::new(ErrorKind::InvalidOperation, "a list or dict cannot contain itself"));
            }
            grow(depth, value)?;
        }
    }
    Ok(())
}

fn grow(depth: &AtomicUsize, child: &Value) -> Result<(), Error> {
    let wanted = depth_of(child) + 1;
    if wanted > MAX_DEPTH {
        return Err(too_deep());
    }
    depth.fetch_max(wanted, Ordering::Relaxed);
    Ok(())
}

impl Dict {
    pub fn value(entries: Entries) -> Result<Value, Error> {
        let depth = depth_above(entries.values())?;
        Ok(Value::from_object(Dict { entries: Mutex::new(entries), depth, kept: AtomicUsize::new(0) }))
    }

    pub fn entries(&self) -> Entries {
        lock(&self.entries).clone()
    }

    pub fn change<T>(&self, added: &[&Value], change: impl FnOnce(&mut Entries) -> T) -> Result<T, Error> {
        adopt(std::ptr::from_ref(self).cast(), &self.depth, &self.kept, added)?;
        let mut entries = lock(&self.entries);
        let result = change(&mut entries);
        limits::length(entries.len())?;
        Ok(result)
    }
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        lock(&self.items).get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.items).len())
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        methods::list(self, state, name, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        python::write_items(f, "[", self.items(), "]")
    }
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        lock(&self.entries).get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(lock(&self.entries).keys().cloned().collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(lock(&self.entries).len())
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        methods::dict(self, state, name, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        python::write_entries(f, &self.entries())
    }
}

/// A dict with the entries of a mapping, which stay as they are.
pub fn shared_dict(mapping: &Value) -> Value {
    let pairs = mapping.as_object().and_then(|object| object.try_iter_pairs());
    Dict::value(pairs.into_iter().flatten().collect()).unwrap_or_else(|_| mapping.clone())
}

/// The value to store under a name: minijinja's own lists and dicts become ours, with everything in them.
pub fn bind(value: Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        limits::text(text.len())?;
        return Ok(value);
    }
    let Some(object) = value.as_object() else { return Ok(value) };
    if object.downcast_ref::<List>().is_some() || object.downcast_ref::<Dict>().is_some() {
        return Ok(value);
    }
    if object.downcast_ref::<Vec<Value>>().is_some() || python::is_lazy_list(&value) {
        return List::value(bind_all(value.try_iter()?)?);
    }
    if python::is_native_map(&value) {
        let pairs = object.try_iter_pairs().into_iter().flatten();
        let entries = pairs.map(|(key, value)| Ok((key, bind(value)?))).collect::<Result<Entries, Error>>()?;
        return Dict::value(entries);
    }
    let is_container = |item: &Value| matches!(item.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::Iterable);
    if let Some(tuple) = object.downcast_ref::<Tuple>().filter(|tuple| tuple.iter().any(is_container)) {
        let bound = Value::from(Tuple::from(bind_all(tuple.iter().cloned())?));
        return if depth_of(&bound) < MAX_DEPTH { Ok(bound) } else { Err(too_deep()) };
    }
    Ok(value)
}

fn bind_all(values: impl Iterator<Item = Value>) -> Result<Vec<Value>, Error> {
    values.map(bind).collect()
}
