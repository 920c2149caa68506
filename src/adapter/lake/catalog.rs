//! Turns the folders of a lakehouse into schemas, tables and views, each read when a statement names it.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::datasource::ViewTable;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::SessionContext;
use deltalake_core::{DeltaTable, DeltaTableBuilder};
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt};
use url::Url;

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::files::DATABASE;
use crate::adapter::lake::dialect::versions::{self, State};
use crate::adapter::lake::error::{delta_error, refused, sql_error, store_error};
use crate::adapter::lake::files::{self, Files};
use crate::adapter::lake::overlay::{LOG, Overlay, VIEW};
use crate::adapter::lake::{dialect, information, statement};
use crate::adapter::relation::{Relation, RelationKind};

/// So many folders are looked into at once.
const AT_ONCE: usize = 32;

/// The lakehouse as one connection sees it.
pub struct Lakehouse {
    pub overlay: Overlay,
    url: Url,
    root: Path,
    pub database: String,
    pub schema: String,
    /// Where relative paths of files start, and the options of object stores.
    files: (PathBuf, BTreeMap<String, String>),
    session: OnceLock<SessionContext>,
    /// Tables as the statement that runs has found them first, so that it sees each of them in one state.
    opened: Mutex<BTreeMap<Path, DeltaTable>>,
    /// The views that are being unfolded.
    unfolding: Mutex<Vec<Path>>,
    temporary: Mutex<BTreeMap<String, Arc<dyn TableProvider>>>,
}

impl std::fmt::Debug for Lakehouse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lakehouse({})", self.url)
    }
}

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Named {
    Temporary,
    /// The folder of a table.
    Table(Place),
    /// The object with the query of a view.
    View(Path),
    Nothing,
}

/// The folder of a table, there or not.
#[derive(Debug, Clone)]
pub struct Place {
    pub path: Path,
    pub url: Url,
}

impl Place {
    /// The name of the folder that the table's is in.
    pub fn schema(&self) -> Option<String> {
        let parts: Vec<_> = self.path.parts().collect();
        parts.iter().rev().nth(1).map(|part| part.as_ref().to_string())
    }
}

/// The parts of a name, with the schema that is meant where none is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub schema: String,
    pub table: String,
    pub is_temporary: bool,
}

impl Lakehouse {
    pub fn new(
        overlay: Overlay,
        (url, root): (Url, Path),
        files: (PathBuf, BTreeMap<String, String>),
        database: String,
        schema: String,
    ) -> Lakehouse {
        Lakehouse {
            overlay,
            url,
            root,
            database,
            schema,
            files,
            session: OnceLock::new(),
            opened: Mutex::default(),
            unfolding: Mutex::default(),
            temporary: Mutex::default(),
        }
    }

    /// The session in whose terms tables and views are read.
    pub fn serve(&self, session: &SessionContext) {
        let _ = self.session.set(session.clone());
    }

    /// A file as an address: relative to the project, absolute, or in an object store.
    pub fn address(&self, state: &SessionState, file: &str) -> std::result::Result<String, AdapterError> {
        let (base, options) = &self.files;
        if let Some((scheme, rest)) = file.split_once("://") {
            let bucket = rest.split('/').next().unwrap_or_default();
            let root = ObjectStoreUrl::parse(format!("{scheme}://{bucket}/")).map_err(sql_error)?;
            files::store(state, options, &root).map_err(sql_error)?;
            return Ok(file.to_string());
        }
        let path = std::path::absolute(base.join(file));
        let path = path.map_err(|error| refused(format!("IO Error: `{file}`: {error}")))?;
        path.to_str().map(str::to_string).ok_or_else(|| refused(format!("IO Error: `{file}` is no text")))
    }

    /// Before a statement: it sees what is there now.
    pub fn refresh(&self) {
        lock(&self.opened).clear();
        lock(&self.unfolding).clear();
    }

    pub fn add_temporary(&self, name: &str, table: Arc<dyn TableProvider>) {
        lock(&self.temporary).insert(name.to_lowercase(), table);
    }

