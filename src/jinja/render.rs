//! Runs one template: the names that it sees, the macros that it links, and what comes out.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::map::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, State, Value};
use serde_json::Value as Json;

use crate::adapter::relation::RelationKind;
use crate::jinja::collections::{self, Dict, Entries};
use crate::jinja::error::{self, Trace, runtime};
use crate::jinja::front::lexer;
use crate::jinja::front::statement::{Marks, rewrite};
use crate::jinja::library::Shared;
use crate::jinja::limits;
use crate::jinja::modules::datetime;
use crate::jinja::objects::relation::RelationObject;
use crate::jinja::objects::runtime::Resolver;
use crate::jinja::overrides;
use crate::jinja::python;
use crate::jinja::template;
use crate::jinja::trace::Recorder;
use crate::jinja::{ErrorKind, Host, HostError, Scope, ScopeValue};

/// Makes the macro that links other macros into this render, and hands it over.
pub const PRELUDE: &str = "{% macro __load(__tpl) %}{% include __tpl %}{% endmacro %}{% do __install(__load) %}";

/// The name of the template that calls a macro from outside.
pub const CALL: &str = "call";

/// What a render is given, and what it collects.
pub struct Render {
    pub shared: Arc<Shared>,
    pub host: Arc<dyn Host>,
    pub package: String,
    values: IndexMap<String, Slot>,
    /// Names that a unit test overrides, or that `context.update(…)` has added.
    overlay: Mutex<IndexMap<String, Value>>,
    /// Results of statements by name.
    pub results: Mutex<IndexMap<String, Value>>,
    /// A value from a YAML file: filters such as `as_bool` make values instead of text.
    pub native: bool,
    /// What `__invoke` calls, with its arguments.
    pub pending: Mutex<Option<(Value, Vec<Value>)>>,
    /// The value that `__invoke` or `__yield` has seen.
    pub kept: Mutex<Option<Value>>,
    /// Bytes that have been written to the output.
    written: AtomicUsize,
    /// Entries that additions of lists have copied.
    copied: AtomicUsize,
    /// Bytes of text that calls have made.
    worked: AtomicUsize,
    /// Bytes that were put out, into the text or into values.
    emitted: AtomicUsize,
    /// Texts that `render(…)` is rendering inside of each other.
    nesting: AtomicUsize,
    /// (offset in the output, number of the mark).
    pub marks: Mutex<Vec<(usize, usize)>>,
    /// Notes which names the template looks at.
    recorder: Option<Arc<Recorder>>,
}

/// The state of the macros in one render, kept by minijinja.
pub struct Link {
    pub render: Arc<Render>,
    pub load: Value,
    /// Macros of the library that this render has linked, by their number.
    pub linked: IndexMap<usize, Value>,
    /// The value of a `return` on its way to the macro that it leaves.
    pub returned: Option<Value>,
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The state of the macros, set by the prelude of every template.
pub fn link<'a>(state: &'a mut State) -> Result<&'a mut Link, Error> {
    state.get_extension_mut::<Link>().ok_or_else(|| runtime("this template was started without its prelude"))
}

pub fn render(state: &State) -> Result<Arc<Render>, Error> {
    let link = state.get_extension::<Link>();
    link.map(|link| link.render.clone()).ok_or_else(|| runtime("this template was started without its prelude"))
}

/// Counts a text that a call has made, or works on.
pub fn weigh(state: &State, value: &Value) -> Result<(), Error> {
    let bytes = value.as_str().map_or(0, str::len);
    // The prelude of a template has no render yet.
    state.get_extension::<Link>().map_or(Ok(()), |link| link.render.worked(bytes))
}

/// A value of the scope, converted when a template first looks at it.
struct Slot {
    given: ScopeValue,
    value: std::sync::OnceLock<Value>,
}

impl Slot {
    fn new(given: ScopeValue) -> Slot {
        Slot { given, value: std::sync::OnceLock::new() }
    }

