//! `medal retry`: runs what an earlier run left undone, with the options of that run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use crate::artifact;
use crate::cli::arguments::build::RetryOptions;
use crate::cli::arguments::{CompileOptions, RunOperationOptions};
use crate::cli::execute::{Mode, WINDOW, execute_nodes};
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::cli::{compile, operation, remembered, state};
use crate::compile::session::Warehouse;
use crate::diagnostic::Diagnostics;
use crate::diagnostic::code::Code;
use crate::diagnostic::warnings::Warnings;
use crate::manifest::microbatch;
use crate::manifest::selection::NodeSet;
use crate::project::settings;
use crate::run::journal::{self, Past};
use crate::run::ledger;

const NOTHING_LEFT: &str = "Nothing to do: the last run left nothing undone";

/// Runs again what the last run, or that of `--state`, did not do.
pub fn retry(context: &mut Context, options: &RetryOptions) -> Result<Exit, Exit> {
    let folder = state::folder(context).unwrap_or_else(|| target_dir(context));
    let past = past(context, &folder)?;
    take_over(context, &past)?;
    let was_set = |name: &str| past.arguments.get(name) == Some(&Json::Bool(true));
    let full_refresh = options.refresh.full_refresh || was_set("full_refresh");
    context.flag("FULL_REFRESH", full_refresh);
    let nothing_left = past.unfinished.is_empty();
    if nothing_left {
        context.reporter.note(NOTHING_LEFT);
        return Ok(Exit::Fine);
    }
    match past.command.as_str() {
        "compile" => {
            let mut options = CompileOptions::default();
            options.nodes.refresh.full_refresh = full_refresh;
            options.empty.empty = was_set("empty");
            options.nodes.choice.selection.select = past.unfinished.iter().map(|id| name_of(id)).collect();
            compile::compile(context, &options)
        }
        "run-operation" => {
            let text = |key: &str| past.arguments.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
            operation::run_operation(context, &RunOperationOptions { name: text("macro"), args: text("args") })
        }
        command => {
            let Some(mode) = Mode::of(command) else {
                let message = format!("the last command, `{command}`, cannot be retried");
                context.error(Code::UnreadableState, &message, None);
                return Err(Exit::Unusable);
            };
            let workspace = workspace::open(context)?;
            let manifest = &workspace.manifest;
            let known = |id: &String| manifest.node(id).is_some() || manifest.exposures.contains_key(id);
            let mut unfinished: NodeSet = past.unfinished.into_iter().filter(known).collect();
            let done = committed(context, &workspace, &past.run, &unfinished)?;
            unfinished.retain(|id| !done.contains(id));
            if unfinished.is_empty() {
                context.reporter.note(NOTHING_LEFT);
                return Ok(Exit::Fine);
            }
            execute_nodes(context, &workspace, mode, &unfinished)
        }
    }
}

/// The last part of a unique id that is a name.
fn name_of(id: &str) -> String {
    id.split('.').nth(2).unwrap_or(id).to_string()
}

/// The target folder, which is needed before the project can be read as the last run has read it.
fn target_dir(context: &Context) -> PathBuf {
    let written = || {
        let mut sink = crate::diagnostic::Diagnostics::default();
        let raw = settings::read(context.files.root(), &context.files, &mut sink)?;
        raw.yaml.get("target-path")?.as_str().filter(|path| !path.contains("{{")).map(str::to_string)
    };
    let default = || context.files.root().join(written().unwrap_or_else(|| "target".to_string()));
    context.target_path.clone().unwrap_or_else(default)
}

/// What is known of the last run: its journal, else the `run_results.json` that dbt or medal has written.
fn past(context: &Context, folder: &Path) -> Result<Past, Exit> {
    let unreadable = |message: String| {
        context.error(Code::UnreadableState, &message, Some("run `medal build` first"));
        Exit::Unusable
    };
    if journal::path(folder).is_file() {
        return journal::read(folder).map_err(unreadable);
    }
    match state::artifact(context, folder, "run_results.json")? {
        Some(results) => Ok(artifact::state::past(&results)),
        None => Err(unreadable(format!("there is no earlier run in `{}`", context.files.shown(folder)))),
    }
}

