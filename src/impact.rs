//! Turns an earlier and the present state of a project into what changed, and what that means to what is downstream.

pub mod names;
pub mod past;

use std::collections::BTreeSet;

use crate::adapter::relation::Column;
use crate::check::{Checked, Unknown};
use crate::impact::names::Names;
use crate::impact::past::{Past, PastNode};
use crate::lineage::{ColumnRef, Lineage};
use crate::manifest::state::{Change as Modified, Changes};
use crate::manifest::{Manifest, Node};
use crate::sql::meaning;

/// What a change means to those who read the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Columns are gone, or have another type.
    Breaking,
    /// The columns are the same; their values or rows may not be.
    Values,
    /// There are columns more, and nothing else.
    Additive,
    /// The query means the same.
    Invisible,
    /// The columns or the query, before or now, are not known.
    Unknown,
}

/// One model that is not what it was.
#[derive(Debug, Clone)]
pub struct Change {
    /// Unique id.
    pub node: String,
    pub name: String,
    /// False for a model that is gone.
    pub exists: bool,
    pub effect: Effect,
    pub added: Vec<String>,
    pub removed: Vec<String>,
    /// Column, type before, type now.
    pub retyped: Vec<(String, String, String)>,
    /// Columns that come from elsewhere.
    pub moved: Vec<String>,
    /// Whether the query means something else; none if it is not known.
    pub is_another: Option<bool>,
    /// Columns downstream that what is gone or changed leads to.
    pub hit: BTreeSet<ColumnRef>,
    /// Unique ids of exposures downstream.
    pub exposures: BTreeSet<String>,
}

/// What the present state of a project is compared by.
pub struct Present<'a> {
    pub manifest: &'a Manifest,
    pub checked: &'a Checked,
    pub lineage: &'a Lineage,
    /// How nodes differ by dbt's rules.
    pub modified: &'a Changes,
}

/// Compares every model with what it was.
pub fn impact(present: &Present<'_>, past: &Past) -> Vec<Change> {
    let Present { manifest, checked, lineage, .. } = *present;
    let mut changes = Vec::new();
    let mut changed: BTreeSet<&str> = BTreeSet::new();
    let names = Names::of_project(manifest);
    for id in manifest.graph.ids() {
        let Some(node) =
            manifest.node(id).filter(|node| node.is_refable() && node.is_compiled() && !node.is_ephemeral())
        else {
            continue;
        };
        if !checked.schemas.contains_key(id) && !checked.unknown.contains_key(id) {
            continue;
        }
        let before = past.nodes.get(id);
        let is_another = before.map_or(Some(true), |before| is_another(present, node, &names, before, past));
        let mut change = Change { is_another, ..empty(id, &node.name, Effect::Unknown) };
        compare(&mut change, before, checked.schemas.get(id).map(|schema| schema.columns.as_slice()), lineage, past);
        let follows = manifest.graph.parents(id).any(|parent| changed.contains(parent));
        let is_own = before.is_none_or(|before| before.checksum.as_ref() != Some(&node.checksum))
            || is_another == Some(true)
            || !has_same_parts(manifest, present.modified, node);
        let is_seen = is_another.is_none()
            && matches!(change.effect, Effect::Breaking | Effect::Additive | Effect::Values)
            && !follows;
        if follows || is_own || is_seen {
            changed.insert(id);
        }
        if is_own || is_seen {
            find_hits(present, past, &mut change);
            changes.push(change);
        }
    }
    for (id, before) in past.nodes.iter().filter(|(id, node)| node.is_model && manifest.node(id).is_none()) {
        let mut change = empty(id, &before.name, Effect::Breaking);
        change.exists = false;
        change.removed = before.columns.iter().flatten().map(|column| column.name.clone()).collect();
        find_hits(present, past, &mut change);
        changes.push(change);
    }
    changes
}

fn empty(id: &str, name: &str, effect: Effect) -> Change {
    Change {
        node: id.to_string(),
        name: name.to_string(),
        exists: true,
        effect,
        added: Vec::new(),
        removed: Vec::new(),
        retyped: Vec::new(),
        moved: Vec::new(),
        is_another: None,
        hit: BTreeSet::new(),
        exposures: BTreeSet::new(),
    }
}

/// Whether what a model is made of besides its own text is what it was: macros, and the ephemeral models in it.
pub fn has_same_parts(manifest: &Manifest, modified: &Changes, node: &Node) -> bool {
    let has = |id: &str, kind| modified.get(id).is_some_and(|kinds| kinds.contains(&kind));
    let parents = node.depends_on.iter().filter_map(|id| manifest.node(id));
    !has(&node.id, Modified::Macros)
        && parents
            .filter(|parent| parent.is_ephemeral())
            .all(|parent| !has(&parent.id, Modified::Body) && has_same_parts(manifest, modified, parent))
}

