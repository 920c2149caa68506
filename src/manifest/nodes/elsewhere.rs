//! Finds what property files say of the nodes of other packages.
//!
//! dbt looks for a described model, seed or snapshot in the package of the file first, and then in all others.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostics;
use crate::files::Span;
use crate::manifest::Node;
use crate::manifest::generic_tests::described_twice;
use crate::manifest::nodes::{Patch, Task};
use crate::project::Project;
use crate::project::package::Package;

/// Tasks by their place, each with what another package says of its node; a node that is described already is told.
pub(super) fn descriptions<'a>(
    project: &'a Project,
    tasks: &[Task<'a>],
    drafted: &[Option<&Node>],
    sink: &mut Diagnostics,
) -> Vec<(usize, Patch<'a>)> {
    if project.packages.len() < 2 {
        return Vec::new();
    }
    let mut enabled: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (at, node) in drafted.iter().enumerate() {
        if let Some(node) = node.filter(|node| node.version.is_none() && node.config.flag("enabled")) {
            enabled.entry((node.resource_type(), &node.name)).or_default().push(at);
        }
    }
    let mut described: BTreeMap<usize, Span> =
        tasks.iter().enumerate().filter_map(|(at, task)| Some((at, task.patch.as_ref()?.says.span))).collect();
    let mut found = Vec::new();
    for (kind, patch) in project.packages.values().flat_map(said_by) {
        let Some(places) = enabled.get(&(kind, patch.says.name.as_str())) else { continue };
        if places.iter().any(|at| tasks[*at].package.name == patch.package) {
            continue;
        }
        let described_at = |at: &usize| described.get(at).copied();
        match (places.iter().copied().find(|at| described_at(at).is_none()), places.iter().find_map(described_at)) {
            (Some(at), _) => {
                described.insert(at, patch.says.span);
                found.push((at, patch));
            }
            (None, other) => sink.extend(other.map(|other| described_twice(patch.says, other))),
        }
    }
    found
}

fn said_by(package: &Package) -> impl Iterator<Item = (&'static str, Patch<'_>)> {
    package.properties.iter().flat_map(move |file| {
        let kinds = [("model", &file.models), ("seed", &file.seeds), ("snapshot", &file.snapshots)];
        let all = kinds.into_iter().flat_map(|(kind, said)| said.iter().map(move |says| (kind, says)));
        all.filter(|(_, says)| says.version.is_none() && says.relation.is_none())
            .map(move |(kind, says)| (kind, Patch { package: &package.name, file, says }))
    })
}
