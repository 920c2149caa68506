//! Turns `insert into t by name select …` into an insert that names its columns.

use sqlparser::ast::{Ident, Insert, Query, SelectItem, SetExpr};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan};

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::refusal::refuse;

/// Takes `by name` out of the inserts of a text, and gives their places.
pub fn take_by_name(tokens: &mut Vec<TokenWithSpan>) -> Vec<Location> {
    let is = |token: &TokenWithSpan, word: Keyword| matches!(&token.token, Token::Word(found) if found.keyword == word && found.quote_style.is_none());
    let mut places = Vec::new();
    let mut at = 0;
    while at + 1 < tokens.len() {
        if is(&tokens[at], Keyword::INSERT) && is(&tokens[at + 1], Keyword::INTO) {
            let start = tokens[at].span.start;
            // The name of the table: words with dots between them.
            let mut after = at + 3;
            while tokens.get(after).is_some_and(|token| token.token == Token::Period) {
                after += 2;
            }
            let by_name = tokens.get(after).is_some_and(|token| is(token, Keyword::BY))
                && tokens.get(after + 1).is_some_and(|token| is(token, Keyword::NAME));
            if by_name {
                tokens.drain(after..after + 2);
                places.push(start);
            }
        }
        at += 1;
    }
    places
}

/// Names the columns that the query of an insert gives.
pub fn name_columns(insert: &mut Insert) -> Result<(), AdapterError> {
    let span = insert.insert_token.0.span;
    let names = insert.source.as_deref().and_then(names_of).ok_or_else(|| unknown(span))?;
    insert.columns = names;
    Ok(())
}

fn unknown(span: Span) -> AdapterError {
    refuse(span, "DataFusion needs the columns of an insert by name beforehand; name them in the select")
}

fn names_of(query: &Query) -> Option<Vec<Ident>> {
    let mut body = query.body.as_ref();
    while let SetExpr::SetOperation { left, .. } = body {
        body = left;
    }
    let SetExpr::Select(select) = body else { return None };
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(sqlparser::ast::Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(sqlparser::ast::Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
        _ => None,
    };
    select.projection.iter().map(name).collect()
}
