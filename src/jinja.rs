//! Turns dbt's Jinja into text and values, on the unmodified minijinja crate. The only user of minijinja.
//!
//! `Library` holds every macro of every package, compiled lazily and shared by all threads. A render takes a
//! `Template`, the `Scope` of a node (names with values) and a `Host`, through which the template asks medal for
//! relations, configuration and the warehouse.

mod checks;
mod collections;
mod comparison;
mod error;
mod filters;
mod format;
mod front;
mod functions;
mod library;
mod limits;
mod methods;
mod modules;
mod objects;
mod operators;
mod overrides;
mod proxy;
mod python;
mod reading;
mod recall;
mod render;
mod template;
mod trace;

use std::ops::Range;
use std::sync::Arc;

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;
use crate::diagnostic::code::Code;
use crate::files::{FileId, Span};
use crate::jinja::trace::Recorder;

pub use crate::jinja::front::blocks::BlockKind;
pub use crate::jinja::modules::yaml::dump as python_yaml;
pub use crate::jinja::python::dump_json as python_json;
pub use crate::jinja::reading::{ReadFile, read};
pub use crate::jinja::recall::Noted;
pub use crate::jinja::template::{Facts, RefCall, SourceCall, Template};

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
    /// The columns of a query are not those of the contract.
    Contract,
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
    DuplicateMacro,
    Unsupported,
    /// A template of medal's own refuses something that has a code of its own.
    Refused(Code),
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

pub fn unavailable(name: &str) -> HostError {
    HostError { kind: ErrorKind::Unsupported, message: format!("`{name}` is not available here"), help: None }
}

