//! Turns two queries into whether they mean the same, whatever their layout and the names of their parts.

use std::collections::BTreeMap;
use std::mem::replace;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SelectItem, SelectItemQualifiedWildcardKind,
    TableAlias, TableFactor, VisitMut, VisitorMut,
};
use sqlparser::dialect::DuckDbDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace, Word};

use crate::sql::lineage::parse;
use crate::sql::on_enough_stack;
use crate::sql::reader::read;
use crate::sql::selects::each_mut;

/// Whether two queries mean the same: comments, layout, redundant brackets, and the names of common table expressions
/// and of aliases of tables do not count. Where the parser cannot read one of them, their words must be the same.
pub fn same(one: &str, other: &str) -> bool {
    let (one, other) = (words(one), words(other));
    one == other || plain(&one).is_some_and(|one| Some(one) == plain(&other))
}

/// The words of SQL, or of a template of SQL, without comments, layout, and the case of what is not quoted.
pub fn words(sql: &str) -> String {
    let Some(tokens) = tokens(sql) else { return sql.split_whitespace().collect::<Vec<_>>().join(" ") };
    // Jinja works in comments of SQL, too.
    let is_template = |comment: &str| comment.contains("{{") || comment.contains("{%");
    let mut words: Vec<String> = Vec::new();
    for token in tokens {
        match token {
            Token::Whitespace(
                Whitespace::SingleLineComment { comment, .. } | Whitespace::MultiLineComment(comment),
            ) if is_template(&comment) => words.push(comment),
            Token::Whitespace(_) => {}
            Token::Word(word) => words.push(name(&word)),
            other => words.push(other.to_string()),
        }
    }
    while words.last().is_some_and(|word| word == ";") {
        words.pop();
    }
    words.join(" ").replace(" . ", ".")
}

/// SQL in which relations have other names. `name` is given the parts of a name in lower case.
pub fn renamed(sql: &str, name: impl Fn(&[String]) -> Option<String>) -> String {
    let Some(tokens) = tokens(sql) else { return sql.to_string() };
    let mut text = String::with_capacity(sql.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let parts = parts(&tokens[at..]);
        let found = (1..=parts.len()).rev().find_map(|length| Some((length, name(&parts[..length])?)));
        match found.filter(|_| at == 0 || tokens[at - 1] != Token::Period) {
            Some((length, name)) => {
                text.push_str(&name);
                at += length * 2 - 1;
            }
            None => {
                text.push_str(&token.to_string());
                at += 1;
            }
        }
    }
    text
}

/// All tokens as they are written.
fn tokens(sql: &str) -> Option<Vec<Token>> {
    Tokenizer::new(&DuckDbDialect {}, sql).with_unescape(false).tokenize().ok()
}

/// The parts of the name that tokens begin with: three at most.
fn parts(tokens: &[Token]) -> Vec<String> {
    let mut parts = Vec::new();
    for pair in tokens.chunks(2).take(3) {
        let Some(Token::Word(word)) = pair.first() else { break };
        parts.push(word.value.to_lowercase());
        if pair.get(1) != Some(&Token::Period) {
            break;
        }
    }
    parts
}

/// A word without the quotes that it does not need.
fn name(word: &Word) -> String {
    let is_plain = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    match word.quote_style {
        None => word.value.to_lowercase(),
        Some('"') if is_plain(&word.value) && is_no_keyword(&word.value) => word.value.clone(),
        Some(_) => word.to_string(),
    }
}

fn is_no_keyword(text: &str) -> bool {
    matches!(Token::make_word(text, None), Token::Word(Word { keyword: Keyword::NoKeyword, .. }))
}

/// A query as a text that is the same for all that mean the same; none if it is no query that can be read.
fn plain(words: &str) -> Option<String> {
    on_enough_stack(words, || {
        let mut query = parse(words)?;
        let mut plain = Plain::default();
        // What is a relation here may be the name of a part there.
        for relation in read(words)?.shape.relations.iter().filter(|relation| relation.len() == 1) {
            plain.names.insert(relation.join("").to_lowercase(), None);
        }
        let _ = query.visit(&mut Named(&mut plain));
        let _ = query.visit(&mut plain);
        Some(query.to_string())
    })
}

/// The names of parts of a query, and what they are called instead: by their order.
#[derive(Default)]
struct Plain {
    /// None for names of relations.
    names: BTreeMap<String, Option<String>>,
    count: usize,
}

impl Plain {
    fn add(&mut self, ident: &Ident) {
        let number = self.count;
        self.names.entry(ident.value.to_lowercase()).or_insert_with(|| Some(format!("@{number}")));
        self.count += 1;
    }

    fn rename(&self, ident: &mut Ident) {
        if let Some(Some(name)) = self.names.get(&ident.value.to_lowercase()) {
            *ident = Ident::new(name.clone());
        }
    }

