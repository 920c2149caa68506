//! Turns a selection of a Manifest into a Plan: what will be done, and what each step has to wait for.

pub mod units;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::Diagnostics;
use crate::manifest::{Kind, Manifest, Node};
use crate::plan::units::Units;
use crate::project::layers::Layers;

/// What will be done, in an order in which it could be done by one worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// One node to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// The node's unique id.
    pub node: String,
    /// Steps, by number, that must have ended well before.
    pub needs: Vec<usize>,
    /// Steps that must have ended before, however they did.
    pub after: Vec<usize>,
    /// Of the first step of a unit: the steps that are done in one transaction, itself among them, in order. The
    /// others are not begun by themselves.
    pub unit: Vec<usize>,
}

/// How a command plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// As in `build`: a model waits for the tests of everything that it reads.
    pub tests_gate: bool,
    /// Everything that is audited is one unit.
    pub together: bool,
}

/// Plans the selected nodes. Where tests gate, a test holds back what depends on all that it tests, and the models that
/// a layer audits form units with their tests.
/// Source: <https://docs.getdbt.com/reference/commands/build>.
pub fn plan<'a>(
    manifest: &Manifest,
    layers: &Layers,
    selected: impl Iterator<Item = &'a str>,
    options: PlanOptions,
    sink: &mut Diagnostics,
) -> Plan {
    let runs = |id: &&str| manifest.node(id).is_some_and(is_run);
    let selected: BTreeSet<&str> = selected.filter(runs).collect();
    let mut needs = through_unselected(manifest, &selected);
    let mut units = Units::of(manifest, layers, &needs, options, sink);
    if options.tests_gate {
        add_gates(manifest, &selected, &mut needs);
        put_unit_tests_first(manifest, &mut needs);
        units.take_in_tests(manifest, &mut needs);
    }
    units.steps(manifest, &needs, sink)
}

/// Ephemeral models are part of others, and analyses are only compiled.
fn is_run(node: &Node) -> bool {
    !node.is_ephemeral() && !matches!(node.kind, Kind::Analysis | Kind::Operation)
}

type Needs<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// The selected ancestors that each selected node must wait for, also through nodes that are not selected.
fn through_unselected<'a>(manifest: &'a Manifest, selected: &BTreeSet<&str>) -> Needs<'a> {
    let mut nearest: Needs<'a> = BTreeMap::new();
    for id in manifest.graph.ids() {
        let mut above: BTreeSet<&str> = BTreeSet::new();
        for parent in manifest.graph.parents(id) {
            if selected.contains(parent) {
                above.insert(parent);
            } else {
                above.extend(nearest.get(parent).into_iter().flatten());
            }
        }
        nearest.insert(id, above);
    }
    nearest.retain(|id, _| selected.contains(id));
    nearest
}

/// Lets what is downstream of a test's subjects wait for the test.
fn add_gates<'a>(manifest: &'a Manifest, selected: &BTreeSet<&str>, needs: &mut Needs<'a>) {
    let tests = manifest.nodes.values().filter(|node| node.is_test() && selected.contains(node.id.as_str()));
    for test in tests {
        let subjects: Vec<&str> = test.depends_on.iter().map(String::as_str).collect();
        for child in below_all(manifest, &subjects) {
            let builds = manifest.node(child).is_some_and(|node| !node.is_test() && !waits_with_model(node, needs));
            if let Some(waits) = needs.get_mut(child).filter(|_| builds) {
                waits.insert(&test.id);
            }
        }
    }
}

/// Whether a unit test waits for what its model waits for, because its model is built too.
fn waits_with_model(node: &Node, needs: &Needs<'_>) -> bool {
    node.unit_test().is_some_and(|test| needs.contains_key(test.tested.as_str()))
}

/// Lets a model, or what reads it if it is ephemeral, wait for its unit tests, and those for what the model reads.
fn put_unit_tests_first<'a>(manifest: &'a Manifest, needs: &mut Needs<'a>) {
    let tests = manifest.nodes.values().filter_map(|node| Some((node.id.as_str(), node.unit_test()?)));
    let tests: Vec<_> = tests.filter(|(id, _)| needs.contains_key(id)).collect();
    for (id, test) in &tests {
        if let Some(before) = needs.get(test.tested.as_str()) {
            let before = before.iter().copied().filter(|other| tests.iter().all(|(test, _)| test != other)).collect();
            needs.insert(id, before);
        }
    }
    for (id, test) in tests {
        let is_built = needs.contains_key(test.tested.as_str());
        let held: BTreeSet<&str> = match is_built {
            true => [test.tested.as_str()].into(),
            false => below_one(manifest, &test.tested),
        };
        for child in held {
            let builds = manifest.node(child).is_some_and(|node| !node.is_test() && node.unit_test().is_none());
            if let Some(waits) = needs.get_mut(child).filter(|_| builds) {
                waits.insert(id);
            }
        }
    }
}

/// The nodes that depend on every one of some nodes: for a single one its children, whose own children wait anyway.
fn below_all<'a>(manifest: &'a Manifest, subjects: &[&str]) -> BTreeSet<&'a str> {
    match subjects {
        [] => BTreeSet::new(),
        [one] => below_one(manifest, one),
        [first, rest @ ..] => rest.iter().fold(descendants(manifest, first), |common, subject| {
            let below = descendants(manifest, subject);
            common.intersection(&below).copied().collect()
        }),
    }
}

/// The children of a node, and what is below those that do not run themselves.
fn below_one<'a>(manifest: &'a Manifest, subject: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = manifest.graph.children(subject).collect();
    while let Some(id) = open.pop() {
        if found.insert(id) && manifest.node(id).is_some_and(Node::is_ephemeral) {
            open.extend(manifest.graph.children(id));
        }
    }
    found
}

fn descendants<'a>(manifest: &'a Manifest, id: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = manifest.graph.children(id).collect();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(manifest.graph.children(id));
        }
    }
    found
}
