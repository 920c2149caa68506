//! Turns `flags:` of the project file into options, and options into `flags` as templates see them.

use std::path::Path;

use serde_json::json;

use crate::cli::arguments::Arguments;
use crate::cli::arguments::global::LogFormat;
use crate::diagnostic::Diagnostics;
use crate::diagnostic::warnings::Warnings;
use crate::files::ProjectFiles;
use crate::jinja::JsonMap;
use crate::project::{flags, settings};

/// The options that the project file sets. What is wrong in it is told when the project is loaded.
pub fn of_project(root: &Path) -> Vec<(&'static str, String)> {
    let mut sink = Diagnostics::default();
    let raw = settings::read(root, &ProjectFiles::new(root), &mut sink);
    raw.map(|raw| flags::read(&raw.yaml, &mut sink)).unwrap_or_default()
}

/// `flags` of templates, by dbt's names. Commands add what only they can be told.
pub fn of_templates(arguments: &Arguments, warnings: &Warnings) -> JsonMap {
    let global = &arguments.global;
    let command = arguments.command.name();
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let flags = json!({
        "CACHE_SELECTED_ONLY": false,
        "DEBUG": global.debug(),
        "EMPTY": false,
        "FAIL_FAST": global.fail_fast(),
        "FULL_REFRESH": false,
        "INDIRECT_SELECTION": "eager",
        "INTROSPECT": true,
        "INVOCATION_COMMAND": format!("dbt {command}"),
        "LOG_CACHE_EVENTS": false,
        "LOG_FORMAT": if global.log_format == LogFormat::Json { "json" } else { "default" },
        "LOG_PATH": path(&global.log_path),
        "PARTIAL_PARSE": true,
        "PRINTER_WIDTH": 80,
        "PROFILES_DIR": path(&global.profiles_dir),
        "QUIET": global.quiet(),
        "SEND_ANONYMOUS_USAGE_STATS": false,
        "STATIC_PARSER": true,
        "STORE_FAILURES": false,
        "TARGET_PATH": path(&global.target_path),
        "USE_COLORS": global.colors().unwrap_or(true),
        "USE_EXPERIMENTAL_PARSER": false,
        "VERSION_CHECK": global.version_check(),
        "WARN_ERROR": global.warn_error(),
        "WARN_ERROR_OPTIONS": warnings.json(),
        "WHICH": command.rsplit(' ').next().unwrap_or(command),
        "WRITE_JSON": global.write_json(),
    });
    flags.as_object().cloned().unwrap_or_default()
}
