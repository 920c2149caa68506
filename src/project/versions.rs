//! Turns the `versions:` of a model in a property file into one description for each version.
//!
//! Source of the rules: <https://docs.getdbt.com/reference/resource-properties/versions>: what a version says stands
//! over what the model says; it has the model's columns that it includes, and its own.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::files::Span;
use crate::jinja::JsonMap;
use crate::project::fields::Fields;
use crate::project::properties::{self, ColumnProperties, NodeProperties};
use crate::yaml::{Value, Yaml};

/// Which version of a model something is.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelVersion {
    /// A number or a text, as it is written.
    pub v: Json,
    pub latest: Json,
    /// The file that holds it, without `.sql`, if that is not `name_vN`.
    pub defined_in: Option<String>,
}

impl ModelVersion {
    pub fn is_latest(&self) -> bool {
        text(&self.v) == text(&self.latest)
    }

    /// Whether it is newer or older than the latest version, which need not be the one with the highest number.
    pub fn compared_with_latest(&self) -> Ordering {
        compare(&self.v, &self.latest)
    }

    /// The file that holds the model, without `.sql`.
    pub fn file_name(&self, model: &str) -> String {
        self.defined_in.clone().unwrap_or_else(|| format!("{model}_{self}"))
    }
}

/// `v2`.
impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", text(&self.v))
    }
}

/// A version as text, without quotes.
pub fn text(v: &Json) -> String {
    v.as_str().map_or_else(|| v.to_string(), str::to_string)
}

/// By number where both have one, else by letters.
pub fn compare(a: &Json, b: &Json) -> Ordering {
    let (a, b) = (text(a), text(b));
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(&b),
    }
}

/// The versions of a model; the model itself if it has none.
pub fn spread(model: NodeProperties, fields: &mut Fields<'_, '_>) -> Vec<NodeProperties> {
    let latest = fields.get("latest_version");
    let items = fields.list("versions").iter();
    let written: Written<'_> = items.filter_map(|yaml| Some((v(yaml, fields.sink)?, yaml))).collect();
    let written = without_repeats(&model.name, written, fields.sink);
    let Some(highest) = written.iter().map(|(v, _)| v).max_by(|a, b| compare(a, b)) else {
        return vec![model];
    };
    let latest = match latest {
        Some(latest) if written.iter().all(|(v, _)| text(v) != text(&latest.to_json())) => {
            fields.sink.push(unknown_latest(&model.name, latest, &written));
            highest.clone()
        }
        Some(latest) => latest.to_json(),
        None => highest.clone(),
    };
    let versions = written.iter().filter_map(|(v, yaml)| version(&model, v, &latest, yaml, fields.sink));
    versions.collect()
}

fn v(yaml: &Yaml, sink: &mut Diagnostics) -> Option<Json> {
    let problem = match yaml.get("v") {
        Some(Yaml { value: Value::String(_) | Value::Number(_), .. }) => return yaml.get("v").map(Yaml::to_json),
        Some(v) => Diagnostic::error(
            Code::InvalidValue,
            v.span,
            format!("`v` is a number or a text, and this is {}", v.kind()),
        ),
        None => Diagnostic::error(Code::InvalidValue, yaml.span, "a version has no `v`").help("write `- v: 1`"),
    };
    sink.push(problem);
    None
}

type Written<'y> = Vec<(Json, &'y Yaml)>;

fn without_repeats<'y>(model: &str, written: Written<'y>, sink: &mut Diagnostics) -> Written<'y> {
    let mut kept = Written::new();
    for (v, yaml) in written {
        match kept.iter().find(|(other, _)| text(other) == text(&v)) {
            Some((_, first)) => {
                let message = format!("`{model}` has the version {} twice", text(&v));
                let problem = Diagnostic::error(Code::DuplicateName, place(yaml), message);
                sink.push(problem.related(place(first), "it is written here too").help("give one of them another `v`"));
            }
            None => kept.push((v, yaml)),
        }
    }
    kept
}

