//! Turns SQL as DuckDB writes it into statements that DataFusion runs with the same meaning.

use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::adapter::AdapterError;
use crate::adapter::lake::error::syntax_error;

/// The statements of a text. What cannot be parsed is an error at its place.
pub fn statements(sql: &str) -> Result<Vec<Statement>, AdapterError> {
    Parser::parse_sql(&DuckDbDialect {}, sql).map_err(|error| syntax_error(&error))
}
