//! The names that tags bind: the parameters of macros, and the targets of `set` and `for`.

use crate::jinja::front::SyntaxError;
use crate::jinja::front::expression::{Expression, Parser};

/// The names on the left of `=` or `in`.
pub(super) fn targets(parser: &mut Parser, until: &str) -> Result<(), SyntaxError> {
    while !parser.is(until) {
        if parser.skip("(") {
            targets(parser, ")")?;
            parser.expect(")")?;
        } else {
            parser.name("a name")?;
            while parser.skip(".") {
                parser.name("a name after `.`")?;
            }
        }
        if !parser.skip(",") {
            return Ok(());
        }
    }
    Ok(())
}

/// A parameter of a macro.
#[derive(Debug, Clone)]
pub struct Parameter {
    pub name: String,
    pub default: Option<Expression>,
}

/// `(a, b: str, c=1)`; drops the types.
pub fn parameters(parser: &mut Parser) -> Result<Vec<Parameter>, SyntaxError> {
    parser.expect("(")?;
    let mut list = Vec::new();
    while !parser.skip(")") {
        let name = parser.name("the name of a parameter")?;
        let name = parser.source[name].to_string();
        if parser.is(":") {
            drop_type(parser);
        }
        let default = if parser.skip("=") { Some(parser.expression()?) } else { None };
        list.push(Parameter { name, default });
        if !parser.is(")") {
            parser.expect(",").map_err(|_| parser.unexpected("`,` or `)`"))?;
        }
    }
    Ok(list)
}

fn drop_type(parser: &mut Parser) {
    let start = parser.here().start;
    let mut end = start;
    let mut depth = 0usize;
    while let Some(text) = parser.peek() {
        match text {
            "[" | "(" => depth += 1,
            "]" | ")" if depth > 0 => depth -= 1,
            ")" | "," | "=" if depth == 0 => break,
            _ => {}
        }
        end = parser.here().end;
        parser.next();
    }
    parser.edits.replace(start..end, "");
}
