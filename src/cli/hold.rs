//! `medal hold`: keeps what is published of models as it is, until it is released.

use serde_json::json;

use crate::cli::arguments::publish::HoldOptions;
use crate::cli::desk::Desk;
use crate::cli::workspace::{Context, Exit};

/// Holds the selected models, or releases them.
pub fn hold(context: &Context, options: &HoldOptions) -> Result<Exit, Exit> {
    let desk = Desk::open(context, &options.selection)?;
    let (state, said) = if options.release { ("released", "released") } else { ("held", "held: no build changes it") };
    desk.at_once(|| {
        for node in desk.nodes() {
            desk.ask(node, "hold_version", &[json!(state), json!(options.reason)])?;
            desk.note(&format!("{} is {said}", node.name));
        }
        Ok(Exit::Fine)
    })
}
