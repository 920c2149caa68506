//! Turns rows of a query into a text table or into JSON.

use serde_json::{Map, Number, Value as Json};

use crate::adapter::rows::{Cell, Rows};

/// No cell is narrower than this because the table is wide.
const NARROWEST: usize = 8;
/// Digits that a number of JSON keeps in every reader.
const SAFE_DIGITS: usize = 15;

/// A table for people, at most `width` letters wide where it can be: numbers to the right, nulls empty. The widest
/// columns are cut first.
pub fn table(rows: &Rows, width: usize) -> String {
    let cap = cap(&natural_widths(rows), width);
    let names: Vec<String> = rows.columns.iter().map(|column| cut(&column.name, cap)).collect();
    let cells: Vec<Vec<String>> =
        rows.rows.iter().map(|row| row.iter().map(|cell| cut(&cell.text(), cap)).collect()).collect();
    let widths: Vec<usize> = (0..names.len())
        .map(|at| cells.iter().map(|row| row[at].chars().count()).chain([names[at].chars().count()]).max().unwrap_or(0))
        .collect();
    let numeric: Vec<bool> = (0..names.len()).map(|at| is_numeric(rows, at)).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().enumerate().map(|(at, cell)| {
            let width = widths[at];
            if numeric[at] { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        format!("| {} |", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule = format!("| {} |", widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join(" | "));
    let mut lines = vec![line(&names), rule];
    lines.extend(cells.iter().map(|row| line(row)));
    lines.join("\n")
}

fn natural_widths(rows: &Rows) -> Vec<usize> {
    let whole = |text: &str| cut(text, usize::MAX).chars().count();
    let cells = |at: usize| rows.rows.iter().map(move |row| whole(&row[at].text()));
    rows.columns.iter().enumerate().map(|(at, column)| cells(at).max().unwrap_or(0).max(whole(&column.name))).collect()
}

/// The width that no column may exceed, so that all of them fit.
fn cap(widths: &[usize], width: usize) -> usize {
    let room = width.saturating_sub(3 * widths.len() + 1);
    let fits = |cap: &usize| widths.iter().map(|width| width.min(cap)).sum::<usize>() <= room;
    let widest = widths.iter().copied().max().unwrap_or(0).max(NARROWEST);
    (NARROWEST..=widest).rev().find(fits).unwrap_or(NARROWEST)
}

fn is_numeric(rows: &Rows, at: usize) -> bool {
    let is_number = |cell: &Cell| matches!(cell, Cell::Int(_) | Cell::Float(_) | Cell::Decimal(_));
    let mut cells = rows.rows.iter().map(|row| &row[at]).filter(|cell| **cell != Cell::Null).peekable();
    cells.peek().is_some() && cells.all(is_number)
}

/// One line of at most `cap` letters, in which no letter moves the cursor.
fn cut(text: &str, cap: usize) -> String {
    let shown: String = text
        .chars()
        .take(cap.saturating_add(1))
        .flat_map(|letter| {
            let escaped = letter.is_control();
            escaped.then(|| letter.escape_default()).into_iter().flatten().chain((!escaped).then_some(letter))
        })
        .collect();
    if shown.chars().count() <= cap { shown } else { shown.chars().take(cap - 1).chain(['…']).collect() }
}

/// Rows as objects. A number that JSON's readers could not hold exactly is a text.
pub fn json(rows: &Rows) -> Json {
    let object = |row: &Vec<Cell>| {
        let names = rows.columns.iter().map(|column| column.name.clone());
        Json::Object(names.zip(row.iter().map(value)).collect::<Map<_, _>>())
    };
    rows.rows.iter().map(object).collect()
}

fn value(cell: &Cell) -> Json {
    match cell {
        Cell::Null => Json::Null,
        Cell::Bool(flag) => Json::Bool(*flag),
        Cell::Int(number) => Number::from_i128(*number).map_or_else(|| Json::String(number.to_string()), Json::Number),
        Cell::Float(number) => Number::from_f64(*number).map_or_else(|| Json::String(number.to_string()), Json::Number),
        Cell::Decimal(text) if text.chars().filter(char::is_ascii_digit).count() <= SAFE_DIGITS => {
            let number = text.parse().ok().and_then(Number::from_f64);
            number.map_or_else(|| Json::String(text.clone()), Json::Number)
        }
        other => Json::String(other.text()),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::{json, table};
    use crate::adapter::relation::Column;
    use crate::adapter::rows::{Cell, Rows};

    fn rows(names: &[&str], rows: Vec<Vec<Cell>>) -> Rows {
        let column = |name: &&str| Column { name: name.to_string(), data_type: String::new() };
        Rows { columns: names.iter().map(column).collect(), rows }
    }

    #[test]
    fn numbers_stand_right_and_nulls_are_empty() {
        let text = |text: &str| Cell::Text(text.to_string());
        let rows = rows(
            &["id", "näme"],
            vec![
                vec![Cell::Int(7), text("é漢")],
                vec![Cell::Int(12), Cell::Null],
                vec![Cell::Null, text("two\nlines\u{1b}[2J")],
            ],
        );
        assert_snapshot!(table(&rows, 80), @r#"
        | id | näme                |
        | -- | ------------------- |
        |  7 | é漢                  |
        | 12 |                     |
        |    | two\nlines\u{1b}[2J |
        "#);
    }

    #[test]
    fn long_cells_are_cut_to_the_width() {
        let rows = rows(&["a_long_column_name", "b"], vec![vec![Cell::Text("x".repeat(500)), Cell::Bool(true)]]);
        assert_snapshot!(table(&rows, 40), @r#"
        | a_long_column_name            | b    |
        | ----------------------------- | ---- |
        | xxxxxxxxxxxxxxxxxxxxxxxxxxxx… | true |
        "#);
    }

    #[test]
    fn a_table_without_rows_or_columns_is_still_a_table() {
        assert_snapshot!(table(&rows(&["id"], Vec::new()), 80), @r#"
        | id |
        | -- |
        "#);
        assert_snapshot!(table(&Rows::default(), 80), @r#"
        |  |
        |  |
        "#);
    }

    #[test]
    fn numbers_of_json_are_exact() {
        let cells = vec![
            Cell::Int(1),
            Cell::Int(i128::MAX),
            Cell::Float(f64::NAN),
            Cell::Decimal("12.50".to_string()),
            Cell::Decimal("12345678901234567.89".to_string()),
            Cell::Date("2024-01-31".to_string()),
            Cell::Null,
        ];
        let rows = rows(&["a", "b", "c", "d", "e", "f", "g"], vec![cells]);
        assert_snapshot!(json(&rows), @r#"[{"a":1,"b":"170141183460469231731687303715884105727","c":"NaN","d":12.5,"e":"12345678901234567.89","f":"2024-01-31","g":null}]"#);
    }
}
