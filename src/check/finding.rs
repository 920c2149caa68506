//! Turns what the engine refuses into a Diagnostic at the place in the model's own source, with a way out.

use crate::adapter::binder::{Refusal, Refused, signature};
use crate::adapter::relation::Relation;
use crate::check::inputs::Inputs;
use crate::check::locate::locate;
use crate::check::once::CALLED;
use crate::check::patch::name_parts;
use crate::check::{Checker, Schema, meant};
use crate::compile::CompiledNode;
use crate::compile::place::source_of;
use crate::compile::written::{Written, written_by_macro};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::files::Span;
use crate::manifest::{Kind, Node};

/// What a finding rests on.
pub struct Basis<'a> {
    pub checker: &'a Checker<'a>,
    pub node: &'a Node,
    pub compiled: &'a CompiledNode,
    pub inputs: &'a [(&'a Relation, &'a Schema)],
    /// Whether all that the query reads is what it will be.
    pub certain: bool,
}

/// The finding; none if the engine's complaint says nothing about the query itself. `at` is a byte of the compiled SQL.
pub fn problem(basis: &Basis<'_>, refusal: &Refusal, at: Option<usize>) -> Option<Diagnostic> {
    let mut certain = basis.certain;
    let outside = &basis.checker.outside;
    let name = match &refusal.kind {
        Refused::World => return None,
        Refused::UnknownFunction { name, .. } if outside.has_function(name) => return None,
        Refused::UnknownFunction { name, .. } => {
            certain &= !outside.makes_functions;
            Some(name)
        }
        Refused::UnknownType { name, .. } if outside.has_type(name) => return None,
        Refused::UnknownType { name, .. } => {
            certain &= !outside.has_hooks;
            Some(name)
        }
        Refused::UnknownRelation { name } => {
            certain &= outside.is_there() && !outside.has_hooks;
            Some(name)
        }
        Refused::UnknownColumn { name, .. } | Refused::AmbiguousColumn { name, .. } => Some(name),
        Refused::Union | Refused::Type | Refused::Syntax | Refused::Other => None,
    };
    let sql = &basis.compiled.sql;
    let place_of_name = locate(sql, refusal, at, name.map(String::as_str), &Inputs(basis.inputs));
    let (code, message, label, help) = match &refusal.kind {
        Refused::UnknownRelation { name } => {
            let written = at.map_or_else(Vec::new, |at| name_parts(sql.get(at..).unwrap_or_default()));
            absent(basis, name, &if written.is_empty() { vec![name.clone()] } else { written })
        }
        _ => words(refusal),
    };
    let help = owner(basis, refusal).or(help);
    let severity = if certain { Severity::Error } else { Severity::Warning };
    let problem = Diagnostic { severity, ..Diagnostic::error(code, None, message) };
    Some(Diagnostic { help, ..place(basis, place_of_name, problem, label) })
}

/// At the place of the SQL; a generic test has none, and stands where it is written.
fn place(basis: &Basis<'_>, at: Option<usize>, problem: Diagnostic, label: &str) -> Diagnostic {
    if let Kind::GenericTest(test) = &basis.node.kind {
        return Diagnostic { span: Some(test.span), ..problem }.label("in the query of this test");
    }
    let place = at.and_then(|at| source_of(&basis.checker.request.session, basis.compiled, at));
    let session = &basis.checker.request.session;
    let written = at.and_then(|at| written_by_macro(session, basis.node, basis.compiled, at));
    match (place, written) {
        (Some(call), Some(Written { span, is_own: true })) => {
            Diagnostic { span: Some(span), ..problem }.label(label).related(call, CALLED)
        }
        (Some(call), Some(Written { span, .. })) => {
            Diagnostic { span: Some(call), ..problem }.label(label).related(span, "the macro writes it here")
        }
        (Some(span), None) => Diagnostic { span: Some(span), ..problem }.label(label),
        (None, _) => Diagnostic { span: Some(Span::start_of(basis.node.file)), ..problem },
    }
}

/// What is said of a relation that is not there, and why that may not be the whole truth.
fn absent(basis: &Basis<'_>, name: &str, written: &[String]) -> Words {
    let outside = &basis.checker.outside;
    let label = match (outside.is_there(), outside.has_hooks) {
        (true, false) => "neither the project nor the warehouse has it",
        (false, false) => "the project does not have it, and there is no warehouse yet to look in",
        (_, true) => "the project does not have it, unless a hook creates it",
    };
    let help = meant::way_out(basis.checker, &basis.compiled.sql, written);
    (Code::UnknownRelation, format!("the relation `{name}` does not exist"), label, Some(help))
}

