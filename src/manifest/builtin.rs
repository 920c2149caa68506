//! Collects the macros of all packages, medal's own among them, into the Library.

use std::sync::{Arc, LazyLock};

use include_dir::{Dir, include_dir};
use serde_json::{Value as Json, json};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{FileId, ProjectFiles};
use crate::jinja::{self, ErrorKind, Library, LibraryOptions, MacroFile, ReadFile, RenderError};
use crate::parallel;
use crate::project::Project;
use crate::project::package::Package;
use crate::project::render::code_of;
use crate::project::settings::Settings;

/// The name of the package that holds the macros that come with medal: dbt's name for it, so that
/// `dbt.date_trunc(…)` works.
pub const INTERNAL_PACKAGE: &str = "dbt";

/// The name of the package that holds what only medal has: tests such as `medal.in_range`. Projects with layers have it.
pub const MEDAL_PACKAGE: &str = "medal";

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Every macro that the project can call.
pub fn library(project: &Project, files: &ProjectFiles, sink: &mut Diagnostics) -> Library {
    let mut macros = internal(files, project.layers.enforced);
    let own = project.packages.values().flat_map(|package| package.macros.iter().cloned());
    macros.extend(jinja::read(&own.collect::<Vec<_>>()));
    let settings = &project.root().settings;
    let options = LibraryOptions {
        root_package: settings.name.clone(),
        adapter: project.target.kind.clone(),
        dispatch: settings.dispatch.clone(),
        packages: project.packages.keys().cloned().collect(),
        project: Arc::new(runtime_config(project)),
        packages_override: project.packages_override(),
    };
    let (library, errors) = Library::of(macros, options);
    sink.extend(errors.iter().map(diagnostic));
    library
}

/// What dbt's runtime configuration says of the project and of each package. `args` stays empty: what was asked for on
/// the command line stands in `invocation_args_dict`.
fn runtime_config(project: &Project) -> Json {
    let of = |package: &Package| {
        let Settings { name, version, paths, vars, quoting, .. } = &package.settings;
        json!({
            "project_name": name,
            "version": version,
            "project_root": package.dir,
            "model_paths": paths.models,
            "seed_paths": paths.seeds,
            "test_paths": paths.tests,
            "analysis_paths": paths.analyses,
            "macro_paths": paths.macros,
            "snapshot_paths": paths.snapshots,
            "target_path": package.settings.target_path,
            "packages_install_path": package.settings.packages_install_path,
            "config_version": 2,
            "vars": vars,
            "cli_vars": project.cli_vars,
            "quoting": quoting,
            "profile_name": project.target.profile_name,
            "target_name": project.target.name,
            "threads": project.target.threads,
            "args": {},
        })
    };
    let mut config = of(project.root());
    config["dependencies"] = project.packages.iter().map(|(name, package)| (name.clone(), of(package))).collect();
    config
}

/// The macros that come with medal, which are the same in every project. Read by one thread, beside others.
static READ: LazyLock<Vec<ReadFile>> = LazyLock::new(|| {
    let mut macros = Vec::new();
    for folder in ["macros", "materializations", "tests", MEDAL_PACKAGE] {
        let package = if folder == MEDAL_PACKAGE { MEDAL_PACKAGE } else { INTERNAL_PACKAGE };
        TEMPLATES.get_dir(folder).into_iter().for_each(|dir| collect(dir, package, &mut macros));
    }
    macros.iter().map(ReadFile::of).collect()
});

/// Begins to read what comes with medal, beside other work.
pub fn read_ahead() {
    parallel::begin(|| {
        LazyLock::force(&READ);
    });
}

/// The macros that come with medal. Those of layers are there only where there are layers.
fn internal(files: &ProjectFiles, has_layers: bool) -> Vec<ReadFile> {
    let known = READ.iter().filter(|read| has_layers || read.package() == INTERNAL_PACKAGE);
    known.map(|read| read.numbered(files.add_shared(read.path(), read.text().clone()))).collect()
}

fn collect(dir: &Dir<'static>, package: &str, macros: &mut Vec<MacroFile>) {
    for file in dir.files() {
        let path = format!("medal/{}", file.path().to_string_lossy().replace('\\', "/"));
        let text = file.contents_utf8().expect("the templates are UTF-8").into();
        macros.push(MacroFile { package: package.to_string(), file: FileId(0), path: path.into(), text });
    }
    dir.dirs().for_each(|dir| collect(dir, package, macros));
}

/// A failed render as a diagnostic: the innermost place, and every place that led to it.
pub fn diagnostic(error: &RenderError) -> Diagnostic {
    let mut frames = error.frames.iter();
    let mut problem = Diagnostic::error(code_of(error.kind), frames.next().copied(), error.message.clone());
    for frame in frames {
        let label = if error.kind == ErrorKind::DuplicateMacro { "the other one" } else { "called from here" };
        problem = problem.related(*frame, label);
    }
    match &error.help {
        Some(help) => problem.help(help.clone()),
        None => problem,
    }
}
