//! Turns a CSV file into a table: looked through once here for its shape and types, then read by DuckDB.

use std::fs::File;
use std::io::{BufRead, BufReader};

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use crate::adapter::duckdb::infer::Guess;
use crate::adapter::relation::{Column, Relation, identifier, literal};
use crate::adapter::{AdapterError, Connection, SeedFile, SeedLoad};

/// Replaces a table by the rows of a file. A file that cannot be read whole leaves the table as it is.
pub fn load(connection: &mut dyn Connection, relation: &Relation, seed: &SeedFile) -> Result<SeedLoad, AdapterError> {
    let mut survey = survey(seed)?;
    let quote = quote(connection, seed, &mut survey)?;
    let own_transaction = !connection.in_transaction();
    if own_transaction {
        connection.begin()?;
    }
    let loaded = fill(connection, relation, seed, &survey, quote);
    match &loaded {
        Ok(()) if own_transaction => connection.commit()?,
        Err(_) if own_transaction => connection.rollback()?,
        _ => {}
    }
    loaded.map(|()| SeedLoad { rows: survey.rows, coerced: survey.coerced })
}

/// The columns that loading a file would give, with their types as they are declared or inferred.
pub fn columns(seed: &SeedFile) -> Result<Vec<Column>, AdapterError> {
    let survey = survey(seed)?;
    Ok(survey.columns.into_iter().map(|(name, data_type)| Column { name, data_type }).collect())
}

/// What is known of a file after a look through it.
pub struct Survey {
    /// Names and types.
    pub columns: Vec<(String, String)>,
    pub rows: u64,
    /// No record takes more bytes in the file.
    longest: usize,
    pub coerced: Vec<(String, String)>,
    /// The first value, with its column, that begins with a single quote.
    single_quoted: Option<(String, String)>,
}

fn failed(message: String) -> AdapterError {
    let line = message.strip_prefix("line ").map(|rest| rest.chars().take_while(char::is_ascii_digit));
    let line = line.and_then(|digits| digits.collect::<String>().parse().ok());
    AdapterError::Seed { message, line }
}

pub fn survey(seed: &SeedFile) -> Result<Survey, AdapterError> {
    let delimiter = u8::try_from(seed.delimiter).ok().filter(u8::is_ascii);
    let delimiter = delimiter.ok_or_else(|| failed(format!("the delimiter `{}` is not ASCII", seed.delimiter)))?;
    let unread = |error| failed(format!("`{}` could not be read: {error}", seed.path.display()));
    let mut file = BufReader::new(File::open(&seed.path).map_err(unread)?);
    if file.fill_buf().map_err(unread)?.starts_with(b"\n") || file.buffer().starts_with(b"\r") {
        return Err(failed("line 1 is blank: it must name the columns".to_string()));
    }
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(file);
    let mut record = StringRecord::new();
    if !read(&mut reader, &mut record)? {
        return Err(failed("the file is empty: its first line must name the columns".to_string()));
    }
    let names = header(&record)?;
    let declared = |name: &String| seed.column_types.get(name).and_then(|kind| kind.as_str());
    let guess = |name| (seed.infer_types && declared(name).is_none()).then(Guess::new);
    let mut guesses = names.iter().map(guess).collect::<Vec<_>>();
    let (mut rows, mut longest) = (0, 0);
    let mut single_quoted = None;
    while read(&mut reader, &mut record)? {
        check_row(&record, names.len())?;
        rows += 1;
        longest = longest.max(record.as_slice().len());
        if let Some(at) = record.iter().position(|value| value.starts_with('\'')).filter(|_| single_quoted.is_none()) {
            single_quoted = Some((names[at].clone(), record[at].to_string()));
        }
        for (guess, value) in guesses.iter_mut().zip(&record) {
            if let Some(guess) = guess {
                guess.see(value);
            }
        }
    }
    let (mut columns, mut coerced) = (Vec::new(), Vec::new());
    for (name, guess) in names.into_iter().zip(guesses) {
        let (kind, changed) = guess.map_or(("VARCHAR", None), Guess::finish);
        coerced.extend(changed.map(|value| (name.clone(), value)));
        let kind = declared(&name).unwrap_or(kind).to_string();
        columns.push((name, kind));
    }
    // In the file each character can be a doubled quote, and each value has quotes and a delimiter.
    let longest = 2 * longest + 4 * columns.len();
    Ok(Survey { columns, rows, longest, coerced, single_quoted })
}

fn read(reader: &mut csv::Reader<BufReader<File>>, record: &mut StringRecord) -> Result<bool, AdapterError> {
    let line = |position: Option<&csv::Position>| position.map_or(1, csv::Position::line);
    reader.read_record(record).map_err(|error| match error.kind() {
        ErrorKind::Utf8 { pos, .. } => failed(format!("line {} is not UTF-8", line(pos.as_ref()))),
        _ => failed(error.to_string()),
    })
}

