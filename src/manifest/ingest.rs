//! Turns the configuration of a model that is materialized as `ingest`, and of the source that it reads, into where its
//! files are and how they are read.
//!
//! Source of the rules: `docs/medallion.md`, section 2.

use crate::map::IndexMap;
use serde_json::{Value as Json, json};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, nearest};
use crate::jinja::JsonMap;
use crate::manifest::settings::Reader;
use crate::manifest::{Manifest, Node, Source};
use crate::project::properties::ColumnInfo;

/// What an `ingest` model receives, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingest {
    /// The unique id of the source that the model reads.
    pub source: String,
    /// Files, folders and patterns; at least one.
    pub locations: Vec<String>,
    /// `csv`, `json`, `ndjson` or `parquet`.
    pub format: String,
    /// `schema_mode` and the settings beginning with `on_`, by name.
    pub choices: IndexMap<&'static str, String>,
    /// How a CSV file is written: `delim`, `quote`, `escape`, `nullstr`.
    pub csv: IndexMap<&'static str, String>,
    /// Name and type, as the source declares them, else the model.
    pub declared: Vec<(String, String)>,
}

/// Settings that are one word of a few, the first being the default.
const CHOICES: [(&str, &[&str]); 5] = [
    ("on_schema_change", &["append_new_columns", "ignore", "fail"]),
    ("schema_mode", &["rescue", "raw", "strict"]),
    ("on_bad_file", &["quarantine", "fail"]),
    ("on_changed_file", &["fail", "append"]),
    ("on_duplicate_content", &["append", "skip"]),
];

const FORMATS: [&str; 4] = ["csv", "json", "ndjson", "parquet"];

/// Options of `csv_read_options`, their other names, and what they are without being said.
const CSV: [(&str, &[&str], &str); 4] =
    [("delim", &["sep", "delimiter"], ","), ("quote", &[], "\""), ("escape", &[], "\""), ("nullstr", &["null"], "")];

/// Reads the settings of a model. Every mistake in them is an error of its own.
pub fn settings(manifest: &Manifest, node: &Node) -> Result<Ingest, Vec<Diagnostic>> {
    let mut reader = Reader { node, configs: vec![&node.config], code: Code::IngestConfig, problems: Vec::new() };
    let Some(source) = one_source(&mut reader, manifest) else { return Err(reader.problems) };
    reader.configs.push(&source.config);
    let (locations, format) = place(&mut reader, source);
    let choices = CHOICES.map(|(key, words)| (key, reader.choice(key, words)));
    let csv = csv_options(&mut reader);
    let ingest = Ingest {
        source: source.id.clone(),
        locations,
        format,
        choices: choices.into_iter().collect(),
        csv,
        declared: declared(source, node),
    };
    if ingest.choices["schema_mode"] == "strict" && ingest.declared.is_empty() {
        let help = "list them with their `data_type`, below the table of the source or below the model";
        reader.refuse("schema_mode", "takes only declared columns, and no column is declared", help);
    }
    if reader.problems.is_empty() { Ok(ingest) } else { Err(reader.problems) }
}

impl Ingest {
    /// As a template sees it.
    pub fn json(&self) -> Json {
        let column = |(name, kind): &(String, String)| json!({"name": name, "data_type": kind});
        let mut json = json!({
            "source": self.source,
            "locations": self.locations,
            "format": self.format,
            "csv": self.csv,
            "declared": self.declared.iter().map(column).collect::<Vec<_>>(),
        });
        for (key, word) in &self.choices {
            json[*key] = json!(word);
        }
        json
    }
}

/// The one source that the model reads.
fn one_source<'m>(reader: &mut Reader<'_>, manifest: &'m Manifest) -> Option<&'m Source> {
    match reader.node.depends_on.as_slice() {
        [only] if manifest.sources.contains_key(only) => manifest.sources.get(only),
        _ => {
            let message = format!("the ingest model `{}` does not read exactly one source", reader.node.name);
            let help = "write `select * from {{ source('…', '…') }}`; a source is where data comes in";
            reader.problem(Code::IngestConfig, "materialized", message, help);
            None
        }
    }
}

/// Where the files are, and their format.
fn place(reader: &mut Reader<'_>, source: &Source) -> (Vec<String>, String) {
    let mut locations = reader.texts("location");
    let mut read_as = None;
    if let Some(expression) = source.relation.expression.as_ref().filter(|_| locations.is_empty()) {
        match file_of(expression) {
            Some((path, format)) => {
                locations.push(path);
                read_as = format;
            }
            None => {
                let fact = format!("is `{expression}`, which is not the name of files alone");
                let help = "give the source `location` and `format`; options of CSV files are `csv_read_options`";
                reader.refuse("external_location", &fact, help);
                return (locations, String::new());
            }
        }
    }
    let format = reader.written("format").and_then(|value| value.as_str().map(str::to_lowercase));
    let guessed = || locations.first().and_then(|location| format_of(location)).map(str::to_string);
    match format.or(read_as.map(str::to_string)).or_else(guessed) {
        Some(format) if FORMATS.contains(&format.as_str()) => (locations, format),
        None if locations.is_empty() => {
            let help = "give it, or the source, the name of a file, a folder or a pattern: `location: landing/*.csv`";
            reader.refuse("location", "is missing", help);
            (locations, String::new())
        }
        other => {
            let fact = other.map_or("is not said".to_string(), |format| format!("is `{format}`"));
            reader.refuse("format", &fact, "it takes `csv`, `json`, `ndjson` or `parquet`");
            (locations, String::new())
        }
    }
}

