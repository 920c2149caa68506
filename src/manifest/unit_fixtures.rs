//! Turns the rows of a unit test, in YAML, in a CSV text, in a file or in a seed, into records or into SQL.

use serde_json::{Value as Json, json};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::{FileId, ProjectFiles, Span};
use crate::jinja::JsonMap;
use crate::manifest::refable::Binder;
use crate::manifest::{Kind, python};
use crate::project::package::{FixtureFile, Package};
use crate::project::unit_tests::{FixtureProperties, Format, key_spans};
use crate::yaml::{Value, Yaml};

/// Rows that a unit test gives or expects.
#[derive(Debug, Clone)]
pub struct Fixture {
    pub span: Span,
    pub format: Format,
    pub rows: Rows,
    /// The name of the file in `tests/fixtures`.
    pub file: Option<String>,
    /// The file of SQL, and not the property file.
    pub text: Option<FileId>,
    /// Columns that the property file names, with their places.
    pub keys: Vec<(String, Span)>,
}

#[derive(Debug, Clone)]
pub enum Rows {
    Records(Vec<JsonMap>),
    Sql(String),
}

impl Rows {
    pub fn json(&self) -> Json {
        match self {
            Rows::Records(rows) => json!(rows),
            Rows::Sql(text) => json!(text),
        }
    }
}

impl Fixture {
    /// Where the rows name the column that a message names between backticks.
    pub fn spoken_of(&self, message: &str) -> Option<Span> {
        self.keys.iter().find(|(key, _)| message.contains(&format!("`{key}`"))).map(|(_, span)| *span)
    }

    /// The fields of dbt's object as Python prints them.
    pub fn in_python(&self) -> String {
        let (name, text) = match self.format {
            Format::Dict => ("Dict", "dict"),
            Format::Csv => ("CSV", "csv"),
            Format::Sql => ("SQL", "sql"),
        };
        let file = python::repr(&json!(self.file));
        format!("rows={}, format=<UnitTestFormat.{name}: '{text}'>, fixture={file}", python::repr(&self.rows.json()))
    }
}

/// Where the rows of a unit test come from.
pub struct Reader<'a> {
    pub files: &'a ProjectFiles,
    pub package: &'a Package,
    pub binder: &'a Binder<'a>,
    /// The name of the unit test.
    pub test: &'a str,
}

