//! Turns the rows of a unit test, actual and expected, into a small table of where they differ.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::adapter::rows::{Cell, Rows};

/// The column that tells the two sides apart.
const SIDE: &str = "actual_or_expected";
/// So many rows that differ are shown.
const SHOWN: usize = 50;

/// A value as it is shown; none is null.
type Value = Option<String>;

/// One row of the table.
#[derive(Debug, PartialEq)]
enum Line<'r> {
    Same(&'r [Value]),
    /// In the actual rows only.
    Extra(&'r [Value]),
    /// In the expected rows only.
    Missing(&'r [Value]),
    /// What is expected, and what there is.
    Changed(&'r [Value], &'r [Value]),
}

/// How the two sides differ, whatever the order of their rows; none if they do not.
pub fn difference(rows: &Rows) -> Option<String> {
    let at = rows.columns.iter().position(|column| column.name.eq_ignore_ascii_case(SIDE))?;
    let names: Vec<String> = rows.columns.iter().map(|column| column.name.clone()).collect();
    let side = |name: &str| {
        let of_side = rows.rows.iter().filter(|row| matches!(&row[at], Cell::Text(text) if text == name));
        let mut found: Vec<Vec<Value>> = of_side.map(|row| values(row, at)).collect();
        found.sort_by(|a, b| order(a, b));
        found
    };
    let (expected, actual) = (side("expected"), side("actual"));
    let lines = compare(&expected, &actual);
    let names: Vec<Value> =
        names.into_iter().enumerate().filter(|(i, _)| *i != at).map(|(_, name)| Some(name)).collect();
    lines.iter().any(|line| !matches!(line, Line::Same(_))).then(|| table(&names, &lines))
}

fn values(row: &[Cell], side: usize) -> Vec<Value> {
    let shown = |cell: &Cell| match cell {
        Cell::Null => None,
        cell => Some(cell.text().replace('\n', "\\n")),
    };
    row.iter().enumerate().filter(|(at, _)| *at != side).map(|(_, cell)| shown(cell)).collect()
}

/// Numbers by value, other values as texts, nulls last.
fn order(a: &[Value], b: &[Value]) -> Ordering {
    let number = |value: &Value| value.as_ref().and_then(|text| text.parse::<f64>().ok());
    let compare = |(a, b): (&Value, &Value)| match (number(a), number(b)) {
        (Some(x), Some(y)) => x.total_cmp(&y).then_with(|| a.cmp(b)),
        _ => a.is_none().cmp(&b.is_none()).then_with(|| a.cmp(b)),
    };
    a.iter().zip(b).map(compare).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare<'r>(expected: &'r [Vec<Value>], actual: &'r [Vec<Value>]) -> Vec<Line<'r>> {
    let mut left: BTreeMap<&[Value], usize> = BTreeMap::new();
    expected.iter().for_each(|row| *left.entry(row).or_default() += 1);
    let mut lines = Vec::new();
    let mut extra: Vec<&[Value]> = Vec::new();
    for row in actual {
        match left.get_mut(row.as_slice()).filter(|count| **count > 0) {
            Some(count) => {
                *count -= 1;
                lines.push(Line::Same(row));
            }
            None => extra.push(row),
        }
    }
    let mut missing = left.into_iter().flat_map(|(row, count)| std::iter::repeat_n(row, count)).collect::<Vec<_>>();
    missing.sort_by(|a, b| order(a, b));
    for row in missing {
        let alike = |other: &[Value]| other.iter().zip(row).filter(|(a, b)| a == b).count();
        // The first of those that are most alike; rows of which less than half is equal are two different rows.
        let best =
            (0..extra.len()).rev().max_by_key(|at| alike(extra[*at])).filter(|at| alike(extra[*at]) * 2 >= row.len());
        match best.filter(|at| alike(extra[*at]) > 0) {
            Some(at) => lines.push(Line::Changed(row, extra.remove(at))),
            None => lines.push(Line::Missing(row)),
        }
    }
    lines.extend(extra.into_iter().map(Line::Extra));
    lines.sort_by(|a, b| order(a.key(), b.key()));
    lines
}

impl<'r> Line<'r> {
    fn key(&self) -> &'r [Value] {
        match self {
            Line::Same(row) | Line::Extra(row) | Line::Missing(row) | Line::Changed(row, _) => row,
        }
    }

    fn cells(&self) -> Vec<String> {
        let shown = |value: &Value| value.clone().unwrap_or_else(|| "NULL".to_string());
        let mark = match self {
            Line::Same(_) => "",
            Line::Extra(_) => "+++",
            Line::Missing(_) => "---",
            Line::Changed(..) => "→",
        };
        let cells: Vec<String> = match self {
            Line::Changed(old, new) => old
                .iter()
                .zip(*new)
                .map(|(old, new)| if old == new { shown(old) } else { format!("{} → {}", shown(old), shown(new)) })
                .collect(),
            other => other.key().iter().map(shown).collect(),
        };
        [mark.to_string()].into_iter().chain(cells).collect()
    }
}

/// The rows that differ, each with an equal one before and after it.
fn table(names: &[Value], lines: &[Line<'_>]) -> String {
    let differs = |at: usize| lines.get(at).is_some_and(|line| !matches!(line, Line::Same(_)));
    let mut cells = vec![Line::Same(names).cells()];
    cells[0][0] = "@@".to_string();
    let (mut told, mut gap) = (0, false);
    for (at, line) in lines.iter().enumerate() {
        let near = differs(at) || differs(at + 1) || at.checked_sub(1).is_some_and(differs);
        if !near || told == SHOWN {
            gap = true;
            continue;
        }
        if std::mem::take(&mut gap) {
            cells.push(vec!["...".to_string(); names.len() + 1]);
        }
        told += usize::from(differs(at));
        cells.push(line.cells());
    }
    if gap {
        cells.push(vec!["...".to_string(); names.len() + 1]);
    }
    aligned(&cells)
}

fn aligned(rows: &[Vec<String>]) -> String {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join(" | ").trim_end().to_string()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::difference;
    use crate::adapter::relation::Column;
    use crate::adapter::rows::{Cell, Rows};

    fn rows(actual: &[(i128, &str)], expected: &[(i128, &str)]) -> Rows {
        let column = |name: &str| Column { name: name.to_string(), data_type: "VARCHAR".to_string() };
        let side = |rows: &[(i128, &str)], name: &str| -> Vec<Vec<Cell>> {
            let name = Cell::Text(name.to_string());
            rows.iter().map(|(id, text)| vec![Cell::Int(*id), Cell::Text(text.to_string()), name.clone()]).collect()
        };
        Rows {
            columns: ["id", "name", "actual_or_expected"].map(column).to_vec(),
            rows: [side(actual, "actual"), side(expected, "expected")].concat(),
        }
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_their_number_does() {
        assert_eq!(difference(&rows(&[(1, "a"), (2, "b")], &[(2, "b"), (1, "a")])), None);
        let doubled = difference(&rows(&[(1, "a"), (1, "a")], &[(1, "a")]));
        assert_eq!(doubled.as_deref(), Some("@@  | id | name\n    | 1  | a\n+++ | 1  | a"));
    }

    #[test]
    fn a_row_that_is_half_equal_has_changed() {
        let table = difference(&rows(&[(1, "a"), (2, "b"), (9, "z")], &[(1, "a"), (2, "c"), (3, "d")]));
        insta::assert_snapshot!(table.unwrap_or_default(), @r"
        @@  | id | name
            | 1  | a
        →   | 2  | c → b
        --- | 3  | d
        +++ | 9  | z
        ");
    }
}
