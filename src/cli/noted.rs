//! Keeps in the target folder what a command has found out of the project, so that the next one is quicker.

use std::path::Path;

use crate::artifact::write::{in_json, make_target, write_notes};
use crate::cli::workspace::Context;
use crate::notes::{Notes, program};
use crate::project::Project;

/// What the templates say, and what they gave while the project was parsed.
pub const PARSED: &str = "parse.notes";

/// The SQL of nodes, and the columns that the engine gives to it.
pub const CHECKED: &str = "check.notes";

/// What earlier commands have noted, if this very program wrote it.
pub fn read(folder: &Path, name: &str) -> Notes {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    Notes::read(text, &program())
}

/// Writes what is new. Where that is not possible, the next command finds it out again.
pub fn write(context: &Context, project: &Project, folder: &Path, name: &str, notes: &Notes) {
    if !context.write_json {
        return;
    }
    let secrets = project.secrets_in_files();
    let secrets = [secrets.clone(), in_json(&secrets)].concat();
    let holds_secret = |text: &str| secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret.as_str()));
    if let Some(news) = notes.news(holds_secret) {
        let _ = make_target(folder).and_then(|()| write_notes(&folder.join(name), &news));
    }
}
