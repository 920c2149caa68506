//! Names what a project asks for and medal does not have, so that nothing is left out in silence.

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::project::Project;
use crate::project::properties::Properties;

/// Reports every use of a feature that `docs/compatibility.md` lists as not there yet.
pub fn report(project: &Project, sink: &mut Diagnostics) {
    for file in project.packages.values().flat_map(|package| &package.properties) {
        semantics(file, sink);
    }
}

fn semantics(file: &Properties, sink: &mut Diagnostics) {
    for (key, span) in &file.semantics {
        let message = format!("`{key}` are left out: this version of medal has no semantic layer");
        sink.push(Diagnostic::warning(Code::Unsupported, *span, message));
    }
}
