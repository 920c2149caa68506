//! What all renders of one invocation share: the project, what exists in the warehouse, and where messages go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use serde_json::Value as Json;

use crate::adapter::relation::Relation;
use crate::adapter::{Adapter, AdapterError, Connection};
use crate::compile::CompiledNode;
use crate::compile::context;
use crate::compile::microbatch::Request;
use crate::diagnostic::warnings::Warnings;
use crate::files::ProjectFiles;
use crate::jinja::JsonMap;
use crate::layer::classification::Classified;
use crate::manifest::{Manifest, Node};
use crate::notes::Notes;
use crate::project::Project;

/// Where a template's `log`, `print` and `exceptions.warn` go.
pub trait Messages: Send + Sync {
    fn message(&self, node: Option<&str>, text: &str);
    fn debug(&self, text: &str);
    fn warning(&self, node: Option<&str>, text: &str);
}

/// Where nobody listens: the same templates are rendered again, and say then what they say.
pub struct Silence;

impl Messages for Silence {
    fn message(&self, _node: Option<&str>, _text: &str) {}
    fn debug(&self, _text: &str) {}
    fn warning(&self, _node: Option<&str>, _text: &str) {}
}

/// One invocation, shared by all workers.
pub struct Session {
    pub files: Arc<ProjectFiles>,
    pub project: Arc<Project>,
    pub manifest: Arc<Manifest>,
    pub existing: Existing,
    /// `flags` of Jinja, by upper case names.
    pub flags: JsonMap,
    pub messages: Arc<dyn Messages>,
    /// Unique ids, as `selected_resources` shows them.
    pub selected: Vec<String>,
    pub invocation: Invocation,
    /// What the command says about batches.
    pub batches: Request,
    pub deferral: Deferral,
    /// What becomes of warnings.
    pub warnings: Warnings,
    /// The columns that hold personal data.
    pub classified: Arc<Classified>,
    /// What earlier commands have noted of the SQL of nodes. A run believes none of it.
    pub notes: Option<Arc<Notes>>,
    graph: OnceLock<Json>,
    /// What was told and need not be told again.
    told: Mutex<BTreeSet<String>>,
    /// Ephemeral models that have been compiled.
    inlined: Mutex<BTreeMap<String, Arc<CompiledNode>>>,
    /// By unique id of the node that asked.
    asked: Mutex<BTreeMap<String, Asked>>,
    /// Listings of files, by location.
    pinned: Mutex<BTreeMap<String, String>>,
    /// How many rows of a model were taken out while it was built, by its unique id.
    sifted: Mutex<BTreeMap<String, Sifted>>,
}

/// The rows that a model was given, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sifted {
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    pub dropped: u64,
    /// Those of the rows that come out of quarantine.
    pub released: u64,
    /// How many rows break each test that takes rows out, by its unique id.
    pub broken: BTreeMap<String, u64>,
}

/// What the templates of a node asked the warehouse, so that their SQL may depend on its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The statements that were sent.
    pub statements: Vec<String>,
    /// The relations whose columns were read.
    pub columns: Vec<Relation>,
    /// The relations that were looked up, and the schemas that were listed.
    pub existing: Vec<Relation>,
}

impl Asked {
    pub fn is_nothing(&self) -> bool {
        *self == Asked::default()
    }
}

/// What an invocation is called and when it began.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// A UUID.
    pub id: String,
    pub started: chrono::DateTime<chrono::Utc>,
}

/// Where another run has the relations of this project's nodes. Empty without `--defer`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deferral {
    /// By unique id.
    pub relations: BTreeMap<String, Relation>,
    /// Whether they also stand for what exists here, unless it is selected.
    pub favored: bool,
}

impl Session {
    pub fn new(
        files: Arc<ProjectFiles>,
        project: Arc<Project>,
        manifest: Arc<Manifest>,
        flags: JsonMap,
        messages: Arc<dyn Messages>,
        selected: Vec<String>,
        invocation: Invocation,
    ) -> Session {
        Session {
            files,
            project,
            manifest,
            existing: Existing::default(),
            flags,
            messages,
            selected,
            invocation,
            batches: Request::default(),
            deferral: Deferral::default(),
            warnings: Warnings::default(),
            classified: Arc::default(),
            notes: None,
            graph: OnceLock::new(),
            told: Mutex::default(),
            inlined: Mutex::default(),
            asked: Mutex::default(),
            sifted: Mutex::default(),
            pinned: Mutex::default(),
        }
    }

