//! Turns `waive:` of a model's config into exceptions from the rules of its layer: each has a reason and a last day.

use chrono::NaiveDate;
use serde_json::Value as Json;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity, nearest};
use crate::manifest::{Node, refable};
use crate::project::layers::medal_key;

/// The rules that a model may be excepted from.
const RULES: [Code; 5] =
    [Code::LayerReads, Code::LayerRequires, Code::LayerMirror, Code::BronzeShape, Code::PiiReaches];

struct Waiver<'a> {
    rule: Code,
    reason: &'a str,
    /// The last day on which it counts.
    until: NaiveDate,
}

/// What is left of the broken rules of a model: those that are waived are not told, those whose waiver has lapsed are
/// errors.
pub fn settle(node: &Node, today: NaiveDate, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let (waivers, _) = read(node);
    let waived = |problem: Diagnostic| {
        let Some(waiver) = waivers.iter().find(|waiver| waiver.rule == problem.code) else { return Some(problem) };
        if today <= waiver.until {
            return None;
        }
        let label = format!("its waiver, “{}”, has lapsed on {}", waiver.reason, waiver.until);
        let place = node.config_place("waive").or_else(|| refable::place(node));
        let problem = Diagnostic { severity: Severity::Error, ..problem };
        Some(place.into_iter().fold(problem, |problem, place| problem.related(place, label.clone())))
    };
    found.into_iter().filter_map(waived).collect()
}

/// Waivers that do not say what they must.
pub fn problems(node: &Node) -> Vec<Diagnostic> {
    read(node).1
}

fn read(node: &Node) -> (Vec<Waiver<'_>>, Vec<Diagnostic>) {
    let (mut waivers, mut problems) = (Vec::new(), Vec::new());
    let Some(written) = medal_key(node.config.written(), "waive") else { return (waivers, problems) };
    let place = || node.config_place("waive").or_else(|| refable::place(node));
    let error = |message: String| Diagnostic::error(Code::Waiver, place(), message);
    let shape = "write `waive: {layer-reads: {reason: \"…\", until: 2026-12-31}}`";
    let Some(rules) = written.as_object() else {
        problems.push(error(format!("`waive` of `{}` names no rule", node.name)).help(shape));
        return (waivers, problems);
    };
    for (name, terms) in rules {
        let Some(rule) = RULES.into_iter().find(|rule| rule.name() == name) else {
            let names = RULES.map(Code::name);
            let problem = error(format!("`{}` waives `{name}`, which is no rule of a layer", node.name));
            problems.push(problem.help(match nearest(name, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the rules are {}", names.join(", ")),
            }));
            continue;
        };
        let text = |key: &str| terms.get(key).and_then(Json::as_str).map(str::trim).filter(|text| !text.is_empty());
        let until = text("until").and_then(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok());
        match (text("reason"), until) {
            (Some(reason), Some(until)) => waivers.push(Waiver { rule, reason, until }),
            (reason, until) => {
                let lacks = [("reason", reason.is_none()), ("last day (`until`)", until.is_none())];
                let lacks: Vec<&str> = lacks.into_iter().filter(|(_, lacks)| *lacks).map(|(name, _)| name).collect();
                let message = format!("`{}` waives `{name}` without a {}", node.name, lacks.join(" and a "));
                problems.push(error(message).help(shape));
            }
        }
    }
    (waivers, problems)
}
