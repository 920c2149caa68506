//! Reads what operators work on: names, calls, literals, and the filters, tests, attributes and subscripts behind them.

use serde_json::Value as Json;

use crate::jinja::front::SyntaxError;
use crate::jinja::front::expression::{Argument, Call, Expression, Kind, Parsed, Parser, WORDS};
use crate::jinja::front::lexer::TokenKind;

impl Parser<'_> {
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

    pub(super) fn test(&mut self) -> Result<(), SyntaxError> {
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

    pub(super) fn postfix(&mut self, mut left: Expression) -> Parsed {
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
                if self.subscript()? {
                    self.edits.wrap(left.range.clone(), "__part(", ")");
                }
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

    pub(super) fn subscript(&mut self) -> Result<bool, SyntaxError> {
        self.expect("[")?;
        if self.is("]") {
            return Err(self.unexpected("a key"));
        }
        let mut is_slice = false;
        while !self.is("]") {
            if self.skip(":") {
                is_slice = true;
                continue;
            }
            self.expression()?;
            if !self.is(":") && !self.is("]") {
                return Err(self.unexpected("`]`"));
            }
        }
        self.expect("]")?;
        Ok(is_slice)
    }

    pub(super) fn arguments(&mut self) -> Result<Option<Vec<Argument>>, SyntaxError> {
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

    pub(super) fn primary(&mut self) -> Parsed {
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
    pub(super) fn string(&mut self) -> Parsed {
        let start = self.here().start;
        let mut text = String::new();
        while let Some(token) = self.tokens.get(self.at).filter(|token| token.kind == TokenKind::Str) {
            unescape(&self.source[token.start + 1..token.end - 1], &mut text);
            self.at += 1;
        }
        Ok(Expression { range: start..self.last_end(), kind: Kind::Constant(Json::String(text)) })
    }

    pub(super) fn parentheses(&mut self) -> Parsed {
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

    pub(super) fn list(&mut self) -> Parsed {
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

    pub(super) fn dict(&mut self) -> Parsed {
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

pub(super) fn all_constant(items: Vec<Expression>) -> Option<Json> {
    items.into_iter().map(|item| item.constant().cloned()).collect::<Option<Vec<_>>>().map(Json::Array)
}

pub(super) fn negated(number: &serde_json::Number) -> Option<Json> {
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
