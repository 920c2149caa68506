//! The options that every command has, before or after its name.

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum};

use crate::cli::arguments::ignored::Ignored;
use crate::cli::arguments::state::StateOptions;
use crate::diagnostic::warnings::Warnings;
use crate::yaml;

/// Form of everything that is told about a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object a line, on stdout
    Json,
    #[value(hide = true)]
    Default,
    #[value(hide = true)]
    Debug,
}

/// The least important thing that is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
    None,
}

impl LogLevel {
    /// The word of a JSON log.
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
            LogLevel::None => "none",
        }
    }
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct GlobalOptions {
    /// Folder of the project, instead of the current one
    #[arg(long, global = true, env = "DBT_PROJECT_DIR", value_name = "FOLDER", hide_env = true)]
    pub project_dir: Option<PathBuf>,
    /// Folder of `profiles.yml`
    #[arg(long, global = true, env = "DBT_PROFILES_DIR", value_name = "FOLDER", hide_env = true)]
    pub profiles_dir: Option<PathBuf>,
    /// Use this profile, instead of the project's
    #[arg(long, global = true, env = "DBT_PROFILE", value_name = "NAME", hide_env = true)]
    pub profile: Option<String>,
    /// Use this target of the profile
    #[arg(short, long, global = true, env = "DBT_TARGET", value_name = "NAME", hide_env = true)]
    pub target: Option<String>,
    /// Folder to write results into, instead of `target`
    #[arg(long, global = true, env = "DBT_TARGET_PATH", value_name = "FOLDER", hide_env = true)]
    pub target_path: Option<PathBuf>,
    /// Set variables, as YAML: `{start: 2024-01-01}`
    #[arg(long, global = true, value_name = "YAML")]
    pub vars: Option<String>,
    /// Run this many nodes at once
    #[arg(long, global = true, env = "DBT_THREADS", value_name = "NUMBER", hide_env = true)]
    #[arg(value_parser = threads)]
    pub threads: Option<usize>,
    /// Tell what happens as text or as JSON
    #[arg(long, global = true, env = "DBT_LOG_FORMAT", value_enum, default_value = "text", ignore_case = true)]
    #[arg(value_name = "FORM", hide_env = true)]
    pub log_format: LogFormat,
    /// Tell only what is at least this important
    #[arg(long, global = true, env = "DBT_LOG_LEVEL", value_enum, default_value = "info", ignore_case = true)]
    #[arg(value_name = "LEVEL", hide_env = true)]
    pub log_level: LogLevel,
    /// Folder of the log file; of a dbt project `logs`
    #[arg(long, global = true, env = "DBT_LOG_PATH", value_name = "FOLDER", hide_env = true)]
    pub log_path: Option<PathBuf>,
    /// Form of the log file
    #[arg(long, global = true, env = "DBT_LOG_FORMAT_FILE", value_enum, default_value = "text", ignore_case = true)]
    #[arg(value_name = "FORM", hide = true)]
    pub log_format_file: LogFormat,
    /// Write into the log file only what is at least this important
    #[arg(long, global = true, env = "DBT_LOG_LEVEL_FILE", value_enum, default_value = "debug", ignore_case = true)]
    #[arg(value_name = "LEVEL", hide = true)]
    pub log_level_file: LogLevel,
    /// Put a larger log file aside
    #[arg(long, global = true, env = "DBT_LOG_FILE_MAX_BYTES", default_value_t = 10 * 1024 * 1024)]
    #[arg(value_name = "BYTES", hide = true)]
    pub log_file_max_bytes: u64,
    #[command(flatten)]
    pub state: StateOptions,
    #[command(flatten)]
    switches: Switches,
    #[command(flatten)]
    pub ignored: Ignored,
}

