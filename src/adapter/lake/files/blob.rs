//! Turns files into a table of what they are: name, size, time and, where it is asked for, their bytes.

use std::any::Any;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use object_store::ObjectStoreExt;

use crate::adapter::lake::files::File;

/// The columns of `read_blob`.
static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let column = |name: &str, kind| Field::new(name, kind, true);
    Arc::new(Schema::new(vec![
        column("filename", DataType::Utf8),
        column("content", DataType::Binary),
        column("size", DataType::Int64),
        column("last_modified", time),
    ]))
});

/// Which of them holds the bytes.
const CONTENT: usize = 1;

/// The table of `read_blob`.
#[derive(Debug)]
pub struct Blobs(pub Vec<File>);

#[async_trait]
impl TableProvider for Blobs {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        SCHEMA.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let with_content = projection.is_none_or(|wanted| wanted.contains(&CONTENT));
        let mut batches = Vec::new();
        for file in &self.0 {
            batches.push(row(file, with_content).await?);
        }
        MemTable::try_new(SCHEMA.clone(), vec![batches])?.scan(state, projection, filters, limit).await
    }
}

async fn row(file: &File, with_content: bool) -> Result<RecordBatch> {
    let content = match with_content {
        true => Some(file.store.get(&file.meta.location).await?.bytes().await?),
        false => None,
    };
    let when = TimestampMicrosecondArray::from(vec![file.meta.last_modified.timestamp_micros()]).with_timezone("UTC");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![file.name()])),
        Arc::new(BinaryArray::from(vec![content.as_deref()])),
        Arc::new(Int64Array::from(vec![i64::try_from(file.meta.size).unwrap_or(i64::MAX)])),
        Arc::new(when),
    ];
    Ok(RecordBatch::try_new(SCHEMA.clone(), columns)?)
}
