//! Turns a Manifest and a Selection into the set of nodes that a command works on, as dbt chooses them.

pub mod glob;
pub mod members;
pub mod methods;

use std::collections::BTreeSet;

use crate::map::IndexSet;

use crate::manifest::Manifest;
use crate::manifest::selection::members::Members;
use crate::manifest::selector::method::{Method, check_resource_type};
use crate::manifest::selector::{Atom, Group, Indirect, Join, Selection, Selector, SelectorError, parse};
use crate::manifest::selectors::Selectors;
use crate::manifest::state::State;

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
    /// What `selectors.yml` names.
    pub selectors: &'a Selectors,
    /// What `--state` tells; none without it.
    pub state: Option<&'a State>,
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
    let types = resource_types(selection, scope)?;
    if nothing_said(selection) && selection.selector.is_none() && scope.selectors.default_one().is_none() {
        let members = members.all.iter().filter(|member| types.contains(member.kind));
        return Ok(Selected { nodes: members.map(|member| member.id.to_string()).collect(), unmatched: Vec::new() });
    }
    let chosen = selector_of(selection, scope.selectors)?;
    let mut choosing = Choosing { members, indirect: selection.indirect, state: scope.state, unmatched: Vec::new() };
    let chosen = choosing.choose(&chosen)?;
    let members = chosen.direct.iter().map(|at| &members.all[*at]);
    Ok(Selected {
        nodes: members.filter(|member| types.contains(member.kind)).map(|member| member.id.to_string()).collect(),
        unmatched: choosing.unmatched,
    })
}

/// What the options ask for: a named selector, or `--select` without `--exclude`, or the default of `selectors.yml`.
pub fn selector_of(selection: &Selection, selectors: &Selectors) -> Result<Selector, SelectorError> {
    if let Some(name) = &selection.selector {
        return selectors.find(name).cloned();
    }
    if let Some(default) = selectors.default_one().filter(|_| nothing_said(selection)) {
        return Ok(default.clone());
    }
    let included = match selection.select.is_empty() {
        true => quiet(parse(EVERYTHING, selectors)?),
        false => parse(&selection.select.join(" "), selectors)?,
    };
    let excluded = parse(&selection.exclude.join(" "), selectors)?;
    let parts = vec![included, excluded];
    Ok(Selector::Group(Group { join: Join::Difference, parts, text: None, gathers_tests: false }))
}

/// The same selector, of which no part has to match something.
fn quiet(selector: Selector) -> Selector {
    match selector {
        Selector::Group(group) => {
            Selector::Group(Group { text: None, parts: group.parts.into_iter().map(quiet).collect(), ..group })
        }
        one => one,
    }
}

fn nothing_said(selection: &Selection) -> bool {
    selection.select.is_empty() && selection.exclude.is_empty()
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
    state: Option<&'a State>,
    unmatched: Vec<String>,
}

impl Choosing<'_> {
    fn choose(&mut self, selector: &Selector) -> Result<Chosen, SelectorError> {
        match selector {
            Selector::One(atom) => self.atom(atom),
            Selector::Group(group) => self.group(group),
        }
    }

    fn group(&mut self, group: &Group) -> Result<Chosen, SelectorError> {
        let parts: Vec<Chosen> = group.parts.iter().map(|part| self.choose(part)).collect::<Result<_, _>>()?;
        let chosen = match (group.join, group.gathers_tests) {
            (Join::Union, true) => self.gathered(joined(&parts, |a, b| a | b)),
            (Join::Union, false) => joined(&parts, |a, b| a | b),
            (Join::Intersection, true) => self.gathered(joined(&parts, |a, b| a & b)),
            (Join::Intersection, false) => joined(&parts, |a, b| a & b),
            (Join::Difference, _) => joined(&parts, |a, b| a - b),
        };
        if let Some(text) = group.text.as_ref().filter(|_| chosen.direct.is_empty()) {
            self.unmatched.push(text.clone());
        }
        Ok(chosen)
    }

    /// Chooses the waiting tests whose parents have come together.
    fn gathered(&self, chosen: Chosen) -> Chosen {
        let present = match self.indirect {
            Indirect::Eager | Indirect::Empty => return chosen,
            Indirect::Cautious => chosen.direct.clone(),
            Indirect::Buildable => &chosen.direct | &self.members.upstream(&chosen.direct, usize::MAX),
        };
        let complete = chosen.waiting.iter().filter(|test| self.members.parents_within(**test, &present));
        let direct: Places = chosen.direct.iter().chain(complete).copied().collect();
        Chosen { waiting: &chosen.waiting - &direct, direct }
    }

    fn atom(&mut self, atom: &Atom) -> Result<Chosen, SelectorError> {
        let named = match &atom.method {
            Method::Selector(selector) => self.choose(selector)?.direct,
            method => methods::search(self.members, method, &atom.value, self.state)?,
        };
        let mut direct = named.clone();
        if atom.childrens_parents {
            direct.extend(self.members.downstream(&named, usize::MAX));
            direct.extend(self.members.upstream(&direct, usize::MAX));
        }
        direct.extend(self.members.upstream(&named, atom.parents));
        direct.extend(self.members.downstream(&named, atom.children));
        Ok(self.with_tests(direct, atom.indirect.unwrap_or(self.indirect)))
    }

    /// Adds the tests of the selected nodes that may come along.
    fn with_tests(&self, selected: Places, indirect: Indirect) -> Chosen {
        let present = match indirect {
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
            let comes = indirect == Indirect::Eager || self.members.parents_within(test, &present);
            if comes { &mut chosen.direct } else { &mut chosen.waiting }.insert(test);
        }
        chosen.direct.extend(selected);
        chosen
    }
}

/// Puts parts together: what they choose, and what they choose or let wait.
fn joined(parts: &[Chosen], join: fn(&Places, &Places) -> Places) -> Chosen {
    let all = |of: fn(&Chosen) -> Places| parts.iter().map(of).reduce(|a, b| join(&a, &b)).unwrap_or_default();
    let direct = all(|part| part.direct.clone());
    let reached = all(|part| &part.direct | &part.waiting);
    Chosen { waiting: &reached - &direct, direct }
}

#[cfg(test)]
mod tests;
