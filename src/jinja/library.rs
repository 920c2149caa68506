//! Turns macro files into one index of macros, found by name in dbt's order.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::map::{IndexMap, IndexSet};
use minijinja::value::{Enumerator, Object};
use minijinja::{Environment, Error, State, UndefinedBehavior, Value};

use crate::adapter;
use crate::files::{FileId, Span};
use crate::jinja::error;
use crate::jinja::front::SyntaxError;
use crate::jinja::front::blocks::MacroTemplate;
use crate::jinja::front::edits::EditMap;
use crate::jinja::front::expression::Call;
use crate::jinja::proxy::Proxy;
use crate::jinja::reading::ReadFile;
use crate::jinja::render::{CALL, PRELUDE};
use crate::jinja::{ErrorKind, LibraryOptions, MacroInfo, RenderError};
use crate::jinja::{checks, filters, functions, limits, methods};
use crate::notes;

/// The package of the macros that medal brings along.
pub const INTERNAL: &str = "dbt";

/// The macros of all packages, shared by every render.
pub struct Shared {
    pub options: LibraryOptions,
    pub macros: Vec<MacroInfo>,
    maps: Vec<EditMap>,
    packages: IndexMap<String, IndexMap<String, usize>>,
    proxies: Vec<Value>,
    pub globals: IndexMap<&'static str, Value>,
    pub engine: Environment<'static>,
    /// `graph` of a run.
    pub graph: OnceLock<Value>,
    /// Of all macros, and of how they are found.
    pub digest: String,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} macros>", self.macros.len())
    }
}

/// Puts macro files together; what could not be read is reported, and the rest can be used.
pub fn build(files: Vec<ReadFile>, options: LibraryOptions) -> (Shared, Vec<RenderError>) {
    let mut shared = Shared {
        digest: digest(&files, &options),
        options,
        macros: Vec::new(),
        maps: Vec::new(),
        packages: IndexMap::default(),
        proxies: Vec::new(),
        globals: functions::globals(),
        engine: engine(),
        graph: OnceLock::new(),
    };
    let mut errors = Vec::new();
    let mut texts: IndexMap<String, String> = IndexMap::default();
    let mut calls = Vec::new();
    for ReadFile { file, macros } in files {
        match macros {
            Ok(macros) => macros.into_iter().for_each(|read| match read {
                Ok((info, template)) => add(&mut shared, info, template, &mut texts, &mut calls, &mut errors),
                Err(error) => errors.push(syntax_error(file.file, error)),
            }),
            Err(error) => errors.push(syntax_error(file.file, error)),
        }
    }
    for (id, calls) in calls.into_iter().enumerate() {
        shared.macros[id].calls = static_calls(&shared, &shared.macros[id].package, &calls);
    }
    shared.engine.set_loader(move |name| Ok(texts.get(name).cloned()));
    (shared, errors)
}

fn digest(files: &[ReadFile], options: &LibraryOptions) -> String {
    let mut text = format!("{options:?}");
    for ReadFile { file, .. } in files {
        text.extend(["\0", &file.package, "\0", &file.path, "\0", &file.text]);
    }
    notes::digest(&text)
}

pub fn syntax_error(file: FileId, error: SyntaxError) -> RenderError {
    RenderError {
        kind: ErrorKind::Syntax,
        message: error.message,
        help: error.help,
        frames: vec![Span::new(file, error.range)],
    }
}

fn add(
    shared: &mut Shared,
    info: MacroInfo,
    template: MacroTemplate,
    texts: &mut IndexMap<String, String>,
    calls: &mut Vec<Vec<Call>>,
    errors: &mut Vec<RenderError>,
) {
    let id = shared.macros.len();
    let package = shared.packages.entry(info.package.clone()).or_default();
    if let Some(first) = package.get(&info.name) {
        let message = format!("the package `{}` has two macros `{}`", info.package, info.name);
        let frames = vec![info.name_span, shared.macros[*first].span];
        let help = Some("rename one of them, or delete it".to_string());
        errors.push(RenderError { kind: ErrorKind::DuplicateMacro, message, help, frames });
    }
    package.insert(info.name.clone(), id);
    texts.insert(template_name(id), template.rewritten.text);
    shared.maps.push(template.rewritten.map);
    shared.proxies.push(Value::from_object(Proxy {
        id,
        name: info.name.clone(),
        template: template_name(id),
        parameters: template.parameters,
        uses_varargs: template.uses_varargs,
        uses_kwargs: template.uses_kwargs,
        uses_caller: template.uses_caller,
    }));
    shared.macros.push(info);
    calls.push(template.rewritten.calls);
}

