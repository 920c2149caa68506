//! Runs one node: compiles it, hands it to its materialization, and says how it ended.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::{Value as Json, json};

use crate::adapter::AdapterError;
use crate::adapter::relation::{Relation, RelationKind};
use crate::compile::host::NodeHost;
use crate::compile::microbatch::Batch;
use crate::compile::pins;
use crate::compile::place::sql_problem;
use crate::compile::session::{Session, Warehouse};
use crate::compile::stage::Stage;
use crate::compile::{CompiledNode, compile, compile_part, explain, scope};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::diagnostic::warnings::Verdict;
use crate::files::Span;
use crate::jinja::{MacroInfo, RenderError, ScopeValue};
use crate::layer::publishing::publishing;
use crate::manifest::{Kind, Node, materializations, microbatch, names, refable};
use crate::run::ledger;
use crate::run::outcome::{self, Timer};
use crate::run::{Outcome, Status};

/// What a worker needs to run nodes.
pub struct Worker {
    pub session: Arc<Session>,
    pub warehouse: Arc<Warehouse>,
    /// From 1.
    pub number: usize,
    /// Set when the run is to stop.
    pub stop: Arc<AtomicBool>,
}

/// What of a node is built: all of it, or one batch. Hooks run before the first part and after the last.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    pub batch: Option<Batch>,
    pub is_first: bool,
    pub is_last: bool,
}

/// The materializations that add to what is there.
const ADDING: [&str; 4] = ["incremental", "snapshot", "ingest", "cdc"];

impl Part {
    pub const WHOLE: Part = Part { batch: None, is_first: true, is_last: true };
}

impl Worker {
    /// Runs a node to its end. Nothing of it is left in the warehouse if it fails.
    pub fn run(&self, node: &Node) -> Outcome {
        if let Some(outcome) = self.sifted_outcome(node) {
            return outcome;
        }
        if microbatch::is_microbatch(node) && self.runs_in_batches() {
            return self.run_batches(node);
        }
        let timer = Timer::start(node, self.number);
        if let Err(problem) = self.watch(node) {
            return timer.failed(None, problem);
        }
        let compiled = match &node.kind {
            Kind::Seed { .. } => None,
            _ if self.clones() => None,
            _ => match self.compile(node, None) {
                Ok(compiled) => Some(compiled),
                Err(refused) => {
                    let (compiled, problem) = *refused;
                    return timer.failed(compiled, problem);
                }
            },
        };
        self.run_compiled(timer, node, compiled)
    }

    /// Runs a node that is compiled, unless it is a seed or a clone, to its end.
    pub fn run_compiled(&self, mut timer: Timer, node: &Node, compiled: Option<CompiledNode>) -> Outcome {
        timer.compiled();
        let host = NodeHost::new(self.session.clone(), self.warehouse.clone(), Some(node));
        let host =
            Arc::new(if node.materialized() == "ingest" { host.with_stage(Stage::of_ingest(node)) } else { host });
        let result = self.build(node, compiled.as_ref(), &host, Part::WHOLE);
        let sent = host.take_written().map(Arc::from);
        let outcome = match result {
            Ok(()) if node.unit_test().is_some() => outcome::of_unit_test(timer, node, compiled, host.take_rows()),
            Ok(()) if node.is_test() => outcome::of_test(timer, node, compiled, host.take_rows(), self.warnings_fail()),
            Ok(()) => outcome::of_build(timer, node, compiled, host.take_seed()),
            Err(problem) => timer.failed(compiled, problem),
        };
        Outcome { sent, ..outcome }
    }

    /// Materializes a compiled node, or a part of it. Nothing of it is left in the warehouse if that fails.
    pub fn build(
        &self,
        node: &Node,
        compiled: Option<&CompiledNode>,
        host: &Arc<NodeHost>,
        part: Part,
    ) -> Result<(), Diagnostic> {
        let result = self.materialize(node, compiled, host, part);
        self.clean_up(result.is_err());
        result.map(|built| built.iter().for_each(|relation| self.session.existing.add(relation)))
    }

    /// What is added to a table is made of what is there: nobody else may change it meanwhile.
    pub fn watch(&self, node: &Node) -> Result<(), Diagnostic> {
        if self.clones() || !ADDING.contains(&node.materialized()) {
            return Ok(());
        }
        let watched = self.warehouse.with(|connection| connection.watch(Some(&node.relation)));
        watched.map_err(|error| Diagnostic::error(Code::SqlError, refable::place(node), error.to_string()))
    }

    pub fn runs_in_batches(&self) -> bool {
        microbatch::runs_in_batches(&self.session.manifest.library, &self.session.project)
    }

    /// The outcome of a test that a batch has found to pass.
    pub fn pass(&self, node: &Node) -> Outcome {
        let mut timer = Timer::start(node, self.number);
        match compile(&self.session, &self.warehouse, node) {
            Ok(compiled) => {
                timer.compiled();
                outcome::of_passed_test(timer, compiled)
            }
            Err(problem) => timer.failed(None, problem),
        }
    }

