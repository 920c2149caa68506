//! Turns `copy … to 'file' (…)` into a file of CSV, JSON or Parquet, or a folder of them.

mod folder;

use datafusion::common::config::{CsvOptions, JsonOptions, TableParquetOptions};
use datafusion::common::parsers::CompressionTypeVariant;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::execution::SessionState;
use datafusion::prelude::DataFrame;
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::adapter::AdapterError;
use crate::adapter::lake::catalog::Lakehouse;
use crate::adapter::lake::dialect;
use crate::adapter::lake::dialect::files::form_of;
use crate::adapter::lake::error::{refused, sql_error, syntax_error};
use crate::adapter::lake::statement::plan;
use crate::adapter::lake::text::{self, Words};

/// What is written where, and how.
#[derive(Debug, PartialEq, Eq)]
pub struct Copy {
    query: String,
    file: String,
    /// Names in small letters, and values as they are written.
    options: Vec<(String, Vec<String>)>,
}

/// What may be said of a folder of files.
const OF_FOLDERS: [&str; 5] = ["partition_by", "per_thread_output", "overwrite", "overwrite_or_ignore", "append"];

impl Copy {
    fn option(&self, name: &str) -> Option<&str> {
        let (_, values) = self.options.iter().find(|(known, _)| known == name)?;
        values.first().map(String::as_str)
    }

    fn is_on(&self, name: &str) -> bool {
        self.option(name).is_some_and(|value| !is_no(value))
    }

    /// `csv`, `json` or `parquet`, if the options are those that such files have.
    fn format(&self) -> Result<String, AdapterError> {
        let told = match form_of(&self.file) {
            Some("csv") => "csv",
            Some("json" | "ndjson") => "json",
            _ => "parquet",
        };
        let format = self.option("format").unwrap_or(told).to_lowercase();
        let known: &[&str] = match format.as_str() {
            "csv" => {
                &["format", "header", "delimiter", "delim", "sep", "quote", "escape", "null", "nullstr", "compression"]
            }
            "json" => &["format", "compression"],
            "parquet" => &["format", "compression", "codec", "row_group_size"],
            other => return Err(refused(format!("Parser Error: files of the form `{other}` are not written"))),
        };
        let is_known = |name: &str| known.contains(&name) || OF_FOLDERS.contains(&name);
        if let Some((name, _)) = self.options.iter().find(|(name, _)| !is_known(name)) {
            let known = [known, &OF_FOLDERS].concat().join("`, `");
            return Err(refused(format!(
                "Not implemented Error: `copy` has no option `{name}` here; there are `{known}`"
            )));
        }
        Ok(format)
    }
}

/// The statement, if the text is one.
pub fn read(sql: &str) -> Result<Option<Copy>, AdapterError> {
    if text::first_word(sql)? != "copy" {
        return Ok(None);
    }
    let dialect = DuckDbDialect {};
    let mut words = Words(Parser::new(&dialect).try_with_sql(sql).map_err(|error| syntax_error(&error))?);
    words.0.next_token();
    let query = match words.0.consume_token(&Token::LParen) {
        true => {
            let query = words.0.parse_query().map_err(|error| syntax_error(&error))?;
            words.0.expect_token(&Token::RParen).map_err(|error| syntax_error(&error))?;
            query.to_string()
        }
        false => format!("select * from {}", words.0.parse_object_name(false).map_err(|error| syntax_error(&error))?),
    };
    words.expect(&["to"])?;
    let file = words.0.parse_literal_string().map_err(|error| syntax_error(&error))?;
    let mut options = Vec::new();
    if words.0.consume_token(&Token::LParen) {
        loop {
            let name = words.0.parse_identifier().map_err(|error| syntax_error(&error))?.value.to_lowercase();
            options.push((name, values(&mut words)?));
            if !words.0.consume_token(&Token::Comma) {
                break;
            }
        }
        words.0.expect_token(&Token::RParen).map_err(|error| syntax_error(&error))?;
    }
    words.end()?;
    Ok(Some(Copy { query, file, options }))
}

/// The value of an option, or several in brackets. One without a value is on.
fn values(words: &mut Words) -> Result<Vec<String>, AdapterError> {
    if matches!(words.0.peek_token().token, Token::Comma | Token::RParen) {
        return Ok(vec!["true".to_string()]);
    }
    if !words.0.consume_token(&Token::LParen) {
        return Ok(vec![words.value()]);
    }
    let mut values = vec![words.value()];
    while words.0.consume_token(&Token::Comma) {
        values.push(words.value());
    }
    words.0.expect_token(&Token::RParen).map_err(|error| syntax_error(&error))?;
    Ok(values)
}

