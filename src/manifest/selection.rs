//! Turns a Manifest and a Selection into the set of nodes that a command works on, as dbt chooses them.

pub mod glob;
pub mod members;
pub mod methods;

use std::collections::BTreeSet;

use indexmap::IndexSet;

use crate::manifest::Manifest;
use crate::manifest::selection::members::Members;
use crate::manifest::selector::{
    Atom, Indirect, Intersection, Selection, Selector, SelectorError, check_resource_type, parse,
};

/// Unique ids of nodes, sources and exposures, parents before children.
pub type NodeSet = IndexSet<String>;

/// What a command selects from.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The project's own package, which `package:this` means.
    pub package: &'a str,
    /// The kinds of resources that the command works on.
    pub default_types: &'a [&'a str],
    /// What `--resource-type all` stands for.
    pub all_types: &'a [&'a str],
}

/// The outcome of a selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    pub nodes: NodeSet,
    /// Criteria that match nothing, as they are written.
    pub unmatched: Vec<String>,
}

/// What is selected when nothing is said.
const EVERYTHING: &str = "fqn:* source:* exposure:*";

/// Chooses the nodes: `select` without `exclude`, narrowed to kinds of resources.
pub fn select(manifest: &Manifest, selection: &Selection, scope: Scope<'_>) -> Result<Selected, SelectorError> {
    select_members(&Members::of(manifest, scope.package), selection, scope)
}

fn select_members(members: &Members<'_>, selection: &Selection, scope: Scope<'_>) -> Result<Selected, SelectorError> {
    let all_by_default = selection.select.is_empty();
    let included = parse(if all_by_default { EVERYTHING.to_string() } else { selection.select.join(" ") }.as_str())?;
    let excluded = parse(&selection.exclude.join(" "))?;
    let types = resource_types(selection, scope)?;

    let mut choosing = Choosing { members, indirect: selection.indirect, unmatched: Vec::new() };
    let included = choosing.union(&included);
    if all_by_default {
        choosing.unmatched.clear();
    }
    let excluded = choosing.union(&excluded);
    let chosen = included.direct.difference(&excluded.direct).map(|at| &members.all[*at]);
    Ok(Selected {
        nodes: chosen.filter(|member| types.contains(member.kind)).map(|member| member.id.to_string()).collect(),
        unmatched: choosing.unmatched,
    })
}

fn resource_types<'a>(selection: &'a Selection, scope: Scope<'a>) -> Result<BTreeSet<&'a str>, SelectorError> {
    let mut types = BTreeSet::new();
    for word in &selection.resource_types {
        match word.as_str() {
            "all" => types.extend(scope.all_types),
            "default" => types.extend(scope.default_types),
            word => {
                check_resource_type(word)?;
                types.insert(word);
            }
        }
    }
    if selection.resource_types.is_empty() {
        types.extend(scope.default_types);
    }
    for word in &selection.exclude_resource_types {
        check_resource_type(word)?;
        types.remove(word.as_str());
    }
    Ok(types)
}

/// Places of members.
pub type Places = BTreeSet<usize>;

/// What one part of a selection chooses.
#[derive(Debug, Default)]
struct Chosen {
    direct: Places,
    /// Tests with a parent in `direct` that are not chosen as long as others of their parents are not.
    waiting: Places,
}

/// A selection on its way through the parts of a selector.
struct Choosing<'a> {
    members: &'a Members<'a>,
    indirect: Indirect,
    unmatched: Vec<String>,
}

impl Choosing<'_> {
    fn union(&mut self, selector: &Selector) -> Chosen {
        let parts: Vec<Chosen> = selector.union.iter().map(|part| self.intersection(part)).collect();
        self.combined(&parts, |a, b| a | b)
    }

    fn intersection(&mut self, part: &Intersection) -> Chosen {
        let parts: Vec<Chosen> = part.atoms.iter().map(|atom| self.atom(atom)).collect();
        let chosen = self.combined(&parts, |a, b| a & b);
        if chosen.direct.is_empty() {
            self.unmatched.push(part.text.clone());
        }
        chosen
    }

    /// Joins parts, and chooses the waiting tests whose parents have come together by that.
    fn combined(&self, parts: &[Chosen], join: fn(&Places, &Places) -> Places) -> Chosen {
        let joined = |of: fn(&Chosen) -> Places| {
            parts.iter().map(of).reduce(|joined, next| join(&joined, &next)).unwrap_or_default()
        };
        let direct = joined(|part| part.direct.clone());
        let reached = joined(|part| &part.direct | &part.waiting);
        let present = match self.indirect {
            Indirect::Eager | Indirect::Empty => Places::new(),
            Indirect::Cautious => direct.clone(),
            Indirect::Buildable => &direct | &self.members.upstream(&direct, usize::MAX),
        };
        let complete = reached.iter().filter(|test| self.members.parents_within(**test, &present));
        let direct = if present.is_empty() { direct } else { direct.iter().chain(complete).copied().collect() };
        Chosen { waiting: &reached - &direct, direct }
    }

    fn atom(&self, atom: &Atom) -> Chosen {
        let named = methods::search(self.members, &atom.method, &atom.value);
        let mut direct = named.clone();
        if atom.childrens_parents {
            direct.extend(self.members.downstream(&named, usize::MAX));
            direct.extend(self.members.upstream(&direct, usize::MAX));
        }
        direct.extend(self.members.upstream(&named, atom.parents));
        direct.extend(self.members.downstream(&named, atom.children));
        self.with_tests(direct)
    }

    /// Adds the tests of the selected nodes that may come along.
    fn with_tests(&self, selected: Places) -> Chosen {
        let present = match self.indirect {
            Indirect::Empty => return Chosen { direct: selected, waiting: Places::new() },
            Indirect::Eager => Places::new(),
            Indirect::Cautious => selected.clone(),
            Indirect::Buildable => {
                let upstream = self.members.upstream(&selected, usize::MAX);
                &(&selected | &upstream) | &self.members.sources()
            }
        };
        let mut chosen = Chosen::default();
        for test in self.members.downstream(&selected, 1) {
            if !matches!(self.members.all[test].kind, "test" | "unit_test") || selected.contains(&test) {
                continue;
            }
            let comes = self.indirect == Indirect::Eager || self.members.parents_within(test, &present);
            if comes { &mut chosen.direct } else { &mut chosen.waiting }.insert(test);
        }
        chosen.direct.extend(selected);
        chosen
    }
}

#[cfg(test)]
mod tests;
