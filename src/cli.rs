//! Turns the command line into the work of the other modules, and what happened into output and an exit code.
//!
//! Only this module speaks to the terminal, reads the environment and decides to stop.

pub mod arguments;
pub mod check;
pub mod clean;
pub mod columns;
pub mod compare;
pub mod compile;
pub mod debug;
pub mod docs;
pub mod deps;
pub mod desk;
pub mod diff;
pub mod events;
pub mod execute;
pub mod flags;
pub mod freshness;
pub mod hold;
pub mod init;
pub mod lakehouse;
pub mod lineage;
pub mod list;
mod noted;
pub mod operation;
pub mod pages;
pub mod quarantine;
pub mod remembered;
pub mod report;
pub mod retry;
pub mod rollback;
pub mod runs;
pub mod schema;
pub mod show;
pub mod state;
pub mod site;
pub mod status;
pub mod workspace;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value as Json, json};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::artifact::Invocation;
use crate::artifact::manifest::Sql;
use crate::cli::arguments::global::{GlobalOptions, LogFormat, LogLevel};
use crate::cli::arguments::selection::{ChoiceOptions, IndirectSelection, SelectOptions};
use crate::cli::arguments::{Arguments, Command, SourceCommand};
use crate::cli::report::logfile::LogOptions;
use crate::cli::report::{Format, ReportOptions, Reporter};
use crate::cli::workspace::{Context, Exit};
use crate::compile::microbatch::Request;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::diagnostic::warnings::Warnings;
use crate::files::ProjectFiles;
use crate::jinja::JsonMap;
use crate::manifest::selector::{Indirect, Selection};
use crate::parallel;
use crate::project::profile::ProfileRequest;
use crate::project::render::Environment;
use crate::project::settings::DBT_FILE;
use crate::project::{LoadRequest, is_project};
use crate::yaml;

/// Runs one command of the command line.
pub fn main() -> ExitCode {
    pages::small();
    // Deep YAML, deep templates and deep queries recurse: run where there is room.
    let thread = std::thread::Builder::new().stack_size(64 * 1024 * 1024).spawn(run);
    let code = match thread.map(std::thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        _ => Exit::Unusable.code(),
    };
    ExitCode::from(code)
}

