//! Turns the overrides of a unit test into values that templates see in the place of macros and names.

use std::fmt;
use std::sync::Arc;

use crate::map::IndexMap;
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, State, Value};

use crate::jinja::Scope;
use crate::jinja::library::{INTERNAL, Shared};
use crate::jinja::python;

/// The names that are overridden. What is said of a name alone counts before what is said of `dbt.name`.
pub fn values(shared: &Arc<Shared>, scope: &Scope) -> IndexMap<String, Value> {
    let mut names: IndexMap<String, Value> = IndexMap::default();
    let mut packages: IndexMap<&str, IndexMap<String, Value>> = IndexMap::default();
    for (key, given) in &scope.overrides {
        if let Some((package, name)) = key.split_once('.') {
            let value = constant(python::from_json(given));
            packages.entry(package).or_default().insert(name.to_string(), value.clone());
            if package == INTERNAL && !scope.overrides.contains_key(name) {
                names.insert(name.to_string(), value);
            }
        }
    }
    for (key, given) in scope.overrides.iter().filter(|(key, _)| !key.contains('.')) {
        let value = python::from_json(given);
        let value = if shared.find(&scope.package, key).is_some() { constant(value) } else { value };
        names.insert(key.clone(), value.clone());
        if shared.in_package(INTERNAL, key).is_some() {
            packages.entry(INTERNAL).or_default().insert(key.clone(), value);
        }
    }
    names
        .extend(packages.into_iter().map(|(package, macros)| (package.to_string(), shared.namespace(package, macros))));
    names
}

/// A macro that gives the same value whatever its arguments are.
fn constant(value: Value) -> Value {
    Value::from_object(Constant(value))
}

struct Constant(Value);

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<overridden macro>")
    }
}

impl Object for Constant {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, _args: &[Value]) -> Result<Value, Error> {
        Ok(self.0.clone())
    }
}
