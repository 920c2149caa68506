//! Turns a Manifest and RunResults into the files below `target/`: dbt's JSON artifacts and the SQL as it ran.
//!
//! Nothing reads these files back but `--state`, so the structs here follow dbt's schemas (manifest v12, run results
//! v6) and nothing else. They borrow from the phases' own types and are written as a stream. The same inputs give
//! the same bytes: every time in them comes from the invocation or from the outcomes, never from the clock.

pub mod catalog;
pub mod config;
pub mod contract;
pub mod declared;
pub mod history;
pub mod macros;
pub mod manifest;
pub mod node;
pub mod openlineage;
pub mod parts;
pub mod results;
pub mod selectors;
pub mod semantic;
pub mod sources;
pub mod sql;
pub mod unit_test;
pub mod state;
pub mod write;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::jinja::JsonMap;

/// The version of dbt whose artifacts these are, which readers of the files check.
pub const DBT_VERSION: &str = "1.11.16";

/// One call of medal, as the artifacts tell of it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// A UUID.
    pub id: String,
    pub started_at: DateTime<Utc>,
    pub medal_version: String,
    /// dbt's name of the command: `build`.
    pub command: String,
    /// The options of the command, by dbt's names.
    pub args: JsonMap,
    pub env: BTreeMap<String, String>,
}

/// What all artifacts say of themselves.
#[derive(Serialize)]
pub struct Metadata<'a> {
    dbt_schema_version: &'static str,
    dbt_version: &'static str,
    generated_at: String,
    invocation_id: &'a str,
    invocation_started_at: String,
    env: &'a BTreeMap<String, String>,
}

impl<'a> Metadata<'a> {
    fn new(schema: &'static str, generated_at: DateTime<Utc>, invocation: &'a Invocation) -> Metadata<'a> {
        Metadata {
            dbt_schema_version: schema,
            dbt_version: DBT_VERSION,
            generated_at: timestamp(generated_at),
            invocation_id: &invocation.id,
            invocation_started_at: timestamp(invocation.started_at),
            env: &invocation.env,
        }
    }
}

/// A step of something that was run.
#[derive(Serialize)]
struct Timing {
    name: &'static str,
    started_at: String,
    completed_at: String,
}

/// `2026-01-31T12:00:00.000000Z`.
fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Seconds since 1970.
fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_micros() as f64 / 1e6
}