    /// Whether nodes become views of what another run has built, in place of being built.
    fn clones(&self) -> bool {
        self.session.flags.get("WHICH") == Some(&json!("clone"))
    }

    fn warnings_fail(&self) -> bool {
        self.session.warnings.of_event("LogTestResult") == Verdict::Error
    }

    /// One statement; otherwise what is the matter, with what was compiled if that is worth a look.
    pub fn compile(
        &self,
        node: &Node,
        batch: Option<Batch>,
    ) -> Result<CompiledNode, Box<(Option<CompiledNode>, Diagnostic)>> {
        let compiled = compile_part(&self.session, &self.warehouse, node, batch);
        let compiled = compiled.map_err(|problem| Box::new((None, problem)))?;
        let count = self.warehouse.with(|connection| connection.statement_count(&compiled.sql));
        let place = match &node.kind {
            Kind::GenericTest(test) => test.span,
            Kind::UnitTest(test) => test.span,
            _ => refable::place(node).unwrap_or(Span::start_of(node.file)),
        };
        match count {
            Ok(1) => Ok(compiled),
            Ok(0) => {
                let message = format!("{} `{}` has no SQL", node.resource_type(), node.name);
                let problem = Diagnostic::error(Code::EmptyModel, place, message);
                Err(Box::new((None, problem.help("write a `select`, or delete the file"))))
            }
            Ok(count) => {
                let message = format!("{} `{}` compiles to {count} statements", node.resource_type(), node.name);
                let help = "keep one `select`; what should run before or after it is a `pre_hook` or `post_hook`";
                Err(Box::new((Some(compiled), Diagnostic::error(Code::ManyStatements, place, message).help(help))))
            }
            Err(error) => {
                let problem = sql_problem(&self.session, node, Some(&compiled), &error, &compiled.sql);
                Err(Box::new((Some(compiled), problem)))
            }
        }
    }

    fn materialize(
        &self,
        node: &Node,
        compiled: Option<&CompiledNode>,
        host: &Arc<NodeHost>,
        part: Part,
    ) -> Result<Vec<Relation>, Diagnostic> {
        let materialization = self.materialization(node)?;
        let rules = self.sift_rules(node)?;
        let mut scope = scope(&self.session, node, part.batch);
        let mut put = |name: &str, value: Json| drop(scope.values.insert(name.to_string(), ScopeValue::Json(value)));
        let other = self.session.deferral.relations.get(&node.id).filter(|_| self.clones());
        let cloned = other.map(|other| format!("select * from {}", other.render()));
        let sql = cloned.as_deref().or(compiled.map(|compiled| compiled.sql.as_str())).unwrap_or_default();
        let pinned = self.pin_files(node, sql, host)?;
        let sql = pinned.as_deref().unwrap_or(sql);
        put("sql", json!(sql));
        put("compiled_code", json!(sql));
        put("sift_rules", rules.clone());
        // What is published is written down with its publication.
        let is_kept = ledger::is_built_in_place(node, &self.session.project.layers) && part.batch.is_none();
        put("ledger_entry", if is_kept { json!({"layer": node.layer}) } else { Json::Null });
        put("is_published", json!(publishing(node, &self.session.project.layers).is_some()));
        if node.is_test() {
            put("personal", json!(self.session.personal(node, sql)));
        }
        if node.materialized() == "cdc" {
            put("read_from", self.read_from(node, sql));
        }
        let hooks = |key: &str| node.config.get(key).cloned().unwrap_or(json!([]));
        put("pre_hooks", if part.is_first { hooks("pre-hook") } else { json!([]) });
        put("post_hooks", if part.is_last { hooks("post-hook") } else { json!([]) });
        let library = &self.session.manifest.library;
        match library.call(&materialization.unique_id, &[], &[], &scope, host.clone()) {
            Ok(returned) => {
                self.note_sifted(node, &rules, &returned.json)?;
                Ok(relations(node, &returned.json))
            }
            Err(error) => Err(failure(&self.session, node, compiled, host, &error)),
        }
    }

    /// The query of a node with the files that its run has pinned; none if it reads what is there.
    pub fn pin_files(&self, node: &Node, sql: &str, host: &NodeHost) -> Result<Option<String>, Diagnostic> {
        if !pins::is_pinned(&self.session, node) {
            return Ok(None);
        }
        let pinned = pins::pin(&self.session, &self.warehouse, sql);
        let problem = |error: AdapterError| Diagnostic::error(Code::SqlError, refable::place(node), error.to_string());
        let pins::Pinned { sql, places } = pinned.map_err(problem)?;
        host.note_files(places);
        Ok(Some(sql))
    }

    fn materialization(&self, node: &Node) -> Result<&MacroInfo, Diagnostic> {
        let library = &self.session.manifest.library;
        let name = match node.kind {
            Kind::UnitTest(_) => "unit",
            _ if node.is_test() => "test",
            _ if self.clones() => "clone",
            _ => node.materialized(),
        };
        materializations::find(library, &self.session.project.target.kind, node, name)
    }