    pub fn drop_temporary(&self, name: &str) -> bool {
        lock(&self.temporary).remove(&name.to_lowercase()).is_some()
    }

    /// The parts of a written name; the database is that of the lakehouse, or `temp`.
    pub fn name(&self, parts: &[String]) -> std::result::Result<Name, AdapterError> {
        let (database, schema, table) = match parts {
            [table] => (None, None, table),
            [schema, table] => (None, Some(schema), table),
            [database, schema, table] => (Some(database), Some(schema), table),
            _ => return Err(refused(format!("Catalog Error: `{}` is not a name of a table", parts.join(".")))),
        };
        let is_temporary = database.is_some_and(|name| name.eq_ignore_ascii_case("temp"));
        if let Some(other) = database.filter(|name| !is_temporary && !name.eq_ignore_ascii_case(&self.database)) {
            let message =
                format!("Catalog Error: there is no database `{other}`; this lakehouse is `{}`", self.database);
            return Err(refused(message));
        }
        let name = Name {
            schema: schema.unwrap_or(&self.schema).clone(),
            table: table.clone(),
            is_temporary: is_temporary
                || (schema.is_none() && lock(&self.temporary).contains_key(&table.to_lowercase())),
        };
        for part in [&name.schema, &name.table] {
            if part.is_empty() || part.starts_with('.') || part.contains(['/', '\\']) {
                return Err(refused(format!(
                    "Catalog Error: `{part}` cannot be the name of a folder of the lakehouse"
                )));
            }
        }
        Ok(name)
    }

    /// What has a name, whatever its case.
    pub async fn find(&self, name: &Name) -> std::result::Result<Named, AdapterError> {
        if name.is_temporary {
            let there = lock(&self.temporary).contains_key(&name.table.to_lowercase());
            return Ok(if there { Named::Temporary } else { Named::Nothing });
        }
        let exact = self.find_exact(&name.schema, &name.table).await?;
        if !matches!(exact, Named::Nothing) {
            return Ok(exact);
        }
        let same = |relation: &Relation| {
            let is = |part: &Option<String>, wanted: &str| {
                part.as_ref().is_some_and(|part| part.to_lowercase() == wanted.to_lowercase())
            };
            is(&relation.schema, &name.schema) && is(&relation.identifier, &name.table)
        };
        let alike =
            self.schemas().await?.into_iter().filter(|schema| schema.to_lowercase() == name.schema.to_lowercase());
        for schema in alike {
            if let Some(found) = self.relations_in(&schema).await?.into_iter().find(same) {
                return self.find_exact(&schema, &found.identifier.unwrap_or_default()).await;
            }
        }
        Ok(Named::Nothing)
    }

    pub async fn is_there(&self, name: &Name) -> std::result::Result<bool, AdapterError> {
        Ok(!matches!(self.find(name).await?, Named::Nothing))
    }

    pub async fn find_exact(&self, schema: &str, table: &str) -> std::result::Result<Named, AdapterError> {
        let place = self.place(schema, table);
        if self.is_table(&place.path).await? {
            return Ok(Named::Table(place));
        }
        let view = self.view_path(schema, table);
        match self.overlay.head(&view).await {
            Ok(_) => Ok(Named::View(view)),
            Err(StoreError::NotFound { .. }) => Ok(Named::Nothing),
            Err(error) => Err(store_error(error)),
        }
    }

    pub fn place(&self, schema: &str, table: &str) -> Place {
        let url = self.below(&[schema, table, ""]);
        Place { path: path_of(&url), url }
    }

    pub fn schema_path(&self, schema: &str) -> Path {
        path_of(&self.below(&[schema]))
    }

    pub fn view_path(&self, schema: &str, table: &str) -> Path {
        path_of(&self.below(&[schema, &format!("{table}{VIEW}")]))
    }