    /// The same for a command that says something about batches.
    pub fn with_batches(self, batches: Request) -> Session {
        Session { batches, ..self }
    }

    /// The columns that a query of a node gives and that hold personal data: their names in lower case, or `*` for any.
    pub fn personal(&self, node: &Node, sql: &str) -> Vec<String> {
        let target = &self.project.target;
        let home = [target.database.as_str(), target.schema.as_str()];
        self.classified.names_in(&self.manifest, &self.project.layers, home, node, sql)
    }

    /// What its materialization says of the rows that a model was given.
    pub fn sifted(&self, id: &str) -> Option<Sifted> {
        self.sifted.lock().expect("nobody panics while holding the lock").get(id).cloned()
    }

    /// Adds what became of the rows of a model, or of one batch of it.
    pub fn note_sifted(&self, id: &str, part: &Sifted) {
        let mut all = self.sifted.lock().expect("nobody panics while holding the lock");
        let sum = all.entry(id.to_string()).or_default();
        sum.rows_in += part.rows_in;
        sum.rows_out += part.rows_out;
        sum.quarantined += part.quarantined;
        sum.dropped += part.dropped;
        sum.released += part.released;
        part.broken.iter().for_each(|(test, rows)| *sum.broken.entry(test.clone()).or_default() += rows);
    }

    /// What is listed at a location: the same for all who ask in one run, whatever lands meanwhile.
    pub fn pinned<E>(&self, location: &str, list: impl FnOnce() -> Result<String, E>) -> Result<String, E> {
        let mut pinned = self.pinned.lock().expect("nobody panics while holding the lock");
        if let Some(known) = pinned.get(location) {
            return Ok(known.clone());
        }
        let listed = list()?;
        pinned.insert(location.to_string(), listed.clone());
        Ok(listed)
    }

    /// What the templates of a node have asked so far.
    pub fn asked(&self, id: &str) -> Asked {
        self.lock_asked().get(id).cloned().unwrap_or_default()
    }

    /// Notes a question of a node's template.
    pub fn note_asked(&self, id: &str, note: impl FnOnce(&mut Asked)) {
        note(self.lock_asked().entry(id.to_string()).or_default());
    }

    fn lock_asked(&self) -> MutexGuard<'_, BTreeMap<String, Asked>> {
        self.asked.lock().expect("nobody panics while holding the lock")
    }

    /// `graph` of Jinja, made once.
    pub fn graph(&self) -> Json {
        self.graph.get_or_init(|| context::graph_json(&self.manifest)).clone()
    }

    /// Whether this is the first time that something is told.
    pub fn is_new(&self, message: &str) -> bool {
        self.told.lock().expect("nobody panics while holding the lock").insert(message.to_string())
    }

    pub fn inlined(&self, id: &str) -> Option<Arc<CompiledNode>> {
        self.lock_inlined().get(id).cloned()
    }

    /// Every ephemeral model that a compiled node has read.
    pub fn all_inlined(&self) -> Vec<Arc<CompiledNode>> {
        self.lock_inlined().values().cloned().collect()
    }

    pub fn remember_inlined(&self, node: Arc<CompiledNode>) {
        self.lock_inlined().insert(node.node.clone(), node);
    }

    fn lock_inlined(&self) -> MutexGuard<'_, BTreeMap<String, Arc<CompiledNode>>> {
        self.inlined.lock().expect("nobody panics while holding the lock")
    }
}

/// A worker's way to the warehouse: one connection, opened when it is first needed.
pub struct Warehouse {
    adapter: Box<dyn Fn() -> Result<Arc<dyn Adapter>, AdapterError> + Send + Sync>,
    connection: Mutex<Option<Box<dyn Connection>>>,
    /// Whether what templates commit waits for the end of a transaction around them.
    held: AtomicBool,
}

impl Warehouse {
    /// A way to an engine that is open already.
    pub fn open(adapter: Arc<dyn Adapter>) -> Warehouse {
        Warehouse::lazy(move || Ok(adapter.clone()))
    }

