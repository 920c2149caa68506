//! Turns files into the rows of a table while it is read, by threads that wait for the disk: for what DataFusion has no
//! reader for.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use object_store::path::Path;
use object_store::{GetResult, GetResultPayload, ObjectStore, ObjectStoreExt};
use tokio::runtime::Handle;

/// How many rows are handed on at once.
pub const ROWS: usize = 8192;

/// So many batches wait to be taken.
const WAITING: usize = 2;

/// A file that is opened when its turn comes.
#[derive(Debug, Clone)]
pub struct Source {
    /// As the statement names it.
    pub name: String,
    pub place: Place,
}

#[derive(Debug, Clone)]
pub enum Place {
    Disk(PathBuf),
    Store(Arc<dyn ObjectStore>, Path),
}

/// What comes from a store is there as a whole.
pub enum Opened {
    File(File),
    Bytes(Bytes),
}

impl Source {
    pub async fn open(&self) -> Result<Opened> {
        Ok(match &self.place {
            Place::Disk(path) => Opened::File(File::open(path)?),
            Place::Store(store, path) => match store.get(path).await? {
                GetResult { payload: GetResultPayload::File(file, _), .. } => Opened::File(file),
                result => Opened::Bytes(result.bytes().await?),
            },
        })
    }
}

impl Opened {
    pub fn read(self) -> Box<dyn Read + Send> {
        match self {
            Opened::File(file) => Box::new(file),
            Opened::Bytes(bytes) => Box::new(Cursor::new(bytes)),
        }
    }
}

/// Takes a batch of rows; false if no more are wanted.
pub type Take<'a> = dyn FnMut(RecordBatch) -> bool + 'a;

/// Reads one file, which is open.
pub type Reader = dyn Fn(&Source, Opened, &mut Take<'_>) -> Result<()> + Send + Sync;

/// A table of the rows of some files, read by so many threads.
pub fn table(
    schema: SchemaRef,
    sources: Vec<Source>,
    threads: usize,
    reader: Arc<Reader>,
) -> Result<Arc<dyn TableProvider>> {
    let share = sources.len().div_ceil(threads.max(1)).max(1);
    let part = |sources: &[Source]| {
        let part = Part { schema: schema.clone(), sources: sources.to_vec(), reader: reader.clone() };
        Arc::new(part) as Arc<dyn PartitionStream>
    };
    let mut parts: Vec<_> = sources.chunks(share).map(part).collect();
    if parts.is_empty() {
        parts.push(part(&[]));
    }
    Ok(Arc::new(StreamingTable::try_new(schema.clone(), parts)?))
}

/// Files that one thread reads, one after the other.
struct Part {
    schema: SchemaRef,
    sources: Vec<Source>,
    reader: Arc<Reader>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({} files)", self.sources.len())
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(self.schema.clone(), WAITING);
        let (taker, sources, reader) = (stream.tx(), self.sources.clone(), self.reader.clone());
        stream.spawn_blocking(move || {
            for source in &sources {
                let opened = Handle::current().block_on(source.open()).map_err(|error| told(source, &error))?;
                reader(source, opened, &mut |batch| taker.blocking_send(Ok(batch)).is_ok())?;
                if taker.is_closed() {
                    break;
                }
            }
            Ok(())
        });
        stream.build()
    }
}

/// An error of reading, with the name of the file.
pub fn told(source: &Source, error: &DataFusionError) -> DataFusionError {
    DataFusionError::Execution(format!("`{}`: {}", source.name, error.strip_backtrace()))
}
