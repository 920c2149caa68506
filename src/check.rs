//! Turns a Manifest into the types of all that it builds, before anything runs: the engine binds every query over empty
//! relations. What it refuses is a finding; what cannot be known without data stays unknown, and nothing fails for it.

pub mod bind;
pub mod configured;
pub mod contract;
pub mod finding;
pub mod inputs;
pub mod locate;
pub mod meant;
pub mod memory;
pub mod once;
pub mod outside;
pub mod patch;
pub mod received;
pub mod render;
pub mod told;
pub mod types;
pub mod witness;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock, Mutex};

use crate::map::IndexMap;

use crate::adapter::binder::{Binder, Refusal, Shadow};
use crate::adapter::relation::{Column, Relation};
use crate::adapter::{Adapter, AdapterError};
use crate::check::bind::Typed;
use crate::check::memory::Memory;
use crate::check::once::once;
use crate::check::outside::Outside;
use crate::check::render::Rendered;
use crate::check::told::PlainTests;
use crate::check::witness::{Columns, lock};
use crate::compile::CompiledNode;
use crate::compile::session::Session;
use crate::diagnostic::Diagnostics;
use crate::manifest::selection::NodeSet;
use crate::manifest::{Kind, Manifest, Node};
use crate::{adapter, parallel};

/// The warehouse, which is opened when a check first looks at it; none where there is none to look at.
pub type Look = LazyLock<Option<Arc<dyn Adapter>>, Box<dyn FnOnce() -> Option<Arc<dyn Adapter>> + Send>>;

/// What to check, and what may be asked on the way.
pub struct Request {
    /// A session of its own: what templates see here is not what they see when they run.
    pub session: Arc<Session>,
    pub warehouse: Arc<Look>,
    /// Unique ids of the nodes whose findings count. What is above them is typed too.
    pub selected: NodeSet,
    pub before: Before,
    pub memory: Memory,
    /// The engine that is asked, if it is being opened already.
    pub shadow: Option<Arc<dyn Shadow>>,
    /// Of the run after the first one, when incremental models are there; none if that is of no interest.
    pub next: Option<Arc<Session>>,
}

/// What the check comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing: the project is looked at as if all of it was built, and what sources declare is believed.
    Nothing,
    /// A run of the selected nodes: the rest is as it is in the warehouse, and only what the engine is certain to
    /// refuse is an error.
    Run,
}

/// The columns of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub columns: Vec<Column>,
    /// Otherwise a complaint that rests on it is only a warning.
    pub certain: bool,
}

impl Schema {
    /// The column of a name, whatever its case.
    pub fn column(&self, name: &str) -> Option<&Column> {
        let same = |other: &str| match other.is_ascii() && name.is_ascii() {
            true => other.eq_ignore_ascii_case(name),
            false => other.to_lowercase() == name.to_lowercase(),
        };
        let as_written = self.columns.iter().find(|column| column.name == name);
        as_written.or_else(|| self.columns.iter().find(|column| same(&column.name)))
    }
}

/// Why the columns of a node or source are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// It reads something unknown: the unique id of where that begins.
    Above(String),
    /// Its Jinja asks the warehouse for something that only a run can tell.
    Asks,
    /// Nobody says what columns the source has.
    Undeclared,
    /// The materialization is the project's own.
    Materialization(String),
    /// It reads a relation that the project does not know.
    Relation(String),
    /// The columns depend on rows.
    Data,
    /// It reads something outside that could not be read, in the engine's words.
    World(String),
    /// It has a mistake, which is told.
    Broken,
}

/// What a check brought to light.
#[derive(Default)]
pub struct Checked {
    /// Columns by unique id, of nodes and sources, parents before children.
    pub schemas: IndexMap<String, Schema>,
    pub unknown: IndexMap<String, Unknown>,
    pub compiled: IndexMap<String, CompiledNode>,
    pub problems: Diagnostics,
}

/// Checks the selected nodes of a project.
pub fn check(request: &Request) -> Result<Checked, AdapterError> {
    let session = &request.session;
    let manifest = &session.manifest;
    let nodes = with_ancestors(manifest, &request.selected);
    let shadow = match &request.shadow {
        Some(shadow) => shadow.clone(),
        None => adapter::shadow(&session.project.target)?,
    };
    shadow.attach(databases(manifest));
    let checker = Checker {
        request,
        shadow,
        binders: Mutex::default(),
        declared: Mutex::default(),
        columns: Columns::default(),
        outside: Outside::new(request, manifest),
    };
    let mut checked = Checked::default();
    let plain = PlainTests::of(request);
    let (plain, queries): (Vec<&Node>, Vec<&Node>) = nodes.iter().partition(|node| plain.has(node));
    checker.declare_sources(&nodes, &mut checked)?;
    let mut rendered = checker.render_all(&queries)?;
    for level in levels(manifest, &queries) {
        let level = level.into_iter().map(|node| (node, rendered.swap_remove(node.id.as_str()))).collect();
        checker.check_level(level, &mut checked)?;
    }
    for test in plain {
        let why = bind::above(test, &checked).unwrap_or(Unknown::Data);
        checked.unknown.insert(test.id.clone(), why);
    }
    let told = checker.judge(&checked)?;
    checked.problems.extend(told);
    checked.problems = once(checked.problems);
    Ok(checked)
}

/// What the parts of a check share.
pub struct Checker<'a> {
    pub request: &'a Request,
    shadow: Arc<dyn Shadow>,
    /// Sessions that nobody uses at the moment.
    binders: Mutex<Vec<Box<dyn Binder>>>,
    /// The keys of the relations that are in the shadow: those whose columns are remembered are put there when they
    /// are needed.
    declared: Mutex<BTreeSet<String>>,
    pub columns: Columns,
    pub outside: Outside,
}

