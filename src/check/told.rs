//! Compares what YAML says of columns with the columns that there are: tests, contracts and descriptions.

use std::sync::Arc;

use crate::map::{IndexMap, IndexSet};

use crate::adapter::AdapterError;
use crate::adapter::binder::Binder;
use crate::check::finding::way_out;
use crate::check::{Checked, Checker, Request, Schema, configured, contract, types};
use crate::compile::unit::unknown_input;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::files::Span;
use crate::manifest::unit_fixtures::Rows;
use crate::manifest::unit_tests::UnitTest;
use crate::manifest::{GenericTest, Node};
use crate::parallel;
use crate::project::properties::ColumnInfo;

/// Tests of one column that need no more than the column.
const PLAIN_TESTS: [&str; 4] = ["unique", "not_null", "accepted_values", "relationships"];

impl Checker<'_> {
    /// Whether a model is built by one of these materializations as it comes with medal.
    pub fn builds_plainly(&self, node: &Node, built_in: &[&str]) -> bool {
        let library = &self.request.session.manifest.library;
        let found = library.find_materialization(node.materialized(), &self.request.session.project.target.kind);
        node.is_ephemeral()
            || built_in.contains(&node.materialized()) && found.is_some_and(|found| found.package == "dbt")
    }

    /// What is wrong with what YAML says of sources and of the selected nodes.
    pub fn judge(&self, checked: &Checked) -> Result<Vec<Diagnostic>, AdapterError> {
        let manifest = &self.request.session.manifest;
        let mut problems = Vec::new();
        for source in manifest.sources.values() {
            if let Some(schema) = checked.schemas.get(&source.id) {
                problems.extend(absent_columns(&source.name, &source.columns, source.span, schema));
            }
        }
        let plain = PlainTests::of(self.request);
        let selected = &self.request.selected;
        let is_selected = |node: &&Node| selected.contains(node.unit_test().map_or(&node.id, |test| &test.tested));
        let nodes: Vec<&Node> = manifest.nodes.values().map(Box::as_ref).filter(is_selected).collect();
        let judged = parallel::map(&nodes, |node| {
            let mut binder = self.binder()?;
            let problems = self.judge_node(node, &plain, checked, binder.as_mut());
            self.give_back(binder);
            Ok(problems)
        });
        for found in judged {
            problems.extend(found?);
        }
        Ok(problems)
    }

    fn judge_node(&self, node: &Node, plain: &PlainTests, known: &Checked, binder: &mut dyn Binder) -> Vec<Diagnostic> {
        let manifest = &self.request.session.manifest;
        if let Some(test) = node.unit_test() {
            let unbound = test.given.iter().filter(|given| given.bound.is_none());
            let mut found: Vec<Diagnostic> = unbound.map(|given| unknown_input(manifest, node, given)).collect();
            found.extend(unit_test_columns(node, test, known, binder));
            return found;
        }
        if let Some(test) = node.generic_test() {
            return if plain.has(node) { test_columns(node, test, known) } else { Vec::new() };
        }
        let Some(schema) = known.schemas.get(&node.id).filter(|_| node.is_refable()) else { return Vec::new() };
        let span = node.patch_span.unwrap_or(Span::start_of(node.file));
        let mut found = match contract::is_enforced(node) {
            true => {
                let breaches = contract::breaches(self.request, node, schema, known, binder);
                [breaches, types::unknown(node, &self.outside, binder)].concat()
            }
            false => absent_columns(&node.name, &node.columns, span, schema),
        };
        found.extend(configured::absent(&self.request.session.project, node, schema, known));
        found
    }
}

