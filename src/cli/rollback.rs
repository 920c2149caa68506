//! `medal rollback`: puts earlier versions of models back, all of them in one transaction.

use serde_json::{Value as Json, json};

use crate::cli::arguments::publish::RollbackOptions;
use crate::cli::desk::Desk;
use crate::cli::lakehouse;
use crate::cli::workspace::{Context, Exit};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::manifest::refable;

/// Rolls the selected models back, or none of them.
pub fn rollback(context: &Context, options: &RollbackOptions) -> Result<Exit, Exit> {
    if options.to_version.is_some() || options.to_run.is_some() {
        return lakehouse::restore(context, options);
    }
    let desk = Desk::open(context, &options.tables.selection())?;
    let to = options.to.as_deref().map(version);
    desk.at_once(|| {
        let mut done = Vec::new();
        for node in desk.nodes() {
            let answer = desk.ask(node, "roll_back", &[json!(to)])?;
            let text = |key: &str| answer[key].as_str().map(str::to_string);
            if let Some(why) = text("refused") {
                let message = format!("`{}` cannot be rolled back: {why}", node.name);
                let kept: Vec<&str> =
                    answer["kept"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
                let help = match kept.is_empty() {
                    true => "see `keep_generations` in docs/publish.md".to_string(),
                    false => format!("the versions that are kept: {}", kept.join(", ")),
                };
                return Err(desk.refuse(Diagnostic::error(Code::NoVersion, refable::place(node), message).help(help)));
            }
            let part = |key: &str| text(key).unwrap_or_default();
            done.push(format!("{} is rolled back from `{}` to `{}`", node.name, part("from"), part("to")));
        }
        done.iter().for_each(|line| desk.note(line));
        Ok(Exit::Fine)
    })
}

/// A version, which may be given as the id of the run that built it.
pub fn version(given: &str) -> String {
    match given.contains('-') {
        true => given.chars().filter(char::is_ascii_alphanumeric).take(8).collect(),
        false => given.to_string(),
    }
}
