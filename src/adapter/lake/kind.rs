//! Turns the types of Arrow into the names that DuckDB's `describe` has for them.

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

use crate::adapter::relation::identifier;

/// For instance `DECIMAL(18,3)` or `INTEGER[]`.
pub fn type_name(kind: &DataType) -> String {
    match kind {
        DataType::Null => "\"NULL\"".to_string(),
        DataType::Boolean => "BOOLEAN".to_string(),
        DataType::Int8 => "TINYINT".to_string(),
        DataType::Int16 => "SMALLINT".to_string(),
        DataType::Int32 => "INTEGER".to_string(),
        DataType::Int64 => "BIGINT".to_string(),
        DataType::UInt8 => "UTINYINT".to_string(),
        DataType::UInt16 => "USMALLINT".to_string(),
        DataType::UInt32 => "UINTEGER".to_string(),
        DataType::UInt64 => "UBIGINT".to_string(),
        DataType::Float16 | DataType::Float32 => "FLOAT".to_string(),
        DataType::Float64 => "DOUBLE".to_string(),
        DataType::Decimal32(width, scale)
        | DataType::Decimal64(width, scale)
        | DataType::Decimal128(width, scale)
        | DataType::Decimal256(width, scale) => format!("DECIMAL({width},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_string(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "BLOB".to_string()
        }
        DataType::Date32 | DataType::Date64 => "DATE".to_string(),
        DataType::Time32(_) | DataType::Time64(_) => "TIME".to_string(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE".to_string(),
        DataType::Timestamp(..) => "TIMESTAMP".to_string(),
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL".to_string(),
        DataType::List(item) | DataType::LargeList(item) | DataType::ListView(item) | DataType::LargeListView(item) => {
            format!("{}[]", type_name(item.data_type()))
        }
        DataType::FixedSizeList(item, length) => format!("{}[{length}]", type_name(item.data_type())),
        DataType::Struct(fields) => {
            format!("STRUCT({})", fields.iter().map(|field| member(field)).collect::<Vec<_>>().join(", "))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => {
                format!("MAP({}, {})", type_name(fields[0].data_type()), type_name(fields[1].data_type()))
            }
            other => type_name(other),
        },
        DataType::Dictionary(_, value) => type_name(value),
        DataType::RunEndEncoded(_, value) => type_name(value.data_type()),
        DataType::Union(..) => "UNION".to_string(),
    }
}

fn member(field: &Field) -> String {
    let kind = type_name(field.data_type());
    let is_plain = field.name().starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && field.name().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_plain { format!("{} {kind}", field.name()) } else { format!("{} {kind}", identifier(field.name())) }
}

/// The type in which Delta Lake stores values of a type: the same one, or one that holds all of its values. None if
/// there is no such type.
pub fn stored(kind: &DataType) -> Option<DataType> {
    let field = |field: &Field| Some(field.clone().with_data_type(stored(field.data_type())?).with_nullable(true));
    Some(match kind {
        // As DuckDB types a column of nothing but nulls.
        DataType::Null => DataType::Int32,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(width, scale) | DataType::Decimal64(width, scale) => DataType::Decimal128(*width, *scale),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::Timestamp(_, Some(_)) => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DataType::Dictionary(_, value) => stored(value)?,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            DataType::List(field(item)?.into())
        }
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|one| field(one)).collect::<Option<Vec<Field>>>()?.into())
        }
        DataType::Decimal256(..)
        | DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime | IntervalUnit::MonthDayNano)
        | DataType::Duration(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::RunEndEncoded(..)
        | DataType::Union(..) => return None,
        other => other.clone(),
    })
}
