//! Turns DuckDB's values into cells, with the text that DuckDB itself prints for them.

use chrono_tz::Tz;
use duckdb::core::{LogicalTypeHandle, LogicalTypeId};
use duckdb::types::{Value, ValueRef};

use crate::adapter::printed::{
    bits, blob, date, float, interval, nanos, needs_quotes, quoted, time_of_day, timestamp, zoned,
};
use crate::adapter::rows::Cell;

/// A value of a result as a cell. Times with a zone are shown in `zone`.
pub fn cell(value: ValueRef<'_>, kind: &ColumnType, zone: Tz) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Boolean(value) => Cell::Bool(value),
        ValueRef::TinyInt(value) => Cell::Int(value.into()),
        ValueRef::SmallInt(value) => Cell::Int(value.into()),
        ValueRef::Int(value) => Cell::Int(value.into()),
        ValueRef::BigInt(value) => Cell::Int(value.into()),
        ValueRef::UTinyInt(value) => Cell::Int(value.into()),
        ValueRef::USmallInt(value) => Cell::Int(value.into()),
        ValueRef::UInt(value) => Cell::Int(value.into()),
        ValueRef::UBigInt(value) => Cell::Int(value.into()),
        ValueRef::HugeInt(value) => Cell::Int(value),
        ValueRef::UHugeInt(value) => i128::try_from(value).map_or_else(|_| Cell::Decimal(value.to_string()), Cell::Int),
        ValueRef::Float(value) => Cell::Float(value.into()),
        ValueRef::Double(value) => Cell::Float(value),
        ValueRef::Decimal(value) => Cell::Decimal(value.to_string()),
        ValueRef::Text(bytes) => Cell::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Date32(days) => Cell::Date(date(days)),
        ValueRef::Timestamp(unit, ticks) if kind.id == LogicalTypeId::TimestampTZ => {
            Cell::Timestamp(zoned(unit, ticks, zone, "+00:00"))
        }
        ValueRef::Timestamp(unit, ticks) => Cell::Timestamp(timestamp(unit, ticks)),
        ValueRef::Enum(..) => Cell::Text(text(&value.to_owned(), kind, zone)),
        other => match other.to_owned() {
            Value::Union(member) if *member == Value::Null => Cell::Null,
            value => Cell::Other(text(&value, kind, zone)),
        },
    }
}

/// What is needed of a column's type to write its values: the engine's type, unfolded once for all rows.
pub struct ColumnType {
    pub id: LogicalTypeId,
    children: Vec<ColumnType>,
    /// Structs without field names are written as tuples.
    unnamed: bool,
    /// DuckDB never puts such a value between quotes, not even inside of a list.
    verbatim: bool,
}

impl ColumnType {
    pub fn new(kind: &LogicalTypeHandle) -> ColumnType {
        let id = kind.id();
        let children = (0..kind.num_children()).map(|index| ColumnType::new(&kind.child(index))).collect::<Vec<_>>();
        let unnamed = id == LogicalTypeId::Struct && (0..children.len()).all(|index| kind.child_name(index).is_empty());
        let verbatim = !children.is_empty()
            || matches!(id, LogicalTypeId::Blob | LogicalTypeId::Bit)
            || kind.get_alias().is_some_and(|alias| alias == "JSON");
        ColumnType { id, children, unnamed, verbatim }
    }

    /// Whether the type, or a type inside of it, fulfils a condition.
    pub fn any(&self, condition: &impl Fn(LogicalTypeId) -> bool) -> bool {
        condition(self.id) || self.children.iter().any(|child| child.any(condition))
    }
}

/// A value as DuckDB prints it.
fn text(value: &Value, kind: &ColumnType, zone: Tz) -> String {
    match value {
        Value::Null => "NULL".to_string(),
        Value::Boolean(value) => value.to_string(),
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::UTinyInt(value) => value.to_string(),
        Value::USmallInt(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::UBigInt(value) => value.to_string(),
        // Inside of lists a UHUGEINT comes as a signed number.
        Value::HugeInt(value) if kind.id == LogicalTypeId::UHugeint => (*value as u128).to_string(),
        Value::HugeInt(value) => value.to_string(),
        Value::UHugeInt(value) => value.to_string(),
        Value::Float(value) => float(&format!("{value:e}")),
        Value::Double(value) => float(&format!("{value:e}")),
        Value::Decimal(value) => value.to_string(),
        Value::Text(text) | Value::Enum(text) => text.clone(),
        Value::Blob(bytes) if kind.id == LogicalTypeId::Bit => bits(bytes),
        Value::Blob(bytes) => blob(bytes),
        Value::Date32(days) => date(*days),
        Value::Time64(unit, ticks) => time_of_day(nanos(*unit, *ticks)),
        Value::Timestamp(unit, ticks) if kind.id == LogicalTypeId::TimestampTZ => zoned(*unit, *ticks, zone, "+00"),
        Value::Timestamp(unit, ticks) => timestamp(*unit, *ticks),
        Value::Interval { months, days, nanos } => interval(*months, *days, *nanos),
        Value::List(items) | Value::Array(items) => {
            let items = items.iter().map(|item| element(item, kind.children.first(), zone));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        Value::Struct(fields) => {
            let fields = fields.iter().zip(&kind.children).map(|((name, value), child)| {
                let value = element(value, Some(child), zone);
                if kind.unnamed { value } else { format!("{}: {value}", quoted(name)) }
            });
            let fields = fields.collect::<Vec<_>>().join(", ");
            if kind.unnamed { format!("({fields})") } else { format!("{{{fields}}}") }
        }
        Value::Map(entries) => {
            let (keys, values) = (kind.children.first(), kind.children.get(1));
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{}={}", element(key, keys, zone), element(value, values, zone)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Union(value) => text(value, kind, zone),
        other => format!("{other:?}"),
    }
}

/// A value inside of a list, struct or map: quoted where its text could be taken for syntax.
fn element(value: &Value, kind: Option<&ColumnType>, zone: Tz) -> String {
    let plain = ColumnType { id: LogicalTypeId::Varchar, children: Vec::new(), unnamed: false, verbatim: false };
    let kind = kind.unwrap_or(&plain);
    let written = text(value, kind, zone);
    if *value == Value::Null || kind.verbatim || !needs_quotes(&written) { written } else { quoted(&written) }
}
