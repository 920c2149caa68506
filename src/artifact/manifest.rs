//! Turns a Manifest into `target/manifest.json`, version 12 of dbt's schema.

use std::collections::BTreeMap;

use crate::map::IndexMap;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::artifact::declared::{self, DisabledEntry, OVERVIEW, OVERVIEW_ID};
use crate::artifact::macros::Macros;
use crate::artifact::node::{Nodes, tests_by_node};
use crate::artifact::parts::{Entries, Quoting};
use crate::artifact::{Invocation, Metadata, seconds, selectors, semantic, unit_test};
use crate::compile::CompiledNode;
use crate::files::ProjectFiles;
use crate::hash;
use crate::manifest::{Manifest, access, names};
use crate::project::Project;
use crate::project::semantic::SemanticKind;

const SCHEMA: &str = "https://schemas.getdbt.com/dbt/manifest/v12.json";

/// What is known of the SQL of nodes when the file is written.
#[derive(Clone, Copy, Default)]
pub struct Sql<'a> {
    /// The nodes that were compiled, by id.
    pub compiled: Option<&'a IndexMap<String, CompiledNode>>,
    /// The ids of those whose SQL was sent, and is in a file below `target/run`, in order.
    pub sent: &'a [&'a str],
}

/// The whole file: borrowed, and made while it is written.
pub struct ManifestArtifact<'a> {
    nodes: Nodes<'a>,
    macros: Macros<'a>,
    invocation: &'a Invocation,
}

/// `target/manifest.json`.
pub fn manifest_json<'a>(
    manifest: &'a Manifest,
    project: &'a Project,
    files: &'a ProjectFiles,
    invocation: &'a Invocation,
    sql: Sql<'a>,
) -> ManifestArtifact<'a> {
    let created_at = seconds(invocation.started_at);
    let tests = tests_by_node(manifest);
    ManifestArtifact {
        nodes: Nodes { manifest, project, sql, created_at, tests },
        macros: Macros { manifest, project, files, created_at },
        invocation,
    }
}

impl Serialize for ManifestArtifact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Nodes { manifest, project, created_at, .. } = self.nodes;
        let in_nodes = || manifest.nodes.values().filter(|item| item.unit_test().is_none());
        let nodes = || in_nodes().map(|item| (&item.id, self.nodes.entry(item)));
        let unit_tests = || unit_test::entries(manifest, project, created_at);
        let sources = || manifest.sources.values().map(|item| (&item.id, declared::source(item, created_at)));
        let macros = || manifest.library.macros().iter().map(|item| (&item.unique_id, self.macros.entry(item)));
        let docs = || manifest.docs.blocks.values().map(|item| (item.id.as_str(), declared::doc(item, project)));
        let exposures = || manifest.exposures.values().map(|item| (&item.id, declared::exposure(item, created_at)));
        let groups = || manifest.groups.values().map(|item| (&item.id, declared::group(item, project)));
        let readers = semantic::readers(manifest);
        let parents = || {
            neighbours(manifest, |id| {
                let read = manifest.semantics.get(id).map_or(&[][..], |item| &item.depends_on);
                manifest.graph.parents(id).chain(read.iter().map(String::as_str)).collect()
            })
        };
        let children = || {
            neighbours(manifest, |id| {
                manifest.graph.children(id).chain(readers.get(id).into_iter().flatten().copied()).collect()
            })
        };

        let mut file = serializer.serialize_map(None)?;
        file.serialize_entry("metadata", &ManifestMetadata::new(project, self.invocation))?;
        file.serialize_entry("nodes", &Entries(nodes))?;
        file.serialize_entry("sources", &Entries(sources))?;
        file.serialize_entry("macros", &Entries(macros))?;
        file.serialize_entry("docs", &Entries(|| docs().chain([(OVERVIEW_ID, OVERVIEW)])))?;
        file.serialize_entry("exposures", &Entries(exposures))?;
        file.serialize_entry("groups", &Entries(groups))?;
        file.serialize_entry("disabled", &disabled(manifest, project))?;
        file.serialize_entry("parent_map", &Entries(parents))?;
        file.serialize_entry("child_map", &Entries(children))?;
        file.serialize_entry("group_map", &group_map(manifest))?;
        file.serialize_entry("unit_tests", &Entries(unit_tests))?;
        file.serialize_entry("metrics", &semantic::entries(manifest, SemanticKind::Metric, created_at))?;
        file.serialize_entry("selectors", &selectors::selectors(&manifest.selectors))?;
        for kind in [SemanticKind::SavedQuery, SemanticKind::Model] {
            file.serialize_entry(kind.key(), &semantic::entries(manifest, kind, created_at))?;
        }
        file.serialize_entry("functions", &BTreeMap::<(), ()>::new())?;
        file.end()
    }
}

/// What is switched off, by id; several files may hold nodes of one id.
fn disabled<'a>(manifest: &'a Manifest, project: &'a Project) -> IndexMap<&'a str, Vec<DisabledEntry<'a>>> {
    let mut disabled: IndexMap<&str, Vec<DisabledEntry<'_>>> = IndexMap::default();
    for item in &manifest.disabled {
        disabled.entry(&item.id).or_default().push(declared::disabled(item, project));
    }
    disabled
}

