//! Turns `with (…)` of a `create table` into how the table is laid out.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{CreateTableOptions, Expr, SqlOption, Value};

use crate::adapter::AdapterError;
use crate::adapter::lake::error::refused;

/// How a table is laid out.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns whose values are folders.
    pub partition_by: Vec<String>,
    /// Properties of Delta Lake, such as `delta.appendOnly`.
    pub properties: BTreeMap<String, String>,
}

/// Reads the options: `partition_by`, and properties of Delta Lake.
pub fn layout(options: &CreateTableOptions) -> Result<Layout, AdapterError> {
    let mut layout = Layout::default();
    let options = match options {
        CreateTableOptions::None => return Ok(layout),
        CreateTableOptions::With(options)
        | CreateTableOptions::Options(options)
        | CreateTableOptions::Plain(options)
        | CreateTableOptions::TableProperties(options) => options,
    };
    for option in options {
        let SqlOption::KeyValue { key, value } = option else {
            return Err(refused(format!("Parser Error: `{option}` is not an option of a table")));
        };
        let value = text(value);
        match key.value.as_str() {
            "partition_by" => {
                let names = value.split(',').map(|name| name.trim().trim_matches('"').to_string());
                layout.partition_by = names.filter(|name| !name.is_empty()).collect();
            }
            name if name.starts_with("delta.") => drop(layout.properties.insert(name.to_string(), value)),
            name => {
                let message = format!(
                    "Parser Error: a table has no option `{name}`; the options are `partition_by` and properties of Delta \
                     Lake, such as \"delta.appendOnly\""
                );
                return Err(refused(message));
            }
        }
    }
    Ok(layout)
}

fn text(value: &Expr) -> String {
    match value {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}
