//! `medal debug`: says what medal sees: versions, files, the target, and whether the engine can be reached.

use crate::adapter;
use crate::cli::arguments::DebugOptions;
use crate::cli::report::problem::plural;
use crate::cli::workspace::{self, Context, Exit};
use crate::diagnostic::Diagnostics;
use crate::diagnostic::code::Code;
use crate::project::load;

/// Prints each check with its outcome.
pub fn debug(context: &Context, options: &DebugOptions) -> Result<Exit, Exit> {
    let profile = &context.request.profile;
    if options.config_dir {
        let dir = profile.profiles_dir.clone().or_else(|| profile.home.as_ref().map(|home| home.join(".dbt")));
        context.reporter.note(&format!("profiles.yml is looked for in {}", dir.unwrap_or_default().display()));
        return Ok(Exit::Fine);
    }
    let note = |name: &str, value: &str| context.reporter.note(&format!("{name:<12}{value}"));
    note("medal", env!("CARGO_PKG_VERSION"));
    note("system", &format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    note("project", &context.files.root().display().to_string());
    let mut sink = Diagnostics::default();
    let Some(project) = load(&context.files, &context.request, &mut sink) else {
        workspace::tell(context, sink);
        return Err(Exit::Unusable);
    };
    let wrong = workspace::tell(context, sink);
    let target = &project.target;
    note("profile", &target.profile_name);
    note("target", &format!("{} ({}, {})", target.name, target.kind, plural(target.threads, "thread")));
    note("warehouse", &format!("{}.{}", target.database, target.schema));
    if let Some(path) = target.settings.get("path").and_then(serde_json::Value::as_str) {
        note("path", path);
    }
    match adapter::connect(target).and_then(|engine| engine.product()) {
        Ok(product) => {
            note("connection", &format!("works, {product}"));
            Ok(if wrong { Exit::Failed } else { Exit::Fine })
        }
        Err(error) => {
            context.error(Code::ConnectionFailed, &error.to_string(), None);
            Err(Exit::Failed)
        }
    }
}
