//! Writes `target/openlineage.ndjson`: what a run that was checked has read and written, for catalogs of lineage.

use crate::artifact::openlineage::{Facts, runs};
use crate::artifact::write::write_lines;
use crate::check::Checked;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::lineage::lineage;
use crate::run::RunResults;

/// Writes the events of a run.
pub fn write(context: &Context, workspace: &Workspace, checked: &Checked, results: &RunResults) -> Result<(), Exit> {
    let Workspace { project, manifest, target_dir, .. } = workspace;
    let lineage = lineage(manifest, checked, &project.target.database);
    let facts = Facts { project, manifest, lineage: &lineage, invocation: &context.invocation };
    let written =
        write_lines(&target_dir.join("openlineage.ndjson"), &runs(&facts, results), &project.secrets_in_files());
    written.map_err(|error| workspace::unwritable(context, &error))
}