/// Puts the options of the last run in the place of those that are not given.
fn take_over(context: &mut Context, past: &Past) -> Result<(), Exit> {
    let given = context.request.profile.target.clone();
    if let Some(target) = given.filter(|target| !past.target.is_empty() && *target != past.target) {
        let message = format!("the last run was on the target `{}`, and this one is on `{target}`", past.target);
        let help = format!("give `--target {}`, or no target", past.target);
        context.error(Code::UnreadableState, &message, Some(&help));
        return Err(Exit::Unusable);
    }
    if !past.target.is_empty() {
        context.request.profile.target = Some(past.target.clone());
    }
    let text = |name: &str| past.arguments.get(name).and_then(Json::as_str).map(PathBuf::from);
    let was_set = |name: &str| past.arguments.get(name) == Some(&Json::Bool(true));
    context.state.state = text("state");
    context.state.defer_state = context.state.defer_state.take().or_else(|| text("defer_state"));
    context.state.defer |= was_set("defer") || past.command == "clone";
    context.state.favor_state |= was_set("favor_state");
    context.fail_fast |= was_set("fail_fast");
    // What counts as an error is taken over only where dbt does: `--warn-error` is given again.
    let options = past.arguments.get("warn_error_options").filter(|_| !was_set("warn_error"));
    if let Some(warnings) = options.and_then(|options| Warnings::read(options).ok())
        && context.warnings.is_default()
    {
        context.warnings = warnings;
    }
    take_over_vars(context, past)?;
    for flag in ["EMPTY", "STORE_FAILURES"] {
        context.flag(flag, was_set(&flag.to_lowercase()));
    }
    context.batches.until = past.started;
    context.batches.earlier = past.batches.clone();
    context.batches.sample = sample_of(&past.arguments);
    context.batches.window = context.batches.sample.or_else(|| window_of(&past.arguments));
    context.invocation.command.clone_from(&past.command);
    context.flags.insert("WHICH".to_string(), past.command.as_str().into());
    Ok(())
}

/// `--vars` takes the place of all variables of the last run, as in dbt.
fn take_over_vars(context: &mut Context, past: &Past) -> Result<(), Exit> {
    if !context.request.cli_vars.is_empty() {
        return Ok(());
    }
    let names = past.arguments.get(remembered::LEFT_OUT).and_then(Json::as_array).into_iter().flatten();
    let names: Vec<&str> = names.filter_map(Json::as_str).collect();
    if !names.is_empty() {
        let message = format!("the last run was given secrets, which are not kept: {}", names.join(", "));
        context.error(
            Code::UnreadableState,
            &message,
            Some("give them again: variables with `--vars`, or the arguments of a macro with `medal run-operation`"),
        );
        return Err(Exit::Unusable);
    }
    if let Some(Json::Object(vars)) = past.arguments.get("vars") {
        context.request.cli_vars = vars.clone();
        context.invocation.args.insert("vars".to_string(), Json::Object(vars.clone()));
    }
    Ok(())
}

/// Models that need not be built again, since their rows were committed before the run broke off.
fn committed(
    context: &Context,
    workspace: &Workspace,
    run: &str,
    unfinished: &NodeSet,
) -> Result<BTreeSet<String>, Exit> {
    let nodes = unfinished.iter().filter_map(|id| workspace.manifest.node(id));
    if run.is_empty() || !nodes.clone().any(|node| ledger::keeps(node, &workspace.project.layers)) {
        return Ok(BTreeSet::new());
    }
    let warehouse = Arc::new(Warehouse::open(workspace::connect(context, workspace)?));
    let session = workspace::session(context, workspace, unfinished);
    let mut done = ledger::committed(&session, &warehouse, run, nodes).map_err(|problem| {
        let mut sink = Diagnostics::default();
        sink.push(problem);
        workspace::tell(context, sink);
        Exit::Failed
    })?;
    done.retain(|id| unfinished.contains(id));
    for id in &done {
        context.reporter.note(&format!("The rows of {id} were committed by the last run: it is not built again"));
    }
    Ok(done)
}

/// The sample that an earlier command has read.
fn sample_of(arguments: &Json) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let sample = arguments.get("sample")?;
    let time = |key: &str| DateTime::parse_from_rfc3339(sample.get(key)?.as_str()?).ok().map(|time| time.to_utc());
    Some((time("start")?, time("end")?))
}

/// The span that an earlier command was for.
fn window_of(arguments: &Json) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let [start, end] = WINDOW.map(|name| arguments.get(name).and_then(Json::as_str).and_then(microbatch::moment));
    Some((start?, end?))
}
