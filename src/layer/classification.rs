//! Turns `pii` tags of columns and compiled queries into the columns that hold personal data, and how it came there.
//!
//! Only tagged columns matter, so a query is followed with the columns that are declared, tagged or named in it. Where it
//! cannot be followed, and something tagged is above it, all that it gives counts as tagged.
//! Source of the rules: `docs/medallion.md`, section 7.6.

use std::collections::{BTreeMap, BTreeSet};

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::adapter::relation::Relation;
use crate::layer::reads::Reading;
use crate::manifest::{Kind, Manifest, Node};
use crate::project::layers::{Layers, medal_key};
use crate::project::properties::{ColumnInfo, ColumnMap};
use crate::sql::lineage::{Relations, lineage};
use crate::sql::{self, Location};

/// What is personal, by unique id of a node or source.
#[derive(Debug, Clone, Default)]
pub struct Classified(IndexMap<String, Tagged>);

/// The columns of a relation that hold personal data.
#[derive(Debug, Clone, Default)]
pub struct Tagged {
    /// By name in lower case.
    pub columns: BTreeMap<String, Mark>,
    /// Any column may be one: the query cannot be followed.
    pub any: Option<Mark>,
}

impl Tagged {
    /// The names of the columns in lower case, or `*` for any of them.
    pub fn names(&self) -> Vec<String> {
        let any = self.any.iter().map(|_| "*".to_string());
        self.columns.keys().cloned().chain(any).collect()
    }
}

/// Why a column counts as personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// What its tag says: `email`, or `true`.
    pub kind: String,
    /// The columns on the way, the tagged one first: `customers.email`.
    pub path: Vec<String>,
    /// Where the query gives it.
    pub at: Option<Location>,
}

/// What a property file says of a column.
enum Said {
    Nothing,
    Personal(String),
    /// `pii: false`, or `pii: released`: whatever it comes from.
    Cleared,
}

impl Classified {
    pub fn of(&self, id: &str) -> Option<&Tagged> {
        self.0.get(id)
    }

    /// The columns that a query of a node, for instance of a test, gives and that are personal, by `Tagged::names`.
    pub fn names_in(
        &self,
        manifest: &Manifest,
        layers: &Layers,
        home: [&str; 2],
        node: &Node,
        sql: &str,
    ) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let reading = Reading::new(&manifest.nodes, &manifest.sources, layers);
        follow(&Query { reading: &reading, found: self, home, node }, sql).names()
    }
}

/// Whether any column is tagged.
pub fn has_tags(manifest: &Manifest) -> bool {
    let of_nodes = manifest.nodes.values().flat_map(|node| node.columns.values());
    let of_sources = manifest.sources.values().flat_map(|source| source.columns.values());
    of_nodes.chain(of_sources).any(|column| matches!(said(column), Said::Personal(_)))
}

/// Follows every tag through compiled queries, given by unique id. `home` is the database and the schema of names that
/// have none.
pub fn classify(reading: &Reading<'_>, manifest: &Manifest, sql: &BTreeMap<&str, &str>, home: [&str; 2]) -> Classified {
    let mut found = Classified::default();
    for id in manifest.graph.ids() {
        if let Some(source) = manifest.sources.get(id) {
            found.add(id, tags(&source.name, &source.columns, Tagged::default()));
        }
        let Some(node) = manifest.node(id).filter(|node| node.is_refable()) else { continue };
        let given = match sql.get(id) {
            Some(sql) => follow(&Query { reading, found: &found, home, node }, sql),
            None if matches!(node.kind, Kind::Seed { .. }) => Tagged::default(),
            None => unknown(node, node.depends_on.iter().filter_map(|parent| found.of(parent))),
        };
        found.add(id, tags(&node.name, &node.columns, given));
    }
    found
}

impl Classified {
    fn add(&mut self, id: &str, tagged: Tagged) {
        if tagged.any.is_some() || !tagged.columns.is_empty() {
            self.0.insert(id.to_string(), tagged);
        }
    }
}

/// What a property file says counts more than what the query gives.
fn tags(name: &str, declared: &ColumnMap, mut tagged: Tagged) -> Tagged {
    if !declared.is_empty() && declared.values().all(|column| !matches!(said(column), Said::Nothing)) {
        tagged.any = None;
    }
    for column in declared.values() {
        let lower = column.name.to_lowercase();
        match said(column) {
            Said::Nothing => {}
            Said::Cleared => drop(tagged.columns.remove(&lower)),
            Said::Personal(kind) => {
                let at = tagged.columns.get(&lower).and_then(|mark| mark.at);
                tagged.columns.insert(lower, Mark { kind, path: vec![format!("{name}.{}", column.name)], at });
            }
        }
    }
    tagged
}

fn said(column: &ColumnInfo) -> Said {
    match written(column) {
        None | Some(Json::Null) => Said::Nothing,
        Some(Json::Bool(false)) => Said::Cleared,
        Some(Json::String(word)) if word == "released" => Said::Cleared,
        Some(Json::String(word)) => Said::Personal(word.clone()),
        Some(_) => Said::Personal("personal".to_string()),
    }
}

/// `pii` of a column: in its `meta`, in `medal` of that, or beside it.
pub fn written(column: &ColumnInfo) -> Option<&Json> {
    let portable = || column.meta.get("medal").and_then(|medal| medal.get("pii"));
    column.meta.get("pii").or_else(portable).or_else(|| column.extra.get("pii"))
}

/// The query of a node, and what is known of all that it reads.
struct Query<'a> {
    reading: &'a Reading<'a>,
    found: &'a Classified,
    home: [&'a str; 2],
    node: &'a Node,
}

