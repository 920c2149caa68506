//! Turns `packages.yml` into packages on disk, and into the lock that pins what they are.
//!
//! Nothing is fetched while the lock fits and every package is there with the content that the lock names. Packages
//! are unpacked beside their place and verified; only when all are good do they take it.

pub mod add;
pub mod archive;
pub mod consent;
pub mod download;
pub mod fetch;
pub mod folder;
pub mod git;
pub mod hub;
pub mod lock;
pub mod resolve;

use std::path::{Path, PathBuf};

use crate::deps::fetch::Fetcher;
use crate::deps::lock::{Lock, Pin};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{ProjectFiles, Span};
use crate::project::packages::{PackageList, PackageSource};
use crate::project::render::YamlRenderer;

/// What to install, and where.
pub struct Request<'a> {
    pub files: &'a ProjectFiles,
    pub renderer: &'a YamlRenderer,
    /// Name of the project: no package may have it.
    pub project: &'a str,
    /// Whether the project has medal's own defaults, and packages need its consent.
    pub native: bool,
    pub list: PackageList,
    /// `packages-install-path`.
    pub folder: PathBuf,
    /// A URL or a folder with the layout of <https://hub.getdbt.com>.
    pub hub: String,
    /// Whether versions of the hub that do not work with this version are left out.
    pub version_check: bool,
    pub upgrade: bool,
    pub lock_only: bool,
}

/// Installs what is listed. What happened goes to `tell`, line by line; without an error in the sink all is in place.
pub fn install(request: &Request<'_>, tell: &mut dyn FnMut(&str), sink: &mut Diagnostics) {
    let root = request.files.root();
    let hash = lock::hash(&request.list.specs);
    let old = lock::read(request.files, request.renderer, sink);
    if sink.has_errors() {
        return;
    }
    let fits = old.as_ref().filter(|lock| lock.hash == hash && !request.upgrade);
    if let Some(lock) = fits
        && (request.lock_only || is_installed(lock, request))
    {
        tell(&format!("Up to date: {}", count(lock.packages.len())));
        return;
    }
    let staging = match folder::staging(&request.folder) {
        Ok(staging) => staging,
        Err(error) => return sink.push(unwritable(&request.folder, &error)),
    };
    let mut fetcher = Fetcher::new(request, staging.path());
    let pins = match fits {
        Some(lock) => lock.packages.clone(),
        None => resolve::resolve(request, &mut fetcher, sink),
    };
    let mut ready = Vec::new();
    for pin in &pins {
        let known = old.as_ref().filter(|_| !request.upgrade).and_then(|lock| lock.pin_of(&pin.source));
        if let Some(installed) = known.and_then(|known| in_place(known, request)) {
            ready.push(installed);
            continue;
        }
        let known = known.and_then(|known| known.sha256.as_deref());
        match fetcher.fetch(&pin.source, pin.name.as_deref(), pin.span).and_then(|got| verify(got, known, pin.span)) {
            Ok(package) => ready.push(package),
            Err(problem) => sink.push(*problem),
        }
    }
    for (url, span) in std::mem::take(&mut fetcher.unpinned) {
        let message = format!("`{url}` is asked for without a revision, so that it changes when its owner changes it");
        let problem = Diagnostic::warning(Code::PackageChanged, span, message).event("DepsUnpinned");
        sink.push(problem.help("name a `revision`, or say `warn-unpinned: false`"));
    }
    check_names(request.project, &ready, sink);
    if sink.has_errors() {
        return;
    }
    let lock = Lock { hash, packages: ready.iter().map(|package| package.pin.clone()).collect() };
    let written = lock::write(root, &lock).and_then(|()| match request.lock_only {
        true => Ok(()),
        false => put_in_place(&ready, request, staging.path(), tell),
    });
    if let Err(error) = written {
        sink.push(unwritable(&request.folder, &error));
    }
}

/// A package that is verified, in its place or not.
pub struct Ready {
    pub pin: Pin,
    pub name: String,
    pub dir: PathBuf,
}

