//! Turns what a statement says of files (a delimiter, types, folders with `name=value`) into how they are read.

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{ScalarValue, plan_datafusion_err};
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use object_store::path::Path;
use serde_json::{Map, Value as Json};

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect;
use crate::adapter::lake::files::{File, NO_VALUE, SAMPLE};
use crate::adapter::lake::statement::arrow_type;

/// `gz` and its kin, by the end of the name; `uncompressed` if there is none.
pub fn compression(path: &Path, options: &Options<'_>) -> &'static str {
    let given = options.text("compression").unwrap_or_default().to_lowercase();
    let name = path.filename().unwrap_or_default().to_lowercase();
    let is = |words: &[&str]| {
        words.iter().any(|word| given == *word || (given.is_empty() && name.ends_with(&format!(".{word}"))))
    };
    match () {
        () if options.form == "parquet" => "",
        () if is(&["gzip", "gz"]) => "gzip",
        () if is(&["zstd", "zst"]) => "zstd",
        () if is(&["bz2"]) => "bzip2",
        () if is(&["xz"]) => "xz",
        () => "",
    }
}

/// The value that a folder of a path gives a key.
pub fn value_of(path: &Path, key: &str) -> String {
    folders(path).into_iter().find(|(name, _)| name == key).map(|(_, value)| value).unwrap_or_default()
}

/// The `name=value` of the folders of a path.
pub fn folders(path: &Path) -> Vec<(String, String)> {
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
pub struct Options<'a> {
    pub form: &'a str,
    pub given: Map<String, Json>,
}

/// No text has it.
const NO_BYTE: u8 = 0xFF;

const COMMON: [&str; 3] = ["filename", "hive_partitioning", "union_by_name"];

/// The options of each form.
const KNOWN: [(&str, &[&str]); 6] = [
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
    ("avro", &[]),
    ("delta", &[]),
];

impl Options<'_> {
    pub fn check(&self) -> Result<()> {
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

    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name).and_then(Json::as_str)
    }

    pub fn flag(&self, name: &str, default: bool) -> bool {
        match self.given.get(name) {
            None | Some(Json::Null) => default,
            Some(value) => value.as_bool() != Some(false) && value.as_i64() != Some(0),
        }
    }

    pub fn csv(&self) -> Result<CsvFormat> {
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
        if self.text("quote").is_some() {
            format = format.with_quote(byte(&["quote"])?.unwrap_or(NO_BYTE));
        }
        Ok(format)
    }

    /// Names and types that the statement gives.
    pub async fn columns(&self, state: &SessionState, key: &str) -> Result<Vec<Field>> {
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
    pub fn partitions(&self, files: &[File]) -> Result<Vec<(String, DataType)>> {
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
    pub fn named(&self, file: &File) -> String {
        if !self.flag("filename", false) {
            return String::new();
        }
        file.name()
    }
}
