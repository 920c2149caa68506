//! Turns a Manifest into `target/manifest.json`, version 12 of dbt's schema.

use std::collections::BTreeMap;
use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use indexmap::IndexMap;
use md5::{Digest, Md5};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::artifact::declared::{self, OVERVIEW};
use crate::artifact::macros::Macros;
use crate::artifact::node::{Nodes, tests_by_node};
use crate::artifact::parts::Entries;
use crate::artifact::{Invocation, Metadata, seconds};
use crate::compile::CompiledNode;
use crate::files::ProjectFiles;
use crate::manifest::{Manifest, names};
use crate::project::Project;

const SCHEMA: &str = "https://schemas.getdbt.com/dbt/manifest/v12.json";

/// What dbt has and medal does not: one empty mapping each.
const ABSENT: [&str; 6] = ["metrics", "selectors", "saved_queries", "semantic_models", "unit_tests", "functions"];

/// The whole file: borrowed, and made while it is written.
pub struct ManifestArtifact<'a> {
    nodes: Nodes<'a>,
    macros: Macros<'a>,
    invocation: &'a Invocation,
}

/// `target/manifest.json`, with the SQL of those nodes that were compiled.
pub fn manifest_json<'a>(
    manifest: &'a Manifest,
    project: &'a Project,
    files: &'a ProjectFiles,
    invocation: &'a Invocation,
    compiled: &'a IndexMap<String, CompiledNode>,
) -> ManifestArtifact<'a> {
    let created_at = seconds(invocation.started_at);
    let tests = tests_by_node(manifest);
    ManifestArtifact {
        nodes: Nodes { manifest, project, compiled, created_at, tests },
        macros: Macros { manifest, project, files, created_at },
        invocation,
    }
}

impl Serialize for ManifestArtifact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Nodes { manifest, project, created_at, .. } = self.nodes;
        let mut file = serializer.serialize_map(None)?;
        file.serialize_entry("metadata", &ManifestMetadata::new(project, self.invocation))?;
        let nodes = Entries(|| manifest.nodes.values().map(|node| (&node.id, self.nodes.entry(node))));
        file.serialize_entry("nodes", &nodes)?;
        let sources = Entries(|| manifest.sources.values().map(|item| (&item.id, declared::source(item, created_at))));
        file.serialize_entry("sources", &sources)?;
        let macros = manifest.library.macros();
        file.serialize_entry("macros", &Entries(|| macros.iter().map(|item| (&item.unique_id, self.macros.entry(item)))))?;
        let own = || manifest.docs.blocks.values().map(|item| declared::doc(item, project));
        file.serialize_entry("docs", &Entries(|| own().chain([OVERVIEW]).map(|doc| (doc.unique_id, doc))))?;
        let exposures = || manifest.exposures.values().map(|item| (&item.id, declared::exposure(item, project, created_at)));
        file.serialize_entry("exposures", &Entries(exposures))?;
        let groups = || manifest.groups.values().map(|item| (&item.id, declared::group(item, project)));
        file.serialize_entry("groups", &Entries(groups))?;
        let disabled = || manifest.disabled.iter().map(|item| (&item.id, [declared::disabled(item, project)]));
        file.serialize_entry("disabled", &Entries(disabled))?;
        file.serialize_entry("parent_map", &Entries(|| neighbours(manifest, |id| manifest.graph.parents(id).collect())))?;
        file.serialize_entry("child_map", &Entries(|| neighbours(manifest, |id| manifest.graph.children(id).collect())))?;
        file.serialize_entry("group_map", &group_map(manifest))?;
        for key in ABSENT {
            file.serialize_entry(key, &BTreeMap::<(), ()>::new())?;
        }
        file.end()
    }
}

/// Every id with its neighbours in alphabetical order.
fn neighbours<'a>(
    manifest: &'a Manifest,
    of: impl Fn(&'a str) -> Vec<&'a str>,
) -> impl Iterator<Item = (&'a str, Vec<&'a str>)> {
    let ids = manifest.nodes.keys().chain(manifest.sources.keys()).chain(manifest.exposures.keys());
    ids.map(move |id| {
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
        if let Some(members) = node.config.text("group").and_then(|group| groups.get_mut(group)) {
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

#[derive(Serialize)]
struct Quoting {
    database: bool,
    schema: bool,
    identifier: bool,
    column: (),
}

impl<'a> ManifestMetadata<'a> {
    fn new(project: &'a Project, invocation: &'a Invocation) -> ManifestMetadata<'a> {
        let root = project.root();
        let quoted = names::quoting(&root.settings.quoting, None);
        ManifestMetadata {
            common: Metadata::new(SCHEMA, invocation.started_at, invocation),
            project_name: &root.name,
            project_id: format!("{:x}", Md5::digest(root.name.as_bytes())),
            user_id: (),
            send_anonymous_usage_stats: false,
            adapter_type: &project.target.kind,
            quoting: Quoting {
                database: quoted.database,
                schema: quoted.schema,
                identifier: quoted.identifier,
                column: (),
            },
            run_started_at: with_offset(invocation.started_at),
        }
    }
}

/// `2026-01-31T12:00:00.000000+00:00`.
fn with_offset(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Micros, false)
}
