//! Turns the records of JSON files into the names of their fields, each with the types that its values have.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::map::IndexSet;
use datafusion::arrow::array::{Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::error::Result;

use crate::adapter::lake::files::records::Found;
use crate::adapter::lake::files::records::json::Members;
use crate::adapter::lake::functions::json;

pub fn schema() -> SchemaRef {
    let column = |name: &str, kind| Field::new(name, kind, false);
    Arc::new(Schema::new(vec![
        column("place", DataType::Int64),
        column("key", DataType::Utf8),
        column("type", DataType::Utf8),
    ]))
}

/// Names and types, in the order in which they were seen first.
#[derive(Debug, Default)]
pub struct Seen(IndexSet<(String, &'static str)>);

impl Seen {
    pub fn add(&mut self, found: &Found) {
        let Found::Good { record: Some(record), .. } = found else { return };
        let Ok(Members(members)) = serde_json::from_str(record) else { return };
        for (name, value) in members {
            self.0.insert((name, json::kind(&value)));
        }
    }

    /// One row each; places are counted on from file to file.
    pub fn batch(&self, places: &AtomicI64) -> Result<RecordBatch> {
        let count = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        let first = places.fetch_add(count, Ordering::Relaxed);
        Ok(RecordBatch::try_new(
            schema(),
            vec![
                Arc::new(Int64Array::from_iter_values(first..first + count)),
                Arc::new(StringArray::from_iter_values(self.0.iter().map(|(name, _)| name))),
                Arc::new(StringArray::from_iter_values(self.0.iter().map(|(_, kind)| kind))),
            ],
        )?)
    }
}
