//! Turns a target into a Shadow: DuckDB in memory, set up as the target's own, with empty relations.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock};

use crate::adapter::binder::{Binder, Refusal, Shadow};
use crate::adapter::duckdb::profile::Profile;
use crate::adapter::duckdb::refusal::refusal;
use crate::adapter::duckdb::{DuckDb, lock, open_profile, seed};
use crate::adapter::relation::{Column, Relation, identifier};
use crate::adapter::rows::Rows;
use crate::adapter::{Adapter, AdapterError, Connection, SeedFile, Target};

/// DuckDB without data, opened when it is first asked.
pub struct DuckDbShadow(Arc<Shared>);

struct Shared {
    profile: Profile,
    /// The databases that are attached.
    databases: BTreeSet<String>,
    /// The database that names without one belong to.
    database: String,
    engine: OnceLock<Result<DuckDb, String>>,
    /// The schemas that are there. Two sessions cannot create schemas at once.
    schemas: Mutex<BTreeSet<(String, String)>>,
}

/// Opens a shadow of a target with databases of these names.
pub fn open(target: &Target, databases: &BTreeSet<String>) -> Result<DuckDbShadow, AdapterError> {
    let mut profile = Profile::read(target)?;
    profile.path = ":memory:".to_string();
    profile.statements.clear();
    profile.options.retain(|(name, _)| name != "access_mode" && name != "threads");
    profile.options.push(("threads".to_string(), "1".to_string()));
    profile.settings.retain(|(name, _)| name != "threads" && name != "temp_directory");
    let reserved =
        |name: &&String| !name.is_empty() && !["memory", "temp", "system"].contains(&name.to_lowercase().as_str());
    let databases = databases.iter().chain([&target.database]).filter(reserved).cloned().collect();
    let database = if target.database.is_empty() { "memory" } else { target.database.as_str() }.to_string();
    let (engine, schemas) = (OnceLock::new(), Mutex::default());
    Ok(DuckDbShadow(Arc::new(Shared { profile, databases, database, engine, schemas })))
}

impl Shared {
    fn connect(&self) -> Result<Box<dyn Connection>, AdapterError> {
        let engine = self.engine.get_or_init(|| self.open().map_err(|error| error.to_string()));
        let engine = engine.as_ref().map_err(|said| AdapterError::Connect(said.clone()))?;
        let mut connection = engine.connect()?;
        connection.execute(&format!("use {}", identifier(&self.database)))?;
        Ok(connection)
    }

    fn open(&self) -> Result<DuckDb, AdapterError> {
        let engine = open_profile(&self.profile)?;
        let mut connection = engine.connect()?;
        for database in &self.databases {
            connection.execute(&format!("attach if not exists ':memory:' as {}", identifier(database)))?;
        }
        Ok(engine)
    }
}

impl Shadow for DuckDbShadow {
    fn binder(&self) -> Result<Box<dyn Binder>, AdapterError> {
        Ok(Box::new(Session { shared: self.0.clone(), connection: None }))
    }
}

struct Session {
    shared: Arc<Shared>,
    connection: Option<Box<dyn Connection>>,
}

impl Session {
    fn connection(&mut self) -> Result<&mut dyn Connection, AdapterError> {
        let open = match self.connection.take() {
            Some(open) => open,
            None => self.shared.connect()?,
        };
        Ok(self.connection.insert(open).as_mut())
    }

    fn create(&mut self, relation: &Relation, what: &str, query: &str, end: &str) -> Result<(), Refusal> {
        let before = format!("create or replace table {} {what}", relation.render());
        let sql = format!("{before}{query}{end}");
        self.make_schema(relation).map_err(|error| refusal(error, &sql, before.len()))?;
        let created = self.connection().and_then(|connection| connection.execute(&sql));
        created.map(drop).map_err(|error| refusal(error, &sql, before.len()))
    }

    fn make_schema(&mut self, relation: &Relation) -> Result<(), AdapterError> {
        let (Some(database), Some(schema)) = (&relation.database, &relation.schema) else { return Ok(()) };
        let key = (database.clone(), schema.clone());
        let shared = self.shared.clone();
        let mut schemas = lock(&shared.schemas);
        if !schemas.contains(&key) {
            let sql = format!("create schema if not exists {}.{}", identifier(database), identifier(schema));
            self.connection()?.execute(&sql)?;
            schemas.insert(key);
        }
        Ok(())
    }
}

impl Binder for Session {
    fn declare(&mut self, relation: &Relation, columns: &[Column]) -> Result<(), Refusal> {
        let columns = columns.iter().map(|column| format!("{} {}", identifier(&column.name), column.data_type));
        self.create(relation, "(", &columns.collect::<Vec<_>>().join(", "), ")")
    }

    fn bind(&mut self, relation: &Relation, query: &str) -> Result<Vec<Column>, Refusal> {
        self.create(relation, "as (\n", query, "\n) with no data")?;
        self.connection().and_then(|open| open.columns(relation)).map_err(|error| refusal(error, "", 0))
    }

    fn columns(&mut self, query: &str) -> Result<Vec<Column>, Refusal> {
        let before = "from (\n";
        let sql = format!("{before}{query}\n)");
        let described = self.connection().and_then(|connection| connection.describe(&sql));
        described.map_err(|error| refusal(error, &sql, before.len()))
    }

    fn declare_seed(&mut self, relation: &Relation, file: &SeedFile) -> Result<Vec<Column>, AdapterError> {
        self.make_schema(relation)?;
        let columns = seed::columns(file)?;
        let refused = |refusal: Refusal| AdapterError::Sql { message: refusal.message, at: None };
        self.declare(relation, &columns).map_err(refused)?;
        self.connection()?.columns(relation)
    }

    fn query(&mut self, sql: &str) -> Result<Rows, AdapterError> {
        self.connection()?.query(sql)
    }

    fn type_name(&mut self, data_type: &str) -> Option<String> {
        let columns = self.connection().ok()?.describe(&format!("select null::{data_type}")).ok()?;
        columns.into_iter().next().map(|column| column.data_type)
    }
}
