//! Turns what the steps of a plan need into units: models that are built, audited and published in one transaction.
//!
//! A model with a layer is a unit with the tests that audit it, or with its whole group. A test of several models belongs
//! to the unit of the model that it is written on; if that one must be built before another of them, to the last. What
//! else the test reads comes before, and if it fails, the test reads its last good version. A unit is one node of the
//! graph of steps; a plan without layers has no units, and is as dbt would have it.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::layer::publishing::publishing;
use crate::manifest::{Manifest, Node, refable};
use crate::plan::{Needs, Plan, PlanOptions, Step};
use crate::project::layers::Layers;

/// The units of a plan, each under the id of its first model.
#[derive(Default)]
pub struct Units<'a> {
    /// The unit that a step belongs to; a step without one is not in here.
    unit_of: BTreeMap<&'a str, &'a str>,
    /// The steps of each unit.
    members: BTreeMap<&'a str, Vec<&'a str>>,
    /// The units whose models are audited.
    audited: BTreeSet<&'a str>,
    /// Steps that a step comes after, however they end.
    after: Needs<'a>,
}

impl<'a> Units<'a> {
    /// A unit for each model that is published, or for a whole group of them.
    pub fn of(
        manifest: &'a Manifest,
        layers: &Layers,
        needs: &Needs<'a>,
        options: PlanOptions,
        sink: &mut Diagnostics,
    ) -> Units<'a> {
        let mut units = Units::default();
        if !layers.enforced {
            return units;
        }
        let mut first: BTreeMap<(&str, usize), &str> = BTreeMap::new();
        let mut depths: BTreeMap<&str, BTreeMap<&str, Depth>> = BTreeMap::new();
        for id in manifest.graph.ids().filter(|id| needs.contains_key(id)) {
            let node = manifest.node(id);
            let publishing = node.and_then(|node| publishing(node, layers));
            let group = publishing.filter(|own| own.audited).and_then(|own| match (options.together, own.together) {
                (true, _) => Some(ALL),
                (false, true) => node.and_then(|node| node.layer.as_deref()),
                (false, false) => None,
            });
            let depth = Depth::below(&needs[id], &depths, group);
            if let Some(publishing) = publishing {
                let steps = |group: &str| depth.get(group).map_or(0, |depth: &Depth| depth.steps);
                if let Some(group) = group.filter(|group| !options.together && steps(group) > 0) {
                    sink.extend(node.map(|node| torn(node, group)));
                }
                let leader = group.map_or(id, |group| *first.entry((group, steps(group))).or_insert(id));
                units.put(id, leader);
                units.audited.extend(publishing.audited.then_some(leader));
            }
            depths.insert(id, depth);
        }
        units
    }

    fn put(&mut self, id: &'a str, unit: &'a str) {
        self.unit_of.insert(id, unit);
        self.members.entry(unit).or_default().push(id);
    }

    fn unit(&self, id: &'a str) -> &'a str {
        self.unit_of.get(id).copied().unwrap_or(id)
    }

    /// Puts the tests that audit models into their units.
    pub fn take_in_tests(&mut self, manifest: &'a Manifest, needs: &mut Needs<'a>) {
        if self.audited.is_empty() {
            return;
        }
        let tests = manifest.nodes.values().filter(|node| node.is_test() && needs.contains_key(node.id.as_str()));
        for test in tests.collect::<Vec<_>>() {
            let id = test.id.as_str();
            let Some(unit) = self.unit_for(manifest, test, needs) else { continue };
            self.put(id, unit);
            let (own, others) = needs[id].iter().partition(|other| self.unit(other) == unit);
            needs.insert(id, own);
            self.after.insert(id, others);
        }
    }

    /// The unit that a test belongs to: none if what else it reads is built after every unit that it could belong to.
    fn unit_for(&self, manifest: &'a Manifest, test: &'a Node, needs: &Needs<'a>) -> Option<&'a str> {
        let attached = test.generic_test().and_then(|test| test.attached.as_deref());
        let mut parents: Vec<&str> = test.depends_on.iter().map(String::as_str).collect();
        parents.sort_by_key(|id| (Some(*id) == attached, manifest.graph.position(id)));
        let units = parents.iter().rev().filter(|id| needs.contains_key(**id)).map(|id| self.unit(id));
        let mut units = units.filter(|unit| self.audited.contains(unit));
        units.find(|unit| {
            let others = needs[test.id.as_str()].iter().filter(|other| self.unit(other) != *unit);
            !others.into_iter().any(|other| self.reaches(other, unit, needs))
        })
    }

    /// Whether a step waits for a unit, also by way of others.
    fn reaches(&self, from: &'a str, unit: &str, needs: &Needs<'a>) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![self.unit(from)];
        while let Some(next) = open.pop() {
            if next == unit {
                return true;
            }
            if seen.insert(next) {
                let alone = [next];
                let parts = self.members.get(next).map_or(&alone[..], Vec::as_slice);
                let before = parts.iter().flat_map(|id| [needs.get(id), self.after.get(id)]).flatten().flatten();
                open.extend(before.map(|id| self.unit(id)));
            }
        }
        false
    }

    /// The steps, each after what it waits for; the parts of a unit stand together.
    pub fn steps(&self, manifest: &'a Manifest, needs: &Needs<'a>, sink: &mut Diagnostics) -> Plan {
        let nothing = BTreeSet::new();
        let after = |id: &str| self.after.get(id).unwrap_or(&nothing);
        let mut parts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        needs.keys().for_each(|id| parts.entry(self.unit(id)).or_default().push(id));
        let waits = |unit: &&'a str| {
            let before = parts[unit].iter().flat_map(|id| needs[id].iter().chain(after(id)));
            (*unit, before.map(|id| self.unit(id)).filter(|other| other != unit).collect())
        };
        let units: Needs<'_> = parts.keys().map(waits).collect();
        let order = in_order(&units);
        if let Some(stuck) = units.keys().find(|id| !order.contains(id)).filter(|_| order.len() < units.len()) {
            sink.extend(manifest.node(stuck).map(|node| torn(node, node.layer.as_deref().unwrap_or_default())));
        }
        let inner = |unit: &'a str| -> Vec<&'a str> {
            let of_unit: BTreeSet<&str> = parts[unit].iter().copied().collect();
            let own = parts[unit].iter().map(|id| (*id, needs[id].intersection(&of_unit).copied().collect()));
            in_order(&own.collect())
        };
        let ordered: Vec<(&str, Vec<&str>)> = order.into_iter().map(|unit| (unit, inner(unit))).collect();
        let ids = ordered.iter().flat_map(|(_, ids)| ids.iter().copied());
        let place: BTreeMap<&str, usize> = ids.enumerate().map(|(at, id)| (id, at)).collect();
        let mut steps = Vec::with_capacity(place.len());
        for (unit, ids) in &ordered {
            // What any part waits for, the unit waits for.
            let outside = |before: &mut dyn Iterator<Item = &&'a str>| -> Vec<usize> {
                let outside: BTreeSet<usize> = before.filter(|id| self.unit(id) != *unit).map(|id| place[id]).collect();
                outside.into_iter().collect()
            };
            steps.push(Step {
                node: ids[0].to_string(),
                needs: outside(&mut ids.iter().flat_map(|id| &needs[id])),
                after: outside(&mut ids.iter().flat_map(|id| after(id))),
                unit: if self.unit_of.contains_key(unit) {
                    ids.iter().map(|id| place[id]).collect()
                } else {
                    Vec::new()
                },
            });
            steps.extend(ids[1..].iter().map(|id| Step { node: id.to_string(), ..Step::default() }));
        }
        Plan { steps }
    }
}

