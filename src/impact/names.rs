//! Turns names of relations in SQL into what they stand for, so that another target is no change.

use std::collections::BTreeMap;

use crate::adapter::relation::Relation;
use crate::manifest::Manifest;
use crate::sql::meaning::renamed;

/// What to write in the place of the name of a relation: its parts in lower case.
#[derive(Default)]
pub struct Names(BTreeMap<Vec<String>, String>);

impl Names {
    pub fn of<'a>(relations: impl Iterator<Item = (&'a Relation, String)>) -> Names {
        let parts = |relation: &Relation| {
            let parts = [&relation.database, &relation.schema, &relation.identifier];
            parts.into_iter().flatten().map(|part| part.to_lowercase()).collect()
        };
        Names(relations.map(|(relation, name)| (parts(relation), name)).collect())
    }

    /// The unique id of each node and source.
    pub fn of_project(manifest: &Manifest) -> Names {
        let nodes = manifest.nodes.values().filter(|node| node.is_refable()).map(|node| (&node.relation, &node.id));
        let sources = manifest.sources.values().map(|source| (&source.relation, &source.id));
        Names::of(nodes.chain(sources).map(|(relation, id)| (relation, quoted(id))))
    }

    pub fn put_into(&self, sql: &str) -> String {
        renamed(sql, |parts| self.0.get(parts).cloned())
    }
}

/// A unique id as a name.
pub fn quoted(id: &str) -> String {
    format!("\"{id}\"")
}