    /// A way to an engine that is opened only if a template asks for it.
    pub fn lazy(adapter: impl Fn() -> Result<Arc<dyn Adapter>, AdapterError> + Send + Sync + 'static) -> Warehouse {
        Warehouse { adapter: Box::new(adapter), connection: Mutex::default(), held: AtomicBool::new(false) }
    }

    /// A way that is one connection.
    pub fn of(connection: Box<dyn Connection>) -> Warehouse {
        let gone = || Err(AdapterError::Connect("the connection is gone".to_string()));
        Warehouse { adapter: Box::new(gone), connection: Mutex::new(Some(connection)), held: AtomicBool::new(false) }
    }

    /// Begins a transaction that templates do not end: what they commit is committed with all of it.
    pub fn hold(&self) -> Result<(), AdapterError> {
        self.with(|connection| if connection.in_transaction() { Ok(()) } else { connection.begin() })?;
        self.held.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Whether a transaction is held.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Ends the transaction that is held.
    pub fn end_held(&self, commit: bool) -> Result<(), AdapterError> {
        self.held.store(false, Ordering::Relaxed);
        self.with(|connection| {
            let ended = match (connection.in_transaction(), commit) {
                (true, true) => connection.commit(),
                (true, false) => connection.rollback(),
                (false, _) => Ok(()),
            };
            ended.and(connection.watch(None))
        })
    }

    /// Does something with the connection.
    pub fn with<R>(
        &self,
        work: impl FnOnce(&mut dyn Connection) -> Result<R, AdapterError>,
    ) -> Result<R, AdapterError> {
        let mut connection = self.connection.lock().expect("nobody panics while holding the lock");
        let open = match connection.take() {
            Some(open) => open,
            None => (self.adapter)()?.connect()?,
        };
        work(connection.insert(open).as_mut())
    }
}

/// The tables and views of the warehouse, read once and kept up to date by what the run does.
#[derive(Default)]
pub struct Existing {
    relations: Mutex<Option<BTreeMap<String, Relation>>>,
}

impl Existing {
    /// A warehouse in which nothing exists.
    pub fn nothing() -> Existing {
        Existing::of([])
    }

    /// A warehouse in which these exist, and nothing else.
    pub fn of(relations: impl IntoIterator<Item = Relation>) -> Existing {
        let known = relations.into_iter().map(|relation| (relation.key(), relation)).collect();
        Existing { relations: Mutex::new(Some(known)) }
    }

    pub fn find(&self, warehouse: &Warehouse, wanted: &Relation) -> Result<Option<Relation>, AdapterError> {
        let mut relations = self.lock();
        Existing::load(&mut relations, warehouse)?;
        Ok(relations.as_ref().and_then(|known| known.get(&wanted.key()).cloned()))
    }

    /// Everything in one schema.
    pub fn in_schema(
        &self,
        warehouse: &Warehouse,
        database: &str,
        schema: &str,
    ) -> Result<Vec<Relation>, AdapterError> {
        let mut relations = self.lock();
        Existing::load(&mut relations, warehouse)?;
        let start = Relation::new(database, schema, "").key();
        let known = relations.iter().flatten();
        Ok(known.filter(|(key, _)| key.starts_with(&start)).map(|(_, relation)| relation.clone()).collect())
    }

    pub fn add(&self, relation: &Relation) {
        if let Some(known) = self.lock().as_mut() {
            known.insert(relation.key(), relation.clone());
        }
    }

    pub fn remove(&self, relation: &Relation) {
        if let Some(known) = self.lock().as_mut() {
            known.remove(&relation.key());
        }
    }

    /// What is known may be wrong (a transaction was undone): read it again when it is next asked for.
    pub fn forget(&self) {
        *self.lock() = None;
    }

    fn load(known: &mut Option<BTreeMap<String, Relation>>, warehouse: &Warehouse) -> Result<(), AdapterError> {
        if known.is_none() {
            let relations = warehouse.with(|connection| connection.relations())?;
            *known = Some(relations.into_iter().map(|relation| (relation.key(), relation)).collect());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<String, Relation>>> {
        self.relations.lock().expect("nobody panics while holding the lock")
    }
}