/// The group of everything that is audited.
const ALL: &str = "*";

/// How often the way down to a node leaves a group and comes back to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Depth {
    steps: usize,
    /// The way is inside of the group.
    inside: bool,
}

impl Depth {
    /// Of a node that is in a group or in none, below others, by group.
    fn below<'a>(
        needs: &BTreeSet<&'a str>,
        depths: &BTreeMap<&'a str, BTreeMap<&'a str, Depth>>,
        group: Option<&'a str>,
    ) -> BTreeMap<&'a str, Depth> {
        let mut found: BTreeMap<&str, Depth> = BTreeMap::new();
        for (name, depth) in needs.iter().filter_map(|id| depths.get(id)).flatten() {
            let left = depth.inside && group != Some(*name);
            let depth = Depth { steps: depth.steps + usize::from(left), inside: depth.inside && !left };
            let known = found.entry(*name).or_insert(depth);
            *known = (*known).max(depth);
        }
        if let Some(group) = group {
            found.entry(group).or_insert(Depth { steps: 0, inside: true }).inside = true;
        }
        found
    }
}

/// A model that cannot be published together with its group.
fn torn(node: &Node, group: &str) -> Diagnostic {
    let message = format!(
        "`{}` is published together with the models of `{group}` that it depends on, and something between them is not",
        node.name
    );
    Diagnostic::error(Code::TornGroup, refable::place(node), message)
        .help("put what is between into the same layer, or give this model the config `publish_group: alone`")
}

/// An order in which every id comes after what it needs: level by level, and by the unique id within a level, which
/// is the order of dbt's queue. It shows where code reads tables that no `ref` or `source` tells of. What
/// waits for itself is left out.
fn in_order<'a>(needs: &Needs<'a>) -> Vec<&'a str> {
    let mut waiting: BTreeMap<&str, usize> = needs.iter().map(|(id, needs)| (*id, needs.len())).collect();
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, needs) in needs {
        needs.iter().for_each(|need| children.entry(need).or_default().push(id));
    }
    let mut level: Vec<&str> = needs.iter().filter(|(_, needs)| needs.is_empty()).map(|(id, _)| *id).collect();
    let mut order = Vec::with_capacity(needs.len());
    while !level.is_empty() {
        level.sort_unstable();
        let mut next = Vec::new();
        for child in level.iter().flat_map(|id| children.get(id).into_iter().flatten()) {
            let left = waiting.get_mut(child).expect("children are needs' keys");
            *left -= 1;
            if *left == 0 {
                next.push(*child);
            }
        }
        order.append(&mut level);
        level = next;
    }
    order
}
