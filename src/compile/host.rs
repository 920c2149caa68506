//! What a template of a node gets when it asks medal, once the project is parsed.

mod methods;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use serde_json::{Value as Json, json};

use crate::adapter::relation::{Column, Relation, TimeFilter};
use crate::adapter::rows::Rows;
use crate::adapter::{AdapterError, Connection, SeedFile, SeedLoad};
use crate::compile::comment::{self, Comment};
use crate::compile::microbatch::{Batch, filter};
use crate::compile::pins;
use crate::compile::session::{Asked, Session, Warehouse};
use crate::compile::stage::{self, Stage};
use crate::diagnostic::warnings::Verdict;
use crate::jinja::{ErrorKind, Host, HostError, JsonMap};
use crate::manifest::{Kind, Manifest, Node, RefArguments, Source, microbatch, parse};

/// The host of one node's templates, or of an operation that belongs to no node.
pub struct NodeHost {
    session: Arc<Session>,
    warehouse: Arc<Warehouse>,
    /// The node's unique id.
    node: Option<String>,
    package: String,
    vars: JsonMap,
    stage: Stage,
    /// Made when the first statement is sent.
    comment: OnceLock<Option<Comment>>,
    /// The batch of a microbatch model that is built.
    batch: Option<Batch>,
    /// The batch goes into a table that is there: nothing is built anew, whatever the command says.
    adds: bool,
    seen: Mutex<Seen>,
}

/// What a render did besides making text.
#[derive(Default)]
struct Seen {
    /// Ephemeral models and inputs of a unit test that were named, in order.
    inlined: Vec<String>,
    /// The rows of the last statement that fetched any.
    rows: Option<Rows>,
    /// The engine's last complaint and the SQL that it complained of.
    failure: Option<(AdapterError, String)>,
    seed: Option<SeedLoad>,
    /// What `write(…)` was given last: the SQL of the main statement.
    written: Option<String>,
    /// The names and patterns of the files that the query reads, if they must stay what they are until the commit.
    files: Vec<String>,
}

impl NodeHost {
    pub fn new(session: Arc<Session>, warehouse: Arc<Warehouse>, node: Option<&Node>) -> NodeHost {
        let package = node.map_or_else(|| session.project.root().name.clone(), |node| node.package.clone());
        let vars = parse::visible_vars(&session.project, &package);
        let node = node.map(|node| node.id.clone());
        let (stage, comment, seen) = (Stage::default(), OnceLock::new(), Mutex::default());
        NodeHost { session, warehouse, node, package, vars, stage, comment, batch: None, adds: false, seen }
    }

    /// A host whose templates see something else than the warehouse.
    pub fn with_stage(mut self, stage: Stage) -> NodeHost {
        self.vars.extend(stage.vars.clone());
        NodeHost { stage, ..self }
    }

    /// A host of what belongs to a package and to no node: a hook.
    pub fn of_package(session: Arc<Session>, warehouse: Arc<Warehouse>, package: &str) -> NodeHost {
        let vars = parse::visible_vars(&session.project, package);
        NodeHost { package: package.to_string(), vars, ..NodeHost::new(session, warehouse, None) }
    }

