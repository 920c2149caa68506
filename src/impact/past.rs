//! Turns the `manifest.json` of an earlier state into the columns and the lineage that its models had.

use std::collections::{BTreeMap, BTreeSet};

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::adapter::relation::{Column, Relation};
use crate::adapter::{self, AdapterError, Target};
use crate::check::Checked;
use crate::lineage::{Lineage, Made, of};

/// An earlier state of a project.
pub struct Past {
    /// By unique id, parents before children.
    pub nodes: IndexMap<String, PastNode>,
    pub lineage: Lineage,
}

/// A node or source as it was.
pub struct PastNode {
    pub name: String,
    /// None for sources.
    pub checksum: Option<String>,
    pub is_model: bool,
    pub relation: Relation,
    pub sql: Option<String>,
    /// None where they cannot be known.
    pub columns: Option<Vec<Column>>,
    grows: bool,
    depends_on: Vec<String>,
}

/// Types what the manifest holds. Sources and seeds are taken as they are now: the manifest does not say how they were.
pub fn past(manifest: &Json, target: &Target, present: &Checked) -> Result<Past, AdapterError> {
    let mut nodes = read(manifest, "nodes");
    nodes.extend(read(manifest, "sources"));
    let databases: BTreeSet<String> = nodes.values().filter_map(|node| node.relation.database.clone()).collect();
    let shadow = adapter::shadow(target)?;
    shadow.attach(databases);
    let mut binder = shadow.binder()?;
    for id in in_order(&nodes) {
        let Some(node) = nodes.get_mut(&id) else { continue };
        let columns = match &node.sql {
            Some(sql) => binder.columns(sql).ok(),
            None => present.schemas.get(&id).map(|schema| schema.columns.clone()),
        };
        node.columns = columns.filter(|columns| binder.declare(&node.relation, columns).is_ok());
    }
    let order = in_order(&nodes);
    let made = order.iter().filter_map(|id| nodes.get_key_value(id)).map(|(id, node)| Made {
        id,
        relation: &node.relation,
        sql: node.sql.as_deref(),
        columns: node.columns.as_deref(),
        grows: node.grows,
    });
    let lineage = of(&made.collect::<Vec<_>>(), &target.database);
    Ok(Past { nodes, lineage })
}

fn read(manifest: &Json, kind: &str) -> IndexMap<String, PastNode> {
    let objects = manifest.get(kind).and_then(Json::as_object);
    let node = |(id, json): (&String, &Json)| {
        let text = |key: &str| json.get(key).and_then(Json::as_str).map(str::to_string);
        let resource = text("resource_type")?;
        if !["model", "seed", "snapshot", "source"].contains(&resource.as_str()) {
            return None;
        }
        let name = text("alias").or_else(|| text("identifier")).or_else(|| text("name"))?;
        let relation = Relation::new(&text("database").unwrap_or_default(), &text("schema")?, &name);
        let materialized =
            json.get("config")?.get("materialized").and_then(Json::as_str).unwrap_or_default().to_string();
        let parents = json.get("depends_on").and_then(|it| it.get("nodes")?.as_array());
        let past = PastNode {
            name: text("name")?,
            checksum: json.get("checksum").and_then(|it| it.get("checksum")?.as_str()).map(str::to_string),
            is_model: resource == "model" || resource == "snapshot",
            relation,
            sql: text("compiled_code").filter(|sql| !sql.trim().is_empty() && materialized != "ephemeral"),
            columns: None,
            grows: resource == "snapshot" || materialized == "incremental",
            depends_on: parents.into_iter().flatten().filter_map(|id| id.as_str().map(str::to_string)).collect(),
        };
        (materialized != "ephemeral").then(|| (id.clone(), past))
    };
    objects.into_iter().flatten().filter_map(node).collect()
}

/// Parents before children; ephemeral models in between are part of their readers, so the depth goes through names.
fn in_order(nodes: &IndexMap<String, PastNode>) -> Vec<String> {
    fn visit(id: &str, nodes: &IndexMap<String, PastNode>, seen: &mut BTreeMap<String, ()>, order: &mut Vec<String>) {
        let Some(node) = nodes.get(id) else { return };
        if seen.insert(id.to_string(), ()).is_some() {
            return;
        }
        node.depends_on.iter().for_each(|parent| visit(parent, nodes, seen, order));
        order.push(id.to_string());
    }
    let (mut seen, mut order) = (BTreeMap::new(), Vec::new());
    nodes.keys().for_each(|id| visit(id, nodes, &mut seen, &mut order));
    order
}
