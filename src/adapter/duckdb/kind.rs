//! Turns DuckDB's logical types into the names that `describe` gives them.

use duckdb::arrow::datatypes::DataType;
use duckdb::core::{LogicalTypeHandle, LogicalTypeId};

use crate::adapter::relation::identifier;

/// For instance `DECIMAL(18,3)` or `INTEGER[]`. The values of an enum are left out.
///
/// The length of an array is only in the Arrow type of the column.
pub fn type_name(kind: &LogicalTypeHandle, arrow: &DataType) -> String {
    if let Some(alias) = kind.get_alias() {
        return alias;
    }
    let child = |index: usize| type_name(&kind.child(index), &arrow_child(arrow, index));
    let named = |index: usize| match kind.child_name(index) {
        name if name.is_empty() => child(index),
        name if is_plain(&name) => format!("{name} {}", child(index)),
        name => format!("{} {}", identifier(&name), child(index)),
    };
    let members = || (0..kind.num_children()).map(named).collect::<Vec<_>>().join(", ");
    match kind.id() {
        LogicalTypeId::Decimal => format!("DECIMAL({},{})", kind.decimal_width(), kind.decimal_scale()),
        LogicalTypeId::List => format!("{}[]", child(0)),
        LogicalTypeId::Array => match arrow {
            DataType::FixedSizeList(_, length) => format!("{}[{length}]", child(0)),
            _ => format!("{}[]", child(0)),
        },
        LogicalTypeId::Map => format!("MAP({}, {})", child(0), child(1)),
        LogicalTypeId::Struct => format!("STRUCT({})", members()),
        LogicalTypeId::Union => format!("UNION({})", members()),
        LogicalTypeId::SqlNull => "\"NULL\"".to_string(),
        other => word(other).unwrap_or_else(|| upper(other)),
    }
}

/// The name of a type that nothing but its id makes up.
pub fn word(id: LogicalTypeId) -> Option<String> {
    use LogicalTypeId as Id;
    match id {
        Id::TimestampS => Some("TIMESTAMP_S".to_string()),
        Id::TimestampMs => Some("TIMESTAMP_MS".to_string()),
        Id::TimestampNs => Some("TIMESTAMP_NS".to_string()),
        Id::TimestampTZ => Some("TIMESTAMP WITH TIME ZONE".to_string()),
        Id::TimeTZ => Some("TIME WITH TIME ZONE".to_string()),
        Id::TimeNs => Some("TIME_NS".to_string()),
        Id::Boolean | Id::Tinyint | Id::Smallint | Id::Integer | Id::Bigint | Id::Hugeint => Some(upper(id)),
        Id::UTinyint | Id::USmallint | Id::UInteger | Id::UBigint | Id::UHugeint => Some(upper(id)),
        Id::Float | Id::Double | Id::Date | Id::Time | Id::Timestamp | Id::Interval => Some(upper(id)),
        Id::Varchar | Id::Blob | Id::Bit | Id::Uuid | Id::Bignum => Some(upper(id)),
        _ => None,
    }
}

fn upper(id: LogicalTypeId) -> String {
    format!("{id:?}").to_uppercase()
}

fn arrow_child(arrow: &DataType, index: usize) -> DataType {
    let field = match arrow {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => Some(field),
        DataType::Struct(fields) => fields.get(index),
        DataType::Map(entries, _) => return arrow_child(entries.data_type(), index),
        DataType::Union(fields, _) => fields.iter().nth(index).map(|(_, field)| field),
        _ => None,
    };
    field.map_or(DataType::Null, |field| field.data_type().clone())
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
