//! Turns SQL text into tokens and says how they bind: the parser's DuckDB dialect, with what it lacks.

use std::any::TypeId;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, DuckDbDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::refusal::refuse;
use crate::adapter::lake::error::syntax_error;

#[derive(Debug)]
pub struct Grammar;

/// `^` binds closer than `*`, as in DuckDB.
const POWER: u8 = 45;

impl Dialect for Grammar {
    fn dialect(&self) -> TypeId {
        TypeId::of::<DuckDbDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        DuckDbDialect.is_identifier_part(ch)
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        matches!(parser.peek_token_ref().token, Token::Caret).then_some(Ok(POWER))
    }

    /// The parser takes all that follows `is distinct from`, also after `and` and `or`.
    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        let build: fn(Box<Expr>, Box<Expr>) -> Expr = match () {
            () if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) => Expr::IsDistinctFrom,
            () if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) => {
                Expr::IsNotDistinctFrom
            }
            () => return None,
        };
        let other = parser.parse_subexpr(precedence);
        Some(other.map(|other| build(Box::new(expr.clone()), Box::new(other))))
    }

    fn supports_comment_on(&self) -> bool {
        true
    }
    fn supports_table_versioning(&self) -> bool {
        true
    }
    fn supports_trailing_commas(&self) -> bool {
        true
    }
    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
    fn supports_group_by_expr(&self) -> bool {
        true
    }
    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }
    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }
    fn supports_dictionary_syntax(&self) -> bool {
        true
    }
    fn support_map_literal_syntax(&self) -> bool {
        true
    }
    fn allow_extract_single_quotes(&self) -> bool {
        true
    }
    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }
    fn supports_from_first_select(&self) -> bool {
        true
    }
    fn supports_order_by_all(&self) -> bool {
        true
    }
    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }
    fn supports_select_wildcard_replace(&self) -> bool {
        true
    }
    fn supports_select_wildcard_rename(&self) -> bool {
        true
    }
    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }
    fn supports_notnull_operator(&self) -> bool {
        true
    }
    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }
    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }
}

/// The tokens of a text: quoted names in lower case, `**` as `^`, and no words that DataFusion has no meaning for.
pub fn tokens(sql: &str) -> Result<Vec<TokenWithSpan>, AdapterError> {
    let mut tokens =
        Tokenizer::new(&Grammar, sql).tokenize_with_location().map_err(|error| syntax_error(&error.into()))?;
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    for token in &mut tokens {
        if let Token::Word(word) = &mut token.token
            && word.quote_style.is_some()
            // The properties of a table are told apart by case.
            && !word.value.starts_with("delta.")
        {
            word.value = word.value.to_lowercase();
        }
    }
    join_powers(&mut tokens);
    drop_hints(&mut tokens);
    name_views_tables(&mut tokens);
    for pair in tokens.windows(2) {
        if let Some(reason) = without_meaning(&pair[0].token, &pair[1].token) {
            return Err(refuse(pair[0].span, reason));
        }
    }
    Ok(tokens)
}

/// `a ** b` is `a ^ b`.
fn join_powers(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 1;
    while at < tokens.len() {
        let adjacent = tokens[at - 1].span.end == tokens[at].span.start;
        if adjacent && tokens[at - 1].token == Token::Mul && tokens[at].token == Token::Mul {
            tokens.remove(at);
            tokens[at - 1].token = Token::Caret;
        }
        at += 1;
    }
}

/// `with a as [not] materialized (…)`: how it is computed is the planner's business.
fn drop_hints(tokens: &mut Vec<TokenWithSpan>) {
    let mut at = 1;
    while at + 1 < tokens.len() {
        let is =
            |index: usize, word: Keyword| tokens.get(index).is_some_and(|token| keyword(&token.token) == Some(word));
        let end = if is(at, Keyword::NOT) { at + 1 } else { at };
        let opens = tokens.get(end + 1).is_some_and(|token| token.token == Token::LParen);
        if is(at - 1, Keyword::AS) && is(end, Keyword::MATERIALIZED) && opens {
            tokens.drain(at..=end);
        }
        at += 1;
    }
}

/// `comment on view v`: the parser knows tables and columns, and the name says which it is.
fn name_views_tables(tokens: &mut [TokenWithSpan]) {
    if let [first, second, third, ..] = tokens
        && [&first.token, &second.token].map(keyword) == [Some(Keyword::COMMENT), Some(Keyword::ON)]
        && keyword(&third.token) == Some(Keyword::VIEW)
    {
        third.token = Token::make_keyword("TABLE");
    }
}

fn keyword(token: &Token) -> Option<Keyword> {
    match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

/// Two words that begin something that the parser does not know or would misread.
fn without_meaning(first: &Token, second: &Token) -> Option<&'static str> {
    let word = |token: &Token| match token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
        _ => None,
    };
    match (keyword(first)?, keyword(second)) {
        (Keyword::PIVOT | Keyword::UNPIVOT, _) if word(second).is_some() => {
            Some("DataFusion needs the columns that a PIVOT makes beforehand; write `from t pivot (… for x in (…))`")
        }
        (Keyword::USING, Some(Keyword::SAMPLE)) => {
            Some("DataFusion cannot take a sample; filter on a hash of a key instead, for instance `md5(id) < '1'`")
        }
        (Keyword::ASOF, Some(Keyword::JOIN | Keyword::LEFT | Keyword::INNER)) => {
            Some("DataFusion has no ASOF join; join on `<=` and keep the latest row with `qualify row_number() …`")
        }
        _ if word(first).as_deref() == Some("positional") && keyword(second) == Some(Keyword::JOIN) => {
            Some("DataFusion has no positional join; number the rows on both sides and join on the number")
        }
        _ if word(second).as_deref() == Some("glob") && keyword(first) == Some(Keyword::NOT) => {
            Some("DataFusion has no GLOB; use `like` or `regexp_matches`")
        }
        _ => None,
    }
}
