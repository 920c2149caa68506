//! Turns the tokens of one tag into edits: each Python-like operation gets the function that does it.

use std::ops::Range;

use serde_json::Value as Json;

use crate::jinja::front::SyntaxError;
use crate::jinja::front::edits::Edits;
use crate::jinja::front::lexer::{Token, TokenKind};

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

    pub fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).map(|token| &self.source[token.start..token.end])
    }

    fn peek_kind(&self) -> Option<TokenKind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    /// Whether the next token is this operator or word.
    pub fn is(&self, text: &str) -> bool {
        self.peek() == Some(text) && self.peek_kind() != Some(TokenKind::Str)
    }

    fn is_at(&self, ahead: usize, text: &str) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| &self.source[token.start..token.end] == text)
    }

    pub fn skip(&mut self, text: &str) -> bool {
        let found = self.is(text);
        self.at += usize::from(found);
        found
    }

    pub fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).copied();
        self.at += usize::from(token.is_some());
        token
    }

    pub fn done(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The place of the next token, or of the end of the tag.
    pub fn here(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.end..self.end, |token| token.start..token.end)
    }

    fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(self.end, |token| token.end)
    }

    pub fn unexpected(&self, wanted: &str) -> SyntaxError {
        let message = match self.peek() {
            Some(text) => format!("expected {wanted}, found `{text}`"),
            None => format!("expected {wanted}, found the end of the tag"),
        };
        SyntaxError::new(self.here(), message)
    }

    pub fn expect(&mut self, text: &str) -> Result<(), SyntaxError> {
        if self.skip(text) { Ok(()) } else { Err(self.unexpected(&format!("`{text}`"))) }
    }

    pub fn name(&mut self, what: &str) -> Result<Range<usize>, SyntaxError> {
        match self.tokens.get(self.at) {
            Some(token) if token.kind == TokenKind::Name => {
                self.at += 1;
                Ok(token.start..token.end)
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// Ends the tag; dbt's Jinja allows a colon there, minijinja does not.
    pub fn finish(&mut self) -> Result<(), SyntaxError> {
        if self.is(":") && self.at + 1 == self.tokens.len() {
            self.edits.replace(self.here(), "");
            self.at += 1;
        }
        if self.done() { Ok(()) } else { Err(self.unexpected("the end of the tag")) }
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

    fn comparison(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            let is_not_in = self.is("not") && self.is_at(1, "in");
            if is_not_in {
                self.at += 2;
            } else if self.skip("not") {
                return Err(self.unexpected("`in` after `not`"));
            } else if !["==", "!=", "<", "<=", ">", ">=", "in"].iter().any(|operator| self.skip(operator)) {
                return Ok(left);
            }
            self.sum()?;
            left = self.other(left.range.start);
        }
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
        let mut operand = if self.skip("-") {
            let operand = self.unary(false)?;
            let kind = match operand.kind {
                Kind::Constant(Json::Number(number)) => negated(&number).map_or(Kind::Other, Kind::Constant),
                _ => Kind::Other,
            };
            Expression { range: start..self.last_end(), kind }
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

    /// The name of a filter and its arguments.
    pub fn filter(&mut self) -> Result<(), SyntaxError> {
        self.name("the name of a filter")?;
        while self.skip(".") {
            self.name("the name of a filter")?;
        }
        if self.is("(") {
            self.arguments()?;
        }
        Ok(())
    }

    fn test(&mut self) -> Result<(), SyntaxError> {
        self.expect("is")?;
        self.skip("not");
        self.name("the name of a test")?;
        if self.is("(") {
            self.arguments()?;
            return Ok(());
        }
        let has_argument = match self.peek_kind() {
            Some(TokenKind::Name) => !["and", "or", "else", "is", "if", "in", "not"].iter().any(|word| self.is(word)),
            Some(TokenKind::Operator) => self.is("[") || self.is("{"),
            Some(_) => true,
            None => false,
        };
        if has_argument {
            let primary = self.primary()?;
            self.postfix(primary)?;
        }
        Ok(())
    }

    fn postfix(&mut self, mut left: Expression) -> Parsed {
        loop {
            let start = left.range.start;
            if self.skip(".") {
                if matches!(self.peek_kind(), Some(TokenKind::Int)) {
                    self.at += 1;
                    left = self.other(start);
                    continue;
                }
                self.name("a name after `.`")?;
                let kind = if left.kind == Kind::Path { Kind::Path } else { Kind::Other };
                left = Expression { range: start..self.last_end(), kind };
            } else if self.is("[") {
                self.subscript()?;
                left = self.other(start);
            } else if self.is("(") {
                let arguments = self.arguments()?;
                let range = start..self.last_end();
                if left.kind == Kind::Path {
                    let name = self.source[left.range.clone()].split_whitespace().collect();
                    self.calls.push(Call { name, name_range: left.range, range: range.clone(), arguments });
                }
                left = Expression { range, kind: Kind::Call };
            } else {
                return Ok(left);
            }
        }
    }

    fn subscript(&mut self) -> Result<(), SyntaxError> {
        self.expect("[")?;
        if self.is("]") {
            return Err(self.unexpected("a key"));
        }
        while !self.is("]") {
            if self.skip(":") {
                continue;
            }
            self.expression()?;
            if !self.is(":") && !self.is("]") {
                return Err(self.unexpected("`]`"));
            }
        }
        self.expect("]")
    }

    fn arguments(&mut self) -> Result<Option<Vec<Argument>>, SyntaxError> {
        self.expect("(")?;
        let mut constant = Some(Vec::new());
        while !self.skip(")") {
            let is_splat = self.skip("**") || self.skip("*");
            let keyword = (!is_splat && self.peek_kind() == Some(TokenKind::Name) && self.is_at(1, "="))
                .then(|| self.peek().unwrap_or_default().to_string());
            if keyword.is_some() {
                self.at += 2;
            }
            let value = self.expression()?;
            match (value.constant(), &mut constant) {
                (Some(json), Some(list)) if !is_splat => {
                    list.push(Argument { keyword, value: json.clone(), range: value.range.clone() });
                }
                _ => constant = None,
            }
            if !self.is(")") {
                self.expect(",").map_err(|_| self.unexpected("`,` or `)`"))?;
            }
        }
        // A project keeps the calls of all its templates.
        constant.iter_mut().for_each(Vec::shrink_to_fit);
        Ok(constant)
    }

    fn primary(&mut self) -> Parsed {
        let range = self.here();
        let Some(kind) = self.peek_kind() else { return Err(self.unexpected("an expression")) };
        let text = &self.source[range.clone()];
        match kind {
            TokenKind::Str => return self.string(),
            TokenKind::Name if WORDS.contains(&text) => return Err(self.unexpected("an expression")),
            TokenKind::Operator => {
                return match text {
                    "(" => self.parentheses(),
                    "[" => self.list(),
                    "{" => self.dict(),
                    _ => Err(self.unexpected("an expression")),
                };
            }
            _ => {}
        }
        self.at += 1;
        let kind = match kind {
            TokenKind::Int => text.replace('_', "").parse::<i64>().map_or(Kind::Other, |n| Kind::Constant(n.into())),
            TokenKind::Float => text.replace('_', "").parse::<f64>().map_or(Kind::Other, |n| Kind::Constant(n.into())),
            _ => match text {
                "true" | "True" => Kind::Constant(true.into()),
                "false" | "False" => Kind::Constant(false.into()),
                "none" | "None" => Kind::Constant(Json::Null),
                _ => Kind::Path,
            },
        };
        Ok(Expression { range, kind })
    }

    /// Texts in a row are one text.
    fn string(&mut self) -> Parsed {
        let start = self.here().start;
        let mut text = String::new();
        while let Some(token) = self.tokens.get(self.at).filter(|token| token.kind == TokenKind::Str) {
            unescape(&self.source[token.start + 1..token.end - 1], &mut text);
            self.at += 1;
        }
        Ok(Expression { range: start..self.last_end(), kind: Kind::Constant(Json::String(text)) })
    }

    fn parentheses(&mut self) -> Parsed {
        let start = self.here().start;
        self.expect("(")?;
        let mut items = Vec::new();
        let mut is_tuple = self.is(")");
        while !self.skip(")") {
            items.push(self.expression()?);
            if self.skip(",") {
                is_tuple = true;
            } else if !self.is(")") {
                return Err(self.unexpected("`)`"));
            }
        }
        let range = start..self.last_end();
        let kind = match (is_tuple, items.len()) {
            (false, 1) => match items.remove(0).kind {
                Kind::Path => Kind::Other,
                kind => kind,
            },
            _ => all_constant(items).map_or(Kind::Other, Kind::Tuple),
        };
        // minijinja looks through parentheses, so `(a()).b` is fine, but a call must not lose them in `do`.
        Ok(Expression { range, kind: if kind == Kind::Call { Kind::Other } else { kind } })
    }

    fn list(&mut self) -> Parsed {
        let start = self.here().start;
        self.expect("[")?;
        let mut items = Vec::new();
        while !self.skip("]") {
            items.push(self.expression()?);
            if !self.is("]") {
                self.expect(",").map_err(|_| self.unexpected("`,` or `]`"))?;
            }
        }
        Ok(Expression { range: start..self.last_end(), kind: all_constant(items).map_or(Kind::Other, Kind::Constant) })
    }

    fn dict(&mut self) -> Parsed {
        let start = self.here().start;
        self.expect("{")?;
        let mut map = Some(serde_json::Map::new());
        while !self.skip("}") {
            let key = self.expression()?;
            self.expect(":")?;
            let value = self.expression()?;
            match (&mut map, key.constant(), value.constant()) {
                (Some(map), Some(Json::String(key)), Some(value)) => drop(map.insert(key.clone(), value.clone())),
                _ => map = None,
            }
            if !self.is("}") {
                self.expect(",").map_err(|_| self.unexpected("`,` or `}`"))?;
            }
        }
        let kind = map.map_or(Kind::Other, |map| Kind::Constant(Json::Object(map)));
        Ok(Expression { range: start..self.last_end(), kind })
    }
}

fn all_constant(items: Vec<Expression>) -> Option<Json> {
    items.into_iter().map(|item| item.constant().cloned()).collect::<Option<Vec<_>>>().map(Json::Array)
}

fn negated(number: &serde_json::Number) -> Option<Json> {
    match number.as_i64() {
        Some(int) => int.checked_neg().map(Json::from),
        None => number.as_f64().map(|float| Json::from(-float)),
    }
}

/// Python's escapes.
fn unescape(text: &str, out: &mut String) {
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        let Some(escape) = chars.next() else { return out.push('\\') };
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        if digits > 0 {
            let code: String = chars.by_ref().take(digits).collect();
            out.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
            continue;
        }
        match escape {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            '\n' => {}
            '\\' | '\'' | '"' => out.push(escape),
            other => out.extend(['\\', other]),
        }
    }
}
