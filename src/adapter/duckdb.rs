//! Turns SQL into effects and rows with DuckDB, in this process.

mod error;
mod infer;
mod kind;
mod profile;
mod raw;
mod refusal;
pub mod seed;
pub mod shadow;
mod value;

use std::ffi::CString;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono_tz::Tz;
use duckdb::core::LogicalTypeId;
use duckdb::{Config, InterruptHandle};

use crate::adapter::duckdb::error::{open_error, sql_error};
use crate::adapter::duckdb::kind::type_name;
pub use crate::adapter::duckdb::profile::lakes;
use crate::adapter::duckdb::profile::{Extension, Profile};
use crate::adapter::duckdb::raw::{Database, Reader};
use crate::adapter::duckdb::value::ColumnType;
use crate::adapter::relation::{Column, Relation, RelationKind, identifier, literal};
use crate::adapter::rows::{Cell, Rows};
use crate::adapter::{Adapter, AdapterError, Connection, SeedFile, SeedLoad, Target};

/// A DuckDB database that is open in this process.
pub struct DuckDb {
    /// Further connections are cloned from this one.
    root: Mutex<duckdb::Connection>,
    /// Statements that each connection has to run for itself.
    local_settings: Vec<String>,
    disable_transactions: bool,
    parser: Arc<Mutex<Option<Reader>>>,
    running: Mutex<Vec<Weak<InterruptHandle>>>,
}

/// Makes errors carry the place in the SQL. A setting of the connection.
const ERRORS: &str = "set errors_as_json = true";

/// Opens the database of a target, with its extensions, secrets, attached databases and settings.
pub fn open(target: &Target) -> Result<DuckDb, AdapterError> {
    let engine = open_profile(&Profile::read(target)?)?;
    check_database(&lock(&engine.root), &target.database)?;
    Ok(engine)
}

/// Opens the database of a target to look at it only. None if it does not exist yet.
pub fn look(target: &Target) -> Result<Option<DuckDb>, AdapterError> {
    let mut profile = Profile::read(target)?;
    if profile.path == ":memory:" || (!profile.path.contains("://") && !std::path::Path::new(&profile.path).is_file()) {
        return Ok(None);
    }
    profile.options.retain(|(name, _)| name != "access_mode");
    profile.options.push(("access_mode".to_string(), "READ_ONLY".to_string()));
    profile.attempts = 1;
    open_profile(&profile).map(Some)
}

fn open_profile(profile: &Profile) -> Result<DuckDb, AdapterError> {
    set_up(open_file(profile)?, profile)
}

/// An open database with all that the profile asks for.
fn set_up(root: duckdb::Connection, profile: &Profile) -> Result<DuckDb, AdapterError> {
    run(&root, ERRORS)?;
    for extension in &profile.extensions {
        load(&root, extension)?;
    }
    for statement in &profile.statements {
        let hide = |error: AdapterError| {
            let mut said = error.to_string();
            for value in statement.hidden.iter().filter(|value| value.len() > 2) {
                said = said.replace(value.as_str(), "***");
            }
            AdapterError::Connect(format!("{}: {said}", statement.what))
        };
        run(&root, &statement.sql).map_err(hide)?;
    }
    let mut local_settings = apply_settings(&root, &profile.settings)?;
    for sql in &profile.variables {
        run(&root, sql).map_err(|_| AdapterError::Connect("`mask_key` of the profile cannot be used".to_string()))?;
    }
    local_settings.extend_from_slice(&profile.variables);
    Ok(DuckDb {
        root: Mutex::new(root),
        local_settings,
        disable_transactions: profile.disable_transactions,
        parser: Arc::default(),
        running: Mutex::default(),
    })
}

/// Nothing is fetched from the network unless the user asks for it.
const OFFLINE: (&str, &str) = ("autoinstall_known_extensions", "false");

