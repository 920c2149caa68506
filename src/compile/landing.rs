//! Turns locations into the files that have landed there, pinned once a run, and files into their digests: what an
//! `ingest` model asks `adapter` for.

pub mod look;

use std::fs::{self, File, Metadata};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use globset::GlobBuilder;
use ignore::WalkBuilder;
use serde_json::{Value as Json, json};

use crate::adapter::AdapterError;
use crate::adapter::relation::literal;
use crate::adapter::rows::{Cell, Rows};
use crate::compile::session::{Session, Warehouse};
use crate::hash::sha256_of;
use crate::jinja::{ErrorKind, HostError};
use crate::parallel;

type Answer = Result<Json, HostError>;

/// Answers `adapter.<name>(…)`; none if it is no question about landed files.
pub fn answer(session: &Session, warehouse: &Warehouse, name: &str, args: &[Json]) -> Option<Answer> {
    let root = session.project.root().dir.as_path();
    let texts = |at: usize| {
        let items = args.get(at).and_then(Json::as_array).into_iter().flatten();
        items.filter_map(Json::as_str).map(str::to_string).collect::<Vec<_>>()
    };
    match name {
        "landed_files" => {
            Some(session.pinned(&texts(0).join("\n"), || listing(root, warehouse, &texts(0))).map(Json::from))
        }
        "file_digests" => {
            let csv = args.get(1).filter(|csv| csv.is_object());
            let files: Vec<(String, Option<Dialect>)> =
                texts(0).into_iter().map(|file| (file, csv.map(Dialect::of))).collect();
            let digests = parallel::map(&files, |(file, dialect)| digest(warehouse, file, dialect.as_ref()));
            Some(Ok(Json::from(Json::Array(digests).to_string())))
        }
        "file_stats" => {
            let stats = texts(0)
                .into_iter()
                .map(|file| if is_remote(&file) { remote_stat(warehouse, &file) } else { stat(&file) });
            Some(Ok(Json::from(Json::Array(stats.collect()).to_string())))
        }
        "attempt" => Some(attempt(warehouse, args.first().and_then(Json::as_str).unwrap_or_default())),
        _ => None,
    }
}

/// Runs a statement whose refusal is an answer: the engine's words, or none. It must not be a part of a transaction,
/// which the refusal would end.
fn attempt(warehouse: &Warehouse, sql: &str) -> Answer {
    let sent = warehouse.with(|connection| match connection.in_transaction() {
        true => Err(AdapterError::Connect("`adapter.attempt` works outside of a transaction only".to_string())),
        false => connection.execute(sql),
    });
    match sent {
        Ok(_) => Ok(Json::Null),
        Err(AdapterError::Sql { message, .. }) => Ok(json!(message)),
        Err(error) => Err(failed(error.to_string())),
    }
}

fn failed(message: String) -> HostError {
    HostError { kind: ErrorKind::Database, message, help: None }
}

/// The files of some locations as JSON, in the order of their paths: `path` as the ledger has it, `file` to open it,
/// `size` and `modified` (nanoseconds, or what the store says).
fn listing(root: &Path, warehouse: &Warehouse, locations: &[String]) -> Result<String, HostError> {
    let mut files = Vec::new();
    for location in locations {
        files.extend(if is_remote(location) { remote(warehouse, location)? } else { local(root, location)? });
    }
    files.sort_by(|one: &Json, other| one["path"].as_str().cmp(&other["path"].as_str()));
    files.dedup();
    Ok(Json::Array(files).to_string())
}

fn is_remote(location: &str) -> bool {
    location.contains("://")
}

/// Name, size and time (nanoseconds) of the files that an engine finds at a location.
///
/// # Errors
/// What the engine says if it cannot list them.
pub fn found(warehouse: &Warehouse, location: &str) -> Result<Vec<[Cell; 3]>, AdapterError> {
    let sql = format!("select filename, size, epoch_ns(last_modified) from read_blob({})", literal(location));
    let rows = warehouse.with(|connection| connection.query(&sql))?.rows;
    Ok(rows.into_iter().filter_map(|row| row.try_into().ok()).collect())
}

fn remote(warehouse: &Warehouse, location: &str) -> Result<Vec<Json>, HostError> {
    let number = |cell: Cell| cell.as_int().and_then(|number| i64::try_from(number).ok());
    let file = |[path, size, modified]: [Cell; 3]| {
        let path = path.text();
        json!({"path": path, "file": path, "size": number(size), "modified": number(modified)})
    };
    let files = found(warehouse, location).map_err(|error| failed(error.to_string()))?;
    Ok(files.into_iter().map(file).collect())
}

/// Files below a folder, or of a pattern. Relative locations begin in the project's folder. What a pattern finds whose
/// name begins with `.` or `_` is somebody's work in progress.
fn local(root: &Path, location: &str) -> Result<Vec<Json>, HostError> {
    let whole = root.join(location);
    if whole.is_file() {
        return Ok(listed(root, &whole).into_iter().collect());
    }
    let pattern = if whole.is_dir() { whole.join("**/*") } else { whole };
    let base: PathBuf =
        pattern.components().take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy())).collect();
    let below = pattern.strip_prefix(&base).unwrap_or(&pattern).to_string_lossy().into_owned();
    let glob = GlobBuilder::new(&below).literal_separator(true).build();
    let glob =
        glob.map_err(|error| failed(format!("the location `{location}` is no pattern: {error}")))?.compile_matcher();
    let depth = if below.contains("**") { None } else { Some(below.split('/').count()) };
    let walk = WalkBuilder::new(&base).standard_filters(false).follow_links(true).max_depth(depth).build();
    let files = walk.filter_map(Result::ok).filter(|entry| entry.file_type().is_some_and(|kind| !kind.is_dir()));
    let fits = |path: &Path| {
        let below = path.strip_prefix(&base).unwrap_or(path);
        glob.is_match(below) && !below.iter().any(|part| part.to_string_lossy().starts_with(['.', '_']))
    };
    Ok(files.filter(|entry| fits(entry.path())).filter_map(|entry| listed(root, entry.path())).collect())
}

