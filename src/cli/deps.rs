//! `medal deps`: installs the packages that the project lists.

use std::path::PathBuf;

use crate::cli::arguments::deps::{DepsOptions, DepsSource};
use crate::cli::workspace::{self, Context, Exit};
use crate::deps::{Request, add, folder, hub, install};
use crate::diagnostic::Diagnostics;
use crate::diagnostic::code::Code;
use crate::project::packages::{self, PACKAGES_FILE};
use crate::project::render::YamlRenderer;
use crate::project::{install_path, settings};

/// Reads the list of packages, adds one to it if asked, and installs them.
pub fn deps(context: &Context, options: &DepsOptions) -> Result<Exit, Exit> {
    let mut sink = Diagnostics::default();
    let root = context.files.root();
    let request = &context.request;
    let Some(raw) = settings::read(root, &context.files, &mut sink) else {
        workspace::tell(context, sink);
        return Err(Exit::Unusable);
    };
    let renderer = YamlRenderer::for_project(&request.environment, &request.cli_vars, &serde_json::Value::Null);
    let settings = settings::settle(&raw, &renderer, &mut sink);
    if let Some(package) = &options.add_package {
        add_package(context, package, options.source, &mut sink)?;
    }
    let renderer = YamlRenderer::for_profile(&request.environment, &request.cli_vars);
    let list = packages::read(root, &context.files, &renderer, settings.native, &mut sink);
    if sink.has_errors() {
        workspace::tell(context, sink);
        return Err(Exit::Unusable);
    }
    let Some(list) = list.filter(|list| !list.specs.is_empty()) else {
        workspace::tell(context, sink);
        context.reporter.note(&format!("No packages are listed in {PACKAGES_FILE}"));
        return Ok(Exit::Fine);
    };
    let hub = request.environment.get("DBT_PACKAGE_HUB_URL").filter(|hub| !hub.is_empty()).unwrap_or(hub::PUBLIC);
    let request = Request {
        files: &context.files,
        renderer: &renderer,
        project: &settings.name,
        native: settings.native,
        folder: install_path(root, &settings, &request.environment),
        hub: hub.to_string(),
        version_check: request.version_check,
        upgrade: options.upgrade,
        lock_only: options.lock,
        list,
    };
    install(&request, &mut |line| context.reporter.note(line), &mut sink);
    match workspace::tell(context, sink) {
        true => Err(Exit::Unusable),
        false => Ok(Exit::Fine),
    }
}

/// Writes one more package into the file that lists them; the file is the new one or the old one, never half of it.
fn add_package(context: &Context, package: &str, source: DepsSource, sink: &mut Diagnostics) -> Result<(), Exit> {
    let (name, version) = match package.rsplit_once('@') {
        Some((name, version)) if !version.contains('/') => (name, Some(version)),
        _ => (package, None),
    };
    let kind = match source {
        DepsSource::Hub => add::Kind::Hub,
        DepsSource::Git => add::Kind::Git,
        DepsSource::Local => add::Kind::Local,
    };
    if version.is_none() && kind != add::Kind::Local {
        let message = format!("`--add-package {package}` names no version");
        context.error(Code::InvalidValue, &message, Some("write `--add-package NAME@VERSION`"));
        return Err(Exit::Unusable);
    }
    let root = context.files.root();
    let (file, path): (_, PathBuf) = match packages::find(root, "", &context.files, sink) {
        Some((name, file, _)) => (file, root.join(name)),
        None => {
            let path = root.join(PACKAGES_FILE);
            (context.files.read(&path).unwrap_or_else(|_| context.files.add(PACKAGES_FILE, "")), path)
        }
    };
    let text = context.files.get(file).text;
    let Some(text) = add::add(file, &text, kind, name, version, sink) else {
        workspace::tell(context, sink.clone());
        return Err(Exit::Unusable);
    };
    folder::write(&path, &text).map_err(|error| {
        context.error(Code::UnreadableFile, &format!("cannot write `{}`: {error}", path.display()), None);
        Exit::Unusable
    })?;
    context.reporter.note(&format!("Added {name} to {}", context.files.shown(&path)));
    Ok(())
}
