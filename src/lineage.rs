//! Turns compiled queries and checked schemas into the column lineage of a whole project.

pub mod walk;

use std::collections::{BTreeMap, BTreeSet};

use crate::map::IndexMap;

use crate::adapter::relation::Relation;
use crate::check::Checked;
use crate::manifest::{Kind, Manifest, Node};
use crate::sql::lineage::{Origin, Relations, Uses, lineage as of_query};
use crate::{adapter, parallel};

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

/// A relation, and the query that makes it.
pub struct Made<'a> {
    pub id: &'a str,
    pub relation: &'a Relation,
    /// None for sources, seeds, and what is only looked at in the warehouse.
    pub sql: Option<&'a str>,
    pub columns: Option<&'a [adapter::relation::Column]>,
    /// Whether it may have columns that its query does not give, behind those that it does.
    pub grows: bool,
}

/// The lineage of everything that was checked.
pub fn lineage(manifest: &Manifest, checked: &Checked, database: &str) -> Lineage {
    let made = manifest.graph.ids().filter_map(|id| {
        let columns = checked.schemas.get(id).map(|schema| schema.columns.as_slice());
        let node = manifest.node(id).filter(|node| !node.is_test());
        let relation = node.map(|node| &node.relation).or_else(|| manifest.sources.get(id).map(|it| &it.relation))?;
        let sql = checked.compiled.get(id).map(|compiled| compiled.sql.as_str());
        let is_known = columns.is_some() || checked.unknown.contains_key(id);
        is_known.then_some(Made { id, relation, sql, columns, grows: node.is_some_and(grows) })
    });
    of(&made.collect::<Vec<_>>(), database)
}

fn grows(node: &Node) -> bool {
    matches!(node.kind, Kind::Snapshot) || node.materialized() == "incremental"
}

/// The lineage of relations that are given parents before children.
pub fn of(made: &[Made<'_>], database: &str) -> Lineage {
    let mut known = Known {
        // A seed that stands for a source is the source to those that read it: the later name wins.
        relations: made.iter().filter(|it| it.relation.database.is_some()).map(|it| (it.relation.key(), it)).collect(),
        named: BTreeMap::new(),
        database,
    };
    // What could not be typed has the columns that its query names.
    for untyped in made.iter().filter(|it| it.columns.is_none()) {
        let names = columns(untyped, &known).map(|columns| columns.into_iter().map(|column| column.name).collect());
        known.named.extend(names.map(|names| (untyped.id, names)));
    }
    let columns = parallel::map(made, |it| columns(it, &known));
    Lineage { nodes: made.iter().map(|it| it.id.to_string()).zip(columns).collect() }
}

fn columns(made: &Made<'_>, known: &Known<'_>) -> Option<Vec<Column>> {
    let typed = made.columns.unwrap_or_default();
    let plain = |column: &adapter::relation::Column| Column {
        name: column.name.clone(),
        data_type: Some(column.data_type.clone()),
        direct: BTreeSet::new(),
        indirect: BTreeSet::new(),
    };
    let Some(sql) = made.sql else { return made.columns.map(|columns| columns.iter().map(plain).collect()) };
    let names: Vec<String> = typed.iter().map(|column| column.name.clone()).collect();
    let outputs = of_query(sql, known, made.columns.map(|_| names.as_slice()))?;
    let fits = typed.len() == outputs.len() || (made.grows && typed.len() > outputs.len());
    if made.columns.is_some() && !fits {
        return None;
    }
    let more: Vec<Column> = typed.iter().skip(outputs.len()).map(plain).collect();
    let types = typed.iter().map(Some).chain(std::iter::repeat(None));
    let columns = outputs.into_iter().zip(types).map(|(output, typed)| {
        let Uses { direct, indirect } = output.uses;
        Column {
            name: typed.map_or(output.name, |typed| typed.name.clone()),
            data_type: typed.map(|typed| typed.data_type.clone()),
            direct: direct.into_iter().map(ColumnRef::from).collect(),
            indirect: indirect.into_iter().map(ColumnRef::from).collect(),
        }
    });
    Some(columns.chain(more).collect())
}

impl From<Origin> for ColumnRef {
    fn from(origin: Origin) -> ColumnRef {
        ColumnRef { node: origin.relation, column: origin.column }
    }
}

/// Relations by name.
struct Known<'a> {
    relations: BTreeMap<String, &'a Made<'a>>,
    /// The columns of what is not typed, by unique id.
    named: BTreeMap<&'a str, Vec<String>>,
    /// The database of names that have none.
    database: &'a str,
}

impl Relations for Known<'_> {
    fn find(&self, name: &[String]) -> (String, Option<Vec<String>>) {
        let relation = match name {
            [database, schema, name] => Relation::new(database, schema, name),
            [schema, name] => Relation::new(self.database, schema, name),
            [name] => Relation::new(self.database, "main", name),
            _ => Relation::new("", "", ""),
        };
        match self.relations.get(&relation.key()) {
            Some(made) => {
                let names = |columns: &[adapter::relation::Column]| columns.iter().map(|it| it.name.clone()).collect();
                (made.id.to_string(), made.columns.map(names).or_else(|| self.named.get(made.id).cloned()))
            }
            None => (name.join("."), None),
        }
    }
}
