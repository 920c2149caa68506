//! Turns a target into a Shadow: DuckDB in memory, set up as the target's own, with empty relations.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;

use crate::adapter::binder::{Binder, Refusal, Shadow};
use crate::adapter::duckdb::profile::Profile;
use crate::adapter::duckdb::raw::{Database, Reader};
use crate::adapter::duckdb::refusal::refusal;
use crate::adapter::duckdb::{DuckDb, ERRORS, OFFLINE, error, lock, seed, set_up};
use crate::adapter::relation::{Column, Relation, identifier};
use crate::adapter::rows::Rows;
use crate::adapter::{Adapter, AdapterError, Connection, SeedFile, Target};

/// DuckDB without data, opened when it is first asked.
pub struct DuckDbShadow(Arc<Shared>);

struct Shared {
    profile: Profile,
    /// The databases that are attached.
    databases: OnceLock<BTreeSet<String>>,
    /// The database that names without one belong to.
    database: String,
    /// What is being opened beside other work.
    opening: Mutex<Option<JoinHandle<Opened>>>,
    engine: OnceLock<Result<Engine, String>>,
    /// The schemas that are there. Two sessions cannot create schemas at once.
    schemas: Mutex<BTreeSet<(String, String)>>,
}

struct Engine {
    /// Before the database, which its connections must not outlive.
    duckdb: DuckDb,
    database: Arc<Database>,
}

type Opened = Result<Database, String>;

/// A query is only bound: how fast it would run is of no interest.
const BIND_ONLY: &str = "pragma disable_optimizer";

/// The shadow of a target.
pub fn of(target: &Target) -> Result<DuckDbShadow, AdapterError> {
    let mut profile = Profile::read(target)?;
    profile.path = ":memory:".to_string();
    profile.statements.clear();
    profile.options.retain(|(name, _)| name != "access_mode" && name != "threads");
    profile.options.push(("threads".to_string(), "1".to_string()));
    profile.settings.retain(|(name, _)| name != "threads" && name != "temp_directory");
    let database = if target.database.is_empty() { "memory" } else { target.database.as_str() }.to_string();
    let (databases, opening, engine, schemas) = (OnceLock::new(), Mutex::default(), OnceLock::new(), Mutex::default());
    Ok(DuckDbShadow(Arc::new(Shared { profile, databases, database, opening, engine, schemas })))
}

fn open(options: &[(String, String)]) -> Opened {
    let options = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Database::open(&[OFFLINE].into_iter().chain(options).collect::<Vec<_>>())
}

impl Shared {
    fn engine(&self) -> Result<&Engine, AdapterError> {
        let engine = self.engine.get_or_init(|| self.open().map_err(|error| error.to_string()));
        engine.as_ref().map_err(|said| AdapterError::Connect(said.clone()))
    }

    fn use_database(&self) -> String {
        format!("use {}", identifier(&self.database))
    }

    fn connect(&self) -> Result<Box<dyn Connection>, AdapterError> {
        let mut connection = self.engine()?.duckdb.connect()?;
        connection.execute(&self.use_database())?;
        Ok(connection)
    }

    fn reader(&self) -> Result<Reader, AdapterError> {
        let engine = self.engine()?;
        let mut setup = vec![ERRORS.to_string(), BIND_ONLY.to_string(), self.use_database()];
        setup.extend_from_slice(&engine.duckdb.local_settings);
        let failed = || AdapterError::Connect("DuckDB could not connect to its database in memory".to_string());
        Reader::new(engine.database.clone(), &setup).ok_or_else(failed)
    }

    fn open(&self) -> Result<Engine, AdapterError> {
        let ahead = lock(&self.opening).take().and_then(|opening| opening.join().ok());
        let database = ahead.unwrap_or_else(|| open(&self.profile.options)).map_err(AdapterError::Connect)?;
        let database = Arc::new(database);
        let root = database.connection().map_err(|error| AdapterError::Connect(error.to_string()))?;
        let duckdb = set_up(root, &self.profile)?;
        let mut connection = duckdb.connect()?;
        let reserved = |name: &&String| ["", "memory", "temp", "system"].contains(&name.to_lowercase().as_str());
        let databases = self.databases.get().into_iter().flatten().chain([&self.database]);
        for database in databases.filter(|name| !reserved(name)) {
            connection.execute(&format!("attach if not exists ':memory:' as {}", identifier(database)))?;
        }
        Ok(Engine { duckdb, database })
    }
}

