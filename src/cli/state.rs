//! Reads the artifacts of `--state` for a command that asks for them.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::artifact;
use crate::cli::workspace::{Context, Exit, Workspace};
use crate::compile::session::Deferral;
use crate::diagnostic::code::Code;
use crate::manifest::selection::selector_of;
use crate::manifest::selector::Selection;
use crate::manifest::selector::method::Method;
use crate::manifest::state::{Changes, State};
use crate::manifest::{Manifest, Node};

/// What `--state` tells, as far as the selection asks for it. A file that is there and cannot be read ends the command.
pub fn read(context: &Context, workspace: &Workspace, selection: &Selection) -> Result<Option<State>, Exit> {
    let Some(folder) = folder(context) else { return Ok(None) };
    // A selection with mistakes is told of when it is carried out.
    let Ok(selector) = selector_of(selection, &workspace.manifest.selectors) else { return Ok(None) };
    let asks = |wanted: fn(&Method) -> bool| selector.any(&wanted);
    let mut state = State::default();
    if asks(|method| matches!(method, Method::State(_))) {
        let old = artifact(context, &folder, "manifest.json")?;
        state.changes = old.map(|old| changes(context, workspace, &old));
    }
    if asks(|method| matches!(method, Method::Result)) {
        let results = artifact(context, &folder, "run_results.json")?;
        state.results = results.map(|results| artifact::state::statuses(&results));
    }
    if asks(|method| matches!(method, Method::SourceStatus)) {
        let before = artifact(context, &folder, "sources.json")?;
        let now = artifact(context, &workspace.target_dir, "sources.json")?;
        state.fresher = before.zip(now).map(|(before, now)| artifact::state::fresher(&before, &now));
    }
    Ok(Some(state))
}

/// The folder of `--state`, which is relative to the project.
pub fn folder(context: &Context) -> Option<PathBuf> {
    context.state.state.as_ref().map(|folder| context.files.root().join(folder))
}

/// An artifact as JSON; none if there is no such file.
pub fn artifact(context: &Context, folder: &Path, name: &str) -> Result<Option<Json>, Exit> {
    let path = folder.join(name);
    if !path.is_file() {
        return Ok(None);
    }
    let unreadable = |problem: String| {
        let message = format!("cannot read `{}`: {problem}", context.files.shown(&path));
        context.error(Code::UnreadableState, &message, Some("write it anew, with dbt or with medal"));
        Exit::Unusable
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_str(&text).map(Some).map_err(|error| unreadable(error.to_string()))
}

/// How the nodes of the project differ from those of another manifest, by dbt's rules.
pub fn changes(context: &Context, workspace: &Workspace, old: &Json) -> Changes {
    let Workspace { manifest, project, .. } = workspace;
    let sql = artifact::manifest::Sql::default();
    let now = artifact::manifest::manifest_json(manifest, project, &context.files, &context.invocation, sql);
    artifact::state::changes(old, &serde_json::to_value(now).unwrap_or_default())
}

/// Where the manifest of `--defer-state`, else that of `--state`, has the relations of this project's nodes.
pub fn deferral(context: &Context, manifest: &Manifest) -> Result<Deferral, Exit> {
    let given = context.state.defer_state.as_ref().map(|folder| context.files.root().join(folder));
    let Some(folder) = given.or_else(|| self::folder(context)) else {
        let message = "`--defer` needs the manifest of another run";
        context.error(Code::UnreadableState, message, Some("name the folder that holds it with `--state`"));
        return Err(Exit::Unusable);
    };
    let Some(other) = artifact(context, &folder, "manifest.json")? else {
        let message = format!("there is no `manifest.json` in `{}`", context.files.shown(&folder));
        context.error(Code::UnreadableState, &message, Some("name the folder that holds it with `--state`"));
        return Err(Exit::Unusable);
    };
    let nodes = manifest.nodes.values().filter(|node| node.is_refable());
    let relation = |node: &Node| artifact::state::relation(other["nodes"].get(&node.id)?, &node.relation);
    let relations = nodes.filter_map(|node| Some((node.id.clone(), relation(node)?))).collect();
    Ok(Deferral { relations, favored: context.state.favor_state })
}
