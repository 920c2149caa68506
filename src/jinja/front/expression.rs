//! Turns the tokens of one tag into edits: each Python-like operation gets the function that does it.

mod cursor;
mod operand;

use std::ops::Range;

use serde_json::Value as Json;

use crate::jinja::front::SyntaxError;
use crate::jinja::front::edits::Edits;
use crate::jinja::front::expression::operand::{all_constant, negated};
use crate::jinja::front::lexer::Token;

/// A call of a function or macro by name, as it is written.
#[derive(Debug, Clone)]
pub struct Call {
    /// `ref`, `dbt_utils.star`, `adapter.dispatch` …
    pub name: String,
    pub name_range: Range<usize>,
    /// The whole call.
    pub range: Range<usize>,
    /// What the arguments are, if they are all constants.
    pub arguments: Option<Vec<Argument>>,
}

#[derive(Debug, Clone)]
pub struct Argument {
    pub keyword: Option<String>,
    pub value: Json,
    pub range: Range<usize>,
}

/// What the rewriter needs to know of an expression.
#[derive(Debug, Clone)]
pub struct Expression {
    pub range: Range<usize>,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Constant(Json),
    /// Constants between commas.
    Tuple(Json),
    /// Names with dots.
    Path,
    Call,
    Other,
}

impl Expression {
    pub fn constant(&self) -> Option<&Json> {
        match &self.kind {
            Kind::Constant(value) | Kind::Tuple(value) => Some(value),
            _ => None,
        }
    }

    fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Constant(Json::Number(_)))
    }

    /// Whether a list or dict could come out, or a text that grows.
    pub fn needs_binding(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Constant(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | Kind::Tuple(_)
        )
    }
}

/// How deep expressions may nest; minijinja has a similar limit.
const MAX_DEPTH: usize = 120;

const WORDS: [&str; 8] = ["and", "or", "not", "in", "is", "if", "else", "recursive"];

type Parsed = Result<Expression, SyntaxError>;

pub struct Parser<'a> {
    pub source: &'a str,
    tokens: &'a [Token],
    at: usize,
    /// Where the tag ends, for messages about what is missing.
    end: usize,
    depth: usize,
    pub edits: &'a mut Edits,
    pub calls: &'a mut Vec<Call>,
}

