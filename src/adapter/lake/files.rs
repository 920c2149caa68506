//! Turns files that a statement names (CSV, JSON, Parquet, Avro, Delta Lake; one, a folder, a pattern) into a table whose
//! columns are inferred, with a column for each `name=value` of their folders.

mod avro;
mod blob;
pub mod options;
mod records;
pub mod streamed;
pub mod wider;

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{Column, ScalarValue, exec_datafusion_err, plan_datafusion_err};
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::prelude::SessionContext;
use deltalake_core::DeltaTableBuilder;
use futures::stream::{self, StreamExt, TryStreamExt};
use globset::{GlobBuilder, GlobMatcher};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde_json::Value as Json;
use url::Url;

use crate::adapter::AdapterError;
use crate::adapter::lake::files::options::{Options, compression, value_of};
use crate::adapter::lake::files::streamed::Source;
use crate::adapter::lake::files::wider::wider_fields;
use crate::adapter::lake::kind::stored;
use crate::adapter::lake::profile;

/// So many rows are looked at to tell the type of a column, as in DuckDB.
const SAMPLE: usize = 20_480;

/// What a session is when a table is asked for; none once it is gone.
type State = Box<dyn Fn() -> Option<SessionState> + Send + Sync>;

/// What errors about files say they are about.
pub const READING: &str = "reading files";

/// So many files are looked into at once.
const AT_ONCE: usize = 16;

/// The value of a folder that stands for none.
pub const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// The catalog whose tables are files: the schema is their form, the name of a table says which files and how.
pub struct Files {
    /// Where relative paths start.
    base: PathBuf,
    /// Of object stores.
    options: BTreeMap<String, String>,
    state: OnceLock<State>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Files({})", self.base.display())
    }
}

impl Files {
    pub fn new(base: PathBuf, options: BTreeMap<String, String>) -> Files {
        Files { base, options, state: OnceLock::new() }
    }

    /// The session that reads them.
    pub fn serve(&self, session: &SessionContext) {
        let state = session.state_weak_ref();
        let _ = self.state.set(Box::new(move || Some(state.upgrade()?.read().clone())));
    }
}

impl CatalogProvider for Files {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, form: &str) -> Option<Arc<dyn SchemaProvider>> {
        let state = self.state.get().and_then(|state| state())?;
        let (base, options) = (self.base.clone(), self.options.clone());
        Some(Arc::new(Form { name: form.to_string(), base, options, state }))
    }
}

/// The files of one form.
struct Form {
    name: String,
    base: PathBuf,
    options: BTreeMap<String, String>,
    state: SessionState,
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Form({})", self.name)
    }
}

#[async_trait]
impl SchemaProvider for Form {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.provide(name).await.map_err(|error| error.context(READING))
    }

    fn table_exist(&self, _: &str) -> bool {
        false
    }
}

/// Where files are looked for.
struct Place {
    written: String,
    store: Arc<dyn ObjectStore>,
    root: ObjectStoreUrl,
    /// The file or folder, or the one in which a pattern finds files.
    path: Path,
    pattern: Option<GlobMatcher>,
}

/// A file that is read.
#[derive(Debug)]
pub struct File {
    root: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
}

impl File {
    /// A path on the disk, or an address.
    pub fn name(&self) -> String {
        match self.root.as_str() {
            "file:///" => format!("/{}", self.meta.location),
            root => format!("{root}{}", self.meta.location),
        }
    }

    fn source(&self) -> Source {
        Source { name: self.name(), place: streamed::Place::Store(self.store.clone(), self.meta.location.clone()) }
    }
}

