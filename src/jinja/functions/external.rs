//! Where the file of an external model is written, how, and where it is read: `adapter.external_…`.
//!
//! Source of the rules: <https://github.com/duckdb/dbt-duckdb#writing-to-external-files>.

use crate::map::IndexMap;
use minijinja::{Error, Value};

use crate::jinja::collections::{Dict, Entries};
use crate::jinja::error::runtime;
use crate::jinja::functions::Arguments;
use crate::jinja::python;

/// Options whose values are texts to the engine.
const TEXTS: [&str; 4] = ["delimiter", "quote", "escape", "null"];

/// `external_write_options(location, options)`: the options of `copy … to` as SQL. What follows from the location is
/// added to the dict.
pub fn write_options(args: &Arguments) -> Result<Value, Error> {
    let location = args.shown(0, "write_location")?;
    let dict = options(args)?;
    let dict = dict.downcast_object_ref::<Dict>().ok_or_else(|| runtime("the options are a dict"))?;
    let mut options = texts(dict);
    complete(&location, &mut options);
    let added: Vec<(Value, Value)> =
        options.iter().map(|(key, value)| (Value::from(key.as_str()), Value::from(value.as_str()))).collect();
    dict.change(&[], |entries: &mut Entries| entries.extend(added))?;
    let sql = options.iter().map(|(key, value)| {
        let is_text = TEXTS.contains(&key.to_lowercase().as_str()) && !value.starts_with('\'');
        if is_text { format!("{key} '{}'", value.replace('\'', "''")) } else { format!("{key} {value}") }
    });
    Ok(Value::from(sql.collect::<Vec<_>>().join(", ")))
}

/// `external_read_location(location, options)`: the pattern of all files, where there are several.
pub fn read_location(args: &Arguments) -> Result<Value, Error> {
    let location = args.shown(0, "write_location")?;
    let dict = options(args)?;
    let options = dict.downcast_object_ref::<Dict>().map(texts).unwrap_or_default();
    let partitions = options.get("partition_by").filter(|value| is_set(value));
    if partitions.is_none() && !options.get("per_thread_output").is_some_and(|value| is_set(value)) {
        return Ok(Value::from(location));
    }
    let levels = partitions.map_or(0, |columns| columns.split(',').count());
    let format = options.get("format").map_or("parquet", String::as_str);
    Ok(Value::from(format!("{location}/*{}.{format}", "/*".repeat(levels))))
}

fn options(args: &Arguments) -> Result<Value, Error> {
    args.value(1, "rendered_options")
}

fn texts(dict: &Dict) -> IndexMap<String, String> {
    dict.entries().iter().map(|(key, value)| (python::text(key), python::text(value))).collect()
}

fn is_set(value: &str) -> bool {
    !value.is_empty() && !value.eq_ignore_ascii_case("false") && value != "0"
}

/// The format is that of the location's extension; before `.gz` and `.zst`, which name a compression.
fn complete(location: &str, options: &mut IndexMap<String, String>) {
    if !options.contains_key("format") {
        let (root, mut extension) = split_extension(location);
        let compression = match extension.as_str() {
            "gz" => Some("gzip"),
            "zst" => Some("zstd"),
            _ => None,
        };
        if compression.is_some() {
            extension = split_extension(root).1;
        }
        let format = match extension.as_str() {
            "" if options.contains_key("delimiter") => "csv",
            "" => "parquet",
            extension => extension,
        };
        options.insert("format".to_string(), format.to_string());
        if let Some(compression) = compression.filter(|_| !extension.is_empty()) {
            options.entry("compression".to_string()).or_insert_with(|| compression.to_string());
        }
    }
    if options["format"] == "csv" {
        options.entry("header".to_string()).or_insert_with(|| "1".to_string());
    }
    if let Some(columns) =
        options.get_mut("partition_by").filter(|value| value.contains(',') && !value.starts_with('('))
    {
        *columns = format!("({columns})");
    }
}

/// A path and its extension, in lower case and without the dot.
fn split_extension(path: &str) -> (&str, String) {
    let name = path.rfind('/').map_or(0, |at| at + 1);
    match path[name..].rfind('.') {
        Some(at) if at > 0 => (&path[..name + at], path[name + at + 1..].to_lowercase()),
        _ => (path, String::new()),
    }
}
