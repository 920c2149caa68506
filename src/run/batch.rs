//! Runs several tests of one relation in one scan: those that pass need no query of their own.

use std::sync::Arc;

use serde_json::json;

use crate::adapter::relation::Relation;
use crate::adapter::rows::{Cell, Rows};
use crate::compile::host::NodeHost;
use crate::compile::scope;
use crate::jinja::{Library, ScopeValue};
use crate::manifest::builtin::INTERNAL_PACKAGE;
use crate::manifest::{GenericTest, Manifest, Node};
use crate::project::layers::medal_key;
use crate::run::node::Worker;

/// The tests that can share a scan: each passes exactly if its column is zero.
const NAMES: [&str; 3] = ["not_null", "unique", "accepted_values"];

/// Macros that a batch takes the place of. A project that has written one of them gets no batches.
const REPLACED: [&str; 12] = [
    "test_not_null",
    "test_unique",
    "test_accepted_values",
    "default__test_not_null",
    "default__test_unique",
    "default__test_accepted_values",
    "get_where_subquery",
    "default__get_where_subquery",
    "get_test_sql",
    "default__get_test_sql",
    "materialization_test_default",
    "should_store_failures",
];

/// Whether the project leaves medal's own tests as they are.
pub fn is_possible(library: &Library) -> bool {
    let own = |name: &str| {
        let base = REPLACED.contains(&name);
        base || REPLACED.iter().any(|replaced| name.split_once("__").is_some_and(|(_, bare)| bare == *replaced))
    };
    !library.macros().iter().any(|info| info.package != INTERNAL_PACKAGE && own(&info.name))
}

/// The node or source that a test can be batched on; none if it needs a query of its own.
pub fn subject(node: &Node, store_failures: bool) -> Option<&str> {
    let test = node.generic_test()?;
    let [parent] = node.depends_on.as_slice() else { return None };
    let plain = ["where", "limit", "store_failures", "store_failures_as", "sql_header"];
    let is_plain = plain.iter().all(|key| node.config.get(key).is_none())
        && node.config.text("fail_calc") == Some("count(*)")
        && node.config.text("warn_if") == Some("!= 0")
        && node.config.text("error_if") == Some("!= 0");
    let own = node.config.written();
    let is_plain = is_plain && ["action", "max_rate"].iter().all(|key| medal_key(own, key).is_none());
    let known = NAMES.contains(&test.name.as_str()) && test.namespace.is_none() && has_plain_arguments(test);
    (known && is_plain && !store_failures).then_some(parent.as_str())
}

/// Arguments with Jinja in them, or that the test does not have, need the test itself.
fn has_plain_arguments(test: &GenericTest) -> bool {
    let allowed = ["model", "column_name", "values", "quote"];
    let plain = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => !text.contains('{') && !text.contains('('),
        serde_json::Value::Array(items) => items.iter().all(|item| match item {
            serde_json::Value::String(text) => !text.contains('{') && !text.contains('('),
            other => !other.is_object() && !other.is_array() && !other.is_null(),
        }),
        other => !other.is_object(),
    };
    let own = test.arguments.iter().filter(|(name, _)| *name != "model");
    let values_needed = test.name != "accepted_values" || test.arguments.get("values").is_some_and(|v| v.is_array());
    values_needed
        && test.arguments.get("column_name").is_some_and(serde_json::Value::is_string)
        && own.into_iter().all(|(name, value)| allowed.contains(&name.as_str()) && plain(value))
}

/// The tables and views that hold the rows of a subject.
fn relation<'m>(manifest: &'m Manifest, subject: &str) -> Option<&'m Relation> {
    match manifest.node(subject) {
        Some(node) => (!node.is_ephemeral()).then_some(&node.relation),
        None => manifest.sources.get(subject).map(|source| &source.relation),
    }
}

impl Worker {
    /// Which of some tests of one subject pass, found in one scan. What cannot be found out counts as not passed.
    pub fn batch(&self, subject: &str, tests: &[&Node]) -> Vec<bool> {
        let rows = self.scan(subject, tests);
        let passed = |at: usize| {
            let cell = rows.as_ref().and_then(|rows| rows.rows.first()).and_then(|row| row.get(at));
            cell.and_then(Cell::as_int) == Some(0)
        };
        (0..tests.len()).map(passed).collect()
    }

    fn scan(&self, subject: &str, tests: &[&Node]) -> Option<Rows> {
        let manifest = &self.session.manifest;
        let relation = relation(manifest, subject)?;
        let first = tests.first()?;
        let checks: Vec<_> = tests
            .iter()
            .filter_map(|node| node.generic_test())
            .map(|test| json!({"name": test.name, "arguments": test.arguments}))
            .collect();
        let host = Arc::new(NodeHost::new(self.session.clone(), self.warehouse.clone(), Some(first)));
        let make = manifest.library.find(INTERNAL_PACKAGE, "get_test_batch_sql")?;
        let is_new = self.warehouse.is_held();
        let args =
            [ScopeValue::Relation(relation.clone()), ScopeValue::Json(json!(checks)), ScopeValue::Json(json!(is_new))];
        let made = manifest.library.call(&make.unique_id, &args, &[], &scope(&self.session, first, None), host.clone());
        let made = made.ok()?.text;
        let pinned = self.pin_files(first, &made, &host).ok()?;
        self.warehouse.with(|connection| connection.query(pinned.as_deref().unwrap_or(&made))).ok()
    }
}