    fn get(&self, name: &str) -> Value {
        self.value.get_or_init(|| scope_value(name, &self.given)).clone()
    }
}

impl Render {
    pub fn new(shared: Arc<Shared>, scope: &Scope, host: Arc<dyn Host>, native: bool) -> Arc<Render> {
        Arc::new(Render::blank(shared, scope, host, native))
    }

    /// A render of a template, which is noted.
    pub fn recorded(
        shared: Arc<Shared>,
        scope: &Scope,
        host: Arc<dyn Host>,
        recorder: Option<Arc<Recorder>>,
    ) -> Arc<Render> {
        if !scope.overrides.is_empty() {
            recorder.iter().for_each(|recorder| recorder.opens());
        }
        Arc::new(Render { recorder, ..Render::blank(shared, scope, host, false) })
    }

    fn blank(shared: Arc<Shared>, scope: &Scope, host: Arc<dyn Host>, native: bool) -> Render {
        let values = scope.values.iter().map(|(name, value)| (name.clone(), Slot::new(value.clone()))).collect();
        Render {
            host,
            package: scope.package.clone(),
            values,
            overlay: Mutex::new(overrides::values(&shared, scope)),
            shared,
            results: Mutex::default(),
            native,
            pending: Mutex::default(),
            kept: Mutex::default(),
            written: AtomicUsize::new(0),
            copied: AtomicUsize::new(0),
            worked: AtomicUsize::new(0),
            emitted: AtomicUsize::new(0),
            nesting: AtomicUsize::new(0),
            marks: Mutex::default(),
            recorder: None,
        }
    }

    /// A name as templates see it: the scope of the node, then macros, then functions.
    pub fn lookup(self: &Arc<Self>, name: &str) -> Option<Value> {
        if let Some(value) = lock(&self.overlay).get(name) {
            return Some(value.clone());
        }
        if let Some(recorder) = &self.recorder {
            recorder.name(name, self.values.get(name).map(|slot| &slot.given));
        }
        if let Some(slot) = self.values.get(name) {
            return Some(slot.get(name));
        }
        if let Some(value) = self.shared.name(&self.package, name) {
            return Some(value);
        }
        if let Some(value) = self.shared.globals.get(name) {
            return Some(value.clone());
        }
        Some(match name {
            "execute" => Value::from(self.host.execute()),
            "context" => Value::from_object(Names(self.clone())),
            "builtins" => Value::from_object(Builtins(self.shared.clone())),
            "flags" => Value::from_object(Flags(self.host.clone())),
            "graph" => Value::from_object(Graph(self.clone())),
            "__render" => Value::from_object(Handle(self.clone())),
            "project_name" => Value::from(self.shared.options.root_package.as_str()),
            _ => return None,
        })
    }

    /// `context.update(…)`: the macros must be linked again, since they have captured the names they use.
    pub fn update(&self, state: &mut State, values: Vec<(Value, Value)>) -> Result<(), Error> {
        let mut overlay = lock(&self.overlay);
        overlay.extend(values.into_iter().map(|(name, value)| (python::text(&name), value)));
        drop(overlay);
        link(state)?.linked.clear();
        Ok(())
    }

    /// Counts the entries that an addition of lists copies: in a loop, each copies all that came before.
    pub fn copied(&self, entries: usize) -> Result<(), Error> {
        match self.copied.fetch_add(entries, Ordering::Relaxed) > limits::COPIES {
            true => Err(limits::error("lists are added up again and again: `append` copies nothing")),
            false => Ok(()),
        }
    }

    /// Counts the text that a call makes.
    fn worked(&self, bytes: usize) -> Result<(), Error> {
        match self.worked.fetch_add(bytes, Ordering::Relaxed) > limits::WORK {
            true => Err(limits::error("this template makes large texts again and again")),
            false => Ok(()),
        }
    }

    /// Counts what is put out.
    pub fn emitted(&self, bytes: usize) -> Result<(), Error> {
        match self.emitted.fetch_add(bytes, Ordering::Relaxed) > limits::EMITTED {
            true => Err(limits::error("this template puts out large texts again and again")),
            false => Ok(()),
        }
    }