impl Reader<'_> {
    /// Reads rows. `input` is the node that they stand for: a seed has rows of its own.
    pub fn read(&self, written: &FixtureProperties, input: Option<&str>, sink: &mut Diagnostics) -> Option<Fixture> {
        let mut text = None;
        let mut keys = Vec::new();
        let rows = match (written.format, &written.rows, &written.file) {
            (Format::Dict, Some(rows), _) => {
                keys = key_spans(rows);
                self.records(rows, sink)?
            }
            (Format::Dict, None, None) => self.seed(written, input, sink)?,
            (Format::Dict, None, Some((_, span))) => {
                let message = format!("the unit test `{}` names a file of rows without its format", self.test);
                let help = "write `format: csv` or `format: sql` beside it";
                sink.push(Diagnostic::error(Code::InvalidValue, *span, message).help(help));
                return None;
            }
            (Format::Csv, _, Some((name, span))) => {
                let file = self.file(name, *span, Format::Csv, sink)?;
                self.csv(&self.files.get(file).text, Span::start_of(file), sink)?
            }
            (Format::Sql, _, Some((name, span))) => {
                let file = self.file(name, *span, Format::Sql, sink)?;
                text = Some(file);
                Rows::Sql(self.files.get(file).text.trim().to_string())
            }
            (_, Some(Yaml { value: Value::String(text), span }), None) => match written.format {
                Format::Sql => Rows::Sql(text.clone()),
                _ => self.csv(text, *span, sink)?,
            },
            (format, _, None) => {
                let message = format!("rows of the format `{}` are a text", format.name());
                let help = "write them below `rows: |`, or name a file of `tests/fixtures` with `fixture:`";
                sink.push(Diagnostic::error(Code::InvalidValue, written.span, message).help(help));
                return None;
            }
        };
        let file = written.file.as_ref().map(|(name, _)| name.clone());
        Some(Fixture { span: written.span, format: written.format, rows: complete_first(rows), file, text, keys })
    }

    fn records(&self, rows: &Yaml, sink: &mut Diagnostics) -> Option<Rows> {
        fn record(row: &Yaml) -> Result<JsonMap, &Yaml> {
            match row.to_json() {
                Json::Object(map) => Ok(map),
                _ => Err(row),
            }
        }
        let wrong = match &rows.value {
            Value::List(items) => match items.iter().map(record).collect() {
                Ok(records) => return Some(Rows::Records(records)),
                Err(row) => row,
            },
            _ => rows,
        };
        let message = format!("rows are a list of mappings, and this is {}", wrong.kind());
        let problem = Diagnostic::error(Code::InvalidValue, wrong.span, message);
        sink.push(match wrong.value {
            Value::String(_) => problem.help("name the format of a text: `format: csv` or `format: sql`"),
            _ => problem.help("write one mapping a row: `- {id: 1, name: ann}`"),
        });
        None
    }

    /// A seed that is given without rows gives those of its own file.
    fn seed(&self, written: &FixtureProperties, input: Option<&str>, sink: &mut Diagnostics) -> Option<Rows> {
        let seed = input.and_then(|id| self.binder.node(id)).and_then(|node| match &node.kind {
            Kind::Seed { on_disk } => Some(on_disk),
            _ => None,
        });
        let Some(path) = seed else {
            let message = format!("the unit test `{}` has no `rows` here", self.test);
            let help =
                "write `rows: []` for none; only a seed can stand without rows, which are then those of its file";
            sink.push(Diagnostic::error(Code::InvalidValue, written.span, message).help(help));
            return None;
        };
        match self.files.read(path) {
            Ok(file) => self.csv_with(&self.files.get(file).text, Span::start_of(file), |text| json!(text), sink),
            Err(error) => {
                sink.push(Diagnostic::error(Code::UnreadableFile, written.span, error.to_string()));
                None
            }
        }
    }

    fn file(&self, name: &str, span: Span, format: Format, sink: &mut Diagnostics) -> Option<FileId> {
        let fits = |file: &&FixtureFile| file.name == name && file.is_sql == (format == Format::Sql);
        if let Some(found) = self.package.fixtures.iter().find(fits) {
            return Some(found.file);
        }
        let extension = format.name();
        let message = format!("there is no file `{name}.{extension}` of rows for the unit test `{}`", self.test);
        let problem = Diagnostic::error(Code::UnreadableFile, span, message);
        let folder = self.package.settings.paths.tests.first().map_or("tests", String::as_str);
        let other = self.package.fixtures.iter().any(|file| file.name == name);
        let names = self.package.fixtures.iter().map(|file| file.name.as_str());
        sink.push(match nearest(name, names).filter(|_| !other) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if other => problem.help("a file of this name has the other format: change `format:`"),
            None => problem
                .help(format!("files of rows stand in `{folder}/fixtures/`, and are named without `.{extension}`")),
        });
        None
    }

    /// An empty value is null.
    fn csv(&self, text: &str, span: Span, sink: &mut Diagnostics) -> Option<Rows> {
        self.csv_with(text, span, |text| if text.is_empty() { Json::Null } else { json!(text) }, sink)
    }

    fn csv_with(&self, text: &str, span: Span, value: fn(&str) -> Json, sink: &mut Diagnostics) -> Option<Rows> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let columns: Vec<String> = reader.headers().into_iter().flatten().map(str::to_string).collect();
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => return self.bad_csv(span, 0, &error.to_string(), sink),
            };
            if record.len() > columns.len() {
                let line = record.position().map_or(0, csv::Position::line);
                let said = format!("line {line} has {} values, and the header has {}", record.len(), columns.len());
                return self.bad_csv(span, line, &said, sink);
            }
            let values = record.iter().map(value).chain(std::iter::repeat(Json::Null));
            rows.push(columns.iter().cloned().zip(values).collect());
        }
        Some(Rows::Records(rows))
    }

    fn bad_csv(&self, span: Span, line: u64, said: &str, sink: &mut Diagnostics) -> Option<Rows> {
        // A file has the line itself; a text in YAML is indented, so that the text as a whole is shown.
        let whole = span.start == 0 && span.end == 0;
        let text = self.files.get(span.file).text;
        let before = usize::try_from(line.saturating_sub(1)).unwrap_or_default();
        let start = text.split_inclusive('\n').take(before).map(str::len).sum::<usize>();
        let length = text[start..].lines().next().map_or(0, str::len);
        let place = if whole { Span::new(span.file, start..start + length) } else { span };
        let message = format!("the rows of the unit test `{}` are no CSV: {said}", self.test);
        let help = "put values with commas or line ends in them between double quotes";
        sink.push(Diagnostic::error(Code::InvalidValue, place, message).help(help));
        None
    }
}

/// A row without nulls comes first, as dbt has it, so that engines see the types of the columns.
fn complete_first(rows: Rows) -> Rows {
    let Rows::Records(mut records) = rows else { return rows };
    if let Some(at) = records.iter().position(|row| row.values().all(|value| !value.is_null())) {
        records.swap(0, at);
    }
    Rows::Records(records)
}
