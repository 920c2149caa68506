//! Turns the packages that a project asks for, and those that they ask for, into one exact version of each.

use crate::map::IndexMap;

use crate::deps::Request;
use crate::deps::fetch::Fetcher;
use crate::deps::lock::{Pin, shown};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::project::packages::{PackageSource, PackageSpec};

/// Everything that is asked of one package, and who asks.
type Wishes = IndexMap<String, Vec<Wish>>;

#[derive(Clone)]
struct Wish {
    spec: PackageSpec,
    asked_by: String,
}

/// Chooses the newest version of each package that fits everybody, as dbt does: round by round, without going back.
pub fn resolve(request: &Request<'_>, fetcher: &mut Fetcher<'_>, sink: &mut Diagnostics) -> Vec<Pin> {
    let mut all = Wishes::default();
    let mut round: Vec<Wish> = request.list.specs.iter().map(|spec| wish(spec, request.list.path)).collect();
    while !round.is_empty() {
        let mut changed = Vec::new();
        for wish in round {
            let key = key(&wish.spec.source);
            let wishes = all.entry(key.clone()).or_default();
            if wishes.iter().all(|known| known.spec.source != wish.spec.source) {
                wishes.push(wish);
                changed.push(key);
            }
        }
        changed.dedup();
        round = Vec::new();
        for key in changed {
            match needs(&all[&key], fetcher) {
                Ok((name, specs)) => round.extend(specs.iter().map(|spec| wish(spec, &name))),
                Err(problem) => sink.push(*problem),
            }
        }
    }
    if sink.has_errors() {
        return Vec::new();
    }
    all.values().filter_map(|wishes| choose(wishes, fetcher).ok()).collect()
}

fn wish(spec: &PackageSpec, asked_by: &str) -> Wish {
    Wish { spec: spec.clone(), asked_by: asked_by.to_string() }
}

/// Two entries with one key mean one package.
fn key(source: &PackageSource) -> String {
    match source {
        PackageSource::Local { path } => format!("local {path}"),
        PackageSource::Tarball { url, .. } => format!("tarball {url}"),
        PackageSource::Git { url, subdirectory, .. } => {
            format!("git {} {}", url.strip_suffix(".git").unwrap_or(url), subdirectory.as_deref().unwrap_or_default())
        }
        PackageSource::Hub { package, .. } => format!("package {package}"),
    }
}

type Needs = (String, Vec<PackageSpec>);

fn needs(wishes: &[Wish], fetcher: &mut Fetcher<'_>) -> Result<Needs, Box<Diagnostic>> {
    let pin = choose(wishes, fetcher)?;
    fetcher.needs(&pin.source, pin.name.as_deref(), pin.span)
}

/// The one version that fits all wishes.
fn choose(wishes: &[Wish], fetcher: &mut Fetcher<'_>) -> Result<Pin, Box<Diagnostic>> {
    let first = &wishes[0].spec;
    let source = match &first.source {
        PackageSource::Git { url, written, subdirectory, warn_unpinned, .. } => PackageSource::Git {
            url: url.clone(),
            written: written.clone(),
            revision: Some(revision(wishes, fetcher)?),
            subdirectory: subdirectory.clone(),
            warn_unpinned: *warn_unpinned,
        },
        PackageSource::Hub { package, .. } => {
            let all = wishes.iter().flat_map(|wish| match &wish.spec.source {
                PackageSource::Hub { versions, .. } => versions.clone(),
                _ => Vec::new(),
            });
            let all: Vec<_> = all.collect();
            let prerelease = matches!(first.source, PackageSource::Hub { prerelease: true, .. })
                || all.iter().any(|version| version.version.is_prerelease());
            fetcher.choose(package, &all, prerelease, first.span).map_err(|problem| explain(*problem, wishes))?
        }
        other => other.clone(),
    };
    Ok(Pin { source, name: first.name.clone(), sha256: None, span: first.span })
}

fn revision(wishes: &[Wish], fetcher: &mut Fetcher<'_>) -> Result<String, Box<Diagnostic>> {
    let mut revisions: Vec<&str> = Vec::new();
    for wish in wishes {
        if let PackageSource::Git { revision: Some(revision), .. } = &wish.spec.source
            && !revisions.contains(&revision.as_str())
        {
            revisions.push(revision);
        }
    }
    match revisions[..] {
        [] => fetcher.commit(&wishes[0].spec.source, "HEAD", wishes[0].spec.span),
        [revision] => fetcher.commit(&wishes[0].spec.source, revision, wishes[0].spec.span),
        _ => {
            let PackageSource::Git { written, .. } = &wishes[0].spec.source else { return Ok("HEAD".to_string()) };
            let message = format!("`{written}` is asked for in {} revisions", revisions.len());
            let problem = Diagnostic::error(Code::PackageConflict, wishes[0].spec.span, message);
            Err(explain(problem, wishes))
        }
    }
}

/// Who asks for what.
fn explain(problem: Diagnostic, wishes: &[Wish]) -> Box<Diagnostic> {
    let asked: Vec<String> = wishes.iter().map(|wish| format!("{} asks for {}", wish.asked_by, asked(wish))).collect();
    let known = problem.help.clone().map_or_else(String::new, |help| format!("; {help}"));
    Box::new(problem.help(format!("{}{known}", asked.join(", "))))
}

fn asked(wish: &Wish) -> String {
    match &wish.spec.source {
        PackageSource::Hub { versions, .. } if !versions.is_empty() => {
            versions.iter().map(|version| format!("`{version}`")).collect::<Vec<_>>().join(" and ")
        }
        source => shown(source),
    }
}
