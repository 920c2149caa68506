//! Turns texts of SQL into transactions of a lakehouse: one connection.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use datafusion::catalog::CatalogProviderList;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::path::Path;

use crate::adapter::lake::catalog::{Databases, Lakehouse};
use crate::adapter::lake::commit::Watched;
use crate::adapter::lake::error::{is_conflict, is_exhausted, refused, sql_error};
use crate::adapter::lake::files::Files;
use crate::adapter::lake::overlay::Overlay;
use crate::adapter::lake::planner::Planner;
use crate::adapter::lake::statement::{self, Done};
use crate::adapter::lake::{Shared, commit, dialect, functions, seed, text};
use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;
use crate::adapter::{AdapterError, Connection, SeedFile, SeedLoad};

/// One connection. Outside of a transaction each statement is one.
pub struct Session {
    shared: Arc<Shared>,
    lake: Arc<Lakehouse>,
    context: SessionContext,
    in_transaction: bool,
    watched: Watched,
}

/// A statement that was overtaken by another writer is run so often.
const ATTEMPTS: usize = 10;

impl Session {
    pub fn new(shared: Arc<Shared>) -> Result<Session, AdapterError> {
        let overlay = Overlay::new(shared.place.store.clone());
        let lake = Lakehouse::new(
            overlay.clone(),
            (shared.place.url.clone(), shared.place.root.clone()),
            shared.files.clone(),
            shared.database.clone(),
            shared.schema.clone(),
        );
        let lake = Arc::new(lake);
        let environment = environment(&shared).map_err(sql_error)?;
        environment.register_object_store(&shared.place.url, Arc::new(overlay));
        let (base, options) = shared.files.clone();
        let files = Arc::new(Files::new(base, options));
        let databases = Arc::new(Databases { lake: Arc::downgrade(&lake), files: files.clone() });
        let context = context(&shared.database, &shared.schema, environment, databases);
        functions::keyed::register(&context, shared.mask_key.clone());
        lake.serve(&context);
        files.serve(&context);
        let session = Session { shared, lake, context, in_transaction: false, watched: Watched::new() };
        session.finish_others()?;
        Ok(session)
    }

