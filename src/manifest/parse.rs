//! Renders a template with `execute = false`, to learn what it refers to and how it configures itself.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value as Json, json};

use crate::adapter::relation::Relation;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::jinja::{ErrorKind, Host, HostError, JsonMap, Library, Noted, RenderError, Scope, ScopeValue, Template};
use crate::manifest::RefArguments;
use crate::project::Project;
use crate::project::render::Environment;
use crate::project::{target_json, vars};

/// What a template said when it was rendered.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub refs: Vec<RefArguments>,
    pub sources: Vec<[String; 2]>,
    pub config: JsonMap,
    /// `exceptions.warn(…)`.
    pub warnings: Vec<String>,
}

impl Said {
    /// What the template warns of. Where in it cannot be told.
    pub fn problems(&self, place: Span) -> impl Iterator<Item = Diagnostic> {
        let told = self.warnings.iter();
        told.map(move |message| Diagnostic::warning(Code::MacroWarning, place, message).event("JinjaLogWarning"))
    }
}

/// The host of templates that are rendered while the project is parsed.
pub struct ParseHost {
    vars: JsonMap,
    environment: Environment,
    this: Relation,
    native: bool,
    flags: Arc<JsonMap>,
    said: Mutex<Said>,
}

impl ParseHost {
    pub fn new(project: &Project, package: &str, this: Relation) -> ParseHost {
        ParseHost {
            vars: visible_vars(project, package),
            environment: project.environment.clone(),
            this,
            native: project.root().settings.native,
            flags: project.flags.clone(),
            said: Mutex::default(),
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().expect("nobody panics while holding the lock")
    }

    pub fn take(&self) -> Said {
        std::mem::take(&mut *self.said())
    }
}

/// The variables that the nodes of a package see.
pub fn visible_vars(project: &Project, package: &str) -> JsonMap {
    let own = project.packages.get(package).map(|package| package.settings.vars.clone()).unwrap_or_default();
    vars::visible(package, &project.root().settings.vars, &own, &project.cli_vars)
}

impl Host for ParseHost {
    fn reference(&self, package: Option<&str>, name: &str, version: Option<&Json>) -> Result<Relation, HostError> {
        let package = package.map(str::to_string);
        self.said().refs.push(RefArguments { package, name: name.to_string(), version: version.cloned() });
        Ok(self.this.clone())
    }

    fn source(&self, source: &str, table: &str) -> Result<Relation, HostError> {
        self.said().sources.push([source.to_string(), table.to_string()]);
        Ok(self.this.clone())
    }

    /// Nothing is in it yet; templates may look into its parts all the same.
    fn graph(&self) -> Json {
        json!({"nodes": {}, "sources": {}, "exposures": {}, "groups": {}, "metrics": {}, "semantic_models": {}})
    }

    fn set_config(&self, values: JsonMap) -> Result<(), HostError> {
        merge_calls(&mut self.said().config, values);
        Ok(())
    }

    fn var(&self, name: &str) -> Option<Json> {
        self.vars.get(name).cloned()
    }

    fn may_miss_vars(&self) -> bool {
        !self.native
    }

    fn env_var(&self, name: &str) -> Result<Option<String>, HostError> {
        self.environment.public(name)
    }

    fn run(&self, _sql: &str, _begin: bool, _fetch: bool) -> Result<(String, crate::adapter::rows::Rows), HostError> {
        Ok((String::new(), crate::adapter::rows::Rows::default()))
    }

    fn existing(&self, _: Option<&str>, _: Option<&str>, _: &str) -> Result<Option<Relation>, HostError> {
        Ok(None)
    }

    fn columns(&self, _relation: &Relation) -> Result<Vec<crate::adapter::relation::Column>, HostError> {
        Ok(Vec::new())
    }

    fn list_relations(&self, _: Option<&str>, _: &str) -> Result<Vec<Relation>, HostError> {
        Ok(Vec::new())
    }

