//! Turns unit tests into dbt's objects.

use serde::Serialize;
use serde_json::Value as Json;

use crate::artifact::config::FullConfig;
use crate::artifact::declared::below_folder;
use crate::artifact::parts::DependsOn;
use crate::jinja::JsonMap;
use crate::manifest::unit_fixtures::{Fixture, Rows};
use crate::manifest::unit_tests::UnitTest;
use crate::manifest::{Manifest, Node};
use crate::project::Project;

#[derive(Serialize)]
pub struct UnitTestEntry<'a> {
    model: &'a str,
    given: Vec<Given<'a>>,
    expect: Expected<'a>,
    name: &'a str,
    resource_type: &'static str,
    package_name: &'a str,
    path: &'a str,
    original_file_path: &'a str,
    unique_id: &'a str,
    fqn: &'a [String],
    description: &'a str,
    overrides: Option<Overrides<'a>>,
    depends_on: DependsOn<'a>,
    config: FullConfig<'a>,
    checksum: &'a str,
    schema: Option<&'a str>,
    created_at: f64,
    versions: Option<Versions<'a>>,
    version: Option<&'a Json>,
}

#[derive(Serialize)]
struct Given<'a> {
    input: &'a str,
    #[serde(flatten)]
    rows: Expected<'a>,
}

#[derive(Serialize)]
struct Expected<'a> {
    rows: WrittenRows<'a>,
    format: &'static str,
    fixture: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenRows<'a> {
    Records(&'a [JsonMap]),
    Sql(&'a str),
}

#[derive(Serialize)]
struct Overrides<'a> {
    macros: &'a JsonMap,
    vars: &'a JsonMap,
    env_vars: &'a JsonMap,
}

#[derive(Serialize)]
struct Versions<'a> {
    include: Option<&'a [Json]>,
    exclude: Option<&'a [Json]>,
}

/// `unit_tests` of the manifest.
pub fn entries<'a>(
    manifest: &'a Manifest,
    project: &'a Project,
    created_at: f64,
) -> impl Iterator<Item = (&'a String, UnitTestEntry<'a>)> {
    let tests = manifest.nodes.values().filter_map(|node| Some((node.as_ref(), node.unit_test()?)));
    tests.map(move |(node, test)| (&node.id, entry(node, test, project, created_at)))
}

/// A unit test as the manifest has it.
pub fn entry<'a>(node: &'a Node, test: &'a UnitTest, project: &Project, created_at: f64) -> UnitTestEntry<'a> {
    let given = test.given.iter().map(|given| Given { input: &given.input, rows: fixture(&given.fixture) });
    UnitTestEntry {
        model: &test.model,
        given: given.collect(),
        expect: fixture(&test.expect),
        name: &node.name,
        resource_type: "unit_test",
        package_name: &node.package,
        path: below_folder(project, &node.package, &node.original_path),
        original_file_path: &node.original_path,
        unique_id: &node.id,
        fqn: &node.fqn,
        description: &node.description,
        overrides: test.overrides.as_ref().map(|overrides| Overrides {
            macros: &overrides.macros,
            vars: &overrides.vars,
            env_vars: &overrides.env_vars,
        }),
        depends_on: DependsOn { macros: &node.depends_on_macros, nodes: &node.depends_on },
        config: FullConfig::of_node(node),
        checksum: &node.checksum,
        schema: node.relation.schema.as_deref(),
        created_at,
        versions: test
            .versions
            .as_ref()
            .map(|versions| Versions { include: versions.include.as_deref(), exclude: versions.exclude.as_deref() }),
        version: node.version.as_ref().map(|version| &version.v),
    }
}

fn fixture(fixture: &Fixture) -> Expected<'_> {
    let rows = match &fixture.rows {
        Rows::Records(records) => WrittenRows::Records(records),
        Rows::Sql(text) => WrittenRows::Sql(text),
    };
    Expected { rows, format: fixture.format.name(), fixture: fixture.file.as_deref() }
}