/// Every id with its neighbours in alphabetical order.
fn neighbours<'a>(
    manifest: &'a Manifest,
    of: impl Fn(&'a str) -> Vec<&'a str>,
) -> impl Iterator<Item = (&'a str, Vec<&'a str>)> {
    let ids = manifest.nodes.keys().chain(manifest.sources.keys()).chain(manifest.exposures.keys());
    ids.chain(manifest.semantics.keys()).map(move |id| {
        let mut neighbours = of(id);
        neighbours.sort_unstable();
        (id.as_str(), neighbours)
    })
}

/// The nodes of each group, by the group's name.
fn group_map(manifest: &Manifest) -> IndexMap<&str, Vec<&str>> {
    let mut groups: IndexMap<&str, Vec<&str>> =
        manifest.groups.values().map(|group| (group.properties.name.as_str(), Vec::new())).collect();
    for node in manifest.nodes.values() {
        if let Some(members) = access::group(manifest, node).and_then(|group| groups.get_mut(group)) {
            members.push(&node.id);
        }
    }
    groups
}

#[derive(Serialize)]
struct ManifestMetadata<'a> {
    #[serde(flatten)]
    common: Metadata<'a>,
    project_name: &'a str,
    /// md5 of the project's name.
    project_id: String,
    user_id: (),
    send_anonymous_usage_stats: bool,
    adapter_type: &'a str,
    quoting: Quoting,
    run_started_at: String,
}

impl<'a> ManifestMetadata<'a> {
    fn new(project: &'a Project, invocation: &'a Invocation) -> ManifestMetadata<'a> {
        let root = project.root();
        let quoted = names::quoting(&root.settings.quoting, None);
        ManifestMetadata {
            common: Metadata::new(SCHEMA, invocation.started_at, invocation),
            project_name: &root.name,
            project_id: hash::md5(&root.name),
            user_id: (),
            send_anonymous_usage_stats: false,
            adapter_type: &project.target.kind,
            quoting: Quoting {
                database: Some(quoted.database),
                schema: Some(quoted.schema),
                identifier: Some(quoted.identifier),
                column: None,
            },
            run_started_at: with_offset(invocation.started_at),
        }
    }
}

/// `2026-01-31T12:00:00.000000+00:00`.
fn with_offset(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, false)
}

#[cfg(test)]
pub mod tests {
    use serde_json::{Map, Value as Json, json, to_value};

    use super::{Sql, manifest_json};
    use crate::artifact::Invocation;
    use crate::compile::context::tests::{manifest, node};
    use crate::diagnostic::Diagnostics;
    use crate::files::ProjectFiles;
    use crate::manifest::{Kind, Node};
    use crate::project::{LoadRequest, Project, load};

    pub fn invocation() -> Invocation {
        Invocation {
            id: "00000000-0000-4000-8000-000000000000".to_string(),
            started_at: chrono::DateTime::UNIX_EPOCH,
            medal_version: "0.1.0".to_string(),
            command: "build".to_string(),
            args: Map::new(),
            env: [("TEAM".to_string(), "x".to_string())].into(),
        }
    }

    fn project(files: &ProjectFiles) -> Project {
        let mut sink = Diagnostics::default();
        let text = "name: shop\ntargets:\n  dev: {type: duckdb, path: db.duckdb}\ntarget: dev\n";
        std::fs::write(files.root().join("medal.yml"), text).unwrap();
        load(files, &LoadRequest::default(), &mut sink).unwrap()
    }

    /// The whole file for some nodes.
    pub fn artifact_of(nodes: Vec<Node>) -> Json {
        let folder = tempfile::tempdir().unwrap();
        let files = ProjectFiles::new(folder.path());
        let (manifest, project) = (manifest(nodes), project(&files));
        to_value(manifest_json(&manifest, &project, &files, &invocation(), Sql::default())).unwrap()
    }

    #[test]
    fn the_file_has_every_section_of_the_schema() {
        let mut orders = node("orders", Kind::Model);
        orders.depends_on = vec!["model.shop.raw".to_string()];
        let artifact = artifact_of(vec![orders, node("raw", Kind::Model)]);
        let keys: Vec<&String> = artifact.as_object().unwrap().keys().collect();
        let expected = [
            "metadata",
            "nodes",
            "sources",
            "macros",
            "docs",
            "exposures",
            "groups",
            "disabled",
            "parent_map",
            "child_map",
            "group_map",
            "unit_tests",
            "metrics",
            "selectors",
            "saved_queries",
            "semantic_models",
            "functions",
        ];
        assert_eq!(keys, expected);
        assert_eq!(artifact["parent_map"], json!({"model.shop.orders": ["model.shop.raw"], "model.shop.raw": []}));
        assert_eq!(artifact["child_map"], json!({"model.shop.orders": [], "model.shop.raw": ["model.shop.orders"]}));
    }

    #[test]
    fn the_metadata_are_those_of_dbt() {
        let expected = json!({
            "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
            "dbt_version": "1.11.16",
            "generated_at": "1970-01-01T00:00:00.000000Z",
            "invocation_id": "00000000-0000-4000-8000-000000000000",
            "invocation_started_at": "1970-01-01T00:00:00.000000Z",
            "env": {"TEAM": "x"},
            "project_name": "shop",
            "project_id": "fb54f3c5992b96d001bb16e8e92d968d",
            "user_id": null,
            "send_anonymous_usage_stats": false,
            "adapter_type": "duckdb",
            "quoting": {"database": true, "schema": true, "identifier": true, "column": null},
            "run_started_at": "1970-01-01T00:00:00.000000+00:00",
        });
        assert_eq!(artifact_of(Vec::new())["metadata"], expected);
    }
}