/// Options without a value, each with one that takes it back.
#[derive(Debug, Clone, Args)]
struct Switches {
    /// Tell only errors
    #[arg(short, long, global = true, env = "DBT_QUIET", value_parser = FalseyValueParser::new(), hide_env = true)]
    #[arg(overrides_with = "no_quiet")]
    quiet: bool,
    #[arg(long, global = true, hide = true, overrides_with = "quiet")]
    no_quiet: bool,
    /// Tell everything
    #[arg(short, long, global = true, env = "DBT_DEBUG", value_parser = FalseyValueParser::new(), hide_env = true)]
    #[arg(overrides_with = "no_debug")]
    debug: bool,
    #[arg(long, global = true, hide = true, overrides_with = "debug")]
    no_debug: bool,
    /// Stop at the first failure
    #[arg(short = 'x', long, global = true, env = "DBT_FAIL_FAST", value_parser = FalseyValueParser::new())]
    #[arg(hide_env = true, overrides_with = "no_fail_fast")]
    fail_fast: bool,
    #[arg(long, global = true, hide = true, overrides_with = "fail_fast")]
    no_fail_fast: bool,
    /// Count warnings as errors
    #[arg(long, global = true, env = "DBT_WARN_ERROR", value_parser = FalseyValueParser::new(), hide_env = true)]
    warn_error: bool,
    /// Say which warnings count as errors, as YAML: `{error: all, warn: [NoNodeForYamlKey], silence: [seed-coercion]}`
    #[arg(long, global = true, env = "DBT_WARN_ERROR_OPTIONS", value_name = "YAML", hide_env = true)]
    warn_error_options: Option<String>,
    /// Write without colours
    #[arg(long, global = true)]
    no_use_colors: bool,
    #[arg(long, global = true, hide = true, env = "DBT_USE_COLORS", value_parser = FalseyValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", overrides_with = "no_use_colors")]
    use_colors: Option<bool>,
    /// Do not write `manifest.json` and `run_results.json`
    #[arg(long, global = true)]
    no_write_json: bool,
    #[arg(long, global = true, hide = true, env = "DBT_WRITE_JSON", value_parser = FalseyValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", overrides_with = "no_write_json")]
    write_json: Option<bool>,
    /// Take a project and packages also where their `require-dbt-version` asks for another version
    #[arg(long, global = true)]
    no_version_check: bool,
    #[arg(long, global = true, hide = true, env = "DBT_VERSION_CHECK", value_parser = FalseyValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", overrides_with = "no_version_check")]
    version_check: Option<bool>,
    /// Do not show what `print()` says
    #[arg(long, global = true)]
    no_print: bool,
    #[arg(long, global = true, hide = true, env = "DBT_PRINT", value_parser = FalseyValueParser::new())]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true", overrides_with = "no_print")]
    print: Option<bool>,
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("a whole number from 1 is wanted".to_string()),
        Ok(number) => Ok(number),
    }
}

impl GlobalOptions {
    pub fn quiet(&self) -> bool {
        self.switches.quiet && !self.switches.no_quiet
    }

    pub fn debug(&self) -> bool {
        self.switches.debug && !self.switches.no_debug
    }

    pub fn fail_fast(&self) -> bool {
        self.switches.fail_fast && !self.switches.no_fail_fast
    }

    pub fn warn_error(&self) -> bool {
        self.switches.warn_error
    }

    /// What becomes of warnings. The error is a sentence.
    pub fn warnings(&self) -> Result<Warnings, String> {
        match (&self.switches.warn_error_options, self.switches.warn_error) {
            (Some(_), true) => Err("`--warn-error` and `--warn-error-options` cannot be given together".to_string()),
            (Some(options), false) => {
                let read = yaml::parse_json(options).and_then(|options| Warnings::read(&options));
                read.map_err(|error| format!("`--warn-error-options` cannot be read: {error}"))
            }
            (None, true) => Ok(Warnings::are_errors()),
            (None, false) => Ok(Warnings::default()),
        }
    }

    /// What the user says of colours, if anything; otherwise the terminal and `NO_COLOR` decide.
    pub fn colors(&self) -> Option<bool> {
        if self.switches.no_use_colors { Some(false) } else { self.switches.use_colors }
    }

    /// Whether to write dbt's JSON files.
    pub fn write_json(&self) -> bool {
        !self.switches.no_write_json && self.switches.write_json != Some(false)
    }

    /// Whether `require-dbt-version` counts.
    pub fn version_check(&self) -> bool {
        !self.switches.no_version_check && self.switches.version_check != Some(false)
    }

    /// Whether `print(…)` of a template is shown.
    pub fn print(&self) -> bool {
        !self.switches.no_print && self.switches.print != Some(false)
    }
}
