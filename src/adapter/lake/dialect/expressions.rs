//! Turns one expression, whose parts are rewritten, into one that DataFusion evaluates as DuckDB does.

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CeilFloorKind, DateTimeField, Expr, Interval, Spanned, TypedString, UnaryOperator,
    Value,
};
use sqlparser::tokenizer::Span;

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::refusal::refuse;
use crate::adapter::lake::dialect::{build, calls, casts, literals, queries};

/// Rewrites an expression in its place.
pub fn rewrite(expr: &mut Expr) -> Result<(), AdapterError> {
    let span = expr.span();
    match expr {
        Expr::Value(_) => literals::widen(expr),
        Expr::Case { conditions, else_result, .. } => {
            conditions.iter_mut().for_each(|when| literals::give_type(&mut when.result));
            else_result.iter_mut().for_each(|result| literals::give_type(result));
        }
        Expr::Array(array) => array.elem.iter_mut().for_each(literals::give_type),
        Expr::Dictionary(fields) => fields.iter_mut().for_each(|field| literals::give_type(&mut field.value)),
        Expr::Map(map) => map.entries.iter_mut().for_each(|entry| {
            literals::give_type(&mut entry.key);
            literals::give_type(&mut entry.value);
        }),
        Expr::Interval(interval) => {
            if let Some(call) = interval_call(interval, span)? {
                *expr = call;
            }
        }
        Expr::Subquery(query) => queries::single(query),
        Expr::JsonAccess { .. } => {
            return Err(refuse(span, "DataFusion has no prefix aliases; write `expression as name`"));
        }
        Expr::Lambda(_) => return Err(refuse(span, "DataFusion has no lambda functions; unnest the list instead")),
        Expr::Collate { .. } => return Err(refuse(span, "DataFusion has no collations; compare `lower(…)` instead")),
        Expr::RLike { .. } => return Err(refuse(span, "DuckDB has no RLIKE; write `regexp_matches(text, pattern)`")),
        _ => {
            let whole = build::take(expr);
            *expr = replace(whole, span)?;
        }
    }
    Ok(())
}

fn replace(expr: Expr, span: Span) -> Result<Expr, AdapterError> {
    let called = |name: &str, args: Vec<Expr>| calls::rewrite_named(name, args, span);
    Ok(match expr {
        Expr::Function(function) => calls::rewrite(function)?,
        Expr::Cast { kind, expr, data_type, array: false, format: None } => {
            casts::rewrite(&kind, *expr, data_type, span)?
        }
        Expr::TypedString(TypedString { data_type, value, .. }) => {
            let literal = Expr::Value(value);
            casts::rewrite(&sqlparser::ast::CastKind::Cast, literal, data_type, span)?
        }
        Expr::Extract { field, expr, .. } => {
            let part = field.to_string().to_lowercase();
            called("date_part", vec![build::text(part.trim_matches('\'')), *expr])?
        }
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let parts = [Some(expr), substring_from, substring_for].into_iter().flatten();
            called("substr", parts.map(|part| *part).collect())?
        }
        Expr::Position { expr, r#in } => called("strpos", vec![*r#in, *expr])?,
        Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            called("ceil", vec![*expr])?
        }
        Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => {
            called("floor", vec![*expr])?
        }
        Expr::AtTimeZone { timestamp, time_zone } => build::call("timezone", vec![*time_zone, *timestamp]),
        Expr::SimilarTo { negated, expr, pattern, escape_char: None } => {
            negate(negated, build::call("regexp_full_match", vec![*expr, *pattern]))
        }
        Expr::Like { negated, any: false, expr, pattern, escape_char } => {
            let pattern = Box::new(like_pattern(*pattern, escape_char, span)?);
            Expr::Like { negated, any: false, expr, pattern, escape_char: None }
        }
        Expr::ILike { negated, any: false, expr, pattern, escape_char } => {
            let pattern = Box::new(like_pattern(*pattern, escape_char, span)?);
            Expr::ILike { negated, any: false, expr, pattern, escape_char: None }
        }
        Expr::Between { expr, negated, low, high } => between(*expr, negated, *low, *high),
        Expr::CompoundFieldAccess { root, access_chain } => fields(*root, access_chain),
        Expr::BinaryOp { left, op, right } => operator(*left, op, *right, span)?,
        other => other,
    })
}

