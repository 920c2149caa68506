//! Turns changes into text, JSON, annotations of GitHub, or Markdown for a pull request.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::cli::report::findings::cell;
use crate::cli::report::lineage::name;
use crate::cli::report::problem::{first, plural};
use crate::impact::{Change, Effect};
use crate::manifest::Manifest;
use crate::map::IndexMap;

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
    if change.effect == Effect::Values && change.moved.is_empty() {
        facts.push("the query is another: values or rows may be, too".to_string());
    }
    if !change.added.is_empty() {
        facts.push(format!("new: {}", list(&change.added)));
    }
    facts
}

fn hits(manifest: &Manifest, change: &Change) -> Vec<String> {
    change.hit.iter().map(|column| format!("{}.{}", name(manifest, &column.node), column.column)).collect()
}

/// So many columns are told by themselves; more of them by their models.
const FEW: usize = 6;
const MOST_MODELS: usize = 12;

/// The columns that are hit, a line for each model if they are many.
fn hit_lines(manifest: &Manifest, change: &Change) -> Vec<String> {
    let all = hits(manifest, change);
    if all.len() <= FEW {
        return (!all.is_empty()).then(|| all.join(", ")).into_iter().collect();
    }
    let mut models: IndexMap<&str, Vec<String>> = IndexMap::default();
    for column in &change.hit {
        models.entry(&column.node).or_default().push(column.column.clone());
    }
    let line = |(node, columns): (&&str, &Vec<String>)| format!("{}: {}", name(manifest, node), first(columns, FEW));
    let mut lines: Vec<String> = models.iter().take(MOST_MODELS).map(line).collect();
    if models.len() > MOST_MODELS {
        lines.push(plural(models.len() - MOST_MODELS, "more model"));
    }
    lines
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
        for hit in hit_lines(manifest, change) {
            let _ = writeln!(out, "             hits {hit}");
        }
        let exposures = exposures(manifest, change);
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
        let hits: String = hit_lines(manifest, change).iter().map(|line| format!("; hits {line}")).collect();
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
    let mut out = format!("### {} changed\n\n", plural(changes.len(), "model"));
    out.push_str("| model | change | columns | hits downstream | exposures |\n|---|---|---|---|---|\n");
    for change in changes {
        let (facts, hits) = (cell(&facts(change)), cell(&hit_lines(manifest, change)));
        let exposures = cell(&exposures(manifest, change));
        let _ = writeln!(out, "| `{}` | {} | {facts} | {hits} | {exposures} |", change.name, word(change.effect));
    }
    out
}
