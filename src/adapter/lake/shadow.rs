//! Turns a target into a Shadow: DataFusion's planner over empty relations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
    SchemaProvider,
};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};
use sqlparser::ast::Statement;
use tokio::runtime::{Builder, Runtime};

use crate::adapter::binder::{Binder, Refusal, Shadow};
use crate::adapter::duckdb::seed;
use crate::adapter::lake::dialect::files::DATABASE;
use crate::adapter::lake::dialect::parts::Part;
use crate::adapter::lake::error::{refused, sql_error};
use crate::adapter::lake::files::Files;
use crate::adapter::lake::kind::{stored, type_name};
use crate::adapter::lake::profile::Profile;
use crate::adapter::lake::refusal::{byte, is_placeless, of_dialect, of_planner};
use crate::adapter::lake::statement::columns;
use crate::adapter::lake::{dialect, session, statement, value};
use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;
use crate::adapter::{AdapterError, SeedFile, Target};

/// DataFusion without data.
pub struct LakeShadow(Arc<Shared>);

struct Shared {
    runtime: Runtime,
    context: SessionContext,
    /// What plans are made with: a copy of it for each would cost more than most plans.
    state: SessionState,
    /// The same for plans that do not note where in the text each column is named, which only mistakes need.
    placeless: SessionState,
    /// Fields of the types that were declared, by their names.
    fields: Mutex<BTreeMap<String, Field>>,
    /// One declaration at a time makes its schema.
    schemas: Mutex<BTreeMap<(String, String), Arc<dyn SchemaProvider>>>,
    databases: Arc<MemoryCatalogProviderList>,
    database: String,
    schema: String,
}

/// So many parts of a query are left out in turn to find out which is to blame.
const MOST_PARTS: usize = 200;

/// Opens a shadow of a target.
pub fn open(target: &Target) -> Result<LakeShadow, AdapterError> {
    let databases = Arc::new(MemoryCatalogProviderList::new());
    let context =
        session::context(&target.database, &target.schema, Arc::new(RuntimeEnv::default()), databases.clone());
    let profile = Profile::read(target)?;
    let files = Arc::new(Files::new(target.base.clone(), profile.options));
    files.serve(&context);
    databases.register_catalog(DATABASE.to_string(), files);
    let runtime = Builder::new_multi_thread().worker_threads(1).build();
    let runtime = runtime.map_err(|error| AdapterError::Connect(format!("no threads could be started: {error}")))?;
    let (database, schema) = (target.database.clone(), target.schema.clone());
    let (state, mut placeless) = (context.state(), context.state());
    placeless.config_mut().options_mut().sql_parser.collect_spans = false;
    let (fields, schemas) = (Mutex::default(), Mutex::default());
    let shared = Shared { runtime, context, state, placeless, fields, schemas, databases, database, schema };
    Ok(LakeShadow(Arc::new(shared)))
}

impl Shadow for LakeShadow {
    fn binder(&self) -> Result<Box<dyn Binder>, AdapterError> {
        Ok(Box::new(Session(self.0.clone())))
    }
}

