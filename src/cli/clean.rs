//! `medal clean`: deletes the folders that `clean-targets` names, and nothing outside of the project.

use std::path::Path;

use crate::artifact::write::is_marked;
use crate::cli::workspace::{self, Context, Exit};
use crate::diagnostic::Diagnostics;
use crate::diagnostic::code::Code;
use crate::project::render::YamlRenderer;
use crate::project::settings::{self, Settings, inside};

/// Deletes the clean targets. A target that is, or holds, the project or one of its source folders is refused; in a
/// native project so is a folder that medal did not write.
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
    let targets: Vec<_> = settings
        .clean_targets
        .iter()
        .filter_map(|target| Some((target, inside(root, target, settings.place_of(target), &mut sink)?)))
        .collect();
    if workspace::tell(context, sink) {
        return Err(Exit::Unusable);
    }
    for (target, path) in targets {
        if holds_sources(root, &path, &settings) {
            let message = format!("`{target}` holds files of the project, and is not deleted");
            context.error(Code::PathOutsideProject, &message, Some("take it out of `clean-targets`"));
            return Err(Exit::Unusable);
        }
        if !path.is_dir() {
            continue;
        }
        if settings.native && !is_marked(&path) && *target != settings.packages_install_path {
            let message = format!("`{target}` was not made by medal, and is not deleted");
            context.error(Code::NotOurs, &message, Some("delete it by hand, or take it out of `clean-targets`"));
            return Err(Exit::Unusable);
        }
        if let Err(error) = std::fs::remove_dir_all(&path) {
            context.error(Code::UnreadableFile, &format!("cannot delete `{target}`: {error}"), None);
            return Err(Exit::Unusable);
        }
        context.reporter.note(&format!("deleted {target}"));
    }
    Ok(Exit::Fine)
}

fn holds_sources(root: &Path, target: &Path, settings: &Settings) -> bool {
    let own = settings.paths.all().map(|path| root.join(path)).chain([root.to_path_buf()]);
    own.into_iter().any(|source| source.starts_with(target))
}