impl Form {
    async fn provide(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let spec: Json = serde_json::from_str(name).map_err(|error| plan_datafusion_err!("{error}"))?;
        let files = spec["files"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let given = spec["options"].as_object().cloned().unwrap_or_default();
        let threads = self.state.config().target_partitions();
        match self.name.as_str() {
            "heads" => return records::heads(&self.sources(files)?).await.map(Some),
            "fields" => return records::names(self.sources(files)?, &given).map(Some),
            "records" => return records::table(self.sources(files)?, &given, threads).await.map(Some),
            _ => {}
        }
        let options = Options { form: &self.name, given };
        options.check()?;
        let mut places = Vec::new();
        for file in files {
            places.push(self.place(file)?);
        }
        if self.name == "delta" {
            return self.delta(&places).await.map(Some);
        }
        let mut found = Vec::new();
        for place in &places {
            found.extend(self.list(place).await?);
        }
        if self.name == "blob" {
            return Ok(Some(Arc::new(blob::Blobs(found))));
        }
        self.read(found, &options).await.map(Some)
    }

    /// A path, relative or not, or an address in an object store.
    fn place(&self, written: &str) -> Result<Place> {
        let wrong = |why: &str| plan_datafusion_err!("`{written}` {why}");
        let (address, below) = match written.split_once("://") {
            None | Some(("file", _)) => {
                let path = self.base.join(written.strip_prefix("file://").unwrap_or(written));
                let path = std::path::absolute(path).map_err(|error| wrong(&error.to_string()))?;
                let path = path.to_str().ok_or_else(|| wrong("is no text"))?;
                let path = if written.ends_with('/') { format!("{path}/") } else { path.to_string() };
                ("file:///".to_string(), path.trim_start_matches('/').to_string())
            }
            Some((scheme, rest)) => {
                let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
                (format!("{}://{bucket}/", if scheme == "s3a" { "s3" } else { scheme }), path.to_string())
            }
        };
        let root = ObjectStoreUrl::parse(&address)?;
        let store = self.store(&root)?;
        let plain: Vec<&str> = below.split('/').take_while(|part| !part.contains(['*', '?', '[', '{'])).collect();
        let folder = plain.join("/");
        let pattern = (folder.trim_end_matches('/') != below.trim_end_matches('/')).then(|| {
            let glob = GlobBuilder::new(&below).literal_separator(true).build();
            glob.map(|glob| glob.compile_matcher()).map_err(|error| wrong(&error.to_string()))
        });
        let path = Path::parse(folder.trim_end_matches('/')).map_err(|error| wrong(&error.to_string()))?;
        Ok(Place { written: written.to_string(), store, root, path, pattern: pattern.transpose()? })
    }

    /// Files by their exact names.
    fn sources<'a>(&self, files: impl Iterator<Item = &'a str>) -> Result<Vec<Source>> {
        let source = |file: &str| {
            let place = match file.split_once("://") {
                None => streamed::Place::Disk(self.base.join(file)),
                Some((scheme, rest)) => {
                    let (bucket, path) = rest.split_once('/').unwrap_or((rest, ""));
                    let root = ObjectStoreUrl::parse(format!("{scheme}://{bucket}/"))?;
                    let path = Path::parse(path).map_err(|error| plan_datafusion_err!("`{file}` {error}"))?;
                    streamed::Place::Store(self.store(&root)?, path)
                }
            };
            Ok(Source { name: file.to_string(), place })
        };
        files.map(source).collect()
    }

    /// The store of an address: one that is open already, or another one of the same owner.
    fn store(&self, root: &ObjectStoreUrl) -> Result<Arc<dyn ObjectStore>> {
        store(&self.state, &self.options, root)
    }

    /// The files of a place, in the order of their names. What begins with `.` or `_` is somebody's work in progress.
    async fn list(&self, place: &Place) -> Result<Vec<File>> {
        let file = |meta| File { root: place.root.clone(), store: place.store.clone(), meta };
        let mut found: Vec<ObjectMeta> = match (&place.pattern, place.store.head(&place.path).await) {
            (None, Ok(meta)) => vec![meta],
            _ => match place.store.list(Some(&place.path)).try_collect().await {
                Err(object_store::Error::NotFound { .. }) => Vec::new(),
                listed => listed?,
            },
        };
        if found.len() != 1 || found[0].location != place.path {
            found.retain(|meta| {
                let below = meta.location.prefix_match(&place.path);
                let is_hidden = |part: object_store::path::PathPart<'_>| part.as_ref().starts_with(['.', '_']);
                let is_shown = below.is_some_and(|mut parts| !parts.any(is_hidden));
                is_shown && place.pattern.as_ref().is_none_or(|pattern| pattern.is_match(meta.location.as_ref()))
            });
        }
        found.retain(|meta| meta.size > 0 || self.name != "parquet");
        if found.is_empty() && self.name != "blob" {
            return Err(plan_datafusion_err!("there is no file `{}`", place.written));
        }
        found.sort_by(|a, b| a.location.cmp(&b.location));
        Ok(found.into_iter().map(file).collect())
    }

