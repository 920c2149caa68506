//! Turns compiled queries and checked schemas into the column lineage of a whole project.

pub mod walk;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use crate::adapter::relation::Relation;
use crate::check::Checked;
use crate::check::witness::key;
use crate::compile::CompiledNode;
use crate::manifest::{Kind, Manifest, Node};
use crate::parallel;
use crate::sql::lineage::{Origin, Relations, Uses, lineage as of_query};

/// Where the columns of every node come from.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    /// By unique id, parents before children; none where the columns or their origins are not known. Sources and seeds
    /// come from nowhere.
    pub nodes: IndexMap<String, Option<Vec<Column>>>,
}

/// A column and what it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The engine's type, where it is known.
    pub data_type: Option<String>,
    /// Columns whose values it is made of.
    pub direct: BTreeSet<ColumnRef>,
    /// Columns that only decide which rows there are.
    pub indirect: BTreeSet<ColumnRef>,
}

/// A column of a node or source; of a relation that the project does not know, the relation's name stands for the id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnRef {
    pub node: String,
    pub column: String,
}

/// The lineage of everything that was checked.
pub fn lineage(manifest: &Manifest, checked: &Checked, database: &str) -> Lineage {
    let known = Known::new(manifest, checked, database);
    let ids = manifest.graph.ids().filter(|id| !manifest.node(id).is_some_and(Node::is_test));
    let ids: Vec<&str> =
        ids.filter(|id| checked.schemas.contains_key(*id) || checked.unknown.contains_key(*id)).collect();
    let columns = parallel::map(&ids, |id| columns(manifest, checked, &known, id));
    Lineage { nodes: ids.iter().map(|id| id.to_string()).zip(columns).collect() }
}

fn columns(manifest: &Manifest, checked: &Checked, known: &Known, id: &str) -> Option<Vec<Column>> {
    let schema = checked.schemas.get(id);
    let node = manifest.node(id).filter(|node| !matches!(node.kind, Kind::Seed { .. }));
    match (node, checked.compiled.get(id)) {
        (Some(node), Some(compiled)) => from_query(node, compiled, checked, known),
        // What is in the warehouse already: its columns, but not where they come from.
        (Some(_), None) => None,
        (None, _) => {
            let column = |column: &crate::adapter::relation::Column| Column {
                name: column.name.clone(),
                data_type: Some(column.data_type.clone()),
                direct: BTreeSet::new(),
                indirect: BTreeSet::new(),
            };
            Some(schema?.columns.iter().map(column).collect())
        }
    }
}

fn from_query(node: &Node, compiled: &CompiledNode, checked: &Checked, known: &Known) -> Option<Vec<Column>> {
    let outputs = of_query(&compiled.sql, known)?;
    let typed = checked.schemas.get(&node.id).map(|schema| schema.columns.as_slice());
    let may_have_more = matches!(node.kind, Kind::Snapshot) || node.materialized() == "incremental";
    if typed.is_some_and(|typed| typed.len() < outputs.len() || (typed.len() > outputs.len() && !may_have_more)) {
        return None;
    }
    let names = typed.into_iter().flatten().map(Some).chain(std::iter::repeat(None));
    let columns = outputs.into_iter().zip(names).map(|(output, typed)| {
        let Uses { direct, indirect } = output.uses;
        Column {
            name: typed.map_or(output.name, |typed| typed.name.clone()),
            data_type: typed.map(|typed| typed.data_type.clone()),
            direct: direct.into_iter().map(ColumnRef::from).collect(),
            indirect: indirect.into_iter().map(ColumnRef::from).collect(),
        }
    });
    let mut columns: Vec<Column> = columns.collect();
    let more = typed.into_iter().flatten().skip(columns.len()).map(|typed| Column {
        name: typed.name.clone(),
        data_type: Some(typed.data_type.clone()),
        direct: BTreeSet::new(),
        indirect: BTreeSet::new(),
    });
    let more: Vec<Column> = more.collect();
    columns.extend(more);
    Some(columns)
}

impl From<Origin> for ColumnRef {
    fn from(origin: Origin) -> ColumnRef {
        ColumnRef { node: origin.relation, column: origin.column }
    }
}

/// The relations of a project, by name.
struct Known<'a> {
    ids: BTreeMap<String, &'a str>,
    checked: &'a Checked,
    database: &'a str,
}

impl<'a> Known<'a> {
    fn new(manifest: &'a Manifest, checked: &'a Checked, database: &'a str) -> Known<'a> {
        let sources = manifest.sources.values().map(|source| (key(&source.relation), source.id.as_str()));
        let nodes = manifest.nodes.values().filter(|node| node.is_refable() && !node.is_ephemeral());
        // A seed that stands for a source is the source to those that read it as one.
        let nodes = nodes.map(|node| (key(&node.relation), node.id.as_str()));
        Known { ids: nodes.chain(sources).collect(), checked, database }
    }
}

impl Relations for Known<'_> {
    fn find(&self, name: &[String]) -> (String, Option<Vec<String>>) {
        let relation = match name {
            [database, schema, name] => Relation::new(database, schema, name),
            [schema, name] => Relation::new(self.database, schema, name),
            [name] => Relation::new(self.database, "main", name),
            _ => Relation::new("", "", ""),
        };
        match self.ids.get(&key(&relation)) {
            Some(id) => {
                let schema = self.checked.schemas.get(*id);
                let columns = schema.map(|schema| schema.columns.iter().map(|column| column.name.clone()).collect());
                (id.to_string(), columns)
            }
            None => (name.join("."), None),
        }
    }
}
