//! Turns an exact version of a package into a folder that holds it, each at most once.

use std::path::{Path, PathBuf};

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::deps::archive::{self, Refused};
use crate::deps::download::{Download, Failure};
use crate::deps::hub::{Hub, Refusal};
use crate::deps::lock::shown;
use crate::deps::{Request, git};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::Span;
use crate::jinja::python_yaml;
use crate::project::is_project;
use crate::project::packages::{self, PackageSource, PackageSpec, is_name};
use crate::project::settings::{DBT_FILE, MEDAL_FILE};
use crate::project::version::Requirement;
use crate::yaml;

/// A package that lies in a folder of its own.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub name: String,
    pub dir: PathBuf,
    pub source: PackageSource,
}

/// Gets packages into the staging folder.
pub struct Fetcher<'a> {
    request: &'a Request<'a>,
    staging: &'a Path,
    download: Download,
    hub: Hub,
    fetched: IndexMap<String, Fetched>,
    commits: IndexMap<String, (String, PathBuf)>,
    folders: usize,
    /// Repositories of which no revision is named, so that they change from day to day.
    pub unpinned: Vec<(String, Option<Span>)>,
}

type Outcome<T> = Result<T, Box<Diagnostic>>;

impl<'a> Fetcher<'a> {
    pub fn new(request: &'a Request<'a>, staging: &'a Path) -> Fetcher<'a> {
        Fetcher {
            request,
            staging,
            download: Download::new(request.files.root()),
            hub: Hub::new(&request.hub, request.version_check),
            fetched: IndexMap::default(),
            commits: IndexMap::default(),
            folders: 0,
            unpinned: Vec::new(),
        }
    }

    /// The newest version of a hub package that meets all requirements.
    pub fn choose(
        &mut self,
        package: &str,
        requirements: &[Requirement],
        prerelease: bool,
        span: Option<Span>,
    ) -> Outcome<PackageSource> {
        match self.hub.choose(&self.download, package, requirements, prerelease) {
            Ok(version) => {
                let versions = vec![Requirement::from(version)];
                Ok(PackageSource::Hub { package: package.to_string(), versions, prerelease: false })
            }
            Err(Refusal::NoneFits { newest }) => {
                let message = format!("no version of `{package}` fits all who ask for it");
                let help = match newest.is_empty() {
                    true => "the hub has no version that works here".to_string(),
                    false => format!("the newest are {}", newest.join(", ")),
                };
                Err(Box::new(Diagnostic::error(Code::PackageConflict, span, message).help(help)))
            }
            Err(Refusal::Unavailable(failure)) => Err(self.not_in_hub(package, &failure, span)),
        }
    }

    fn not_in_hub(&self, package: &str, failure: &Failure, span: Option<Span>) -> Box<Diagnostic> {
        let Failure::Missing(_) = failure else { return Box::new(unavailable(span, failure.message())) };
        let names = self.hub.names(&self.download);
        let problem = unavailable(span, &format!("the hub has no package `{package}`"));
        Box::new(match nearest(package, names.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        })
    }

    /// The commit that a revision of a repository is at.
    pub fn commit(&mut self, source: &PackageSource, revision: &str, span: Option<Span>) -> Outcome<String> {
        let PackageSource::Git { url, written, warn_unpinned, .. } = source else { return Ok(revision.to_string()) };
        let (commit, _) = self.checkout(url, written, revision, span)?;
        if *warn_unpinned && ["HEAD", "main", "master"].contains(&revision) {
            self.unpinned.push((written.clone(), span));
        }
        Ok(commit)
    }

    fn checkout(&mut self, url: &str, written: &str, revision: &str, span: Option<Span>) -> Outcome<(String, PathBuf)> {
        let key = format!("{url} {revision}");
        if let Some(known) = self.commits.get(&key) {
            return Ok(known.clone());
        }
        let dir = self.new_folder();
        // A repository on this machine may be given relative to the project.
        let local = self.request.files.root().join(url);
        let address = if local.exists() { local.to_string_lossy().into_owned() } else { url.to_string() };
        let commit = git::checkout(&address, revision, &dir).map_err(|said| {
            let help = "the program `git` must be installed, and have the right to read the repository";
            Box::new(unavailable(span, &format!("cannot fetch `{revision}` of `{written}`: {said}")).help(help))
        })?;
        let found = (commit.clone(), dir);
        self.commits.insert(format!("{url} {commit}"), found.clone());
        self.commits.insert(key, found.clone());
        Ok(found)
    }

    /// The name of a package, and what it needs itself.
    pub fn needs(
        &mut self,
        source: &PackageSource,
        name: Option<&str>,
        span: Option<Span>,
    ) -> Outcome<(String, Vec<PackageSpec>)> {
        let shown = shown(source);
        let mut sink = Diagnostics::default();
        let list = match source {
            PackageSource::Hub { .. } => {
                let facts = self.facts(source, span)?;
                let listed = facts.get("packages").cloned().unwrap_or(Json::Null);
                let text = python_yaml(&listed, false);
                let file = self.request.files.add(&format!("packages of {shown}"), &text);
                yaml::parse(file, &text, &mut sink)
            }
            _ => {
                let fetched = self.fetch(source, name, span)?;
                packages::find(&fetched.dir, &fetched.name, self.request.files, &mut sink).map(|(_, _, list)| list)
            }
        };
        let specs = list.map_or_else(Vec::new, |list| {
            packages::specs(&list, self.request.renderer, self.request.native, &mut sink)
        });
        match sink.into_iter().next() {
            Some(problem) => Err(Box::new(problem)),
            None => Ok((shown, specs)),
        }
    }

    fn facts(&mut self, source: &PackageSource, span: Option<Span>) -> Outcome<Json> {
        let PackageSource::Hub { package, versions, .. } = source else { return Ok(Json::Null) };
        let Some(version) = versions.first().map(|version| &version.version) else { return Ok(Json::Null) };
        let facts = self.hub.version(&self.download, package, version);
        facts.map_err(|failure| Box::new(unavailable(span, failure.message())))
    }

    /// The folder of a package, fetched unless it is a folder already.
    pub fn fetch(&mut self, source: &PackageSource, name: Option<&str>, span: Option<Span>) -> Outcome<Fetched> {
        let key = format!("{source:?}");
        if let Some(known) = self.fetched.get(&key) {
            return Ok(known.clone());
        }
        let (dir, name) = match source {
            PackageSource::Local { path } => (self.request.files.root().join(path), None),
            PackageSource::Git { url, written, revision, subdirectory, .. } => {
                let revision = revision.as_deref().unwrap_or("HEAD");
                let (_, dir) = self.checkout(url, written, revision, span)?;
                (below(&dir, subdirectory.as_deref(), span)?, None)
            }
            PackageSource::Tarball { url, written } => (self.unpack(url, written, span)?, name.map(str::to_string)),
            PackageSource::Hub { package, .. } => {
                let facts = self.facts(source, span)?;
                let Some(url) = self.hub.archive(&facts) else {
                    let message = format!("the hub has no archive of {}", shown(source));
                    return Err(Box::new(unavailable(span, &message)));
                };
                let name = facts.get("name").and_then(Json::as_str).map(str::to_string);
                (self.unpack(&url, package, span)?, name)
            }
        };
        let name = self.name(&dir, source, name, span)?;
        let fetched = Fetched { name, dir, source: source.clone() };
        self.fetched.insert(key, fetched.clone());
        Ok(fetched)
    }

    fn unpack(&mut self, url: &str, written: &str, span: Option<Span>) -> Outcome<PathBuf> {
        let packed = self.download.open(url).map_err(|failure| Box::new(unavailable(span, failure.message())))?;
        let dir = self.new_folder();
        archive::unpack(packed, &dir).map_err(|refused| {
            let code = match refused {
                Refused::Unsafe(_) => Code::UnsafeArchive,
                Refused::Unreadable(_) => Code::PackageUnavailable,
            };
            Box::new(Diagnostic::error(code, span, format!("`{written}` is not unpacked: {refused}")))
        })?;
        let folders: Vec<PathBuf> = std::fs::read_dir(&dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
        match &folders[..] {
            [folder] if folder.is_dir() => Ok(folder.clone()),
            _ => {
                let message = format!("`{written}` does not hold one folder with the package in it");
                let help = "pack it as `tar czf package.tar.gz FOLDER`";
                Err(Box::new(Diagnostic::error(Code::PackageUnavailable, span, message).help(help)))
            }
        }
    }

    /// The name that is given, else that of the package's own project file. It becomes the name of a folder.
    fn name(&self, dir: &Path, source: &PackageSource, given: Option<String>, span: Option<Span>) -> Outcome<String> {
        let shown = shown(source);
        if !is_project(dir) {
            return Err(Box::new(unavailable(span, &format!("there is no `{DBT_FILE}` in {shown}"))));
        }
        let own = || {
            let file = [DBT_FILE, MEDAL_FILE].into_iter().find(|name| dir.join(name).is_file())?;
            let file = self.request.files.read_as(&dir.join(file), &format!("{shown}/{file}")).ok()?;
            let yaml = yaml::parse(file, &self.request.files.get(file).text, &mut Diagnostics::default())?;
            yaml.get("name")?.as_str().map(str::to_string)
        };
        match given.or_else(own) {
            Some(name) if is_name(&name) => Ok(name),
            name => {
                let name = name.unwrap_or_default();
                let message = format!("{shown} calls itself `{name}`, which is no name of a package");
                Err(Box::new(Diagnostic::error(Code::InvalidValue, span, message)))
            }
        }
    }

    fn new_folder(&mut self) -> PathBuf {
        self.folders += 1;
        self.staging.join(self.folders.to_string())
    }
}

/// `subdirectory` of a repository, which must stay inside of it.
fn below(dir: &Path, subdirectory: Option<&str>, span: Option<Span>) -> Outcome<PathBuf> {
    let Some(subdirectory) = subdirectory else { return Ok(dir.to_path_buf()) };
    let plain = |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
    if !Path::new(subdirectory).components().all(plain) {
        let message = format!("the subdirectory `{subdirectory}` leaves the repository");
        return Err(Box::new(Diagnostic::error(Code::PathOutsideProject, span, message)));
    }
    Ok(dir.join(subdirectory))
}

fn unavailable(span: Option<Span>, message: &str) -> Diagnostic {
    Diagnostic::error(Code::PackageUnavailable, span, message)
}