    pub fn mark(&self, number: usize) {
        lock(&self.marks).push((self.written.load(Ordering::Relaxed), number));
    }

    /// `render(text)`: a text of this render that is a template again.
    pub fn nested(self: &Arc<Self>, text: &str) -> Result<String, HostError> {
        let failed = |kind, message, help| HostError { kind, message, help };
        if !lexer::has_markers(text) {
            return Ok(text.to_string());
        }
        let rewritten =
            rewrite(text, PRELUDE, Marks::No).map_err(|error| failed(ErrorKind::Syntax, error.message, error.help))?;
        let written = self.written.load(Ordering::Relaxed);
        if self.nesting.fetch_add(1, Ordering::Relaxed) >= limits::NESTING {
            return Err(failed(ErrorKind::Limit, "a text renders itself again and again".to_string(), None));
        }
        let result = self.run(template::NAME, &rewritten.text);
        self.nesting.fetch_sub(1, Ordering::Relaxed);
        self.written.store(written, Ordering::Relaxed);
        result.map_err(|trace| failed(trace.kind, trace.message, trace.help))
    }

    /// Runs a rewritten template of this render.
    pub fn run(self: &Arc<Self>, name: &str, text: &str) -> Result<String, Trace> {
        let template = self.shared.engine.template_from_named_str(name, text).map_err(|error| error::trace(&error))?;
        self.run_template(&template, text.len())
    }

    /// Calls what is pending, through the one template that is made for it.
    pub fn call(self: &Arc<Self>) -> Result<String, Trace> {
        let template = self.shared.engine.get_template(CALL).map_err(|error| error::trace(&error))?;
        self.run_template(&template, 0)
    }

    fn run_template(self: &Arc<Self>, template: &minijinja::Template, size: usize) -> Result<String, Trace> {
        let mut out = Writer { bytes: Vec::with_capacity(size), render: self };
        let root = Value::from_object(Names(self.clone()));
        let result = template.render_captured_to(root, &mut out).map(|_| ());
        let bytes = out.bytes;
        result.map_err(|error| error::trace(&error))?;
        String::from_utf8(bytes).map_err(|_| error::trace(&runtime("the rendered text is not UTF-8")))
    }
}