/// The tests of `PLAIN_TESTS` that the project has not written itself.
pub struct PlainTests(Vec<&'static str>);

impl PlainTests {
    pub fn of(request: &Request) -> PlainTests {
        let library = &request.session.manifest.library;
        let root = &request.session.project.root().name;
        let found = |name: &&str| library.find(root, &format!("test_{name}")).is_some_and(|it| it.package == "dbt");
        PlainTests(PLAIN_TESTS.into_iter().filter(found).collect())
    }

    /// Whether a test is one of the built-in ones on a plain column, so that the column is all that can be wrong.
    pub fn has(&self, node: &Node) -> bool {
        let Some(test) = node.generic_test() else { return false };
        let Some(column) = &test.column_name else { return false };
        let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_');
        let field = test.arguments.get("field").and_then(serde_json::Value::as_str);
        self.0.contains(&test.name.as_str())
            && test.namespace.is_none()
            && is_name(column)
            && field.is_none_or(is_name)
            && node.config.get("where").is_none_or(serde_json::Value::is_null)
    }
}

/// The columns that a built-in test names, on the relations that it reads.
fn test_columns(node: &Node, test: &GenericTest, checked: &Checked) -> Vec<Diagnostic> {
    let attached = test.attached.iter().map(|id| (id, test.column_name.as_deref()));
    let field = test.arguments.get("field").and_then(serde_json::Value::as_str);
    let others = node.depends_on.iter().filter(|id| Some(*id) != test.attached.as_ref()).map(|id| (id, field));
    let missing = attached.chain(others).filter_map(|(id, column)| {
        let (schema, column) = (checked.schemas.get(id)?, column?);
        if schema.column(column).is_some() {
            return None;
        }
        let name = id.rsplit('.').next().unwrap_or(id);
        let message = format!("the test `{}` is on the column `{column}`, which `{name}` does not have", test.name);
        Some(problem(schema, Code::UnknownColumn, test.span, message, column))
    });
    missing.collect()
}

/// Columns that rows of a unit test name, and that its inputs or its model do not have.
fn unit_test_columns(node: &Node, test: &UnitTest, checked: &Checked, binder: &mut dyn Binder) -> Vec<Diagnostic> {
    let given = test.given.iter().map(|given| (given.bound.as_deref(), given.input.as_str(), &given.fixture));
    let expected = [(Some(test.tested.as_str()), test.model.as_str(), &test.expect)];
    let mut found = Vec::new();
    for (id, called, fixture) in given.chain(expected) {
        let Some(schema) = id.and_then(|id| checked.schemas.get(id)) else { continue };
        let names: Vec<String> = match &fixture.rows {
            Rows::Records(rows) => rows.iter().flat_map(|row| row.keys().cloned()).collect::<IndexSet<_>>(),
            Rows::Sql(sql) if sql.contains("{{") || sql.contains("{%") => continue,
            Rows::Sql(sql) => binder.columns(sql).into_iter().flatten().map(|column| column.name).collect(),
        }
        .into_iter()
        .filter(|name| schema.column(name).is_none())
        .collect();
        let told = names.iter().map(|name| {
            let message = format!(
                "the unit test `{}` has rows with the column `{name}`, which `{called}` does not have",
                node.name
            );
            let span = fixture.spoken_of(&format!("`{name}`")).unwrap_or(fixture.span);
            problem(schema, Code::UnknownColumn, span, message, name)
        });
        found.extend(told);
    }
    found
}

/// Columns of a node or source that are described and not there.
fn absent_columns(
    of: &str,
    columns: &IndexMap<String, Arc<ColumnInfo>>,
    around: Span,
    schema: &Schema,
) -> Vec<Diagnostic> {
    let absent = columns.values().filter(|column| schema.column(&column.name).is_none());
    let told = absent.map(|column| {
        let span = column.span.unwrap_or(around);
        let message = format!("the column `{}` of `{of}` is described, but it does not exist", column.name);
        let problem = problem(schema, Code::AbsentColumn, span, message, &column.name);
        Diagnostic { severity: crate::diagnostic::Severity::Warning, ..problem }
    });
    told.collect()
}

fn problem(schema: &Schema, code: Code, span: Span, message: String, name: &str) -> Diagnostic {
    let names: Vec<String> = schema.columns.iter().map(|column| column.name.clone()).collect();
    let problem = match schema.certain {
        true => Diagnostic::error(code, span, message),
        false => Diagnostic::warning(code, span, message),
    };
    Diagnostic { help: way_out(name, &names), ..problem }
}
