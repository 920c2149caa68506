//! Turns the `unit_tests:` of a property file into what the user wrote: a model, rows that are given, rows expected.
//!
//! Source of the keys: <https://docs.getdbt.com/reference/resource-properties/unit-tests>.

use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest};
use crate::files::Span;
use crate::jinja::JsonMap;
use crate::project::fields::Fields;
use crate::yaml::{Value, Yaml};

/// A unit test as it is written.
#[derive(Debug, Clone)]
pub struct UnitTestProperties {
    pub name: String,
    pub span: Span,
    pub model: String,
    pub model_span: Span,
    pub description: String,
    pub given: Vec<GivenProperties>,
    pub expect: FixtureProperties,
    pub overrides: Option<Overrides>,
    pub config: JsonMap,
    pub versions: Option<Versions>,
}

/// The rows of one input.
#[derive(Debug, Clone)]
pub struct GivenProperties {
    /// `ref('orders')`, `source('raw', 'orders')` or `this`.
    pub input: String,
    pub span: Span,
    pub fixture: FixtureProperties,
}

/// Rows, in the file itself or in a file of `tests/fixtures`.
#[derive(Debug, Clone)]
pub struct FixtureProperties {
    pub span: Span,
    pub format: Format,
    pub rows: Option<Yaml>,
    /// The name of a file, without its extension.
    pub file: Option<(String, Span)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Dict,
    Csv,
    Sql,
}

impl Format {
    pub const NAMES: [(&'static str, Format); 3] = [("dict", Format::Dict), ("csv", Format::Csv), ("sql", Format::Sql)];

    pub fn name(self) -> &'static str {
        Format::NAMES[self as usize].0
    }
}

/// What macros, variables and variables of the environment give during the test, by their names.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    pub macros: JsonMap,
    pub vars: JsonMap,
    pub env_vars: JsonMap,
    /// Where each macro is named.
    pub macro_spans: Vec<(String, Span)>,
}

/// The versions of the model that are tested.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    pub span: Option<Span>,
    pub include: Option<Vec<Json>>,
    pub exclude: Option<Vec<Json>>,
}

/// Reads one unit test. None, with the reason in the sink, if something that it needs is missing.
pub fn read(yaml: &Yaml, sink: &mut Diagnostics) -> Option<UnitTestProperties> {
    let mut fields = Fields::new(yaml, "a unit test", sink);
    let named = fields.name();
    let model = needed(&mut fields, yaml, "model").and_then(|model| text(model, "model", fields.sink));
    let given = needed(&mut fields, yaml, "given").map(|_| fields.each("given", given));
    let expect = needed(&mut fields, yaml, "expect").and_then(expected_rows(fields.sink));
    let test = UnitTestProperties {
        name: String::new(),
        span: yaml.span,
        model: String::new(),
        model_span: yaml.span,
        description: fields.text("description").unwrap_or_default(),
        given: Vec::new(),
        expect: FixtureProperties { span: yaml.span, format: Format::Dict, rows: None, file: None },
        overrides: fields.get("overrides").map(|written| overrides(written, fields.sink)),
        config: fields.json_map("config"),
        versions: fields.get("versions").map(|written| versions(written, fields.sink)),
    };
    fields.finish(Severity::Warning);
    let ((name, span), (model, model_span), given, expect) = (named?, model?, given?, expect?);
    Some(UnitTestProperties { name, span, model, model_span, given, expect, ..test })
}

/// The value of a key that must be there.
fn needed<'y>(fields: &mut Fields<'y, '_>, yaml: &Yaml, key: &'static str) -> Option<&'y Yaml> {
    let found = fields.get(key);
    if found.is_none() {
        let misspelt = yaml.entries().iter().find(|(other, _)| nearest(&other.name, [key]).is_some());
        let place = misspelt.map_or(yaml.get("name").map_or(yaml.span, |name| name.span), |(other, _)| other.span);
        let problem = Diagnostic::error(Code::InvalidValue, place, format!("a unit test has no `{key}`"));
        fields.sink.push(match key {
            "given" => problem.help("write `given: []` if the model reads nothing"),
            _ => problem,
        });
    }
    found
}

fn text(yaml: &Yaml, key: &str, sink: &mut Diagnostics) -> Option<(String, Span)> {
    if let Some(text) = yaml.as_str() {
        return Some((text.to_string(), yaml.span));
    }
    let message = format!("`{key}` is a text, and this is {}", yaml.kind());
    sink.push(Diagnostic::error(Code::InvalidValue, yaml.span, message).help("put quotes around it"));
    None
}

