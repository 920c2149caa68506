//! Compiles a unit test: the SQL of its model over the rows that are given, and nothing from the warehouse.

use std::sync::Arc;

use crate::map::IndexMap;
use serde_json::json;

use crate::adapter::relation::Relation;
use crate::compile::columns::{Lookup, input_relation};
use crate::compile::host::NodeHost;
use crate::compile::session::{Session, Warehouse};
use crate::compile::stage::Stage;
use crate::compile::{CompiledNode, context, explain, inline, scope, template};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, nearest};
use crate::jinja::{ErrorKind, RenderError, Scope, ScopeValue, Template};
use crate::manifest::parse::base_scope;
use crate::manifest::unit_fixtures::{Fixture, Rows};
use crate::manifest::unit_tests::{Given, UnitTest};
use crate::manifest::{Manifest, Node, RefArguments};

/// Compiles a unit test.
pub fn compile(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    node: &Node,
    test: &UnitTest,
) -> Result<CompiledNode, Diagnostic> {
    let manifest = &session.manifest;
    let tested = manifest.node(&test.tested).expect("a unit test is bound to its model");
    let mut inputs = IndexMap::default();
    for given in &test.given {
        let id = given.bound.as_ref().ok_or_else(|| unknown_input(manifest, node, given))?;
        inputs.insert(id.clone(), input_relation(manifest, id));
    }
    let this = test.given.iter().find(|given| given.is_this()).and_then(|given| given.bound.clone());
    let scope = test_scope(session, node, test, this.as_ref().and_then(|id| inputs.get(id)));
    let stage = Stage::of(test, inputs.clone());
    let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), Some(node)).with_stage(stage));
    let rendered = template(session, tested)
        .and_then(|template| manifest.library.render(&template, &scope, host.clone()))
        .map_err(|error| failed(node, test, &host, &error))?;
    let mut used: Vec<String> = this.into_iter().collect();
    used.extend(host.inlined().into_iter().filter(|id| !used.contains(id)).collect::<Vec<_>>());
    let mut lookup = Lookup::new(session, warehouse);
    let mut ctes = Vec::new();
    for id in used {
        let given = test.given.iter().find(|given| given.bound.as_ref() == Some(&id)).expect("only inputs are used");
        let sql = rows_sql(&mut lookup, node, given, &id)?;
        let name = inputs.get(&id).and_then(|relation| relation.identifier.as_deref()).unwrap_or_default();
        ctes.push((id, inline::expression(name, &sql)));
    }
    let texts: Vec<String> = ctes.iter().map(|(_, text)| text.clone()).collect();
    let (sql, inlined) = inline::inject(&rendered.text, &texts);
    Ok(CompiledNode { node: node.id.clone(), relation: node.relation.clone(), sql, map: rendered.map, inlined, ctes })
}

/// The names that the model sees: those of the test, with `this` only if its rows are given.
fn test_scope(session: &Arc<Session>, node: &Node, test: &UnitTest, this: Option<&Relation>) -> Scope {
    let mut scope = scope(session, node, None);
    let this = this.map_or(ScopeValue::Json(json!(null)), |relation| ScopeValue::Relation(relation.clone()));
    scope.values.insert("this".to_string(), this);
    scope.overrides = test.overrides.as_ref().map(|overrides| overrides.macros.clone()).unwrap_or_default();
    scope
}

/// An input of a unit test that stands for nothing in the project.
pub fn unknown_input(manifest: &Manifest, node: &Node, given: &Given) -> Diagnostic {
    let message = format!("the unit test `{}` gives rows for `{}`, which does not exist", node.name, given.input);
    let problem = Diagnostic::error(Code::UnknownRef, given.span, message);
    let nodes = manifest.nodes.values().filter(|node| node.is_refable()).map(|node| ref_to(node));
    let sources = manifest.sources.values().map(|item| format!("source('{}', '{}')", item.source_name, item.name));
    let known: Vec<String> = nodes.chain(sources).collect();
    match nearest(&given.input, known.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("an input is `ref('…')`, `source('…', '…')` or `this`"),
    }
}

