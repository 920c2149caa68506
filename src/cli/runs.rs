//! `medal runs`: what the ledger tells of runs.

use serde_json::json;

use crate::cli::arguments::publish::RunsCommand;
use crate::cli::desk::Desk;
use crate::cli::workspace::{Context, Exit};

/// Lists runs, or shows one of them.
pub fn runs(context: &Context, command: &RunsCommand) -> Result<Exit, Exit> {
    let desk = Desk::open(context, &Default::default())?;
    let nodes = desk.nodes();
    let node = nodes.first().expect("a desk is of one model at least");
    let query = match command {
        RunsCommand::List { limit } => desk.ask(node, "list_runs", &[json!(limit)])?,
        RunsCommand::Show { run, timeline } => desk.ask(node, "show_run", &[json!(run), json!(timeline)])?,
    };
    desk.print(&[query], "There is no run")
}