    fn below(&self, names: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(names);
        }
        url
    }

    async fn is_table(&self, path: &Path) -> std::result::Result<bool, AdapterError> {
        match self.overlay.list(Some(&path.clone().join(LOG))).next().await {
            None | Some(Err(StoreError::NotFound { .. })) => Ok(false),
            Some(found) => found.map(|_| true).map_err(store_error),
        }
    }

    /// The names of all schemas: the folders of the lakehouse.
    pub async fn schemas(&self) -> std::result::Result<Vec<String>, AdapterError> {
        let listed = match self.overlay.list_with_delimiter(Some(&self.root)).await {
            Err(StoreError::NotFound { .. }) => return Ok(Vec::new()),
            listed => listed.map_err(store_error)?,
        };
        let names = listed.common_prefixes.iter().filter_map(Path::filename);
        Ok(names.filter(|name| !name.starts_with(['.', '_'])).map(str::to_string).collect())
    }

    /// All tables and views.
    pub async fn relations(&self) -> std::result::Result<Vec<Relation>, AdapterError> {
        let schemas = self.schemas().await?;
        let listings: Vec<_> = schemas.iter().map(|schema| self.relations_in(schema)).collect();
        let mut all: Vec<Vec<Relation>> = stream::iter(listings).buffered(AT_ONCE).try_collect().await?;
        all.iter_mut().for_each(|relations| relations.sort());
        Ok(all.concat())
    }

    async fn relations_in(&self, schema: &str) -> std::result::Result<Vec<Relation>, AdapterError> {
        let listed = match self.overlay.list_with_delimiter(Some(&self.schema_path(schema))).await {
            Err(StoreError::NotFound { .. }) => return Ok(Vec::new()),
            listed => listed.map_err(store_error)?,
        };
        let views = listed.objects.iter().filter_map(|meta| meta.location.filename()?.strip_suffix(VIEW));
        let relation = |name: &str, kind| Relation::new(&self.database, schema, name).with_kind(kind);
        let mut found: BTreeMap<String, Relation> =
            views.map(|name| (name.to_string(), relation(name, RelationKind::View))).collect();
        let looks: Vec<_> = listed.common_prefixes.iter().map(|path| self.is_table(path)).collect();
        let are_tables: Vec<bool> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let folders = listed.common_prefixes.iter().zip(are_tables);
        for (path, _) in folders.filter(|(_, is_table)| *is_table) {
            if let Some(name) = path.filename() {
                found.insert(name.to_string(), relation(name, RelationKind::Table));
            }
        }
        Ok(found.into_values().collect())
    }

    /// A handle that has read nothing yet.
    pub fn builder(&self, place: &Place) -> std::result::Result<DeltaTableBuilder, AdapterError> {
        // On a disk Delta Lake asks for the folder, which a table without files that is not committed has not.
        if let Ok(folder) = place.url.to_file_path() {
            std::fs::create_dir_all(&folder)
                .map_err(|error| refused(format!("IO Error: {}: {error}", folder.display())))?;
        }
        let builder = DeltaTableBuilder::from_url(place.url.clone()).map_err(delta_error)?;
        Ok(builder.with_storage_backend(Arc::new(self.overlay.clone()), place.url.clone()))
    }

    /// A table in its newest state, or in the one that this statement has seen already.
    pub async fn open(&self, place: &Place) -> std::result::Result<DeltaTable, AdapterError> {
        if let Some(opened) = lock(&self.opened).get(&place.path) {
            return Ok(opened.clone());
        }
        let table = self.builder(place)?.load().await.map_err(delta_error)?;
        lock(&self.opened).insert(place.path.clone(), table.clone());
        Ok(table)
    }

    /// What a statement reads under a name.
    pub async fn provide(
        &self,
        schema: &str,
        table: &str,
        is_temporary: bool,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let outside = |error: AdapterError| DataFusionError::External(Box::new(error));
        let (table, state) = versions::of(table);
        let table_name = table;
        let name = Name { schema: schema.to_string(), table: table.to_string(), is_temporary };
        let kept = lock(&self.temporary).get(&table.to_lowercase()).cloned();
        match (is_temporary, kept) {
            (true, kept) => return Ok(kept),
            (false, Some(kept)) if schema == self.schema => return Ok(Some(kept)),
            _ => {}
        }
        match self.find(&name).await.map_err(outside)? {
            Named::Table(place) => {
                let mut table = self.open(&place).await.map_err(outside)?;
                match state {
                    Some(State::Version(version)) => {
                        let newest = table.version().unwrap_or_default();
                        if version > newest {
                            let table = format!("{}.{table_name}", name.schema);
                            let message = format!("`{table}` has no version {version}; the newest is {newest}");
                            return Err(DataFusionError::Plan(message));
                        }
                        table.load_version(version).await?;
                    }
                    Some(State::Moment(moment)) => {
                        table.load_with_datetime(moment).await?;
                        let snapshot = table.snapshot()?;
                        if snapshot
                            .version_timestamp(snapshot.version())
                            .is_some_and(|then| then > moment.timestamp_millis())
                        {
                            let message = format!("`{}.{table_name}` was not there yet at {moment}", name.schema);
                            return Err(DataFusionError::Plan(message));
                        }
                    }
                    None => {}
                }
                Ok(Some(table.table_provider().with_session(Arc::new(self.state()?)).await?))
            }
            Named::View(_) if state.is_some() => {
                Err(DataFusionError::Plan(format!("`{table}` is a view, which has no versions")))
            }
            Named::View(path) => self.unfold(&path).await.map(Some),
            Named::Temporary | Named::Nothing => Ok(None),
        }
    }

    fn state(&self) -> Result<SessionState> {
        let session = self.session.get().map(SessionContext::state);
        session.ok_or_else(|| DataFusionError::Internal("tables are read in a session".to_string()))
    }

    /// A view as the query that it stands for.
    async fn unfold(&self, path: &Path) -> Result<Arc<dyn TableProvider>> {
        if lock(&self.unfolding).contains(path) {
            return Err(DataFusionError::Plan(format!("the view {path} reads itself")));
        }
        lock(&self.unfolding).push(path.clone());
        let text = self.overlay.get(path).await?.bytes().await?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let outside = |error: AdapterError| DataFusionError::External(Box::new(error));
        let statement = dialect::statements(&text).map_err(outside)?.into_iter().next();
        let statement = statement.ok_or_else(|| DataFusionError::Plan(format!("the view {path} has no query")))?;
        let plan = statement::planned(&self.state()?, statement).await?;
        lock(&self.unfolding).retain(|other| other != path);
        Ok(Arc::new(ViewTable::new(plan, Some(text))))
    }
}

