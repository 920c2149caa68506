//! Turns `--warn-error` and `--warn-error-options` into a verdict on each warning: an error, a warning, or nothing.
//!
//! Source: <https://docs.getdbt.com/reference/global-configs/warnings>.

use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::event::{self, Event};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest};

/// The word for all events about what dbt will not take any more.
const DEPRECATIONS: &str = "Deprecations";

/// What becomes of a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Error,
    Warning,
    Silence,
}

/// Which warnings count as errors, and which are not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warnings {
    error: Errors,
    warn: Vec<String>,
    silence: Vec<String>,
    /// Whether `all` means also what dbt has no event for. In a dbt project it does not: what dbt lets pass, passes.
    own: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Errors {
    All,
    Named(Vec<String>),
}

impl Default for Errors {
    fn default() -> Errors {
        Errors::Named(Vec::new())
    }
}

impl Warnings {
    /// What `--warn-error` means.
    pub fn are_errors() -> Warnings {
        Warnings { error: Errors::All, ..Warnings::default() }
    }

    /// Whether nothing is said of any warning.
    pub fn is_default(&self) -> bool {
        Warnings { own: false, ..self.clone() } == Warnings::default()
    }

    /// The same, with what only medal warns of.
    pub fn with_own(self) -> Warnings {
        Warnings { own: true, ..self }
    }

    /// Reads the mapping of `--warn-error-options`. The error is a sentence.
    pub fn read(options: &Json) -> Result<Warnings, String> {
        let Json::Object(options) = options else {
            return Err("it is a mapping, for instance `{error: all, warn: [NoNodeForYamlKey]}`".to_string());
        };
        let either = |new: &str, old: &str| {
            let is_set = |value: &Json| !matches!(value, Json::Null) && *value != Json::Array(Vec::new());
            match (options.get(new), options.get(old)) {
                (Some(first), Some(second)) if is_set(first) && is_set(second) => {
                    Err(format!("`{old}` is the older name of `{new}`: only one of them can be given"))
                }
                (Some(value), None) | (_, Some(value)) => Ok(value.clone()),
                (None, None) => Ok(Json::Null),
            }
        };
        let error = match either("error", "include")? {
            Json::String(all) if all == "all" || all == "*" => Errors::All,
            Json::String(other) => return Err(format!("`error` is `all` or a list of names, and not `{other}`")),
            other => Errors::Named(names("error", &other)?),
        };
        let warn = names("warn", &either("warn", "exclude")?)?;
        let silence = names("silence", options.get("silence").unwrap_or(&Json::Null))?;
        let is_general = matches!(&error, Errors::All)
            || matches!(&error, Errors::Named(names) if has(names, DEPRECATIONS))
            || has(&silence, DEPRECATIONS);
        if !warn.is_empty() && !is_general {
            return Err("`warn` takes names out of `error: all`, or out of `Deprecations`".to_string());
        }
        Ok(Warnings { error, warn, silence, own: false })
    }

    /// What becomes of a warning of medal, or of dbt's event of this name.
    fn verdict(&self, own: Option<Code>, event: Option<Event>) -> Verdict {
        let names = [own.map(Code::name), event.map(Event::name)];
        let named = |list: &[String]| names.into_iter().flatten().any(|name| has(list, name));
        let is_deprecation = event.is_some_and(Event::is_deprecation);
        let as_one = |list: &[String]| is_deprecation && has(list, DEPRECATIONS);
        let (error, all) = match &self.error {
            Errors::All => (&[][..], event.is_some() || self.own),
            Errors::Named(names) => (names.as_slice(), false),
        };
        match () {
            () if named(&self.silence) => Verdict::Silence,
            () if named(&self.warn) => Verdict::Warning,
            () if named(error) => Verdict::Error,
            () if as_one(&self.silence) => Verdict::Silence,
            () if as_one(&self.warn) => Verdict::Warning,
            () if as_one(error) || all => Verdict::Error,
            () => Verdict::Warning,
        }
    }

    /// What becomes of a warning that dbt gives as this event.
    pub fn of_event(&self, event: &str) -> Verdict {
        self.verdict(None, Event::named(event))
    }

    /// The same diagnostic as an error or as a warning; `None` if it is not to be told.
    pub fn judge(&self, problem: Diagnostic) -> Option<Diagnostic> {
        if problem.severity == Severity::Error {
            return Some(problem);
        }
        match self.verdict(Some(problem.code), problem.event) {
            Verdict::Error => Some(Diagnostic { severity: Severity::Error, ..problem }),
            Verdict::Warning => Some(problem),
            Verdict::Silence => None,
        }
    }

