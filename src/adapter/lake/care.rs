//! Turns `describe history`, `optimize`, `vacuum` and `restore table` into what Delta Lake does for them.
//! Source: <https://docs.delta.io/latest/delta-utility.html>.

use std::sync::Arc;

use chrono::{DateTime, Duration};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::ast::ObjectName;
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::parser::{IsOptional, Parser};
use deltalake_core::DeltaTable;
use deltalake_core::operations::optimize::OptimizeType;
use deltalake_core::operations::vacuum::VacuumMode;
use serde_json::Value as Json;

use crate::adapter::AdapterError;
use crate::adapter::lake::catalog::{Lakehouse, Named};
use crate::adapter::lake::commit::RUN_ID;
use crate::adapter::lake::error::{delta_error, refused, syntax_error};
use crate::adapter::lake::statement::parts;
use crate::adapter::lake::text::{self, Words};
use crate::adapter::lake::write::{commit_properties, properties};
use crate::adapter::relation::Column;
use crate::adapter::rows::{Cell, Rows};

/// A statement that looks after a table.
#[derive(Debug, PartialEq, Eq)]
pub enum Care {
    /// `describe history TABLE`: its versions, the newest first.
    History,
    /// `optimize TABLE [zorder by (COLUMNS)]`: fewer and larger files.
    Optimize(Vec<String>),
    /// `vacuum TABLE [retain N hours] [dry run]`: files that no younger version needs, also those that a killed
    /// process has left.
    Vacuum { hours: u64, is_dry: bool },
    /// `restore table TABLE to version as of N`: one commit that brings an earlier version back.
    Restore(u64),
}

/// The hours that Delta Lake keeps files for that are not needed any more: a week.
const RETAINED_HOURS: u64 = 168;

/// The table and what to do with it, if the text is such a statement.
pub fn read(sql: &str) -> Result<Option<(ObjectName, Care)>, AdapterError> {
    let first = text::first_word(sql)?;
    if !["desc", "describe", "optimize", "vacuum", "restore"].contains(&first.as_str()) {
        return Ok(None);
    }
    let dialect = DuckDbDialect {};
    let mut words = Words(Parser::new(&dialect).try_with_sql(sql).map_err(|error| syntax_error(&error))?);
    words.0.next_token();
    if first.starts_with("desc") && !(words.take(&["history"]) && words.is_more()) {
        return Ok(None);
    }
    words.take(&["table"]);
    let name = words.0.parse_object_name(false).map_err(|error| syntax_error(&error))?;
    let care = match first.as_str() {
        "optimize" if words.take(&["zorder", "by"]) => {
            let columns = words.0.parse_parenthesized_column_list(IsOptional::Mandatory, false);
            let columns = columns.map_err(|error| syntax_error(&error))?;
            Care::Optimize(columns.into_iter().map(|column| column.value).collect())
        }
        "optimize" => Care::Optimize(Vec::new()),
        "vacuum" => {
            let hours = if words.take(&["retain"]) { words.number()? } else { RETAINED_HOURS };
            words.take(&["hours"]);
            Care::Vacuum { hours, is_dry: words.take(&["dry", "run"]) }
        }
        "restore" => {
            words.expect(&["to", "version", "as", "of"])?;
            Care::Restore(words.number()?)
        }
        _ => Care::History,
    };
    words.end()?;
    Ok(Some((name, care)))
}

/// Does it. Gives what is to be told.
pub async fn run(lake: &Lakehouse, state: &SessionState, name: &ObjectName, care: Care) -> Result<Rows, AdapterError> {
    let Named::Table(place) = lake.find(&lake.name(&parts(name))?).await? else {
        return Err(refused(format!("Catalog Error: there is no table {name}")));
    };
    let table = lake.open(&place).await?;
    match care {
        Care::History => history(&table).await,
        Care::Optimize(columns) => optimize(state, table, columns).await,
        Care::Vacuum { hours, is_dry } => vacuum(table, hours, is_dry).await,
        Care::Restore(version) => restore(table, version).await,
    }
}

async fn history(table: &DeltaTable) -> Result<Rows, AdapterError> {
    let mut rows = Vec::new();
    for version in (0..=table.version().unwrap_or_default()).rev() {
        // Old entries of the log are cleaned up.
        let Some(entry) = table.log_store().read_commit_entry(version).await.map_err(delta_error)? else { break };
        let actions = serde_json::Deserializer::from_slice(&entry).into_iter::<Json>().map_while(Result::ok);
        let info = actions.filter_map(|action| action.get("commitInfo").cloned()).next().unwrap_or_default();
        let said = |value: &Json| match value {
            Json::Null => Cell::Null,
            Json::String(text) => Cell::Text(text.clone()),
            other => Cell::Text(other.to_string()),
        };
        let time = info["timestamp"].as_i64().and_then(DateTime::from_timestamp_millis);
        let time = time.map(|time| Cell::Timestamp(time.format("%Y-%m-%d %H:%M:%S%.f+00:00").to_string()));
        rows.push(vec![
            Cell::Int(i128::from(version)),
            time.unwrap_or(Cell::Null),
            said(&info["operation"]),
            said(&info["operationParameters"]),
            said(&info["operationMetrics"]),
            said(&info[RUN_ID]),
        ]);
    }
    let columns = ["version", "timestamp", "operation", "parameters", "metrics", "run_id"];
    Ok(Rows { columns: columns.map(column).to_vec(), rows })
}

