//! The columns of a node or source, from the warehouse if it is there, else from what is known without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::map::IndexMap;
use serde_json::{Value as Json, json};

use crate::adapter::relation::{Column, Relation};
use crate::adapter::{AdapterError, SeedFile};
use crate::compile::host::NodeHost;
use crate::compile::inline;
use crate::compile::session::{Session, Warehouse};
use crate::compile::stage::Stage;
use crate::compile::{scope, template};
use crate::jinja::{ScopeValue, Template};
use crate::manifest::builtin::INTERNAL_PACKAGE;
use crate::manifest::names;
use crate::manifest::{Kind, Manifest, Node, Source};
use crate::project::properties::{ColumnInfo, ColumnMap};

/// Looks up columns, each node once.
pub struct Lookup<'a> {
    pub session: &'a Arc<Session>,
    pub warehouse: &'a Arc<Warehouse>,
    /// By unique id; why they are not known, if they are not.
    found: BTreeMap<String, Result<Vec<Column>, String>>,
}

impl<'a> Lookup<'a> {
    pub fn new(session: &'a Arc<Session>, warehouse: &'a Arc<Warehouse>) -> Lookup<'a> {
        Lookup { session, warehouse, found: BTreeMap::new() }
    }

    /// The columns of a node or source, in order; otherwise why they are not known.
    pub fn columns(&mut self, id: &str) -> Result<Vec<Column>, String> {
        if let Some(found) = self.found.get(id) {
            return found.clone();
        }
        let manifest = self.session.manifest.clone();
        let built = self.built(&manifest, id);
        let found = if built.is_empty() { self.unbuilt(&manifest, id) } else { Ok(built) };
        self.found.insert(id.to_string(), found.clone());
        found
    }

    /// The columns in the warehouse; none if the relation is not there.
    fn built(&self, manifest: &Manifest, id: &str) -> Vec<Column> {
        let relation = match manifest.node(id) {
            Some(node) if node.is_ephemeral() => None,
            Some(node) => Some(&node.relation),
            None => manifest.sources.get(id).map(|source| &source.relation),
        };
        let found = relation.map(|relation| self.warehouse.with(|connection| connection.columns(relation)));
        found.and_then(Result::ok).unwrap_or_default()
    }

    fn unbuilt(&mut self, manifest: &Manifest, id: &str) -> Result<Vec<Column>, String> {
        let Some(node) = manifest.node(id) else {
            let source = manifest.sources.get(id).ok_or("it is not in the project")?;
            return self.of_source(manifest, source);
        };
        let found = match &node.kind {
            Kind::Seed { .. } => self.of_seed(node),
            Kind::Model => self.of_query(node),
            _ => Err(format!("`{}` is not built", node.name)),
        };
        found.or_else(|why| declared(&node.columns).ok_or(why))
    }

    /// A source whose table is not there; a seed of the project may make it.
    fn of_source(&mut self, manifest: &Manifest, source: &Source) -> Result<Vec<Column>, String> {
        let makes_it = |node: &&Node| names::has_relation(node) && node.relation.same_as(&source.relation);
        let found = match manifest.nodes.values().map(Box::as_ref).find(makes_it) {
            Some(node) => self.columns(&node.id),
            None => Err(format!("there is no table {}", source.relation)),
        };
        found.or_else(|why| declared(&source.columns).ok_or(why))
    }

    /// Loads the seed into a table that goes away, to see which types its columns get.
    fn of_seed(&self, node: &Node) -> Result<Vec<Column>, String> {
        let seed = SeedFile::of(node, !self.session.project.is_native()).ok_or("it is no seed")?;
        let relation = Relation::temporary(&format!("__medal__{}", node.name));
        let columns = self.warehouse.with(|connection| {
            connection.load_seed(&relation, &seed)?;
            connection.columns(&relation)
        });
        columns.map_err(said)
    }

    /// A query without rows that has these columns.
    fn empty_query(&self, node: &Node, columns: &[Column]) -> Result<String, String> {
        let described = columns.iter().map(|column| {
            let Column { name, data_type } = column;
            (name.clone(), json!({"name": name, "data_type": data_type, "quote": true}))
        });
        let argument = ScopeValue::Json(Json::Object(described.collect()));
        let library = &self.session.manifest.library;
        let make = library.find(INTERNAL_PACKAGE, "get_empty_schema_sql").ok_or("medal lacks a macro")?;
        let host = Arc::new(NodeHost::new(self.session.clone(), self.warehouse.clone(), Some(node)));
        let made = library.call(&make.unique_id, &[argument], &[], &scope(self.session, node, None), host);
        made.map(|made| made.text).map_err(|error| error.message)
    }

    /// What the query of a model gives, over empty expressions for those parents that are not built.
    fn of_query(&mut self, node: &Node) -> Result<Vec<Column>, String> {
        let manifest = self.session.manifest.clone();
        let mut inputs = IndexMap::default();
        let mut texts = BTreeMap::new();
        for parent in node.depends_on.iter().filter(|parent| *parent != &node.id) {
            if self.built(&manifest, parent).is_empty() {
                let relation = input_relation(&manifest, parent);
                let name = relation.identifier.clone().unwrap_or_default();
                let columns = self.columns(parent)?;
                texts.insert(parent.clone(), inline::expression(&name, &self.empty_query(node, &columns)?));
                inputs.insert(parent.clone(), relation);
            }
        }
        let stage = Stage { inputs, ..Stage::default() };
        let host = NodeHost::new(self.session.clone(), self.warehouse.clone(), Some(node)).with_stage(stage);
        let host = Arc::new(host);
        let template: Arc<Template> = template(self.session, node).map_err(|error| error.message)?;
        let rendered = manifest.library.render(&template, &scope(self.session, node, None), host.clone());
        let rendered = rendered.map_err(|error| error.message)?;
        let used: Vec<String> = host.inlined().iter().filter_map(|id| texts.get(id).cloned()).collect();
        let (sql, _) = inline::inject(&rendered.text, &used);
        self.warehouse.with(|connection| connection.describe(&sql)).map_err(said)
    }
}

/// The first line of what the engine says.
fn said(error: AdapterError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_string()
}

/// The columns that YAML declares, if each has a type.
fn declared(columns: &ColumnMap) -> Option<Vec<Column>> {
    let typed =
        |column: &Arc<ColumnInfo>| Some(Column { name: column.name.clone(), data_type: column.data_type.clone()? });
    columns.values().map(typed).collect::<Option<Vec<_>>>().filter(|columns| !columns.is_empty())
}

/// The expression that stands for a node or source in a query.
pub fn input_relation(manifest: &Manifest, id: &str) -> Relation {
    match (manifest.node(id), manifest.sources.get(id)) {
        (Some(node), _) => Relation::cte("", "", crate::compile::context::alias(node)),
        (None, Some(source)) => Relation::cte("", "", &format!("{}__{}", source.source_name, source.name)),
        (None, None) => Relation::cte("", "", id),
    }
}

impl SeedFile {
    /// A seed's file, as its configuration says that it is to be read.
    pub fn of(node: &Node, infer_types: bool) -> Option<SeedFile> {
        let Kind::Seed { on_disk } = &node.kind else { return None };
        Some(SeedFile {
            path: on_disk.clone(),
            delimiter: node.config.text("delimiter").and_then(|text| text.chars().next()).unwrap_or(','),
            column_types: node.config.get("column_types").and_then(Json::as_object).cloned().unwrap_or_default(),
            infer_types,
        })
    }
}