    async fn delta(&self, places: &[Place]) -> Result<Arc<dyn TableProvider>> {
        let [place] = places else { return Err(plan_datafusion_err!("one table of Delta Lake is read at a time")) };
        let url = address(&place.root, &place.path, "/")?;
        let builder = DeltaTableBuilder::from_url(url.clone())?.with_storage_backend(place.store.clone(), url);
        let table = builder.load().await.map_err(|error| plan_datafusion_err!("`{}`: {error}", place.written))?;
        table.table_provider().with_session(Arc::new(self.state.clone())).await
    }

    /// One table of all files: those with the same values in their folders are read together.
    async fn read(&self, files: Vec<File>, options: &Options<'_>) -> Result<Arc<dyn TableProvider>> {
        let keys = options.partitions(&files)?;
        let shape = self.shape(&files, options).await?;
        let mut groups: BTreeMap<Vec<String>, Vec<File>> = BTreeMap::new();
        for file in files {
            let mut group: Vec<String> = keys.iter().map(|(key, _)| value_of(&file.meta.location, key)).collect();
            group.push(options.named(&file));
            group.push(compression(&file.meta.location, options).to_string());
            groups.entry(group).or_default().push(file);
        }
        let mut all: Option<LogicalPlan> = None;
        for (group, files) in groups {
            let plan = self.scan(&files, &shape, options).await?;
            let mut columns: Vec<Expr> = shape
                .fields()
                .iter()
                .filter_map(|field| {
                    let is_key = keys.iter().any(|(key, _)| key == field.name());
                    (!is_key).then(|| Expr::Column(Column::from_name(field.name())))
                })
                .collect();
            for ((key, kind), value) in keys.iter().zip(&group) {
                let value = Some(value.clone()).filter(|value| value != NO_VALUE);
                columns.push(cast(lit(ScalarValue::Utf8(value)), kind.clone()).alias(key));
            }
            if options.flag("filename", false) {
                columns.push(lit(group[keys.len()].as_str()).alias("filename"));
            }
            let plan = LogicalPlanBuilder::new(plan).project(columns)?;
            all = Some(match all {
                None => plan.build()?,
                Some(before) => LogicalPlanBuilder::new(before).union(plan.build()?)?.build()?,
            });
        }
        let plan = all.ok_or_else(|| plan_datafusion_err!("there is no file"))?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    /// The columns of the files: what they have, or what the statement says.
    async fn shape(&self, files: &[File], options: &Options<'_>) -> Result<SchemaRef> {
        let columns = options.columns(&self.state, "columns").await?;
        if !columns.is_empty() {
            return Ok(Arc::new(Schema::new(columns)));
        }
        let looks: Vec<_> = files.iter().map(|file| self.columns_of(file, options)).collect();
        let schemas: Vec<SchemaRef> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
        let merged = schemas.iter().fold(Fields::empty(), |merged, schema| wider_fields(&merged, schema.fields()));
        let types = options.columns(&self.state, "types").await?;
        let field = |field: &Arc<Field>| {
            let said = types.iter().find(|one| one.name().eq_ignore_ascii_case(field.name()));
            let kind = said.map_or_else(|| readable(field.data_type(), options), |one| one.data_type().clone());
            Field::new(field.name(), kind, true)
        };
        let mut fields: Vec<Field> = merged.iter().map(field).collect();
        lower(&mut fields);
        Ok(Arc::new(Schema::new(fields)))
    }

    /// The columns that a file has.
    async fn columns_of(&self, file: &File, options: &Options<'_>) -> Result<SchemaRef> {
        if self.name == "avro" {
            return avro::shape(&file.source()).await;
        }
        let format = self.format(file, options).await?;
        format.infer_schema(&self.state, &file.store, std::slice::from_ref(&file.meta)).await
    }

    async fn scan(&self, files: &[File], shape: &SchemaRef, options: &Options<'_>) -> Result<LogicalPlan> {
        if self.name == "avro" {
            let threads = self.state.config().target_partitions();
            let table = avro::table(files.iter().map(File::source).collect(), shape, threads)?;
            return LogicalPlanBuilder::scan("files", provider_as_source(table), None)?.build();
        }
        let format = self.format(&files[0], options).await?;
        let listing = ListingOptions::new(format)
            .with_file_extension("")
            .with_collect_stat(false)
            .with_target_partitions(self.state.config().target_partitions());
        let urls =
            files.iter().map(|file| ListingTableUrl::try_new(address(&file.root, &file.meta.location, "")?, None));
        let config = ListingTableConfig::new_with_multi_paths(urls.collect::<Result<_>>()?)
            .with_listing_options(listing)
            .with_schema(shape.clone());
        let table = ListingTable::try_new(config)?;
        LogicalPlanBuilder::scan("files", provider_as_source(Arc::new(table)), None)?.build()
    }

    async fn format(&self, file: &File, options: &Options<'_>) -> Result<Arc<dyn FileFormat>> {
        let compression = compression(&file.meta.location, options);
        let compression = FileCompressionType::from_str(compression)?;
        Ok(match self.name.as_str() {
            "csv" => Arc::new(options.csv()?.with_file_compression_type(compression)),
            "json" | "ndjson" => {
                let by_lines = self.name == "ndjson" || !is_array(file, &compression).await?;
                let format = JsonFormat::default().with_schema_infer_max_rec(SAMPLE);
                Arc::new(format.with_file_compression_type(compression).with_newline_delimited(by_lines))
            }
            "parquet" => Arc::new(ParquetFormat::default()),
            form => return Err(plan_datafusion_err!("files of the form `{form}` are not read")),
        })
    }
}

/// Names are the same whatever their case, as everywhere.
fn lower(fields: &mut [Field]) {
    for field in fields {
        *field = field.clone().with_name(field.name().to_lowercase());
    }
}

/// The type in which a column is read, for the one that was inferred.
fn readable(kind: &DataType, options: &Options<'_>) -> DataType {
    match kind {
        DataType::Null => DataType::Utf8,
        _ if options.flag("all_varchar", false) => DataType::Utf8,
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        kind => stored(kind).unwrap_or_else(|| kind.clone()),
    }
}

/// Whether a file of JSON is one list of records.
async fn is_array(file: &File, compression: &FileCompressionType) -> Result<bool> {
    let bytes = file.store.get(&file.meta.location).await?.into_stream().map_err(DataFusionError::from).boxed();
    let mut bytes = compression.convert_stream(bytes)?;
    while let Some(part) = bytes.next().await {
        if let Some(first) = part?.iter().find(|byte| !byte.is_ascii_whitespace()) {
            return Ok(*first == b'[');
        }
    }
    Ok(false)
}

/// A store that the session knows, from now on if not before.
pub fn store(
    state: &SessionState,
    options: &BTreeMap<String, String>,
    root: &ObjectStoreUrl,
) -> Result<Arc<dyn ObjectStore>> {
    let stores = state.runtime_env();
    if let Ok(store) = stores.object_store(root) {
        return Ok(store);
    }
    let outside = |error: AdapterError| DataFusionError::External(Box::new(error));
    let url: &Url = root.as_ref();
    if url.scheme() != "s3" {
        return Err(plan_datafusion_err!("files are on a disk or in `s3://…`, and not in `{root}`"));
    }
    let store = profile::bucket(root.as_str(), options).map_err(outside)?.store;
    stores.register_object_store(url, store.clone());
    Ok(store)
}

fn address(root: &ObjectStoreUrl, path: &Path, end: &str) -> Result<Url> {
    let mut url: Url = AsRef::<Url>::as_ref(root).clone();
    url.path_segments_mut()
        .map_err(|()| exec_datafusion_err!("{root} has no paths"))?
        .clear()
        .extend(path.parts().map(|part| part.as_ref().to_string()));
    if !end.is_empty() {
        url.set_path(&format!("{}{end}", url.path()));
    }
    Ok(url)
}