fn open_file(profile: &Profile) -> Result<duckdb::Connection, AdapterError> {
    let config = || {
        let mut config = Config::default().with(OFFLINE.0, OFFLINE.1)?;
        for (name, value) in &profile.options {
            config = config.with(name, value)?;
        }
        Ok(config)
    };
    for attempt in 1.. {
        let config = config().map_err(|error: duckdb::Error| {
            AdapterError::Connect(format!("`config_options` of the profile: {error}"))
        })?;
        let said = match duckdb::Connection::open_with_flags(&profile.path, config) {
            Ok(connection) => return Ok(connection),
            Err(error) => error.to_string(),
        };
        if attempt >= profile.attempts || !said.contains("lock") {
            return Err(open_error(&said, &profile.path));
        }
        std::thread::sleep(Duration::from_secs(1 << (attempt - 1)));
    }
    unreachable!("the last attempt returns")
}

fn run(connection: &duckdb::Connection, sql: &str) -> Result<(), AdapterError> {
    connection.execute_batch(sql).map_err(|error| sql_error(&error, sql))
}

fn load(connection: &duckdb::Connection, extension: &Extension) -> Result<(), AdapterError> {
    let name = identifier(&extension.name);
    let load = format!("load {name}");
    if run(connection, &load).is_ok() {
        return Ok(());
    }
    let from = match &extension.repository {
        None => String::new(),
        Some(repository) if repository.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => {
            format!(" from {}", identifier(repository))
        }
        Some(repository) => format!(" from {}", literal(repository)),
    };
    let loaded = run(connection, &format!("install {name}{from}")).and_then(|()| run(connection, &load));
    loaded.map_err(|error| {
        let said = error.to_string();
        let said = said.lines().next().unwrap_or_default();
        AdapterError::Connect(format!(
            "the extension `{0}` could not be loaded: {said}; run `install {0}` in DuckDB 1.5.5 where there is a \
             network, or take it out of `extensions` in the profile",
            extension.name
        ))
    })
}

/// Applies the settings once for all connections, and gives those that each connection needs again.
///
/// A global setting must not be applied again: `temp_directory` cannot change once it is in use.
fn apply_settings(root: &duckdb::Connection, settings: &[(String, String)]) -> Result<Vec<String>, AdapterError> {
    let mut local = Vec::new();
    for (name, value) in settings {
        let sql = format!("set {} = {}", identifier(name), literal(value));
        run(root, &sql).map_err(|error| {
            let secret = ["secret", "token", "passw", "key"].iter().any(|word| name.to_lowercase().contains(word));
            let said = error.to_string();
            let said = if secret { said.replace(value.as_str(), "***") } else { said };
            AdapterError::Connect(format!("the setting `{name}` of the profile: {said}"))
        })?;
        let scope = format!("select scope from duckdb_settings() where lower(name) = lower({})", literal(name));
        let scope: Option<String> = root.query_row(&scope, [], |row| row.get(0)).ok();
        if scope.as_deref() != Some("GLOBAL") {
            local.push(sql);
        }
    }
    Ok(local)
}

/// The name of the database must be one that the engine knows: it names an open file after the file's stem.
fn check_database(root: &duckdb::Connection, database: &str) -> Result<(), AdapterError> {
    if database.is_empty() {
        return Ok(());
    }
    let sql = "select database_name from duckdb_databases() where not internal order by database_oid";
    let mut names = Vec::new();
    let mut statement = root.prepare(sql).map_err(|error| sql_error(&error, sql))?;
    let mut rows = statement.query([]).map_err(|error| sql_error(&error, sql))?;
    while let Some(row) = rows.next().map_err(|error| sql_error(&error, sql))? {
        names.push(row.get::<_, String>(0).map_err(|error| sql_error(&error, sql))?);
    }
    if names.iter().any(|name| name.to_lowercase() == database.to_lowercase()) {
        return Ok(());
    }
    let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Err(AdapterError::Connect(format!(
        "the profile names the database `{database}`, but its path and `attach` give {names}: take `database` out of \
         the profile, or give it one of these names"
    )))
}

