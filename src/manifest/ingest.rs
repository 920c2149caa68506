//! Turns the configuration of a model that is materialized as `ingest`, and of the source that it reads, into where its
//! files are and how they are read.
//!
//! Source of the rules: `docs/medallion.md`, section 2.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, nearest};
use crate::jinja::JsonMap;
use crate::manifest::{Manifest, Node, Source};
use crate::project::config::Config;
use crate::project::properties::ColumnInfo;

/// What an `ingest` model receives, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingest {
    /// The unique id of the source that the model reads.
    pub source: String,
    /// Files, folders and patterns; empty if the source is a table.
    pub locations: Vec<String>,
    /// `csv`, `json`, `ndjson` or `parquet`.
    pub format: String,
    /// `schema_mode` and the settings beginning with `on_`, by name.
    pub choices: IndexMap<&'static str, String>,
    /// How a CSV file is written: `delim`, `quote`, `escape`, `nullstr`.
    pub csv: IndexMap<&'static str, String>,
    /// Columns of a table that order its rows in time.
    pub sequence_by: Vec<String>,
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
    let mut reader = Reader { node, problems: Vec::new() };
    let Some(source) = reader.source(manifest) else { return Err(reader.problems) };
    let configs = [&node.config, &source.config];
    let (locations, format) = reader.place(source, &configs);
    let choices = CHOICES.map(|(key, words)| (key, reader.choice(key, words, &configs)));
    let csv = reader.csv(&configs);
    let sequence_by = reader.written("sequence_by", &configs).map(|value| texts(&value)).unwrap_or_default();
    let ingest = Ingest {
        source: source.id.clone(),
        locations,
        format,
        choices: choices.into_iter().collect(),
        csv,
        sequence_by,
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
            "sequence_by": self.sequence_by,
            "declared": self.declared.iter().map(column).collect::<Vec<_>>(),
        });
        for (key, word) in &self.choices {
            json[*key] = json!(word);
        }
        json
    }
}

struct Reader<'a> {
    node: &'a Node,
    problems: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn refuse(&mut self, key: &str, fact: &str, help: &str) {
        let message = format!("`{key}` of the ingest model `{}` {fact}", self.node.name);
        self.problem(Code::IngestConfig, key, message, help);
    }

    fn problem(&mut self, code: Code, key: &str, message: String, help: &str) {
        self.problems.push(Diagnostic::error(code, self.node.config_place(key), message).help(help));
    }

    /// The one source that the model reads.
    fn source<'m>(&mut self, manifest: &'m Manifest) -> Option<&'m Source> {
        match self.node.depends_on.as_slice() {
            [only] if manifest.sources.contains_key(only) => manifest.sources.get(only),
            _ => {
                let message = format!("the ingest model `{}` does not read exactly one source", self.node.name);
                let help = "write `select * from {{ source('…', '…') }}`; a source is where data comes in";
                self.problem(Code::IngestConfig, "materialized", message, help);
                None
            }
        }
    }

    /// What is written for a key, `key` and `meta.medal.key` being two spellings of one.
    fn written(&mut self, key: &str, configs: &[&Config]) -> Option<Json> {
        for config in configs {
            let plain = config.written().get(key).filter(|value| !value.is_null());
            let portable = config.get("meta").and_then(|meta| meta.get("medal")?.get(key));
            match (plain, portable) {
                (Some(plain), Some(portable)) if plain != portable => {
                    let message = format!(
                        "`{key}` and `meta.medal.{key}` say different things to the ingest model `{}`",
                        self.node.name
                    );
                    self.problem(Code::ConfigConflict, key, message, "they are two spellings of one key: keep one");
                    return Some(plain.clone());
                }
                (Some(value), _) | (None, Some(value)) => return Some(value.clone()),
                (None, None) => {}
            }
        }
        None
    }

    fn choice(&mut self, key: &'static str, words: &[&str], configs: &[&Config]) -> String {
        let Some(value) = self.written(key, configs) else { return words[0].to_string() };
        match value.as_str().filter(|word| words.contains(word)) {
            Some(word) => word.to_string(),
            None => {
                let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                self.refuse(key, &format!("is {value}"), &format!("it takes {}", quoted.join(" or ")));
                words[0].to_string()
            }
        }
    }

    /// Where the files are, and their format; no place if the source is a table.
    fn place(&mut self, source: &Source, configs: &[&Config]) -> (Vec<String>, String) {
        let mut locations = self.written("location", configs).map(|value| texts(&value)).unwrap_or_default();
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
                    self.refuse("external_location", &fact, help);
                }
            }
        }
        let format = self.written("format", configs).and_then(|value| value.as_str().map(str::to_lowercase));
        let guessed = || locations.first().and_then(|location| format_of(location)).map(str::to_string);
        match format.or(read_as.map(str::to_string)).or_else(guessed) {
            Some(format) if FORMATS.contains(&format.as_str()) => (locations, format),
            None if locations.is_empty() => (locations, String::new()),
            other => {
                let fact = other.map_or("is not said".to_string(), |format| format!("is `{format}`"));
                self.refuse("format", &fact, "it takes `csv`, `json`, `ndjson` or `parquet`");
                (locations, String::new())
            }
        }
    }

    fn csv(&mut self, configs: &[&Config]) -> IndexMap<&'static str, String> {
        let mut csv: IndexMap<_, _> = CSV.into_iter().map(|(name, _, default)| (name, default.to_string())).collect();
        let written = self.written("csv_read_options", configs);
        for (key, value) in written.as_ref().and_then(Json::as_object).into_iter().flatten() {
            let known = CSV.into_iter().find(|(name, others, _)| name == key || others.contains(&key.as_str()));
            match (known, value.as_str()) {
                (Some((name, ..)), Some(text)) => drop(csv.insert(name, text.to_string())),
                _ => {
                    let help = match nearest(key, CSV.map(|(name, ..)| name)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "it takes the texts `delim`, `quote`, `escape` and `nullstr`".to_string(),
                    };
                    self.refuse("csv_read_options", &format!("has `{key}: {value}`"), &help);
                }
            }
        }
        csv
    }
}

/// A text, or a list of texts.
fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) => vec![text.clone()],
        other => other.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_string).collect(),
    }
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