impl Drop for Shared {
    /// The process must not end while DuckDB is being opened.
    fn drop(&mut self) {
        let opening = lock(&self.opening).take();
        opening.into_iter().for_each(|opening| drop(opening.join()));
    }
}

impl Shadow for DuckDbShadow {
    fn attach(&self, databases: BTreeSet<String>) {
        let _ = self.0.databases.set(databases);
    }

    fn binder(&self) -> Result<Box<dyn Binder>, AdapterError> {
        Ok(Box::new(Session { connection: None, reader: None, shared: self.0.clone() }))
    }

    fn open(&self) {
        let mut opening = lock(&self.0.opening);
        if opening.is_none() && self.0.engine.get().is_none() {
            let options = self.0.profile.options.clone();
            *opening = Some(std::thread::spawn(move || open(&options)));
        }
    }
}

struct Session {
    connection: Option<Box<dyn Connection>>,
    reader: Option<Reader>,
    shared: Arc<Shared>,
}

impl Session {
    fn connection(&mut self) -> Result<&mut dyn Connection, AdapterError> {
        let open = match self.connection.take() {
            Some(open) => open,
            None => self.shared.connect()?,
        };
        Ok(self.connection.insert(open).as_mut())
    }

    fn reader(&mut self) -> Result<&mut Reader, AdapterError> {
        let open = match self.reader.take() {
            Some(open) => open,
            None => self.shared.reader()?,
        };
        Ok(self.reader.insert(open))
    }

    /// Runs a statement that gives nothing back.
    fn run(&mut self, sql: &str) -> Result<(), AdapterError> {
        let text = text(sql)?;
        self.reader()?.run(&text).map_err(|said| error::said(&said, sql))
    }

    /// The columns of a whole statement; types that take more than a word to name are named by `describe`.
    fn describe(&mut self, sql: &str) -> Result<Vec<Column>, AdapterError> {
        let text = text(sql)?;
        match self.reader()?.columns(&text).map_err(|said| error::said(&said, sql))? {
            Some(columns) => Ok(columns),
            None => self.connection()?.describe(sql),
        }
    }

    fn make_schema(&mut self, relation: &Relation) -> Result<(), AdapterError> {
        let (Some(database), Some(schema)) = (&relation.database, &relation.schema) else { return Ok(()) };
        let key = (database.clone(), schema.clone());
        let shared = self.shared.clone();
        let mut schemas = lock(&shared.schemas);
        if !schemas.contains(&key) {
            let sql = format!("create schema if not exists {}.{}", identifier(database), identifier(schema));
            self.run(&sql)?;
            schemas.insert(key);
        }
        Ok(())
    }
}

fn text(sql: &str) -> Result<CString, AdapterError> {
    CString::new(sql).map_err(|problem| AdapterError::Sql { message: problem.to_string(), at: None })
}

impl Binder for Session {
    fn declare(&mut self, relation: &Relation, columns: &[Column]) -> Result<(), Refusal> {
        let columns = columns.iter().map(|column| format!("{} {}", identifier(&column.name), column.data_type));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let sql = format!("create or replace table {} ({columns})", relation.render());
        let created = self.make_schema(relation).and_then(|()| self.run(&sql));
        created.map_err(|error| refusal(error, &sql, 0))
    }

    fn columns(&mut self, query: &str) -> Result<Vec<Column>, Refusal> {
        let before = "from (\n";
        let sql = format!("{before}{query}\n)");
        self.describe(&sql).map_err(|error| refusal(error, &sql, before.len()))
    }

    fn declare_seed(&mut self, relation: &Relation, file: &SeedFile) -> Result<Vec<Column>, AdapterError> {
        self.make_schema(relation)?;
        let columns = seed::columns(file)?;
        let refused = |refusal: Refusal| AdapterError::Sql { message: refusal.message, at: None };
        self.declare(relation, &columns).map_err(refused)?;
        self.describe(&format!("from {}", relation.render()))
    }

    fn query(&mut self, sql: &str) -> Result<Rows, AdapterError> {
        self.connection()?.query(sql)
    }

    fn type_name(&mut self, data_type: &str) -> Option<String> {
        let columns = self.describe(&format!("select null::{data_type}")).ok()?;
        columns.into_iter().next().map(|column| column.data_type)
    }
}
