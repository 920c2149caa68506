//! `medal status`: how the rows of each model add up, what readers see of it, and what is in quarantine.

use serde_json::json;

use crate::cli::arguments::publish::StatusOptions;
use crate::cli::desk::Desk;
use crate::cli::workspace::{Context, Exit};

/// Prints a line for each model, each after those that it reads.
pub fn status(context: &Context, options: &StatusOptions) -> Result<Exit, Exit> {
    let desk = Desk::open(context, &options.selection)?;
    let queries = desk.ask_all("status_of", |node| vec![json!(node.layer)])?;
    desk.print(&queries, "There is nothing to tell of")
}
