//! Turns the columns of two files into those that hold the values of both.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};

/// The columns of two files together.
pub fn wider_fields(one: &Fields, other: &Fields) -> Fields {
    let same = |fields: &Fields, name: &str| fields.iter().find(|field| field.name() == name).cloned();
    let both = one.iter().map(|field| match same(other, field.name()) {
        None => field.clone(),
        Some(there) => {
            let kind = wider(field.data_type(), there.data_type());
            Arc::new(Field::new(field.name(), kind, true))
        }
    });
    let new = other.iter().filter(|field| same(one, field.name()).is_none()).cloned();
    both.chain(new).collect()
}

/// The type that holds the values of both.
pub fn wider(one: &DataType, other: &DataType) -> DataType {
    match (one, other) {
        (one, other) if one == other => one.clone(),
        (DataType::Null, kind) | (kind, DataType::Null) => kind.clone(),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => DataType::Float64,
        (DataType::Date32, kind @ DataType::Timestamp(..)) | (kind @ DataType::Timestamp(..), DataType::Date32) => {
            kind.clone()
        }
        (DataType::Timestamp(_, None), DataType::Timestamp(_, None)) => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        (DataType::Struct(one), DataType::Struct(other)) => DataType::Struct(wider_fields(one, other)),
        (DataType::List(one), DataType::List(other)) => {
            let kind = wider(one.data_type(), other.data_type());
            DataType::List(Arc::new(one.as_ref().clone().with_data_type(kind).with_nullable(true)))
        }
        _ => type_coercion(one, other),
    }
}

/// Numbers of different sizes, as files of Parquet have them; all else is text.
fn type_coercion(one: &DataType, other: &DataType) -> DataType {
    let both = datafusion::logical_expr::type_coercion::binary::comparison_coercion(one, other);
    both.filter(|kind| kind.is_numeric()).unwrap_or(DataType::Utf8)
}
