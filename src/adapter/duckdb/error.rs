//! Turns what DuckDB says into errors with a place in the SQL that was sent.

use serde_json::Value as Json;

use crate::adapter::{AdapterError, SqlPosition};

/// An error of a connection that has `errors_as_json` set: `Kind Error: {"exception_message": …, "position": …}`.
pub fn sql_error(error: &duckdb::Error, sql: &str) -> AdapterError {
    said(&error.to_string(), sql)
}

pub fn said(said: &str, sql: &str) -> AdapterError {
    let said = said.trim();
    let Some(details) = said.find('{').and_then(|start| serde_json::from_str::<Json>(&said[start..]).ok()) else {
        return plain(said);
    };
    let text = |key: &str| details.get(key).and_then(Json::as_str);
    let (Some(kind), Some(message)) = (text("exception_type"), text("exception_message")) else {
        return plain(said);
    };
    if kind == "INTERRUPT" || kind == "Interrupt" {
        return AdapterError::Interrupted;
    }
    let offset = text("position").and_then(|position| position.parse().ok());
    // The grammar counts characters, all else bytes.
    let byte = match (offset, text("error_subtype")) {
        (Some(offset), Some("SYNTAX_ERROR")) => sql.char_indices().nth(offset).map(|(byte, _)| byte),
        (offset, _) => offset,
    };
    let at = byte.or(offset).and_then(|byte| position(sql, byte));
    let message = missing_extension(message).unwrap_or_else(|| format!("{kind} Error: {}", message.trim()));
    AdapterError::Sql { message, at }
}

/// What to do if a statement needs an extension that is not on this machine.
fn missing_extension(message: &str) -> Option<String> {
    let (name, _) = message.split_once("automatically install the required extension '")?.1.split_once('\'')?;
    let way = "nothing is downloaded unless the profile says `config_options: {autoinstall_known_extensions: true}`";
    let other = if name == "avro" { "; a target of the type `datafusion` reads Avro itself" } else { "" };
    Some(format!(
        "Missing Extension Error: this needs DuckDB's extension `{name}`, which is not installed; {way}{other}"
    ))
}

fn plain(said: &str) -> AdapterError {
    if said.starts_with("INTERRUPT Error") {
        return AdapterError::Interrupted;
    }
    AdapterError::Sql { message: said.to_string(), at: None }
}

/// Line and column of a byte of a text.
fn position(sql: &str, byte: usize) -> Option<SqlPosition> {
    let before = sql.get(..byte)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Some(SqlPosition { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 })
}

/// An error of opening a database file.
pub fn open_error(said: &str, path: &str) -> AdapterError {
    let first = said.lines().next().unwrap_or_default();
    AdapterError::Connect(if let Some(holder) = holder(first) {
        format!("the database `{path}` is in use by {holder}: DuckDB lets one process write to a file at a time")
    } else if said.contains("not a valid DuckDB database file") {
        format!("`{path}` is not a DuckDB database")
    } else if said.contains("checksum") {
        format!("the database `{path}` is damaged: {first}")
    } else {
        format!("the database `{path}` could not be opened: {first}")
    })
}

/// Who holds the lock of a file, for instance `process 123 (/usr/bin/python3)`.
fn holder(said: &str) -> Option<String> {
    let (_, after) = said.split_once("Conflicting lock is held")?;
    let (_, pid) = after.split_once("PID ")?;
    let pid: String = pid.chars().take_while(char::is_ascii_digit).collect();
    let program = after.split_once("in ").and_then(|(_, program)| program.split_once(" (PID"));
    Some(match program {
        Some((program, _)) => format!("process {pid} ({program})"),
        None => format!("process {pid}"),
    })
}

#[cfg(test)]
mod tests {
    use super::open_error;

    #[test]
    fn a_locked_database_names_the_process_that_holds_it() {
        let said = "IO Error: Could not set lock on file \"/shop.duckdb\": Conflicting lock is held in /usr/bin/python3 (PID 25998). \
                    See also https://duckdb.org/docs/stable/connect/concurrency";
        assert_eq!(
            open_error(said, "shop.duckdb").to_string(),
            "the database `shop.duckdb` is in use by process 25998 (/usr/bin/python3): DuckDB lets one process write to a file \
             at a time"
        );
    }
}