fn csv_options(reader: &mut Reader<'_>) -> IndexMap<&'static str, String> {
    let mut csv: IndexMap<_, _> = CSV.into_iter().map(|(name, _, default)| (name, default.to_string())).collect();
    let written = reader.written("csv_read_options");
    for (key, value) in written.as_ref().and_then(Json::as_object).into_iter().flatten() {
        let known = CSV.into_iter().find(|(name, others, _)| name == key || others.contains(&key.as_str()));
        match (known, value.as_str()) {
            (Some((name, ..)), Some(text)) => drop(csv.insert(name, text.to_string())),
            _ => {
                let help = match nearest(key, CSV.map(|(name, ..)| name)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "it takes the texts `delim`, `quote`, `escape` and `nullstr`".to_string(),
                };
                reader.refuse("csv_read_options", &format!("has `{key}: {value}`"), &help);
            }
        }
    }
    csv
}

/// The file in SQL that reads nothing but files of one name: `'a/*.csv'`, `read_csv('a/*.csv')`.
fn file_of(expression: &str) -> Option<(String, Option<&'static str>)> {
    let (function, argument) = match expression.trim().strip_suffix(')').and_then(|call| call.split_once('(')) {
        Some((function, argument)) => (Some(function.trim().to_lowercase()), argument.trim()),
        None => (None, expression.trim()),
    };
    let path = argument.strip_prefix('\'')?.strip_suffix('\'').filter(|path| !path.contains('\''))?;
    let format = match function.as_deref() {
        None => None,
        Some("read_csv" | "read_csv_auto") => Some("csv"),
        Some("read_json" | "read_json_auto") => Some("json"),
        Some("read_ndjson" | "read_ndjson_auto") => Some("ndjson"),
        Some("read_parquet" | "parquet_scan") => Some("parquet"),
        Some(_) => return None,
    };
    Some((path.to_string(), format))
}

/// The format that the end of a location tells.
fn format_of(location: &str) -> Option<&'static str> {
    let lower = location.to_lowercase();
    let bare = [".gz", ".zst"].iter().find_map(|end| lower.strip_suffix(end)).unwrap_or(&lower);
    match bare.rsplit_once('.')?.1 {
        "csv" | "tsv" | "txt" => Some("csv"),
        "json" => Some("json"),
        "ndjson" | "jsonl" => Some("ndjson"),
        "parquet" => Some("parquet"),
        _ => None,
    }
}

fn declared(source: &Source, node: &Node) -> Vec<(String, String)> {
    let typed = |column: &ColumnInfo| Some((column.name.clone(), column.data_type.clone()?));
    let of_source: Vec<_> = source.columns.values().filter_map(|column| typed(column)).collect();
    if of_source.is_empty() { node.columns.values().filter_map(|column| typed(column)).collect() } else { of_source }
}

/// SQL that reads the files of a source that names them in medal's own way, for whoever reads the source itself.
pub fn reader(meta: &JsonMap) -> Option<String> {
    let medal = meta.get("medal")?;
    let location = medal.get("location")?.as_str()?;
    let format = medal.get("format").and_then(Json::as_str).or_else(|| format_of(location))?;
    let function = match format {
        "csv" => "read_csv",
        "json" => "read_json",
        "ndjson" => "read_ndjson",
        "parquet" => "read_parquet",
        _ => return None,
    };
    Some(format!("{function}({})", crate::adapter::relation::literal(location)))
}

#[cfg(test)]
mod tests {
    use super::{file_of, format_of};

    #[test]
    fn files_are_found_in_sql_that_reads_nothing_else() {
        let found = |text: &str| file_of(text).map(|(path, format)| format!("{path} {}", format.unwrap_or("?")));
        assert_eq!(found("'in/*.csv'").as_deref(), Some("in/*.csv ?"));
        assert_eq!(found("read_csv('in/*.csv')").as_deref(), Some("in/*.csv csv"));
        assert_eq!(found("read_csv('in/*.csv', header=false)"), None);
        assert_eq!(found("my_table_function(3)"), None);
    }

    #[test]
    fn the_end_of_a_name_tells_the_format() {
        let formats = ["a/*.csv.gz", "a/**/*.JSONL", "a/b.json", "a/", "x.parquet"].map(format_of);
        assert_eq!(formats, [Some("csv"), Some("ndjson"), Some("json"), None, Some("parquet")]);
    }
}
