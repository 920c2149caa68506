//! Turns landed files into numbered records: those that can be read, as texts, and those that cannot, with the reason.
//!
//! No file is an error here: what is wrong with one is told in its rows, so that the others can be read.

mod csv;
mod fields;
mod json;
mod parquet;

use std::io::{BufRead, BufReader, Read};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use datafusion::arrow::array::{ArrayRef, Int64Builder, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::{exec_err, plan_datafusion_err};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::error::Result;
use object_store::path::Path;
use serde_json::{Map, Value as Json};

use crate::adapter::lake::files::options::{Options, compression};
use crate::adapter::lake::files::streamed::{self, Opened, ROWS, Source, Take};

/// What a file has at some place.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// A record, as text if that is wanted, and its values.
    Good { record: Option<String>, values: Vec<Option<String>> },
    /// A record that cannot be read, the reason, and the column that is to blame.
    Bad { raw: String, reason: String, field: Option<String> },
}

/// The records of a file, or what makes it unreadable from some place on.
type Records<'a> = Box<dyn Iterator<Item = std::result::Result<Found, String>> + 'a>;

/// How files are read.
#[derive(Debug, Clone)]
struct How {
    form: Form,
    /// The fields that are wanted, in this order; those of a CSV file are all.
    names: Vec<String>,
    /// Whether the record as a whole is wanted, too.
    whole: bool,
    /// Whether a record must be an object.
    objects: bool,
    /// Whether the files were read before and found readable, so that one that is not is an error.
    checked: bool,
    csv: csv::Dialect,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Csv,
    Json,
    Ndjson,
    Lines,
    Parquet,
}

impl How {
    fn of(given: &Map<String, Json>) -> Result<How> {
        let text = |key: &str| given.get(key).and_then(Json::as_str).unwrap_or_default();
        let form = match text("format") {
            "csv" => Form::Csv,
            "json" => Form::Json,
            "ndjson" => Form::Ndjson,
            "lines" => Form::Lines,
            "parquet" => Form::Parquet,
            other => return Err(plan_datafusion_err!("there are no records of the format `{other}`")),
        };
        let is = |key: &str| given.get(key).and_then(Json::as_bool).unwrap_or_default();
        let names = given.get("names").and_then(Json::as_array).into_iter().flatten();
        Ok(How {
            form,
            names: names.filter_map(Json::as_str).map(str::to_string).collect(),
            whole: is("whole"),
            objects: is("objects"),
            checked: is("checked"),
            csv: csv::Dialect::of(given)?,
        })
    }

    fn records<'a>(&'a self, reader: impl BufRead + 'a) -> Records<'a> {
        match self.form {
            Form::Csv => Box::new(csv::records(reader, &self.csv, &self.names, self.whole)),
            Form::Json | Form::Ndjson => {
                let wanted = json::Wanted { names: &self.names, whole: self.whole, objects: self.objects };
                json::records(reader, self.form == Form::Ndjson, wanted)
            }
            Form::Lines | Form::Parquet => Box::new(csv::lines(reader)),
        }
    }
}

/// The columns of every form; those of the fields, which come after them, are `f0`, `f1` …
const COLUMNS: [&str; 6] =
    ["medal__file", "medal__number", "medal__raw", "medal__reason", "medal__field", "medal__record"];

fn schema(types: impl Iterator<Item = DataType>) -> SchemaRef {
    let known = COLUMNS.iter().map(|name| {
        let kind = if *name == "medal__number" { DataType::Int64 } else { DataType::Utf8 };
        Field::new(*name, kind, true)
    });
    let fields = types.enumerate().map(|(at, kind)| Field::new(format!("f{at}"), kind, true));
    Arc::new(Schema::new(known.chain(fields).collect::<Vec<_>>()))
}