fn given(yaml: &Yaml, sink: &mut Diagnostics) -> Option<GivenProperties> {
    let mut fields = Fields::new(yaml, "an input of a unit test", sink);
    let input = fields.get("input");
    let fixture = fixture(yaml, &mut fields);
    fields.finish(Severity::Warning);
    let Some(input) = input else {
        let message = "an input of a unit test has no `input`";
        let help = "name what the model reads: `input: ref('orders')`";
        sink.push(Diagnostic::error(Code::InvalidValue, yaml.span, message).help(help));
        return None;
    };
    let (input, span) = text(input, "input", sink)?;
    Some(GivenProperties { input, span, fixture: fixture? })
}

fn expected_rows(sink: &mut Diagnostics) -> impl FnOnce(&Yaml) -> Option<FixtureProperties> {
    |yaml| {
        let mut fields = Fields::new(yaml, "what a unit test expects", sink);
        let fixture = fixture(yaml, &mut fields);
        fields.finish(Severity::Warning);
        fixture
    }
}

fn fixture(yaml: &Yaml, fields: &mut Fields<'_, '_>) -> Option<FixtureProperties> {
    let rows = fields.get("rows").cloned();
    let file = fields.get("fixture").map(|file| text(file, "fixture", fields.sink));
    let format = match fields.get("format") {
        Some(written) => format(written, fields.sink)?,
        None => Format::Dict,
    };
    let file = match file {
        Some(file) => Some(file?),
        None => None,
    };
    let span = rows.as_ref().map(|rows| rows.span).or(file.as_ref().map(|(_, span)| *span)).unwrap_or(yaml.span);
    Some(FixtureProperties { span, format, rows, file })
}

fn format(written: &Yaml, sink: &mut Diagnostics) -> Option<Format> {
    let name = written.as_str().unwrap_or_default();
    let found = Format::NAMES.iter().find(|(known, _)| *known == name);
    if found.is_none() {
        let message = format!("there is no format `{name}` of rows");
        let names = Format::NAMES.map(|(name, _)| name);
        let near = nearest(name, names).map(|near| format!("did you mean `{near}`?"));
        let help = near.unwrap_or_else(|| "it is one of `dict`, `csv`, `sql`".to_string());
        sink.push(Diagnostic::error(Code::InvalidValue, written.span, message).help(help));
    }
    found.map(|(_, format)| *format)
}

fn overrides(yaml: &Yaml, sink: &mut Diagnostics) -> Overrides {
    let mut fields = Fields::new(yaml, "`overrides` of a unit test", sink);
    let named = yaml.get("macros").map_or(&[][..], Yaml::entries);
    let overrides = Overrides {
        macros: fields.json_map("macros"),
        vars: fields.json_map("vars"),
        env_vars: fields.json_map("env_vars"),
        macro_spans: named.iter().map(|(key, _)| (key.name.clone(), key.span)).collect(),
    };
    fields.finish(Severity::Error);
    overrides
}

fn versions(yaml: &Yaml, sink: &mut Diagnostics) -> Versions {
    let mut fields = Fields::new(yaml, "`versions` of a unit test", sink);
    let mut list = |key: &'static str| {
        let written = fields.get(key)?;
        Some(written.items().iter().map(Yaml::to_json).collect::<Vec<_>>())
    };
    let versions = Versions { span: Some(yaml.span), include: list("include"), exclude: list("exclude") };
    fields.finish(Severity::Error);
    if versions.include.is_some() && versions.exclude.is_some() {
        let message = "`versions` of a unit test has both `include` and `exclude`";
        sink.push(Diagnostic::error(Code::InvalidValue, yaml.span, message).help("keep one of them"));
    }
    versions
}

/// The keys of rows that are written as a list of mappings, with their places.
pub fn key_spans(rows: &Yaml) -> Vec<(String, Span)> {
    let mut found: Vec<(String, Span)> = Vec::new();
    let Value::List(rows) = &rows.value else { return found };
    for (key, _) in rows.iter().flat_map(Yaml::entries) {
        if !found.iter().any(|(name, _)| *name == key.name) {
            found.push((key.name.clone(), key.span));
        }
    }
    found
}