async fn optimize(state: &SessionState, table: DeltaTable, columns: Vec<String>) -> Result<Rows, AdapterError> {
    let kind = if columns.is_empty() { OptimizeType::Compact } else { OptimizeType::ZOrder(columns) };
    let (_, metrics) = table
        .optimize()
        .with_type(kind)
        .with_session_state(Arc::new(state.clone()))
        .with_writer_properties(properties()?)
        .with_commit_properties(commit_properties())
        .await
        .map_err(delta_error)?;
    let columns = ["files_removed", "files_added", "bytes_removed", "bytes_added"];
    let total =
        |details: &deltalake_core::operations::optimize::MetricDetails| Cell::Int(i128::from(details.total_size));
    let row = vec![
        Cell::Int(i128::from(metrics.num_files_removed)),
        Cell::Int(i128::from(metrics.num_files_added)),
        total(&metrics.files_removed),
        total(&metrics.files_added),
    ];
    Ok(Rows { columns: columns.map(column).to_vec(), rows: vec![row] })
}

async fn vacuum(table: DeltaTable, hours: u64, is_dry: bool) -> Result<Rows, AdapterError> {
    let hours = i64::try_from(hours).ok().and_then(Duration::try_hours);
    let hours = hours.ok_or_else(|| refused("Parser Error: so many hours have not passed since time began"))?;
    let (_, metrics) = table
        .vacuum()
        .with_retention_period(hours)
        .with_enforce_retention_duration(false)
        .with_mode(VacuumMode::Full)
        .with_dry_run(is_dry)
        .with_commit_properties(commit_properties())
        .await
        .map_err(delta_error)?;
    let mut files = metrics.files_deleted;
    files.sort();
    Ok(Rows { columns: vec![column("file")], rows: files.into_iter().map(|file| vec![Cell::Text(file)]).collect() })
}

async fn restore(table: DeltaTable, version: u64) -> Result<Rows, AdapterError> {
    let newest = table.version().unwrap_or_default();
    if version >= newest {
        let what = if version == newest { "is there" } else { "is not there yet" };
        return Err(refused(format!("Delta Error: version {version} {what}; the newest is {newest}")));
    }
    let restored =
        table.restore().with_version_to_restore(version).with_commit_properties(commit_properties()).await.map_err(
            |error| match error.to_string().split_once("Find missing file ") {
                Some((_, file)) => {
                    let file = file.trim_end_matches(" when restore.");
                    refused(format!("Delta Error: version {version} cannot be read any more: `{file}` is deleted"))
                }
                None => delta_error(error),
            },
        )?;
    let columns = ["restored_version", "new_version", "files_removed", "files_restored"];
    let count = |count: usize| Cell::Int(count as i128);
    let row = vec![
        Cell::Int(i128::from(version)),
        Cell::Int(i128::from(restored.0.version().unwrap_or_default())),
        count(restored.1.num_removed_file),
        count(restored.1.num_restored_file),
    ];
    Ok(Rows { columns: columns.map(column).to_vec(), rows: vec![row] })
}

fn column(name: &str) -> Column {
    Column { name: name.to_string(), data_type: "VARCHAR".to_string() }
}

#[cfg(test)]
mod tests {
    use super::{Care, read};

    fn care(sql: &str) -> Option<(String, Care)> {
        read(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).map(|(name, care)| (name.to_string(), care))
    }

    #[test]
    fn statements_that_look_after_a_table_are_known() {
        let name = "\"l\".\"main\".\"t\"".to_string();
        let read = |text: &str| care(&text.replace('T', &name)).map(|(_, care)| care);
        assert_eq!(read("describe history T"), Some(Care::History));
        assert_eq!(
            read("optimize T zorder by (a, \"B\")"),
            Some(Care::Optimize(vec!["a".to_string(), "B".to_string()]))
        );
        assert_eq!(read("vacuum T retain 0 hours dry run"), Some(Care::Vacuum { hours: 0, is_dry: true }));
        assert_eq!(read("vacuum T"), Some(Care::Vacuum { hours: 168, is_dry: false }));
        assert_eq!(read("restore table T to version as of 3;"), Some(Care::Restore(3)));
        assert_eq!(read("/* why */ describe history T"), Some(Care::History));
        assert_eq!(read("describe T"), None);
        assert_eq!(read("describe history"), None);
        assert_eq!(read("select 1"), None);
    }

    #[test]
    fn what_is_more_or_less_is_refused() {
        for sql in ["vacuum t now", "restore table t", "optimize"] {
            assert!(read(sql).is_err(), "{sql}");
        }
    }
}
