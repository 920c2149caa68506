//! Turns the values of Arrow arrays into cells, with the text that DuckDB prints for them.

use chrono_tz::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{self as kinds, DataType, IntervalUnit, TimeUnit};
use duckdb::types::TimeUnit as Unit;

use crate::adapter::AdapterError;
use crate::adapter::lake::error::refused;
use crate::adapter::printed;
use crate::adapter::rows::Cell;

/// The rows of a batch.
pub fn rows(batch: &RecordBatch) -> Result<Vec<Vec<Cell>>, AdapterError> {
    let cells = |row: usize| batch.columns().iter().map(|column| cell(column, row)).collect();
    (0..batch.num_rows()).map(cells).collect()
}

fn cell(array: &ArrayRef, row: usize) -> Result<Cell, AdapterError> {
    if array.is_null(row) {
        return Ok(Cell::Null);
    }
    macro_rules! number {
        ($kind:ty) => {
            array.as_primitive::<$kind>().value(row)
        };
    }
    Ok(match array.data_type() {
        DataType::Null => Cell::Null,
        DataType::Boolean => Cell::Bool(array.as_boolean().value(row)),
        DataType::Int8 => Cell::Int(number!(kinds::Int8Type).into()),
        DataType::Int16 => Cell::Int(number!(kinds::Int16Type).into()),
        DataType::Int32 => Cell::Int(number!(kinds::Int32Type).into()),
        DataType::Int64 => Cell::Int(number!(kinds::Int64Type).into()),
        DataType::UInt8 => Cell::Int(number!(kinds::UInt8Type).into()),
        DataType::UInt16 => Cell::Int(number!(kinds::UInt16Type).into()),
        DataType::UInt32 => Cell::Int(number!(kinds::UInt32Type).into()),
        DataType::UInt64 => Cell::Int(number!(kinds::UInt64Type).into()),
        DataType::Float32 => Cell::Float(number!(kinds::Float32Type).into()),
        DataType::Float64 => Cell::Float(number!(kinds::Float64Type)),
        DataType::Decimal128(_, 0) => Cell::Int(number!(kinds::Decimal128Type)),
        DataType::Decimal32(..) => Cell::Decimal(array.as_primitive::<kinds::Decimal32Type>().value_as_string(row)),
        DataType::Decimal64(..) => Cell::Decimal(array.as_primitive::<kinds::Decimal64Type>().value_as_string(row)),
        DataType::Decimal128(..) => Cell::Decimal(array.as_primitive::<kinds::Decimal128Type>().value_as_string(row)),
        DataType::Decimal256(..) => Cell::Decimal(array.as_primitive::<kinds::Decimal256Type>().value_as_string(row)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Cell::Text(text(array, row)?),
        DataType::Date32 | DataType::Date64 => Cell::Date(text(array, row)?),
        DataType::Timestamp(unit, zone) => Cell::Timestamp(moment(array, row, unit, zone.is_some(), "+00:00")),
        DataType::Dictionary(..) => cell(&plain(array)?, row)?,
        _ => Cell::Other(text(array, row)?),
    })
}

/// The array without its dictionary.
fn plain(array: &ArrayRef) -> Result<ArrayRef, AdapterError> {
    let dictionary = array.as_any_dictionary();
    let taken = datafusion::arrow::compute::take(dictionary.values(), dictionary.keys(), None);
    taken.map_err(|error| refused(error.to_string()))
}

/// A value as DuckDB prints it.
pub fn text(array: &ArrayRef, row: usize) -> Result<String, AdapterError> {
    if array.is_null(row) {
        return Ok("NULL".to_string());
    }
    let unreadable = || refused(format!("a value of the type {} cannot be read; cast it", array.data_type()));
    Ok(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_string(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_string(),
        DataType::Utf8View => array.as_string_view().value(row).to_string(),
        DataType::Binary => printed::blob(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => printed::blob(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => printed::blob(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => printed::blob(array.as_fixed_size_binary().value(row)),
        DataType::Float32 => printed::float(&format!("{:e}", array.as_primitive::<kinds::Float32Type>().value(row))),
        DataType::Float64 => printed::float(&format!("{:e}", array.as_primitive::<kinds::Float64Type>().value(row))),
        DataType::Date32 => printed::date(array.as_primitive::<kinds::Date32Type>().value(row)),
        DataType::Date64 => {
            let days = array.as_primitive::<kinds::Date64Type>().value(row).div_euclid(86_400_000);
            printed::date(i32::try_from(days).map_err(|_| unreadable())?)
        }
        DataType::Time32(TimeUnit::Second) => {
            time(Unit::Second, array.as_primitive::<kinds::Time32SecondType>().value(row).into())
        }
        DataType::Time32(_) => {
            time(Unit::Millisecond, array.as_primitive::<kinds::Time32MillisecondType>().value(row).into())
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            time(Unit::Microsecond, array.as_primitive::<kinds::Time64MicrosecondType>().value(row))
        }
        DataType::Time64(_) => time(Unit::Nanosecond, array.as_primitive::<kinds::Time64NanosecondType>().value(row)),
        DataType::Timestamp(unit, zone) => moment(array, row, unit, zone.is_some(), "+00"),
        DataType::Interval(unit) => interval(array, row, unit),
        DataType::List(_) => list(&array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row))?,
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row))?,
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            let members = columns
                .map(|(field, column)| Ok(format!("{}: {}", printed::quoted(field.name()), element(column, row)?)));
            format!("{{{}}}", members.collect::<Result<Vec<_>, AdapterError>>()?.join(", "))
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let entries = (0..entries.len()).map(|at| Ok(format!("{}={}", element(keys, at)?, element(values, at)?)));
            format!("{{{}}}", entries.collect::<Result<Vec<_>, AdapterError>>()?.join(", "))
        }
        DataType::Dictionary(..) => text(&plain(array)?, row)?,
        kind if kind.is_numeric() || *kind == DataType::Boolean => cell(array, row)?.text(),
        _ => return Err(unreadable()),
    })
}