    /// A name of one part.
    fn rename_all(&self, name: &mut ObjectName) {
        if let [ObjectNamePart::Identifier(ident)] = name.0.as_mut_slice() {
            self.rename(ident);
        }
    }

    fn select(&self, select: &mut Select) {
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item {
                self.rename_all(name);
            }
        }
        for join in select.from.iter_mut().flat_map(|table| &mut table.joins) {
            join.join_operator = match replace(&mut join.join_operator, JoinOperator::CrossApply) {
                JoinOperator::Inner(on) => JoinOperator::Join(on),
                JoinOperator::LeftOuter(on) => JoinOperator::Left(on),
                JoinOperator::RightOuter(on) => JoinOperator::Right(on),
                other => other,
            };
        }
    }
}

/// Finds the names of parts, before they are replaced.
struct Named<'a>(&'a mut Plain);

impl VisitorMut for Named<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        query.with.iter().flat_map(|with| &with.cte_tables).for_each(|cte| self.0.add(&cte.alias.name));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        alias(factor).into_iter().for_each(|alias| self.0.add(&alias.name));
        ControlFlow::Continue(())
    }
}

impl VisitorMut for Plain {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        query.with.iter_mut().flat_map(|with| &mut with.cte_tables).for_each(|cte| self.rename(&mut cte.alias.name));
        each_mut(&mut query.body, &mut |select| self.select(select));
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        self.rename_all(relation);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let Some(alias) = alias(factor) {
            alias.explicit = true;
            self.rename(&mut alias.name);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(parts) = expr {
            parts.first_mut().into_iter().for_each(|part| self.rename(part));
        }
        // Brackets are taken away, and then put around all that is made of parts: two texts are the same if the trees are.
        let inner = replace(expr, Expr::Identifier(Ident::new("")));
        *expr = match inner {
            Expr::Nested(inner) => *inner,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::Function(_) => inner,
            other => Expr::Nested(Box::new(other)),
        };
        ControlFlow::Continue(())
    }
}

fn alias(factor: &mut TableFactor) -> Option<&mut TableAlias> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. }
        | TableFactor::Pivot { alias, .. }
        | TableFactor::Unpivot { alias, .. } => alias.as_mut(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{renamed, same, words};

    #[test]
    fn layout_and_names_of_parts_change_nothing() {
        let query = "with o as (select id, (amount) as amount from db.s.orders x where x.id > 1 and (id + 1) * 2 > 3)
                     select o.*, p.id from o left outer join \"pays\" p on p.id = o.id";
        for other in [
            "WITH orders AS (SELECT id, amount AS amount FROM db.s.orders AS y -- note\n WHERE (y.id > 1) AND (id + 1) * 2 > 3)
             SELECT orders.*, pay.id FROM orders LEFT JOIN pays pay ON (pay.id = orders.id);",
            &query.replace(' ', "\n  /* x */ "),
        ] {
            assert!(same(query, other), "{other}");
        }
    }

    #[test]
    fn all_else_counts() {
        let query = "with o as (select a, b from x) select min(a) as a, (b + 1) * 2 as b, 'x' as c from o join y p using (a) where a > 1";
        for (from, to) in [
            ("min", "max"),
            ("'x'", "'X'"),
            ("join", "left join"),
            ("(b + 1) * 2", "b + 1 * 2"),
            ("select min", "select distinct min"),
            ("a > 1", "a > 1 limit 10"),
            ("a, b from", "b, a from"),
            ("from x", "from o"),
            ("from o", "from x"),
            ("y p", "y as p (a)"),
        ] {
            assert!(!same(query, &query.replacen(from, to, 1)), "{from} {to}");
        }
    }

    #[test]
    fn a_name_of_a_relation_is_not_that_of_a_part() {
        assert!(!same(
            "with orders as (select 1 as a from orders) select a from orders",
            "with x as (select 1 as a from x) select a from x"
        ));
        assert!(!same("select current_date", "select \"current_date\""));
        assert!(!same("select a.id from x a, y b", "select b.id from x a, y b"));
        assert!(same("select a.id from x a, y b", "select b.id from x b, y a"));
    }

    #[test]
    fn what_the_parser_cannot_read_is_compared_by_its_words() {
        assert!(same("pivot  x on y -- note", "PIVOT x ON y"));
        assert!(!same("pivot x on y z z", "pivot x on z y y"));
    }

    #[test]
    fn relations_are_called_otherwise_wherever_they_stand() {
        let name = |parts: &[String]| (parts == ["db", "prod", "orders"]).then(|| "\"o\"".to_string());
        let sql = "select x.a, 'it''s' from \"db\".\"prod\".\"Orders\" x, db.prod.orders, db.dev.orders -- prod";
        assert_eq!(renamed(sql, name), "select x.a, 'it''s' from \"o\" x, \"o\", db.dev.orders -- prod");
        assert!(words("select 1 -- {{ ref('b') }}\n from c").contains("ref('b')"));
    }
}
