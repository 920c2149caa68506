//! Turns a query into its calls and operations, and into the same query with NULL in the place of one of them.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Spanned, Statement, Value, VisitMut, VisitorMut};
use sqlparser::parser::Parser;

use crate::adapter::SqlPosition;
use crate::adapter::lake::dialect::grammar::{self, Grammar};
use crate::adapter::lake::dialect::{DEPTH, Rewriter, refusal, versions};

/// An expression that is made of others.
#[derive(Debug)]
pub struct Part {
    pub at: SqlPosition,
    /// The function that is called, in lower case.
    pub function: Option<String>,
    number: usize,
}

/// The parts of the first statement of a text as it is written, each behind those that it is made of.
pub fn parts(sql: &str) -> Vec<Part> {
    let mut found = Walk { seen: 0, parts: Vec::new(), blank: None };
    if let Some(mut statement) = written(sql) {
        let _ = statement.visit(&mut found);
    }
    found.parts
}

/// The statement without a part, as the planner takes it.
pub fn without(sql: &str, part: &Part) -> Option<Statement> {
    let mut statement = written(sql)?;
    let _ = statement.visit(&mut Walk { seen: 0, parts: Vec::new(), blank: Some(part.number) });
    if statement.visit(&mut Rewriter).is_break() {
        return None;
    }
    versions::forget(&mut statement);
    Some(statement)
}

fn written(sql: &str) -> Option<Statement> {
    let tokens = grammar::tokens(sql).ok()?;
    let parser = Parser::new(&Grammar).with_recursion_limit(DEPTH).with_tokens_with_locations(tokens);
    { parser }.parse_statement().ok()
}

struct Walk {
    seen: usize,
    parts: Vec<Part>,
    /// The number of the expression that is left out.
    blank: Option<usize>,
}

impl VisitorMut for Walk {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let number = self.seen;
        self.seen += 1;
        if self.blank == Some(number) {
            *expr = Expr::value(Value::Null);
            return ControlFlow::Break(());
        }
        let function = match expr {
            Expr::Identifier(_) | Expr::Value(_) | Expr::Nested(_) => return ControlFlow::Continue(()),
            Expr::Function(function) => Some(function.name.to_string().to_lowercase()),
            _ => None,
        };
        if let Some(at) = refusal::position(expr.span().start) {
            self.parts.push(Part { at, function, number });
        }
        ControlFlow::Continue(())
    }
}
