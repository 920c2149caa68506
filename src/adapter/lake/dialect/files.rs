//! Turns a reader of files in FROM (`read_csv('in/*.csv')`, `'orders.parquet'`) into a name that says all of it: the
//! catalog of files reads it.

use serde_json::{Map, Value as Json};
use sqlparser::ast::{
    Array, BinaryOperator, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, ObjectNamePart, Spanned, TableAlias,
    TableFactor, TableFunctionArgs, UnaryOperator, Value,
};

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::build::bare;
use crate::adapter::lake::dialect::refusal::refuse;

/// The database of the names that stand for files.
pub const DATABASE: &str = "medal_files";

/// The readers of DuckDB, and the form that each reads.
const READERS: [(&str, &str); 15] = [
    ("read_csv", "csv"),
    ("read_csv_auto", "csv"),
    ("read_json", "json"),
    ("read_json_auto", "json"),
    ("read_ndjson", "ndjson"),
    ("read_ndjson_auto", "ndjson"),
    ("read_parquet", "parquet"),
    ("parquet_scan", "parquet"),
    ("read_avro", "avro"),
    ("read_blob", "blob"),
    ("delta_scan", "delta"),
    ("read_delta", "delta"),
    // What an `ingest` model reads with.
    ("read_records", "records"),
    ("read_fields", "fields"),
    ("read_heads", "heads"),
];

/// What the name of a file ends with, and its form.
const ENDINGS: [(&str, &str); 8] = [
    (".csv", "csv"),
    (".tsv", "csv"),
    (".txt", "csv"),
    (".json", "json"),
    (".ndjson", "ndjson"),
    (".jsonl", "ndjson"),
    (".parquet", "parquet"),
    (".avro", "avro"),
];

/// Names the files that a relation reads, if it reads files.
pub fn relation(factor: &mut TableFactor) -> Result<(), AdapterError> {
    let TableFactor::Table { name, args, alias, .. } = factor else { return Ok(()) };
    let [ObjectNamePart::Identifier(written)] = name.0.as_slice() else { return Ok(()) };
    let (form, files, called) = match args.take() {
        None if written.quote_style == Some('\'') => {
            let form = form_of(&written.value).ok_or_else(|| no_form(written))?;
            let stem = written.value.rsplit('/').next().and_then(|file| file.split('.').next()).unwrap_or("file");
            (form, Json::Array(vec![written.value.as_str().into()]), stem.to_lowercase())
        }
        None => return Ok(()),
        Some(given) => {
            let reader = written.value.to_lowercase();
            let Some((_, form)) = READERS.into_iter().find(|(name, _)| *name == reader) else {
                *args = Some(given);
                return Ok(());
            };
            let (files, mut options) = arguments(&given, written)?;
            if form == "csv"
                && written_tab(&files)
                && !["delim", "delimiter", "sep"].iter().any(|name| options.contains_key(*name))
            {
                options.insert("delim".to_string(), "\t".into());
            }
            let spec = Json::from_iter([("files", files), ("options", Json::Object(options))]);
            replace(name, alias, form, &spec, &reader);
            return Ok(());
        }
    };
    let options = match written_tab(&files) {
        true => Json::from_iter([("delim", "\t")]),
        false => Json::Object(Map::new()),
    };
    replace(name, alias, form, &Json::from_iter([("files", files), ("options", options)]), &called);
    Ok(())
}

fn replace(name: &mut ObjectName, alias: &mut Option<TableAlias>, form: &str, spec: &Json, called: &str) {
    let quoted = |part: &str| Ident::with_quote('"', part);
    *name = ObjectName::from(vec![quoted(DATABASE), quoted(form), quoted(&spec.to_string())]);
    let missing = || TableAlias { explicit: true, name: quoted(called), columns: Vec::new() };
    *alias = Some(alias.take().unwrap_or_else(missing));
}

fn written_tab(files: &Json) -> bool {
    files[0].as_str().is_some_and(|file| plain(file).ends_with(".tsv"))
}

/// The name of a file without what says that it is compressed.
fn plain(file: &str) -> String {
    let file = file.to_lowercase();
    let inner = [".gz", ".zst", ".bz2", ".xz"].into_iter().find_map(|ending| file.strip_suffix(ending));
    inner.map(str::to_string).unwrap_or(file)
}

/// What a file holds, as far as its name tells.
pub fn form_of(file: &str) -> Option<&'static str> {
    let file = plain(file);
    ENDINGS.into_iter().find(|(ending, _)| file.ends_with(ending)).map(|(_, form)| form)
}

fn no_form(written: &Ident) -> AdapterError {
    let message =
        format!("what `{}` holds cannot be told from its name; write for instance `read_csv('…')`", written.value);
    refuse(written.span, message)
}

/// The files, and the options by name.
fn arguments(given: &TableFunctionArgs, reader: &Ident) -> Result<(Json, Map<String, Json>), AdapterError> {
    let (mut files, mut options) = (Vec::new(), Map::new());
    for argument in &given.args {
        let refused = || {
            let message = format!("`{argument}` is not a constant; files are read with constant names and options");
            refuse(argument.span(), message)
        };
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) if files.is_empty() => {
                files = match constant(expr).ok_or_else(refused)? {
                    Json::Array(files) => files,
                    file => vec![file],
                };
            }
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. } => {
                options.insert(name.value.to_lowercase(), constant(expr).ok_or_else(refused)?);
            }
            // `header = true` is a condition everywhere else.
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp { left, op: BinaryOperator::Eq, right })) => {
                let Expr::Identifier(name) = left.as_ref() else { return Err(refused()) };
                options.insert(name.value.to_lowercase(), constant(right).ok_or_else(refused)?);
            }
            _ => return Err(refused()),
        }
    }
    match files.is_empty() || !files.iter().all(Json::is_string) {
        true => Err(refuse(reader.span, format!("`{}` needs the name of a file", reader.value))),
        false => Ok((Json::Array(files), options)),
    }
}

fn constant(expr: &Expr) -> Option<Json> {
    Some(match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) | Value::EscapedStringLiteral(text) => {
                text.as_str().into()
            }
            Value::Number(text, _) => serde_json::from_str(text).ok()?,
            Value::Boolean(value) => (*value).into(),
            Value::Null => Json::Null,
            _ => return None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => (-constant(expr)?.as_i64()?).into(),
        Expr::Identifier(word) if word.quote_style.is_none() => match word.value.to_lowercase().as_str() {
            word @ ("true" | "false") => (word == "true").into(),
            _ => return None,
        },
        Expr::Array(Array { elem, .. }) => elem.iter().map(constant).collect::<Option<Vec<Json>>>()?.into(),
        Expr::Dictionary(fields) => {
            let field =
                |field: &sqlparser::ast::DictionaryField| Some((field.key.value.clone(), constant(&field.value)?));
            Json::Object(fields.iter().map(field).collect::<Option<Map<String, Json>>>()?)
        }
        _ => return None,
    })
}
