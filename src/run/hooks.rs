//! Runs `on-run-start` and `on-run-end`, and makes the schemas that a run needs.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::adapter::relation::Relation;
use crate::compile::host::NodeHost;
use crate::compile::session::{Session, Warehouse};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::{ProjectFiles, Span};
use crate::jinja::{Scope, ScopeValue, Template};
use crate::manifest::parse::base_scope;
use crate::manifest::{Node, builtin, names};

/// Renders and runs hooks, each as its package sees it, one after the other, until one fails.
pub fn run(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    files: &ProjectFiles,
    hooks: &[(String, String)],
    which: &str,
    context: &[(&str, Json)],
) -> Result<(), Diagnostic> {
    for (at, (package, hook)) in hooks.iter().enumerate() {
        let file = files.add(&format!("{which}[{at}] of the project file"), hook);
        let text = files.get(file).text;
        let template = Template::new(file, text).map_err(|error| builtin::diagnostic(&error))?;
        let host = Arc::new(NodeHost::of_package(session.clone(), warehouse.clone(), package));
        let scope = Scope { package: package.clone(), ..operation_scope(session, context) };
        let rendered = session
            .manifest
            .library
            .render(&template, &scope, host.clone())
            .map_err(|error| builtin::diagnostic(&error))?;
        if rendered.text.trim().is_empty() {
            continue;
        }
        warehouse.with(|connection| connection.execute(&rendered.text)).map_err(|error| {
            let span = place(session, hook).unwrap_or(Span::start_of(file));
            Diagnostic::error(Code::SqlError, span, error.to_string())
                .label(format!("`{which}` sends: {}", rendered.text.trim()))
        })?;
    }
    Ok(())
}

/// Where a project file has a hook.
fn place(session: &Session, hook: &str) -> Option<Span> {
    let mut settings = session.project.packages.values().map(|package| &package.settings);
    settings.find_map(|settings| settings.places.iter().find(|(text, _)| text == hook)).map(|(_, span)| *span)
}

/// The names that an operation sees.
pub fn operation_scope(session: &Arc<Session>, context: &[(&str, Json)]) -> Scope {
    let root = &session.project.root().name;
    let target = &session.project.target;
    let mut scope = base_scope(&session.project, root, &Relation::new(&target.database, &target.schema, ""));
    scope.values.shift_remove("this");
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
