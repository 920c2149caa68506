//! Turns an earlier and the present state of a project into what changed, and what that means to what is downstream.

pub mod past;

use std::collections::BTreeSet;

use crate::adapter::relation::Column;
use crate::check::Checked;
use crate::impact::past::{Past, PastNode};
use crate::lineage::{ColumnRef, Lineage};
use crate::manifest::{Manifest, Node};

/// What a change means to those who read the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Columns are gone, or have another type.
    Breaking,
    /// The columns are the same, but come from elsewhere or have other rows.
    Values,
    /// There are columns more, and nothing else.
    Additive,
    /// The columns, their types and where they come from are the same.
    Invisible,
    /// The columns before or now are not known.
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
    /// Columns downstream that what is gone or changed leads to.
    pub hit: BTreeSet<ColumnRef>,
    /// Unique ids of exposures downstream.
    pub exposures: BTreeSet<String>,
}

/// Compares every model with what it was.
pub fn impact(manifest: &Manifest, checked: &Checked, lineage: &Lineage, past: &Past) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut changed: BTreeSet<&str> = BTreeSet::new();
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
        let now = checked.schemas.get(id).map(|schema| schema.columns.as_slice());
        let mut change = compare(node, before, now, lineage, past);
        let is_own = before.is_none_or(|before| before.checksum.as_ref() != Some(&node.checksum));
        let follows = manifest.graph.parents(id).any(|parent| changed.contains(parent));
        // A macro may have changed: then the model's own file has not.
        let is_seen = matches!(change.effect, Effect::Breaking | Effect::Additive | Effect::Values) && !follows;
        if follows || is_own || is_seen {
            changed.insert(id);
        }
        if is_own || is_seen {
            find_hits(manifest, lineage, past, &mut change);
            changes.push(change);
        }
    }
    for (id, before) in past.nodes.iter().filter(|(id, node)| node.is_model && manifest.node(id).is_none()) {
        let mut change = empty(id, &before.name, Effect::Breaking);
        change.exists = false;
        change.removed = before.columns.iter().flatten().map(|column| column.name.clone()).collect();
        find_hits(manifest, lineage, past, &mut change);
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
        hit: BTreeSet::new(),
        exposures: BTreeSet::new(),
    }
}

fn compare(node: &Node, before: Option<&PastNode>, now: Option<&[Column]>, lineage: &Lineage, past: &Past) -> Change {
    let mut change = empty(&node.id, &node.name, Effect::Unknown);
    let Some(before) = before else {
        change.effect = Effect::Additive;
        change.added = now.iter().flat_map(|columns| columns.iter()).map(|column| column.name.clone()).collect();
        return change;
    };
    let (Some(old), Some(new)) = (before.columns.as_deref(), now) else { return change };
    let find = |columns: &[Column], name: &str| columns.iter().find(|it| it.name.eq_ignore_ascii_case(name)).cloned();
    change.added = new.iter().filter(|it| find(old, &it.name).is_none()).map(|it| it.name.clone()).collect();
    change.removed = old.iter().filter(|it| find(new, &it.name).is_none()).map(|it| it.name.clone()).collect();
    for column in new {
        if let Some(was) = find(old, &column.name).filter(|was| was.data_type != column.data_type) {
            change.retyped.push((column.name.clone(), was.data_type, column.data_type.clone()));
        }
        let at = ColumnRef { node: node.id.clone(), column: column.name.clone() };
        let uses = |lineage: &Lineage| lineage.column(&at).map(|it| (lower(&it.direct), lower(&it.indirect)));
        let (was, is) = (uses(&past.lineage), uses(lineage));
        if find(old, &column.name).is_some() && was.is_some() && was != is {
            change.moved.push(column.name.clone());
        }
    }
    change.effect = match &change {
        Change { removed, retyped, .. } if !removed.is_empty() || !retyped.is_empty() => Effect::Breaking,
        Change { moved, .. } if !moved.is_empty() => Effect::Values,
        Change { added, .. } if !added.is_empty() => Effect::Additive,
        _ => Effect::Invisible,
    };
    change
}

fn lower(columns: &BTreeSet<ColumnRef>) -> BTreeSet<ColumnRef> {
    columns.iter().map(|it| ColumnRef { node: it.node.clone(), column: it.column.to_lowercase() }).collect()
}

/// What is downstream of the columns that are gone or not what they were, in either state.
fn find_hits(manifest: &Manifest, lineage: &Lineage, past: &Past, change: &mut Change) {
    let names = change.removed.iter().chain(change.retyped.iter().map(|(name, _, _)| name)).chain(&change.moved);
    let start: BTreeSet<ColumnRef> =
        names.map(|column| ColumnRef { node: change.node.clone(), column: column.clone() }).collect();
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
