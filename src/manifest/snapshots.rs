//! Checks that every snapshot has what its strategy needs, before anything runs.
//!
//! Source of the rules: <https://docs.getdbt.com/reference/snapshot-configs>.

use serde_json::Value as Json;

use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::manifest::{Kind, Node};

/// The mistakes in the configuration of a snapshot; `place` says where a key is written.
pub fn problems(node: &Node, place: impl Fn(&str) -> Option<Span>) -> Vec<Diagnostic> {
    if !matches!(node.kind, Kind::Snapshot) || !node.config.flag("enabled") {
        return Vec::new();
    }
    let problem = |(key, message, help): Mistake| {
        let message = format!("the snapshot `{}` {message}", node.name);
        Diagnostic::error(Code::SnapshotConfig, place(key), message).help(help)
    };
    mistakes(node).into_iter().map(problem).collect()
}

type Mistake = (&'static str, &'static str, &'static str);

/// The key that is meant, what is the matter, and what to do.
fn mistakes(node: &Node) -> Vec<Mistake> {
    let config = &node.config;
    let is_empty = |key: &str| match config.get(key) {
        None => true,
        Some(Json::String(text)) => text.is_empty(),
        Some(Json::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    let mut found: Vec<Mistake> = Vec::new();
    let mut wrong = |holds: bool, mistake: Mistake| {
        if holds {
            found.push(mistake)
        }
    };
    let strategy = config.text("strategy").unwrap_or_default();
    let checked = config.text("check_cols").is_some_and(|word| word != "all");
    let deletes = config.text("hard_deletes");
    let known = ["ignore", "invalidate", "new_record"];
    wrong(
        is_empty("unique_key"),
        ("unique_key", "has no `unique_key`", "name the column, or the columns, that tell its rows apart"),
    );
    wrong(
        strategy.is_empty(),
        (
            "strategy",
            "has no `strategy`",
            "`strategy: timestamp` with `updated_at`, or `strategy: check` with `check_cols`",
        ),
    );
    wrong(
        strategy == "timestamp" && is_empty("updated_at"),
        (
            "strategy",
            "has the strategy timestamp and no `updated_at`",
            "name the column that says when a row was changed",
        ),
    );
    wrong(
        strategy == "timestamp" && !is_empty("check_cols"),
        ("check_cols", "has the strategy timestamp and `check_cols`", "remove `check_cols`, or take `strategy: check`"),
    );
    wrong(
        strategy == "check" && is_empty("check_cols"),
        (
            "strategy",
            "has the strategy check and no `check_cols`",
            "name the columns to compare, or write `check_cols: all`",
        ),
    );
    wrong(
        strategy == "check" && checked,
        ("check_cols", "has `check_cols` that is neither a list nor `all`", "write `check_cols: [name, price]`"),
    );
    wrong(
        config.text("materialized") != Some("snapshot"),
        ("materialized", "is materialized as something else", "remove `materialized`"),
    );
    wrong(
        deletes.is_some_and(|word| !known.contains(&word)),
        ("hard_deletes", "has an unknown word for `hard_deletes`", "it is ignore, invalidate or new_record"),
    );
    wrong(
        deletes.is_some() && !is_empty("invalidate_hard_deletes"),
        (
            "hard_deletes",
            "has `hard_deletes` and the older `invalidate_hard_deletes`",
            "remove `invalidate_hard_deletes`",
        ),
    );
    found
}
