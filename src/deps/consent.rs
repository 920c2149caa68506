//! Finds what packages would do unasked, and the project has not allowed. Only a native project asks for consent.

use crate::deps::lock::{self, Pin};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{ProjectFiles, Span};
use crate::project::Project;
use crate::project::package::Package;
use crate::project::packages::{self, PackageSource, PackageSpec};
use crate::project::render::YamlRenderer;

/// The materializations that a package would replace if it could.
const BUILT_IN: [&str; 6] = ["view", "table", "incremental", "seed", "snapshot", "test"];

/// Reports hooks, and materializations in the place of built-in ones, of packages without `allow:` in `packages.yml`.
pub fn check(project: &Project, files: &ProjectFiles, sink: &mut Diagnostics) {
    if !project.is_native() {
        return;
    }
    let packages = project.packages.values().skip(1);
    let acts: Vec<_> = packages.flat_map(|package| unasked(project, package)).collect();
    let renderer = YamlRenderer::for_profile(&project.environment, &project.cli_vars);
    let mut ignored = Diagnostics::default();
    let list = packages::read(files.root(), files, &renderer, true, &mut ignored);
    let pins = lock::read(files, &renderer, &mut ignored).map_or_else(Vec::new, |lock| lock.packages);
    let specs = list.map_or_else(Vec::new, |list| list.specs);
    for act in acts {
        let entry = specs.iter().find(|spec| is_entry_of(spec, act.package, &pins, files));
        if entry.is_some_and(|spec| spec.allow.iter().any(|allowed| allowed == act.kind)) {
            continue;
        }
        let problem = Diagnostic::error(Code::PackageConsent, act.place, act.what);
        let problem = match entry.and_then(|spec| spec.span) {
            Some(span) => problem.related(span, "the package is listed here"),
            None => problem,
        };
        sink.push(
            problem.help(format!("read it; `allow: [{}]` at the package in `packages.yml` lets it run", act.kind)),
        );
    }
}

struct Act<'a> {
    package: &'a Package,
    kind: &'static str,
    what: String,
    place: Span,
}

fn unasked<'a>(project: &Project, package: &'a Package) -> Vec<Act<'a>> {
    let settings = &package.settings;
    let mut acts = Vec::new();
    let hooks = [("on-run-start", &settings.on_run_start), ("on-run-end", &settings.on_run_end)];
    for (which, hook) in hooks.into_iter().filter_map(|(which, hooks)| Some((which, hooks.first()?))) {
        let what = format!("the package `{}` has an `{which}` hook, which would run with every build", package.name);
        acts.push(Act { package, kind: "hooks", what, place: settings.place_of(hook) });
    }
    for name in BUILT_IN.into_iter().filter(|_| project.packages_override()) {
        let head = |text: &str| text.find(&format!("materialization {name},"));
        if let Some((file, at)) = package.macros.iter().find_map(|file| Some((file, head(&file.text)?))) {
            let what = format!("the package `{}` replaces the materialization `{name}`", package.name);
            let place = Span::new(file.file, at..at + "materialization ".len() + name.len());
            acts.push(Act { package, kind: "materializations", what, place });
        }
    }
    acts
}

/// Whether an entry of `packages.yml` is that of an installed package: by the lock, or by what both say.
fn is_entry_of(spec: &PackageSpec, package: &Package, pins: &[Pin], files: &ProjectFiles) -> bool {
    let locked = pins.iter().find(|pin| pin.name.as_ref() == Some(&package.name));
    if let Some(pin) = locked {
        return match (&pin.source, &spec.source) {
            (PackageSource::Hub { package: a, .. }, PackageSource::Hub { package: b, .. }) => a == b,
            (PackageSource::Git { url: a, .. }, PackageSource::Git { url: b, .. }) => a == b,
            (a, b) => a == b,
        };
    }
    let real = |path: &std::path::Path| std::fs::canonicalize(path).ok();
    spec.name.as_ref() == Some(&package.name)
        || match &spec.source {
            PackageSource::Hub { package: hub, .. } => hub.rsplit('/').next() == Some(&package.name),
            PackageSource::Local { path } => real(&files.root().join(path)) == real(&package.dir),
            _ => false,
        }
}
