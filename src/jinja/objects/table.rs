//! The result of a query as templates see it: `.columns`, `.rows`, `.column_names`, as agate has them.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use crate::adapter::rows::{Cell, Rows};
use crate::jinja::collections::{Dict, List};
use crate::jinja::functions::Arguments;
use crate::jinja::limits;
use crate::jinja::modules::datetime;
use crate::jinja::objects::view::{View, ViewKind};
use crate::jinja::python;

/// A query result.
#[derive(Debug)]
pub struct Table {
    names: Vec<String>,
    types: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// A row (`row[0]`, `row['a']`, `row.a`) or the rows or columns of a table, each by number or name.
#[derive(Debug)]
struct Named {
    names: Vec<String>,
    values: Vec<Value>,
}

/// A column of a table.
#[derive(Debug)]
struct TableColumn {
    name: String,
    index: usize,
    data_type: String,
    values: Vec<Value>,
}

fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::from(()),
        Cell::Bool(value) => Value::from(*value),
        Cell::Int(value) => i64::try_from(*value).map_or_else(|_| Value::from(*value), Value::from),
        Cell::Float(value) => Value::from(*value),
        Cell::Decimal(digits) => decimal(digits),
        Cell::Date(text) | Cell::Timestamp(text) => datetime::parse(text).unwrap_or_else(|| Value::from(text.as_str())),
        Cell::Text(text) | Cell::Other(text) => Value::from(text.as_str()),
    }
}

/// Digits that a float holds exactly enough to print them again.
const FLOAT_DIGITS: usize = 15;

/// Whole numbers stay exact, and others become floats. What a float cannot hold stays text: it prints as it is, and
/// arithmetic with it fails aloud instead of losing digits.
fn decimal(digits: &str) -> Value {
    if let Ok(int) = digits.parse::<i64>() {
        return Value::from(int);
    }
    match digits.parse::<f64>() {
        Ok(float) if digits.bytes().filter(u8::is_ascii_digit).count() <= FLOAT_DIGITS => Value::from(float),
        _ => Value::from(digits),
    }
}

impl Table {
    pub fn value(rows: &Rows) -> Value {
        Value::from_object(Table {
            names: rows.columns.iter().map(|column| column.name.clone()).collect(),
            types: rows.columns.iter().map(|column| column.data_type.clone()).collect(),
            rows: rows.rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
        })
    }

    /// `adapter.convert_type(table, index)`: the type that dbt gives a column of a seed.
    pub fn seed_type(table: &Value, index: Value) -> Value {
        let table = table.downcast_object_ref::<Table>();
        let Some(kind) = table.and_then(|table| table.types.get(index.as_usize()?)) else { return Value::from(()) };
        Value::from(match kind.to_uppercase().as_str() {
            kind if kind.ends_with("INT") || kind.ends_with("INTEGER") => "integer",
            "DOUBLE" | "FLOAT" => "float8",
            kind if kind.starts_with("DECIMAL") => "float8",
            "BOOLEAN" => "boolean",
            "DATE" => "date",
            kind if kind.starts_with("TIMESTAMP") => "timestamp without time zone",
            "TIME" | "INTERVAL" => "time",
            _ => "text",
        })
    }

    fn row(&self, row: &[Value]) -> Value {
        Value::from_object(Named { names: self.names.clone(), values: row.to_vec() })
    }

    fn rows(&self) -> Vec<Value> {
        self.rows.iter().map(|row| self.row(row)).collect()
    }

    fn column(&self, index: usize) -> Value {
        let values = self.rows.iter().map(|row| row[index].clone()).collect();
        let (name, data_type) = (self.names[index].clone(), self.types[index].clone());
        Value::from_object(TableColumn { name, index, data_type, values })
    }

    /// The rows as a list of tuples: `load_result('x').data`.
    pub fn data(&self) -> Result<Value, Error> {
        List::value(self.rows.iter().map(|row| Value::from(Tuple::from(row.clone()))).collect())
    }

    fn columns_at(&self, indexes: &[usize]) -> Value {
        Value::from_object(Table {
            names: indexes.iter().map(|at| self.names[*at].clone()).collect(),
            types: indexes.iter().map(|at| self.types[*at].clone()).collect(),
            rows: self.rows.iter().map(|row| indexes.iter().map(|at| row[*at].clone()).collect()).collect(),
        })
    }

    fn with_rows(&self, rows: Vec<Vec<Value>>) -> Value {
        Value::from_object(Table { names: self.names.clone(), types: self.types.clone(), rows })
    }

    /// The numbers of the columns that a method names.
    fn wanted(&self, args: &Arguments) -> Result<Vec<usize>, Error> {
        let value = args.required(0)?;
        let names = if value.as_str().is_some() { vec![value] } else { value.try_iter()?.collect() };
        Ok(names
            .iter()
            .filter_map(|name| self.names.iter().position(|other| Some(other.as_str()) == name.as_str()))
            .collect())
    }
}

fn texts(names: &[String]) -> Value {
    Value::from(Tuple::from(names.iter().map(|name| Value::from(name.as_str())).collect::<Vec<_>>()))
}

