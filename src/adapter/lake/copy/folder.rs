//! Turns rows into a folder of files, one for each combination of values (`year=2024/month=1/data_0.parquet`).
//! Source: <https://duckdb.org/docs/stable/data/partitioning/partitioned_writes>.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::StringArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{ColumnarValue, Expr, Volatility, create_udf};
use datafusion::prelude::DataFrame;
use futures::TryStreamExt;
use object_store::path::{Path, PathPart};
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use uuid::Uuid;

use crate::adapter::AdapterError;
use crate::adapter::lake::copy::{self, Copy};
use crate::adapter::lake::error::{refused, sql_error, store_error};
use crate::adapter::lake::files::NO_VALUE;
use crate::adapter::lake::functions::casts;
use crate::adapter::lake::functions::scalar;

/// What stands in the name of a folder for something else.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'-').remove(b'.').remove(b'~');

/// Writes the files beside where they belong, where no reader looks, and moves them when all are there.
pub async fn write(
    state: &SessionState,
    rows: DataFrame,
    copy: &Copy,
    format: &str,
    address: &str,
) -> Result<u64, AdapterError> {
    let keys = keys(&rows, copy)?;
    let rows = with_values(rows, &keys).map_err(sql_error)?;
    let url = |address: &str| ListingTableUrl::parse(address).map_err(sql_error);
    let address = address.trim_end_matches('/');
    let stage_address = format!("{address}/_medal_{}/", Uuid::new_v4().simple());
    let (folder, stage) = (url(&format!("{address}/"))?, url(&stage_address)?);
    let store = state.runtime_env().object_store(&folder).map_err(sql_error)?;
    let there = list(&store, folder.prefix()).await?;
    if !there.is_empty() && !["overwrite", "overwrite_or_ignore", "append"].iter().any(|how| copy.is_on(how)) {
        let name = &copy.file;
        let help = "Enable OVERWRITE option to overwrite files";
        return Err(refused(format!("IO Error: Directory \"{name}\" is not empty! {help}")));
    }
    let how = DataFrameWriteOptions::new().with_partition_by(keys);
    let count = copy::write(rows, copy, format, &stage_address, how).await;
    let moved = match &count {
        Ok(_) => {
            if copy.is_on("overwrite") {
                delete(&store, &there).await?;
            }
            publish(&store, stage.prefix(), folder.prefix(), format, copy.is_on("append")).await
        }
        Err(_) => delete(&store, &list(&store, stage.prefix()).await?).await,
    };
    if !stage_address.contains("://") {
        // A store has no folders, but a disk has. There is nothing in it.
        let _ = std::fs::remove_dir_all(&stage_address);
    }
    moved.and(count)
}

/// The columns whose values are folders, as the rows name them.
fn keys(rows: &DataFrame, copy: &Copy) -> Result<Vec<String>, AdapterError> {
    let wanted = copy.options.iter().find(|(name, _)| name == "partition_by").map(|(_, columns)| columns.as_slice());
    let fields = rows.schema().fields();
    let key = |wanted: &String| {
        let found = fields.iter().find(|field| field.name().eq_ignore_ascii_case(wanted));
        found.map(|field| field.name().clone()).ok_or_else(|| {
            refused(format!(
                "Binder Error: \"partition_by\" expected to find {wanted}, but it was not found in the table"
            ))
        })
    };
    let keys: Vec<String> = wanted.unwrap_or_default().iter().map(key).collect::<Result<_, _>>()?;
    if keys.len() == fields.len() {
        let fact = "No column to write as all columns are specified as partition columns";
        return Err(refused(format!("Not implemented Error: {fact}")));
    }
    Ok(keys)
}

/// The rows, with what the names of folders say in place of the values of keys.
fn with_values(rows: DataFrame, keys: &[String]) -> datafusion::error::Result<DataFrame> {
    let column = |field: &Arc<datafusion::arrow::datatypes::Field>| {
        let column = Expr::Column(Column::from_name(field.name()));
        if !keys.contains(field.name()) {
            return column;
        }
        let name = "folder_value";
        let value = create_udf(
            name,
            vec![field.data_type().clone()],
            DataType::Utf8,
            Volatility::Immutable,
            Arc::new(|arguments: &[ColumnarValue]| {
                let arrays = ColumnarValue::values_to_arrays(arguments)?;
                let texts = scalar::text(&casts::written(&arrays[0])?)?;
                let values: StringArray = texts
                    .iter()
                    .map(|text| {
                        Some(text.map_or(NO_VALUE.to_string(), |text| utf8_percent_encode(text, ESCAPED).to_string()))
                    })
                    .collect();
                Ok(ColumnarValue::Array(Arc::new(values)))
            }),
        );
        value.call(vec![column]).alias(field.name())
    };
    let columns: Vec<Expr> = rows.schema().fields().iter().map(column).collect();
    rows.select(columns)
}

async fn list(store: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Vec<ObjectMeta>, AdapterError> {
    let mut found: Vec<ObjectMeta> = match store.list(Some(folder)).try_collect().await {
        Err(StoreError::NotFound { .. }) => Vec::new(),
        listed => listed.map_err(store_error)?,
    };
    found.sort_by(|a, b| a.location.cmp(&b.location));
    Ok(found)
}

async fn delete(store: &Arc<dyn ObjectStore>, files: &[ObjectMeta]) -> Result<(), AdapterError> {
    for file in files {
        store.delete(&file.location).await.map_err(store_error)?;
    }
    Ok(())
}

/// Moves what is written to where it belongs, under the names that DuckDB gives.
async fn publish(
    store: &Arc<dyn ObjectStore>,
    stage: &Path,
    folder: &Path,
    format: &str,
    is_more: bool,
) -> Result<(), AdapterError> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for file in list(store, stage).await? {
        let mut parts: Vec<PathPart> = file.location.prefix_match(stage).into_iter().flatten().collect();
        parts.pop();
        // The path is escaped once more than the values are.
        let below: Vec<String> =
            parts.iter().map(|part| percent_decode_str(part.as_ref()).decode_utf8_lossy().into_owned()).collect();
        let below = below.join("/");
        let count = counts.entry(below.clone()).or_default();
        let name = if is_more { Uuid::new_v4().to_string() } else { count.to_string() };
        *count += 1;
        let to = Path::parse(format!("{folder}/{below}/data_{name}.{format}").replace("//", "/"));
        let to = to.map_err(|error| refused(format!("IO Error: {error}")))?;
        store.rename(&file.location, &to).await.map_err(store_error)?;
    }
    Ok(())
}
