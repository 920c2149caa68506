//! What a template of a node gets when it asks medal, once the project is parsed.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value as Json, json};

use crate::adapter::AdapterError;
use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;
use crate::adapter::{Connection, SeedFile, SeedLoad};
use crate::compile::session::{Asked, Session, Warehouse};
use crate::jinja::{ErrorKind, Host, HostError, JsonMap};
use crate::manifest::{Kind, Manifest, Node, parse};

/// The host of one node's templates, or of an operation that belongs to no node.
pub struct NodeHost {
    session: Arc<Session>,
    warehouse: Arc<Warehouse>,
    /// The node's unique id.
    node: Option<String>,
    package: String,
    vars: JsonMap,
    seen: Mutex<Seen>,
}

/// What a render did besides making text.
#[derive(Default)]
struct Seen {
    /// Ephemeral models that were named, in order.
    inlined: Vec<String>,
    /// The rows of the last statement that fetched any.
    rows: Option<Rows>,
    /// The engine's last complaint and the SQL that it complained of.
    failure: Option<(AdapterError, String)>,
    seed: Option<SeedLoad>,
}

impl NodeHost {
    pub fn new(session: Arc<Session>, warehouse: Arc<Warehouse>, node: Option<&Node>) -> NodeHost {
        let package = node.map_or_else(|| session.project.root().name.clone(), |node| node.package.clone());
        let vars = parse::visible_vars(&session.project, &package);
        NodeHost { session, warehouse, node: node.map(|node| node.id.clone()), package, vars, seen: Mutex::default() }
    }

    /// The ephemeral models that the template named, by unique id.
    pub fn inlined(&self) -> Vec<String> {
        self.seen().inlined.clone()
    }

    /// The rows of the last statement that fetched any.
    pub fn take_rows(&self) -> Option<Rows> {
        self.seen().rows.take()
    }

    /// The engine's last complaint, and the SQL that it complained of.
    pub fn take_failure(&self) -> Option<(AdapterError, String)> {
        self.seen().failure.take()
    }

    pub fn take_seed(&self) -> Option<SeedLoad> {
        self.seen().seed.take()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics while holding the lock")
    }

    fn node(&self) -> Option<&Node> {
        self.node.as_ref().and_then(|id| self.session.manifest.node(id))
    }

    fn manifest(&self) -> &Manifest {
        &self.session.manifest
    }

    fn note(&self, note: impl FnOnce(&mut Asked)) {
        if let Some(id) = &self.node {
            self.session.note_asked(id, note);
        }
    }

    fn database(&self, given: Option<&str>) -> String {
        given.unwrap_or(&self.session.project.target.database).to_string()
    }

    fn engine<R>(
        &self,
        sql: &str,
        work: impl FnOnce(&mut dyn Connection) -> Result<R, AdapterError>,
    ) -> Result<R, HostError> {
        self.warehouse.with(work).map_err(|error| {
            let message = error.to_string();
            self.seen().failure = Some((error, sql.to_string()));
            HostError { kind: ErrorKind::Database, message, help: None }
        })
    }

    /// The node that a `ref` of this node names. Operations may name any node.
    fn referenced(&self, package: Option<&str>, name: &str) -> Option<&Node> {
        let fits = |node: &&Node| {
            node.is_refable() && node.name == name && package.is_none_or(|package| node.package == package)
        };
        match self.node() {
            Some(node) => node.depends_on.iter().filter_map(|id| self.manifest().node(id)).find(fits),
            None => {
                let own = self
                    .manifest()
                    .nodes
                    .values()
                    .map(Box::as_ref)
                    .filter(fits)
                    .find(|node| node.package == self.package);
                own.or_else(|| self.manifest().nodes.values().map(Box::as_ref).find(fits))
            }
        }
    }
}

impl Host for NodeHost {
    fn execute(&self) -> bool {
        true
    }

    fn reference(&self, package: Option<&str>, name: &str, _version: Option<&Json>) -> Result<Relation, HostError> {
        let Some(node) = self.referenced(package, name) else {
            return Err(HostError {
                kind: ErrorKind::UnknownRef,
                message: format!("`ref('{name}')` was not known when the project was parsed"),
                help: Some(format!("write `-- depends_on: {{{{ ref('{name}') }}}}` at the top of the model")),
            });
        };
        if node.is_ephemeral() {
            let mut seen = self.seen();
            if !seen.inlined.contains(&node.id) {
                seen.inlined.push(node.id.clone());
            }
        }
        let mut relation = node.relation.clone();
        if self.session.flags.get("EMPTY") == Some(&json!(true)) && !node.is_ephemeral() {
            relation.limit = Some(0);
        }
        Ok(relation)
    }

    fn source(&self, source: &str, table: &str) -> Result<Relation, HostError> {
        let sources = self.manifest().sources.values();
        let mut found = sources.filter(|other| other.source_name == source && other.name == table);
        let (own, any) = (found.clone().find(|other| other.package == self.package), found.next());
        match own.or(any) {
            Some(source) => {
                let mut relation = source.relation.clone();
                if self.session.flags.get("EMPTY") == Some(&json!(true)) {
                    relation.limit = Some(0);
                }
                Ok(relation)
            }
            None => Err(HostError {
                kind: ErrorKind::UnknownSource,
                message: format!("the source `{source}.{table}` is not declared"),
                help: None,
            }),
        }
    }