/// A lock whose holder cannot leave the data half done, so that a panic elsewhere does not matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Adapter for DuckDb {
    fn kind(&self) -> &'static str {
        "duckdb"
    }

    fn product(&self) -> Result<String, AdapterError> {
        let rows = self.connect()?.query("select version()")?;
        let version = rows.rows.first().and_then(|row| row.first()).map(|cell| cell.text()).unwrap_or_default();
        Ok(format!("DuckDB {version}"))
    }

    fn connect(&self) -> Result<Box<dyn Connection>, AdapterError> {
        let cloned = lock(&self.root).try_clone();
        let connection = cloned.map_err(|error| AdapterError::Connect(error.to_string()))?;
        run(&connection, ERRORS)?;
        for sql in &self.local_settings {
            run(&connection, sql)?;
        }
        let mut running = lock(&self.running);
        running.retain(|handle| handle.strong_count() > 0);
        let interrupt = connection.interrupt_handle();
        running.push(Arc::downgrade(&interrupt));
        Ok(Box::new(Session {
            connection,
            disable_transactions: self.disable_transactions,
            in_transaction: false,
            parser: Arc::clone(&self.parser),
        }))
    }

    fn interrupt(&self) {
        for handle in lock(&self.running).iter().filter_map(Weak::upgrade) {
            handle.interrupt();
        }
    }

    /// Each worker's thread counts as one of DuckDB's. Where this cannot be set, statements are only slower.
    fn share(&self, workers: usize) {
        let _ = self.connect().and_then(|mut connection| {
            let rows = connection.query("select current_setting('threads')")?;
            let threads = rows.rows.first().and_then(|row| row.first()?.as_int()).unwrap_or(1);
            connection.execute(&format!("set external_threads = {}", threads.min(workers as i128)))
        });
    }
}

/// One connection.
struct Session {
    connection: duckdb::Connection,
    disable_transactions: bool,
    in_transaction: bool,
    parser: Arc<Mutex<Option<Reader>>>,
}

impl Connection for Session {
    fn execute(&mut self, sql: &str) -> Result<u64, AdapterError> {
        let executed = self.connection.prepare(sql).and_then(|mut statement| {
            let changed = statement.raw_execute()? as u64;
            // `create table … as` tells its rows only by a result.
            let counts = changed == 0 && statement.column_names() == ["Count"];
            let count =
                if counts { statement.raw_query().next()?.and_then(|row| row.get::<_, u64>(0).ok()) } else { None };
            Ok(count.unwrap_or(changed))
        });
        match executed {
            Ok(changed) => Ok(changed),
            // Nothing but blanks and comments.
            Err(duckdb::Error::DuckDBFailure(_, None)) => Ok(0),
            Err(error) => Err(sql_error(&error, sql)),
        }
    }

    fn query(&mut self, sql: &str) -> Result<Rows, AdapterError> {
        let failed = |error: duckdb::Error| sql_error(&error, sql);
        let mut statement = match self.connection.prepare(sql) {
            Err(duckdb::Error::DuckDBFailure(_, None)) => return Ok(Rows::default()),
            prepared => prepared.map_err(failed)?,
        };
        statement.raw_execute().map_err(failed)?;
        let mut columns = Vec::new();
        let mut types = Vec::new();
        for (index, name) in statement.column_names().into_iter().enumerate() {
            let kind = statement.column_logical_type(index);
            let column = Column { name, data_type: type_name(&kind, &statement.column_type(index)) };
            let kind = ColumnType::new(&kind);
            if kind.any(&unreadable) {
                let message = format!(
                    "the column `{}` has the type {}, whose values cannot be read; cast it to another type",
                    column.name, column.data_type
                );
                return Err(AdapterError::Sql { message, at: None });
            }
            columns.push(column);
            types.push(kind);
        }
        let zone = self.zone(&types);
        let mut rows = Vec::new();
        let mut results = statement.raw_query();
        while let Some(row) = results.next().map_err(failed)? {
            let cells = types.iter().enumerate();
            let cells = cells.map(|(index, kind)| Ok(value::cell(row.get_ref(index)?, kind, zone)));
            rows.push(cells.collect::<Result<Vec<Cell>, _>>().map_err(failed)?);
        }
        Ok(Rows { columns, rows })
    }

    fn begin(&mut self) -> Result<(), AdapterError> {
        if self.disable_transactions {
            return Ok(());
        }
        run(&self.connection, "begin transaction")?;
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), AdapterError> {
        if std::mem::take(&mut self.in_transaction) { run(&self.connection, "commit") } else { Ok(()) }
    }