fn follow(query: &Query<'_>, sql: &str) -> Tagged {
    let node = query.node;
    let sql = named_sources(query, &unmasked(sql));
    let shape = sql::shape(&sql);
    let names = shape.iter().flat_map(|shape| &shape.relations);
    let by_name = names.filter_map(|name| query.reading.id_of(name, query.home));
    let ids: BTreeSet<&str> = node.depends_on.iter().map(String::as_str).chain(by_name).collect();
    let above: Vec<&Tagged> = ids.iter().filter_map(|id| query.found.of(id)).collect();
    if above.is_empty() {
        return Tagged::default();
    }
    if above.iter().any(|tagged| tagged.any.is_some()) {
        return unknown(node, above.into_iter());
    }
    let tagged: BTreeSet<&str> = above.iter().flat_map(|it| it.columns.keys()).map(String::as_str).collect();
    let words = sql.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_lowercase);
    let named = words.filter(|word| !word.is_empty() && !tagged.contains(word.as_str())).collect();
    let Some(outputs) = lineage(&sql, &Known { query, named: &named }, None) else {
        return unknown(node, above.into_iter());
    };
    let mut given = Tagged::default();
    for output in outputs {
        let mark = output.uses.direct.iter().find_map(|origin| {
            let mark = query.found.of(&origin.relation)?.columns.get(&origin.column.to_lowercase())?;
            Some(on(node, &output.name, mark, output.at))
        });
        mark.into_iter().for_each(|mark| drop(given.columns.insert(output.name.to_lowercase(), mark)));
    }
    built(node, given)
}

/// A query with the names of its sources in the place of the functions that read their files.
fn named_sources(query: &Query<'_>, sql: &str) -> String {
    let sources = query.node.depends_on.iter().filter_map(|id| query.reading.sources.get(id));
    sources.fold(sql.to_string(), |sql, source| match &source.relation.expression {
        Some(expression) => {
            let plain = Relation { expression: None, ..source.relation.clone() };
            sql.replace(expression.as_str(), &plain.render_name())
        }
        None => sql,
    })
}

/// What the materialization makes of the columns of the query.
fn built(node: &Node, mut given: Tagged) -> Tagged {
    let first = given.columns.values().next().cloned();
    match (node.materialized(), first) {
        // What does not fit into a column, and the record as text, hold what the columns would.
        ("ingest", Some(mark)) => {
            for name in ["_rescued", "_raw"] {
                given.columns.entry(name.to_string()).or_insert_with(|| mark.clone());
            }
        }
        ("cdc", Some(_)) => {
            let left_out =
                medal_key(node.config.written(), "columns").and_then(|columns| columns.get("except")?.as_array());
            for name in left_out.into_iter().flatten().filter_map(Json::as_str) {
                given.columns.remove(&name.to_lowercase());
            }
            // The columns of the row are parts of the envelope.
            let envelope = ["before", "after", "payload"].iter().find_map(|name| given.columns.get(*name)).cloned();
            if let Some(mark) = envelope {
                for column in node.columns.values() {
                    let name = column.name.to_lowercase();
                    given.columns.entry(name).or_insert_with(|| on(node, &column.name, &mark, None));
                }
            }
        }
        _ => {}
    }
    given
}

/// A mark one step further.
fn on(node: &Node, column: &str, mark: &Mark, at: Option<Location>) -> Mark {
    let mut path = mark.path.clone();
    path.push(format!("{}.{column}", node.name));
    Mark { kind: mark.kind.clone(), path, at }
}

/// What is known of a query that cannot be followed.
fn unknown<'t>(node: &Node, mut above: impl Iterator<Item = &'t Tagged>) -> Tagged {
    let first = above.find_map(|tagged| tagged.columns.values().next().or(tagged.any.as_ref()));
    Tagged { columns: BTreeMap::new(), any: first.map(|mark| on(node, "*", mark, None)) }
}

/// The columns that matter of what a query reads.
struct Known<'a> {
    query: &'a Query<'a>,
    /// The words of the query that are the name of no tagged column.
    named: &'a BTreeSet<String>,
}

impl Relations for Known<'_> {
    fn find(&self, name: &[String]) -> (String, Option<Vec<String>>) {
        let Query { reading, found, home, .. } = self.query;
        let Some(id) = reading.id_of(name, *home) else {
            return (name.join("."), Some(self.named.iter().cloned().collect()));
        };
        let node = reading.nodes.get(id).map(|node| &node.columns);
        let declared = node.or_else(|| reading.sources.get(id).map(|source| &source.columns));
        let declared = declared.into_iter().flat_map(|columns| columns.keys().map(|name| name.to_lowercase()));
        let tagged = found.of(id).into_iter().flat_map(|tagged| tagged.columns.keys().cloned());
        let all: BTreeSet<String> = declared.chain(tagged).chain(self.named.iter().cloned()).collect();
        (id.to_string(), Some(all.into_iter().collect()))
    }
}

/// What `medal.mask` writes around an expression.
const MASK: [&str; 2] = ["/*medal.mask*/", "/*medal.masked*/"];

/// A query with a text in the place of everything that is masked; all else stays where it is.
fn unmasked(sql: &str) -> String {
    let mut rest = sql;
    let mut plain = String::with_capacity(sql.len());
    while let Some(start) = rest.find(MASK[0]) {
        let Some(end) = rest[start..].find(MASK[1]).map(|at| start + at + MASK[1].len()) else { break };
        let text = "'masked'";
        plain.push_str(&rest[..start]);
        plain.push_str(text);
        plain.extend(rest[start + text.len()..end].chars().map(|c| if c == '\n' { c } else { ' ' }));
        rest = &rest[end..];
    }
    plain + rest
}
