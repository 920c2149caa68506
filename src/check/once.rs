//! Tells the same mistake of the same macro once, with the places that meet it.

use crate::diagnostic::{Diagnostic, Diagnostics, Related};
use crate::map::IndexMap;

/// What stands at the call of a macro that has a mistake.
pub const CALLED: &str = "called from here";

/// So many calls are shown.
const MOST: usize = 5;

/// Puts the problems together that are one mistake of a macro; the others stay as they are.
pub fn once(problems: Diagnostics) -> Diagnostics {
    let mut told: IndexMap<_, Diagnostic> = IndexMap::default();
    let mut all = Diagnostics::default();
    for problem in problems {
        if !problem.related.iter().any(|related| related.label == CALLED) {
            all.push(problem);
            continue;
        }
        match told.get_mut(&(problem.code, problem.span)) {
            Some(first) => add(first, problem),
            None => drop(told.insert((problem.code, problem.span), problem)),
        }
    }
    for mut problem in told.into_values() {
        let more = problem.related.len().saturating_sub(MOST);
        problem.related.truncate(MOST);
        if let Some(last) = problem.related.last_mut().filter(|_| more > 0) {
            last.label = format!("{}, and in {more} more places", last.label);
        }
        all.push(problem);
    }
    all
}

/// Adds another call, which may have been given something else.
fn add(first: &mut Diagnostic, other: Diagnostic) {
    let label = if other.message == first.message { CALLED.to_string() } else { other.message };
    first.severity = first.severity.max(other.severity);
    for related in other.related {
        if !first.related.iter().any(|known| known.span == related.span) {
            first.related.push(Related { label: label.clone(), ..related });
        }
    }
}