    /// Whether a warning is not to be told.
    pub fn silence(&self, problem: &Diagnostic) -> bool {
        self.judge(problem.clone()).is_none()
    }

    /// All that is to be told, in the order of the files.
    pub fn judge_all(&self, sink: Diagnostics) -> Vec<Diagnostic> {
        sink.sorted().into_iter().filter_map(|problem| self.judge(problem)).collect()
    }

    /// As templates see the options, and as artifacts keep them.
    pub fn json(&self) -> Json {
        let error = match &self.error {
            Errors::All => Json::from("all"),
            Errors::Named(names) => Json::from(names.clone()),
        };
        serde_json::json!({"error": error, "warn": self.warn, "silence": self.silence})
    }
}

fn has(list: &[String], name: &str) -> bool {
    list.iter().any(|item| item == name)
}

/// A list of names of dbt's events or of medal's codes.
fn names(key: &str, list: &Json) -> Result<Vec<String>, String> {
    let items = match list {
        Json::Null => return Ok(Vec::new()),
        Json::Array(items) => items,
        _ => return Err(format!("`{key}` is a list of names")),
    };
    let name = |item: &Json| {
        let name = item.as_str().ok_or_else(|| format!("`{key}` is a list of names"))?;
        if name == DEPRECATIONS || Event::named(name).is_some() || Code::from_name(name).is_some() {
            return Ok(name.to_string());
        }
        let known = event::names().chain([DEPRECATIONS]).chain(Code::ALL.iter().map(|code| code.name()));
        let near = nearest(name, known).map_or(String::new(), |near| format!(": did you mean `{near}`?"));
        Err(format!("no event of dbt and no code of medal is called `{name}`{near}"))
    };
    items.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Verdict, Warnings};
    use crate::diagnostic::code::Code;

    fn read(options: serde_json::Value) -> Warnings {
        Warnings::read(&options).expect("the options can be read")
    }

    #[test]
    fn a_name_counts_before_deprecations_and_these_before_all() {
        let options = read(json!({
            "error": "all",
            "warn": ["Deprecations", "NoNodeForYamlKey"],
            "silence": ["DuplicateYAMLKeysDeprecation", "seed-coercion"],
        }));
        assert_eq!(options.of_event("UnusedResourceConfigPath"), Verdict::Error);
        assert_eq!(options.of_event("NoNodeForYamlKey"), Verdict::Warning);
        assert_eq!(options.of_event("ModelParamUsageDeprecation"), Verdict::Warning);
        assert_eq!(options.of_event("DuplicateYAMLKeysDeprecation"), Verdict::Silence);
        assert_eq!(options.verdict(Some(Code::SeedCoercion), None), Verdict::Silence);
        assert_eq!(options.verdict(Some(Code::UnitTest), None), Verdict::Warning);
        assert_eq!(options.with_own().verdict(Some(Code::UnitTest), None), Verdict::Error);
    }

    #[test]
    fn silence_and_warn_count_before_error() {
        let options = read(json!({"error": ["JinjaLogWarning", "Deprecations"], "silence": ["JinjaLogWarning"]}));
        assert_eq!(options.of_event("JinjaLogWarning"), Verdict::Silence);
        assert_eq!(options.of_event("SourceOverrideDeprecation"), Verdict::Error);
        assert_eq!(options.of_event("NothingToDo"), Verdict::Warning);
    }

    #[test]
    fn the_older_names_are_read_and_mistakes_are_said() {
        assert_eq!(read(json!({"include": "*", "exclude": null})), Warnings::are_errors());
        let mistakes = [
            json!([]),
            json!({"error": "some"}),
            json!({"error": ["JinjaLogWarnin"]}),
            json!({"error": ["JinjaLogWarning"], "include": "all"}),
            json!({"warn": ["JinjaLogWarning"]}),
            json!({"silence": "JinjaLogWarning"}),
        ];
        let said: Vec<String> = mistakes.iter().filter_map(|options| Warnings::read(options).err()).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        it is a mapping, for instance `{error: all, warn: [NoNodeForYamlKey]}`
        `error` is `all` or a list of names, and not `some`
        no event of dbt and no code of medal is called `JinjaLogWarnin`: did you mean `JinjaLogWarning`?
        `include` is the older name of `error`: only one of them can be given
        `warn` takes names out of `error: all`, or out of `Deprecations`
        `silence` is a list of names
        ");
    }
}