    fn rollback(&mut self) -> Result<(), AdapterError> {
        if std::mem::take(&mut self.in_transaction) { run(&self.connection, "rollback") } else { Ok(()) }
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn relations(&mut self) -> Result<Vec<Relation>, AdapterError> {
        let rows = self.query(
            "select database_name, schema_name, table_name, 'table' from duckdb_tables() where not internal and not temporary
             union all
             select database_name, schema_name, view_name, 'view' from duckdb_views() where not internal and not temporary
             order by all",
        )?;
        let relation = |row: Vec<Cell>| {
            let names = row.iter().map(Cell::text).collect::<Vec<_>>();
            let [database, schema, name, kind] = &names[..] else {
                unreachable!("the query has four columns");
            };
            let relation = Relation::new(database, schema, name);
            RelationKind::from_name(kind).map_or(relation.clone(), |kind| relation.with_kind(kind))
        };
        Ok(rows.rows.into_iter().map(relation).collect())
    }

    fn columns(&mut self, relation: &Relation) -> Result<Vec<Column>, AdapterError> {
        match self.describe(&format!("select * from {}", relation.render())) {
            Err(AdapterError::Sql { message, .. })
                if message.starts_with("Catalog Error") && message.contains("does not exist") =>
            {
                Ok(Vec::new())
            }
            columns => columns,
        }
    }

    fn describe(&mut self, query: &str) -> Result<Vec<Column>, AdapterError> {
        // On a line of its own, so that the columns of errors stay right.
        let rows = self.query(&format!("describe\n{query}")).map_err(|error| match error {
            AdapterError::Sql { message, at } => {
                let at = at.map(|at| crate::adapter::SqlPosition { line: at.line.saturating_sub(1).max(1), ..at });
                AdapterError::Sql { message, at }
            }
            error => error,
        })?;
        let column = |row: &Vec<Cell>| match &row[..] {
            [name, data_type, ..] => Some(Column { name: name.text(), data_type: data_type.text() }),
            _ => None,
        };
        Ok(rows.rows.iter().filter_map(column).collect())
    }

    fn load_seed(&mut self, relation: &Relation, seed: &SeedFile) -> Result<SeedLoad, AdapterError> {
        seed::load(self, relation, seed)
    }

    fn statement_count(&mut self, sql: &str) -> Result<usize, AdapterError> {
        let count = self.parse(sql)?;
        // A PIVOT without a list of values becomes several statements in the parser. In brackets, two statements
        // cannot be parsed, but a PIVOT can.
        let single = sql.trim_end().trim_end_matches(';');
        if count > 1 && self.parse(&format!("select * from (\n{single}\n)")).is_ok() { Ok(1) } else { Ok(count) }
    }
}

/// Types that the crate cannot decode.
fn unreadable(id: LogicalTypeId) -> bool {
    matches!(
        id,
        LogicalTypeId::Variant
            | LogicalTypeId::TimeNs
            | LogicalTypeId::TimeTZ
            | LogicalTypeId::Bignum
            | LogicalTypeId::Geometry
    )
}

impl Session {
    /// The time zone of the session, asked for only if a column needs it.
    fn zone(&self, types: &[ColumnType]) -> Tz {
        if !types.iter().any(|kind| kind.any(&|id| id == LogicalTypeId::TimestampTZ)) {
            return Tz::UTC;
        }
        let name = self.connection.query_row("select current_setting('TimeZone')", [], |row| row.get::<_, String>(0));
        name.ok().and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC)
    }

    fn parse(&self, sql: &str) -> Result<usize, AdapterError> {
        let text = CString::new(sql).map_err(|error| sql_error(&error.into(), sql))?;
        let mut parser = lock(&self.parser);
        if parser.is_none() {
            let database = Database::open(&[]).ok().map(Arc::new);
            *parser = database.and_then(|database| Reader::new(database, &[ERRORS.to_string()]));
        }
        let Some(parser) = parser.as_mut() else {
            return Err(AdapterError::Connect("DuckDB could not open a database in memory".to_string()));
        };
        parser.count(&text).map_err(|said| error::said(&said, sql))
    }
}

#[cfg(test)]
mod tests;
