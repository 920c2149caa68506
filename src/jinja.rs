//! Turns dbt's Jinja into text and values, on the unmodified minijinja crate. The only user of minijinja.
//!
//! `Library` holds every macro of every package, compiled lazily and shared by all threads. A render takes a
//! `Template`, the `Scope` of a node (names with values) and a `Host`, through which the template asks medal for
//! relations, configuration and the warehouse.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;
use crate::files::{FileId, Span};

/// Keyword arguments or a mapping, in order.
pub type JsonMap = serde_json::Map<String, Json>;

/// A mistake that the host reports to a template: it becomes an error at the place of the call.
#[derive(Debug, Clone)]
pub struct HostError {
    pub kind: ErrorKind,
    pub message: String,
    /// The way out, where one is known.
    pub help: Option<String>,
}

/// What a template was doing when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    Syntax,
    /// An undefined name was called or looked into, a wrong argument, …
    Runtime,
    /// `exceptions.raise_compiler_error(…)` or a sibling of it.
    Raised,
    /// The engine refused a statement.
    Database,
    /// Too many steps, too deep, or too much text.
    Limit,
    UnknownRef,
    UnknownSource,
    MissingVar,
    MissingEnvVar,
    Secret,
    UnknownMacro,
    Unsupported,
}

/// A failed render.
#[derive(Debug, Clone)]
pub struct RenderError {
    pub kind: ErrorKind,
    pub message: String,
    pub help: Option<String>,
    /// The innermost place first, then each caller: the macro, the macro that called it, the model.
    pub frames: Vec<Span>,
}

fn unavailable(name: &str) -> HostError {
    HostError { kind: ErrorKind::Unsupported, message: format!("`{name}` is not available here"), help: None }
}

/// What a template can ask of medal. Implemented once for each phase that renders.
#[allow(unused_variables)]
pub trait Host: Send + Sync {
    /// `execute`: false while the project is parsed.
    fn execute(&self) -> bool {
        false
    }
    /// `ref([package,] name, version=…)`.
    fn reference(&self, package: Option<&str>, name: &str, version: Option<&Json>) -> Result<Relation, HostError> {
        Err(unavailable("ref"))
    }
    fn source(&self, source: &str, table: &str) -> Result<Relation, HostError> {
        Err(unavailable("source"))
    }
    /// `config(…)`: sets keys while parsing, and does nothing afterwards.
    fn set_config(&self, values: JsonMap) -> Result<(), HostError> {
        Err(unavailable("config"))
    }
    fn config(&self, key: &str) -> Option<Json> {
        None
    }
    /// `var(name)` as the package of the node sees it.
    fn var(&self, name: &str) -> Option<Json>;
    fn env_var(&self, name: &str) -> Result<Option<String>, HostError>;
    fn doc(&self, package: Option<&str>, name: &str) -> Result<String, HostError> {
        Err(HostError { kind: ErrorKind::Unsupported, message: "`doc` is not available here".into(), help: None })
    }
    /// `log(…)` and `print(…)`; `info` lines are shown to the user.
    fn log(&self, message: &str, info: bool) {}
    /// `exceptions.warn(…)`.
    fn warn(&self, message: &str) {}
    /// `graph`, made when it is first asked for.
    fn graph(&self) -> Json {
        Json::Null
    }
    /// `adapter.execute(sql, auto_begin, fetch)`; rows only when `fetch` is true. Gives dbt's response text
    /// (`OK`) and the rows.
    fn run(&self, sql: &str, auto_begin: bool, fetch: bool) -> Result<(String, Rows), HostError> {
        Err(unavailable("adapter.execute"))
    }
    /// `adapter.begin()` / `adapter.commit()`.
    fn begin(&self) -> Result<(), HostError> {
        Err(unavailable("adapter.begin"))
    }
    fn commit(&self) -> Result<(), HostError> {
        Err(unavailable("adapter.commit"))
    }
    /// `load_relation` / `adapter.get_relation`: what exists, from a cache.
    fn existing(&self, database: Option<&str>, schema: Option<&str>, identifier: &str) -> Result<Option<Relation>, HostError> {
        Err(unavailable("adapter.get_relation"))
    }
    /// `adapter.list_relations(…)`: what exists in a schema.
    fn list_relations(&self, database: Option<&str>, schema: &str) -> Result<Vec<Relation>, HostError> {
        Err(unavailable("adapter.list_relations"))
    }
    fn columns(&self, relation: &Relation) -> Result<Vec<Column>, HostError> {
        Err(unavailable("adapter.get_columns_in_relation"))
    }
    /// The names of the columns and their types that a query would give.
    fn query_columns(&self, sql: &str) -> Result<Vec<Column>, HostError> {
        Err(unavailable("adapter.get_column_schema_from_query"))
    }
    /// The cache of what exists: told by `adapter.drop_relation`, `rename_relation`, `cache_added` and so on.
    fn relation_added(&self, relation: &Relation) {}
    fn relation_dropped(&self, relation: &Relation) {}
    /// `adapter.create_schema` / `drop_schema`.
    fn create_schema(&self, database: Option<&str>, schema: &str) -> Result<(), HostError> {
        Err(unavailable("adapter.create_schema"))
    }
    fn drop_schema(&self, database: Option<&str>, schema: &str) -> Result<(), HostError> {
        Err(unavailable("adapter.drop_schema"))
    }
    /// `adapter.load_seed(relation)`: fills the table of the node's CSV file; gives the number of rows.
    fn load_seed(&self, relation: &Relation) -> Result<u64, HostError> {
        Err(unavailable("adapter.load_seed"))
    }
    /// `adapter.<name>(…)` for what has no method of its own; `None` if there is no such method.
    fn adapter_method(&self, name: &str, args: &[Json]) -> Option<Result<Json, HostError>> {
        None
    }
    /// `flags.X` (upper case names, for instance `FULL_REFRESH`).
    fn flag(&self, name: &str) -> Option<Json> {
        None
    }
}

/// A value that a caller puts into a scope.
#[derive(Debug, Clone)]
pub enum ScopeValue {
    Json(Json),
    Relation(Relation),
    /// A relation that a test or hook gets as text, for instance `{{ model }}` of a generic test.
    Text(String),
}

/// The names that a render sees besides the functions and the macros.
#[derive(Clone, Default)]
pub struct Scope {
    /// The package of the node: its macros come first, its `var`s count.
    pub package: String,
    pub values: IndexMap<String, ScopeValue>,
}

/// A macro file of a package. `dbt` is the internal package.
#[derive(Clone)]
pub struct MacroFile {
    pub package: String,
    pub file: FileId,
    pub path: Arc<str>,
    pub text: Arc<str>,
}

/// What a render gives: text, and where each part of it came from.
#[derive(Debug, Clone)]
pub struct Rendered {
    pub text: String,
    pub map: SourceMap,
}

/// From ranges of the rendered text to spans of the template, in order of the text.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    /// (start in the text, span of the template, whether the text is the template's own, byte by byte).
    pub segments: Vec<(u32, Span, bool)>,
}