fn template_name(id: usize) -> String {
    format!("m{id}")
}

/// The macro that a template of the engine holds.
pub fn macro_of(template: &str) -> Option<usize> {
    template.strip_prefix('m')?.parse().ok()
}

/// The names of the macros that calls lead to; of a dispatch, the implementation.
pub fn static_calls(shared: &Shared, package: &str, calls: &[Call]) -> Vec<String> {
    let mut names = IndexSet::default();
    // A call stands before those in its arguments.
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| call.name_range.start);
    for call in calls {
        if call.name != "adapter.dispatch" {
            names.insert(call.name.clone());
            continue;
        }
        let arguments = call.arguments.as_deref().unwrap_or_default();
        let mut texts = arguments.iter().filter_map(|argument| argument.value.as_str());
        let (Some(name), namespace) = (texts.next(), texts.next()) else { continue };
        if let Some(id) = shared.dispatch(package, name, namespace) {
            names.insert(format!("{}.{}", shared.macros[id].package, shared.macros[id].name));
        }
    }
    names.into_iter().collect()
}

/// The engine with Python's filters, tests and methods.
fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Lenient);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_unknown_method_callback(methods::unknown);
    engine.set_formatter(filters::write_value);
    engine.set_debug(true);
    engine.set_fuel(Some(limits::FUEL));
    engine.set_recursion_limit(limits::RECURSION);
    for name in ["range", "dict", "debug", "namespace"] {
        engine.remove_global(name);
    }
    let call = engine.add_template_owned(CALL, format!("{PRELUDE}{{% do __invoke() %}}"));
    call.expect("the template is ours");
    filters::register(&mut engine);
    checks::register(&mut engine);
    engine
}

impl Shared {
    pub fn in_package(&self, package: &str, name: &str) -> Option<usize> {
        self.packages.get(package)?.get(name).copied()
    }

    /// A macro by dbt's order: the package of the node, the root project, medal's own.
    pub fn find(&self, package: &str, name: &str) -> Option<usize> {
        let root = self.options.root_package.as_str();
        [package, root, INTERNAL].iter().find_map(|package| self.in_package(package, name))
    }

    /// A macro that only the root project may override, for instance `generate_schema_name`.
    pub fn find_override(&self, name: &str) -> Option<usize> {
        let root = self.options.root_package.as_str();
        [root, INTERNAL].iter().find_map(|package| self.in_package(package, name))
    }

    /// The implementation of a materialization: for the adapter before any; the root project before medal's own. A
    /// package counts only for what medal does not bring along, unless the project says otherwise.
    pub fn find_materialization(&self, name: &str, adapter: &str) -> Option<usize> {
        let names = [adapter, "default"].map(|adapter| format!("materialization_{name}_{adapter}"));
        let is_internal = names.iter().any(|name| self.in_package(INTERNAL, name).is_some());
        let may = !is_internal || self.options.packages_override;
        let packages = self.packages.keys().map(String::as_str).filter(|name| may && *name != INTERNAL);
        let root = [self.options.root_package.as_str()].into_iter();
        let order: Vec<&str> = root.chain(packages).chain([INTERNAL]).collect();
        names.iter().find_map(|name| order.iter().find_map(|package| self.in_package(package, name)))
    }

