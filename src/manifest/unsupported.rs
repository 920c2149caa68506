//! Names what a project asks for and medal does not have, so that nothing is left out in silence.

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::project::Project;
use crate::project::properties::Properties;

/// Reports every use of a feature that `docs/compatibility.md` lists as not there yet.
pub fn report(project: &Project, sink: &mut Diagnostics) {
    for file in project.packages.values().flat_map(|package| &package.properties) {
        unit_tests(file, sink);
    }
}

fn unit_tests(file: &Properties, sink: &mut Diagnostics) {
    for (name, span) in &file.unit_tests {
        let message = format!("the unit test `{name}` is left out: this version of medal has no unit tests");
        sink.push(Diagnostic::warning(Code::Unsupported, *span, message));
    }
}
