//! What stands in the place of tables while a unit test is compiled: common table expressions with given rows.

use crate::map::IndexMap;
use serde_json::Value as Json;

use crate::adapter::relation::{Column, Relation, RelationKind};
use crate::jinja::JsonMap;
use crate::manifest::Node;
use crate::manifest::python;
use crate::manifest::unit_tests::UnitTest;

/// What a template sees in the place of the warehouse.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    /// The expression that stands for a node or source, by unique id.
    pub inputs: IndexMap<String, Relation>,
    /// Nothing else can be read.
    pub complete: bool,
    /// The columns of a relation, which need not exist.
    pub columns: Option<(Relation, Vec<Column>)>,
    pub vars: JsonMap,
    pub env_vars: JsonMap,
}

impl Stage {
    /// The stage of a unit test's model.
    pub fn of(test: &UnitTest, inputs: IndexMap<String, Relation>) -> Stage {
        let overrides = test.overrides.clone().unwrap_or_default();
        Stage { inputs, complete: true, columns: None, vars: overrides.vars, env_vars: overrides.env_vars }
    }

    /// The stage of an `ingest` model while it is built: what has landed since the last run stands for its source, in
    /// the table that the materialization fills.
    pub fn of_ingest(node: &Node) -> Stage {
        let name = format!("{}__landed", node.relation.identifier.as_deref().unwrap_or(&node.name));
        let landed = Relation::new("", "", &name).with_kind(RelationKind::Table);
        Stage { inputs: node.depends_on.iter().map(|id| (id.clone(), landed.clone())).collect(), ..Stage::default() }
    }

    pub fn env_var(&self, name: &str) -> Option<String> {
        self.env_vars.get(name).map(python::str)
    }

    pub fn columns_of(&self, relation: &Relation) -> Option<&Vec<Column>> {
        self.columns.as_ref().filter(|(known, _)| known.same_as(relation)).map(|(_, columns)| columns)
    }

    /// The first input that fits.
    pub fn input(&self, fits: impl Fn(&str) -> bool) -> Option<(&str, &Relation)> {
        self.inputs.iter().map(|(id, relation)| (id.as_str(), relation)).find(|(id, _)| fits(id))
    }
}

/// A value of `expected_rows` and `expected_sql`, which the `unit` materialization asks for.
pub fn expectation(test: &UnitTest, key: &str) -> Option<Json> {
    use crate::manifest::unit_fixtures::Rows;
    match (key, &test.expect.rows) {
        ("expected_rows", rows @ Rows::Records(_)) => Some(rows.json()),
        ("expected_sql", rows @ Rows::Sql(_)) => Some(rows.json()),
        ("materialized", _) => Some(Json::String("unit".to_string())),
        _ => None,
    }
}
