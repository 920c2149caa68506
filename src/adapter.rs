//! Turns SQL into effects and rows: the one interface that every engine has, and the types that cross it.

pub mod binder;
pub mod difference;
pub mod duckdb;
#[cfg(feature = "lake")]
pub mod lake;
mod mask;
mod printed;
pub mod relation;
pub mod rows;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::adapter::binder::Shadow;
use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;

/// What went wrong in the world outside of the project.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AdapterError {
    /// The engine could not be reached or set up.
    #[error("{0}")]
    Connect(String),
    /// The engine refused a statement.
    #[error("{message}")]
    Sql { message: String, at: Option<SqlPosition> },
    /// A seed's file cannot be loaded; the line, from 1, is where it goes wrong.
    #[error("{message}")]
    Seed { message: String, line: Option<usize> },
    /// The statement was stopped because the run was.
    #[error("the run was stopped while this statement ran")]
    Interrupted,
}

/// A place in the SQL that was sent, both counted from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlPosition {
    pub line: usize,
    pub column: usize,
}

/// How to reach a warehouse: one output of a profile, rendered.
#[derive(Debug, Clone)]
pub struct Target {
    pub profile_name: String,
    pub name: String,
    /// `duckdb` or `datafusion`.
    pub kind: String,
    pub database: String,
    pub schema: String,
    pub threads: usize,
    /// Every key of the output, secrets included. Never print it.
    pub settings: Map<String, Json>,
    /// Relative paths of the settings start here.
    pub base: PathBuf,
}

/// A CSV file and how to read it.
#[derive(Debug, Clone)]
pub struct SeedFile {
    pub path: PathBuf,
    pub delimiter: char,
    /// Column names to type names of the engine, as the user declares them.
    pub column_types: Map<String, Json>,
    /// Types are guessed as dbt does; otherwise every undeclared column is text.
    pub infer_types: bool,
}

/// What loading a seed did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeedLoad {
    pub rows: u64,
    /// A column and the first of its values whose text was changed by type inference.
    pub coerced: Vec<(String, String)>,
}

/// The types of targets.
#[cfg(feature = "lake")]
pub const KINDS: &[&str] = &["duckdb", "datafusion"];
#[cfg(not(feature = "lake"))]
pub const KINDS: &[&str] = &["duckdb"];

/// The other types of targets whose SQL an engine understands, so that macros for these serve it too.
pub fn understands(kind: &str) -> &'static [&'static str] {
    match kind {
        "datafusion" => &["duckdb"],
        _ => &[],
    }
}

/// The keys that a target may have.
pub const TARGET_KEYS: [&str; 18] = [
    "type",
    "threads",
    "path",
    "schema",
    "database",
    "extensions",
    "settings",
    "config_options",
    "secrets",
    "attach",
    "disable_transactions",
    "retries",
    "external_root",
    "keep_open",
    "storage_options",
    "memory_limit",
    "temp_directory",
    "mask_key",
];

/// Keys of dbt-duckdb that stand for something that is not here. They may be empty.
pub const UNSUPPORTED_KEYS: [&str; 8] = [
    "plugins",
    "filesystems",
    "remote",
    "module_paths",
    "flights",
    "is_ducklake",
    "motherduck_token",
    "use_credential_provider",
];

/// The databases of a target that DuckLake keeps: some statements are written in another way there.
pub fn lakes(target: &Target) -> Vec<String> {
    duckdb::lakes(&target.settings)
}

/// The name of the database of a target that does not name one: that of its file or folder.
///
/// `data/shop.duckdb` is `shop`; what is in memory is `memory`.
pub fn default_database(kind: &str, settings: &Map<String, Json>) -> String {
    let path = settings.get("path").and_then(Json::as_str).unwrap_or(":memory:");
    let none = if kind == "duckdb" { "memory" } else { "lake" };
    if path.starts_with(":memory:") {
        return none.to_string();
    }
    let path = path.split('?').next().unwrap_or(path);
    Path::new(path).file_stem().map_or_else(|| none.to_string(), |stem| stem.to_string_lossy().into_owned())
}

/// Opens the warehouse of a target.
pub fn connect(target: &Target) -> Result<Box<dyn Adapter>, AdapterError> {
    match target.kind.as_str() {
        "duckdb" => Ok(Box::new(duckdb::open(target)?)),
        #[cfg(feature = "lake")]
        "datafusion" => Ok(Box::new(lake::open(target)?)),
        _ => Err(unknown_kind(target)),
    }
}