/// `{…}.a.b`: DataFusion knows names only behind a column.
fn fields(root: Expr, chain: Vec<AccessExpr>) -> Expr {
    let name = |access: &AccessExpr| match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name.value.clone()),
        _ => None,
    };
    match chain.iter().map(name).collect::<Option<Vec<String>>>() {
        Some(names) => names.iter().fold(root, |value, name| build::call("get_field", vec![value, build::text(name)])),
        None => {
            let mut is_element = false;
            let behind_element = |access: AccessExpr| match access {
                AccessExpr::Dot(Expr::Identifier(name)) if is_element => {
                    AccessExpr::Dot(build::text(&name.value.to_lowercase()))
                }
                access => {
                    is_element |= matches!(access, AccessExpr::Subscript(_));
                    access
                }
            };
            let access_chain = chain.into_iter().map(behind_element).collect();
            Expr::CompoundFieldAccess { root: Box::new(root), access_chain }
        }
    }
}

/// A backslash escapes in DataFusion; in DuckDB only what ESCAPE names does.
fn like_pattern(pattern: Expr, escape: Option<Value>, span: Span) -> Result<Expr, AdapterError> {
    let escape = match escape {
        None => None,
        Some(Value::SingleQuotedString(text)) if text.chars().count() == 1 => text.chars().next(),
        Some(_) => return Err(refuse(span, "ESCAPE takes one character")),
    };
    let Some(text) = build::literal_text(&pattern) else {
        return match escape {
            None => Ok(build::call("replace", vec![pattern, build::text("\\"), build::text("\\\\")])),
            Some(_) => Err(refuse(span, "DataFusion takes ESCAPE beside a literal pattern only")),
        };
    };
    let mut written = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if Some(c) == escape => written.extend(['\\'].into_iter().chain(chars.next())),
            '\\' => written.push_str("\\\\"),
            other => written.push(other),
        }
    }
    Ok(build::text(&written))
}

fn negate(negated: bool, expr: Expr) -> Expr {
    if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) } } else { expr }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

/// As two comparisons, so that each converts its sides as a comparison does.
fn between(expr: Expr, negated: bool, low: Expr, high: Expr) -> Expr {
    let from = binary(expr.clone(), BinaryOperator::GtEq, low);
    let to = binary(expr, BinaryOperator::LtEq, high);
    negate(negated, build::nested(binary(from, BinaryOperator::And, to)))
}

fn operator(left: Expr, op: BinaryOperator, right: Expr, span: Span) -> Result<Expr, AdapterError> {
    let name = match op {
        BinaryOperator::BitwiseXor | BinaryOperator::PGExp => {
            return calls::rewrite_named("pow", vec![left, right], span);
        }
        BinaryOperator::PGStartsWith => return calls::rewrite_named("starts_with", vec![left, right], span),
        BinaryOperator::Arrow => "json_extract",
        BinaryOperator::LongArrow => "json_extract_string",
        _ => return Ok(binary(left, op, right)),
    };
    if is_lambda(&left, &right) {
        return Err(refuse(span, "DataFusion has no lambda functions; unnest the list instead"));
    }
    if !matches!(right, Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Nested(_)) {
        // `j ->> 'a' = 'b'` compares 'a' with 'b' first.
        let way = "put the arrow and its sides in brackets, as it binds less than what follows it";
        return Err(refuse(span, format!("`->` with an expression on its right; {way}")));
    }
    Ok(build::call(name, vec![left, right]))
}

/// `x -> x + 1`: what stands on the left is used on the right.
fn is_lambda(left: &Expr, right: &Expr) -> bool {
    let Expr::Identifier(parameter) = left else { return matches!(left, Expr::Tuple(_)) };
    let mut used = false;
    let _: ControlFlow<()> = sqlparser::ast::visit_expressions(right, |expr| {
        used |= matches!(expr, Expr::Identifier(ident) if ident.value == parameter.value);
        ControlFlow::Continue(())
    });
    used
}

/// An interval of a number of units that is known only when the query runs.
fn interval_call(interval: &mut Interval, span: Span) -> Result<Option<Expr>, AdapterError> {
    let value = build::bare(&interval.value).clone();
    let unit = interval.leading_field.as_ref().map(|field| field.to_string().to_lowercase());
    match (&value, unit) {
        (Expr::Value(literal), unit) => {
            let text = match &literal.value {
                Value::Number(digits, _) => digits.clone(),
                Value::SingleQuotedString(text) => text.clone(),
                _ => return Ok(None),
            };
            // Unit and number together are one text that both engines read alike.
            let text = unit.map_or(text.clone(), |unit| format!("{text} {unit}"));
            *interval.value = build::text(&text);
            interval.leading_field = None;
            Ok(None)
        }
        (_, Some(unit)) => {
            let function = format!("to_{}s", unit.trim_end_matches('s'));
            calls::rewrite_named(&function, vec![value], span).map(Some)
        }
        (_, None) => Ok(None),
    }
}
