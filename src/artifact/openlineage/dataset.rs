//! Turns nodes and sources into OpenLineage's datasets, with the columns that they have and those that they are made of.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use crate::adapter::relation::Relation;
use crate::artifact::openlineage::Facts;
use crate::artifact::openlineage::facets::facet;
use crate::lineage::{Column, ColumnRef, Lineage};
use crate::manifest::{Manifest, Node};
use crate::run::{Outcome, Status};

/// Makes the datasets of one project.
pub struct Datasets<'a> {
    manifest: &'a Manifest,
    lineage: &'a Lineage,
    /// `duckdb://` and the path of the database.
    namespace: String,
}

impl<'a> Datasets<'a> {
    pub fn new(facts: &Facts<'a>) -> Datasets<'a> {
        let target = &facts.project.target;
        let path = target.settings.get("path").and_then(Json::as_str).unwrap_or(":memory:");
        let namespace = format!("{}://{path}", target.kind);
        Datasets { manifest: facts.manifest, lineage: facts.lineage, namespace }
    }

    /// What a node reads, ephemeral models replaced by what they read.
    pub fn inputs(&self, node: &Node) -> Vec<Json> {
        self.read(node).into_iter().filter_map(|id| self.input(id)).collect()
    }

    /// What a test reads, with what it found of that which it is written on.
    pub fn tested(&self, node: &Node, outcome: &Outcome) -> Vec<Json> {
        let test = node.generic_test();
        let attached = test.and_then(|test| test.attached.as_deref()).or(node.depends_on.first().map(String::as_str));
        let dataset = |id: &str| {
            let mut dataset = self.input(id)?;
            if attached == Some(id) {
                let assertion = json!({
                    "assertion": test.map_or(node.name.as_str(), |test| test.name.as_str()),
                    "success": outcome.status == Status::Pass,
                    "column": test.and_then(|test| test.column_name.as_deref()),
                });
                let assertions = json!({"assertions": [without_nulls(assertion)]});
                dataset["inputFacets"] = json!({"dataQualityAssertions": facet("dataQualityAssertions", assertions)});
            }
            Some(dataset)
        };
        self.read(node).into_iter().filter_map(dataset).collect()
    }

    /// What a node makes.
    pub fn output(&self, node: &Node, outcome: Option<&Outcome>) -> Json {
        let mut dataset = self.dataset(&node.id, &node.relation, &node.description);
        if let Some(Some(columns)) = self.lineage.nodes.get(&node.id)
            && let Some(lineage) = self.column_lineage(columns)
        {
            dataset["facets"]["columnLineage"] = lineage;
        }
        let rows = outcome.and_then(|outcome| outcome.response.get("rows_affected")?.as_u64());
        if let Some(rows) = rows {
            dataset["outputFacets"] = json!({"outputStatistics": facet("outputStatistics", json!({"rowCount": rows}))});
        }
        dataset
    }

    /// Unique ids of what a node reads.
    fn read(&self, node: &'a Node) -> Vec<&'a str> {
        let mut open: Vec<&str> = node.depends_on.iter().rev().map(String::as_str).collect();
        let mut found: Vec<&str> = Vec::new();
        while let Some(id) = open.pop() {
            match self.manifest.node(id).filter(|node| node.is_ephemeral()) {
                Some(inlined) => open.extend(inlined.depends_on.iter().rev().map(String::as_str)),
                None if found.contains(&id) => {}
                None => found.push(id),
            }
        }
        found
    }

    fn input(&self, id: &str) -> Option<Json> {
        let (relation, description) = match self.manifest.node(id) {
            Some(node) => (&node.relation, node.description.as_str()),
            None => self.manifest.sources.get(id).map(|it| (&it.relation, it.description.as_str()))?,
        };
        Some(self.dataset(id, relation, description))
    }

    fn dataset(&self, id: &str, relation: &Relation, description: &str) -> Json {
        let source = facet("dataSource", json!({"name": self.namespace, "uri": self.namespace}));
        let mut facets = json!({"dataSource": source});
        if let Some(Some(columns)) = self.lineage.nodes.get(id) {
            let fields = columns.iter().map(|column| self.field(id, column));
            facets["schema"] = facet("schema", json!({"fields": fields.collect::<Vec<_>>()}));
        }
        if !description.is_empty() {
            facets["documentation"] = facet("documentation", json!({"description": description}));
        }
        json!({"namespace": self.namespace, "name": name_of(relation), "facets": facets})
    }

    fn field(&self, id: &str, column: &Column) -> Json {
        let described = match self.manifest.node(id) {
            Some(node) => node.columns.get(&column.name),
            None => self.manifest.sources.get(id).and_then(|source| source.columns.get(&column.name)),
        };
        let description = described.map(|it| it.description.as_str()).filter(|text| !text.is_empty());
        without_nulls(json!({"name": column.name, "type": column.data_type, "description": description}))
    }

    /// Where each column comes from; what decides the rows of all of them is said once. None for what comes from
    /// nowhere: sources and seeds.
    fn column_lineage(&self, columns: &[Column]) -> Option<Json> {
        if columns.iter().all(|column| column.direct.is_empty() && column.indirect.is_empty()) {
            return None;
        }
        let mut shared: BTreeSet<&ColumnRef> =
            columns.first().into_iter().flat_map(|column| &column.indirect).collect();
        shared.retain(|origin| columns.iter().all(|column| column.indirect.contains(*origin)));
        let fields = columns.iter().map(|column| {
            let direct = column.direct.iter().map(|origin| self.origin(origin, "DIRECT"));
            let own = column.indirect.iter().filter(|origin| !shared.contains(*origin));
            let own = own.map(|origin| self.origin(origin, "INDIRECT"));
            (column.name.clone(), json!({"inputFields": direct.chain(own).collect::<Vec<_>>()}))
        });
        let fields: Map<String, Json> = fields.collect();
        let dataset: Vec<Json> = shared.into_iter().map(|origin| self.origin(origin, "INDIRECT")).collect();
        Some(facet("columnLineage", json!({"fields": fields, "dataset": dataset})))
    }

    fn origin(&self, origin: &ColumnRef, kind: &str) -> Json {
        let relation = self.manifest.node(&origin.node).map(|node| &node.relation);
        let relation = relation.or_else(|| self.manifest.sources.get(&origin.node).map(|source| &source.relation));
        json!({
            "namespace": self.namespace,
            "name": relation.map_or_else(|| origin.node.clone(), name_of),
            "field": origin.column,
            "transformations": [{"type": kind}],
        })
    }
}

/// `database.schema.table`, without quotes.
fn name_of(relation: &Relation) -> String {
    format!("{}.{}", schema_of(relation), relation.identifier.as_deref().unwrap_or_default())
}

/// `database.schema`, without quotes.
pub fn schema_of(relation: &Relation) -> String {
    let parts = [&relation.database, &relation.schema].into_iter().flatten();
    parts.map(String::as_str).collect::<Vec<_>>().join(".")
}

fn without_nulls(mut object: Json) -> Json {
    if let Json::Object(map) = &mut object {
        map.retain(|_, value| !value.is_null());
    }
    object
}