    /// For one batch of the node: what it reads is only the rows of the batch. With `adds` the batch goes into a
    /// table that is there.
    pub fn of_batch(self, batch: Batch, adds: bool) -> NodeHost {
        NodeHost { batch: Some(batch), adds, ..self }
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

    /// What stands for an input, which is noted as named.
    fn staged(&self, fits: impl Fn(&str) -> bool) -> Option<Relation> {
        let (id, relation) = self.stage.input(fits)?;
        let mut seen = self.seen();
        if !seen.inlined.iter().any(|known| known == id) {
            seen.inlined.push(id.to_string());
        }
        Some(relation.clone())
    }

    /// A unit test reads nothing but what it gives.
    fn not_given(&self, kind: ErrorKind, call: &str) -> HostError {
        let test = self.node().map_or("", |node| node.name.as_str());
        HostError {
            kind,
            message: format!("the model reads `{call}`, and the unit test `{test}` does not give it"),
            help: Some(format!("add it to `given`: `- {{input: {call}, rows: []}}`")),
        }
    }

    /// Holds the node to files that must stay what they are until its commit.
    pub fn note_files(&self, places: Vec<String>) {
        self.seen().files = places;
    }

    pub fn take_written(&self) -> Option<String> {
        self.seen().written.take()
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

    /// The file of the seed that is built.
    fn seed(&self, function: &str) -> Result<SeedFile, HostError> {
        let infer_types = !self.session.project.is_native();
        self.node().and_then(|node| SeedFile::of(node, infer_types)).ok_or_else(|| HostError {
            kind: ErrorKind::Runtime,
            message: format!("`{function}` works only while a seed is built"),
            help: None,
        })
    }

    /// A statement with the comment that the project asks for.
    fn commented<'s>(&self, sql: &'s str) -> Result<Cow<'s, str>, HostError> {
        let comment = match self.comment.get() {
            Some(comment) => comment,
            None => {
                let made = comment::render(&self.session, self.node())?;
                self.comment.get_or_init(|| made)
            }
        };
        Ok(comment.as_ref().map_or(Cow::Borrowed(sql), |comment| Cow::Owned(comment.add(sql))))
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

    /// The rows of the batch and of `--sample`, for an input that says when a row happened.
    fn time_filter(&self, column: impl FnOnce() -> Option<String>) -> Option<TimeFilter> {
        let is_sampled = || self.node().is_some_and(|node| matches!(node.kind, Kind::Model | Kind::Snapshot));
        match (self.batch, self.session.batches.sample) {
            (Some(batch), None) => Some(batch.filter(&column()?)),
            (Some(batch), Some(sample)) => Some(batch.sampled(sample).filter(&column()?)),
            (None, Some((start, end))) if is_sampled() => Some(filter(&column()?, start, end)),
            _ => None,
        }
    }

    /// Where another run has a node that is not here, or (with `--favor-state`) that is not selected.
    /// Source: <https://docs.getdbt.com/reference/node-selection/defer>.
    fn deferred(&self, node: &Node) -> Result<Option<&Relation>, HostError> {
        let deferral = &self.session.deferral;
        let Some(other) = deferral.relations.get(&node.id).filter(|_| !node.is_ephemeral()) else { return Ok(None) };
        let is_favored = deferral.favored && !self.session.selected.contains(&node.id);
        let is_elsewhere = is_favored || {
            let existing = self.session.existing.find(&self.warehouse, &node.relation).map_err(engine_error)?;
            existing.is_none()
        };
        Ok(is_elsewhere.then_some(other))
    }

    /// The node that a `ref` of this node names. Operations may name any node.
    fn referenced(&self, call: &RefArguments) -> Option<&Node> {
        let fits = |node: &&Node| node.answers_to(call);
        match self.node().filter(|node| !matches!(node.kind, Kind::Operation)) {
            Some(node) => node.depends_on.iter().filter_map(|id| self.manifest().node(id)).find(fits),
            None => {
                let mut all = self.manifest().nodes.values().map(Box::as_ref).filter(fits);
                let of = |package: &str| all.clone().find(|node| node.package == package);
                self.session.project.search_order(&self.package).into_iter().find_map(of).or_else(|| all.next())
            }
        }
    }
}

impl Host for NodeHost {
    fn execute(&self) -> bool {
        true
    }

