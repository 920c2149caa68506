//! What earlier checks have learnt: the columns that the engine gave to a query over relations with certain columns.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapter::relation::{Column, Relation};
use crate::check::{Checked, Schema};
use crate::manifest::Manifest;
use crate::manifest::Node;
use crate::notes::{Notes, digest};
use crate::sql;

/// Names and types of columns, by digests of all that the engine looked at.
#[derive(Default)]
pub struct Memory {
    notes: Arc<Notes>,
    /// What the answers of the engine depend on besides the questions.
    engine: String,
}

/// Words of queries whose columns follow from more than the relations that they read.
const LOOKS_AROUND: [&str; 9] = ["read_", "_scan", "glob", "sniff", "duckdb_", "pragma", "query", "variable", "getenv"];

impl Memory {
    pub fn new(notes: Arc<Notes>, engine: String) -> Memory {
        Memory { notes, engine }
    }

    /// The digest of a question.
    pub fn key<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> String {
        let mut text = self.engine.clone();
        for part in parts {
            // With its length, so that no two questions have the same text.
            text.extend(["\0", &part.len().to_string(), "\0", part]);
        }
        digest(&text)
    }

    pub fn find(&self, key: &str) -> Option<Vec<Column>> {
        let columns: Vec<(String, String)> = self.notes.find(key)?;
        Some(columns.into_iter().map(|(name, data_type)| Column { name, data_type }).collect())
    }

    pub fn keep(&self, key: &str, columns: &[Column]) {
        let columns: Vec<_> = columns.iter().map(|column| (&column.name, &column.data_type)).collect();
        self.notes.keep(key, &columns);
    }

    /// What the columns of a node's query follow from.
    pub fn question(&self, sql: &str, inputs: &[(&Relation, &Schema)]) -> String {
        let names: Vec<String> = inputs.iter().map(|(relation, _)| relation.render()).collect();
        let mut parts = vec!["query", sql];
        for (name, (_, schema)) in names.iter().zip(inputs) {
            parts.push(name);
            parts.extend(schema.columns.iter().flat_map(|it| [it.name.as_str(), it.data_type.as_str()]));
            parts.push("");
        }
        self.key(parts)
    }
}

/// The relations that a node reads, also through ephemeral models, as far as their columns are known.
pub fn inputs<'a>(manifest: &'a Manifest, node: &'a Node, known: &'a Checked) -> Vec<(&'a Relation, &'a Schema)> {
    let mut open: Vec<&String> = node.depends_on.iter().rev().collect();
    let mut inputs: BTreeMap<&String, (&Relation, &Schema)> = BTreeMap::new();
    while let Some(id) = open.pop() {
        let above = manifest.node(id);
        if let Some(above) = above.filter(|above| above.is_ephemeral()) {
            open.extend(above.depends_on.iter().rev());
            continue;
        }
        let relation =
            above.map(|above| &above.relation).or_else(|| manifest.sources.get(id).map(|source| &source.relation));
        if let (Some(relation), Some(schema)) = (relation, known.schemas.get(id)) {
            inputs.insert(id, (relation, schema));
        }
    }
    inputs.into_values().collect()
}

/// Whether the columns of a query follow from these relations alone.
pub fn reads_only(query: &str, inputs: &[(&Relation, &Schema)]) -> bool {
    let lower = query.to_lowercase();
    let is_input = |name: &Vec<String>| match name.as_slice() {
        [database, schema, name] => {
            let read = Relation::new(database, schema, name);
            inputs.iter().any(|(relation, _)| relation.same_as(&read))
        }
        _ => false,
    };
    !LOOKS_AROUND.iter().any(|word| lower.contains(word))
        && sql::shape(query).is_some_and(|shape| shape.relations.iter().all(is_input))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::adapter::relation::Column;
    use crate::check::memory::Memory;
    use crate::notes::{News, Notes};

    #[test]
    fn what_is_kept_is_found_again() {
        let columns = vec![Column { name: "id".to_string(), data_type: "INTEGER".to_string() }];
        let memory = Memory::default();
        let key = memory.key(["a", "b"]);
        memory.keep(&key, &columns);
        let Some(News::All(text)) = memory.notes.news(|_| false) else { panic!("it is new") };
        let notes = Notes::read(text, "");
        assert_eq!(Memory::new(Arc::new(notes), String::new()).find(&key), Some(columns));
    }

    #[test]
    fn parts_of_a_question_do_not_run_together() {
        let memory = Memory::default();
        assert_ne!(memory.key(["ab", "c"]), memory.key(["a", "bc"]));
        assert_ne!(memory.key(["a"]), Memory::new(Arc::default(), "other".to_string()).key(["a"]));
    }
}
