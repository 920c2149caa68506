//! Turns the selected exposures into outcomes of a build: there is nothing to do for them, and others want to hear it.

use crate::manifest::selection::NodeSet;
use crate::manifest::{Exposure, Manifest};
use crate::run::outcome::Timer;
use crate::run::{Outcome, RunResults, Status};

/// The selected exposures, each with its outcome: nothing done, or skipped if what it reads did not end well.
pub fn outcomes<'m>(manifest: &'m Manifest, selected: &NodeSet, results: &RunResults) -> Vec<(&'m Exposure, Outcome)> {
    let chosen = selected.iter().filter_map(|id| manifest.exposures.get(id));
    chosen.map(|exposure| (exposure, outcome(manifest, exposure, results))).collect()
}

fn outcome(manifest: &Manifest, exposure: &Exposure, results: &RunResults) -> Outcome {
    let mut timer = Timer::of(&exposure.id, 1);
    timer.compiled();
    let failed = |id: &&str| {
        let ended = results.outcomes.iter().find(|outcome| outcome.node == *id);
        ended.is_some_and(|outcome| outcome.status.is_bad() || outcome.status == Status::Skipped)
    };
    match manifest.graph.parents(&exposure.id).find(failed) {
        Some(parent) => {
            let name = manifest.node(parent).map_or(parent, |node| &node.name);
            timer.ended(Status::Skipped, Some(format!("`{name}` did not end well")))
        }
        None => Outcome { failures: Some(0), ..timer.ended(Status::NoOp, Some("NO-OP".to_string())) },
    }
}
