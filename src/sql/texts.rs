//! Turns SQL into the places where a text stands for a table: `from a, 'in/*.csv'`.

use sqlparser::dialect::DuckDbDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::sql::Location;

/// What ends the tables that a query reads.
const ENDS: [Keyword; 11] = [
    Keyword::EXCEPT,
    Keyword::GROUP,
    Keyword::HAVING,
    Keyword::INTERSECT,
    Keyword::LIMIT,
    Keyword::ORDER,
    Keyword::QUALIFY,
    Keyword::SELECT,
    Keyword::UNION,
    Keyword::WHERE,
    Keyword::WINDOW,
];

/// The places, in their order; none in SQL that has no tokens.
pub fn tables(sql: &str) -> Vec<Location> {
    let Ok(tokens) = Tokenizer::new(&DuckDbDialect {}, sql).tokenize_with_location() else { return Vec::new() };
    let mut found = Vec::new();
    // Whether tables are named here, within each bracket that is open.
    let mut names_tables = vec![false];
    let mut begins = false;
    for token in tokens {
        let here = names_tables.last_mut().expect("the outermost stays");
        begins = match &token.token {
            Token::Whitespace(_) => begins,
            Token::SingleQuotedString(_) if begins => {
                found.extend(Location::of(token.span.start));
                false
            }
            Token::Word(word) => {
                let is_table = matches!(word.keyword, Keyword::FROM | Keyword::JOIN);
                *here = (*here || is_table) && !ENDS.contains(&word.keyword);
                is_table
            }
            Token::Comma => *here,
            Token::LParen => {
                names_tables.push(false);
                false
            }
            Token::RParen => {
                names_tables.truncate(names_tables.len().saturating_sub(1).max(1));
                false
            }
            _ => false,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::tables;

    #[test]
    fn texts_that_are_no_tables_are_left_out() {
        let sql = "with a as (from 'a.csv') select 'b', max('c', d) from x join 'd.csv' on f(x, 'e'), 'f.csv'\n\
                   cross join (select 'g' from y, 'h.csv') where i in ('j', 'k') group by 'l', 'm' union from 'n.csv'";
        let starts: Vec<(usize, usize)> = tables(sql).into_iter().map(|place| (place.line, place.column)).collect();
        let at = |text: &str| {
            let before = &sql[..sql.find(text).unwrap()];
            (before.lines().count(), before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1)
        };
        assert_eq!(starts, ["'a.csv'", "'d.csv'", "'f.csv'", "'h.csv'", "'n.csv'"].map(at));
    }
}