fn is_pattern(part: &str) -> bool {
    part.contains(['*', '?', '[', '{'])
}

fn listed(root: &Path, file: &Path) -> Option<Json> {
    let metadata = fs::metadata(file).ok()?;
    let path = file.strip_prefix(root).unwrap_or(file);
    let (path, file) = (path.to_string_lossy(), file.to_string_lossy());
    Some(json!({"path": path, "file": file, "size": metadata.len(), "modified": modified(&metadata)}))
}

/// What an object is now.
fn remote_stat(warehouse: &Warehouse, file: &str) -> Json {
    let found = remote(warehouse, file).unwrap_or_default().into_iter().next();
    found.unwrap_or_else(|| json!({"file": file}))
}

/// What a file is now.
fn stat(file: &str) -> Json {
    let now = fs::metadata(file).ok();
    json!({"file": file, "size": now.as_ref().map(Metadata::len), "modified": now.as_ref().and_then(modified)})
}

fn modified(metadata: &Metadata) -> Option<i64> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok()
}

/// How a CSV file is written.
struct Dialect {
    delimiter: u8,
    quote: u8,
}

impl Dialect {
    fn of(csv: &Json) -> Dialect {
        let byte = |key: &str, default: u8| csv[key].as_str().and_then(|text| text.bytes().next()).unwrap_or(default);
        Dialect { delimiter: byte("delim", b','), quote: byte("quote", b'"') }
    }

    /// The fields of the first record of a text; none if there is no record.
    fn head(&self, text: impl Read) -> Result<Option<Vec<String>>, String> {
        let mut reader = csv::ReaderBuilder::new();
        reader.has_headers(false).flexible(true).delimiter(self.delimiter).quote(self.quote);
        let mut record = csv::StringRecord::new();
        let is_there = reader.from_reader(text).read_record(&mut record).map_err(|error| error.to_string())?;
        let names = record.iter().map(|field| field.trim_start_matches('\u{feff}').to_string());
        Ok(is_there.then(|| names.collect()))
    }
}

/// The sha256 of a file with what it was when it was read; of a CSV file also its first record. `error` says why it
/// cannot be opened, `broken` why what is in it cannot be read.
fn digest(warehouse: &Warehouse, file: &str, dialect: Option<&Dialect>) -> Json {
    let found = if is_remote(file) { remote_digest(warehouse, file) } else { local_digest(file) };
    let mut found = found.unwrap_or_else(|error| json!({"error": error}));
    found["file"] = json!(file);
    if found["error"].is_null() {
        let head = check_packed(file).and_then(|()| match dialect {
            Some(dialect) => head(warehouse, file, dialect),
            None => Ok(None),
        });
        match head {
            Ok(names) => found["head"] = json!(names),
            Err(reason) => found["broken"] = json!(reason),
        }
    }
    found
}

fn local_digest(file: &str) -> Result<Json, String> {
    let said = |error: std::io::Error| error.to_string();
    let opened = File::open(file).map_err(said)?;
    let before = opened.metadata().map_err(said)?;
    let sha256 = sha256_of(&opened).map_err(said)?;
    Ok(json!({"sha256": sha256, "size": before.len(), "modified": modified(&before)}))
}

fn remote_digest(warehouse: &Warehouse, file: &str) -> Result<Json, String> {
    let sql = format!("select sha256(content) from read_blob({})", literal(file));
    first_text(warehouse, &sql).map(|sha256| json!({"sha256": sha256}))
}

/// What is in a file on the disk, packed or not.
fn unpacked(file: &str) -> std::io::Result<Box<dyn Read>> {
    let opened = File::open(file)?;
    Ok(match packing(file) {
        Some(".gz") => Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(opened))),
        Some(_) => Box::new(zstd::Decoder::new(opened)?),
        None => Box::new(opened),
    })
}

fn packing(file: &str) -> Option<&'static str> {
    let file = file.to_lowercase();
    [".gz", ".zst"].into_iter().find(|end| file.ends_with(end))
}

/// Engines take what is left of a packed file that was cut short.
fn check_packed(file: &str) -> Result<(), String> {
    if is_remote(file) || packing(file).is_none() {
        return Ok(());
    }
    let read = unpacked(file).and_then(|mut text| std::io::copy(&mut text, &mut std::io::sink()));
    read.map(drop).map_err(|error| format!("it cannot be unpacked: {error}"))
}

/// Only the engine opens what is remote.
fn head(warehouse: &Warehouse, file: &str, dialect: &Dialect) -> Result<Option<Vec<String>>, String> {
    if !is_remote(file) {
        return dialect.head(unpacked(file).map_err(|error| error.to_string())?);
    }
    let sql = format!(
        "select line from read_csv({}, delim='\u{1}', quote='', escape='', header=false, auto_detect=false, \
         columns={{'line': 'VARCHAR'}}) limit 1",
        literal(file)
    );
    dialect.head(first_text(warehouse, &sql)?.as_bytes())
}

fn first_text(warehouse: &Warehouse, sql: &str) -> Result<String, String> {
    let found: Result<Rows, AdapterError> = warehouse.with(|connection| connection.query(sql));
    let rows = found.map_err(|error| error.to_string())?.rows;
    rows.first().and_then(|row| row.first()).map(Cell::text).ok_or_else(|| "it is not there".to_string())
}
