//! The functions that templates can call: a table of names, and how arguments reach them.

pub mod adapter;
pub mod config;
pub mod constraints;
pub mod data;
pub mod dbt;
pub mod exceptions;
pub mod external;
pub mod queries;

use std::fmt;
use std::sync::Arc;

use crate::map::IndexMap;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use crate::jinja::comparison;
use crate::jinja::error::runtime;
use crate::jinja::limits;
use crate::jinja::modules;
use crate::jinja::objects::view;
use crate::jinja::operators;
use crate::jinja::python;
use crate::jinja::render::weigh;

/// The arguments of a call, by position and by name.
pub struct Arguments<'a> {
    pub function: &'a str,
    /// As minijinja gives them, with the keywords at the end.
    pub all: &'a [Value],
    pub positional: &'a [Value],
    keywords: Option<Kwargs>,
}

impl<'a> Arguments<'a> {
    pub fn new(function: &'a str, all: &'a [Value]) -> Arguments<'a> {
        let keywords = all.last().filter(|last| last.is_kwargs()).and_then(|last| Kwargs::try_from(last.clone()).ok());
        let positional = if keywords.is_some() { &all[..all.len() - 1] } else { all };
        Arguments { function, all, positional, keywords }
    }

    pub fn keyword(&self, name: &str) -> Option<Value> {
        self.keywords.as_ref()?.peek::<Value>(name).ok()
    }

    pub fn keywords(&self) -> Vec<(String, Value)> {
        let Some(keywords) = &self.keywords else { return Vec::new() };
        keywords.args().filter_map(|name| Some((name.to_string(), keywords.peek::<Value>(name).ok()?))).collect()
    }

    pub fn get(&self, position: usize, name: &str) -> Option<Value> {
        self.positional.get(position).cloned().or_else(|| self.keyword(name))
    }

    pub fn missing(&self, what: &str) -> Error {
        Error::new(ErrorKind::MissingArgument, format!("`{}` needs {what}", self.function))
    }

    pub fn required(&self, position: usize) -> Result<Value, Error> {
        self.positional.get(position).cloned().ok_or_else(|| self.missing("one more argument"))
    }

    /// An argument that must be there, by position or by name.
    pub fn value(&self, position: usize, name: &str) -> Result<Value, Error> {
        self.get(position, name).ok_or_else(|| self.missing(&format!("`{name}`")))
    }

    pub fn text(&self, position: usize) -> Result<String, Error> {
        let value = self.required(position)?;
        let wrong =
            || runtime(format!("`{}` wants a text, not a value of type {}", self.function, python::type_name(&value)));
        value.as_str().map(str::to_string).ok_or_else(wrong)
    }

    /// A text that may be given as any value, for instance a relation as SQL.
    pub fn shown(&self, position: usize, name: &str) -> Result<String, Error> {
        Ok(python::text(&self.value(position, name)?))
    }

    /// A text that may be missing or None.
    pub fn optional_text(&self, position: usize, name: &str) -> Option<String> {
        self.get(position, name)
            .filter(|value| !value.is_none() && !value.is_undefined())
            .map(|value| python::text(&value))
    }

    pub fn flag(&self, position: usize, name: &str, default: bool) -> bool {
        self.get(position, name).map_or(default, |value| value.is_true())
    }

    pub fn int(&self, position: usize, default: i64) -> Result<i64, Error> {
        self.positional.get(position).map_or(Ok(default), |value| i64::try_from(value.clone()))
    }

    pub fn width(&self, position: usize) -> Result<usize, Error> {
        limits::width(usize::try_from(self.int(position, 0)?).unwrap_or(0))
    }

    pub fn json(&self) -> Vec<Json> {
        self.positional.iter().map(python::to_json).collect()
    }
}

pub type Body = fn(&mut State, Arguments) -> Result<Value, Error>;

/// A function of ours as a value.
pub struct Function {
    pub name: &'static str,
    body: Body,
    /// Functions with attributes, for instance `config.get`.
    attributes: &'static [(&'static str, Body)],
}

impl Function {
    pub fn value(name: &'static str, body: Body) -> Value {
        Value::from_object(Function { name, body, attributes: &[] })
    }

