//! Turns `flags:` of the project file into options of the command line, which count where neither the command line nor
//! the environment says anything.
//!
//! Source: <https://docs.getdbt.com/reference/global-configs/project-flags>.

use crate::diagnostic::code::Code;
use crate::diagnostic::warnings::Warnings;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest};
use crate::yaml::{Value, Yaml};

/// What a flag can be.
#[derive(Clone, Copy)]
enum Form {
    Switch,
    OneOf(&'static [&'static str]),
    Number,
    Options,
}

const LOG_FORMATS: Form = Form::OneOf(&["text", "debug", "json", "default"]);
const LOG_LEVELS: Form = Form::OneOf(&["debug", "info", "warn", "error", "none"]);

/// The flags that are options too.
const OPTIONS: [(&str, Form); 13] = [
    ("debug", Form::Switch),
    ("fail_fast", Form::Switch),
    ("indirect_selection", Form::OneOf(&["eager", "cautious", "buildable", "empty"])),
    ("log_format", LOG_FORMATS),
    ("log_format_file", LOG_FORMATS),
    ("log_level", LOG_LEVELS),
    ("log_level_file", LOG_LEVELS),
    ("printer_width", Form::Number),
    ("use_colors", Form::Switch),
    ("version_check", Form::Switch),
    ("warn_error", Form::Switch),
    ("warn_error_options", Form::Options),
    ("write_json", Form::Switch),
];

/// Flags that only a project file has, and options that change nothing in medal.
const OTHERS: [&str; 22] = [
    "cache_selected_only",
    "partial_parse",
    "populate_cache",
    "send_anonymous_usage_stats",
    "static_parser",
    "use_colors_file",
    "use_experimental_parser",
    "require_all_warnings_handled_by_warn_error",
    "require_batched_execution_for_custom_microbatch_strategy",
    "require_event_names_in_deprecations",
    "require_explicit_package_overrides_for_builtin_materializations",
    "require_generic_test_arguments_property",
    "require_nested_cumulative_type_params",
    "require_ref_searches_node_package_before_root",
    "require_resource_names_without_spaces",
    "require_unique_project_resource_names",
    "require_yaml_configuration_for_mf_time_spines",
    "skip_nodes_if_on_run_start_fails",
    "source_freshness_run_project_hooks",
    "state_modified_compare_more_unrendered_values",
    "state_modified_compare_vars",
    "validate_macro_args",
];

/// The flags that are options, each with its value as the command line would have it. Other keys pass, as in dbt; one
/// that looks misspelt is told.
pub fn read(project: &Yaml, sink: &mut Diagnostics) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (key, value) in project.get("flags").map(Yaml::entries).unwrap_or_default() {
        let known = OPTIONS.iter().find(|(name, _)| *name == key.name);
        match known {
            Some((name, form)) if !value.is_null() => match text(*form, value) {
                Ok(text) => found.push((*name, text)),
                Err(wanted) => {
                    let message = format!("the flag `{name}` is left out: {wanted}");
                    let problem = Diagnostic::warning(Code::InvalidValue, value.span, message);
                    // dbt goes on without the other flags, and stops here.
                    let severity = if matches!(form, Form::Options) { Severity::Error } else { Severity::Warning };
                    sink.push(Diagnostic { severity, ..problem });
                }
            },
            None if !OTHERS.contains(&key.name.as_str()) => {
                let names = OPTIONS.iter().map(|(name, _)| *name).chain(OTHERS);
                sink.extend(nearest(&key.name, names).map(|near| {
                    let message = format!("no flag is called `{}`", key.name);
                    Diagnostic::warning(Code::UnknownKey, key.span, message).help(format!("did you mean `{near}`?"))
                }));
            }
            _ => {}
        }
    }
    found
}

/// The value as a word of the command line, or what is wanted in its place.
fn text(form: Form, value: &Yaml) -> Result<String, String> {
    match (form, &value.value) {
        (Form::Switch, Value::Bool(flag)) => Ok(flag.to_string()),
        (Form::Switch, _) => Err("it is true or false".to_string()),
        (Form::Number, Value::Number(number)) => Ok(number.to_string()),
        (Form::Number, _) => Err("it is a number".to_string()),
        (Form::OneOf(words), Value::String(word)) if words.contains(&word.to_lowercase().as_str()) => Ok(word.clone()),
        (Form::OneOf(words), _) => Err(format!("it is one of {}", words.join(", "))),
        (Form::Options, _) => {
            let options = value.to_json();
            Warnings::read(&options).map(|_| options.to_string())
        }
    }
}
