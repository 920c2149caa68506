//! Finds keys of configurations that are probably misspelt. Any key is allowed, as in dbt: macros may ask for it.

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::Span;
use crate::yaml::{Value, Yaml};

/// Keys that dbt, dbt-duckdb or medal look at. Source: <https://docs.getdbt.com/reference/model-configs>.
const KNOWN: [&str; 80] = [
    "enabled",
    "alias",
    "schema",
    "database",
    "tags",
    "meta",
    "group",
    "materialized",
    "incremental_strategy",
    "batch_size",
    "lookback",
    "begin",
    "persist_docs",
    "post_hook",
    "pre_hook",
    "post-hook",
    "pre-hook",
    "quoting",
    "column_types",
    "full_refresh",
    "unique_key",
    "on_schema_change",
    "on_configuration_change",
    "grants",
    "packages",
    "docs",
    "contract",
    "event_time",
    "concurrent_batches",
    "access",
    "freshness",
    "incremental_predicates",
    "merge_update_columns",
    "merge_exclude_columns",
    "sql_header",
    "indexes",
    "delimiter",
    "quote_columns",
    "severity",
    "store_failures",
    "store_failures_as",
    "where",
    "limit",
    "fail_calc",
    "warn_if",
    "error_if",
    "target_schema",
    "target_database",
    "strategy",
    "updated_at",
    "check_cols",
    "hard_deletes",
    "invalidate_hard_deletes",
    "dbt_valid_to_current",
    "snapshot_meta_column_names",
    "location",
    "format",
    "options",
    "partition_by",
    "partitioned_by",
    "sort_by",
    "sorted_by",
    "partition_columns",
    "external_location",
    "formatter",
    "loaded_at_field",
    "loaded_at_query",
    "loaded_at",
    "layer",
    "static_analysis",
    "deprecation_date",
    "latest_version",
    "merge_clauses",
    "merge_update_condition",
    "merge_insert_condition",
    "merge_on_using_columns",
    "parquet_read_options",
    "csv_read_options",
    "json_read_options",
    "fast",
];

/// The problem with a key that is not known but nearly so.
pub fn misspelt(key: &str, span: Span) -> Option<Diagnostic> {
    if KNOWN.contains(&key) {
        return None;
    }
    let near = nearest(key, KNOWN).filter(|near| near.len() > 3 && strsim::damerau_levenshtein(key, near) <= 2)?;
    let message = format!("nothing looks at the configuration `{key}`");
    Some(Diagnostic::warning(Code::UnknownKey, span, message).help(format!("did you mean `{near}`?")))
}

/// The folders that a tree of the project file names: the path of each, and where it is written.
pub fn folders(tree: &Yaml) -> Vec<(Vec<String>, Span)> {
    let mut found = Vec::new();
    for (key, value) in tree.entries() {
        let is_folder = matches!(value.value, Value::Map(_)) && !key.name.starts_with('+');
        if !is_folder || KNOWN.contains(&key.name.as_str()) {
            continue;
        }
        found.push((vec![key.name.clone()], key.span));
        let below = folders(value).into_iter();
        found.extend(below.map(|(path, span)| ([vec![key.name.clone()], path].concat(), span)));
    }
    found
}

/// Looks through a tree of the project file for misspelt keys with a `+`.
pub fn check_tree(tree: &Yaml, sink: &mut Diagnostics) {
    for (key, value) in tree.entries() {
        match key.name.strip_prefix('+') {
            Some(bare) => sink.extend(misspelt(bare.trim(), key.span)),
            None => check_tree(value, sink),
        }
    }
}