    fn reference(&self, package: Option<&str>, name: &str, version: Option<&Json>) -> Result<Relation, HostError> {
        let (package, version) = (package.map(str::to_string), version.cloned());
        let call = RefArguments { package, name: name.to_string(), version };
        let staged = self.staged(|id| self.manifest().node(id).is_some_and(|node| node.answers_to(&call)));
        if let Some(relation) = staged {
            return Ok(relation);
        }
        if self.stage.complete {
            return Err(self.not_given(ErrorKind::UnknownRef, &call.to_string()));
        }
        let Some(node) = self.referenced(&call) else {
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
        let mut relation = self.deferred(node)?.unwrap_or(&node.relation).clone();
        relation.event_time =
            self.time_filter(|| microbatch::event_time_sql(&node.config, &node.columns, false)).map(Box::new);
        if self.session.flags.get("EMPTY") == Some(&json!(true)) && !node.is_ephemeral() {
            relation.limit = Some(0);
        }
        Ok(relation)
    }

    fn source(&self, source: &str, table: &str) -> Result<Relation, HostError> {
        let sources = &self.manifest().sources;
        let fits = |other: &Source| other.source_name == source && other.name == table;
        let staged = self.staged(|id| sources.get(id).is_some_and(fits));
        if let Some(relation) = staged {
            return Ok(relation);
        }
        if self.stage.complete {
            return Err(self.not_given(ErrorKind::UnknownSource, &format!("source('{source}', '{table}')")));
        }
        let mut all = sources.values().filter(|other| fits(other));
        let of = |package: &str| all.clone().find(|other| other.package == package);
        let found = self.session.project.search_order(&self.package).into_iter().find_map(of);
        match found.or_else(|| all.next()) {
            Some(source) => {
                let mut relation = source.relation.clone();
                let column = || microbatch::event_time_sql(&source.config, &source.columns, source.quotes_columns());
                relation.event_time = self.time_filter(column).map(Box::new);
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
            "full_refresh" if self.adds => return None,
            other => other,
        };
        let node = self.node()?;
        match node.unit_test() {
            Some(test) => stage::expectation(test, key).or_else(|| node.config.get(key).cloned()),
            None => node.config.get(key).cloned(),
        }
    }

    fn var(&self, name: &str) -> Option<Json> {
        self.vars.get(name).cloned()
    }

    fn env_var(&self, name: &str) -> Result<Option<String>, HostError> {
        match self.stage.env_var(name) {
            Some(value) => Ok(Some(value)),
            None => self.session.project.environment.public(name),
        }
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

    fn warn(&self, message: &str) -> Result<(), HostError> {
        match self.session.warnings.of_event("JinjaLogWarning") {
            Verdict::Error => {
                return Err(HostError { kind: ErrorKind::Raised, message: message.to_string(), help: None });
            }
            Verdict::Warning => self.session.messages.warning(self.node.as_deref(), message),
            Verdict::Silence => {}
        }
        Ok(())
    }

    fn warn_once(&self, message: &str) {
        if self.session.is_new(message) {
            self.session.messages.warning(None, message);
        }
    }

    fn graph(&self) -> Json {
        self.session.graph()
    }

    fn run(&self, sql: &str, auto_begin: bool, fetch: bool) -> Result<(String, Rows), HostError> {
        self.note(|asked| asked.statements.push(sql.to_string()));
        let sql = &*self.commented(sql)?;
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
        let files = self.seen().files.clone();
        pins::check(&self.session, &self.warehouse, &files)?;
        if self.warehouse.is_held() {
            return Ok(());
        }
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
        if let Some(columns) = self.stage.columns_of(relation) {
            return Ok(columns.clone());
        }
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
        let seed = self.seed("adapter.load_seed")?;
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

    fn seed_rows(&self) -> Result<Rows, HostError> {
        let seed = self.seed("load_agate_table")?;
        let table = Relation::temporary("__medal__agate_table");
        let sql = format!("select * from {}", table.render());
        self.engine(&sql, |connection| {
            connection.load_seed(&table, &seed)?;
            connection.query(&sql)
        })
    }

    fn adapter_method(&self, name: &str, args: &[Json]) -> Option<Result<Json, HostError>> {
        self.method(name, args)
    }

    fn write(&self, text: &str) {
        self.seen().written = Some(text.to_string());
    }

    fn flag(&self, name: &str) -> Option<Json> {
        if self.adds && name == "FULL_REFRESH" {
            return Some(json!(false));
        }
        self.session.flags.get(name).cloned()
    }
}

fn engine_error(error: AdapterError) -> HostError {
    HostError { kind: ErrorKind::Database, message: error.to_string(), help: None }
}
