//! Turns dbt's artifacts, and what only medal knows of a project, into `index.json` and a site that a browser opens.
//!
//! The facts are taken from the artifacts themselves, so that the site tells what every other reader of them is told.
//! `index.json` is the whole truth of the site in one document for other tools ([`index`]); the site is that document
//! cut into what each page needs ([`data`]) beside the files of `templates/site/` ([`mod@write`]). Nothing in it asks
//! another host, and nothing of the project is ever read as HTML or as a script.

pub mod collect;
pub mod data;
pub mod index;
pub mod prose;
pub mod request;
pub mod serve;
pub mod write;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::run::held::Held;

/// What is known of a project. An artifact that does not exist is `Json::Null`.
pub struct Facts<'a> {
    pub manifest: &'a Json,
    pub catalog: &'a Json,
    /// `run_results.json` of the last run.
    pub results: &'a Json,
    /// The runs before, the newest first; see [`crate::artifact::history`].
    pub runs: &'a [Json],
    /// How many rows tables have, by unique id.
    pub rows: BTreeMap<&'a str, i64>,
    /// What is in quarantine, by unique id, as far as the warehouse was looked at.
    pub held: &'a BTreeMap<String, Held>,
    /// `sources.json`.
    pub freshness: &'a Json,
    /// The names of the layers, in the order in which data flows.
    pub layers: Vec<&'a str>,
    /// The layer of each model that has one, by unique id.
    pub layer_of: BTreeMap<&'a str, &'a str>,
    /// Where columns come from, by unique id; see [`index::Index`].
    pub column_lineage: BTreeMap<&'a str, Json>,
}
