//! Collects the macros of all packages, medal's own among them, into the Library.

use include_dir::{Dir, include_dir};

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::ProjectFiles;
use crate::jinja::{ErrorKind, Library, LibraryOptions, MacroFile, RenderError};
use crate::project::Project;
use crate::project::render::code_of;

/// The name of the package that holds the macros that come with medal: dbt's name for it, so that
/// `dbt.date_trunc(…)` works.
pub const INTERNAL_PACKAGE: &str = "dbt";

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Every macro that the project can call.
pub fn library(project: &Project, files: &ProjectFiles, sink: &mut Diagnostics) -> Library {
    let mut macros = internal(files);
    macros.extend(project.packages.values().flat_map(|package| package.macros.iter().cloned()));
    let settings = &project.root().settings;
    let options = LibraryOptions {
        root_package: settings.name.clone(),
        adapter: project.target.kind.clone(),
        dispatch: settings.dispatch.clone(),
        packages: project.packages.keys().cloned().collect(),
        packages_override: project.packages_override(),
    };
    let (library, errors) = Library::new(&macros, options);
    sink.extend(errors.iter().map(diagnostic));
    library
}

fn internal(files: &ProjectFiles) -> Vec<MacroFile> {
    let mut macros = Vec::new();
    for folder in ["macros", "materializations", "tests"] {
        if let Some(dir) = TEMPLATES.get_dir(folder) {
            collect(dir, files, &mut macros);
        }
    }
    macros
}

fn collect(dir: &Dir<'static>, files: &ProjectFiles, macros: &mut Vec<MacroFile>) {
    for file in dir.files() {
        let path = format!("medal/{}", file.path().to_string_lossy().replace('\\', "/"));
        let text = file.contents_utf8().expect("the templates are UTF-8");
        let id = files.add(&path, text);
        macros.push(MacroFile {
            package: INTERNAL_PACKAGE.to_string(),
            file: id,
            path: path.into(),
            text: text.into(),
        });
    }
    dir.dirs().for_each(|dir| collect(dir, files, macros));
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