/// Opens the warehouse of a target to look at it only. None if it does not exist yet: looking never makes one.
pub fn look(target: &Target) -> Result<Option<Arc<dyn Adapter>>, AdapterError> {
    match target.kind.as_str() {
        "duckdb" => Ok(duckdb::look(target)?.map(|engine| Arc::new(engine) as Arc<dyn Adapter>)),
        #[cfg(feature = "lake")]
        "datafusion" => Ok(lake::look(target)?.map(|engine| Arc::new(engine) as Arc<dyn Adapter>)),
        _ => Err(unknown_kind(target)),
    }
}

/// An engine of the target's kind and settings without data.
pub fn shadow(target: &Target) -> Result<Arc<dyn Shadow>, AdapterError> {
    match target.kind.as_str() {
        "duckdb" => Ok(Arc::new(duckdb::shadow::of(target)?)),
        #[cfg(feature = "lake")]
        "datafusion" => Ok(Arc::new(lake::shadow::open(target)?)),
        _ => Err(unknown_kind(target)),
    }
}

fn unknown_kind(target: &Target) -> AdapterError {
    AdapterError::Connect(format!(
        "target `{}` of profile `{}` has the type `{}`; the types there are: {}",
        target.name,
        target.profile_name,
        target.kind,
        KINDS.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
    ))
}

/// An engine, shared by all workers.
pub trait Adapter: Send + Sync {
    /// The name that `target.type` and `adapter.dispatch` use.
    fn kind(&self) -> &'static str;

    /// What answers, and which version of it. A warehouse that cannot be read is an error.
    fn product(&self) -> Result<String, AdapterError>;

    /// Whether tables have versions and files of their own, so that `describe history`, `optimize`, `vacuum` and
    /// `restore table` are statements.
    fn is_lakehouse(&self) -> bool {
        false
    }

    /// Tells for which run its connections work, so that the history that an engine keeps can name it.
    fn name_run(&self, _id: &str) {}

    /// Opens a further connection to the same warehouse.
    fn connect(&self) -> Result<Box<dyn Connection>, AdapterError>;

    /// Stops every statement that is running on any connection.
    fn interrupt(&self);

    /// Tells how many workers send statements at once, so that the engine's own threads do not crowd theirs out.
    /// With 1 it has all its threads for each statement.
    fn share(&self, workers: usize);
}

/// One session with an engine. Statements run in order; `begin` opens a transaction.
pub trait Connection: Send {
    /// Runs statements, dropping any rows; gives the number of rows that the last one changed.
    fn execute(&mut self, sql: &str) -> Result<u64, AdapterError>;

    /// Runs one statement and gives its rows.
    fn query(&mut self, sql: &str) -> Result<Rows, AdapterError>;

    fn begin(&mut self) -> Result<(), AdapterError>;
    fn commit(&mut self) -> Result<(), AdapterError>;
    fn rollback(&mut self) -> Result<(), AdapterError>;
    fn in_transaction(&self) -> bool;

    /// Whether a transaction can be undone but for some tables.
    fn can_undo_in_part(&self) -> bool {
        false
    }

    /// From now on a table must be changed by nobody else: what will be written to it is made of what it holds now. A
    /// commit that finds it changed is a conflict. With none, what was said so is forgotten. An engine may know by itself.
    fn watch(&mut self, _table: Option<&Relation>) -> Result<(), AdapterError> {
        Ok(())
    }

    /// Undoes what the open transaction has done, but for these new tables.
    fn undo_but(&mut self, _kept: &[Relation]) -> Result<(), AdapterError> {
        self.rollback()
    }

    /// Every table and view of the attached databases.
    fn relations(&mut self) -> Result<Vec<Relation>, AdapterError>;

    /// The columns of a relation, in order; empty if it does not exist.
    fn columns(&mut self, relation: &Relation) -> Result<Vec<Column>, AdapterError>;

    /// The columns that a query would give, in order; it is not run.
    fn describe(&mut self, query: &str) -> Result<Vec<Column>, AdapterError>;

    /// Creates or replaces a table with the rows of a CSV file.
    fn load_seed(&mut self, relation: &Relation, seed: &SeedFile) -> Result<SeedLoad, AdapterError>;

    /// How many statements the engine's own parser sees in a text; an error if it cannot parse it.
    fn statement_count(&mut self, sql: &str) -> Result<usize, AdapterError>;
}