    pub fn with_attributes(name: &'static str, body: Body, attributes: &'static [(&'static str, Body)]) -> Value {
        Value::from_object(Function { name, body, attributes })
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<function {}>", self.name)
    }
}

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        self.attributes.iter().find(|(name, _)| *name == key).map(|(name, body)| Function::value(name, *body))
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let value = (self.body)(state, Arguments::new(self.name, args)).map_err(settled)?;
        weigh(state, &value)?;
        Ok(value)
    }
}

/// An error that minijinja will not take for "this object has no such method", which would call it twice.
pub fn settled(error: Error) -> Error {
    match error.kind() {
        ErrorKind::UnknownMethod => {
            let message = error.detail().unwrap_or("unknown method").to_string();
            runtime(message).with_source(error)
        }
        _ => error,
    }
}

/// A group of functions and values by name, for instance `exceptions`.
pub struct Group {
    name: &'static str,
    members: IndexMap<&'static str, Value>,
}

impl Group {
    pub fn value(name: &'static str, members: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
        Value::from_object(Group { name, members: members.into_iter().collect() })
    }

    pub fn functions(name: &'static str, functions: &[(&'static str, Body)]) -> Value {
        Group::value(name, functions.iter().map(|(name, body)| (*name, Function::value(name, *body))))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.name)
    }
}

impl Object for Group {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.members.get(key.as_str()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.members.keys().map(|name| Value::from(*name)).collect())
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        match self.members.get(name) {
            Some(member) => member.call(state, args).map_err(settled),
            None => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.name)
    }
}

/// Everything that every template sees under a fixed name.
pub fn globals() -> IndexMap<&'static str, Value> {
    let functions: [(&'static str, Body); 45] = [
        ("ref", dbt::reference),
        ("source", dbt::source),
        ("doc", dbt::doc),
        ("metric", dbt::unsupported),
        ("function", dbt::unsupported),
        ("env_var", dbt::env_var),
        ("log", dbt::log),
        ("print", dbt::print),
        ("return", dbt::return_value),
        ("render", dbt::render_text),
        ("write", dbt::write),
        ("try_or_compiler_error", dbt::try_or_compiler_error),
        ("submit_python_job", dbt::unsupported),
        ("adapter_macro", dbt::unsupported),
        ("debug", dbt::nothing),
        ("store_result", queries::store_result),
        ("store_raw_result", queries::store_raw_result),
        ("load_result", queries::load_result),
        ("load_agate_table", queries::load_agate_table),
        ("fromjson", data::from_json),
        ("tojson", data::to_json),
        ("fromyaml", data::from_yaml),
        ("toyaml", data::to_yaml),
        ("set", data::set),
        ("set_strict", data::set_strict),
        ("zip", data::zip),
        ("zip_strict", data::zip_strict),
        ("local_md5", data::local_md5),
        ("diff_of_two_dicts", data::diff_of_two_dicts),
        ("range", |_, args| view::range(args)),
        ("dict", data::dict),
        ("namespace", data::namespace),
        ("cycler", data::cycler),
        ("joiner", data::joiner),
        ("lipsum", data::lipsum),
        ("__n", operators::bind),
        ("__it", operators::iterate),
        ("__do", dbt::nothing),
        ("__add", operators::add),
        ("__sub", operators::subtract),
        ("__mod", operators::remainder),
        ("__neg", operators::negate),
        ("__cmp", comparison::compare),
        ("__part", operators::sliceable),
        ("__invoke", dbt::invoke),
    ];
    let mut globals: IndexMap<&'static str, Value> =
        functions.iter().map(|(name, body)| (*name, Function::value(name, *body))).collect();
    globals.insert("__install", Function::value("__install", dbt::install));
    globals.insert("__reg", Function::value("__reg", dbt::register));
    globals.insert("__mark", Function::value("__mark", dbt::mark));
    globals.insert("__data", Function::value("__data", dbt::data));
    globals.insert("__yield", Function::value("__yield", dbt::keep));
    globals.insert("var", Function::with_attributes("var", config::var, &[("has_var", config::has_var)]));
    globals.insert("config", config::object());
    globals.insert("adapter", Value::from_object(adapter::Adapter));
    globals.insert("exceptions", exceptions::object());
    globals.insert("modules", modules::object());
    globals.insert("api", adapter::api());
    globals.insert("validation", config::validation());
    globals.insert("dbt_version", Value::from("1.11.16"));
    globals
}