fn run() -> u8 {
    parallel::take_part();
    let read = arguments::read(std::env::args_os(), &[]).and_then(|arguments| {
        match flags::of_project(&project_dir(&arguments.global, &working_dir())) {
            flags if flags.is_empty() => Ok(arguments),
            flags => arguments::read(std::env::args_os(), &flags),
        }
    });
    let arguments = match read {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and versions go to stdout and are no errors.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    match dispatch(&arguments) {
        Ok(exit) | Err(exit) => exit.code(),
    }
}

fn dispatch(arguments: &Arguments) -> Result<Exit, Exit> {
    match &arguments.command {
        Command::Explain { code } => return Ok(explain(code.as_deref())),
        Command::Completions { shell } => {
            arguments::completions(*shell, &mut std::io::stdout());
            return Ok(Exit::Fine);
        }
        Command::Init(options) => return init::init(options),
        _ => {}
    }
    let begin = Instant::now();
    let mut context = context(arguments)?;
    if arguments.global.log_format == LogFormat::Json || arguments.command.runs_nodes() {
        context.reporter.version();
    }
    let outcome = carry_out(&arguments.command, &mut context);
    context.reporter.completed(arguments.command.name(), outcome == Ok(Exit::Fine), begin.elapsed());
    match u8::try_from(context.signal.load(Ordering::Relaxed)) {
        Ok(0) | Err(_) => outcome,
        Ok(code) => Ok(Exit::Stopped(code)),
    }
}

fn carry_out(command: &Command, context: &mut Context) -> Result<Exit, Exit> {
    match command {
        Command::Parse(options) => {
            let begin = Instant::now();
            let workspace = workspace::open(context)?;
            if options.write_perf_info {
                workspace::write_perf_info(context, &workspace, begin.elapsed())?;
            }
            workspace::write_manifest(context, &workspace, Sql::default())?;
            context.reporter.found(&workspace.manifest, &workspace.project);
            Ok(Exit::Fine)
        }
        Command::Debug(options) => debug::debug(context, options),
        Command::Check(options) => check::run_check(context, options),
        Command::Compile(options) => compile::compile(context, options),
        Command::Lineage(options) => lineage::run_lineage(context, options),
        Command::List(options) => list::list(context, options),
        Command::Show(options) => show::show(context, options),
        Command::Docs(command) => docs::docs(context, command),
        Command::RunOperation(options) => operation::run_operation(context, options),
        Command::Quarantine(command) => quarantine::quarantine(context, command),
        Command::Status(options) => status::status(context, options),
        Command::Runs(command) => runs::runs(context, command),
        Command::Diff(options) => diff::diff(context, options),
        Command::Compare(options) => compare::compare(context, options),
        Command::History(options) => lakehouse::history(context, options),
        Command::Optimize(options) => lakehouse::optimize(context, options),
        Command::Vacuum(options) => lakehouse::vacuum(context, options),
        Command::Rollback(options) => rollback::rollback(context, options),
        Command::Hold(options) => hold::hold(context, options),
        Command::Schema(command) => schema::schema(context, command),
        Command::Deps(options) => deps::deps(context, options),
        Command::Clean(_) => clean::clean(context),
        Command::Seed(options) => execute::seed(context, options),
        Command::Run(options) => execute::run_models(context, options),
        Command::Snapshot(options) => execute::snapshot(context, options),
        Command::Test(options) => execute::test(context, options),
        Command::Build(options) => execute::build(context, options),
        Command::Retry(options) => retry::retry(context, options),
        Command::Clone(options) => execute::clone(context, options),
        Command::Source(SourceCommand::Freshness(options)) => freshness::freshness(context, options),
        Command::Explain { .. } | Command::Completions { .. } | Command::Init(_) => Ok(Exit::Fine),
    }
}

/// Reads what every command needs from the options and the environment.
fn context(arguments: &Arguments) -> Result<Context, Exit> {
    let global = &arguments.global;
    let environment = Environment(Arc::new(std::env::vars_os().filter_map(text_pair).collect()));
    let working_dir = working_dir();
    let root = project_dir(global, &working_dir);
    let files = Arc::new(ProjectFiles::new(&root));
    let invocation = uuid::Uuid::new_v4().to_string();
    let options = report_options(global, &environment, &invocation, &root);
    let reporter = Arc::new(Reporter::new(options, environment.secrets(), files.clone()));
    let cli_vars = match yaml::parse_json(global.vars.as_deref().unwrap_or("{}")) {
        Ok(Json::Object(vars)) => vars,
        Ok(_) => return Err(unusable(&reporter, "`--vars` is a mapping, for instance `--vars '{start: 2024-01-01}'`")),
        Err(message) => return Err(unusable(&reporter, &format!("`--vars` cannot be read: {message}"))),
    };
    let warnings = global.warnings().map_err(|message| unusable(&reporter, &message))?;
    let warnings = if root.join(DBT_FILE).is_file() { warnings } else { warnings.with_own() };
    let profile = ProfileRequest {
        profiles_dir: global.profiles_dir.clone(),
        home: environment.get("HOME").map(PathBuf::from),
        profile: global.profile.clone(),
        target: global.target.clone(),
        threads: global.threads,
        working_dir: working_dir.clone(),
    };
    let command = arguments.command.name();
    let (stop, signal) = signals();
    Ok(Context {
        reporter,
        invocation: Invocation {
            id: invocation,
            started_at: chrono::Utc::now(),
            medal_version: env!("CARGO_PKG_VERSION").to_string(),
            command: command.to_string(),
            args: invocation_arguments(command, global, &cli_vars, &warnings),
            env: environment.custom(),
        },
        request: LoadRequest {
            profile,
            cli_vars,
            environment,
            version_check: global.version_check(),
            flags: JsonMap::new(),
        },
        flags: flags::of_templates(arguments, &warnings),
        target_path: global.target_path.as_ref().map(|path| root.join(path)),
        write_json: global.write_json(),
        warnings,
        fail_fast: global.fail_fast(),
        batches: Request::default(),
        state: global.state.clone(),
        files,
        stop,
        signal,
    })
}

fn working_dir() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))
}

/// What is set when the user or the system asks medal to stop: that it is so, and the exit code of the signal. A second
/// signal ends the program at once.
fn signals() -> (Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (stop, code) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    for (signal, exit) in [(SIGINT, 130), (SIGTERM, 143)] {
        // A signal that cannot be caught ends the program as it always does.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, exit, stop.clone());
        let _ = signal_hook::flag::register_usize(signal, code.clone(), exit as usize);
        let _ = signal_hook::flag::register(signal, stop.clone());
    }
    (stop, code)
}