/// The names of the columns: each there, and each once.
fn header(record: &StringRecord) -> Result<Vec<String>, AdapterError> {
    check_null(record, 1)?;
    let mut names: Vec<String> = Vec::new();
    for (index, name) in record.iter().enumerate() {
        if name.trim().is_empty() {
            return Err(failed(format!("line 1: column {} has no name", index + 1)));
        }
        if names.iter().any(|other| other.to_lowercase() == name.to_lowercase()) {
            return Err(failed(format!("line 1: two columns have the name `{name}`")));
        }
        names.push(name.to_string());
    }
    Ok(names)
}

fn check_row(record: &StringRecord, columns: usize) -> Result<(), AdapterError> {
    let line = record.position().map_or(0, csv::Position::line);
    check_null(record, line)?;
    if record.len() == columns {
        return Ok(());
    }
    let quote = if record.iter().any(|value| value.contains('\n')) {
        "; maybe a quote that opens there is not closed"
    } else {
        ""
    };
    let values = if record.len() == 1 { "1 value".to_string() } else { format!("{} values", record.len()) };
    Err(failed(format!("line {line} has {values}, but the header names {columns} columns{quote}")))
}

fn check_null(record: &StringRecord, line: u64) -> Result<(), AdapterError> {
    if record.as_slice().contains('\0') {
        return Err(failed(format!("line {line} has a null byte: this is not a text file")));
    }
    Ok(())
}

fn fill(
    connection: &mut dyn Connection,
    relation: &Relation,
    seed: &SeedFile,
    survey: &Survey,
    quote: char,
) -> Result<(), AdapterError> {
    let table = if relation.is_temporary() { "temporary table" } else { "table" };
    let (name, rows) = (relation.render(), reading(seed, survey, quote));
    let sql = format!("create or replace {table} {name} as select * from {rows}");
    connection.execute(&sql).map_err(|error| match error {
        AdapterError::Sql { message, .. } => failed(condense(&message)),
        error => error,
    })?;
    let count = connection.query(&format!("select count(*) from {}", relation.render()))?;
    let count = count.rows.first().and_then(|row| row.first()?.as_int());
    // DuckDB takes the blank lines of a file of one column for nulls.
    if survey.columns.len() > 1 && count != Some(survey.rows.into()) {
        return Err(failed(format!(
            "DuckDB reads {} rows in the file, but it has {}",
            count.unwrap_or_default(),
            survey.rows
        )));
    }
    Ok(())
}

/// The character around values. dbt lets DuckDB guess it, and so `'a'` may lose its quotes: where types are inferred
/// as dbt does it, the same guess holds, and a value that it changes is named.
fn quote(connection: &mut dyn Connection, seed: &SeedFile, survey: &mut Survey) -> Result<char, AdapterError> {
    let Some(changed) = survey.single_quoted.clone().filter(|_| seed.infer_types) else { return Ok('"') };
    let path = literal(&no_pattern(&seed.path.to_string_lossy()));
    let delimiter = literal(&seed.delimiter.to_string());
    let guess = connection.query(&format!("select quote from sniff_csv({path}, delim = {delimiter}, header = true)"));
    let guess = guess.ok().and_then(|rows| rows.rows.first().and_then(|row| row.first().map(|cell| cell.text())));
    if guess.as_deref() != Some("'") {
        return Ok('"');
    }
    survey.coerced.push(changed);
    Ok('\'')
}

/// The table function that reads the file. Nothing of the file is code: names are quoted, all else is literals.
///
/// The dialect is fixed, the quote aside: what DuckDB guesses may change with the rows.
fn reading(seed: &SeedFile, survey: &Survey, quote: char) -> String {
    let columns = survey.columns.iter().map(|(name, kind)| format!("{}: {}", identifier(name), literal(kind)));
    let columns = columns.collect::<Vec<_>>().join(", ");
    let path = no_pattern(&seed.path.to_string_lossy());
    let quote = literal(&quote.to_string());
    // DuckDB's defaults are good for lines of up to 2 MB.
    let longest = survey.longest.max(2 << 20);
    format!(
        "read_csv({}, auto_detect = false, header = true, delim = {}, quote = {quote}, escape = {quote}, nullstr = '', \
         compression = 'none', max_line_size = {longest}, buffer_size = {}, \
         columns = {{{columns}}})",
        literal(&path),
        literal(&seed.delimiter.to_string()),
        longest.max(32 << 20),
    )
}

/// A path that DuckDB does not take for a pattern.
fn no_pattern(path: &str) -> String {
    path.chars().fold(String::new(), |mut path, c| {
        match c {
            '*' | '?' | '[' => path.extend(['[', c, ']']),
            c => path.push(c),
        }
        path
    })
}

/// DuckDB's report on a line of a CSV file without its advice on options that the user does not have.
fn condense(message: &str) -> String {
    let Some((_, report)) = message.split_once("CSV Error on Line: ") else {
        return message.lines().next().unwrap_or_default().to_string();
    };
    let line: String = report.chars().take_while(char::is_ascii_digit).collect();
    let lines = report.lines().skip(1).filter(|line| !line.starts_with("Original Line:"));
    let what = lines.map(str::trim).find(|line| !line.is_empty()).unwrap_or("cannot be read");
    format!("line {line}: {what}")
}