    /// `adapter.dispatch(name, namespace)`: the macro for the adapter, then, outside of what medal brings along, the one
    /// for an engine whose SQL the adapter understands, then the default one.
    pub fn dispatch(&self, package: &str, name: &str, namespace: Option<&str>) -> Option<usize> {
        let packages = self.dispatch_packages(namespace);
        let own = [package, self.options.root_package.as_str(), INTERNAL];
        let at = |package: &str, prefix: &str| self.in_package(package, &format!("{prefix}__{name}"));
        let related = |package: &str| {
            let known = adapter::understands(&self.options.adapter).iter();
            known.filter(|_| package != INTERNAL).find_map(|prefix| at(package, prefix))
        };
        if packages.is_empty() {
            let first = own.iter().find_map(|package| at(package, &self.options.adapter));
            let second = || own.iter().find_map(|package| related(package));
            return first.or_else(second).or_else(|| own.iter().find_map(|package| at(package, "default")));
        }
        packages.iter().find_map(|package| {
            at(package, &self.options.adapter).or_else(|| related(package)).or_else(|| at(package, "default"))
        })
    }

    /// The packages in which a dispatch looks; none if it looks as every name does.
    fn dispatch_packages<'a>(&'a self, namespace: Option<&'a str>) -> Vec<&'a str> {
        let Some(namespace) = namespace else { return Vec::new() };
        if let Some((_, order)) = self.options.dispatch.iter().find(|(name, _)| name == namespace) {
            return order.iter().map(String::as_str).collect();
        }
        let known = self.options.packages.iter().any(|package| package == namespace);
        if known || self.packages.contains_key(namespace) {
            return vec![&self.options.root_package, namespace];
        }
        Vec::new()
    }

    pub fn proxy(&self, id: usize) -> Value {
        self.proxies[id].clone()
    }

    /// What a bare name stands for: a macro, or a package as a namespace.
    pub fn name(self: &Arc<Self>, package: &str, name: &str) -> Option<Value> {
        if let Some(id) = self.find(package, name) {
            return Some(self.proxy(id));
        }
        let (name, _) = self.packages.get_key_value(name)?;
        Some(self.namespace(name, IndexMap::default()))
    }

    /// A package as templates see it, with values in the place of some of its macros.
    pub fn namespace(self: &Arc<Self>, package: &str, overrides: IndexMap<String, Value>) -> Value {
        Value::from_object(Namespace { shared: self.clone(), package: package.to_string(), overrides })
    }

    /// The place in the user's file that a range of a macro's template came from.
    pub fn place(&self, template: &str, range: std::ops::Range<usize>) -> Option<Span> {
        let id = macro_of(template)?;
        // What comes with medal is no place where a user can mend something.
        let info = self.macros.get(id).filter(|info| info.package != INTERNAL)?;
        let start = info.span.start as usize;
        let range = self.maps.get(id)?.source(range)?;
        let inner = error::widened(&info.text, range.start.checked_sub(start)?..range.end.checked_sub(start)?);
        Some(Span::new(info.file, inner.start + start..inner.end + start))
    }
}

/// A package as templates see it: `dbt_utils.star`.
#[derive(Debug)]
struct Namespace {
    shared: Arc<Shared>,
    package: String,
    overrides: IndexMap<String, Value>,
}

impl Object for Namespace {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let overridden = self.overrides.get(key).cloned();
        overridden.or_else(|| self.shared.in_package(&self.package, key).map(|id| self.shared.proxy(id)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let names = self.shared.packages.get(&self.package).into_iter().flat_map(|macros| macros.keys());
        Enumerator::Values(names.map(|name| Value::from(name.as_str())).collect())
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        if let Some(value) = self.overrides.get(name) {
            return value.call(state, args);
        }
        match self.shared.in_package(&self.package, name) {
            Some(id) => self.shared.proxies[id].call(state, args),
            None => {
                let names = self.shared.packages.get(&self.package).into_iter().flat_map(|macros| macros.keys());
                let nearest = crate::diagnostic::nearest(name, names.map(String::as_str));
                let help = nearest.map(|nearest| format!("did you mean `{}.{nearest}`?", self.package));
                let message = format!("the package `{}` has no macro `{name}`", self.package);
                Err(error::raise(ErrorKind::UnknownMacro, message, help))
            }
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<package {}>", self.package)
    }
}