/// The same place in the store, as Delta Lake finds it.
fn path_of(url: &Url) -> Path {
    Path::from_url_path(url.path()).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The databases that a connection sees: the lakehouse, `temp`, and the one of files.
#[derive(Debug)]
pub struct Databases {
    pub lake: Weak<Lakehouse>,
    pub files: Arc<Files>,
}

impl CatalogProviderList for Databases {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn register_catalog(&self, _: String, _: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        self.lake.upgrade().map(|lake| vec![lake.database.clone(), "temp".to_string()]).unwrap_or_default()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        if name == DATABASE {
            return Some(self.files.clone());
        }
        let lake = self.lake.upgrade()?;
        let is_temporary = name.eq_ignore_ascii_case("temp");
        (is_temporary || name.eq_ignore_ascii_case(&lake.database))
            .then(|| Arc::new(Database { lake, is_temporary }) as Arc<dyn CatalogProvider>)
    }
}

#[derive(Debug)]
struct Database {
    lake: Arc<Lakehouse>,
    is_temporary: bool,
}

impl CatalogProvider for Database {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(Schema { lake: self.lake.clone(), name: name.to_string(), is_temporary: self.is_temporary }))
    }
}

#[derive(Debug)]
struct Schema {
    lake: Arc<Lakehouse>,
    name: String,
    is_temporary: bool,
}

#[async_trait]
impl SchemaProvider for Schema {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if self.name.eq_ignore_ascii_case(information::SCHEMA) {
            return information::table(&self.lake, &name.to_lowercase()).await;
        }
        self.lake.provide(&self.name, name, self.is_temporary).await
    }

    fn table_exist(&self, _: &str) -> bool {
        false
    }
}