impl Checker<'_> {
    pub fn binder(&self) -> Result<Box<dyn Binder>, AdapterError> {
        let idle = lock(&self.binders).pop();
        idle.map_or_else(|| self.shadow.binder(), Ok)
    }

    pub fn give_back(&self, binder: Box<dyn Binder>) {
        lock(&self.binders).push(binder);
    }

    /// Notes that a relation is in the shadow.
    pub fn is_declared(&self, relation: &Relation) {
        lock(&self.declared).insert(relation.key());
    }

    /// Puts relations into the shadow that are not there yet.
    pub fn declare(&self, binder: &mut dyn Binder, relations: &[(&Relation, &Schema)]) -> Result<(), Refusal> {
        // SQL that stands for a name, for instance a file, is bound as it is.
        for (relation, schema) in relations.iter().filter(|(relation, _)| relation.expression.is_none()) {
            // Held while the engine works: no two sessions may create the same relation at once.
            let mut declared = lock(&self.declared);
            if !declared.contains(&relation.key()) {
                binder.declare(relation, &schema.columns)?;
                declared.insert(relation.key());
            }
        }
        Ok(())
    }

    /// Types nodes that do not depend on each other.
    fn check_level(
        &self,
        mut level: Vec<(&Node, Option<Rendered>)>,
        checked: &mut Checked,
    ) -> Result<(), AdapterError> {
        let known: &Checked = checked;
        let typed = parallel::map_mut(&mut level, |(node, rendered)| {
            let mut binder = self.binder()?;
            let typed = bind::node(self, binder.as_mut(), node, rendered.take(), known);
            self.give_back(binder);
            Ok(typed)
        });
        for ((node, _), typed) in level.iter().zip(typed) {
            let Typed { schema, compiled, problems } = typed?;
            // An ephemeral model is nothing but a part of what reads it.
            let is_told = match node.is_ephemeral() {
                true => self.request.session.manifest.nodes.values().any(|it| it.depends_on.contains(&node.id)),
                false => self.request.selected.contains(&node.id),
            };
            checked.problems.extend(problems.into_iter().filter(|_| is_told));
            if let Some(compiled) = compiled {
                checked.compiled.insert(node.id.clone(), compiled);
            }
            match schema {
                Ok(schema) => {
                    lock(&self.columns).insert(node.relation.key(), Some(schema.columns.clone()));
                    checked.schemas.insert(node.id.clone(), schema);
                }
                Err(unknown) => drop(checked.unknown.insert(node.id.clone(), unknown)),
            }
        }
        let adds = level.iter().map(|(node, _)| *node).filter(|node| self.adds_next_time(node, checked));
        let known: &Checked = checked;
        let told = parallel::map(&adds.collect::<Vec<_>>(), |node| {
            let mut binder = self.binder()?;
            let told = bind::next_time(self, binder.as_mut(), node, known);
            self.give_back(binder);
            Ok(told)
        });
        told.into_iter().try_for_each(|told| told.map(|told| checked.problems.extend(told)))
    }

    /// Whether the query of a model may be another when its table is there, and nothing is wrong with the first one.
    fn adds_next_time(&self, node: &Node, checked: &Checked) -> bool {
        let asks = |id: &String| id.ends_with(".is_incremental");
        self.request.next.is_some()
            && node.materialized() == "incremental"
            && node.depends_on_macros.iter().any(asks)
            && self.request.selected.contains(&node.id)
            && checked.schemas.get(&node.id).is_some_and(|schema| schema.certain)
    }
}

/// The nodes and all that they depend on, in the order of the graph.
fn with_ancestors<'a>(manifest: &'a Manifest, selected: &NodeSet) -> Vec<&'a Node> {
    let graph = &manifest.graph;
    let parents = graph.parent_places();
    let mut wanted = vec![false; parents.len()];
    selected.iter().filter_map(|id| graph.position(id)).for_each(|at| wanted[at] = true);
    for at in (0..parents.len()).rev() {
        if wanted[at] {
            parents[at].iter().for_each(|parent| wanted[*parent] = true);
        }
    }
    // Unit tests are compiled when they run, when their inputs are there.
    let checks = |node: &&Node| !matches!(node.kind, Kind::Operation | Kind::Analysis | Kind::UnitTest { .. });
    let wanted = graph.ids().zip(wanted).filter(|(_, wanted)| *wanted);
    wanted.filter_map(|(id, _)| manifest.node(id)).filter(checks).collect()
}

/// Nodes by the length of the longest way to them.
fn levels<'a>(manifest: &Manifest, nodes: &[&'a Node]) -> Vec<Vec<&'a Node>> {
    let parents = manifest.graph.parent_places();
    let mut depth: Vec<Option<usize>> = vec![None; parents.len()];
    let mut levels: Vec<Vec<&Node>> = Vec::new();
    for node in nodes {
        let Some(at) = manifest.graph.position(&node.id) else { continue };
        let own = parents[at].iter().filter_map(|parent| depth[*parent]).max().map_or(0, |above| above + 1);
        depth[at] = Some(own);
        if levels.len() <= own {
            levels.push(Vec::new());
        }
        levels[own].push(node);
    }
    levels
}

fn databases(manifest: &Manifest) -> BTreeSet<String> {
    let nodes = manifest.nodes.values().map(|node| &node.relation);
    let sources = manifest.sources.values().map(|source| &source.relation);
    nodes.chain(sources).filter_map(|relation| relation.database.clone()).collect()
}
