//! Turns what a lakehouse holds into the tables of `information_schema`, made when a query names them.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use datafusion::catalog::TableProvider;
use datafusion::datasource::MemTable;
use datafusion::error::{DataFusionError, Result};

use crate::adapter::AdapterError;
use crate::adapter::lake::catalog::Lakehouse;
use crate::adapter::lake::comment;
use crate::adapter::lake::kind::type_name;
use crate::adapter::relation::{Relation, RelationKind};

/// The name of the schema.
pub const SCHEMA: &str = "information_schema";

/// One of its tables, if there is one of this name.
pub async fn table(lake: &Lakehouse, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let columns = match name {
        "schemata" => schemata(lake).await?,
        "tables" => tables(lake).await?,
        "columns" => columns(lake).await?,
        _ => return Ok(None),
    };
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))?;
    Ok(Some(Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]])?)))
}

type Columns = Vec<(&'static str, ArrayRef)>;

fn outside(error: AdapterError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(texts))
}

async fn schemata(lake: &Lakehouse) -> Result<Columns> {
    let schemas = lake.schemas().await.map_err(outside)?;
    let database = schemas.iter().map(|_| lake.database.as_str());
    Ok(vec![("catalog_name", texts(database)), ("schema_name", texts(schemas.iter().map(String::as_str)))])
}

fn names(relations: &[&Relation]) -> Columns {
    fn part<'a>(relations: &'a [&Relation], part: fn(&Relation) -> &Option<String>) -> ArrayRef {
        texts(relations.iter().map(move |relation| part(relation).as_deref().unwrap_or_default()))
    }
    vec![
        ("table_catalog", part(relations, |relation| &relation.database)),
        ("table_schema", part(relations, |relation| &relation.schema)),
        ("table_name", part(relations, |relation| &relation.identifier)),
    ]
}

fn kind(relation: &Relation) -> &'static str {
    if relation.kind == Some(RelationKind::View) { "VIEW" } else { "BASE TABLE" }
}

async fn tables(lake: &Lakehouse) -> Result<Columns> {
    let relations = lake.relations().await.map_err(outside)?;
    let mut columns = names(&relations.iter().collect::<Vec<_>>());
    columns.push(("table_type", texts(relations.iter().map(kind))));
    Ok(columns)
}

/// Of all relations, which opens each of them. Beyond the standard it has the comments.
async fn columns(lake: &Lakehouse) -> Result<Columns> {
    let relations = lake.relations().await.map_err(outside)?;
    let (mut owners, mut found, mut types, mut positions) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut about, mut about_columns) = (Vec::new(), Vec::new());
    for relation in &relations {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let (schema, name) = (part(&relation.schema), part(&relation.identifier));
        // A view may read what is no more there.
        let Ok(Some(provider)) = Box::pin(lake.provide(&schema, &name, false)).await else { continue };
        let comments = comment::of(lake, &schema, &name).await.map_err(outside)?;
        for (field, position) in provider.schema().fields().iter().zip(1..) {
            owners.push(relation);
            types.push(type_name(field.data_type()));
            positions.push(position);
            about.push(comments.comment.clone());
            about_columns.push(comments.columns.get(field.name()).cloned());
            found.push(field.name().clone());
        }
    }
    let mut columns = names(&owners);
    columns.push(("table_type", texts(owners.iter().map(|relation| kind(relation)))));
    columns.push(("table_comment", Arc::new(StringArray::from(about))));
    columns.push(("column_name", texts(found.iter().map(String::as_str))));
    columns.push(("ordinal_position", Arc::new(Int32Array::from(positions))));
    columns.push(("data_type", texts(types.iter().map(String::as_str))));
    columns.push(("column_comment", Arc::new(StringArray::from(about_columns))));
    Ok(columns)
}