type Words = (Code, String, &'static str, Option<String>);

fn words(refusal: &Refusal) -> Words {
    let said = refusal.message.split_once(" Error: ").map_or(refusal.message.as_str(), |(_, said)| said);
    let first = said.lines().next().unwrap_or_default().trim_end_matches(['!', '.']);
    match &refusal.kind {
        Refused::UnknownColumn { name, candidates } => {
            let message = format!("the column `{name}` does not exist");
            (Code::UnknownColumn, message, "no relation that is read here has this column", way_out(name, candidates))
        }
        Refused::AmbiguousColumn { name, candidates } => {
            let message = format!("the column `{name}` is ambiguous");
            let help = (!candidates.is_empty()).then(|| format!("write {}", listed(candidates, " or ")));
            (Code::AmbiguousColumn, message, "more than one relation has this column", help)
        }
        Refused::UnknownFunction { name, nearest } => {
            let message = format!("the function `{name}` does not exist");
            let help = nearest.as_ref().map(|near| format!("did you mean `{near}`?"));
            (Code::UnknownFunction, message, "the engine has no such function", help)
        }
        Refused::UnknownType { name, nearest } => {
            let message = format!("the type `{name}` does not exist");
            let help = nearest.as_ref().map(|near| format!("did you mean `{near}`?"));
            (Code::UnknownType, message, "the engine has no such type", help)
        }
        Refused::Union => (Code::TypeMismatch, first.to_string(), "these parts do not fit together", None),
        Refused::Type => {
            let forms = said.lines().skip(2).map(str::trim).filter(|line| !line.is_empty()).collect();
            let likely = likely_forms(refusal.call(), forms);
            let help = (!likely.is_empty()).then(|| format!("there is {}", likely.join(", ")));
            (Code::TypeMismatch, first.to_string(), "the types do not fit here", help)
        }
        Refused::UnknownRelation { .. } | Refused::Syntax | Refused::Other | Refused::World => {
            (Code::SqlError, said.trim().to_string(), "the engine stops here", None)
        }
    }
}

/// Four forms of a function at most, those first that take most of the types that were given, and as many.
fn likely_forms<'a>(call: Option<(&str, Vec<&str>)>, mut forms: Vec<&'a str>) -> Vec<&'a str> {
    let given = call.map_or_else(Vec::new, |(_, types)| types);
    let distance = |form: &&str| {
        let taken = signature(form.split(" -> ").next().unwrap_or(form)).map_or_else(Vec::new, |(_, types)| types);
        let fits = given.iter().zip(&taken).filter(|(given, taken)| given == taken).count();
        (given.len().abs_diff(taken.len()), given.len() - fits)
    };
    forms.sort_by_key(distance);
    forms.truncate(4);
    forms
}

/// So many columns are named where none was meant.
const NAMED: usize = 6;

/// The column that was meant, else those that are there.
pub fn way_out(name: &str, candidates: &[String]) -> Option<String> {
    let lower = name.to_lowercase();
    let others = candidates.iter().map(String::as_str).filter(|candidate| candidate.to_lowercase() != lower);
    match nearest(&lower, others) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if candidates.is_empty() => None,
        None if candidates.len() <= NAMED => Some(format!("there is {}", listed(candidates, ", "))),
        None => {
            let more = candidates.len() - NAMED;
            Some(format!("there is {} and {more} more", listed(&candidates[..NAMED], ", ")))
        }
    }
}

/// Who has a column that is not found; none if something else was meant.
fn owner(basis: &Basis<'_>, refusal: &Refusal) -> Option<String> {
    let Refused::UnknownColumn { name, candidates } = &refusal.kind else { return None };
    if nearest(&name.to_lowercase(), candidates.iter().map(String::as_str)).is_some() {
        return None;
    }
    let has_it = basis.inputs.iter().filter(|(_, schema)| schema.column(name).is_some());
    let owners: Vec<String> = has_it.filter_map(|(relation, _)| relation.identifier.clone()).collect();
    let (owners, does) = match owners.as_slice() {
        [] => return None,
        [owner] => (format!("`{owner}`"), ["has", "does"]),
        owners => (listed(owners, " and "), ["have", "do"]),
    };
    let part = ["Table \"", "Values list \""].iter().find_map(|start| refusal.message.split_once(start));
    Some(match part.and_then(|(_, rest)| rest.split_once('"')) {
        Some((part, _)) => format!("`{part}` does not have this column; {owners} {}", does[1]),
        None => format!("{owners} {} this column, but it does not come to this place", does[0]),
    })
}

fn listed(names: &[String], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}