    /// Runs one statement, and commits it unless it belongs to a transaction.
    fn run(&mut self, sql: &str) -> Result<Done, AdapterError> {
        for attempt in 1.. {
            let outcome = self.attempt(sql);
            if self.in_transaction {
                return outcome;
            }
            let error = match outcome.and_then(|done| self.publish().map(|()| done)) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            self.undo();
            if !is_conflict(&error) || attempt == ATTEMPTS {
                return Err(error);
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Joins keep one side in memory, and are quick. If there is not enough of it, the statement is run again, with nothing
    /// beside it, and joins are done by sorting, which goes to the disk.
    fn attempt(&self, sql: &str) -> Result<Done, AdapterError> {
        let mut state = self.context.state();
        let beside_others = self.shared.alone.read().unwrap_or_else(PoisonError::into_inner);
        state.config_mut().options_mut().execution.target_partitions = self.shared.parts.load(Ordering::Relaxed);
        match self.statement(&state, sql) {
            Err(error) if is_exhausted(&error) => {}
            outcome => return outcome,
        }
        drop(beside_others);
        let _alone = self.shared.alone.write().unwrap_or_else(PoisonError::into_inner);
        let options = state.config_mut().options_mut();
        options.optimizer.prefer_hash_join = false;
        // In one part all joins are done by hashing.
        options.execution.target_partitions = self.shared.threads.max(2);
        self.statement(&state, sql)
    }

    fn statement(&self, state: &SessionState, sql: &str) -> Result<Done, AdapterError> {
        self.lake.refresh();
        self.shared.run(statement::run(&self.lake, state, sql))
    }

    /// Writes what is staged for all to see. This is not interrupted: it is short, and half of it helps nobody.
    fn publish(&mut self) -> Result<(), AdapterError> {
        let (shared, staged) = (&self.shared, self.lake.overlay.take());
        let done = commit::commit(&shared.place, staged, shared.run_id.get(), &mut self.watched);
        shared.runtime.block_on(done)
    }

    /// Finishes what processes that were killed have left half done.
    fn finish_others(&self) -> Result<(), AdapterError> {
        self.shared.runtime.block_on(commit::finish(&self.shared.place))
    }

    /// Where a table is, as its name is written.
    fn path(&self, table: &Relation) -> Path {
        let schema = table.schema.as_deref().unwrap_or(&self.shared.schema);
        self.lake.place(schema, table.identifier.as_deref().unwrap_or_default()).path
    }

    fn undo(&self) {
        let overlay = &self.lake.overlay;
        self.shared.runtime.block_on(commit::roll_back(&self.shared.place, overlay.take()));
    }
}

/// What statements run in: memory, room on the disk, and the stores that are known.
fn environment(shared: &Shared) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let memory: Arc<dyn MemoryPool> = shared.memory.clone();
    let mode = match &shared.temp_directory {
        Some(folder) => DiskManagerMode::Directories(vec![folder.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    RuntimeEnvBuilder::new()
        .with_memory_pool(memory)
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
        // Files may come while the connection is open.
        .with_object_list_cache_limit(0)
        .build_arc()
}

/// A session in which names without a database and a schema belong to these.
pub fn context(
    database: &str,
    schema: &str,
    environment: Arc<RuntimeEnv>,
    databases: Arc<dyn CatalogProviderList>,
) -> SessionContext {
    let config = SessionConfig::new()
        .with_default_catalog_and_schema(database, schema)
        .with_create_default_catalog_and_schema(false)
        .set_bool("datafusion.sql_parser.collect_spans", true)
        // Texts that are cut out of others count with all of these, however few they are: a memory limit would be met soon.
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .set_bool("datafusion.execution.parquet.pushdown_filters", true)
        // Sorts have memory for merging anyhow.
        .set_usize("datafusion.execution.sort_spill_reservation_bytes", 0)
        // Whether a column may be null is told more exactly in some plans than in what is made of them.
        .set_bool("datafusion.execution.skip_physical_aggregate_schema_check", true)
        // Delta Lake's columns of partitions are dictionaries, which these cannot take.
        .set_usize("datafusion.optimizer.hash_join_inlist_pushdown_max_size", 0)
        .set_usize("datafusion.optimizer.hash_join_inlist_pushdown_max_distinct_values", 0);
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(functions::settings(config))
        .with_runtime_env(environment)
        .with_query_planner(Arc::new(Planner))
        .with_catalog_list(databases)
        .build();
    let context = SessionContext::new_with_state(state);
    functions::register(&context);
    context
}

impl Drop for Session {
    fn drop(&mut self) {
        self.undo();
    }
}

impl Connection for Session {
    fn execute(&mut self, sql: &str) -> Result<u64, AdapterError> {
        let mut changed = 0;
        for statement in text::split(sql)? {
            changed = self.run(&statement)?.changed;
        }
        Ok(changed)
    }

    fn query(&mut self, sql: &str) -> Result<Rows, AdapterError> {
        let mut rows = Rows::default();
        for statement in text::split(sql)? {
            rows = self.run(&statement)?.rows;
        }
        Ok(rows)
    }

    fn begin(&mut self) -> Result<(), AdapterError> {
        if self.in_transaction {
            return Err(refused("TransactionContext Error: a transaction is open already"));
        }
        self.finish_others()?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), AdapterError> {
        if std::mem::take(&mut self.in_transaction) { self.publish() } else { Ok(()) }
    }

    fn rollback(&mut self) -> Result<(), AdapterError> {
        if std::mem::take(&mut self.in_transaction) {
            self.undo();
        }
        Ok(())
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn watch(&mut self, table: Option<&Relation>) -> Result<(), AdapterError> {
        match table {
            Some(table) => {
                let path = self.path(table);
                self.shared.runtime.block_on(commit::watch(&self.shared.place, &path, &mut self.watched))
            }
            None => {
                self.watched.clear();
                Ok(())
            }
        }
    }

    fn can_undo_in_part(&self) -> bool {
        true
    }

    fn undo_but(&mut self, kept: &[Relation]) -> Result<(), AdapterError> {
        let kept: Vec<Path> = kept.iter().map(|relation| self.path(relation)).collect();
        let undone = self.lake.overlay.take_but(&kept);
        self.shared.runtime.block_on(commit::roll_back(&self.shared.place, undone));
        Ok(())
    }

    fn relations(&mut self) -> Result<Vec<Relation>, AdapterError> {
        self.shared.run(self.lake.relations())
    }

    fn columns(&mut self, relation: &Relation) -> Result<Vec<Column>, AdapterError> {
        let parts = [&relation.database, &relation.schema, &relation.identifier];
        let name = self.lake.name(&parts.into_iter().flatten().cloned().collect::<Vec<_>>())?;
        self.lake.refresh();
        if !self.shared.run(self.lake.is_there(&name))? {
            return Ok(Vec::new());
        }
        self.describe(&format!("select * from {}", relation.render()))
    }

    fn describe(&mut self, query: &str) -> Result<Vec<Column>, AdapterError> {
        self.lake.refresh();
        self.shared.run(statement::describe(&self.context.state(), query))
    }

    fn load_seed(&mut self, relation: &Relation, seed: &SeedFile) -> Result<SeedLoad, AdapterError> {
        let loaded = seed::load(seed)?;
        let lake = self.lake.clone();
        lake.add_temporary(seed::ROWS, loaded.rows.clone());
        let filled = self.run(&loaded.sql(relation));
        lake.drop_temporary(seed::ROWS);
        filled.map_err(|error| match error {
            AdapterError::Sql { message, .. } => AdapterError::Seed { message, line: None },
            error => error,
        })?;
        Ok(loaded.told)
    }

    fn statement_count(&mut self, sql: &str) -> Result<usize, AdapterError> {
        Ok(dialect::statements(sql)?.len())
    }
}