/// The content of a package must be that which the lock names.
fn verify(got: fetch::Fetched, known: Option<&str>, span: Option<Span>) -> Result<Ready, Box<Diagnostic>> {
    let sha256 = match &got.source {
        PackageSource::Local { .. } => None,
        _ => Some(folder::sha256(&got.dir).map_err(|error| Box::new(unwritable(&got.dir, &error)))?),
    };
    if let (Some(known), Some(sha256)) = (known, &sha256)
        && known != sha256
    {
        let message = format!("the content of the package `{}` is not what `{}` pins", got.name, lock::FILE);
        let help = format!(
            "find out why {} changed; if it was meant to, `medal deps --upgrade` writes a new lock",
            lock::shown(&got.source)
        );
        let problem = Diagnostic::error(Code::PackageChanged, span, message);
        return Err(Box::new(problem.label(format!("pinned {known}, got {sha256}")).help(help)));
    }
    let pin = Pin { source: got.source, name: Some(got.name.clone()), sha256, span };
    Ok(Ready { pin, name: got.name, dir: got.dir })
}

fn check_names(project: &str, ready: &[Ready], sink: &mut Diagnostics) {
    for (at, package) in ready.iter().enumerate() {
        let shown = lock::shown(&package.pin.source);
        let message = if package.name == project {
            format!("the package {shown} has the project's own name, `{project}`")
        } else if let Some(other) = ready[..at].iter().find(|other| other.name == package.name) {
            format!("two packages are called `{}`: {} and {shown}", package.name, lock::shown(&other.pin.source))
        } else {
            continue;
        };
        let problem = Diagnostic::error(Code::PackageConflict, package.pin.span, message);
        sink.push(problem.help("names of packages are their namespaces: keep one of the two"));
    }
}

/// Whether every package is in its place, with the content of the lock, and no other package beside them.
fn is_installed(lock: &Lock, request: &Request<'_>) -> bool {
    let names: Vec<&str> = lock.packages.iter().filter_map(|pin| pin.name.as_deref()).collect();
    lock.packages.iter().all(|pin| in_place(pin, request).is_some())
        && folder::others(&request.folder, &names).is_empty()
}

/// The package of a lock, if it is in its place with the content of the lock.
fn in_place(pin: &Pin, request: &Request<'_>) -> Option<Ready> {
    let name = pin.name.clone()?;
    let dir = request.folder.join(&name);
    let same = match &pin.source {
        PackageSource::Local { path } => {
            let real = |path: &Path| std::fs::canonicalize(path).ok();
            real(&dir).is_some() && real(&dir) == real(&request.files.root().join(path))
        }
        _ => pin.sha256.is_some() && folder::sha256(&dir).ok() == pin.sha256,
    };
    same.then(|| Ready { pin: pin.clone(), name, dir })
}

fn put_in_place(
    ready: &[Ready],
    request: &Request<'_>,
    staging: &Path,
    tell: &mut dyn FnMut(&str),
) -> std::io::Result<()> {
    let names: Vec<&str> = ready.iter().map(|package| package.name.as_str()).collect();
    for other in folder::others(&request.folder, &names) {
        folder::set_aside(&request.folder.join(&other), staging)?;
        tell(&format!("Removed {other}"));
    }
    for package in ready {
        let place = request.folder.join(&package.name);
        if package.dir == place {
            continue;
        }
        folder::set_aside(&place, staging)?;
        match &package.pin.source {
            PackageSource::Local { .. } => folder::link(&package.dir, &place)?,
            _ => std::fs::rename(&package.dir, &place)?,
        }
        tell(&format!("Installed {} from {}", package.name, lock::shown(&package.pin.source)));
    }
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(Code::UnreadableFile, None, format!("cannot install packages in `{}`: {error}", path.display()))
}

fn count(packages: usize) -> String {
    format!("{packages} package{}", if packages == 1 { "" } else { "s" })
}
