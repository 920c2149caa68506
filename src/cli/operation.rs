//! `medal run-operation`: calls a macro of the project or of a package.

use std::sync::Arc;

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::cli::arguments::RunOperationOptions;
use crate::cli::execute;
use crate::cli::remembered;
use crate::cli::workspace::{self, Context, Exit};
use crate::compile::host::NodeHost;
use crate::compile::session::Warehouse;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostics, nearest};
use crate::jinja::{Library, MacroInfo, ScopeValue};
use crate::manifest::builtin;
use crate::manifest::selection::NodeSet;
use crate::run::hooks::operation_scope;
use crate::run::outcome::Timer;
use crate::run::{Outcome, RunResults, Status};
use crate::yaml;

/// Calls the macro in a transaction of its own, which is kept if it ends well, as in dbt.
pub fn run_operation(context: &mut Context, options: &RunOperationOptions) -> Result<Exit, Exit> {
    context.invocation.args.insert("macro".to_string(), options.name.as_str().into());
    context.invocation.args.insert("args".to_string(), options.args.as_str().into());
    let context = &*context;
    let workspace = workspace::open(context)?;
    let arguments = match yaml::parse_json(&options.args) {
        Ok(Json::Object(arguments)) => arguments,
        Ok(_) => return Err(unusable(context, "`--args` is a mapping, for instance `--args '{days: 3}'`", None)),
        Err(message) => return Err(unusable(context, &format!("`--args` cannot be read: {message}"), None)),
    };
    let library = &workspace.manifest.library;
    let Some(found) = find(library, &workspace.project.root().name, &options.name) else {
        let message = format!("no macro is called `{}`", options.name);
        let names = library.macros().iter().map(|info| info.name.as_str());
        let help = nearest(&options.name, names).map(|near| format!("did you mean `{near}`?"));
        context.error(Code::UnknownMacro, &message, help.as_deref());
        return Err(Exit::Unusable);
    };
    let adapter = workspace::connect(context, &workspace)?;
    let warehouse = Arc::new(Warehouse::open(adapter));
    let session = workspace::session(context, &workspace, &NodeSet::default());
    let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), None));
    let scope = operation_scope(&session, &[]);
    let keywords: Vec<(String, ScopeValue)> =
        arguments.into_iter().map(|(name, value)| (name, ScopeValue::Json(value))).collect();
    let mut timer = Timer::of(&found.unique_id, 0);
    timer.compiled();
    let result = library.call(&found.unique_id, &[], &keywords, &scope, host);
    let closed = warehouse.with(|connection| match (connection.in_transaction(), result.is_ok()) {
        (true, true) => connection.commit(),
        (true, false) => connection.rollback(),
        (false, _) => Ok(()),
    });
    let is_good = result.is_ok() && closed.is_ok();
    let status = if is_good { Status::Success } else { Status::Error };
    let outcome = timer.ended(status, None);
    let outcome = Outcome { failures: Some(i64::from(!is_good)), ..outcome };
    let elapsed = outcome.execute_time;
    let results = RunResults { outcomes: vec![outcome], elapsed, interrupted: false };
    execute::write(context, &workspace, &results, &IndexMap::default())?;
    let id = found.unique_id.replacen("macro.", "operation.", 1);
    remembered::note(context, &workspace, "run-operation", &[(&id, status)])?;
    let mut sink = Diagnostics::default();
    if let Err(error) = &result {
        sink.push(builtin::diagnostic(error));
    } else if let Err(error) = closed {
        context.error(Code::SqlError, &error.to_string(), None);
        return Err(Exit::Failed);
    }
    Ok(if workspace::tell(context, sink) { Exit::Failed } else { Exit::Fine })
}

/// `macro`, or `package.macro`.
fn find<'l>(library: &'l Library, root: &str, name: &str) -> Option<&'l MacroInfo> {
    match name.split_once('.') {
        Some((package, name)) => library.macros().iter().find(|info| info.package == package && info.name == name),
        None => {
            let anywhere = || library.macros().iter().find(|info| info.name == name);
            library.find(root, name).or_else(anywhere)
        }
    }
}

fn unusable(context: &Context, message: &str, help: Option<&str>) -> Exit {
    context.error(Code::InvalidValue, message, help);
    Exit::Unusable
}
