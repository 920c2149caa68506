//! Turns a place in the SQL and the reason into the error that says both, and a way out.

use sqlparser::tokenizer::{Location, Span};

use crate::adapter::{AdapterError, SqlPosition};

/// An error at the start of `span`; the message says the fact, then the way out.
pub fn refuse(span: Span, message: impl Into<String>) -> AdapterError {
    AdapterError::Sql { message: message.into(), at: position(span.start) }
}

/// A place in the SQL; none if it was not written there.
pub fn position(start: Location) -> Option<SqlPosition> {
    let count = |number: u64| usize::try_from(number).ok().filter(|number| *number > 0);
    Some(SqlPosition { line: count(start.line)?, column: count(start.column)? })
}
