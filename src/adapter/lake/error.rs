//! Turns what DataFusion, Delta Lake and object stores say into errors with a place in the SQL that was sent.

use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::TransactionError;
use object_store::path::Path;

use crate::adapter::{AdapterError, SqlPosition};

/// How the message of a conflict begins.
const CONFLICT: &str = "Conflict Error: ";

/// Two writers have changed one table at once.
pub fn conflict(table: &Path) -> AdapterError {
    let parts: Vec<String> = table.parts().map(|part| part.as_ref().to_string()).collect();
    let name = parts[parts.len().saturating_sub(2)..].join(".");
    refused(format!(
        "{CONFLICT}`{name}` was changed by another writer meanwhile; nothing of this is kept: run it again"
    ))
}

pub fn is_conflict(error: &AdapterError) -> bool {
    matches!(error, AdapterError::Sql { message, .. } if message.starts_with(CONFLICT))
}

/// Whether a statement wanted more memory than the target allows.
pub fn is_exhausted(error: &AdapterError) -> bool {
    matches!(error, AdapterError::Sql { message, .. } if message.contains("Resources exhausted"))
}

/// An error without a place.
pub fn refused(message: impl Into<String>) -> AdapterError {
    AdapterError::Sql { message: message.into(), at: None }
}

pub fn store_error(error: object_store::Error) -> AdapterError {
    refused(format!("IO Error: {error}"))
}

pub fn delta_error(error: DeltaTableError) -> AdapterError {
    match error {
        DeltaTableError::ObjectStore { source } => store_error(source),
        DeltaTableError::Transaction { source: TransactionError::CommitConflict(what) } => {
            refused(format!("{CONFLICT}another writer has changed the table meanwhile ({what}); run it again"))
        }
        error => {
            let said = error.to_string();
            match broken_rule(&said) {
                Some(told) => refused(format!("Constraint Error: {told}")),
                None => refused(format!("Delta Error: {said}")),
            }
        }
    }
}

/// What Delta Lake says of rows that do not keep to the rules of their table.
fn broken_rule(said: &str) -> Option<String> {
    if let Some((_, rest)) = said.split_once("Invalid data found: ") {
        return Some(rest.to_string());
    }
    let (rest, _) = said.split_once("' is declared as non-nullable but contains null values")?;
    Some(format!("NOT NULL constraint failed: {}", rest.rsplit('\'').next()?))
}

/// The words that DataFusion puts before what it says, and those that DuckDB would use.
const KINDS: [(&str, &str); 4] = [
    ("Error during planning: ", "Binder Error: "),
    ("Schema error: ", "Binder Error: "),
    ("Invalid or Unsupported Configuration: ", "Settings Error: "),
    ("This feature is not implemented: ", "Not implemented Error: "),
];

pub fn sql_error(error: DataFusionError) -> AdapterError {
    let at = error.diagnostic().and_then(|diagnostic| diagnostic.span).and_then(|span| {
        let number = |number: u64| usize::try_from(number).ok().filter(|number| *number > 0);
        Some(SqlPosition { line: number(span.start.line)?, column: number(span.start.column)? })
    });
    let said = error.find_root().strip_backtrace();
    let message = match KINDS.iter().find_map(|(theirs, ours)| Some((ours, said.strip_prefix(theirs)?))) {
        Some((ours, rest)) => format!("{ours}{rest}"),
        None => said,
    };
    AdapterError::Sql { message, at }
}

/// `… at Line: 1, Column: 5` is where the parser gave up.
pub fn syntax_error(error: &ParserError) -> AdapterError {
    let said = match error {
        ParserError::TokenizerError(said) | ParserError::ParserError(said) => said.as_str(),
        ParserError::RecursionLimitExceeded => "it is nested too deeply",
    };
    let (what, place) = said.rsplit_once(" at Line: ").unwrap_or((said, ""));
    let at = place
        .split_once(", Column: ")
        .and_then(|(line, column)| Some(SqlPosition { line: line.parse().ok()?, column: column.trim().parse().ok()? }));
    AdapterError::Sql { message: format!("Parser Error: {what}"), at }
}
