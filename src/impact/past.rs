//! Turns the `manifest.json` of an earlier state into the columns and the lineage that its models had.

use std::collections::BTreeSet;

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::adapter::relation::{Column, Relation};
use crate::adapter::{self, AdapterError, Target};
use crate::check::Checked;
use crate::impact::has_same_parts;
use crate::impact::names::{Names, quoted};
use crate::lineage::{Lineage, Made, of};
use crate::manifest::state::Changes;
use crate::manifest::{Manifest, Node};
use crate::sql::meaning::words;

/// An earlier state of a project.
pub struct Past {
    /// By unique id.
    pub nodes: IndexMap<String, PastNode>,
    pub lineage: Lineage,
    /// The unique ids behind its relations.
    pub names: Names,
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
    /// Whether its SQL can be another in each run or in each target.
    pub varies: bool,
    raw_code: String,
    grows: bool,
}

impl PastNode {
    /// Whether the text is that of the present, but for comments and layout.
    pub fn is_written_as(&self, node: &Node) -> bool {
        *self.raw_code == *node.raw_code || template_words(&self.raw_code) == template_words(&node.raw_code)
    }
}

/// What the past is read with.
pub struct Reading<'a> {
    pub manifest: &'a Manifest,
    pub checked: &'a Checked,
    pub target: &'a Target,
    /// How nodes differ by dbt's rules.
    pub modified: &'a Changes,
    /// The SQL of a node if it had another text, where that can be told.
    pub compile: &'a dyn Fn(&Node, &str) -> Option<String>,
}

/// Types what the manifest holds. Sources and seeds are taken as they are now: the manifest does not say how they were.
/// A model without its SQL, as `dbt parse` leaves it, is compiled with the macros of the present if they are the same.
pub fn past(json: &Json, reading: &Reading<'_>) -> Result<Past, AdapterError> {
    let mut nodes = read(json, "nodes");
    nodes.extend(read(json, "sources"));
    let databases: BTreeSet<String> = nodes.values().filter_map(|node| node.relation.database.clone()).collect();
    let shadow = adapter::shadow(reading.target)?;
    shadow.attach(databases);
    let mut binder = shadow.binder()?;
    let names = Names::of(nodes.iter().map(|(id, node)| (&node.relation, quoted(id))));
    let order = in_order(json, &nodes);
    let mut then = None;
    for id in &order {
        if let Some(sql) = nodes.get(id).filter(|node| node.is_model && node.sql.is_none()).and_then(|node| {
            let then = then.get_or_insert_with(|| names_then(reading.manifest, &nodes));
            compiled_anew(id, node, reading).map(|sql| then.put_into(&sql))
        }) {
            nodes.entry(id.clone()).and_modify(|node| node.sql = Some(sql));
        }
        let Some(node) = nodes.get_mut(id) else { continue };
        let columns = match &node.sql {
            Some(sql) => binder.columns(sql).ok(),
            None if node.is_model => None,
            None => reading.checked.schemas.get(id).map(|schema| schema.columns.clone()),
        };
        node.columns = columns.filter(|columns| binder.declare(&node.relation, columns).is_ok());
    }
    let made = order.iter().filter_map(|id| nodes.get_key_value(id)).map(|(id, node)| Made {
        id,
        relation: &node.relation,
        sql: node.sql.as_deref(),
        columns: node.columns.as_deref(),
        grows: node.grows,
    });
    let lineage = of(&made.collect::<Vec<_>>(), &reading.target.database);
    Ok(Past { nodes, lineage, names })
}

/// The names of the past in the place of those of the present.
fn names_then(manifest: &Manifest, nodes: &IndexMap<String, PastNode>) -> Names {
    let now = manifest.nodes.values().map(|node| (&node.relation, &node.id));
    let now = now.chain(manifest.sources.values().map(|source| (&source.relation, &source.id)));
    Names::of(now.filter_map(|(relation, id)| Some((relation, nodes.get(id)?.relation.render()))))
}

/// The SQL of a model whose text alone is known.
fn compiled_anew(id: &str, before: &PastNode, reading: &Reading<'_>) -> Option<String> {
    let node = reading.manifest.node(id)?;
    if !has_same_parts(reading.manifest, reading.modified, node) {
        return None;
    }
    match before.is_written_as(node) {
        true => Some(reading.checked.compiled.get(id)?.sql.clone()),
        false => (reading.compile)(node, &before.raw_code),
    }
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
        let past = PastNode {
            name: text("name")?,
            checksum: json.get("checksum").and_then(|it| it.get("checksum")?.as_str()).map(str::to_string),
            is_model: resource == "model" || resource == "snapshot",
            relation,
            sql: text("compiled_code").filter(|sql| !sql.trim().is_empty() && materialized != "ephemeral"),
            columns: None,
            varies: varies(manifest, json),
            raw_code: text("raw_code").unwrap_or_default(),
            grows: resource == "snapshot" || materialized == "incremental",
        };
        (materialized != "ephemeral").then(|| (id.clone(), past))
    };
    objects.into_iter().flatten().filter_map(node).collect()
}

/// What a template asks for that is another in each run, in each target or with other rows.
const VARYING: [&str; 14] = [
    "run_started_at",
    "invocation_id",
    "modules.",
    "is_incremental",
    "run_query",
    "statement",
    "get_columns_in_relation",
    "get_relation",
    "load_relation",
    "load_cached_relation",
    "env_var",
    "flags",
    "target.",
    "graph",
];

/// Whether a node, or a macro of the project that it calls, asks for such a thing. `target.type` is that of the engine.
fn varies(manifest: &Json, node: &Json) -> bool {
    let asks = |text: &Json| {
        let text = text.as_str().unwrap_or_default().replace("target.type", "");
        VARYING.iter().any(|word| text.contains(word))
    };
    let calls = |item: &Json| {
        let calls = item["depends_on"]["macros"].as_array().into_iter().flatten();
        let is_own = |id: &&str| !id.starts_with("macro.dbt.") && !id.starts_with("macro.dbt_duckdb.");
        calls.filter_map(Json::as_str).filter(is_own).map(str::to_string).collect()
    };
    let mut open: Vec<String> = calls(node);
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        let called = &manifest["macros"][&id];
        if asks(&called["macro_sql"]) {
            return true;
        }
        if seen.insert(id) {
            open.extend::<Vec<String>>(calls(called));
        }
    }
    asks(&node["raw_code"])
}

/// The words of a template, without its comments.
fn template_words(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (_, after))) =
        rest.split_once("{#").and_then(|(before, after)| Some((before, after.split_once("#}")?)))
    {
        kept.push_str(before);
        kept.push(' ');
        rest = after;
    }
    kept.push_str(rest);
    words(&kept)
}

/// Parents before children, also those that only ephemeral models are between.
fn in_order(manifest: &Json, nodes: &IndexMap<String, PastNode>) -> Vec<String> {
    fn visit(id: &str, manifest: &Json, seen: &mut BTreeSet<String>, order: &mut Vec<String>) {
        if !seen.insert(id.to_string()) {
            return;
        }
        let parents = manifest["nodes"][id]["depends_on"]["nodes"].as_array().into_iter().flatten();
        parents.filter_map(Json::as_str).for_each(|parent| visit(parent, manifest, seen, order));
        order.push(id.to_string());
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    nodes.keys().for_each(|id| visit(id, manifest, &mut seen, &mut order));
    order.retain(|id| nodes.contains_key(id));
    order
}
