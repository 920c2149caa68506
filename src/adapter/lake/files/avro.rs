//! Turns files of Avro into the rows of a table, whose columns the files say themselves.

use std::io::{BufReader, Read};
use std::sync::Arc;

use arrow_avro::reader::ReaderBuilder;
use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::error::Result;
use uuid::Uuid;

use crate::adapter::lake::files::streamed::{self, Opened, ROWS, Source, Take, told};

/// The columns that a file says it has.
pub async fn shape(source: &Source) -> Result<SchemaRef> {
    let reader = reader(source, source.open().await?)?;
    let column = |field: &Arc<Field>| {
        let kind = if is_uuid(field) { DataType::Utf8 } else { field.data_type().clone() };
        Field::new(field.name().to_lowercase(), kind, true)
    };
    Ok(Arc::new(Schema::new(reader.schema().fields().iter().map(column).collect::<Vec<_>>())))
}

/// The rows of the files, in the columns of a shape: one that a file has not is empty.
pub fn table(sources: Vec<Source>, shape: &SchemaRef, threads: usize) -> Result<Arc<dyn TableProvider>> {
    let of = shape.clone();
    let rows = move |source: &Source, opened: Opened, take: &mut Take<'_>| {
        for batch in reader(source, opened)? {
            let batch = batch.map_err(|error| told(source, &error.into()))?;
            if !take(fitted(&batch, &of).map_err(|error| told(source, &error))?) {
                break;
            }
        }
        Ok(())
    };
    streamed::table(shape.clone(), sources, threads, Arc::new(rows))
}

type Reader = arrow_avro::reader::Reader<BufReader<Box<dyn Read + Send>>>;

fn reader(source: &Source, opened: Opened) -> Result<Reader> {
    let reader = ReaderBuilder::new().with_batch_size(ROWS).build(BufReader::new(opened.read()));
    reader.map_err(|error| told(source, &error.into()))
}

/// Columns by their names, whatever the case, in the types of the shape.
fn fitted(batch: &RecordBatch, shape: &SchemaRef) -> Result<RecordBatch> {
    let schema = batch.schema();
    let column = |field: &Arc<Field>| {
        let found = schema.fields().iter().position(|other| other.name().eq_ignore_ascii_case(field.name()));
        match found {
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            Some(at) if is_uuid(schema.field(at)) => cast(&uuids(batch.column(at)), field.data_type()),
            Some(at) => cast(batch.column(at), field.data_type()),
        }
    };
    let columns = shape.fields().iter().map(column).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(shape.clone(), columns)?)
}

/// A lakehouse keeps these as text.
fn is_uuid(field: &Field) -> bool {
    let is_told = field.metadata().iter().any(|(key, value)| key.ends_with("logicalType") && value == "uuid");
    field.data_type() == &DataType::FixedSizeBinary(16) && is_told
}

fn uuids(column: &ArrayRef) -> ArrayRef {
    let text = |bytes: Option<&[u8]>| Some(Uuid::from_slice(bytes?).ok()?.to_string());
    Arc::new(column.as_fixed_size_binary().iter().map(text).collect::<StringArray>())
}
