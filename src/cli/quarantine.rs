//! `medal quarantine`: shows the rows that tests have held back, and says what becomes of them.

use serde_json::json;

use crate::cli::arguments::publish::{QuarantineCommand, QuarantineOptions};
use crate::cli::desk::Desk;
use crate::cli::report::problem::plural;
use crate::cli::workspace::{Context, Exit};

/// Lists, shows, releases or purges rows.
pub fn quarantine(context: &Context, command: &QuarantineCommand) -> Result<Exit, Exit> {
    match command {
        QuarantineCommand::List(options) => print(context, options, "quarantine_summary"),
        QuarantineCommand::Show(options) => print(context, options, "quarantine_rows"),
        QuarantineCommand::Release(options) => {
            change(context, options, "release_quarantine", "released for the next build")
        }
        QuarantineCommand::Purge(options) => change(context, options, "purge_quarantine", "emptied"),
    }
}

fn print(context: &Context, options: &QuarantineOptions, name: &str) -> Result<Exit, Exit> {
    let desk = Desk::open(context, &options.selection)?;
    let queries = desk.ask_all(name, |node| vec![json!(options.condition), json!(desk.personal(node))])?;
    desk.print(&queries, "Nothing is in quarantine")
}

fn change(context: &Context, options: &QuarantineOptions, name: &str, what: &str) -> Result<Exit, Exit> {
    let desk = Desk::open(context, &options.selection)?;
    desk.at_once(|| {
        for node in desk.nodes() {
            if let Some(rows) = desk.ask(node, name, &[json!(options.condition)])?.as_u64() {
                desk.note(&format!(
                    "{}: {} {what}",
                    node.name,
                    plural(usize::try_from(rows).unwrap_or(usize::MAX), "row")
                ));
            }
        }
        Ok(Exit::Fine)
    })
}