fn list(items: &ArrayRef) -> Result<String, AdapterError> {
    let items: Vec<String> = (0..items.len()).map(|at| element(items, at)).collect::<Result<_, _>>()?;
    Ok(format!("[{}]", items.join(", ")))
}

/// A value inside of a list, struct or map: quoted where its text could be taken for syntax.
fn element(array: &ArrayRef, row: usize) -> Result<String, AdapterError> {
    let written = text(array, row)?;
    let verbatim = array.data_type().is_nested() || array.data_type().is_binary();
    Ok(if array.is_null(row) || verbatim || !printed::needs_quotes(&written) {
        written
    } else {
        printed::quoted(&written)
    })
}

fn time(unit: Unit, ticks: i64) -> String {
    printed::time_of_day(printed::nanos(unit, ticks))
}

/// Times with a zone are shown in UTC, the time zone of every session.
fn moment(array: &ArrayRef, row: usize, unit: &TimeUnit, is_zoned: bool, form: &str) -> String {
    let (unit, ticks) = match unit {
        TimeUnit::Second => (Unit::Second, array.as_primitive::<kinds::TimestampSecondType>().value(row)),
        TimeUnit::Millisecond => {
            (Unit::Millisecond, array.as_primitive::<kinds::TimestampMillisecondType>().value(row))
        }
        TimeUnit::Microsecond => {
            (Unit::Microsecond, array.as_primitive::<kinds::TimestampMicrosecondType>().value(row))
        }
        TimeUnit::Nanosecond => (Unit::Nanosecond, array.as_primitive::<kinds::TimestampNanosecondType>().value(row)),
    };
    if is_zoned { printed::zoned(unit, ticks, Tz::UTC, form) } else { printed::timestamp(unit, ticks) }
}

fn interval(array: &ArrayRef, row: usize, unit: &IntervalUnit) -> String {
    match unit {
        IntervalUnit::YearMonth => {
            printed::interval(array.as_primitive::<kinds::IntervalYearMonthType>().value(row), 0, 0)
        }
        IntervalUnit::DayTime => {
            let value = array.as_primitive::<kinds::IntervalDayTimeType>().value(row);
            printed::interval(0, value.days, i64::from(value.milliseconds) * 1_000_000)
        }
        IntervalUnit::MonthDayNano => {
            let value = array.as_primitive::<kinds::IntervalMonthDayNanoType>().value(row);
            printed::interval(value.months, value.days, value.nanoseconds)
        }
    }
}
