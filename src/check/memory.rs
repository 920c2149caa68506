//! What earlier checks have learnt: the columns that the engine gave to a query over relations with certain columns.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::adapter::relation::{Column, Relation};
use crate::check::witness::lock;
use crate::check::{Checked, Schema};
use crate::hash::sha256;
use crate::manifest::Manifest;
use crate::manifest::Node;
use crate::sql;

/// Names and types of columns, by what they follow from.
type Known = BTreeMap<String, Vec<(String, String)>>;

/// What is remembered as it is written down, with its digest.
pub type Written = (String, Known);

/// What was learnt from the engine, by digests of all that the engine looked at.
#[derive(Default)]
pub struct Memory {
    earlier: Known,
    /// What this check has asked for, and whether the engine had to be asked.
    used: Mutex<(Known, bool)>,
    /// What the answers of the engine depend on besides the questions.
    engine: String,
}

/// So much of what was not asked for is carried on, so that a check of a few models does not forget the others.
const CARRIED: usize = 50_000;

/// Words of queries whose columns follow from more than the relations that they read.
const LOOKS_AROUND: [&str; 9] = ["read_", "_scan", "glob", "sniff", "duckdb_", "pragma", "query", "variable", "getenv"];

impl Memory {
    /// Takes up what an earlier check wrote down; what is not whole is nothing.
    pub fn read(text: &str, engine: &str) -> Memory {
        let read: Option<Written> = serde_json::from_str(text).ok();
        let whole = read.filter(|(sum, known)| *sum == digest(known));
        Memory {
            earlier: whole.map(|(_, known)| known).unwrap_or_default(),
            engine: format!("{}\0{engine}", env!("CARGO_PKG_VERSION")),
            ..Memory::default()
        }
    }

    /// What to write down; nothing if nothing new was learnt.
    pub fn news(&self) -> Option<Written> {
        let used = lock(&self.used);
        let (used, is_new) = &*used;
        if !is_new {
            return None;
        }
        let mut known = used.clone();
        for (key, columns) in self.earlier.iter().take(CARRIED) {
            known.entry(key.clone()).or_insert_with(|| columns.clone());
        }
        Some((digest(&known), known))
    }

    /// The digest of a question.
    pub fn key<'a>(&self, parts: impl IntoIterator<Item = &'a str>) -> String {
        let mut text = self.engine.clone();
        for part in parts {
            // With its length, so that no two questions have the same text.
            text.extend(["\0", &part.len().to_string(), "\0", part]);
        }
        sha256(&text)
    }

    pub fn find(&self, key: &str) -> Option<Vec<Column>> {
        let found = self.earlier.get(key)?;
        lock(&self.used).0.insert(key.to_string(), found.clone());
        let column = |(name, data_type): &(String, String)| Column { name: name.clone(), data_type: data_type.clone() };
        Some(found.iter().map(column).collect())
    }

    pub fn keep(&self, key: String, columns: &[Column]) {
        let columns = columns.iter().map(|column| (column.name.clone(), column.data_type.clone())).collect();
        let mut used = lock(&self.used);
        used.0.insert(key, columns);
        used.1 = true;
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

fn digest(known: &Known) -> String {
    sha256(&serde_json::to_string(known).unwrap_or_default())
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
    use crate::adapter::relation::Column;
    use crate::check::memory::Memory;

    fn columns() -> Vec<Column> {
        vec![Column { name: "id".to_string(), data_type: "INTEGER".to_string() }]
    }

    fn written() -> (String, String) {
        let memory = Memory::read("", "");
        let key = memory.key(["a", "b"]);
        memory.keep(key.clone(), &columns());
        (key, serde_json::to_string(&memory.news()).unwrap())
    }

    #[test]
    fn what_is_kept_is_found_again_and_is_no_news() {
        let (key, text) = written();
        let memory = Memory::read(&text, "");
        assert_eq!(memory.find(&key), Some(columns()));
        assert_eq!(memory.news(), None);
    }

    #[test]
    fn a_changed_letter_makes_all_of_it_nothing() {
        let (key, text) = written();
        assert_eq!(Memory::read(&text.replace("INTEGER", "VARCHAR"), "").find(&key), None);
        assert_eq!(Memory::read(&text[..text.len() / 2], "").find(&key), None);
    }

    #[test]
    fn parts_of_a_question_do_not_run_together() {
        let memory = Memory::default();
        assert_ne!(memory.key(["ab", "c"]), memory.key(["a", "bc"]));
        assert_ne!(memory.key(["a"]), Memory::read("", "other").key(["a"]));
    }
}
