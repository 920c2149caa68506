//! Turns nodes of a Manifest into SQL: templates rendered, ephemeral models inlined, every name a relation.

pub mod columns;
pub mod comment;
pub mod context;
pub mod host;
pub mod inline;
pub mod landing;
pub mod microbatch;
pub mod pins;
pub mod place;
pub mod semantic;
pub mod session;
pub mod stage;
pub mod unit;
pub mod written;

use std::sync::Arc;

use serde_json::json;

use crate::adapter::relation::Relation;
use crate::compile::host::NodeHost;
use crate::compile::microbatch::Batch;
use crate::compile::session::{Session, Warehouse};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::jinja::{ErrorKind, Noted, RenderError, Scope, ScopeValue, SourceMap, Template};
use crate::manifest::parse::base_scope;
use crate::manifest::{Kind, Node};
use crate::manifest::{builtin, refable, test_code};

/// A node as the SQL that will run.
#[derive(Debug, Clone)]
pub struct CompiledNode {
    /// The node's unique id.
    pub node: String,
    pub relation: Relation,
    /// With ephemeral models inlined.
    pub sql: String,
    /// From the text before inlining to the template.
    pub map: SourceMap,
    /// By how many bytes inlining has shifted the text, and where it was put in.
    pub inlined: Option<Inlined>,
    /// The ephemeral models that were inlined, in order: unique id and the text of the expression.
    pub ctes: Vec<(String, String)>,
}

/// Text that was put into the SQL of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inlined {
    pub at: usize,
    pub length: usize,
}

/// Compiles one node.
pub fn compile(session: &Arc<Session>, warehouse: &Arc<Warehouse>, node: &Node) -> Result<CompiledNode, Diagnostic> {
    compile_part(session, warehouse, node, None)
}

/// Compiles one node, or one batch of it.
pub fn compile_part(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    node: &Node,
    batch: Option<Batch>,
) -> Result<CompiledNode, Diagnostic> {
    if let Some(test) = node.unit_test() {
        return unit::compile(session, warehouse, node, test);
    }
    let host = || {
        let host = NodeHost::new(session.clone(), warehouse.clone(), Some(node));
        batch.iter().fold(host, |host, batch| host.of_batch(*batch, false))
    };
    let template = template(session, node).map_err(|error| explain(node, &host(), &error))?;
    let scope = || scope(session, node, batch);
    let library = &session.manifest.library;
    let (host, rendered) = match &session.notes {
        // The template of a generic test is made anew each time.
        Some(notes) if node.template.is_some() => {
            let noted =
                Noted { notes, key: &format!("sql {} {}", session.project.target.name, node.id), keeps_text: true };
            library.render_noted(&template, &node.package, scope, host, noted)
        }
        _ => {
            let host = Arc::new(host());
            (host.clone(), library.render(&template, &scope(), host))
        }
    };
    let rendered = rendered.map_err(|error| explain(node, &host, &error))?;
    let mut ctes: Vec<(String, String)> = Vec::new();
    for id in host.inlined() {
        inline_parents(session, warehouse, &id, &mut ctes)?;
    }
    let texts: Vec<String> = ctes.iter().map(|(_, text)| text.clone()).collect();
    let (sql, inlined) = inline::inject(&rendered.text, &texts);
    Ok(CompiledNode { node: node.id.clone(), relation: node.relation.clone(), sql, map: rendered.map, inlined, ctes })
}

fn template(session: &Session, node: &Node) -> Result<Arc<Template>, RenderError> {
    match (&node.template, &node.kind) {
        (Some(template), _) => Ok(template.clone()),
        (None, Kind::GenericTest(_)) => test_code::template(node, &session.files).map(Arc::new),
        (None, _) => unreachable!("only seeds have no template, and seeds are not compiled"),
    }
}

