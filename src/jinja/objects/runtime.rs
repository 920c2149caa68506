//! The configuration of the project as templates see it: `builtins.ref.config`, with what `dbt_project.yml` says.

use std::sync::Arc;

use minijinja::value::{Object, Value};
use minijinja::{Error, State};
use serde_json::Value as Json;

use crate::jinja::python;

/// `builtins.ref` and `builtins.source`: the function itself, and the configuration of the project that it belongs to.
#[derive(Debug)]
pub struct Resolver {
    pub function: Value,
    pub config: Arc<Json>,
}

impl Object for Resolver {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("config")).then(|| python::from_json(&self.config))
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.function.call(state, args)
    }
}
