//! `medal schema`: shows how the columns of models have changed, and lets a change be published that was refused.

use serde_json::json;

use crate::cli::arguments::publish::SchemaCommand;
use crate::cli::desk::Desk;
use crate::cli::workspace::{Context, Exit};

/// Prints changes, or approves them.
pub fn schema(context: &Context, command: &SchemaCommand) -> Result<Exit, Exit> {
    match command {
        SchemaCommand::Diff(options) => {
            let desk = Desk::open(context, &options.selection)?;
            let queries = desk.ask_all("schema_changes_of", |_| Vec::new())?;
            desk.print(&queries, "There is nothing to tell of")
        }
        SchemaCommand::Approve(options) => {
            let desk = Desk::open(context, &options.selection)?;
            let reason = options.reason.as_deref().unwrap_or("approved");
            desk.at_once(|| {
                for node in desk.nodes() {
                    let said = match desk.ask(node, "approve_schema", &[json!(reason)])?.as_u64() {
                        Some(1) => "1 change of a column is approved".to_string(),
                        Some(changes) => format!("{changes} changes of columns are approved"),
                        None => "no change was refused".to_string(),
                    };
                    desk.note(&format!("{}: {said}", node.name));
                }
                Ok(Exit::Fine)
            })
        }
    }
}
