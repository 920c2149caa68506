//! A macro as templates see it: binds the arguments, links the macro into the running template, and calls it there.
//!
//! minijinja's macros can be called only in the render that declared them. So each render includes the macros that it
//! needs, one by one, when they are first called.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::collections::{Dict, bind};
use crate::jinja::error::runtime;
use crate::jinja::front::blocks::Default;
use crate::jinja::functions::Arguments;
use crate::jinja::limits;
use crate::jinja::python;
use crate::jinja::render::link;

/// A macro of the library.
pub struct Proxy {
    pub id: usize,
    pub name: String,
    /// The name of its template.
    pub template: String,
    pub parameters: Vec<(String, Default)>,
    pub uses_varargs: bool,
    pub uses_kwargs: bool,
    pub uses_caller: bool,
}

/// Stands for an argument that was left out, where the macro itself computes the default.
#[derive(Debug)]
pub struct Missing;

impl Object for Missing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<macro {}>", self.name)
    }
}

impl Object for Proxy {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "name" => Some(Value::from(self.name.as_str())),
            _ => None,
        }
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let bound = self.arguments(args)?;
        let linked = self.linked(state)?;
        match linked.call(state, &bound) {
            Ok(value) => {
                limits::text(value.as_str().map_or(0, str::len))?;
                Ok(value)
            }
            Err(error) => match link(state)?.returned.take() {
                Some(value) => Ok(value),
                None => {
                    Err(Error::new(outer_kind(error.kind()), format!("in macro `{}`", self.name)).with_source(error))
                }
            },
        }
    }
}

/// An error that says "no such method" would make minijinja call the macro again.
fn outer_kind(kind: ErrorKind) -> ErrorKind {
    if kind == ErrorKind::UnknownMethod { ErrorKind::InvalidOperation } else { kind }
}

impl Proxy {
    /// The macro itself, in the running template.
    fn linked(&self, state: &mut State) -> Result<Value, Error> {
        let link_state = link(state)?;
        if let Some(found) = link_state.linked.get(&self.id) {
            return Ok(found.clone());
        }
        let load = link_state.load.clone();
        load.call(state, &[Value::from(self.template.as_str())])?;
        let found = link(state)?.linked.get(&self.id).cloned();
        found.ok_or_else(|| runtime(format!("the macro `{}` did not register itself", self.name)))
    }

    /// The arguments in the order of the rewritten macro's parameters.
    fn arguments(&self, args: &[Value]) -> Result<Vec<Value>, Error> {
        let args = Arguments::new(&self.name, args);
        let mut keywords = args.keywords();
        let mut take = |name: &str| {
            let at = keywords.iter().position(|(keyword, _)| keyword == name)?;
            Some(keywords.remove(at).1)
        };
        let mut bound = Vec::with_capacity(self.parameters.len() + 3);
        for (index, (name, default)) in self.parameters.iter().enumerate() {
            let value = match (args.positional.get(index).cloned(), take(name)) {
                (Some(_), Some(_)) => return Err(self.wrong(format!("gets `{name}` twice"))),
                (Some(value), None) | (None, Some(value)) => bind(value)?,
                (None, None) => match default {
                    Default::Undefined => Value::UNDEFINED,
                    Default::Constant(json) => python::from_json(json),
                    Default::Computed => Value::from_object(Missing),
                },
            };
            bound.push(value);
        }
        let caller = take("caller");
        let extra = args.positional.get(self.parameters.len()..).unwrap_or_default();
        if self.uses_varargs {
            bound.push(Value::from(Tuple::from(extra)));
        } else if !extra.is_empty() {
            let (most, given) = (self.parameters.len(), args.positional.len());
            return Err(self.wrong(format!("takes {most} arguments, and gets {given}")));
        }
        if self.uses_kwargs {
            let rest = keywords.into_iter().map(|(name, value)| Ok((Value::from(name), bind(value)?)));
            bound.push(Dict::value(rest.collect::<Result<_, Error>>()?)?);
        } else if let Some((name, _)) = keywords.first() {
            return Err(self.wrong(format!("has no parameter `{name}`")));
        }
        match caller {
            Some(caller) if self.uses_caller => bound.push(Value::from(Kwargs::from_iter([("caller", caller)]))),
            Some(_) => return Err(self.wrong("takes no `call` block: it does not use `caller`".to_string())),
            None => {}
        }
        Ok(bound)
    }

    fn wrong(&self, what: String) -> Error {
        Error::new(ErrorKind::TooManyArguments, format!("the macro `{}` {what}", self.name))
    }
}
