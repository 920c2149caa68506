//! Turns files of Parquet into numbered records with the types that they have, and into their heads.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use datafusion::parquet::file::reader::ChunkReader;
use serde_json::json;

use crate::adapter::lake::files::records::{COLUMNS, schema};
use crate::adapter::lake::files::streamed::{self, Opened, ROWS, Source, Take};
use crate::adapter::lake::kind::{stored, type_name};

/// The columns before those of the file.
const OWN: usize = COLUMNS.len();

/// The table of the records: its columns are those of the first file, which the others have, too. What cannot be read is
/// an error if all was `checked` before.
pub async fn table(sources: Vec<Source>, threads: usize, checked: bool) -> Result<Arc<dyn TableProvider>> {
    let found = match sources.first() {
        Some(first) => columns(first.open().await?)?,
        None => Vec::new(),
    };
    let schema = schema(found.into_iter().map(|(_, kind)| kind));
    let of = schema.clone();
    let reader = move |source: &Source, opened: Opened, take: &mut Take<'_>| match rows(source, opened, &of, take) {
        Err(error) if !checked => {
            take(told(source, &of, &error)?);
            Ok(())
        }
        read => read,
    };
    streamed::table(schema, sources, threads, Arc::new(reader))
}

/// Hands on the rows of a file, in the types of the table.
fn rows(source: &Source, opened: Opened, schema: &SchemaRef, take: &mut Take<'_>) -> Result<()> {
    let mut number = 0;
    for batch in reader(opened)?.1 {
        let batch = batch?;
        let count = i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
        columns.push(Arc::new(StringArray::from_iter_values(vec![&source.name; batch.num_rows()])));
        columns.push(Arc::new(Int64Array::from_iter_values(number + 1..=number + count)));
        columns.extend((columns.len()..OWN).map(|_| new_null_array(&DataType::Utf8, batch.num_rows())));
        for (column, field) in batch.columns().iter().zip(&schema.fields()[OWN..]) {
            columns.push(cast(column, field.data_type())?);
        }
        number += count;
        if !take(RecordBatch::try_new(schema.clone(), columns)?) {
            break;
        }
    }
    Ok(())
}

/// The row that says why a file cannot be read.
fn told(source: &Source, schema: &SchemaRef, error: &DataFusionError) -> Result<RecordBatch> {
    let reason = error.strip_backtrace();
    let column = |field: &Arc<Field>| match field.name().as_str() {
        "medal__file" => Arc::new(StringArray::from(vec![source.name.as_str()])),
        "medal__reason" => Arc::new(StringArray::from(vec![reason.as_str()])),
        _ => new_null_array(field.data_type(), 1),
    };
    Ok(RecordBatch::try_new(schema.clone(), schema.fields().iter().map(column).collect())?)
}

/// The head of each file, a JSON list of names and types, or the reason why it has none.
pub async fn heads(sources: &[Source]) -> Result<Arc<dyn TableProvider>> {
    let (mut files, mut heads, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for source in sources {
        let found = source.open().await.and_then(columns);
        files.push(source.name.clone());
        reasons.push(found.as_ref().err().map(|error| error.strip_backtrace()));
        let pair = |(name, kind): (String, DataType)| [name, type_name(&kind)];
        heads.push(found.ok().map(|found| json!(found.into_iter().map(pair).collect::<Vec<_>>()).to_string()));
    }
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let schema = Arc::new(Schema::new(vec![text("file"), text("head"), text("reason")]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(files)),
        Arc::new(StringArray::from(heads)),
        Arc::new(StringArray::from(reasons)),
    ];
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
}

/// The names of a file's columns, and the types in which they are read.
fn columns(opened: Opened) -> Result<Vec<(String, DataType)>> {
    let (schema, _) = reader(opened)?;
    let column = |field: &Arc<Field>| {
        // A lakehouse cannot store times of day and intervals.
        (field.name().clone(), stored(field.data_type()).unwrap_or(DataType::Utf8))
    };
    Ok(schema.fields().iter().map(column).collect())
}

fn reader(opened: Opened) -> Result<(SchemaRef, ParquetRecordBatchReader)> {
    match opened {
        Opened::File(file) => reader_of(file),
        Opened::Bytes(bytes) => reader_of(bytes),
    }
}

fn reader_of(bytes: impl ChunkReader + 'static) -> Result<(SchemaRef, ParquetRecordBatchReader)> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)?;
    Ok((builder.schema().clone(), builder.with_batch_size(ROWS).build()?))
}
