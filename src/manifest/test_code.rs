//! Turns a generic test into the code that medal renders: a call of its macro with every argument written out.

use std::sync::{Arc, LazyLock};

use fancy_regex::Regex;
use serde_json::{Value as Json, json};

use crate::files::ProjectFiles;
use crate::jinja::{RenderError, Template};
use crate::manifest::parse::Said;
use crate::manifest::{GenericTest, Node, RefArguments, python};

/// The template of a generic test. It is made when it is needed: a project may have tens of thousands.
pub fn template(node: &Node, files: &ProjectFiles) -> Result<Template, RenderError> {
    let test = node.generic_test().expect("only generic tests are made so");
    let code: Arc<str> = code(test).into();
    let path = format!("{}, test `{}`", node.original_path, test.name);
    let file = files.add_shared(&path, code.clone());
    Template::new(file, code)
}

/// The same, for a first look: places in it mean nothing.
pub fn draft_template(node: &Node) -> Result<Template, RenderError> {
    let test = node.generic_test().expect("only generic tests are made so");
    Template::new(node.file, code(test).into()).map_err(|error| RenderError { frames: Vec::new(), ..error })
}

/// The template of the condition that a row breaks the test: a call of its `row_…` macro.
pub fn row_template(node: &Node, files: &ProjectFiles, order_by: &[&str]) -> Result<Template, RenderError> {
    let test = node.generic_test().expect("only generic tests speak of rows");
    let mut arguments: Vec<String> = named(test).filter(|(name, _)| *name != "model").map(|(_, text)| text).collect();
    if test.name == "unique" {
        arguments.push(format!("order_by={}", expression(&json!(order_by))));
    }
    let code: Arc<str> = format!("{{{{ row_{}({}) }}}}", test.name, arguments.join(", ")).into();
    let file = files.add_shared(&format!("{}, rows of test `{}`", node.original_path, test.name), code.clone());
    Template::new(file, code)
}

/// What the arguments of a test refer to.
pub fn arguments_of(template: &Template) -> Said {
    let facts = template.facts();
    Said {
        refs: facts.refs.iter().map(RefArguments::from).collect(),
        sources: facts.sources.iter().map(|call| [call.source.clone(), call.table.clone()]).collect(),
        ..Said::default()
    }
}

/// The code that medal renders: the call with its arguments written out, so that each is an expression in place.
fn code(test: &GenericTest) -> String {
    let name = test.namespace.as_ref().map_or(String::new(), |namespace| format!("{namespace}."));
    let arguments = named(test).map(|(_, text)| text);
    format!("{{{{ {name}test_{}({}) }}}}", test.name, arguments.collect::<Vec<_>>().join(", "))
}

/// The arguments of a test by name, each as `name=expression`.
fn named(test: &GenericTest) -> impl Iterator<Item = (&str, String)> {
    test.arguments.iter().map(|(key, value)| {
        let value = if key == "column_name" { literal(value) } else { expression(value) };
        (key.as_str(), format!("{key}={value}"))
    })
}

/// A value as a Jinja expression; a text may itself hold Jinja, or be a bare call of `ref` and the like.
fn expression(value: &Json) -> String {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?s)^\s*(env_var|ref|var|source|doc)\s*\(.+\)\s*$").expect("the pattern is valid")
    });
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(expression).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), expression(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::String(text) if CALL.is_match(text).unwrap_or(false) => text.trim().to_string(),
        Json::String(text) if text.contains("{{") || text.contains("{%") => match only_expression(text) {
            Some(inner) => format!("({inner})"),
            None => format!("render({})", quoted(text)),
        },
        other => literal(other),
    }
}

/// The inside of a text that is one `{{ … }}` and nothing else.
fn only_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let inner = inner.trim_start_matches('-').trim_end_matches('-').trim();
    (!inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%")).then_some(inner)
}

fn literal(value: &Json) -> String {
    match value {
        Json::String(text) => quoted(text),
        Json::Null => "none".to_string(),
        Json::Bool(flag) => flag.to_string(),
        other => python::repr(other),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::expression;
    use serde_json::json;

    #[test]
    fn a_bare_ref_is_a_call_and_a_text_is_a_text() {
        let value = json!(["ref('a')", "it's", "{{ var('x') }}", 1, null]);
        assert_eq!(expression(&value), r"[ref('a'), 'it\'s', (var('x')), 1, none]");
    }
}
