//! Turns changes into text, JSON, annotations of GitHub, or Markdown for a pull request.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::cli::report::lineage::name;
use crate::cli::report::problem::plural;
use crate::impact::{Change, Effect};
use crate::manifest::Manifest;

fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Breaking => "breaking",
        Effect::Values => "values",
        Effect::Additive => "additive",
        Effect::Invisible => "invisible",
        Effect::Unknown => "unknown",
    }
}

/// What happened to the columns, a line each.
fn facts(change: &Change) -> Vec<String> {
    let list = |names: &[String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut facts = Vec::new();
    if !change.exists {
        return vec!["the model is gone".to_string()];
    }
    if !change.removed.is_empty() {
        facts.push(format!("gone: {}", list(&change.removed)));
    }
    for (column, was, is) in &change.retyped {
        facts.push(format!("`{column}` was {was} and is {is}"));
    }
    if !change.moved.is_empty() {
        facts.push(format!("from elsewhere, or other rows: {}", list(&change.moved)));
    }
    if !change.added.is_empty() {
        facts.push(format!("new: {}", list(&change.added)));
    }
    facts
}

fn hits(manifest: &Manifest, change: &Change) -> Vec<String> {
    change.hit.iter().map(|column| format!("{}.{}", name(manifest, &column.node), column.column)).collect()
}

fn exposures(manifest: &Manifest, change: &Change) -> Vec<String> {
    let name = |id: &String| manifest.exposures.get(id).map(|exposure| exposure.properties.name.clone());
    change.exposures.iter().filter_map(name).collect()
}

pub fn text(manifest: &Manifest, changes: &[Change]) -> String {
    if changes.is_empty() {
        return "No model has changed".to_string();
    }
    let mut out = format!("{} changed\n", plural(changes.len(), "model"));
    for change in changes {
        let _ = writeln!(out, "{:<10} {}", word(change.effect), change.name);
        for fact in facts(change) {
            let _ = writeln!(out, "             {fact}");
        }
        let (hits, exposures) = (hits(manifest, change), exposures(manifest, change));
        if !hits.is_empty() {
            let _ = writeln!(out, "             hits {}", hits.join(", "));
        }
        if !exposures.is_empty() {
            let _ = writeln!(out, "             hits the exposures {}", exposures.join(", "));
        }
    }
    out
}

pub fn json(manifest: &Manifest, changes: &[Change]) -> Json {
    let object = |change: &Change| {
        let retyped = change.retyped.iter().map(|(column, was, is)| json!({"column": column, "was": was, "is": is}));
        json!({
            "unique_id": change.node, "name": change.name, "exists": change.exists, "effect": word(change.effect),
            "added": change.added, "removed": change.removed, "retyped": retyped.collect::<Vec<_>>(),
            "moved": change.moved, "hit_columns": hits(manifest, change), "hit_exposures": exposures(manifest, change),
        })
    };
    changes.iter().map(object).collect()
}

/// One annotation for each model that breaks others or changes their values.
pub fn github(manifest: &Manifest, changes: &[Change]) -> String {
    let told = changes.iter().filter(|change| matches!(change.effect, Effect::Breaking | Effect::Values));
    let line = |change: &Change| {
        let level = if change.effect == Effect::Breaking { "warning" } else { "notice" };
        let file =
            manifest.node(&change.node).map_or(String::new(), |node| format!("file={},line=1,", node.original_path));
        let hits = hits(manifest, change);
        let hits = if hits.is_empty() { String::new() } else { format!("; hits {}", hits.join(", ")) };
        format!(
            "::{level} {file}title={} change::`{}`: {}{hits}",
            word(change.effect),
            change.name,
            facts(change).join("; ")
        )
    };
    told.map(line).collect::<Vec<_>>().join("\n")
}

pub fn markdown(manifest: &Manifest, changes: &[Change]) -> String {
    if changes.is_empty() {
        return "No model has changed.".to_string();
    }
    let mut out = String::from("| model | change | columns | hits downstream | exposures |\n|---|---|---|---|---|\n");
    let cell = |texts: Vec<String>| texts.join("<br>").replace('|', "\\|");
    for change in changes {
        let (hits, exposures) = (hits(manifest, change), exposures(manifest, change));
        let (facts, hits, exposures) = (cell(facts(change)), cell(hits), cell(exposures));
        let _ = writeln!(out, "| `{}` | {} | {facts} | {hits} | {exposures} |", change.name, word(change.effect));
    }
    out
}