/// Writes the file, or the files. Gives the number of rows.
pub async fn run(lake: &Lakehouse, state: &SessionState, copy: Copy) -> Result<u64, AdapterError> {
    let statement = dialect::statements(&copy.query)?.into_iter().next();
    let statement = statement.ok_or_else(|| refused("Parser Error: there is no query"))?;
    let rows = DataFrame::new(state.clone(), plan(state, statement).await?);
    let format = copy.format()?;
    let address = lake.address(state, &copy.file)?;
    if copy.option("partition_by").is_some() || copy.is_on("per_thread_output") {
        return folder::write(state, rows, &copy, &format, &address).await;
    }
    write(rows, &copy, &format, &address, DataFrameWriteOptions::new().with_single_file_output(true)).await
}

async fn write(
    rows: DataFrame,
    copy: &Copy,
    format: &str,
    address: &str,
    how: DataFrameWriteOptions,
) -> Result<u64, AdapterError> {
    let packed = || compression(copy.option("compression").or_else(|| packing(&copy.file)));
    let written = match format {
        "csv" => {
            let mut csv =
                CsvOptions::default().with_has_header(copy.option("header").is_none_or(|value| !is_no(value)));
            let first =
                |names: &[&str]| names.iter().find_map(|name| copy.option(name)).and_then(|text| text.bytes().next());
            csv.delimiter = first(&["delimiter", "delim", "sep"]).unwrap_or(b',');
            csv.quote = first(&["quote"]).unwrap_or(b'"');
            csv.escape = first(&["escape"]);
            csv.null_value = copy.option("null").or(copy.option("nullstr")).map(str::to_string);
            csv.timestamp_format = Some("%Y-%m-%d %H:%M:%S%.f".to_string());
            csv.compression = packed()?;
            rows.write_csv(address, how, Some(csv)).await
        }
        "json" => {
            let json = JsonOptions { compression: packed()?, ..JsonOptions::default() };
            rows.write_json(address, how, Some(json)).await
        }
        _ => {
            let mut parquet = TableParquetOptions::default();
            let codec = copy.option("compression").or(copy.option("codec")).unwrap_or("snappy").to_lowercase();
            parquet.global.compression = Some(if codec == "zstd" { "zstd(1)".to_string() } else { codec });
            if let Some(rows) = copy.option("row_group_size") {
                parquet.global.max_row_group_size = rows
                    .parse()
                    .map_err(|_| refused(format!("Parser Error: `row_group_size` is a number, and not `{rows}`")))?;
            }
            rows.write_parquet(address, how, Some(parquet)).await
        }
    };
    let counts = written.map_err(sql_error)?;
    let count = counts.iter().filter_map(|batch| {
        let column = batch.columns().first()?;
        let counts = column.as_any().downcast_ref::<datafusion::arrow::array::UInt64Array>()?;
        Some(counts.iter().flatten().sum::<u64>())
    });
    Ok(count.sum())
}

fn is_no(value: &str) -> bool {
    matches!(value.to_lowercase().as_str(), "false" | "0" | "off")
}

/// What the end of a name says of compression.
fn packing(file: &str) -> Option<&str> {
    file.rsplit_once('.').map(|(_, end)| end).filter(|end| ["gz", "zst"].contains(end))
}

fn compression(name: Option<&str>) -> Result<CompressionTypeVariant, AdapterError> {
    match name.unwrap_or("none").to_lowercase().as_str() {
        "none" | "uncompressed" => Ok(CompressionTypeVariant::UNCOMPRESSED),
        "gzip" | "gz" => Ok(CompressionTypeVariant::GZIP),
        "zstd" | "zst" => Ok(CompressionTypeVariant::ZSTD),
        other => Err(refused(format!("Parser Error: files are not written with the compression `{other}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_is_copied_where_and_how_is_read() {
        let copy = read(
            "copy \"l\".\"main\".\"t\" to 'out/t.csv' (format csv, header, delimiter ';', partition_by (year, \"a b\"))",
        );
        let copy = copy.ok().flatten().map(|copy| (copy.query, copy.file, copy.options));
        let option =
            |name: &str, values: &[&str]| (name.to_string(), values.iter().map(|value| value.to_string()).collect());
        let options = vec![
            option("format", &["csv"]),
            option("header", &["true"]),
            option("delimiter", &[";"]),
            option("partition_by", &["year", "a b"]),
        ];
        assert_eq!(copy, Some(("select * from \"l\".\"main\".\"t\"".to_string(), "out/t.csv".to_string(), options)));
        assert!(read("copy t from 'x'").is_err());
        assert_eq!(read("select 1").ok().flatten(), None);
    }
}
