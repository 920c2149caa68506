//! `medal diff`: compares what readers see of models with another version that is kept.

use serde_json::json;

use crate::cli::arguments::publish::DiffOptions;
use crate::cli::desk::Desk;
use crate::cli::rollback::version;
use crate::cli::workspace::{Context, Exit};

/// Prints how many rows only one side has, and which columns.
pub fn diff(context: &Context, options: &DiffOptions) -> Result<Exit, Exit> {
    let desk = Desk::open(context, &options.selection)?;
    let wanted = options.version.as_deref().map(version);
    let queries = desk.ask_all("diff_of_versions", |_| vec![json!(wanted)])?;
    desk.print(&queries, "There is no other version to compare with")
}
