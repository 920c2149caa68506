//! `medal clean`: deletes the folders that `clean-targets` names, and nothing outside of the project.

use std::path::Path;

use crate::artifact::write::is_marked;
use crate::cli::workspace::{self, Context, Exit};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::project::render::YamlRenderer;
use crate::project::settings::{self, Settings, inside};

/// Deletes the clean targets, if none of them is, or holds, the project or one of its source folders. In a native
/// project a folder that medal did not make is refused too.
pub fn clean(context: &Context) -> Result<Exit, Exit> {
    let mut sink = Diagnostics::default();
    let root = context.files.root();
    let Some(raw) = settings::read(root, &context.files, &mut sink) else {
        workspace::tell(context, sink);
        return Err(Exit::Unusable);
    };
    let renderer =
        YamlRenderer::for_project(&context.request.environment, &context.request.cli_vars, &serde_json::Value::Null);
    let settings = settings::settle(&raw, &renderer, &mut sink);
    let mut folders = Vec::new();
    for target in &settings.clean_targets {
        let place = settings.place_of(target);
        let Some(path) = inside(root, target, place, &mut sink) else { continue };
        if let Some(problem) = refusal(root, target, &path, &settings) {
            sink.push(Diagnostic::error(problem.0, place, problem.1).help("take it out of `clean-targets`"));
        }
        folders.push((target, path));
    }
    if workspace::tell(context, sink) {
        return Err(Exit::Unusable);
    }
    for (target, path) in folders.into_iter().filter(|(_, path)| path.is_dir()) {
        if let Err(error) = std::fs::remove_dir_all(&path) {
            context.error(Code::UnreadableFile, &format!("cannot delete `{target}`: {error}"), None);
            return Err(Exit::Unusable);
        }
        context.reporter.note(&format!("deleted {target}"));
    }
    Ok(Exit::Fine)
}

/// Why a folder must not be deleted.
fn refusal(root: &Path, target: &str, path: &Path, settings: &Settings) -> Option<(Code, String)> {
    let mut sources = settings.paths.all().map(|path| root.join(path)).chain([root.to_path_buf()]);
    if sources.any(|source| source.starts_with(path)) {
        let message = format!("`{target}` holds files of the project, and is not deleted");
        return Some((Code::PathOutsideProject, message));
    }
    let ours = !settings.native || target == settings.packages_install_path || is_marked(path);
    (path.is_dir() && !ours).then(|| (Code::NotOurs, format!("`{target}` was not made by medal, and is not deleted")))
}
