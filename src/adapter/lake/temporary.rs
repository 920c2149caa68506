//! Turns the rows of a plan into a table that one connection keeps: in memory, and beyond a limit in files that go away
//! with it.

use std::any::Any;
use std::fs::File;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::FileReader;
use datafusion::arrow::ipc::writer::FileWriter;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::execution::disk_manager::{DiskManager, RefCountedTempFile};
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::DataFrame;
use futures::stream::StreamExt;

use crate::adapter::lake::files::streamed::{self, Place, Source};
use crate::adapter::lake::nullable::storable;

/// So many bytes of one table are kept in memory.
const LIMIT: usize = 64 * 1024 * 1024;

/// A temporary table.
#[derive(Debug, Clone)]
pub struct Temporary {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    /// Rows besides those in memory.
    files: Vec<RefCountedTempFile>,
    rows: u64,
    provider: Arc<dyn TableProvider>,
}

/// Rows while they come.
struct Rows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    size: usize,
    file: Option<(FileWriter<File>, RefCountedTempFile)>,
    rows: u64,
}

impl Temporary {
    /// Runs a plan to its end.
    pub async fn of(state: &SessionState, plan: LogicalPlan) -> Result<Temporary> {
        let plan = storable(plan)?;
        let schema = plan.schema().inner().clone();
        let mut rows = Rows { schema: schema.clone(), batches: Vec::new(), size: 0, file: None, rows: 0 };
        let mut stream = DataFrame::new(state.clone(), plan).execute_stream().await?;
        while let Some(batch) = stream.next().await {
            // What runs may know of a column that it is full, which nobody was promised.
            let batch = RecordBatch::try_new(schema.clone(), batch?.columns().to_vec())?;
            rows.add(batch, &state.runtime_env().disk_manager)?;
        }
        rows.end()
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// These rows and those, which have the same columns.
    pub fn with(&self, more: &Temporary) -> Result<Temporary> {
        let batches = self.batches.iter().chain(&more.batches).cloned().collect();
        let files = self.files.iter().chain(&more.files).cloned().collect();
        Temporary::made(self.schema.clone(), batches, files, self.rows + more.rows)
    }

    fn made(
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        files: Vec<RefCountedTempFile>,
        rows: u64,
    ) -> Result<Temporary> {
        let provider = if files.is_empty() {
            Arc::new(MemTable::try_new(schema.clone(), vec![batches.clone()])?) as Arc<dyn TableProvider>
        } else {
            on_disk(&schema, batches.clone(), &files)?
        };
        Ok(Temporary { schema, batches, files, rows, provider })
    }
}

impl Rows {
    fn add(&mut self, batch: RecordBatch, disk: &Arc<DiskManager>) -> Result<()> {
        self.rows += batch.num_rows() as u64;
        self.size += batch.get_array_memory_size();
        self.batches.push(batch);
        if self.size > LIMIT && self.file.is_none() {
            let file = disk.create_tmp_file("a temporary table")?;
            self.file = Some((FileWriter::try_new(File::create(file.path())?, &self.schema)?, file));
        }
        if let Some((writer, _)) = &mut self.file {
            for batch in self.batches.drain(..) {
                writer.write(&batch)?;
            }
        }
        Ok(())
    }

    fn end(self) -> Result<Temporary> {
        let mut files = Vec::new();
        if let Some((mut writer, file)) = self.file {
            writer.finish()?;
            files.push(file);
        }
        Temporary::made(self.schema, self.batches, files, self.rows)
    }
}

/// A table of files, and of rows in memory, which come after the first file.
fn on_disk(
    schema: &SchemaRef,
    batches: Vec<RecordBatch>,
    files: &[RefCountedTempFile],
) -> Result<Arc<dyn TableProvider>> {
    let source = |file: &RefCountedTempFile| {
        let path = file.path().to_path_buf();
        Source { name: path.display().to_string(), place: Place::Disk(path) }
    };
    let sources: Vec<Source> = files.iter().map(source).collect();
    let first = sources.first().map(|source| source.name.clone());
    // The files are there as long as somebody may read them.
    let kept = files.to_vec();
    let reader = move |source: &Source, opened: streamed::Opened, take: &mut streamed::Take<'_>| {
        let _ = &kept;
        if let streamed::Opened::File(file) = opened {
            for batch in FileReader::try_new(file, None)? {
                if !take(batch?) {
                    return Ok(());
                }
            }
        }
        if Some(&source.name) == first.as_ref() {
            let _ = batches.iter().cloned().all(&mut *take);
        }
        Ok(())
    };
    streamed::table(schema.clone(), sources, 1, Arc::new(reader))
}

#[async_trait]
impl TableProvider for Temporary {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.provider.scan(state, projection, filters, limit).await
    }
}