impl Object for Table {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(index) = key.as_usize() {
            return self.rows.get(index).map(|row| self.row(row));
        }
        Some(match key.as_str()? {
            "columns" => {
                let values = (0..self.names.len()).map(|index| self.column(index)).collect();
                Value::from_object(Named { names: self.names.clone(), values })
            }
            "rows" => Value::from_object(Named { names: Vec::new(), values: self.rows() }),
            "column_names" => texts(&self.names),
            "column_types" => texts(&self.types),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.rows())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.rows.len())
    }

    /// A result is true even without rows, as any object of Python is.
    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        match name {
            "print_table" | "print_csv" | "print_json" => {
                crate::jinja::render::render(state)?.host.log(&self.printed(), true);
                Ok(Value::from(()))
            }
            "limit" => {
                let count = args.int(0, 0)?.max(0) as usize;
                Ok(self.with_rows(self.rows.iter().take(count).cloned().collect()))
            }
            "select" => Ok(self.columns_at(&self.wanted(&args)?)),
            "exclude" => {
                let dropped = self.wanted(&args)?;
                Ok(self.columns_at(&(0..self.names.len()).filter(|at| !dropped.contains(at)).collect::<Vec<_>>()))
            }
            "rename" => {
                let names = args.value(0, "column_names")?;
                let renamed = |name: &String| names.get_attr(name).ok().filter(|new| !new.is_undefined());
                let names = match names.as_object() {
                    Some(object) if object.repr() == ObjectRepr::Seq => {
                        names.try_iter()?.map(|name| python::text(&name)).collect()
                    }
                    _ => self
                        .names
                        .iter()
                        .map(|name| renamed(name).map_or_else(|| name.clone(), |new| python::text(&new)))
                        .collect(),
                };
                Ok(Value::from_object(Table { names, types: self.types.clone(), rows: self.rows.clone() }))
            }
            "where" | "order_by" | "group_by" | "join" => Err(crate::jinja::error::raise(
                crate::jinja::ErrorKind::Unsupported,
                format!("`{name}` of a query result is not supported"),
                Some("let the query do it".to_string()),
            )),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<agate.table.Table object>")
    }
}

impl Table {
    /// The table as text, for `print_table`.
    fn printed(&self) -> String {
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(python::text).collect()).collect();
        let width =
            |at: usize| rows.iter().map(|row| row[at].chars().count()).chain([self.names[at].chars().count()]).max();
        let widths: Vec<usize> = (0..self.names.len()).map(|at| width(at).unwrap_or(0).min(limits::WIDTH)).collect();
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            format!("| {} |", cells.join(" | "))
        };
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let mut lines = vec![line(&self.names), line(&rule)];
        lines.extend(rows.iter().map(|row| line(row)));
        lines.join("\n")
    }
}

impl Object for Named {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(index) = key.as_usize() {
            return self.values.get(index).cloned();
        }
        let key = key.as_str()?;
        let index = self.names.iter().position(|name| name == key);
        let index = index.or_else(|| self.names.iter().position(|name| name.eq_ignore_ascii_case(key)))?;
        self.values.get(index).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values.clone())
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        let names = || self.names.iter().map(|name| Value::from(name.as_str()));
        Ok(match name {
            "values" => Value::from(Tuple::from(self.values.clone())),
            "keys" => texts(&self.names),
            "items" => {
                let items = names().zip(self.values.iter().cloned());
                View::value(
                    ViewKind::Items,
                    items.map(|(name, value)| Value::from(Tuple::from([name, value]))).collect(),
                )
            }
            "get" => {
                self.get_value(&args.required(0)?).or_else(|| args.get(1, "default")).unwrap_or_else(|| Value::from(()))
            }
            "dict" | "to_dict" => Dict::value(names().zip(self.values.iter().cloned()).collect())?,
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.names.is_empty() {
            return python::write_items(f, "(", self.values.clone(), ")");
        }
        write!(f, "<agate.Row: ")?;
        python::write_items(f, "(", self.values.clone(), ")>")
    }
}

impl Object for TableColumn {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Some(index) = key.as_usize() {
            return self.values.get(index).cloned();
        }
        Some(match key.as_str()? {
            "name" => Value::from(self.name.as_str()),
            "index" => Value::from(self.index),
            "data_type" => Value::from(self.data_type.as_str()),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.values.clone())
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, _args: &[Value]) -> Result<Value, Error> {
        let without_nulls = || self.values.iter().filter(|value| !value.is_none()).cloned();
        Ok(match name {
            "values" => Value::from(Tuple::from(self.values.clone())),
            "values_distinct" => View::set(self.values.iter().cloned()),
            "values_without_nulls" => Value::from(Tuple::from(without_nulls().collect::<Vec<_>>())),
            "values_sorted" => Value::from(Tuple::from(crate::jinja::methods::sorted(self.values.clone(), false)?)),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<agate.columns.Column object>")
    }
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn a_decimal_never_loses_digits() {
        let shown =
            ["1.50", "2", "12345678901234567890.10", "0.1234567890123456789"].map(|text| decimal(text).to_string());
        assert_eq!(shown, ["1.5", "2", "12345678901234567890.10", "0.1234567890123456789"]);
    }
}
