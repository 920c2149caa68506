//! `medal status`: how the rows of each model add up, what readers see of it, and what is in quarantine.

use serde_json::json;

use crate::cli::arguments::publish::StatusOptions;
use crate::cli::desk::Desk;
use crate::cli::workspace::{Context, Exit};

/// Prints a line for each model: layer by layer, each after those that it reads.
pub fn status(context: &Context, options: &StatusOptions) -> Result<Exit, Exit> {
    let desk = Desk::open_for(context, &options.selection, &["model", "snapshot"])?;
    let layers = &desk.workspace.project.layers.layers;
    let mut nodes = desk.nodes();
    nodes.sort_by_key(|node| node.layer.as_ref().and_then(|layer| layers.get_index_of(layer)));
    let queries = nodes.into_iter().map(|node| desk.ask(node, "status_of", &[json!(node.layer)]));
    let queries = queries.collect::<Result<Vec<_>, Exit>>()?;
    desk.print(&queries, "There is nothing to tell of")
}