    fn query_columns(&self, _sql: &str) -> Result<Vec<crate::adapter::relation::Column>, HostError> {
        Ok(Vec::new())
    }

    fn create_schema(&self, _: Option<&str>, _: &str) -> Result<(), HostError> {
        Ok(())
    }

    fn warn(&self, message: &str) -> Result<(), HostError> {
        self.said().warnings.push(message.to_string());
        Ok(())
    }

    fn doc(&self, _package: Option<&str>, _name: &str) -> Result<String, HostError> {
        Ok(String::new())
    }

    fn flag(&self, name: &str) -> Option<Json> {
        self.flags.get(name).cloned()
    }

    fn load_seed(&self, _relation: &Relation) -> Result<u64, HostError> {
        Err(HostError {
            kind: ErrorKind::Unsupported,
            message: "a seed cannot be loaded while the project is parsed".to_string(),
            help: None,
        })
    }
}

/// Several `config(…)` calls in one file: tags and hooks add up, anything else is taken from the last.
pub fn merge_calls(config: &mut JsonMap, values: JsonMap) {
    for (key, value) in values {
        let adds = matches!(key.as_str(), "tags" | "pre_hook" | "post_hook" | "pre-hook" | "post-hook" | "packages");
        match (adds, config.get_mut(&key)) {
            (true, Some(Json::Array(old))) => match value {
                Json::Array(more) => old.extend(more),
                one => old.push(one),
            },
            _ => drop(config.insert(key, value)),
        }
    }
}

/// The names that every template of a package sees, besides functions and macros. The time and the id of the run stand
/// for those that the compiler puts in their place.
pub fn base_scope(project: &Project, package: &str, this: &Relation) -> Scope {
    let mut scope = Scope { package: package.to_string(), ..Scope::default() };
    let mut put = |name: &str, value: ScopeValue| drop(scope.values.insert(name.to_string(), value));
    let target = project.target.clone();
    put("target", ScopeValue::lazy(move || target_json(&target)));
    put("project_name", ScopeValue::Json(json!(project.root().name)));
    put("this", ScopeValue::Relation(this.clone()));
    put("database", ScopeValue::Json(json!(project.target.database)));
    put("schema", ScopeValue::Json(json!(project.target.schema)));
    put("run_started_at", ScopeValue::Json(json!(chrono::Utc::now().to_rfc3339())));
    put("invocation_id", ScopeValue::Json(json!("")));
    put("thread_id", ScopeValue::Json(json!("MainThread")));
    put("invocation_args_dict", ScopeValue::lazy(project.invocation_args()));
    let environment = project.environment.clone();
    put("dbt_metadata_envs", ScopeValue::lazy(move || json!(environment.custom())));
    scope
}

/// Learns what templates say.
#[derive(Clone, Copy)]
pub struct Listener<'a> {
    pub project: &'a Project,
    pub library: &'a Library,
    /// Where the render is noted, for a template that other commands render, too.
    pub noted: Option<Noted<'a>>,
}

impl Listener<'_> {
    /// Renders a template, which may see further names than every template does, to learn what it says.
    pub fn listen(
        &self,
        template: &Template,
        package: &str,
        this: &Relation,
        model: impl FnOnce() -> Json,
        names: JsonMap,
    ) -> Result<Said, RenderError> {
        let scope = || {
            let mut scope = base_scope(self.project, package, this);
            scope.values.insert("model".to_string(), ScopeValue::Json(model()));
            scope.values.extend(names.into_iter().map(|(name, value)| (name, ScopeValue::Json(value))));
            scope
        };
        let host = || ParseHost::new(self.project, package, this.clone());
        let (host, rendered) = match self.noted {
            Some(noted) => self.library.render_noted(template, package, scope, host, noted),
            None => {
                let host = Arc::new(host());
                (host.clone(), self.library.render(template, &scope(), host))
            }
        };
        rendered?;
        Ok(host.take())
    }
}
