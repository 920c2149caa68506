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
    profile: Arc<Profile>,
    /// The databases that are attached.
    databases: OnceLock<BTreeSet<String>>,
    /// The database that names without one belong to.
    database: String,
    /// What is being opened beside other work.
    opening: Mutex<Option<JoinHandle<Opened>>>,
    engine: OnceLock<Opened>,
    /// The schemas that are there. Two sessions cannot create schemas at once.
    schemas: Mutex<BTreeSet<(String, String)>>,
}

struct Engine {
    /// Before the database, which its connections must not outlive.
    duckdb: DuckDb,
    /// For the first session.
    reader: Mutex<Option<Reader>>,
    database: Arc<Database>,
}

type Opened = Result<Engine, String>;

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
    let profile = Arc::new(profile);
    Ok(DuckDbShadow(Arc::new(Shared { profile, databases, database, opening, engine, schemas })))
}

impl Engine {
    /// DuckDB with one database, in which names are looked for.
    fn open(profile: &Profile, home: &str) -> Result<Engine, AdapterError> {
        let options = profile.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let database = Database::open(&[OFFLINE].into_iter().chain(options).collect::<Vec<_>>());
        let database = Arc::new(database.map_err(AdapterError::Connect)?);
        let root = database.connection().map_err(|error| AdapterError::Connect(error.to_string()))?;
        let engine = Engine { duckdb: set_up(root, profile)?, reader: Mutex::default(), database };
        engine.attach([home].into_iter())?;
        let reader = engine.reader(home)?;
        *lock(&engine.reader) = Some(reader);
        Ok(engine)
    }

    fn attach<'n>(&self, names: impl Iterator<Item = &'n str>) -> Result<(), AdapterError> {
        let reserved = |name: &str| ["", "memory", "temp", "system"].contains(&name.to_lowercase().as_str());
        let names: Vec<&str> = names.filter(|name| !reserved(name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let mut connection = self.duckdb.connect()?;
        for name in names {
            connection.execute(&format!("attach if not exists ':memory:' as {}", identifier(name)))?;
        }
        Ok(())
    }

    /// A connection that looks for names in a database.
    fn reader(&self, home: &str) -> Result<Reader, AdapterError> {
        if let Some(reader) = lock(&self.reader).take() {
            return Ok(reader);
        }
        let mut setup = vec![ERRORS.to_string(), BIND_ONLY.to_string(), use_database(home)];
        setup.extend_from_slice(&self.duckdb.local_settings);
        let failed = || AdapterError::Connect("DuckDB could not connect to its database in memory".to_string());
        Reader::new(self.database.clone(), &setup).ok_or_else(failed)
    }
}

fn use_database(name: &str) -> String {
    format!("use {}", identifier(name))
}

impl Shared {
    fn engine(&self) -> Result<&Engine, AdapterError> {
        let engine = self.engine.get_or_init(|| self.open());
        engine.as_ref().map_err(|said| AdapterError::Connect(said.clone()))
    }

    fn connect(&self) -> Result<Box<dyn Connection>, AdapterError> {
        let mut connection = self.engine()?.duckdb.connect()?;
        connection.execute(&use_database(&self.database))?;
        Ok(connection)
    }

    fn open(&self) -> Opened {
        let ahead = lock(&self.opening).take().and_then(|opening| opening.join().ok());
        let engine = ahead.unwrap_or_else(|| open(&self.profile, &self.database))?;
        let others = self.databases.get().into_iter().flatten().filter(|name| **name != self.database);
        engine.attach(others.map(String::as_str)).map_err(|error| error.to_string())?;
        Ok(engine)
    }
}

fn open(profile: &Profile, home: &str) -> Opened {
    Engine::open(profile, home).map_err(|error| error.to_string())
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

    fn leave(&self) {
        let opening = lock(&self.0.opening).take();
        std::mem::forget((opening.map(JoinHandle::join), self.0.clone()));
    }

    fn open(&self) {
        let mut opening = lock(&self.0.opening);
        if opening.is_none() && self.0.engine.get().is_none() {
            let (profile, home) = (self.0.profile.clone(), self.0.database.clone());
            *opening = Some(std::thread::spawn(move || open(&profile, &home)));
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
            None => self.shared.engine()?.reader(&self.shared.database)?,
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
