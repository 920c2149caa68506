//! Turns sources, exposures, groups, docs blocks and disabled nodes into dbt's objects.

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::artifact::config::{FullConfig, filled};
use crate::artifact::parts::{self, Checksum, Columns, DependsOn, Identity, NOTHING, Quoting, Ref};
use crate::jinja::JsonMap;
use crate::manifest::docs::Doc;
use crate::manifest::{Disabled, Exposure, Group, Source};
use crate::project::Project;
use crate::project::freshness::complete;

/// The part of a path below the folder of its kind: `marts/orders.yml` of `models/marts/orders.yml`.
pub fn below_folder<'a>(project: &Project, package: &str, path: &'a str) -> &'a str {
    project.packages.get(package).map_or(path, |package| package.below_folder(path))
}

#[derive(Serialize)]
pub struct SourceEntry<'a> {
    database: &'a str,
    schema: &'a str,
    #[serde(flatten)]
    identity: Identity<'a>,
    fqn: &'a [String],
    source_name: &'a str,
    source_description: &'a str,
    loader: &'a str,
    identifier: &'a str,
    quoting: Quoting,
    loaded_at_field: Option<&'a str>,
    loaded_at_query: Option<&'a str>,
    freshness: Json,
    external: Option<Json>,
    description: &'a str,
    columns: Columns<'a>,
    meta: Option<&'a Json>,
    source_meta: &'a JsonMap,
    tags: Vec<&'a str>,
    config: FullConfig<'a>,
    patch_path: (),
    unrendered_config: &'a JsonMap,
    relation_name: String,
    created_at: f64,
    unrendered_database: Option<&'a str>,
    unrendered_schema: Option<&'a str>,
    doc_blocks: &'a [String],
}

pub fn source<'a>(source: &'a Source, created_at: f64) -> SourceEntry<'a> {
    let quoted = |part: &str| source.quoting.get(part).and_then(Json::as_bool);
    SourceEntry {
        database: source.relation.database.as_deref().unwrap_or_default(),
        schema: source.relation.schema.as_deref().unwrap_or_default(),
        identity: Identity {
            name: &source.name,
            resource_type: "source",
            package_name: &source.package,
            path: &source.path,
            original_file_path: &source.path,
            unique_id: &source.id,
        },
        fqn: &source.fqn,
        source_name: &source.source_name,
        source_description: &source.source_description,
        loader: &source.loader,
        identifier: &source.identifier,
        quoting: Quoting {
            database: quoted("database"),
            schema: quoted("schema"),
            identifier: quoted("identifier"),
            column: quoted("column"),
        },
        loaded_at_field: source.config.text("loaded_at_field"),
        loaded_at_query: source.config.text("loaded_at_query"),
        freshness: complete(source.config.written().get("freshness")),
        external: external(&source.external),
        description: &source.description,
        columns: Columns(&source.columns),
        meta: source.config.get("meta"),
        source_meta: &source.source_meta,
        tags: source.config.texts("tags"),
        config: FullConfig::of_source(&source.config),
        patch_path: (),
        unrendered_config: source.config.unrendered(),
        relation_name: source.relation.render(),
        created_at,
        unrendered_database: source.written_place[0].as_deref(),
        unrendered_schema: source.written_place[1].as_deref(),
        doc_blocks: &source.doc_blocks,
    }
}

fn external(written: &Json) -> Option<Json> {
    let keys = json!({
        "location": null, "file_format": null, "row_format": null, "tbl_properties": null, "partitions": null,
    });
    written.as_object().map(|written| filled(keys, written))
}

#[derive(Serialize)]
pub struct ExposureEntry<'a> {
    #[serde(flatten)]
    identity: Identity<'a>,
    fqn: &'a [String],
    #[serde(rename = "type")]
    kind: &'a str,
    owner: Json,
    description: &'a str,
    label: Option<&'a str>,
    maturity: Option<&'a str>,
    meta: Option<&'a Json>,
    tags: Vec<&'a str>,
    config: FullConfig<'a>,
    unrendered_config: &'a JsonMap,
    url: Option<&'a str>,
    depends_on: DependsOn<'a>,
    refs: Vec<Ref<'a>>,
    sources: &'a [[String; 2]],
    metrics: [&'static str; 0],
    created_at: f64,
}

/// `name` and `email`, null if they are not written, and whatever else is.
fn owner(written: &JsonMap) -> Json {
    filled(json!({"email": null, "name": null}), written)
}