struct Session(Arc<Shared>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn statement(&self, sql: &str) -> Result<Statement, Refusal> {
        let said = |error: AdapterError| of_dialect(&error, sql);
        let statement = dialect::statements(sql).map_err(said)?.into_iter().next();
        let mut statement = statement.ok_or_else(|| said(refused("there is no query")))?;
        dialect::versions::forget(&mut statement);
        Ok(statement)
    }

    fn plan(&self, state: &SessionState, sql: &str) -> Result<LogicalPlan, Refusal> {
        let planned = self.runtime.block_on(statement::planned(state, self.statement(sql)?));
        planned.map_err(|error| of_planner(error, sql))
    }

    fn columns(&self, sql: &str) -> Result<Vec<Column>, Refusal> {
        let statement = self.statement(sql)?;
        match self.runtime.block_on(statement::planned_at_once(&self.placeless, statement)) {
            Some(plan) => Ok(columns(&plan)),
            None => match self.plan(&self.state, sql) {
                Ok(plan) => Ok(columns(&plan)),
                Err(refusal) if is_placeless(&refusal) => Err(Refusal { at: self.place(sql, &refusal), ..refusal }),
                Err(refusal) => Err(refusal),
            },
        }
    }

    /// The place of a mistake of which the planner tells none: the smallest part without which it says something else,
    /// else the first call of the function that it names.
    fn place(&self, sql: &str, refusal: &Refusal) -> Option<usize> {
        let function = refusal.call().map(|(name, _)| name.to_lowercase());
        let all = dialect::parts::parts(sql);
        let is_named = |part: &&Part| part.function.is_some() && part.function == function;
        let named: Vec<&Part> = all.iter().filter(is_named).collect();
        let parts = if named.is_empty() { all.iter().collect() } else { named.clone() };
        let is_to_blame = |part: &&&Part| {
            let Some(statement) = dialect::parts::without(sql, part) else { return false };
            match self.runtime.block_on(statement::planned(&self.placeless, statement)) {
                Ok(_) => true,
                Err(error) => of_planner(error, sql).message != refusal.message,
            }
        };
        let blamed = parts.iter().take(MOST_PARTS).find(is_to_blame).copied();
        let part = blamed.or(named.first().copied())?;
        byte(sql, part.at)
    }

    /// The field of a column, whose name is in lower case as all names in queries.
    fn field(&self, column: &Column) -> Result<Field, Refusal> {
        let name = column.name.to_lowercase();
        if let Some(known) = lock(&self.fields).get(&column.data_type) {
            return Ok(known.clone().with_name(name));
        }
        let sql = format!("select cast(null as {}) as x where false", column.data_type);
        let plan = self.plan(&self.state, &sql)?;
        let field = plan.schema().field(0).as_ref().clone();
        lock(&self.fields).insert(column.data_type.clone(), field.clone());
        Ok(field.with_name(name))
    }

    /// The folder of empty relations that a relation belongs to.
    fn schema(&self, relation: &Relation) -> Result<Arc<dyn SchemaProvider>, DataFusionError> {
        let database = relation.database.clone().unwrap_or_else(|| self.database.clone());
        let schema = relation.schema.clone().unwrap_or_else(|| self.schema.clone());
        let mut schemas = lock(&self.schemas);
        if let Some(known) = schemas.get(&(database.clone(), schema.clone())) {
            return Ok(known.clone());
        }
        let catalog = match self.databases.catalog(&database) {
            Some(known) => known,
            None => {
                let made: Arc<dyn CatalogProvider> = Arc::new(MemoryCatalogProvider::new());
                self.databases.register_catalog(database.clone(), made.clone());
                made
            }
        };
        let made: Arc<dyn SchemaProvider> = Arc::new(MemorySchemaProvider::new());
        catalog.register_schema(&schema, made.clone())?;
        schemas.insert((database, schema), made.clone());
        Ok(made)
    }
}

impl Binder for Session {
    fn declare(&mut self, relation: &Relation, columns: &[Column]) -> Result<(), Refusal> {
        let fields = columns.iter().map(|column| self.0.field(column)).collect::<Result<Vec<_>, _>>()?;
        let declared = MemTable::try_new(Arc::new(Schema::new(fields)), vec![Vec::new()]).and_then(|table| {
            let folder = self.0.schema(relation)?;
            let name = relation.identifier.clone().unwrap_or_default();
            folder.deregister_table(&name)?;
            folder.register_table(name, Arc::new(table))
        });
        declared.map(drop).map_err(|error| of_planner(error, ""))
    }

    fn columns(&mut self, query: &str) -> Result<Vec<Column>, Refusal> {
        self.0.columns(query)
    }

    fn declare_seed(&mut self, relation: &Relation, file: &SeedFile) -> Result<Vec<Column>, AdapterError> {
        let columns = seed::columns(file)?;
        self.declare(relation, &columns).map_err(|refusal| refused(refusal.message))?;
        let name = format!("select * from {}", relation.render());
        self.0.columns(&name).map_err(|refusal| refused(refusal.message))
    }

    fn query(&mut self, sql: &str) -> Result<Rows, AdapterError> {
        let state = self.0.context.state();
        let plan = self.0.plan(&state, sql).map_err(|refusal| refused(refusal.message))?;
        let columns = columns(&plan);
        let batches = self.0.runtime.block_on(DataFrame::new(state, plan).collect()).map_err(sql_error)?;
        let rows = batches.iter().map(value::rows).collect::<Result<Vec<_>, _>>()?;
        Ok(Rows { columns, rows: rows.concat() })
    }

    fn type_name(&mut self, data_type: &str) -> Option<String> {
        let columns = self.0.columns(&format!("select cast(null as {data_type})")).ok()?;
        columns.into_iter().next().map(|column| column.data_type)
    }

    fn stored_type(&mut self, data_type: &str) -> String {
        // Other types are kept as they are, and need not be planned.
        if !["UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "NULL"].iter().any(|kind| data_type.contains(kind)) {
            return data_type.to_string();
        }
        let plan = self.0.plan(&self.0.state, &format!("select cast(null as {data_type})")).ok();
        let kind = plan.and_then(|plan| stored(plan.schema().field(0).data_type()));
        kind.map_or_else(|| data_type.to_string(), |kind| type_name(&kind))
    }
}
