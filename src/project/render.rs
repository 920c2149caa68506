//! Renders the Jinja in YAML values, with the few functions that dbt offers there: `var`, `env_var`, `target`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::Span;
use crate::jinja::{ErrorKind, Host, HostError, JsonMap, Library, LibraryOptions, RenderError, Scope, ScopeValue};
use crate::yaml::{Value, Yaml};

/// `DBT_ENV_CUSTOM_ENV_TEAM=x` is in the artifacts as `TEAM: x`.
const CUSTOM_PREFIX: &str = "DBT_ENV_CUSTOM_ENV_";

/// The variables of the process, given by the caller: the library reads no environment of its own.
#[derive(Clone, Default)]
pub struct Environment(pub Arc<BTreeMap<String, String>>);

/// Values of variables with these prefixes never leave `profiles.yml` and `packages.yml`.
pub const SECRET_PREFIXES: [&str; 2] = ["DBT_ENV_SECRET_", "MEDAL_SECRET_"];

impl Environment {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The variable as Jinja outside of the profile may see it.
    pub fn public(&self, name: &str) -> Result<Option<String>, HostError> {
        if SECRET_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Err(HostError {
                kind: ErrorKind::Secret,
                message: format!("`{name}` is a secret, which only profiles.yml and packages.yml may read"),
                help: Some("name it without the secret prefix, or move its use to the profile".to_string()),
            });
        }
        Ok(self.get(name).map(str::to_string))
    }

    /// The variables that dbt's artifacts keep, without their prefix.
    pub fn custom(&self) -> BTreeMap<String, String> {
        let custom = self.0.iter();
        let custom = custom.filter_map(|(name, value)| Some((name.strip_prefix(CUSTOM_PREFIX)?, value)));
        custom.map(|(name, value)| (name.to_string(), value.clone())).collect()
    }

    /// The values that must never be printed.
    pub fn secrets(&self) -> Vec<String> {
        let secret = |name: &String| SECRET_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        self.0.iter().filter(|(name, value)| secret(name) && !value.is_empty()).map(|(_, v)| v.clone()).collect()
    }
}

/// Renders YAML values for one file.
pub struct YamlRenderer {
    library: Library,
    scope: Scope,
    host: Arc<dyn Host>,
}

struct YamlHost {
    environment: Environment,
    vars: JsonMap,
    secrets_allowed: bool,
}

impl Host for YamlHost {
    fn var(&self, name: &str) -> Option<Json> {
        self.vars.get(name).cloned()
    }

    fn env_var(&self, name: &str) -> Result<Option<String>, HostError> {
        if self.secrets_allowed {
            Ok(self.environment.get(name).map(str::to_string))
        } else {
            self.environment.public(name)
        }
    }
}

impl YamlRenderer {
    /// A renderer for `profiles.yml`, which may read secrets.
    pub fn for_profile(environment: &Environment, vars: &JsonMap) -> YamlRenderer {
        YamlRenderer::new(environment, vars, true, None)
    }

    /// A renderer for the project file and the property files.
    pub fn for_project(environment: &Environment, vars: &JsonMap, target: &Json) -> YamlRenderer {
        YamlRenderer::new(environment, vars, false, Some(target))
    }

    fn new(environment: &Environment, vars: &JsonMap, secrets_allowed: bool, target: Option<&Json>) -> YamlRenderer {
        let (library, _) = Library::new(&[], LibraryOptions::default());
        let mut scope = Scope::default();
        if let Some(target) = target {
            scope.values.insert("target".to_string(), ScopeValue::Json(target.clone()));
            let now = Json::String(chrono::Utc::now().to_rfc3339());
            scope.values.insert("run_started_at".to_string(), ScopeValue::Json(now));
        }
        let host = YamlHost { environment: environment.clone(), vars: vars.clone(), secrets_allowed };
        YamlRenderer { library, scope, host: Arc::new(host) }
    }

    /// Renders one text to a value of its own type.
    pub fn text(&self, text: &str) -> Result<Json, RenderError> {
        if !text.contains("{{") && !text.contains("{%") && !text.contains("{#") {
            return Ok(Json::String(text.to_string()));
        }
        self.library.render_value(text, &self.scope, self.host.clone())
    }

    /// A value with every text in it rendered, except below the keys that `skip` names. In a `config:` only hooks and
    /// queries are kept as they are written: what looks like another key there is a name, for instance of a column.
    pub fn yaml(&self, yaml: &Yaml, skip: &[&str], sink: &mut Diagnostics) -> Yaml {
        let value = match &yaml.value {
            Value::String(text) => match self.text(text) {
                Ok(Json::String(text)) => Value::String(text),
                Ok(json) => from_json(&json, yaml.span),
                Err(error) => {
                    sink.push(yaml_error(&error, yaml.span));
                    Value::String(text.clone())
                }
            },
            Value::List(items) => Value::List(items.iter().map(|item| self.yaml(item, skip, sink)).collect()),
            Value::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| {
                        let bare = key.name.trim_start_matches('+');
                        let keep = skip.contains(&bare);
                        let below = if key.name == "config" { &AS_WRITTEN_IN_CONFIG } else { skip };
                        (key.clone(), if keep { value.clone() } else { self.yaml(value, below, sink) })
                    })
                    .collect(),
            ),
            other => other.clone(),
        };
        Yaml { span: yaml.span, value }
    }
}

/// Keys below a `config:` that are rendered when the node runs.
const AS_WRITTEN_IN_CONFIG: [&str; 5] = ["pre-hook", "post-hook", "pre_hook", "post_hook", "loaded_at_query"];

fn from_json(json: &Json, span: Span) -> Value {
    let node = |json: &Json| Yaml { span, value: from_json(json, span) };
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(value) => Value::Number(value.clone()),
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(node).collect()),
        Json::Object(map) => Value::Map(
            map.iter().map(|(name, value)| (crate::yaml::Key { name: name.clone(), span }, node(value))).collect(),
        ),
    }
}

/// A failed render of a YAML value, at the place of the value.
pub fn yaml_error(error: &RenderError, span: Span) -> Diagnostic {
    let problem = Diagnostic::error(code_of(error.kind), span, error.message.clone());
    match &error.help {
        Some(help) => problem.help(help.clone()),
        None => problem,
    }
}

/// The diagnostic code of a kind of render error.
pub fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Syntax => Code::JinjaSyntax,
        ErrorKind::Runtime | ErrorKind::Raised => Code::JinjaError,
        ErrorKind::Contract => Code::BrokenContract,
        ErrorKind::Database => Code::SqlError,
        ErrorKind::Limit => Code::TemplateLimit,
        ErrorKind::UnknownRef => Code::UnknownRef,
        ErrorKind::UnknownSource => Code::UnknownSource,
        ErrorKind::MissingVar => Code::MissingVar,
        ErrorKind::MissingEnvVar => Code::MissingEnvVar,
        ErrorKind::Secret => Code::SecretInSql,
        ErrorKind::UnknownMacro => Code::UnknownMacro,
        ErrorKind::DuplicateMacro => Code::DuplicateName,
        ErrorKind::Unsupported => Code::Unsupported,
        ErrorKind::Refused(code) => code,
    }
}