/// A failed render of the model; an input that is missing is a mistake of the test.
fn failed(node: &Node, test: &UnitTest, host: &NodeHost, error: &RenderError) -> Diagnostic {
    let problem = explain(node, host, error);
    match error.kind {
        ErrorKind::UnknownRef | ErrorKind::UnknownSource if problem.message.contains("unit test") => {
            let read = problem.span;
            let problem = Diagnostic { span: Some(test.span), related: Vec::new(), ..problem };
            match read {
                Some(span) => problem.related(span, "it is read here"),
                None => problem,
            }
        }
        _ => problem,
    }
}

/// What reads this node, with its version if it is not the latest.
fn ref_to(node: &Node) -> String {
    let version = node.version.as_ref().filter(|version| !version.is_latest()).map(|version| version.v.clone());
    RefArguments { package: None, name: node.name.clone(), version }.to_string()
}

/// The rows of an input as a query.
fn rows_sql(lookup: &mut Lookup<'_>, node: &Node, given: &Given, id: &str) -> Result<String, Diagnostic> {
    let Fixture { rows, text, span, .. } = &given.fixture;
    let (session, library) = (lookup.session.clone(), lookup.session.manifest.library.clone());
    let mut scope = input_scope(&session, id);
    let host = |stage: Stage| {
        Arc::new(NodeHost::new(session.clone(), lookup.warehouse.clone(), session.manifest.node(id)).with_stage(stage))
    };
    let records = match rows {
        Rows::Records(records) => records,
        Rows::Sql(sql) => {
            let file = text.unwrap_or_else(|| {
                let path = format!("{}, rows of `{}` in `{}`", node.original_path, given.input, node.name);
                session.files.add_shared(&path, sql.as_str().into())
            });
            let host = host(Stage::default());
            let rendered = Template::new(file, sql.as_str().into())
                .and_then(|template| library.render(&template, &scope, host.clone()));
            return rendered.map(|rendered| rendered.text).map_err(|error| explain(node, &host, &error));
        }
    };
    let columns = lookup.columns(id).map_err(|why| unknown_columns(&session.manifest, given, id, &why))?;
    let relation = own_relation(&session.manifest, id);
    scope.values.insert("this".to_string(), ScopeValue::Relation(relation.clone()));
    let host = host(Stage { columns: Some((relation, columns)), ..Stage::default() });
    let made = library.find(&node.package, "get_fixture_sql").expect("the templates have this macro");
    let arguments = [ScopeValue::Json(json!(records)), ScopeValue::Json(json!(null))];
    let made = library.call(&made.unique_id, &arguments, &[], &scope, host.clone());
    made.map(|made| made.text).map_err(|error| {
        let problem = explain(node, &host, &error);
        let place = given.fixture.spoken_of(&problem.message).unwrap_or(*span);
        Diagnostic { span: if error.frames.is_empty() { Some(place) } else { problem.span }, ..problem }
    })
}

/// What a fixture's template sees: `model` and `this` of the input.
fn input_scope(session: &Arc<Session>, id: &str) -> Scope {
    let manifest = &session.manifest;
    if let Some(node) = manifest.node(id) {
        return scope(session, node, None);
    }
    let package = manifest.sources.get(id).map_or("", |source| source.package.as_str());
    let mut scope = base_scope(&session.project, package, &own_relation(manifest, id));
    let name = manifest.sources.get(id).map_or("", |source| source.name.as_str());
    scope.values.insert("model".to_string(), ScopeValue::Json(json!({"name": name, "resource_type": "model"})));
    scope
}

/// Where the input is in the warehouse; an ephemeral model has its name alone.
fn own_relation(manifest: &Manifest, id: &str) -> Relation {
    match (manifest.node(id), manifest.sources.get(id)) {
        (Some(node), _) => Relation { kind: None, ..node.relation.clone() },
        (None, Some(source)) => source.relation.clone(),
        (None, None) => input_relation(manifest, id),
    }
}

fn unknown_columns(manifest: &Manifest, given: &Given, id: &str, why: &str) -> Diagnostic {
    let message = format!("the columns of `{}` are not known: {why}", given.input);
    let problem = Diagnostic::error(Code::SqlError, given.span, message);
    match manifest.node(id) {
        Some(node) => problem.help(format!(
            "build it first (`medal build --select {} --empty`), declare all its columns with their `data_type`, or give \
             the rows with `format: sql`",
            context::alias(node)
        )),
        None => problem.help("declare all its columns with their `data_type`, or give the rows with `format: sql`"),
    }
}