/// What a template can ask of medal. Implemented once for each phase that renders.
#[allow(unused_variables)]
pub trait Host: Send + Sync {
    /// `execute`: false while the project is parsed.
    fn execute(&self) -> bool {
        false
    }
    /// Whether a variable that is not set is `none`, as in dbt while the project is parsed: what is switched off, or
    /// never run, may lack its variables.
    fn may_miss_vars(&self) -> bool {
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
    /// `exceptions.warn(…)`; an error where warnings count as errors.
    fn warn(&self, message: &str) -> Result<(), HostError> {
        Ok(())
    }
    /// `adapter.warn_once(…)`: the same message only once in a run.
    fn warn_once(&self, message: &str) {}
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
    fn existing(
        &self,
        database: Option<&str>,
        schema: Option<&str>,
        identifier: &str,
    ) -> Result<Option<Relation>, HostError> {
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
    /// `load_agate_table()`: the rows of the node's CSV file, with the types that the seed gets.
    fn seed_rows(&self) -> Result<Rows, HostError> {
        Err(unavailable("load_agate_table"))
    }
    /// `adapter.<name>(…)` for what has no method of its own; `None` if there is no such method.
    fn adapter_method(&self, name: &str, args: &[Json]) -> Option<Result<Json, HostError>> {
        None
    }
    /// `write(text)`: the SQL of a main statement, for the user to look at.
    fn write(&self, text: &str) {}
    /// `flags.X` (upper case names, for instance `FULL_REFRESH`).
    fn flag(&self, name: &str) -> Option<Json> {
        None
    }
}

/// A value that a caller puts into a scope.
#[derive(Clone)]
pub enum ScopeValue {
    Json(Json),
    /// A value that is made when a template first looks at it.
    Lazy(Arc<dyn Fn() -> Json + Send + Sync>),
    Relation(Relation),
    /// A relation that a test or hook gets as text, for instance `{{ model }}` of a generic test.
    Text(String),
}

impl ScopeValue {
    pub fn lazy(make: impl Fn() -> Json + Send + Sync + 'static) -> ScopeValue {
        ScopeValue::Lazy(Arc::new(make))
    }
}

/// The names that a render sees besides the functions and the macros.
#[derive(Clone, Default)]
pub struct Scope {
    /// The package of the node: its macros come first, its `var`s count.
    pub package: String,
    pub values: IndexMap<String, ScopeValue>,
    /// What macros give in a unit test, by name or by `package.name`.
    pub overrides: JsonMap,
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

/// How the macros of a project are found.
#[derive(Debug, Clone, Default)]
pub struct LibraryOptions {
    pub root_package: String,
    /// The type of the target: `duckdb`.
    pub adapter: String,
    /// `dispatch:` of the project: a namespace, and the packages in which its macros are looked up.
    pub dispatch: Vec<(String, Vec<String>)>,
    /// The installed packages.
    pub packages: Vec<String>,
    /// The configuration of the project, as packages read it from `builtins.ref.config`.
    pub project: Arc<Json>,
    /// Whether a package may replace a built-in materialization.
    pub packages_override: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MacroKind {
    Macro,
    /// `{% test %}`: its name begins with `test_`.
    Test,
    /// `{% materialization %}`: for an adapter, or for all.
    Materialization {
        adapter: Option<String>,
    },
}

/// A macro of a package.
#[derive(Debug, Clone)]
pub struct MacroInfo {
    /// `macro.package.name`.
    pub unique_id: String,
    pub package: String,
    pub name: String,
    pub file: FileId,
    pub path: Arc<str>,
    /// The whole block.
    pub span: Span,
    pub name_span: Span,
    /// The block as it is written.
    pub text: Arc<str>,
    pub kind: MacroKind,
    pub arguments: Vec<String>,
    /// The names that the macro calls, as they are written; of `adapter.dispatch`, `package.implementation`.
    pub calls: Vec<String>,
}

/// What a macro gives when it is called from outside.
#[derive(Debug, Clone)]
pub struct CallResult {
    /// The value as text.
    pub text: String,
    /// The value as JSON; a relation is an object with `database`, `schema`, `identifier` and `type`.
    pub json: Json,
}

/// Every macro of every package. Cheap to clone, and shared by all threads.
#[derive(Debug, Clone)]
pub struct Library {
    shared: Arc<library::Shared>,
}

impl Library {
    /// Indexes macro files. Whatever cannot be read is reported; the rest can be used.
    pub fn new(files: &[MacroFile], options: LibraryOptions) -> (Library, Vec<RenderError>) {
        Library::of(read(files), options)
    }

    /// The same of files that have been read.
    pub fn of(files: Vec<ReadFile>, options: LibraryOptions) -> (Library, Vec<RenderError>) {
        let (shared, errors) = library::build(files, options);
        (Library { shared: Arc::new(shared) }, errors)
    }

    pub fn macros(&self) -> &[MacroInfo] {
        &self.shared.macros
    }

    /// A macro as a node of `package` sees it: of its own package, of the root project, of medal itself.
    pub fn find(&self, package: &str, name: &str) -> Option<&MacroInfo> {
        self.shared.find(package, name).map(|id| &self.shared.macros[id])
    }

    /// A macro that only the root project may override, for instance `generate_schema_name`.
    pub fn find_override(&self, name: &str) -> Option<&MacroInfo> {
        self.shared.find_override(name).map(|id| &self.shared.macros[id])
    }

    /// The implementation of a materialization for an adapter.
    pub fn find_materialization(&self, name: &str, adapter: &str) -> Option<&MacroInfo> {
        self.shared.find_materialization(name, adapter).map(|id| &self.shared.macros[id])
    }

    /// Why a model of a package cannot have an incremental strategy: no macro makes its SQL.
    pub fn missing_strategy(&self, package: &str, strategy: &str) -> Option<HostError> {
        functions::adapter::find_strategy(&self.shared, package, strategy).err()
    }

    /// Whether templates of a package can call `name`, or look at it: a macro, perhaps with its package, or a function.
    pub fn knows(&self, package: &str, name: &str) -> bool {
        match name.split_once('.') {
            Some((package, name)) => self.shared.in_package(package, name).is_some(),
            None => render::knows(&self.shared, package, name),
        }
    }

    /// Whether the root project has a `ref`, `source` or `config` of its own, so that only rendering tells what a
    /// template refers to.
    pub fn overrides_references(&self) -> bool {
        let names = ["ref", "source", "config"];
        self.macros()
            .iter()
            .any(|info| names.contains(&info.name.as_str()) && info.package == self.shared.options.root_package)
    }

    /// The macros that calls of a node or macro of `package` lead to, in order and once each.
    pub fn resolve_calls<'a>(&self, package: &str, calls: impl IntoIterator<Item = &'a str>) -> Vec<&MacroInfo> {
        let mut ids = crate::map::IndexSet::default();
        for call in calls {
            ids.extend(match call.split_once('.') {
                None => self.shared.find(package, call),
                Some((namespace, name)) => self.shared.in_package(namespace, name),
            });
        }
        ids.into_iter().map(|id| &self.shared.macros[id]).collect()
    }

    /// Renders a template for a node.
    pub fn render(&self, template: &Template, scope: &Scope, host: Arc<dyn Host>) -> Result<Rendered, RenderError> {
        self.render_for(template, scope, host, None)
    }

    fn render_for(
        &self,
        template: &Template,
        scope: &Scope,
        host: Arc<dyn Host>,
        recorder: Option<Arc<Recorder>>,
    ) -> Result<Rendered, RenderError> {
        let Some(rewritten) = template.rewritten()? else { return Ok(template.as_it_is()) };
        let render = render::Render::recorded(self.shared.clone(), scope, host, recorder);
        let text = render
            .run(template::NAME, &rewritten.text)
            .map_err(|trace| self.error(trace, |range| template.place(range)))?;
        let map = template.source_map(&render::lock(&render.marks), text.len());
        Ok(Rendered { text, map })
    }

    /// Renders a value of a YAML file: one `{{ }}` alone gives its own type.
    pub fn render_value(&self, text: &str, scope: &Scope, host: Arc<dyn Host>) -> Result<Json, RenderError> {
        if !front::lexer::has_markers(text) {
            return Ok(Json::String(text.to_string()));
        }
        let (rewritten, is_single) = template::rewrite_value(text).map_err(|error| RenderError {
            kind: ErrorKind::Syntax,
            message: error.message,
            help: error.help,
            frames: Vec::new(),
        })?;
        let render = render::Render::new(self.shared.clone(), scope, host, true);
        let out = render.run(template::NAME, &rewritten).map_err(|trace| self.error(trace, |_| None))?;
        let kept = render::lock(&render.kept).take();
        match kept {
            Some(value) if is_single && value.is_undefined() => Ok(Json::String(String::new())),
            Some(value) if is_single => Ok(python::to_json(&value)),
            _ => Ok(Json::String(out)),
        }
    }

    /// Calls a macro by its unique id.
    pub fn call(
        &self,
        unique_id: &str,
        args: &[ScopeValue],
        kwargs: &[(String, ScopeValue)],
        scope: &Scope,
        host: Arc<dyn Host>,
    ) -> Result<CallResult, RenderError> {
        let parts = unique_id.strip_prefix("macro.").and_then(|rest| rest.split_once('.'));
        let Some(id) = parts.and_then(|(package, name)| self.shared.in_package(package, name)) else {
            let message = format!("there is no macro `{unique_id}`");
            return Err(RenderError { kind: ErrorKind::UnknownMacro, message, help: None, frames: Vec::new() });
        };
        let render = render::Render::new(self.shared.clone(), scope, host, false);
        let keywords = kwargs.iter().map(|(name, value)| (name.clone(), render::argument(value)));
        let keywords = minijinja::Value::from(keywords.collect::<minijinja::value::Kwargs>());
        let mut values: Vec<minijinja::Value> = args.iter().map(render::argument).collect();
        values.extend((!kwargs.is_empty()).then_some(keywords));
        *render::lock(&render.pending) = Some((self.shared.proxy(id), values));
        render.call().map_err(|trace| self.error(trace, |_| None))?;
        let value = render::lock(&render.kept).take().unwrap_or_default();
        Ok(CallResult { text: python::text(&value), json: render::result_json(&value) })
    }

    /// An error with the places of the user's files.
    fn error(&self, trace: error::Trace, own: impl Fn(Range<usize>) -> Option<Span>) -> RenderError {
        let place = |(name, range): (String, Range<usize>)| match name.as_str() {
            template::NAME => own(range),
            name => self.shared.place(name, range),
        };
        let mut frames: Vec<Span> = trace.places.into_iter().filter_map(place).collect();
        frames.dedup();
        let help = trace.help.or_else(|| self.suggestion(&trace.message, trace.kind));
        RenderError { kind: trace.kind, message: trace.message, help, frames }
    }

    /// For a name that is undefined: the macro with the nearest name.
    fn suggestion(&self, message: &str, kind: ErrorKind) -> Option<String> {
        let name =
            message.strip_suffix("` is undefined")?.strip_prefix('`').filter(|_| kind == ErrorKind::UnknownMacro)?;
        let names = self.shared.macros.iter().map(|info| info.name.as_str());
        let nearest = crate::diagnostic::nearest(name, names.chain(self.shared.globals.keys().copied()))?;
        Some(format!("did you mean `{nearest}`?"))
    }
}

/// A block of a macro, snapshot or docs file.
#[derive(Debug, Clone)]
pub struct Block {
    pub kind: BlockKind,
    pub name: String,
    pub name_span: Span,
    /// With its tags.
    pub span: Span,
    /// Between its tags.
    pub body_span: Span,
}

/// The top-level blocks of a file, in order.
pub fn blocks(file: FileId, text: &str) -> Result<Vec<Block>, RenderError> {
    let read = front::lexer::lex_blocks(text).and_then(|lexed| front::blocks::find(text, &lexed));
    let raw = read.map_err(|error| library::syntax_error(file, error))?;
    let block = |block: front::blocks::RawBlock| Block {
        kind: block.kind,
        name: block.name,
        name_span: Span::new(file, block.name_range),
        span: Span::new(file, block.range),
        body_span: Span::new(file, block.body),
    };
    Ok(raw.into_iter().map(block).collect())
}