/// Adds an ephemeral model, after those that it reads itself.
fn inline_parents(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    id: &str,
    ctes: &mut Vec<(String, String)>,
) -> Result<(), Diagnostic> {
    let compiled = match session.inlined(id) {
        Some(compiled) => compiled,
        None => {
            let node = session.manifest.node(id).expect("the host gives ids of the manifest");
            let compiled = Arc::new(compile(session, warehouse, node)?);
            session.remember_inlined(compiled.clone());
            compiled
        }
    };
    let own_text = |compiled: &CompiledNode| {
        let name = compiled.relation.identifier.clone().unwrap_or_default();
        let sql = match compiled.inlined {
            Some(Inlined { at, length }) => format!("{}{}", &compiled.sql[..at], &compiled.sql[at + length..]),
            None => compiled.sql.clone(),
        };
        inline::expression(&name, &sql)
    };
    for (parent, text) in compiled.ctes.iter().cloned().chain([(id.to_string(), own_text(&compiled))]) {
        if !ctes.iter().any(|(known, _)| *known == parent) {
            ctes.push((parent, text));
        }
    }
    Ok(())
}

/// The names that the templates of a node, or of one batch of it, see.
pub fn scope(session: &Arc<Session>, node: &Node, batch: Option<Batch>) -> Scope {
    let mut scope = base_scope(&session.project, &node.package, &node.relation);
    let mut put = |name: &str, value: ScopeValue| drop(scope.values.insert(name.to_string(), value));
    let (shared, id) = (session.clone(), node.id.clone());
    put(
        "model",
        ScopeValue::lazy(move || {
            let mut model =
                shared.manifest.node(&id).map_or(json!(null), |node| context::node_json(&shared.manifest, node));
            batch.iter().for_each(|batch| model["batch"] = batch.json());
            model
        }),
    );
    put("database", ScopeValue::Json(json!(node.relation.database)));
    put("schema", ScopeValue::Json(json!(node.relation.schema)));
    put("invocation_id", ScopeValue::Json(json!(session.invocation.id)));
    put("run_started_at", ScopeValue::Json(json!(session.invocation.started.to_rfc3339())));
    let selected = session.clone();
    put("selected_resources", ScopeValue::lazy(move || json!(selected.selected)));
    if let Some(other) = session.deferral.relations.get(&node.id) {
        put("defer_relation", ScopeValue::Relation(other.clone()));
    }
    if let Some(test) = node.generic_test().filter(|test| test.column_name.is_some()) {
        put("column_name", ScopeValue::Json(json!(test.column_name)));
    }
    scope
}

/// A failed render as a diagnostic at the places of the templates.
pub fn explain(node: &Node, host: &NodeHost, error: &RenderError) -> Diagnostic {
    let mut problem = builtin::diagnostic(error);
    if let Kind::GenericTest(test) = &node.kind {
        problem = problem.related(test.span, "the test is written here");
    }
    if let (Kind::UnitTest(test), None) = (&node.kind, problem.span) {
        problem.span = Some(test.place_of(&problem.message));
        problem.code = Code::UnitTest;
    }
    if let Some((failure, _)) = host.take_failure() {
        problem.code = Code::SqlError;
        problem.message = failure.to_string();
    }
    if let (Code::BrokenContract, Some(contract)) = (problem.code, node.patch_span) {
        problem.span = Some(Span::start_of(node.file));
        problem = problem.related(contract, "its contract is here");
    }
    if matches!(error.kind, ErrorKind::Refused(_)) {
        // The template is ours: what helps is a place of the user's.
        (problem.span, problem.related) = (None, Vec::new());
    }
    if problem.span.is_none() && node.template.is_some() {
        let spoken_of = |key: &str| problem.message.contains(key) || problem.message.contains(&key.replace('_', " "));
        let key = node.config.written().keys().map(String::as_str).find(|key| spoken_of(key));
        problem.span = key.and_then(|key| node.config_place(key)).or_else(|| refable::place(node));
    }
    if node.is_yaml_snapshot() && problem.span.is_some_and(|span| span.file == node.file) {
        problem.span = node.patch_span;
    }
    problem
}
