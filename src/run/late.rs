//! Turns what has arrived since a microbatch model was published into the batches that it touches, however old they are.
//!
//! A model of a layer looks back by itself, unless it says how far: an input that tells by `_batch_id` in which run each
//! row has arrived, as an `ingest` model does, tells which rows are new.

use serde_json::{Value as Json, json};

use crate::compile::microbatch::{Batch, with_touched};
use crate::diagnostic::Diagnostic;
use crate::layer::publishing::publishing;
use crate::manifest::{Node, microbatch};
use crate::project::layers::medal_key;
use crate::run::ledger;
use crate::run::node::Worker;

impl Worker {
    /// The batches of a run with those that rows touch which have arrived since the last, and what to write down of them
    /// once all are built.
    pub fn with_late(
        &self,
        node: &Node,
        batches: Vec<Batch>,
        is_incremental: bool,
    ) -> Result<(Vec<Batch>, Option<Json>), Diagnostic> {
        let settings = microbatch::settings(node).expect("the settings were checked when the project was read");
        if !self.looks_back_by_itself(node) {
            return Ok((batches, None));
        }
        let inputs = Json::Array(self.inputs(node));
        let arrived = self.ask_ledger(
            node,
            "arrived_since",
            &[&inputs, &json!(settings.batch_size.name()), &json!(!is_incremental)],
        )?;
        let touched = arrived["touched"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let touched: Vec<_> = touched.filter_map(microbatch::moment).collect();
        let batches = if is_incremental { with_touched(batches, &touched, &settings) } else { batches };
        Ok((
            batches,
            Some(json!({"mode": if is_incremental { "incremental" } else { "full" }, "batches": arrived["batches"]})),
        ))
    }

    /// Writes down which rows have arrived: a part of the transaction of the unit.
    pub fn note_arrived(&self, node: &Node, arrived: &Json) -> Result<(), Diagnostic> {
        self.ask_ledger(node, "record_arrived", &[arrived]).map(drop)
    }

    fn looks_back_by_itself(&self, node: &Node) -> bool {
        let written = medal_key(node.config.written(), "lookback");
        let is_free = written.is_none_or(|value| value == "auto");
        is_free && self.session.batches.window.is_none() && publishing(node, &self.session.project.layers).is_some()
    }

    /// The inputs that are read batch by batch.
    fn inputs(&self, node: &Node) -> Vec<Json> {
        let manifest = &self.session.manifest;
        let input = |id: &String| {
            let (relation, column) = match (manifest.node(id), manifest.sources.get(id)) {
                (Some(node), _) => (&node.relation, microbatch::event_time_sql(&node.config, &node.columns, false)),
                (_, Some(source)) => {
                    let column = microbatch::event_time_sql(&source.config, &source.columns, source.quotes_columns());
                    (&source.relation, column)
                }
                _ => return None,
            };
            Some(json!({
                "database": relation.database, "schema": relation.schema, "identifier": relation.identifier,
                "event_time": column?,
            }))
        };
        node.depends_on.iter().filter_map(input).collect()
    }

    fn ask_ledger(&self, node: &Node, name: &str, arguments: &[&Json]) -> Result<Json, Diagnostic> {
        ledger::ask(&self.session, &self.warehouse, node, name, arguments)
    }
}
