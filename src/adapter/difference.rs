//! Compares two results as bags of rows: which rows has only one of them, whatever their order.

use std::collections::BTreeMap;

use crate::adapter::rows::{Cell, Rows};

/// Digits that two sums of the same floating-point numbers share, in whatever order they were added.
const FLOAT_DIGITS: usize = 11;

/// How two results differ: first what is only in the first of them, then what is only in the second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Difference {
    /// Columns, whatever the case of their names.
    pub columns: [Vec<String>; 2],
    /// The columns that were compared, as the first result names them.
    pub compared: Vec<String>,
    /// How many rows.
    pub rows: [usize; 2],
    /// Some of these rows, with the columns that were compared.
    pub examples: [Vec<Vec<Cell>>; 2],
}

impl Difference {
    pub fn is_none(&self) -> bool {
        self.rows == [0, 0] && self.columns.iter().all(Vec::is_empty)
    }
}

/// Compares all columns but those that are ignored. Numbers are equal if their values are, floating-point numbers up to
/// the eleventh digit.
pub fn difference(first: &Rows, second: &Rows, ignored: &[String], examples: usize) -> Difference {
    let places = [places(first, ignored), places(second, ignored)];
    let (shared, mut found) = shared(&places, [first, second]);
    let cells = |row: &[Cell], side: usize| -> Vec<Cell> {
        shared.iter().map(|(one, other)| row[if side == 0 { *one } else { *other }].clone()).collect()
    };
    let mut counts: BTreeMap<Vec<String>, (isize, Vec<Cell>)> = BTreeMap::new();
    let floats: Vec<bool> = shared.iter().map(|(a, b)| is_float(first, *a) || is_float(second, *b)).collect();
    for (rows, side, step) in [(first, 0, 1), (second, 1, -1)] {
        for row in &rows.rows {
            let row = cells(row, side);
            let key = row.iter().zip(&floats).map(|(cell, float)| key(cell, *float)).collect();
            counts.entry(key).or_insert((0, row)).0 += step;
        }
    }
    for (count, row) in counts.into_values().filter(|(count, _)| *count != 0) {
        let side = usize::from(count < 0);
        found.rows[side] += count.unsigned_abs();
        if found.examples[side].len() < examples {
            found.examples[side].push(row);
        }
    }
    found
}

/// Columns by their names in small letters.
fn places(rows: &Rows, ignored: &[String]) -> BTreeMap<String, usize> {
    let names = rows.columns.iter().map(|column| column.name.to_lowercase()).enumerate();
    names.filter(|(_, name)| !ignored.contains(name)).map(|(at, name)| (name, at)).collect()
}

/// The places of the columns that both have, in the order of the first, and what only one has.
fn shared(places: &[BTreeMap<String, usize>; 2], rows: [&Rows; 2]) -> (Vec<(usize, usize)>, Difference) {
    let mut shared: Vec<(usize, usize)> =
        places[0].iter().filter_map(|(name, at)| Some((*at, *places[1].get(name)?))).collect();
    shared.sort_unstable();
    let only = |side: usize| -> Vec<String> {
        let mut alone: Vec<usize> =
            places[side].iter().filter(|(name, _)| !places[1 - side].contains_key(*name)).map(|(_, at)| *at).collect();
        alone.sort_unstable();
        alone.into_iter().map(|at| rows[side].columns[at].name.clone()).collect()
    };
    let compared = shared.iter().map(|(at, _)| rows[0].columns[*at].name.clone()).collect();
    (shared, Difference { columns: [only(0), only(1)], compared, ..Difference::default() })
}

fn is_float(rows: &Rows, at: usize) -> bool {
    rows.rows.iter().any(|row| matches!(row[at], Cell::Float(_)))
}

/// A text that two cells share exactly if they are equal.
fn key(cell: &Cell, as_float: bool) -> String {
    let float = |value: f64| match value {
        // There is a negative zero.
        0.0 => "n0".to_string(),
        value => format!("n{value:.*e}", FLOAT_DIGITS - 1),
    };
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(value) => format!("b{value}"),
        Cell::Float(value) => float(*value),
        Cell::Int(value) if as_float => float(*value as f64),
        Cell::Int(value) => format!("n{value}"),
        Cell::Decimal(text) if as_float => text.parse().map_or_else(|_| format!("n{text}"), float),
        Cell::Decimal(text) => format!("n{}", without_zeros(text)),
        Cell::Text(text) => format!("t{text}"),
        Cell::Date(text) => format!("d{text}"),
        Cell::Timestamp(text) => match text.split_once('+') {
            Some((time, zone)) => format!("s{}+{zone}", without_zeros(time)),
            None => format!("s{}", without_zeros(text)),
        },
        Cell::Other(text) => format!("o{text}"),
    }
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::difference;
    use crate::adapter::relation::Column;
    use crate::adapter::rows::{Cell, Rows};

    fn rows(names: &[&str], rows: Vec<Vec<Cell>>) -> Rows {
        let column = |name: &&str| Column { name: name.to_string(), data_type: "VARCHAR".to_string() };
        Rows { columns: names.iter().map(column).collect(), rows }
    }

    #[test]
    fn the_same_values_are_the_same_in_any_order_and_type_of_number() {
        let first = rows(
            &["a", "b"],
            vec![vec![Cell::Int(1), Cell::Decimal("2.50".to_string())], vec![Cell::Null, Cell::Float(0.1 + 0.2)]],
        );
        let second = rows(
            &["B", "A"],
            vec![vec![Cell::Float(0.3), Cell::Null], vec![Cell::Float(2.5), Cell::Decimal("1.0".to_string())]],
        );
        assert!(difference(&first, &second, &[], 5).is_none());
    }

    #[test]
    fn rows_are_counted_and_columns_that_one_lacks_are_named() {
        let text = |text: &str| Cell::Text(text.to_string());
        let first = rows(&["a", "x"], vec![vec![text("u"), Cell::Null], vec![text("u"), Cell::Null]]);
        let second = rows(&["a", "y"], vec![vec![text("u"), Cell::Null], vec![text("1"), Cell::Null]]);
        let found = difference(&first, &second, &["y".to_string()], 1);
        assert_eq!(found.rows, [1, 1]);
        assert_eq!(found.columns, [vec!["x".to_string()], vec![]]);
        assert_eq!(found.examples, [vec![vec![text("u")]], vec![vec![text("1")]]]);
    }

    #[test]
    fn a_number_is_not_a_text_and_nothing_is_not_an_empty_text() {
        let first = rows(&["a"], vec![vec![Cell::Int(1)], vec![Cell::Null]]);
        let second = rows(&["a"], vec![vec![Cell::Text("1".to_string())], vec![Cell::Text(String::new())]]);
        assert_eq!(difference(&first, &second, &[], 0).rows, [2, 2]);
    }
}
