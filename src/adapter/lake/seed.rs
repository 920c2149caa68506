//! Turns a CSV file into texts in memory, and the statement that makes a table of them.

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord};
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;

use crate::adapter::duckdb::seed::survey;
use crate::adapter::relation::{Relation, identifier};
use crate::adapter::{AdapterError, SeedFile, SeedLoad};

/// The temporary table with the texts of the file that is loaded.
pub const ROWS: &str = "__medal_seed";

/// So many rows are one batch.
const BATCH: usize = 8192;

/// A file that is read.
pub struct Loaded {
    pub rows: Arc<dyn TableProvider>,
    pub told: SeedLoad,
    /// Names and types.
    columns: Vec<(String, String)>,
}

impl Loaded {
    /// Makes the table.
    pub fn sql(&self, relation: &Relation) -> String {
        let columns = self.columns.iter().map(|(name, kind)| format!("cast({0} as {kind}) as {0}", identifier(name)));
        let columns: Vec<String> = columns.collect();
        let table = if relation.is_temporary() { "temporary table" } else { "table" };
        format!(
            "create or replace {table} {} as select {} from temp.main.{ROWS}",
            relation.render(),
            columns.join(", ")
        )
    }
}

/// Reads a file. A value that is empty is null.
pub fn load(seed: &SeedFile) -> Result<Loaded, AdapterError> {
    let survey = survey(seed)?;
    let failed = |message: String| AdapterError::Seed { message, line: None };
    let fields = survey.columns.iter().map(|(name, _)| Field::new(name.to_lowercase(), DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let file = File::open(&seed.path).map_err(|error| failed(error.to_string()))?;
    let delimiter = u8::try_from(seed.delimiter).unwrap_or(b',');
    let mut reader = ReaderBuilder::new().delimiter(delimiter).from_reader(BufReader::new(file));
    let mut record = StringRecord::new();
    let mut batches = Vec::new();
    let mut is_more = true;
    while is_more {
        let mut builders: Vec<StringBuilder> = survey.columns.iter().map(|_| StringBuilder::new()).collect();
        for _ in 0..BATCH {
            is_more = reader.read_record(&mut record).map_err(|error| failed(error.to_string()))?;
            if !is_more {
                break;
            }
            for (builder, value) in builders.iter_mut().zip(&record) {
                builder.append_option(Some(value).filter(|value| !value.is_empty()));
            }
        }
        let arrays = builders.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        batches.push(RecordBatch::try_new(schema.clone(), arrays).map_err(|error| failed(error.to_string()))?);
    }
    let rows = MemTable::try_new(schema, vec![batches]).map_err(|error| failed(error.to_string()))?;
    let told = SeedLoad { rows: survey.rows, coerced: survey.coerced };
    Ok(Loaded { rows: Arc::new(rows), told, columns: survey.columns })
}
