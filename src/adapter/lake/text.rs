//! Turns a text of several statements into the text of each, and finds the query of a view in its statement.

use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::adapter::AdapterError;
use crate::adapter::lake::error::{refused, syntax_error};

/// One statement each, without those that are nothing but blanks and comments. Each keeps its place: what stands before
/// it is blank.
pub fn split(sql: &str) -> Result<Vec<String>, AdapterError> {
    let mut pieces = Vec::new();
    let (mut start, mut is_empty) = (0, true);
    for token in tokens(sql)? {
        match token.token {
            Token::SemiColon => {
                let end = byte(sql, token.span.start);
                pieces.extend((!is_empty).then(|| piece(sql, start, end)));
                (start, is_empty) = (end + 1, true);
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => is_empty = false,
        }
    }
    pieces.extend((!is_empty).then(|| piece(sql, start, sql.len())));
    Ok(pieces)
}

fn piece(sql: &str, start: usize, end: usize) -> String {
    let before = sql[..start].chars().map(|c| if c == '\n' { '\n' } else { ' ' });
    before.chain(sql[start..end].chars()).collect()
}

/// The word that a statement begins with, in small letters; empty if it begins with something else.
pub fn first_word(sql: &str) -> Result<String, AdapterError> {
    let first = tokens(sql)?.into_iter().find(|token| !matches!(token.token, Token::Whitespace(_)));
    Ok(match first.map(|first| first.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_lowercase(),
        _ => String::new(),
    })
}

/// What stands after the first `as` of a statement, outside of any brackets.
pub fn after_as(sql: &str) -> Result<&str, AdapterError> {
    let mut depth = 0_usize;
    for token in tokens(sql)? {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            Token::Word(word) if depth == 0 && word.keyword == Keyword::AS && word.quote_style.is_none() => {
                return Ok(sql[byte(sql, token.span.end)..].trim());
            }
            _ => {}
        }
    }
    Ok("")
}

fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, AdapterError> {
    let tokens = Tokenizer::new(&DuckDbDialect {}, sql).tokenize_with_location();
    tokens.map_err(|error| syntax_error(&ParserError::TokenizerError(error.to_string())))
}

/// The byte of a place, of which lines and characters are counted from 1.
fn byte(sql: &str, at: Location) -> usize {
    let line_start: usize = sql.split_inclusive('\n').take(at.line.saturating_sub(1) as usize).map(str::len).sum();
    let rest = &sql[line_start..];
    let column = at.column.saturating_sub(1) as usize;
    line_start + rest.char_indices().nth(column).map_or(rest.len(), |(byte, _)| byte)
}

/// A text that is read word by word.
pub struct Words<'a>(pub Parser<'a>);

impl Words<'_> {
    /// Goes over words, if these are the next ones.
    pub fn take(&mut self, words: &[&str]) -> bool {
        let is = |(at, word): (usize, &&str)| matches!(self.0.peek_nth_token(at).token, Token::Word(next) if next.quote_style.is_none() && next.value.eq_ignore_ascii_case(word));
        let found = words.iter().enumerate().all(is);
        (0..if found { words.len() } else { 0 }).for_each(|_| drop(self.0.next_token()));
        found
    }

    pub fn is_more(&self) -> bool {
        !matches!(self.0.peek_token().token, Token::EOF | Token::SemiColon)
    }

    pub fn expect(&mut self, words: &[&str]) -> Result<(), AdapterError> {
        match self.take(words) {
            true => Ok(()),
            false => Err(refused(format!("Parser Error: here stands `{}`", words.join(" ")))),
        }
    }

    pub fn number(&mut self) -> Result<u64, AdapterError> {
        self.0.parse_literal_uint().map_err(|error| syntax_error(&error))
    }

    pub fn end(&mut self) -> Result<(), AdapterError> {
        match self.0.next_token().token {
            Token::EOF | Token::SemiColon => Ok(()),
            other => Err(refused(format!("Parser Error: the statement ends before `{other}`"))),
        }
    }

    /// The next word, number or text, whatever it is.
    pub fn value(&mut self) -> String {
        match self.0.next_token().token {
            Token::SingleQuotedString(text) | Token::Number(text, _) => text,
            Token::Word(word) => word.value,
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{after_as, split};

    #[test]
    fn statements_keep_their_places() {
        let split = split("select ';' -- a; b\n;\n/* c */; select 2;").unwrap_or_default();
        assert_eq!(split, ["select ';' -- a; b\n", "                  \n \n         select 2"]);
    }

    #[test]
    fn the_query_of_a_view_is_as_it_is_written() {
        let sql = "create view v (\"as\", b) as (\n  select 1 as a\n)";
        assert_eq!(after_as(sql).unwrap_or_default(), "(\n  select 1 as a\n)");
    }
}
