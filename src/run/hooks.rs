//! Runs `on-run-start` and `on-run-end`, and makes the schemas that a run needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::adapter::relation::Relation;
use crate::compile::host::NodeHost;
use crate::compile::session::{Session, Warehouse};
use crate::compile::{self, CompiledNode};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::jinja::{Scope, ScopeValue};
use crate::manifest::operations::Moment;
use crate::manifest::parse::base_scope;
use crate::manifest::{Node, builtin, names};
use crate::run::outcome::Timer;
use crate::run::{Event, Listener, Outcome, Status};

/// Runs hooks one after the other; when one has failed, the others are skipped. What they leave open is undone at the
/// end, as in dbt.
/// Source: <https://docs.getdbt.com/reference/project-configs/on-run-start-on-run-end>.
pub fn run(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    moment: Moment,
    context: &[(&str, Json)],
    listener: &dyn Listener,
) -> Vec<Outcome> {
    let hooks = moment.hooks(&session.manifest.nodes, &session.project.root().name);
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(hooks.len());
    for (at, hook) in hooks.iter().enumerate() {
        let (index, total) = (at + 1, hooks.len());
        let name = format!("{}.{}.{at}", hook.package, moment.name());
        let outcome = if outcomes.iter().any(|earlier| earlier.status != Status::Success) {
            Timer::start(hook, 0).ended(Status::Skipped, Some(format!("{name} skipped")))
        } else {
            listener.event(&Event::NodeStarted { index, total, node: hook });
            run_one(session, warehouse, hook, &name, context)
        };
        let failures = Some(i64::from(outcome.status != Status::Success));
        let outcome = Outcome { failures, ..outcome };
        listener.event(&Event::NodeFinished { index, total, node: hook, outcome: &outcome });
        outcomes.push(outcome);
    }
    // A failure to undo is found by the next statement.
    let _ = warehouse.with(|connection| if connection.in_transaction() { connection.rollback() } else { Ok(()) });
    outcomes
}

fn run_one(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    hook: &Node,
    name: &str,
    context: &[(&str, Json)],
) -> Outcome {
    let mut timer = Timer::start(hook, 0);
    let refused = |timer: Timer, compiled: Option<CompiledNode>, problem: Diagnostic| {
        let message = format!("{name} failed, error:\n {}", problem.message);
        Outcome { message: Some(message), ..timer.failed(compiled, problem) }
    };
    let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), Some(hook)));
    let mut scope = scope_of(session, &hook.package, context);
    let model = compile::context::node_json(&session.manifest, hook);
    scope.values.insert("model".to_string(), ScopeValue::Json(model));
    let template = hook.template.as_ref().expect("hooks are made with their templates");
    let rendered = match session.manifest.library.render(template, &scope, host) {
        Ok(rendered) => rendered,
        Err(error) => return refused(timer, None, builtin::diagnostic(&error)),
    };
    timer.compiled();
    let compiled = CompiledNode {
        node: hook.id.clone(),
        relation: hook.relation.clone(),
        sql: rendered.text,
        map: rendered.map,
        inlined: None,
        ctes: Vec::new(),
    };
    let sql = compiled.sql.trim().to_string();
    let sent = if sql.is_empty() { Ok(0) } else { warehouse.with(|connection| connection.execute(&sql)) };
    session.existing.forget();
    match sent {
        Ok(_) => Outcome { compiled: Some(compiled), ..timer.ended(Status::Success, Some(format!("{name} passed"))) },
        Err(error) => {
            let span = place(session, &hook.raw_code).unwrap_or(Span::start_of(hook.file));
            let problem = Diagnostic::error(Code::SqlError, span, error.to_string());
            refused(timer, Some(compiled), problem.label(format!("`{name}` sends: {sql}")))
        }
    }
}

/// Where a project file has a hook.
fn place(session: &Session, hook: &str) -> Option<Span> {
    let mut settings = session.project.packages.values().map(|package| &package.settings);
    settings.find_map(|settings| settings.places.iter().find(|(text, _)| text == hook)).map(|(_, span)| *span)
}

/// The names that an operation of the root project sees.
pub fn operation_scope(session: &Arc<Session>, context: &[(&str, Json)]) -> Scope {
    scope_of(session, &session.project.root().name, context)
}

/// The names that an operation of a package sees.
fn scope_of(session: &Arc<Session>, package: &str, context: &[(&str, Json)]) -> Scope {
    let target = &session.project.target;
    let mut scope = base_scope(&session.project, package, &Relation::new(&target.database, &target.schema, ""));
    scope.values.insert("this".to_string(), ScopeValue::Json(Json::Null));
    let selected = session.clone();
    let selected = ScopeValue::lazy(move || json!(selected.selected));
    scope.values.insert("selected_resources".to_string(), selected);
    for (name, value) in context {
        scope.values.insert(name.to_string(), ScopeValue::Json(value.clone()));
    }
    scope.values.insert("invocation_id".to_string(), ScopeValue::Json(json!(session.invocation.id)));
    let started = json!(session.invocation.started.to_rfc3339());
    scope.values.insert("run_started_at".to_string(), ScopeValue::Json(started));
    scope
}

/// Whether a node's run leaves a table or view: a test does if it stores its failures.
pub fn leaves_relation(session: &Session, node: &Node) -> bool {
    let stores = || {
        session.flags.get("STORE_FAILURES") == Some(&Json::Bool(true))
            || node.config.flag("store_failures")
            || node.config.text("store_failures_as").is_some_and(|kind| kind != "ephemeral")
    };
    names::has_relation(node) || (node.is_test() && stores())
}

/// Makes the schemas of some nodes. One after the other: two at a time would conflict in DuckDB.
pub fn make_schemas<'a>(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    nodes: impl Iterator<Item = &'a Node>,
) -> Result<(), Diagnostic> {
    let wanted: BTreeSet<(String, String)> = nodes
        .filter(|node| leaves_relation(session, node))
        .filter_map(|node| Some((node.relation.database.clone()?, node.relation.schema.clone()?)))
        .collect();
    let library = &session.manifest.library;
    let create = library.find(&session.project.root().name, "create_schema").expect("the templates have this macro");
    for (database, schema) in wanted {
        let mut relation = Relation::new(&database, &schema, "");
        relation.include.identifier = false;
        let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), None));
        let scope = operation_scope(session, &[]);
        let made = library.call(&create.unique_id, &[ScopeValue::Relation(relation)], &[], &scope, host.clone());
        made.map_err(|error| builtin::diagnostic(&error))?;
        let closed =
            warehouse.with(|connection| if connection.in_transaction() { connection.commit() } else { Ok(()) });
        closed.map_err(|error| Diagnostic::error(Code::SqlError, None, error.to_string()))?;
    }
    Ok(())
}
