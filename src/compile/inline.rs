//! Puts ephemeral models into the SQL that reads them, as common table expressions.

use crate::compile::Inlined;

/// The name and text of an expression, as it stands in a `with`.
pub fn expression(name: &str, sql: &str) -> String {
    format!(" {name} as (\n{sql}\n)")
}

/// Puts expressions in front of a query, into its own `with` if it has one.
pub fn inject(sql: &str, expressions: &[String]) -> (String, Option<Inlined>) {
    if expressions.is_empty() {
        return (sql.to_string(), None);
    }
    let (at, text) = match after_with(sql) {
        Some(at) => (at, format!("{}, ", expressions.join(", "))),
        None => (start(sql), format!("with{} ", expressions.join(", "))),
    };
    let inlined = Inlined { at, length: text.len() };
    (format!("{}{text}{}", &sql[..at], &sql[at..]), Some(inlined))
}

fn start(sql: &str) -> usize {
    sql.len() - sql.trim_start().len()
}

/// The place behind the `with` (and `recursive`) that a query begins with, comments aside.
fn after_with(sql: &str) -> Option<usize> {
    let at = skip_comments(sql, 0);
    let after = at + word(&sql[at..], "with")?;
    let next = skip_comments(sql, after);
    Some(word(&sql[next..], "recursive").map_or(after, |length| next + length))
}

/// The length of a keyword at the start of a text.
fn word(text: &str, keyword: &str) -> Option<usize> {
    let found = text.get(..keyword.len())?.eq_ignore_ascii_case(keyword);
    let ends = !text[keyword.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
    (found && ends).then_some(keyword.len())
}

fn skip_comments(sql: &str, mut at: usize) -> usize {
    loop {
        let rest = &sql[at..];
        let blank = rest.len() - rest.trim_start().len();
        let rest = &rest[blank..];
        at += blank;
        let comment = if rest.starts_with("--") {
            rest.find('\n').map_or(rest.len(), |end| end + 1)
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            return at;
        };
        at += comment;
    }
}

#[cfg(test)]
mod tests {
    use super::{expression, inject};

    #[test]
    fn a_query_without_a_with_gets_one() {
        let (sql, _) = inject("\nselect * from a", &[expression("a", "select 1")]);
        assert_eq!(sql, "\nwith a as (\nselect 1\n) select * from a");
    }

    #[test]
    fn a_query_with_a_with_keeps_it() {
        let (sql, _) = inject("-- note\nWITH b as (select 2) select * from a, b", &[expression("a", "select 1")]);
        assert_eq!(sql, "-- note\nWITH a as (\nselect 1\n),  b as (select 2) select * from a, b");
    }
}
