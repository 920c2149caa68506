//! Rows that an engine gives back.

use crate::adapter::relation::Column;

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    /// Digits as the engine writes them, for instance `12.50`.
    Decimal(String),
    Text(String),
    /// `2024-01-31`.
    Date(String),
    /// `2024-01-31 12:00:00.5`, with `+00:00` where it has a time zone.
    Timestamp(String),
    /// Everything else (lists, structs, intervals, blobs …), as the engine writes it.
    Other(String),
}

impl Cell {
    /// As the engine's shell would print it; null is empty.
    pub fn text(&self) -> String {
        match self {
            Cell::Null => String::new(),
            Cell::Bool(value) => value.to_string(),
            Cell::Int(value) => value.to_string(),
            Cell::Float(value) => value.to_string(),
            Cell::Decimal(text) | Cell::Text(text) | Cell::Date(text) | Cell::Timestamp(text) | Cell::Other(text) => {
                text.clone()
            }
        }
    }

    pub fn as_int(&self) -> Option<i128> {
        match self {
            Cell::Int(value) => Some(*value),
            Cell::Bool(value) => Some(i128::from(*value)),
            Cell::Decimal(text) | Cell::Text(text) => text.parse().ok(),
            Cell::Float(value) if value.fract() == 0.0 => Some(*value as i128),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Cell::Bool(value) => Some(*value),
            Cell::Int(value) => Some(*value != 0),
            _ => None,
        }
    }
}

/// The result of a query: columns, and rows of as many cells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
}
