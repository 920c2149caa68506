//! Turns a render into a record of what its template asked for and was told, so that a later command knows without a
//! render that it would come to the same.
//!
//! A template is a function of its text, of the macros, and of what it asks. What can have another answer each time, and
//! what acts on the world, is not recorded: a template that does such a thing is rendered anew.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;
use crate::jinja::{Host, HostError, JsonMap, ScopeValue, render::lock};

/// What a template asked for, and the digest of what it was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Asked {
    Reference(Option<String>, String, Option<Json>, u64),
    Source(String, String, u64),
    SetConfig(JsonMap),
    Config(String, u64),
    Var(String, u64),
    EnvVar(String, u64),
    Flag(String, u64),
    Name(String, u64),
}

/// The names whose values are others in each run.
const TRANSIENT: [&str; 6] = ["run_started_at", "invocation_id", "modules", "context", "graph", "thread_id"];

/// The record of one render, which is also the host of its template.
pub struct Recorder {
    host: Arc<dyn Host>,
    asked: Mutex<Vec<Asked>>,
    /// Something was asked that is not recorded.
    is_open: AtomicBool,
}

fn digest(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn of_json(value: Option<&Json>) -> u64 {
    digest(value.map(Json::to_string))
}

pub fn of_value(value: &ScopeValue) -> u64 {
    match value {
        ScopeValue::Json(json) => of_json(Some(json)),
        ScopeValue::Lazy(make) => of_json(Some(&make())),
        ScopeValue::Relation(relation) => digest(relation),
        ScopeValue::Text(text) => digest(text),
    }
}

impl Recorder {
    pub fn new(host: Arc<dyn Host>) -> Recorder {
        Recorder { host, asked: Mutex::default(), is_open: AtomicBool::new(false) }
    }

    /// All that the template asked for, in order; none if that is not all.
    pub fn asked(&self) -> Option<Vec<Asked>> {
        (!self.is_open.load(Ordering::Relaxed)).then(|| lock(&self.asked).clone())
    }

    /// Notes that the template looks at a name, which has a value in its scope or belongs to all templates.
    pub fn name(&self, name: &str, value: Option<&ScopeValue>) {
        if TRANSIENT.contains(&name) {
            return self.opens();
        }
        let Some(value) = value else { return };
        let is_noted = |asked: &Asked| matches!(asked, Asked::Name(noted, _) if noted == name);
        if !lock(&self.asked).iter().any(is_noted) {
            self.note(Asked::Name(name.to_string(), of_value(value)));
        }
    }

    /// Notes that the template does what is not recorded.
    pub fn opens(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }

    fn note(&self, asked: Asked) {
        lock(&self.asked).push(asked);
    }

    /// An answer, noted unless it is a refusal.
    fn told<T>(&self, answer: Result<T, HostError>, asked: impl FnOnce(&T) -> Asked) -> Result<T, HostError> {
        match &answer {
            Ok(value) => self.note(asked(value)),
            Err(_) => self.opens(),
        }
        answer
    }
}

/// Asks again for all that a template asked for, with the same effects on the host, and for the digests of names.
/// True if the answers are the same.
pub fn holds(asked: &[Asked], named: impl Fn(&str) -> Option<u64>, host: &dyn Host) -> bool {
    asked.iter().all(|asked| match asked {
        Asked::Reference(package, name, version, told) => {
            host.reference(package.as_deref(), name, version.as_ref()).is_ok_and(|relation| digest(relation) == *told)
        }
        Asked::Source(source, table, told) => {
            host.source(source, table).is_ok_and(|relation| digest(relation) == *told)
        }
        Asked::SetConfig(values) => host.set_config(values.clone()).is_ok(),
        Asked::Config(key, told) => of_json(host.config(key).as_ref()) == *told,
        Asked::Var(name, told) => of_json(host.var(name).as_ref()) == *told,
        Asked::EnvVar(name, told) => host.env_var(name).is_ok_and(|value| digest(value) == *told),
        Asked::Flag(name, told) => of_json(host.flag(name).as_ref()) == *told,
        Asked::Name(name, told) => named(name) == Some(*told),
    })
}

/// Methods that are not recorded.
macro_rules! unrecorded {
    ($(fn $name:ident($($argument:ident: $type:ty),*) $(-> $answer:ty)?;)*) => {
        $(fn $name(&self, $($argument: $type),*) $(-> $answer)? {
            self.opens();
            self.host.$name($($argument),*)
        })*
    };
}

impl Host for Recorder {
    fn execute(&self) -> bool {
        self.host.execute()
    }

    fn may_miss_vars(&self) -> bool {
        self.host.may_miss_vars()
    }

    fn reference(&self, package: Option<&str>, name: &str, version: Option<&Json>) -> Result<Relation, HostError> {
        self.told(self.host.reference(package, name, version), |relation| {
            Asked::Reference(package.map(str::to_string), name.to_string(), version.cloned(), digest(relation))
        })
    }

    fn source(&self, source: &str, table: &str) -> Result<Relation, HostError> {
        self.told(self.host.source(source, table), |relation| {
            Asked::Source(source.to_string(), table.to_string(), digest(relation))
        })
    }

    fn set_config(&self, values: JsonMap) -> Result<(), HostError> {
        self.told(self.host.set_config(values.clone()), |()| Asked::SetConfig(values))
    }

    fn config(&self, key: &str) -> Option<Json> {
        let value = self.host.config(key);
        self.note(Asked::Config(key.to_string(), of_json(value.as_ref())));
        value
    }

    fn var(&self, name: &str) -> Option<Json> {
        let value = self.host.var(name);
        self.note(Asked::Var(name.to_string(), of_json(value.as_ref())));
        value
    }

    fn env_var(&self, name: &str) -> Result<Option<String>, HostError> {
        self.told(self.host.env_var(name), |value| Asked::EnvVar(name.to_string(), digest(value)))
    }

    fn flag(&self, name: &str) -> Option<Json> {
        let value = self.host.flag(name);
        self.note(Asked::Flag(name.to_string(), of_json(value.as_ref())));
        value
    }

    unrecorded! {
        fn doc(package: Option<&str>, name: &str) -> Result<String, HostError>;
        fn log(message: &str, info: bool);
        fn warn(message: &str) -> Result<(), HostError>;
        fn warn_once(message: &str);
        fn graph() -> Json;
        fn run(sql: &str, auto_begin: bool, fetch: bool) -> Result<(String, Rows), HostError>;
        fn begin() -> Result<(), HostError>;
        fn commit() -> Result<(), HostError>;
        fn existing(database: Option<&str>, schema: Option<&str>, identifier: &str)
            -> Result<Option<Relation>, HostError>;
        fn list_relations(database: Option<&str>, schema: &str) -> Result<Vec<Relation>, HostError>;
        fn columns(relation: &Relation) -> Result<Vec<Column>, HostError>;
        fn query_columns(sql: &str) -> Result<Vec<Column>, HostError>;
        fn relation_added(relation: &Relation);
        fn relation_dropped(relation: &Relation);
        fn create_schema(database: Option<&str>, schema: &str) -> Result<(), HostError>;
        fn drop_schema(database: Option<&str>, schema: &str) -> Result<(), HostError>;
        fn load_seed(relation: &Relation) -> Result<u64, HostError>;
        fn seed_rows() -> Result<Rows, HostError>;
        fn adapter_method(name: &str, args: &[Json]) -> Option<Result<Json, HostError>>;
        fn write(text: &str);
    }
}