impl<'a> Parser<'a> {
    pub fn new(
        source: &'a str,
        tokens: &'a [Token],
        end: usize,
        edits: &'a mut Edits,
        calls: &'a mut Vec<Call>,
    ) -> Parser<'a> {
        Parser { source, tokens, at: 0, end, depth: 0, edits, calls }
    }

    /// Expressions between commas; a bare tuple gets parentheses.
    pub fn tuple(&mut self, conditional: bool) -> Parsed {
        let item = |parser: &mut Self| if conditional { parser.expression() } else { parser.or() };
        let first = item(self)?;
        if !self.is(",") {
            return Ok(first);
        }
        let start = first.range.start;
        let mut items = vec![first];
        while self.skip(",") {
            if self.done() || self.is("if") || self.is(":") {
                break;
            }
            items.push(item(self)?);
        }
        let range = start..self.last_end();
        self.edits.wrap(range.clone(), "(", ")");
        Ok(Expression { range, kind: all_constant(items).map_or(Kind::Other, Kind::Tuple) })
    }

    pub fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError::new(self.here(), "this expression is nested too deeply"));
        }
        let mut left = self.or()?;
        while self.skip("if") {
            self.or()?;
            if self.skip("else") {
                self.expression()?;
            }
            left = self.other(left.range.start);
        }
        self.depth -= 1;
        Ok(left)
    }

    fn other(&self, start: usize) -> Expression {
        Expression { range: start..self.last_end(), kind: Kind::Other }
    }

    pub fn or(&mut self) -> Parsed {
        let mut left = self.and()?;
        while self.skip("or") {
            self.and()?;
            left = self.other(left.range.start);
        }
        Ok(left)
    }

    fn and(&mut self) -> Parsed {
        let mut left = self.not()?;
        while self.skip("and") {
            self.not()?;
            left = self.other(left.range.start);
        }
        Ok(left)
    }

    fn not(&mut self) -> Parsed {
        let start = self.here().start;
        let mut negated = false;
        while self.skip("not") {
            negated = true;
        }
        let operand = self.comparison()?;
        Ok(if negated { self.other(start) } else { operand })
    }

    /// `a < b < c`, which is one call: Python refuses to order values of different types, and chains mean `and`. Only
    /// a single `==` or `!=` stays as it is.
    fn comparison(&mut self) -> Parsed {
        let left = self.sum()?;
        let mut operators = Vec::new();
        while let Some(operator) = self.comparison_operator()? {
            operators.push(operator);
            self.sum()?;
        }
        let whole = self.other(left.range.start);
        match &operators[..] {
            [] => return Ok(left),
            [(_, "==" | "!=")] => {}
            _ => {
                self.edits.wrap(whole.range.clone(), "__cmp(", ")");
                for (range, operator) in operators {
                    self.edits.replace(range, format!(",'{operator}',"));
                }
            }
        }
        Ok(whole)
    }

    fn comparison_operator(&mut self) -> Result<Option<(Range<usize>, &'static str)>, SyntaxError> {
        let start = self.here().start;
        let operator = if self.is("not") && self.is_at(1, "in") {
            self.at += 2;
            "not in"
        } else if self.skip("not") {
            return Err(self.unexpected("`in` after `not`"));
        } else {
            let known = ["==", "!=", "<", "<=", ">", ">=", "in"];
            let Some(operator) = known.into_iter().find(|operator| self.skip(operator)) else { return Ok(None) };
            operator
        };
        Ok(Some((start..self.last_end(), operator)))
    }

    /// `a + b` and `a - b`: for dates and sets these are functions, for numbers they stay operators.
    fn sum(&mut self) -> Parsed {
        let mut left = self.concatenation()?;
        while self.is("+") || self.is("-") {
            let function = if self.is("+") { "__add(" } else { "__sub(" };
            let operator = self.here();
            self.at += 1;
            let right = self.concatenation()?;
            let native = left.is_number() || right.is_number();
            left = self.operation(left, operator, native, function);
        }
        Ok(left)
    }

    fn operation(
        &mut self,
        left: Expression,
        operator: Range<usize>,
        native: bool,
        function: &'static str,
    ) -> Expression {
        let whole = self.other(left.range.start);
        if !native {
            self.edits.wrap(whole.range.clone(), function, ")");
            self.edits.replace(operator, ",");
        }
        whole
    }

    fn concatenation(&mut self) -> Parsed {
        let mut left = self.product()?;
        while self.skip("~") {
            self.product()?;
            left = self.other(left.range.start);
        }
        Ok(left)
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.power()?;
        while self.is("*") || self.is("/") || self.is("//") || self.is("%") {
            let is_remainder = self.is("%");
            let operator = self.here();
            self.at += 1;
            self.power()?;
            let native = !is_remainder || left.is_number();
            left = self.operation(left, operator, native, "__mod(");
        }
        Ok(left)
    }

    fn power(&mut self) -> Parsed {
        let mut left = self.unary(true)?;
        while self.skip("**") {
            self.unary(true)?;
            left = self.other(left.range.start);
        }
        Ok(left)
    }

    fn unary(&mut self, with_filters: bool) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(SyntaxError::new(self.here(), "this expression is nested too deeply"));
        }
        let start = self.here().start;
        let mut operand = if self.is("-") {
            let sign = self.here();
            self.at += 1;
            let operand = self.unary(false)?;
            let range = start..self.last_end();
            let kind = match operand.kind {
                Kind::Constant(Json::Number(number)) => negated(&number).map_or(Kind::Other, Kind::Constant),
                _ => {
                    self.edits.replace(sign, "");
                    self.edits.wrap(range.clone(), "__neg(", ")");
                    Kind::Other
                }
            };
            Expression { range, kind }
        } else if self.is("+") {
            self.edits.replace(self.here(), "");
            self.at += 1;
            self.unary(false)?
        } else {
            let primary = self.primary()?;
            self.postfix(primary)?
        };
        while with_filters && (self.is("|") || self.is("is")) {
            if self.skip("|") {
                self.filter()?
            } else {
                self.test()?
            }
            operand = self.other(start);
        }
        self.depth -= 1;
        Ok(operand)
    }
}