    /// What a node leaves open is undone, and what it may have done is looked up again. A unit ends its transaction
    /// itself.
    fn clean_up(&self, failed: bool) {
        if self.warehouse.is_held() {
            return;
        }
        let undone = self.warehouse.with(|connection| {
            connection.watch(None)?;
            if connection.in_transaction() { connection.rollback().map(|()| true) } else { Ok(false) }
        });
        if failed || !matches!(undone, Ok(false)) {
            self.session.existing.forget();
        }
    }
}

/// The tables and views that a materialization says it has built: `{'relations': […]}`.
fn relations(node: &Node, returned: &Json) -> Vec<Relation> {
    let listed = returned.get("relations").and_then(Json::as_array);
    let relation = |item: &Json| {
        let part = |key: &str| item.get(key).and_then(Json::as_str).unwrap_or_default();
        let kind = RelationKind::from_name(part("type")).unwrap_or(RelationKind::Table);
        Relation::new(part("database"), part("schema"), part("identifier")).with_kind(kind)
    };
    match listed {
        Some(listed) => listed.iter().map(relation).collect(),
        None if names::has_relation(node) => vec![node.relation.clone().with_kind(RelationKind::Table)],
        None => Vec::new(),
    }
}

/// A failed materialization: the engine's complaint at its place in the model, or the template's.
pub fn failure(
    session: &Session,
    node: &Node,
    compiled: Option<&CompiledNode>,
    host: &NodeHost,
    error: &RenderError,
) -> Diagnostic {
    match host.take_failure() {
        Some((AdapterError::Seed { message, line }, _)) => seed_problem(session, node, message, line),
        Some((complaint @ AdapterError::Sql { .. }, sent)) => {
            let problem = sql_problem(session, node, compiled, &complaint, &sent);
            match problem.label.is_empty() && !in_own_sql(compiled, &sent) {
                true => with_frames(in_hook(problem, node, &sent), error),
                false => problem,
            }
        }
        Some((complaint, _)) => Diagnostic::error(Code::SqlError, refable::place(node), complaint.to_string()),
        None => explain(node, host, error),
    }
}

/// A seed's file that cannot be loaded, at its line. A file too large for a text has no excerpt.
fn seed_problem(session: &Session, node: &Node, message: String, line: Option<usize>) -> Diagnostic {
    let file = match &node.kind {
        Kind::Seed { on_disk } => session.files.read(on_disk).ok(),
        _ => None,
    };
    let span = file.map(|file| {
        let text = session.files.get(file).text;
        let at = line.unwrap_or(1) - 1;
        let start = text.split_inclusive('\n').take(at).map(str::len).sum::<usize>();
        let length = text[start..].lines().next().map_or(0, str::len);
        Span::new(file, start..start + length)
    });
    Diagnostic::error(Code::InvalidSeed, span, message)
}

/// A statement that is one of the node's hooks: where the hooks are written.
fn in_hook(problem: Diagnostic, node: &Node, sent: &str) -> Diagnostic {
    let hooks = |key: &str| node.config.get(key).and_then(Json::as_array).cloned().unwrap_or_default();
    let is_own = |hook: &Json| {
        let text = hook.get("sql").and_then(Json::as_str).unwrap_or_default();
        // What stands before the first expression is sent as it is written.
        let start = text.split("{{").next().unwrap_or_default().trim();
        !start.is_empty() && sent.trim().starts_with(start)
    };
    match ["pre-hook", "post-hook"].into_iter().find(|key| hooks(key).iter().any(is_own)) {
        Some(key) => {
            let span = node.config_place(&key.replace('-', "_"));
            Diagnostic { span, ..problem }.label(format!("a `{key}` of `{}`: {}", node.name, sent.trim()))
        }
        None => problem,
    }
}

fn in_own_sql(compiled: Option<&CompiledNode>, sent: &str) -> bool {
    compiled.is_some_and(|compiled| sent.contains(compiled.sql.trim()))
}

/// A statement that a macro made: the macro's place is what helps.
fn with_frames(mut problem: Diagnostic, error: &RenderError) -> Diagnostic {
    for frame in &error.frames {
        problem = problem.related(*frame, "the statement is made here");
    }
    problem
}

/// A node that was not run because a hook before all nodes has failed.
pub fn held_back(node: &Node) -> Outcome {
    Timer::start(node, 1).ended(Status::Skipped, None)
}

/// A node that was not run because of another.
pub fn skipped(node: &Node, blame: &Node, worker: usize) -> Outcome {
    let message = format!("`{}` did not end well", blame.name);
    Timer::start(node, worker).ended(Status::Skipped, Some(message))
}

/// A node that was not begun, because the run stopped before.
pub fn not_begun(node: &Node, reason: String) -> Outcome {
    Timer::start(node, 1).ended(Status::Skipped, Some(reason))
}
