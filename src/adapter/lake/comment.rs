//! Turns `comment on` into metadata of a table, or a line before the query of a view; and gives comments back.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{CommentObject, ObjectName};
use delta_kernel::schema::{MetadataValue, StructField};
use deltalake_core::operations::update_table_metadata::TableMetadataUpdate;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use crate::adapter::AdapterError;
use crate::adapter::lake::catalog::{Lakehouse, Named};
use crate::adapter::lake::error::{delta_error, refused, store_error};
use crate::adapter::lake::statement::parts;
use crate::adapter::lake::write;

/// What a relation and its columns are about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comments {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
}

/// How the line begins that keeps the comments of a view.
const LINE: &str = "-- medal: ";

/// Writes down a comment.
pub async fn comment(
    lake: &Lakehouse,
    kind: CommentObject,
    name: &ObjectName,
    comment: Option<String>,
) -> Result<(), AdapterError> {
    let mut parts = parts(name);
    let column = match kind {
        CommentObject::Table => None,
        CommentObject::Column => parts.pop(),
        _ => return Err(refused(format!("Not implemented Error: a lakehouse has no comments on a {kind}"))),
    };
    match lake.find(&lake.name(&parts)?).await? {
        Named::View(path) => of_view(lake, &path, column, comment).await,
        Named::Table(place) => {
            let table = lake.open(&place).await?;
            let text = comment.unwrap_or_default();
            let written = match column {
                None => {
                    let update = TableMetadataUpdate { name: None, description: Some(text) };
                    table
                        .update_table_metadata()
                        .with_update(update)
                        .with_commit_properties(write::commit_properties())
                        .await
                }
                Some(column) => {
                    let metadata = [("comment".to_string(), MetadataValue::String(text))].into_iter().collect();
                    let update = table.update_field_metadata().with_field_name(&column).with_metadata(metadata);
                    update.with_commit_properties(write::commit_properties()).await
                }
            };
            written.map(drop).map_err(delta_error)
        }
        _ => Err(refused(format!("Catalog Error: `{name}` does not exist"))),
    }
}

/// The comments of a table or a view.
pub async fn of(lake: &Lakehouse, schema: &str, name: &str) -> Result<Comments, AdapterError> {
    match lake.find_exact(schema, name).await? {
        Named::View(path) => {
            let bytes = lake.overlay.get(&path).await.map_err(store_error)?.bytes().await.map_err(store_error)?;
            Ok(read(&String::from_utf8_lossy(&bytes)).0)
        }
        Named::Table(place) => {
            let table = lake.open(&place).await?;
            let state = table.snapshot().map_err(delta_error)?;
            let is_said = |text: &&str| !text.is_empty();
            let comment = state.metadata().description().filter(is_said).map(str::to_string);
            let text = |field: &StructField| match field.metadata().get("comment") {
                Some(MetadataValue::String(text)) if !text.is_empty() => Some((field.name().clone(), text.clone())),
                _ => None,
            };
            Ok(Comments { comment, columns: state.schema().fields().filter_map(text).collect() })
        }
        _ => Ok(Comments::default()),
    }
}

async fn of_view(
    lake: &Lakehouse,
    path: &Path,
    column: Option<String>,
    comment: Option<String>,
) -> Result<(), AdapterError> {
    let bytes = lake.overlay.get(path).await.map_err(store_error)?.bytes().await.map_err(store_error)?;
    let (mut comments, query) = read(&String::from_utf8_lossy(&bytes));
    match (column, comment) {
        (None, comment) => comments.comment = comment,
        (Some(column), Some(comment)) => drop(comments.columns.insert(column, comment)),
        (Some(column), None) => drop(comments.columns.remove(&column)),
    }
    let line = serde_json::to_string(&comments).map_err(|error| refused(error.to_string()))?;
    let text = format!("{LINE}{line}\n{query}");
    lake.overlay.put(path, PutPayload::from(text)).await.map(drop).map_err(store_error)
}

/// The comments of a view, and its query.
pub fn read(text: &str) -> (Comments, String) {
    match text.strip_prefix(LINE).and_then(|rest| rest.split_once('\n')) {
        Some((line, query)) => (serde_json::from_str(line).unwrap_or_default(), query.to_string()),
        None => (Comments::default(), text.to_string()),
    }
}