fn text_pair((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// The folder that is named, else the nearest one upwards that holds a project.
fn project_dir(global: &GlobalOptions, working_dir: &Path) -> PathBuf {
    match &global.project_dir {
        Some(dir) => working_dir.join(dir),
        None => {
            let nearest = working_dir.ancestors().find(|dir| is_project(dir));
            nearest.unwrap_or(working_dir).to_path_buf()
        }
    }
}

fn report_options(global: &GlobalOptions, environment: &Environment, invocation: &str, root: &Path) -> ReportOptions {
    let terminal = std::io::stderr().is_terminal();
    let plain = environment.get("NO_COLOR").is_some_and(|value| !value.is_empty());
    ReportOptions {
        format: if global.log_format == LogFormat::Json { Format::Json } else { Format::Text },
        quiet: global.quiet(),
        debug: global.debug(),
        level: global.log_level,
        target_path: global.target_path.as_ref().map(|path| path.display().to_string()),
        colors: global.colors().unwrap_or(terminal && !plain),
        progress: terminal && environment.get("CI").is_none() && environment.get("TERM") != Some("dumb"),
        print: global.print(),
        invocation: invocation.to_string(),
        log: log_options(global, root),
    }
}

/// A dbt project has dbt's log file; a native one only if the user asks for it.
fn log_options(global: &GlobalOptions, root: &Path) -> Option<LogOptions> {
    let is_dbt = root.join(DBT_FILE).is_file();
    let folder = match &global.log_path {
        Some(folder) => root.join(folder),
        None if is_dbt => root.join("logs"),
        None => return None,
    };
    (global.log_level_file != LogLevel::None).then(|| LogOptions {
        path: folder.join(if is_dbt { "dbt.log" } else { "medal.log" }),
        format: if global.log_format_file == LogFormat::Json { Format::Json } else { Format::Text },
        level: global.log_level_file,
        max_bytes: global.log_file_max_bytes,
    })
}

fn unusable(reporter: &Reporter, message: &str) -> Exit {
    reporter.error(Code::InvalidValue, message, None);
    Exit::Unusable
}

/// The options of the command as the artifacts show them, by dbt's names.
fn invocation_arguments(command: &str, global: &GlobalOptions, vars: &JsonMap, warnings: &Warnings) -> JsonMap {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let arguments = json!({
        "defer": global.state.defer,
        "defer_state": path(&global.state.defer_state),
        "fail_fast": global.fail_fast(),
        "favor_state": global.state.favor_state,
        "invocation_command": format!("medal {command}"),
        "state": path(&global.state.state),
        "vars": vars,
        "warn_error": global.warn_error(),
        "warn_error_options": warnings.json(),
        "which": command,
    });
    arguments.as_object().cloned().unwrap_or_default()
}

fn explain(code: Option<&str>) -> Exit {
    let print = |text: String| drop(writeln!(std::io::stdout(), "{text}"));
    let Some(word) = code else {
        print(report::explain_all());
        return Exit::Fine;
    };
    if let Some(code) = Code::from_name(word) {
        print(report::explain(code));
        return Exit::Fine;
    }
    let near = crate::diagnostic::nearest(word, Code::ALL.iter().map(|code| code.name()));
    let help =
        near.map_or_else(|| "`medal explain` lists them all".to_string(), |near| format!("did you mean `{near}`?"));
    let _ = writeln!(std::io::stderr(), "error: no code is called `{word}`\n  = help: {help}");
    Exit::Unusable
}

/// The selection that the options of a command describe.
pub fn choice(context: &Context, options: &ChoiceOptions) -> Result<Selection, Exit> {
    let ChoiceOptions { selection: select, kinds, indirect } = options;
    let selected: Vec<String> = select.select.iter().chain(&select.models).cloned().collect();
    if select.selector.is_some() && !(selected.is_empty() && select.exclude.is_empty()) {
        let message = "`--selector` says what to select, so `--select` and `--exclude` are left out";
        context.warning(Diagnostic::warning(Code::InvalidSelector, None, message))?;
    }
    Ok(Selection {
        select: selected,
        exclude: select.exclude.clone(),
        selector: select.selector.clone(),
        resource_types: kinds.resource_type.clone(),
        exclude_resource_types: kinds.exclude_resource_type.clone(),
        indirect: match indirect.indirect_selection {
            IndirectSelection::Eager => Indirect::Eager,
            IndirectSelection::Cautious => Indirect::Cautious,
            IndirectSelection::Buildable => Indirect::Buildable,
            IndirectSelection::Empty => Indirect::Empty,
        },
    })
}

/// The same for a command that is about its kinds of nodes, whatever the tests.
pub fn selection(context: &Context, options: &SelectOptions) -> Result<Selection, Exit> {
    choice(context, &ChoiceOptions { selection: options.clone(), ..ChoiceOptions::default() })
}
