//! Turns what a run commits into rows of `medal_meta`, so that a run that was killed is known to have committed it.
//!
//! A model that adds rows must not add them twice. The journal may miss that it ended: the ledger does not, since its
//! row is committed with the model's rows. What is written down is said in `keeps`; a plain dbt project gets no schema of
//! ours.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::compile::host::NodeHost;
use crate::compile::scope;
use crate::compile::session::{Session, Warehouse};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::jinja::{RenderError, ScopeValue};
use crate::layer::publishing::publishing;
use crate::manifest::{Kind, Node, builtin};
use crate::project::layers::Layers;
use crate::run::hooks::operation_scope;
use crate::run::node::failure;

/// Whether the ledger tells of a node: of every model that is published, of those that remember what they have
/// received, and of the snapshots of layers.
pub fn keeps(node: &Node, layers: &Layers) -> bool {
    publishing(node, layers).is_some() || is_built_in_place(node, layers)
}

/// Whether what a node has built is written down by its materialization: that of a model which remembers what it has
/// received, whatever its layer, and of the snapshots of layers.
pub fn is_built_in_place(node: &Node, layers: &Layers) -> bool {
    match node.kind {
        Kind::Model => ["ingest", "cdc"].contains(&node.materialized()),
        Kind::Snapshot => layers.enforced && node.layer.is_some(),
        _ => false,
    }
}

/// Makes the tables of the ledger in every database in which one of the nodes is written down.
pub fn prepare<'a>(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    nodes: impl Iterator<Item = &'a Node>,
) -> Result<(), Diagnostic> {
    for database in databases(nodes, &session.project.layers) {
        call(session, warehouse, "create_ledger", &[&database]).map_err(|error| builtin::diagnostic(&error))?;
        let closed =
            warehouse.with(|connection| if connection.in_transaction() { connection.commit() } else { Ok(()) });
        closed.map_err(|error| Diagnostic::error(Code::SqlError, None, error.to_string()))?;
    }
    Ok(())
}

/// Writes down how a run stands, in every database in which one of the nodes is written down.
pub fn record_run<'a>(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    nodes: impl Iterator<Item = &'a Node>,
    command: &str,
    (status, exit_code): (&str, Option<u8>),
) -> Result<(), Diagnostic> {
    let started = session.invocation.started.to_rfc3339();
    for database in databases(nodes, &session.project.layers) {
        let version = env!("CARGO_PKG_VERSION");
        let arguments =
            [json!(database), json!(status), json!(command), json!(exit_code), json!(version), json!(started)];
        let library = &session.manifest.library;
        let found = library.find(&session.project.root().name, "record_run").expect("the templates have this macro");
        let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), None));
        let arguments = arguments.map(ScopeValue::Json);
        let done = library.call(&found.unique_id, &arguments, &[], &operation_scope(session, &[]), host);
        done.map_err(|error| builtin::diagnostic(&error))?;
        let ended = warehouse.with(|connection| if connection.in_transaction() { connection.commit() } else { Ok(()) });
        ended.map_err(|error| Diagnostic::error(Code::SqlError, None, error.to_string()))?;
    }
    Ok(())
}

/// The nodes whose rows an earlier run has committed, whether its journal says so or not.
pub fn committed<'a>(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    run: &str,
    nodes: impl Iterator<Item = &'a Node>,
) -> Result<BTreeSet<String>, Diagnostic> {
    let mut found = BTreeSet::new();
    for database in databases(nodes, &session.project.layers) {
        let listed = call(session, warehouse, "models_in_ledger", &[&database, run]);
        let listed = listed.map_err(|error| builtin::diagnostic(&error))?;
        found.extend(listed.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_string));
    }
    Ok(found)
}

fn databases<'a>(nodes: impl Iterator<Item = &'a Node>, layers: &Layers) -> BTreeSet<String> {
    nodes.filter(|node| keeps(node, layers)).filter_map(|node| node.relation.database.clone()).collect()
}

fn call(session: &Arc<Session>, warehouse: &Arc<Warehouse>, name: &str, args: &[&str]) -> Result<Json, RenderError> {
    let library = &session.manifest.library;
    let root = &session.project.root().name;
    let found = library.find(root, name).expect("the templates have this macro");
    let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), None));
    let args: Vec<ScopeValue> = args.iter().map(|text| ScopeValue::Text(text.to_string())).collect();
    let scope = operation_scope(session, &[]);
    library.call(&found.unique_id, &args, &[], &scope, host).map(|result| result.json)
}

/// Calls a macro of medal's own for a model.
pub fn ask(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    node: &Node,
    name: &str,
    arguments: &[&Json],
) -> Result<Json, Diagnostic> {
    let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), Some(node)));
    let library = &session.manifest.library;
    let found = library.find(&node.package, name).expect("the templates have this macro");
    let arguments: Vec<ScopeValue> = arguments.iter().map(|json| ScopeValue::Json((*json).clone())).collect();
    let answer = library.call(&found.unique_id, &arguments, &[], &scope(session, node, None), host.clone());
    answer.map(|answer| answer.json).map_err(|error| failure(session, node, None, &host, &error))
}
