//! What the query of a node alone says of the columns that it gives: where they stand, and which can be null.

use crate::adapter::relation::Relation;
use crate::check::memory::inputs;
use crate::check::{Checked, Schema};
use crate::manifest::{Manifest, Node};
use crate::sql::lineage::{Output, Relations, lineage};

/// The columns of a node's query in their order; none where they cannot be followed.
pub fn outputs(manifest: &Manifest, node: &Node, checked: &Checked) -> Option<Vec<Output>> {
    let compiled = checked.compiled.get(&node.id)?;
    lineage(&compiled.sql, &Inputs(&inputs(manifest, node, checked)), None)
}

/// Relations whose columns are known.
pub struct Inputs<'a>(pub &'a [(&'a Relation, &'a Schema)]);

impl Relations for Inputs<'_> {
    fn find(&self, name: &[String]) -> (String, Option<Vec<String>>) {
        let found = self.0.iter().find(|(relation, _)| ends_with(relation, name));
        let names = |schema: &Schema| schema.columns.iter().map(|column| column.name.clone()).collect();
        (name.join("."), found.map(|(_, schema)| names(schema)))
    }
}

/// Whether a name, of one part or of more, is that of a relation.
fn ends_with(relation: &Relation, name: &[String]) -> bool {
    let parts = [&relation.identifier, &relation.schema, &relation.database];
    let same = |(part, word): (&Option<String>, &String)| {
        part.as_ref().is_some_and(|part| part.to_lowercase() == word.to_lowercase())
    };
    !name.is_empty() && name.len() <= parts.len() && parts.into_iter().zip(name.iter().rev()).all(same)
}
