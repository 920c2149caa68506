//! Turns SQL into effects and rows with DataFusion, over Delta Lake tables in a folder or an object store.

mod care;
mod catalog;
mod change;
mod comment;
mod commit;
mod condition;
mod copy;
mod dialect;
mod error;
mod files;
mod functions;
mod information;
mod insert;
mod kind;
mod layout;
mod memory;
mod merge;
mod nullable;
mod overlay;
mod planner;
mod profile;
mod refusal;
mod rules;
mod seed;
mod session;
pub mod shadow;
mod statement;
mod temporary;
mod text;
mod value;
mod write;

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, RwLock};

use datafusion::DATAFUSION_VERSION;
use datafusion::execution::memory_pool::MemoryPool;
use deltalake_core::DeltaResult;
use deltalake_core::logstore::{
    LogStore, LogStoreFactory, ObjectStoreRef, StorageConfig, default_logstore, logstore_factories,
};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use url::Url;

use crate::adapter::lake::profile::{Place, Profile};
use crate::adapter::lake::session::Session;
use crate::adapter::mask::MaskKey;
use crate::adapter::{Adapter, AdapterError, Connection, Target};

/// A lakehouse that is open in this process.
pub struct Lake(Arc<Shared>);

/// What all connections share.
struct Shared {
    runtime: Runtime,
    place: Place,
    /// Where relative paths of files start, and the options of object stores.
    files: (PathBuf, BTreeMap<String, String>),
    database: String,
    schema: String,
    mask_key: Option<MaskKey>,
    memory: Arc<dyn MemoryPool>,
    /// Statements share this; one that needs all of the memory does not.
    alone: RwLock<()>,
    temp_directory: Option<PathBuf>,
    threads: usize,
    /// Into how many parts a statement's work is cut.
    parts: AtomicUsize,
    /// The id of the run that the connections work for.
    run_id: OnceLock<String>,
    /// Counts up to stop what is running.
    stopped: watch::Sender<u64>,
}

/// Planning recurses, and so do plans.
const STACK: usize = 8 * 1024 * 1024;

/// Opens the lakehouse of a target. Nothing is made before something is written.
pub fn open(target: &Target) -> Result<Lake, AdapterError> {
    let profile = Profile::read(target)?;
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = profile.threads.unwrap_or(cores).max(1);
    let runtime = Builder::new_multi_thread()
        // Delta Lake waits on one thread for what another does.
        .worker_threads(threads.max(2))
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|error| AdapterError::Connect(format!("no threads could be started: {error}")))?;
    if profile.place.folder.is_none() {
        know_object_stores();
    }
    Ok(Lake(Arc::new(Shared {
        runtime,
        place: profile.place,
        files: (target.base.clone(), profile.options),
        database: target.database.clone(),
        schema: target.schema.clone(),
        mask_key: profile.mask_key,
        memory: memory::pool(profile.memory_limit),
        alone: RwLock::default(),
        temp_directory: profile.temp_directory,
        threads,
        parts: AtomicUsize::new(threads),
        run_id: OnceLock::new(),
        stopped: watch::Sender::new(0),
    })))
}

/// Opens the lakehouse of a target to look at it only. None if it does not exist yet.
pub fn look(target: &Target) -> Result<Option<Lake>, AdapterError> {
    let lake = open(target)?;
    let is_there = lake.0.place.folder.as_ref().is_none_or(|folder| folder.is_dir());
    Ok(is_there.then_some(lake))
}

/// Tells Delta Lake that a store which refuses to write over an object needs no lock beside it.
fn know_object_stores() {
    if let Ok(scheme) = Url::parse("s3://") {
        logstore_factories().entry(scheme).or_insert_with(|| Arc::new(Conditional));
    }
}

/// Logs in stores that put an object only if it is not there.
struct Conditional;

impl LogStoreFactory for Conditional {
    fn with_options(
        &self,
        table: ObjectStoreRef,
        root: ObjectStoreRef,
        location: &Url,
        options: &StorageConfig,
    ) -> DeltaResult<Arc<dyn LogStore>> {
        Ok(default_logstore(table, root, location, options))
    }
}

impl Shared {
    /// Does something to its end, or until all is stopped.
    fn run<T>(&self, work: impl Future<Output = Result<T, AdapterError>>) -> Result<T, AdapterError> {
        let mut stopped = self.stopped.subscribe();
        self.runtime.block_on(async move {
            tokio::select! {
                done = work => done,
                _ = stopped.changed() => Err(AdapterError::Interrupted),
            }
        })
    }
}

impl Adapter for Lake {
    fn kind(&self) -> &'static str {
        "datafusion"
    }

    fn product(&self) -> Result<String, AdapterError> {
        self.connect()?.query("select schema_name from information_schema.schemata")?;
        Ok(format!("DataFusion v{DATAFUSION_VERSION}"))
    }

    fn is_lakehouse(&self) -> bool {
        true
    }

    fn name_run(&self, id: &str) {
        // The first one holds: a process has one run.
        let _ = self.0.run_id.set(id.to_string());
    }

    fn connect(&self) -> Result<Box<dyn Connection>, AdapterError> {
        Ok(Box::new(Session::new(self.0.clone())?))
    }

    fn interrupt(&self) {
        self.0.stopped.send_modify(|count| *count += 1);
    }

    fn share(&self, workers: usize) {
        self.0.parts.store((self.0.threads / workers.max(1)).max(1), Ordering::Relaxed);
    }
}
