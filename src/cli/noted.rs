//! Keeps in the target folder what a command has found out of the project, so that the next one is quicker.

use std::path::Path;

use crate::artifact::write::{in_json, make_target, write_notes};
use crate::cli::workspace::Context;
use crate::notes::Notes;
use crate::project::Project;

const FILE: &str = "notes.tsv";

/// What earlier commands have noted, if this very program wrote it.
pub fn read(folder: &Path) -> Notes {
    let file = folder.join(FILE);
    Notes::reading(move || std::fs::read_to_string(file).unwrap_or_default(), &program())
}

/// Writes what is new. Where that is not possible, the next command finds it out again.
pub fn write(context: &Context, project: &Project, folder: &Path, notes: &Notes) {
    if !context.write_json {
        return;
    }
    let secrets = project.secrets_in_files();
    let secrets = [secrets.clone(), in_json(&secrets)].concat();
    let holds_secret = |text: &str| secrets.iter().any(|secret| !secret.is_empty() && text.contains(secret.as_str()));
    if let Some(news) = notes.news(holds_secret) {
        let _ = make_target(folder).and_then(|()| write_notes(&folder.join(FILE), &news));
    }
}

/// What stands for this very program: notes of another one may rest on other rules.
fn program() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let of_file = file.and_then(|file| Ok(format!("{} {:?}", file.len(), file.modified()?)));
    format!("{} {}", env!("CARGO_PKG_VERSION"), of_file.unwrap_or_default())
}