/// The table of `read_records`: a row for each record. A row without a number speaks of its file.
pub async fn table(sources: Vec<Source>, given: &Map<String, Json>, threads: usize) -> Result<Arc<dyn TableProvider>> {
    let how = How::of(given)?;
    if how.form == Form::Parquet {
        return parquet::table(sources, threads, how.checked).await;
    }
    let schema = schema(how.names.iter().map(|_| DataType::Utf8));
    let of = schema.clone();
    let reader = move |source: &Source, opened: Opened, take: &mut Take<'_>| {
        let mut rows = Rows::new(of.clone(), &source.name);
        let reader = match unpacked(source, opened) {
            Ok(reader) => reader,
            Err(error) if how.checked => return Err(error),
            Err(error) => {
                rows.add(Err(error.to_string()));
                return rows.hand_over(take).map(drop);
            }
        };
        for found in how.records(reader) {
            let is_last = match &found {
                Err(reason) if how.checked => return exec_err!("IO Error: {}: {reason}", source.name),
                found => found.is_err(),
            };
            rows.add(found);
            if is_last || (rows.is_full() && !rows.hand_over(take)?) {
                break;
            }
        }
        rows.hand_over(take).map(drop)
    };
    streamed::table(schema, sources, threads, Arc::new(reader))
}

/// The table of `read_fields`: the names in the objects of JSON files, and the types that their values have.
pub fn names(sources: Vec<Source>, given: &Map<String, Json>) -> Result<Arc<dyn TableProvider>> {
    let how = How { whole: true, names: Vec::new(), ..How::of(given)? };
    let places = AtomicI64::new(0);
    let reader = move |source: &Source, opened: Opened, take: &mut Take<'_>| {
        let mut seen = fields::Seen::default();
        let found = how.records(unpacked(source, opened)?);
        found.map_while(std::result::Result::ok).for_each(|found| seen.add(&found));
        take(seen.batch(&places)?);
        Ok(())
    };
    // One thread, so that names are in the order of the files.
    streamed::table(fields::schema(), sources, 1, Arc::new(reader))
}

/// The table of `read_heads`: the columns of each file of Parquet.
pub async fn heads(sources: &[Source]) -> Result<Arc<dyn TableProvider>> {
    parquet::heads(sources).await
}

/// A reader of what is packed in a file, whose name says so.
fn unpacked(source: &Source, opened: Opened) -> Result<BufReader<Box<dyn Read + Send>>> {
    let name = source.name.rsplit('/').next().unwrap_or_default();
    let options = Options { form: "records", given: Map::new() };
    let packed = FileCompressionType::from_str(compression(&Path::from(name), &options))?;
    Ok(BufReader::with_capacity(1 << 16, packed.convert_read(opened.read())?))
}

/// So much text is in one batch, and the rest of a record.
const BYTES: usize = 8 << 20;

/// Rows that are gathered into a batch.
struct Rows {
    schema: SchemaRef,
    file: String,
    number: i64,
    count: usize,
    bytes: usize,
    numbers: Int64Builder,
    texts: Vec<StringBuilder>,
}

impl Rows {
    fn new(schema: SchemaRef, file: &str) -> Rows {
        // Of all columns only the number is no text.
        let texts = (1..schema.fields().len()).map(|_| StringBuilder::new()).collect();
        Rows { schema, file: file.to_string(), number: 0, count: 0, bytes: 0, numbers: Int64Builder::new(), texts }
    }

    fn add(&mut self, found: std::result::Result<Found, String>) {
        let mut row: Vec<Option<String>> = vec![Some(self.file.clone())];
        self.number += 1;
        self.numbers.append_option(found.is_ok().then_some(self.number));
        match found {
            Ok(Found::Good { record, values }) => {
                row.extend([None, None, None, record]);
                row.extend(values);
            }
            Ok(Found::Bad { raw, reason, field }) => row.extend([Some(raw), Some(reason), field]),
            Err(reason) => row.extend([None, Some(reason)]),
        }
        self.bytes += row.iter().flatten().map(String::len).sum::<usize>();
        let filled = row.into_iter().chain(std::iter::repeat(None));
        self.texts.iter_mut().zip(filled).for_each(|(column, value)| column.append_option(value));
        self.count += 1;
    }

    fn is_full(&self) -> bool {
        self.count == ROWS || self.bytes > BYTES
    }

    fn hand_over(&mut self, take: &mut Take<'_>) -> Result<bool> {
        if self.count == 0 {
            return Ok(true);
        }
        (self.count, self.bytes) = (0, 0);
        let mut columns: Vec<ArrayRef> =
            self.texts.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        columns.insert(1, Arc::new(self.numbers.finish()));
        Ok(take(RecordBatch::try_new(self.schema.clone(), columns)?))
    }
}
