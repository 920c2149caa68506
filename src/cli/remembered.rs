//! The options of a command as its artifacts keep them: everything that `retry` needs, and nothing that is secret.

use serde_json::{Value as Json, json};

use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::jinja::JsonMap;
use crate::project::Project;
use crate::run::Status;
use crate::run::journal::Journal;
use crate::run::outcome::Timer;

/// The name of the variables whose values are not written.
pub const LEFT_OUT: &str = "vars_left_out";

/// The options without those variables whose value is a secret of the environment or of the profile, or holds one.
pub fn arguments(all: &JsonMap, project: &Project) -> JsonMap {
    let secrets: Vec<String> = project.secrets();
    let is_secret = |value: &Json| -> bool {
        let text = value.to_string();
        secrets
            .iter()
            .any(|secret| text.contains(secret.as_str()) || text.contains(json!(secret).to_string().trim_matches('"')))
    };
    let mut kept = all.clone();
    if all.get("args").is_some_and(is_secret) {
        // What a macro was called with.
        kept.shift_remove("args");
        kept.insert(LEFT_OUT.to_string(), json!(["--args"]));
    }
    let Some(Json::Object(vars)) = all.get("vars") else { return kept };
    let (secret, open): (Vec<_>, Vec<_>) = vars.iter().partition(|(_, value)| is_secret(value));
    if !secret.is_empty() {
        let names: Vec<&String> = secret.into_iter().map(|(name, _)| name).collect();
        kept.insert(LEFT_OUT.to_string(), json!(names));
        let open: JsonMap = open.into_iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        kept.insert("vars".to_string(), Json::Object(open));
    }
    kept
}

/// Writes a journal of work that is done, for a command that does not plan its nodes.
pub fn note(context: &Context, workspace: &Workspace, command: &str, nodes: &[(&str, Status)]) -> Result<(), Exit> {
    if !context.write_json {
        return Ok(());
    }
    let Workspace { project, target_dir, .. } = workspace;
    let arguments = Json::Object(arguments(&context.invocation.args, project));
    let ids: Vec<&str> = nodes.iter().map(|(id, _)| *id).collect();
    let unwritable = |error: std::io::Error| workspace::unwritable(context, &error);
    let this_run = (context.invocation.id.as_str(), context.invocation.started_at);
    let journal = Journal::start(target_dir, command, &project.target.name, &arguments, this_run, &ids);
    let journal = journal.map_err(unwritable)?;
    nodes.iter().for_each(|(id, status)| journal.record(&Timer::of(id, 0).ended(*status, None)));
    journal.finish().map_err(unwritable)
}
