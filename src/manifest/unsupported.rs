//! Names what a project asks for and medal does not have, so that nothing is left out in silence.

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::project::Project;
use crate::project::properties::Properties;

/// Reports every use of a feature that `docs/compatibility.md` lists as not there yet.
pub fn report(project: &Project, sink: &mut Diagnostics) {
    for file in project.packages.values().flat_map(|package| &package.properties) {
        snapshots(file, sink);
        versions(file, sink);
        semantics(file, sink);
    }
}

fn semantics(file: &Properties, sink: &mut Diagnostics) {
    for (key, span) in &file.semantics {
        let message = format!("`{key}` are left out: this version of medal has no semantic layer");
        sink.push(Diagnostic::warning(Code::Unsupported, *span, message));
    }
}

fn snapshots(file: &Properties, sink: &mut Diagnostics) {
    for snapshot in file.snapshots.iter().filter(|snapshot| snapshot.has_relation) {
        let message =
            format!("the snapshot `{}` is written in YAML, which this version of medal does not build", snapshot.name);
        let help = "write it as a `{% snapshot %}` block";
        sink.push(Diagnostic::error(Code::Unsupported, snapshot.span, message).help(help));
    }
}

fn versions(file: &Properties, sink: &mut Diagnostics) {
    for model in file.models.iter().filter(|model| model.versions.as_array().is_some_and(|list| !list.is_empty())) {
        let message = format!("`{}` has versions, which this version of medal does not know", model.name);
        sink.push(
            Diagnostic::error(Code::Unsupported, model.span, message).help("give each version a name of its own"),
        );
    }
}
