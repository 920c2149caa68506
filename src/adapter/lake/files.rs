//! Turns files that a statement names (CSV, JSON, Parquet, Avro, Delta Lake; one, a folder, a pattern) into a table whose
//! columns are inferred, with a column for each `name=value` of their folders.

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
use datafusion::datasource::file_format::csv::CsvFormat;
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
use serde_json::{Map, Value as Json};
use url::Url;

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect;
use crate::adapter::lake::kind::stored;
use crate::adapter::lake::profile;
use crate::adapter::lake::statement::arrow_type;

/// So many rows are looked at to tell the type of a column, as in DuckDB.
const SAMPLE: usize = 20_480;

/// What a session is when a table is asked for; none once it is gone.
type State = Box<dyn Fn() -> Option<SessionState> + Send + Sync>;

/// So many files are looked into at once.
const AT_ONCE: usize = 16;

/// The value of a folder that stands for none.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

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
        let spec: Json = serde_json::from_str(name).map_err(|error| plan_datafusion_err!("{error}"))?;
        let files = spec["files"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let options = Options { form: &self.name, given: spec["options"].as_object().cloned().unwrap_or_default() };
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
        self.read(found, &options).await.map(Some)
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
struct File {
    root: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    meta: ObjectMeta,
}

impl Form {
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

    /// The store of an address: one that is open already, or another one of the same owner.
    fn store(&self, root: &ObjectStoreUrl) -> Result<Arc<dyn ObjectStore>> {
        let stores = self.state.runtime_env();
        if let Ok(store) = stores.object_store(root) {
            return Ok(store);
        }
        let outside = |error: AdapterError| DataFusionError::External(Box::new(error));
        let url: &Url = root.as_ref();
        if url.scheme() != "s3" {
            return Err(plan_datafusion_err!("files are read from a disk or from `s3://…`, and not from `{root}`"));
        }
        let store = profile::bucket(root.as_str(), &self.options).map_err(outside)?.store;
        stores.register_object_store(url, store.clone());
        Ok(store)
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
        if found.is_empty() {
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
        table.table_provider().await
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
        let infer = |file| async move {
            let format = self.format(file, options).await?;
            format.infer_schema(&self.state, &file.store, std::slice::from_ref(&file.meta)).await
        };
        let looks: Vec<_> = files.iter().map(infer).collect();
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

    async fn scan(&self, files: &[File], shape: &SchemaRef, options: &Options<'_>) -> Result<LogicalPlan> {
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

/// The columns of two files together.
fn wider_fields(one: &Fields, other: &Fields) -> Fields {
    let same = |fields: &Fields, name: &str| fields.iter().find(|field| field.name() == name).cloned();
    let both = one.iter().map(|field| match same(other, field.name()) {
        None => field.clone(),
        Some(there) => {
            let kind = wider(field.data_type(), there.data_type());
            Arc::new(Field::new(field.name(), kind, true))
        }
    });
    let new = other.iter().filter(|field| same(one, field.name()).is_none()).cloned();
    both.chain(new).collect()
}

/// The type that holds the values of both.
fn wider(one: &DataType, other: &DataType) -> DataType {
    match (one, other) {
        (one, other) if one == other => one.clone(),
        (DataType::Null, kind) | (kind, DataType::Null) => kind.clone(),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => DataType::Float64,
        (DataType::Date32, kind @ DataType::Timestamp(..)) | (kind @ DataType::Timestamp(..), DataType::Date32) => {
            kind.clone()
        }
        (DataType::Timestamp(_, None), DataType::Timestamp(_, None)) => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        (DataType::Struct(one), DataType::Struct(other)) => DataType::Struct(wider_fields(one, other)),
        (DataType::List(one), DataType::List(other)) => {
            let kind = wider(one.data_type(), other.data_type());
            DataType::List(Arc::new(one.as_ref().clone().with_data_type(kind).with_nullable(true)))
        }
        _ => type_coercion(one, other),
    }
}

/// Numbers of different sizes, as files of Parquet have them; all else is text.
fn type_coercion(one: &DataType, other: &DataType) -> DataType {
    let both = datafusion::logical_expr::type_coercion::binary::comparison_coercion(one, other);
    both.filter(|kind| kind.is_numeric()).unwrap_or(DataType::Utf8)
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

/// `gz` and its kin, by the end of the name; `uncompressed` if there is none.
fn compression(path: &Path, options: &Options<'_>) -> &'static str {
    let given = options.text("compression").unwrap_or_default().to_lowercase();
    let name = path.filename().unwrap_or_default().to_lowercase();
    let is = |words: &[&str]| {
        words.iter().any(|word| given == *word || (given.is_empty() && name.ends_with(&format!(".{word}"))))
    };
    match () {
        () if options.form == "parquet" || options.form == "avro" => "",
        () if is(&["gzip", "gz"]) => "gzip",
        () if is(&["zstd", "zst"]) => "zstd",
        () if is(&["bz2"]) => "bzip2",
        () if is(&["xz"]) => "xz",
        () => "",
    }
}

/// The value that a folder of a path gives a key.
fn value_of(path: &Path, key: &str) -> String {
    folders(path).into_iter().find(|(name, _)| name == key).map(|(_, value)| value).unwrap_or_default()
}

/// The `name=value` of the folders of a path.
fn folders(path: &Path) -> Vec<(String, String)> {
    let mut parts: Vec<_> = path.parts().map(|part| part.as_ref().to_string()).collect();
    parts.pop();
    let pair = |part: String| {
        let (name, value) = part.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned();
        Some((name.to_lowercase(), value))
    };
    parts.into_iter().filter_map(pair).collect()
}

/// How files are read.
struct Options<'a> {
    form: &'a str,
    given: Map<String, Json>,
}

const COMMON: [&str; 3] = ["filename", "hive_partitioning", "union_by_name"];

/// The options of each form.
const KNOWN: [(&str, &[&str]); 5] = [
    (
        "csv",
        &[
            "header",
            "delim",
            "sep",
            "delimiter",
            "quote",
            "escape",
            "comment",
            "nullstr",
            "compression",
            "columns",
            "types",
            "dtypes",
            "all_varchar",
            "auto_detect",
        ],
    ),
    ("json", &["compression", "columns", "format", "auto_detect"]),
    ("ndjson", &["compression", "columns", "format", "auto_detect"]),
    ("parquet", &[]),
    ("delta", &[]),
];

impl Options<'_> {
    fn check(&self) -> Result<()> {
        let own: &[&str] = KNOWN.iter().find(|(form, _)| *form == self.form).map_or(&[], |(_, own)| own);
        let common: &[&str] = if self.form == "delta" { &[] } else { &COMMON };
        let is_known = |name: &&String| own.contains(&name.as_str()) || common.contains(&name.as_str());
        match self.given.keys().find(|name| !is_known(name)) {
            None => Ok(()),
            Some(name) => {
                let all = [own, common].concat().join("`, `");
                Err(plan_datafusion_err!("files are read without the option `{name}`; there are `{all}`"))
            }
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).and_then(Json::as_str)
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        match self.given.get(name) {
            None | Some(Json::Null) => default,
            Some(value) => value.as_bool() != Some(false) && value.as_i64() != Some(0),
        }
    }

    fn csv(&self) -> Result<CsvFormat> {
        let byte = |names: &[&str]| -> Result<Option<u8>> {
            let Some(text) = names.iter().find_map(|name| self.text(name)) else { return Ok(None) };
            let text = if text == "\\t" { "\t" } else { text };
            match text.as_bytes() {
                [] => Ok(None),
                [one] => Ok(Some(*one)),
                _ => Err(plan_datafusion_err!("`{}` is one letter, and not `{text}`", names[0])),
            }
        };
        let null = self.text("nullstr").map(|text| format!("^{}$", regex::escape(text)));
        let mut format = CsvFormat::default()
            .with_schema_infer_max_rec(SAMPLE)
            .with_has_header(self.flag("header", true))
            // A file is read from its start to its end, as a value may have lines.
            .with_newlines_in_values(true)
            .with_null_regex(null)
            .with_comment(byte(&["comment"])?)
            .with_escape(byte(&["escape"])?.filter(|escape| *escape != b'"'));
        if let Some(delimiter) = byte(&["delim", "sep", "delimiter"])? {
            format = format.with_delimiter(delimiter);
        }
        if let Some(quote) = byte(&["quote"])? {
            format = format.with_quote(quote);
        }
        Ok(format)
    }

    /// Names and types that the statement gives.
    async fn columns(&self, state: &SessionState, key: &str) -> Result<Vec<Field>> {
        let given = self.given.get(key).or_else(|| self.given.get("dtypes").filter(|_| key == "types"));
        let mut fields = Vec::new();
        for (name, kind) in given.and_then(Json::as_object).into_iter().flatten() {
            let kind = kind.as_str().unwrap_or_default();
            let outside = |error: AdapterError| DataFusionError::External(Box::new(error));
            let written = dialect::kind(kind).map_err(outside)?;
            let kind = arrow_type(state, &written).await.map_err(outside)?;
            fields.push(Field::new(name.to_lowercase(), kind, true));
        }
        Ok(fields)
    }

    /// The keys that the folders of all files have, each with the type that holds its values.
    fn partitions(&self, files: &[File]) -> Result<Vec<(String, DataType)>> {
        if !self.flag("hive_partitioning", true) {
            return Ok(Vec::new());
        }
        let all: Vec<Vec<(String, String)>> = files.iter().map(|file| folders(&file.meta.location)).collect();
        let Some(first) = all.first() else { return Ok(Vec::new()) };
        let keys = |found: &[(String, String)]| found.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let names = keys(first);
        if all.iter().any(|found| keys(found) != names) {
            return match self.given.contains_key("hive_partitioning") {
                true => Err(plan_datafusion_err!("the folders of the files have different names before `=`")),
                false => Ok(Vec::new()),
            };
        }
        let typed = |(at, key): (usize, String)| {
            let fits = |kind: &DataType| {
                let mut values = all.iter().map(|found| found[at].1.as_str()).filter(|value| *value != NO_VALUE);
                values.all(|value| ScalarValue::from(value).cast_to(kind).is_ok_and(|value| !value.is_null()))
            };
            let kind = [DataType::Int64, DataType::Date32].into_iter().find(fits).unwrap_or(DataType::Utf8);
            (key, kind)
        };
        Ok(names.into_iter().enumerate().map(typed).collect())
    }

    /// What the column `filename` holds, if there is one.
    fn named(&self, file: &File) -> String {
        if !self.flag("filename", false) {
            return String::new();
        }
        match file.root.as_str() {
            "file:///" => format!("/{}", file.meta.location),
            root => format!("{root}{}", file.meta.location),
        }
    }
}
