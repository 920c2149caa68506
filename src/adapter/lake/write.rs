//! Turns the rows of a plan into the files of a Delta Lake table, and a commit that names them.

use std::sync::Arc;

use datafusion::arrow::datatypes::Field;
use datafusion::execution::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::file::properties::WriterProperties;
use delta_kernel::engine::arrow_conversion::TryFromArrow;
use delta_kernel::schema::StructField;
use deltalake_core::kernel::transaction::CommitProperties;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::operations::write::{SchemaMode, WriteBuilder};
use deltalake_core::protocol::SaveMode;
use deltalake_core::{DeltaTable, DeltaTableBuilder};
use serde_json::Value as Json;

use crate::adapter::AdapterError;
use crate::adapter::lake::error::{delta_error, refused, sql_error};
use crate::adapter::lake::layout::Layout;
use crate::adapter::lake::nullable::storable;
use crate::adapter::lake::rules::Rules;

/// A table that gets other rows and columns, or the place where one is made.
pub struct Target {
    pub table: Option<DeltaTable>,
    pub builder: DeltaTableBuilder,
}

/// Makes a table, or gives one other rows and columns. Gives the number of rows.
pub async fn replace(
    state: &SessionState,
    target: Target,
    plan: LogicalPlan,
    layout: &Layout,
    rules: &Rules,
) -> Result<u64, AdapterError> {
    let plan = storable(plan).map_err(sql_error)?;
    if !rules.is_empty() {
        return make(target, &plan, layout, rules).await;
    }
    let (log, snapshot) = match &target.table {
        Some(table) => (table.log_store(), Some(table.snapshot().map_err(delta_error)?.snapshot().clone())),
        None => (target.builder.build_storage().map_err(delta_error)?, None),
    };
    let is_there = snapshot.is_some();
    let properties = layout.properties.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
    let mut write = WriteBuilder::new(log, snapshot)
        .with_save_mode(SaveMode::Overwrite)
        .with_partition_columns(layout.partition_by.clone())
        .with_configuration(properties);
    if is_there {
        write = write.with_schema_mode(SchemaMode::Overwrite);
    }
    finish(state, write, plan).await
}

/// Makes a table without rows, that keeps to rules.
async fn make(target: Target, plan: &LogicalPlan, layout: &Layout, rules: &Rules) -> Result<u64, AdapterError> {
    let arrow = |field: &Arc<Field>| field.as_ref().clone().with_nullable(!rules.required.contains(field.name()));
    let fields: Vec<Field> = plan.schema().fields().iter().map(arrow).collect();
    let columns: Vec<StructField> = fields
        .iter()
        .map(StructField::try_from_arrow)
        .collect::<Result<_, _>>()
        .map_err(|error| refused(error.to_string()))?;
    let log = match &target.table {
        Some(table) => table.log_store(),
        None => target.builder.build_storage().map_err(delta_error)?,
    };
    let properties = layout.properties.iter().map(|(name, value)| (name.clone(), Some(value.clone())));
    let create = CreateBuilder::new()
        .with_log_store(log)
        .with_save_mode(SaveMode::Overwrite)
        .with_columns(columns)
        .with_partition_columns(layout.partition_by.clone())
        .with_configuration(properties)
        .with_commit_properties(commit_properties());
    let table = create.await.map_err(delta_error)?;
    if !rules.checks.is_empty() {
        let checks = rules.checks.clone().into_iter().collect();
        let add = table.add_constraint().with_constraints(checks).with_commit_properties(commit_properties());
        add.await.map_err(delta_error)?;
    }
    Ok(0)
}

/// Adds rows to a table. Gives their number.
pub async fn append(state: &SessionState, table: DeltaTable, plan: LogicalPlan) -> Result<u64, AdapterError> {
    let plan = storable(plan).map_err(sql_error)?;
    let snapshot = table.snapshot().map_err(delta_error)?.snapshot().clone();
    let write = WriteBuilder::new(table.log_store(), Some(snapshot)).with_save_mode(SaveMode::Append);
    finish(state, write, plan).await
}

/// Gives a table other rows, of the same columns.
pub async fn rewrite(state: &SessionState, table: DeltaTable, plan: LogicalPlan) -> Result<u64, AdapterError> {
    let plan = storable(plan).map_err(sql_error)?;
    let snapshot = table.snapshot().map_err(delta_error)?.snapshot().clone();
    let write = WriteBuilder::new(table.log_store(), Some(snapshot)).with_save_mode(SaveMode::Overwrite);
    finish(state, write, plan).await
}

async fn finish(state: &SessionState, write: WriteBuilder, plan: LogicalPlan) -> Result<u64, AdapterError> {
    let written = write
        .with_input_plan(plan)
        .with_session_state(Arc::new(state.clone()))
        .with_writer_properties(properties()?)
        // As rows come, and not cut into smaller pieces.
        .with_write_batch_size(state.config().batch_size())
        .with_commit_properties(commit_properties())
        .await
        .map_err(delta_error)?;
    added_rows(&written).await
}

pub fn properties() -> Result<WriterProperties, AdapterError> {
    let level = ZstdLevel::try_new(1).map_err(|error| refused(error.to_string()))?;
    Ok(WriterProperties::builder().set_compression(Compression::ZSTD(level)).build())
}

/// What follows a commit waits until it is one that everybody sees.
pub fn commit_properties() -> CommitProperties {
    CommitProperties::default().with_create_checkpoint(false).with_cleanup_expired_logs(Some(false))
}

/// The number of rows that the newest commit of a table says it has added.
async fn added_rows(table: &DeltaTable) -> Result<u64, AdapterError> {
    let Some(version) = table.version() else { return Ok(0) };
    let entry = table.log_store().read_commit_entry(version).await.map_err(delta_error)?.unwrap_or_default();
    let actions = serde_json::Deserializer::from_slice(&entry).into_iter::<Json>().map_while(Result::ok);
    let counts = actions.filter_map(|action| action.pointer("/commitInfo/operationMetrics/num_added_rows")?.as_u64());
    Ok(counts.sum())
}