/// Whether the query of a model means something else than it did; none if it is not known.
fn is_another(present: &Present<'_>, node: &Node, names: &Names, before: &PastNode, past: &Past) -> Option<bool> {
    let is_as_written = has_same_parts(present.manifest, present.modified, node) && before.is_written_as(node);
    // What is another in each run, or in each target, says nothing about the model.
    let asks = matches!(present.checked.unknown.get(&node.id), Some(Unknown::Asks));
    if is_as_written && (asks || before.varies || before.sql.is_none()) {
        return Some(false);
    }
    let (old, new) = (before.sql.as_ref()?, &present.checked.compiled.get(&node.id)?.sql);
    Some(old != new && !meaning::same(&past.names.put_into(old), &names.put_into(new)))
}

fn compare(change: &mut Change, before: Option<&PastNode>, now: Option<&[Column]>, lineage: &Lineage, past: &Past) {
    let Some(before) = before else {
        change.effect = Effect::Additive;
        change.added = now.iter().flat_map(|columns| columns.iter()).map(|column| column.name.clone()).collect();
        return;
    };
    let (Some(old), Some(new)) = (before.columns.as_deref(), now) else {
        change.effect = if change.is_another == Some(false) { Effect::Invisible } else { Effect::Unknown };
        return;
    };
    let find = |columns: &[Column], name: &str| columns.iter().find(|it| it.name.eq_ignore_ascii_case(name)).cloned();
    change.added = new.iter().filter(|it| find(old, &it.name).is_none()).map(|it| it.name.clone()).collect();
    change.removed = old.iter().filter(|it| find(new, &it.name).is_none()).map(|it| it.name.clone()).collect();
    for column in new {
        let Some(was) = find(old, &column.name) else { continue };
        if was.data_type != column.data_type {
            change.retyped.push((column.name.clone(), was.data_type, column.data_type.clone()));
        }
        let at = ColumnRef { node: change.node.clone(), column: column.name.clone() };
        let uses = |lineage: &Lineage| lineage.column(&at).map(|it| (lower(&it.direct), lower(&it.indirect)));
        let (was, is) = (uses(&past.lineage), uses(lineage));
        if change.is_another == Some(true) && was.is_some() && was != is {
            change.moved.push(column.name.clone());
        }
    }
    change.effect = match &change {
        Change { removed, retyped, .. } if !removed.is_empty() || !retyped.is_empty() => Effect::Breaking,
        Change { moved, .. } if !moved.is_empty() => Effect::Values,
        Change { added, .. } if !added.is_empty() => Effect::Additive,
        Change { is_another: Some(true), .. } => Effect::Values,
        Change { is_another: Some(false), .. } => Effect::Invisible,
        Change { is_another: None, .. } => Effect::Unknown,
    };
}

fn lower(columns: &BTreeSet<ColumnRef>) -> BTreeSet<ColumnRef> {
    columns.iter().map(|it| ColumnRef { node: it.node.clone(), column: it.column.to_lowercase() }).collect()
}

/// What is downstream of the columns that are gone or not what they were, in either state.
fn find_hits(present: &Present<'_>, past: &Past, change: &mut Change) {
    let Present { manifest, checked, lineage, .. } = *present;
    let names = change.removed.iter().chain(change.retyped.iter().map(|(name, _, _)| name)).chain(&change.moved);
    let mut names: Vec<String> = names.cloned().collect();
    if change.effect == Effect::Values && names.is_empty() {
        // Nobody knows which.
        let columns = checked.schemas.get(&change.node).into_iter().flat_map(|schema| &schema.columns);
        names.extend(columns.map(|column| column.name.clone()));
    }
    let start: BTreeSet<ColumnRef> =
        names.into_iter().map(|column| ColumnRef { node: change.node.clone(), column }).collect();
    let edges = past.lineage.downstream(&start).into_iter().chain(lineage.downstream(&start));
    change.hit = edges.map(|edge| edge.to).filter(|to| to.node != change.node).collect();
    if start.is_empty() {
        return;
    }
    let hit: BTreeSet<&str> = change.hit.iter().map(|it| it.node.as_str()).chain([change.node.as_str()]).collect();
    let exposures = manifest.exposures.values();
    let reached = exposures.filter(|exposure| exposure.depends_on.iter().any(|id| hit.contains(id.as_str())));
    change.exposures = reached.map(|exposure| exposure.id.clone()).collect();
}