fn unknown_latest(model: &str, latest: &Yaml, written: &[(Json, &Yaml)]) -> Diagnostic {
    let known: Vec<String> = written.iter().map(|(v, _)| text(v)).collect();
    let message = format!("`{model}` has no version {}", text(&latest.to_json()));
    let problem = Diagnostic::error(Code::UnknownVersion, latest.span, message).label("the latest version");
    problem.help(format!("its versions are {}", known.join(", ")))
}

fn place(version: &Yaml) -> Span {
    version.get("v").map_or(version.span, |v| v.span)
}

fn version(
    model: &NodeProperties,
    v: &Json,
    latest: &Json,
    yaml: &Yaml,
    sink: &mut Diagnostics,
) -> Option<NodeProperties> {
    let mut fields = Fields::new(yaml, "a version of a model", sink);
    fields.ignore(&["v"]);
    let (config, mut config_spans) = properties::config(yaml, &mut fields);
    config_spans.extend(model.config_spans.iter().cloned());
    let defined_in = fields.text("defined_in");
    let constraints = properties::json(&mut fields, "constraints");
    let has_tests = ["tests", "data_tests"].into_iter().any(|key| yaml.get(key).is_some());
    let tests = properties::tests(&mut fields);
    let version = NodeProperties {
        span: place(yaml),
        description: fields.text("description").unwrap_or_else(|| model.description.clone()),
        config: merged(model.config.clone(), config),
        config_spans,
        columns: columns(model, &mut fields),
        tests: if has_tests { tests } else { model.tests.clone() },
        constraints: if constraints.is_null() { model.constraints.clone() } else { constraints },
        deprecation_date: properties::date(&mut fields, "deprecation_date"),
        version: Some(Box::new(ModelVersion { v: v.clone(), latest: latest.clone(), defined_in })),
        ..model.clone()
    };
    fields.finish(Severity::Warning);
    Some(version)
}

/// The model's columns that the version's `include` and `exclude` leave, and then its own.
fn columns(model: &NodeProperties, fields: &mut Fields<'_, '_>) -> Vec<ColumnProperties> {
    let items = fields.list("columns");
    let is_rule = |item: &&Yaml| item.get("include").is_some() || item.get("exclude").is_some();
    let rules: Vec<&Yaml> = items.iter().filter(is_rule).collect();
    if let [_, second, ..] = rules[..] {
        let message = "a version has one `include`, and this is the second";
        fields.sink.push(Diagnostic::error(Code::InvalidValue, second.span, message));
    }
    let named = |key: &str, name: &str| {
        let names = rules.first().and_then(|rule| rule.get(key)).map_or(&[][..], Yaml::items);
        names
            .iter()
            .filter_map(Yaml::as_str)
            .any(|item| item == name || (key == "include" && ["*", "all"].contains(&item)))
    };
    let includes_all = rules.first().is_none_or(|rule| rule.get("include").is_none());
    let inherited = model
        .columns
        .iter()
        .filter(|column| (includes_all || named("include", &column.info.name)) && !named("exclude", &column.info.name));
    let mut all: Vec<ColumnProperties> = inherited.cloned().collect();
    all.extend(items.iter().filter(|item| !is_rule(item)).filter_map(|item| properties::column(item, fields.sink)));
    all
}

/// Mappings merge by key, lists add up, and anything else is the version's.
fn merged(mut under: JsonMap, over: JsonMap) -> JsonMap {
    for (key, value) in over {
        let value = match (under.shift_remove(&key), value) {
            (Some(Json::Object(under)), Json::Object(over)) => Json::Object(merged(under, over)),
            (Some(Json::Array(under)), Json::Array(over)) => Json::Array([over, under].concat()),
            (_, value) => value,
        };
        under.insert(key, value);
    }
    under
}
