//! Turns an Index into files: `index.json`, and below `site/` a page that works wherever its folder is.

use std::io;
use std::path::Path;

use include_dir::{Dir, include_dir};
use serde_json::Value as Json;

use crate::artifact::write::{hide, write_json, write_text};
use crate::site::Facts;
use crate::site::collect::index;
use crate::site::data::{Scripts, scripts};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates/site");

/// The folder of the site below the target folder.
pub const FOLDER: &str = "site";

/// The files of the site, the page last, so that a new page never meets old facts.
pub const FILES: [&str; 5] = ["data.js", "code.js", "style.css", "app.js", "index.html"];

/// The parts of `app.js`, in the order in which they use each other.
const PARTS: [&str; 13] = [
    "dom",
    "facts",
    "layout",
    "graph",
    "sql",
    "search",
    "parts",
    "lineage",
    "quarantine",
    "tests",
    "nodes",
    "pages",
    "main",
];

/// Writes `index.json` and the site. Each file is the old one or the new one, never half of one.
pub fn write(target_dir: &Path, facts: &Facts<'_>, secrets: &[String]) -> io::Result<()> {
    let mut index = serde_json::to_value(index(facts))?;
    hide_within(&mut index, secrets);
    write_json(&target_dir.join("index.json"), &index, &[])?;
    let Scripts { facts, code } = scripts(index)?;
    let folder = target_dir.join(FOLDER);
    for name in FILES {
        let text = match name {
            "data.js" => facts.clone(),
            "code.js" => code.clone(),
            "app.js" => app(),
            name => template(name).to_string(),
        };
        write_text(&folder.join(name), &text)?;
    }
    Ok(())
}

/// The parts as one script, whose names nobody else sees.
fn app() -> String {
    let parts: String = PARTS.iter().map(|part| template(&format!("app/{part}.js"))).collect();
    format!("\"use strict\";\n(() => {{\n{parts}}})();\n")
}

fn template(name: &str) -> &'static str {
    TEMPLATES.get_file(name).and_then(|file| file.contents_utf8()).expect("a test reads every template")
}

/// Replaces secrets inside of texts, so that what is left is JSON for sure.
fn hide_within(json: &mut Json, secrets: &[String]) {
    match json {
        Json::String(text) => {
            if let std::borrow::Cow::Owned(hidden) = hide(text, secrets) {
                *text = hidden;
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| hide_within(item, secrets)),
        Json::Object(map) => map.values_mut().for_each(|value| hide_within(value, secrets)),
        _ => {}
    }
}