pub fn exposure(exposure: &Exposure, created_at: f64) -> ExposureEntry<'_> {
    let properties = &exposure.properties;
    ExposureEntry {
        identity: Identity {
            name: &properties.name,
            resource_type: "exposure",
            package_name: &exposure.package,
            path: &exposure.relative,
            original_file_path: &exposure.path,
            unique_id: &exposure.id,
        },
        fqn: &exposure.fqn,
        kind: &properties.kind,
        owner: owner(&properties.owner),
        description: &properties.description,
        label: properties.label.as_deref(),
        maturity: properties.maturity.as_deref(),
        meta: exposure.config.get("meta"),
        tags: exposure.config.texts("tags"),
        config: FullConfig::of_exposure(&exposure.config),
        unrendered_config: exposure.config.unrendered(),
        url: properties.url.as_deref(),
        depends_on: DependsOn { macros: &[], nodes: &exposure.depends_on },
        refs: parts::refs(&exposure.refs),
        sources: &exposure.source_refs,
        metrics: NOTHING,
        created_at,
    }
}

#[derive(Serialize)]
pub struct GroupEntry<'a> {
    #[serde(flatten)]
    identity: Identity<'a>,
    owner: Json,
    description: Option<&'a str>,
    config: Json,
}

pub fn group<'a>(group: &'a Group, project: &Project) -> GroupEntry<'a> {
    let properties = &group.properties;
    GroupEntry {
        identity: Identity {
            name: &properties.name,
            resource_type: "group",
            package_name: &group.package,
            path: below_folder(project, &group.package, &group.path),
            original_file_path: &group.path,
            unique_id: &group.id,
        },
        owner: owner(&properties.owner),
        description: Some(properties.description.as_str()).filter(|text| !text.is_empty()),
        config: filled(json!({"meta": {}}), group.config.written()),
    }
}

#[derive(Serialize)]
pub struct DocEntry<'a> {
    #[serde(flatten)]
    identity: Identity<'a>,
    block_contents: &'a str,
}

pub fn doc<'a>(doc: &'a Doc, project: &Project) -> DocEntry<'a> {
    DocEntry {
        identity: Identity {
            name: &doc.name,
            resource_type: "doc",
            package_name: &doc.package,
            path: below_folder(project, &doc.package, &doc.path),
            original_file_path: &doc.path,
            unique_id: &doc.id,
        },
        block_contents: &doc.text,
    }
}

/// dbt's docs site cannot open without a block of this id.
pub const OVERVIEW_ID: &str = "doc.dbt.__overview__";

/// The first page of the site for a project that does not write one.
pub const OVERVIEW: DocEntry<'static> = DocEntry {
    identity: Identity {
        name: "__overview__",
        resource_type: "doc",
        package_name: "dbt",
        path: "overview.md",
        original_file_path: "docs/overview.md",
        unique_id: OVERVIEW_ID,
    },
    block_contents: "### Documentation of this project\n\nThe tree on the left holds the project's sources, models \
        and tests. The button at the bottom right draws how they depend on each other.\n\nTo put your own text here, \
        write a docs block with the name `__overview__`.",
};

/// What is known of a node that is switched off.
#[derive(Serialize)]
pub struct DisabledEntry<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'a str>,
    schema: &'a str,
    #[serde(flatten)]
    identity: Identity<'a>,
    fqn: [&'a str; 2],
    config: DisabledConfig,
    #[serde(flatten)]
    own: DisabledOwn<'a>,
}

#[derive(Serialize)]
struct DisabledConfig {
    enabled: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
enum DisabledOwn<'a> {
    Node { alias: &'a str, checksum: Checksum<'a> },
    Source { source_name: &'a str, source_description: &'static str, loader: &'static str, identifier: &'a str },
    UnitTest { model: &'a str, given: [(); 0], expect: NoRows },
}

#[derive(Serialize)]
struct NoRows {
    rows: (),
}

pub fn disabled<'a>(disabled: &'a Disabled, project: &'a Project) -> DisabledEntry<'a> {
    let (name, path, own) = match disabled.name.split_once('.') {
        Some((source_name, name)) if disabled.resource_type == "source" => {
            let own = DisabledOwn::Source { source_name, source_description: "", loader: "", identifier: name };
            (name, disabled.original_path.as_str(), own)
        }
        _ if disabled.resource_type == "unit_test" => {
            let model = disabled.fqn.iter().rev().nth(1).map_or("", String::as_str);
            let own = DisabledOwn::UnitTest { model, given: [], expect: NoRows { rows: () } };
            (disabled.name.as_str(), below_folder(project, &disabled.package, &disabled.original_path), own)
        }
        _ => {
            let own = DisabledOwn::Node { alias: &disabled.name, checksum: Checksum::new("") };
            (disabled.name.as_str(), below_folder(project, &disabled.package, &disabled.original_path), own)
        }
    };
    DisabledEntry {
        database: Some(project.target.database.as_str()).filter(|_| disabled.resource_type != "unit_test"),
        schema: &project.target.schema,
        identity: Identity {
            name,
            resource_type: disabled.resource_type,
            package_name: &disabled.package,
            path,
            original_file_path: &disabled.original_path,
            unique_id: &disabled.id,
        },
        fqn: [&disabled.package, name],
        config: DisabledConfig { enabled: false },
        own,
    }
}