    fn set_config(&self, _values: JsonMap) -> Result<(), HostError> {
        Ok(())
    }

    fn config(&self, key: &str) -> Option<Json> {
        let key = match key {
            "pre_hook" => "pre-hook",
            "post_hook" => "post-hook",
            other => other,
        };
        self.node()?.config.get(key).cloned()
    }

    fn var(&self, name: &str) -> Option<Json> {
        self.vars.get(name).cloned()
    }

    fn env_var(&self, name: &str) -> Result<Option<String>, HostError> {
        self.session.project.environment.public(name)
    }

    fn doc(&self, package: Option<&str>, name: &str) -> Result<String, HostError> {
        match self.manifest().docs.find(package, &self.package, name) {
            Some(doc) => Ok(doc.text.clone()),
            None => Err(HostError {
                kind: ErrorKind::Runtime,
                message: format!("no docs block is called `{name}`"),
                help: None,
            }),
        }
    }

    fn log(&self, message: &str, info: bool) {
        if info {
            self.session.messages.message(self.node.as_deref(), message);
        } else {
            self.session.messages.debug(message);
        }
    }

    fn warn(&self, message: &str) {
        self.session.messages.warning(self.node.as_deref(), message);
    }

    fn graph(&self) -> Json {
        self.session.graph()
    }

    fn run(&self, sql: &str, auto_begin: bool, fetch: bool) -> Result<(String, Rows), HostError> {
        self.note(|asked| asked.statements.push(sql.to_string()));
        let rows = self.engine(sql, |connection| {
            if auto_begin && !connection.in_transaction() {
                connection.begin()?;
            }
            if fetch { connection.query(sql) } else { connection.execute(sql).map(|_| Rows::default()) }
        })?;
        if fetch {
            self.seen().rows = Some(rows.clone());
        }
        Ok(("OK".to_string(), rows))
    }

    fn begin(&self) -> Result<(), HostError> {
        self.engine("begin", |connection| if connection.in_transaction() { Ok(()) } else { connection.begin() })
    }

    fn commit(&self) -> Result<(), HostError> {
        self.engine("commit", |connection| if connection.in_transaction() { connection.commit() } else { Ok(()) })
    }

    fn existing(
        &self,
        database: Option<&str>,
        schema: Option<&str>,
        identifier: &str,
    ) -> Result<Option<Relation>, HostError> {
        let schema = schema.unwrap_or(&self.session.project.target.schema);
        let wanted = Relation::new(&self.database(database), schema, identifier);
        self.note(|asked| asked.existing.push(wanted.clone()));
        self.session.existing.find(&self.warehouse, &wanted).map_err(engine_error)
    }

    fn list_relations(&self, database: Option<&str>, schema: &str) -> Result<Vec<Relation>, HostError> {
        self.note(|asked| asked.existing.push(Relation::new(&self.database(database), schema, "")));
        self.session.existing.in_schema(&self.warehouse, &self.database(database), schema).map_err(engine_error)
    }

    fn columns(&self, relation: &Relation) -> Result<Vec<Column>, HostError> {
        self.note(|asked| asked.columns.push(relation.clone()));
        self.engine("describe", |connection| connection.columns(relation))
    }

    fn query_columns(&self, sql: &str) -> Result<Vec<Column>, HostError> {
        self.note(|asked| asked.statements.push(sql.to_string()));
        self.engine(sql, |connection| connection.describe(sql))
    }

    fn relation_added(&self, relation: &Relation) {
        self.session.existing.add(relation);
    }

    fn relation_dropped(&self, relation: &Relation) {
        self.session.existing.remove(relation);
    }

    fn load_seed(&self, relation: &Relation) -> Result<u64, HostError> {
        let Some(seed) = self.node().and_then(|node| seed_file(&self.session, node)) else {
            return Err(HostError {
                kind: ErrorKind::Runtime,
                message: "`adapter.load_seed` works only while a seed is built".to_string(),
                help: None,
            });
        };
        let load = self.engine("", |connection| {
            if !connection.in_transaction() {
                connection.begin()?;
            }
            connection.load_seed(relation, &seed)
        })?;
        let rows = load.rows;
        self.seen().seed = Some(load);
        Ok(rows)
    }

    fn flag(&self, name: &str) -> Option<Json> {
        self.session.flags.get(name).cloned()
    }
}

/// The CSV file of a seed, and how it is to be read.
pub fn seed_file(session: &Session, node: &Node) -> Option<SeedFile> {
    let Kind::Seed { on_disk } = &node.kind else { return None };
    let column_types = node.config.get("column_types").and_then(Json::as_object);
    Some(SeedFile {
        path: on_disk.clone(),
        delimiter: node.config.text("delimiter").and_then(|text| text.chars().next()).unwrap_or(','),
        column_types: column_types.cloned().unwrap_or_default(),
        infer_types: !session.project.is_native(),
    })
}

fn engine_error(error: AdapterError) -> HostError {
    HostError { kind: ErrorKind::Database, message: error.to_string(), help: None }
}
