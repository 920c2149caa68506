//! Turns `t at (version => 3)`, `t version as of 3` and `t timestamp as of '…'` into a name that says which state of the
//! table is read.

use std::ops::ControlFlow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart, Statement,
    TableAlias, TableFactor, TableVersion, Value, VisitMut, VisitorMut,
};

use crate::adapter::AdapterError;
use crate::adapter::lake::dialect::build::bare;
use crate::adapter::lake::dialect::refusal::refuse;

/// Stands between the name of a table and its state; no name has it.
const MARK: char = '\u{1f}';

/// In which state a table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Version(u64),
    Moment(DateTime<Utc>),
}

/// Puts the state into the name.
pub fn relation(factor: &mut TableFactor) -> Result<(), AdapterError> {
    let TableFactor::Table { name, alias, version, .. } = factor else { return Ok(()) };
    let Some(wanted) = version.take() else { return Ok(()) };
    let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() else { return Ok(()) };
    let span = last.span;
    let state = state(&wanted).ok_or_else(|| {
        let message = format!("`{wanted}` says no state of a table; write `at (version => 3)` or `at (timestamp => '2026-01-31 12:00:00')`");
        refuse(span, message)
    })?;
    let plain = match last.quote_style {
        Some(_) => last.value.clone(),
        None => last.value.to_lowercase(),
    };
    *last = Ident::with_quote('"', format!("{plain}{MARK}{state}"));
    let missing = || TableAlias { explicit: true, name: Ident::with_quote('"', plain), columns: Vec::new() };
    *alias = Some(alias.take().unwrap_or_else(missing));
    Ok(())
}

fn state(version: &TableVersion) -> Option<String> {
    match version {
        TableVersion::VersionAsOf(expr) => number(expr),
        TableVersion::TimestampAsOf(expr) | TableVersion::ForSystemTimeAsOf(expr) => moment(expr),
        TableVersion::Function(Expr::Function(Function { args: FunctionArguments::List(list), .. })) => {
            match list.args.as_slice() {
                [FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), .. }] => {
                    match name.value.to_lowercase().as_str() {
                        "version" => number(expr),
                        "timestamp" => moment(expr),
                        _ => None,
                    }
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn number(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse::<u64>().ok().map(|version| version.to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn moment(expr: &Expr) -> Option<String> {
    let value = match bare(expr) {
        Expr::Value(value) => &value.value,
        Expr::TypedString(typed) => &typed.value.value,
        Expr::Cast { expr, .. } => return moment(expr),
        _ => return None,
    };
    let Value::SingleQuotedString(text) = value else { return None };
    parse(text).map(|moment| moment.to_rfc3339())
}

/// A time without a zone is UTC's.
fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let zoned =
        DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"));
    let plain = || NaiveDateTime::parse_from_str(&text.replace('T', " "), "%Y-%m-%d %H:%M:%S%.f").ok();
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    zoned.ok().map(|moment| moment.to_utc()).or_else(|| Some(plain().or_else(day)?.and_utc()))
}

/// The name of a table, and its state if one is asked for.
pub fn of(name: &str) -> (&str, Option<State>) {
    let Some((table, state)) = name.split_once(MARK) else { return (name, None) };
    let moment = || Some(State::Moment(DateTime::parse_from_rfc3339(state).ok()?.to_utc()));
    (table, state.parse().ok().map(State::Version).or_else(moment))
}

/// Takes the states out again, for where there is nothing but columns.
pub fn forget(statement: &mut Statement) {
    let _ = statement.visit(&mut Forgetting);
}

struct Forgetting;

impl VisitorMut for Forgetting {
    type Break = ();

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        if let Some(ObjectNamePart::Identifier(last)) = relation.0.last_mut()
            && let Some((table, _)) = last.value.split_once(MARK)
        {
            last.value = table.to_string();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::{State, of, parse};

    #[test]
    fn moments_are_read_as_they_are_written() {
        for text in ["2026-01-31 12:00:00", "2026-01-31T12:00:00Z", "2026-01-31 13:00:00+01", "2026-01-31 12:00:00.000"]
        {
            assert_eq!(parse(text).map(|moment| moment.timestamp()), Some(1_769_860_800), "{text}");
        }
        assert_eq!(parse("yesterday"), None);
        assert_eq!(of("t\u{1f}3"), ("t", Some(State::Version(3))));
        assert_eq!(of("t"), ("t", None));
    }
}