/// Counts what is written, and stops when it is too much.
struct Writer<'a> {
    bytes: Vec<u8>,
    render: &'a Render,
}

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > limits::OUTPUT {
            return Err(io::Error::other("the rendered text is too large"));
        }
        self.bytes.extend_from_slice(bytes);
        self.render.written.store(self.bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn scope_value(name: &str, value: &ScopeValue) -> Value {
    match value {
        ScopeValue::Json(Json::String(text)) | ScopeValue::Text(text) if name == "run_started_at" => {
            datetime::parse(text).unwrap_or_else(|| Value::from(text.as_str()))
        }
        ScopeValue::Json(json) => with_times(name, json),
        ScopeValue::Lazy(make) => with_times(name, &make()),
        ScopeValue::Relation(relation) => RelationObject::value(relation.clone()),
        ScopeValue::Text(text) => Value::from(text.as_str()),
    }
}

/// The model of a batch: the times of `model.batch` are times, not texts.
fn with_times(name: &str, json: &Json) -> Value {
    let value = python::from_json(json);
    let batch = json.get("batch").filter(|_| name == "model").and_then(|_| value.get_item(&Value::from("batch")).ok());
    for key in ["event_time_start", "event_time_end"] {
        let time = json.pointer(&format!("/batch/{key}")).and_then(Json::as_str).and_then(datetime::parse);
        if let (Some(batch), Some(time)) = (&batch, time) {
            let batch = batch.downcast_object_ref::<Dict>();
            let put = |entries: &mut Entries| drop(entries.insert(Value::from(key), time.clone()));
            // A time holds nothing that could hold the dict.
            batch.into_iter().for_each(|batch| drop(batch.change(&[], put)));
        }
    }
    value
}

/// An argument of a call from outside, as a value.
pub fn argument(value: &ScopeValue) -> Value {
    scope_value("", value)
}

/// A value as JSON for the caller of a macro; a relation becomes an object with the parts of its name.
pub fn result_json(value: &Value) -> Json {
    if let Some(relation) = value.downcast_object_ref::<RelationObject>() {
        let relation = &relation.0;
        return serde_json::json!({
            "database": relation.database, "schema": relation.schema, "identifier": relation.identifier,
            "type": relation.kind.map(RelationKind::name),
        });
    }
    match value.kind() {
        minijinja::value::ValueKind::Seq | minijinja::value::ValueKind::Iterable => {
            Json::Array(value.try_iter().into_iter().flatten().map(|item| result_json(&item)).collect())
        }
        minijinja::value::ValueKind::Map => {
            let keys = value.try_iter().into_iter().flatten();
            Json::Object(
                keys.map(|key| (python::text(&key), result_json(&value.get_item(&key).unwrap_or_default()))).collect(),
            )
        }
        _ => python::to_json(value),
    }
}

/// The names of a render: the root of every template, and `context`.
struct Names(Arc<Render>);

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<context>")
    }
}

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.lookup(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.lookup(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let overlay = lock(&self.0.overlay);
        let names = self.0.values.keys().chain(overlay.keys());
        Enumerator::Values(names.map(|name| Value::from(name.as_str())).collect())
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = crate::jinja::functions::Arguments::new("context", args);
        match name {
            "update" => {
                let mut values = Vec::new();
                if let Some(other) = args.positional.first() {
                    values.extend(crate::jinja::methods::pairs(other)?);
                }
                values.extend(args.keywords().into_iter().map(|(name, value)| (Value::from(name), value)));
                self.0.update(state, values)?;
                Ok(Value::from(()))
            }
            "get" => {
                let found = self.0.lookup(&args.shown(0, "key")?);
                Ok(found.or_else(|| args.get(1, "default")).unwrap_or_else(|| Value::from(())))
            }
            _ => Err(Error::from(minijinja::ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<context>")
    }
}

/// `builtins`: the functions as they are without the project's overrides.
#[derive(Debug)]
struct Builtins(Arc<Shared>);

impl Object for Builtins {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let function = self.0.globals.get(name).cloned()?;
        Some(match name {
            "ref" | "source" => Value::from_object(Resolver { function, config: self.0.options.project.clone() }),
            _ => function,
        })
    }
}

/// `flags`.
struct Flags(Arc<dyn Host>);

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<flags>")
    }
}

impl Object for Flags {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.flag(key.as_str()?).map(|json| python::from_json(&json))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<flags>")
    }
}

/// `graph`, made when something is read from it. In a run all templates share it, and can leave something there for
/// those that come after them.
struct Graph(Arc<Render>);

impl Graph {
    fn get(&self) -> Value {
        let make = || collections::shared_dict(&python::from_json(&self.0.host.graph()));
        if self.0.host.execute() { self.0.shared.graph.get_or_init(make).clone() } else { make() }
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.get())
    }
}

impl Object for Graph {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get().as_object()?.get_value(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.get().try_iter().into_iter().flatten().collect())
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        self.get().call_method(state, name, args)
    }
}

/// Names that are neither macros nor functions, and that a caller need not put into the scope.
const NAMES: [&str; 12] = [
    "execute",
    "context",
    "builtins",
    "flags",
    "graph",
    "project_name",
    "target",
    "this",
    "model",
    "invocation_id",
    "run_started_at",
    "selected_resources",
];

/// Whether templates of a package see something by this name.
pub fn knows(shared: &Arc<Shared>, package: &str, name: &str) -> bool {
    shared.name(package, name).is_some() || shared.globals.contains_key(name) || NAMES.contains(&name)
}

/// How the prelude reaches the render.
pub struct Handle(pub Arc<Render>);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<render>")
    }
}

impl Object for Handle {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}
