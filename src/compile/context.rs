//! Turns nodes into what templates see of them: `model`, the node that is rendered, and `graph`, all of them.

use serde_json::{Value as Json, json};

use crate::compile::semantic;
use crate::jinja::JsonMap;
use crate::manifest::contracts;
use crate::manifest::{Exposure, Group, Kind, Manifest, Node, RefArguments, Source};
use crate::project::freshness::complete;
use crate::project::properties::{ColumnInfo, ColumnMap};
use crate::project::semantic::SemanticKind;

/// `model`: dbt's node object without its nulls, so that `model.config.get(key, default)` gives the default.
pub fn node_json(manifest: &Manifest, node: &Node) -> Json {
    let mut model = complete_node_json(manifest, node);
    drop_nulls(&mut model);
    model.get_mut("config").into_iter().for_each(drop_nulls);
    let columns = model.get_mut("columns").and_then(Json::as_object_mut);
    columns.into_iter().flat_map(|columns| columns.values_mut()).for_each(drop_nulls);
    model
}

fn drop_nulls(object: &mut Json) {
    if let Json::Object(map) = object {
        map.retain(|_, value| !value.is_null());
    }
}

/// `graph`, which holds every node, source, exposure and group by its unique id.
pub fn graph_json(manifest: &Manifest) -> Json {
    let nodes = manifest
        .nodes
        .values()
        .filter(|node| node.unit_test().is_none())
        .map(|node| (node.id.clone(), complete_node_json(manifest, node)));
    let sources = manifest.sources.values().map(|source| (source.id.clone(), source_json(source)));
    let exposures = manifest.exposures.values().map(|exposure| (exposure.id.clone(), exposure_json(exposure)));
    let groups = manifest.groups.values().map(|group| (group.id.clone(), group_json(group)));
    let mut graph = object(json!({"functions": {}}));
    // Moved in: `json!` would copy them.
    let mut put = |key: &str, items: JsonMap| drop(graph.insert(key.to_string(), Json::Object(items)));
    put("nodes", nodes.collect());
    put("sources", sources.collect());
    put("exposures", exposures.collect());
    put("groups", groups.collect());
    for kind in SemanticKind::ALL {
        put(kind.key(), semantic::objects(manifest, kind));
    }
    Json::Object(graph)
}

/// The name of the node's table or view; of an ephemeral model, its alias.
pub fn alias(node: &Node) -> &str {
    let name = node.relation.identifier.as_deref().unwrap_or(&node.name);
    if node.is_ephemeral() { name.strip_prefix("__dbt__cte__").unwrap_or(name) } else { name }
}

/// dbt's node object, nulls included.
fn complete_node_json(manifest: &Manifest, node: &Node) -> Json {
    let config = &node.config;
    let mut dict = object(json!({
        "database": node.relation.database,
        "schema": node.relation.schema,
        "name": node.name,
        "resource_type": node.resource_type(),
        "package_name": node.package,
        "path": node.path,
        "original_file_path": node.original_path,
        "unique_id": node.id,
        "fqn": node.fqn,
        "alias": alias(node),
        "checksum": {"name": "sha256", "checksum": node.checksum},
        "tags": node.tags(),
        "description": node.description,
        "group": config.get("group"),
        "patch_path": node.patch_path,
        "unrendered_config": config.unrendered(),
        "raw_code": &*node.raw_code,
        "language": "sql",
        "refs": refs_json(&node.refs),
        "sources": node.source_refs,
        "metrics": [],
        "depends_on": {"macros": node.depends_on_macros, "nodes": node.depends_on},
        "relation_name": has_relation(node).then(|| node.relation.render()),
    }));
    // Moved in: `json!` would copy them.
    let mut put = |key: &str, value: Json| drop(dict.insert(key.to_string(), value));
    put("config", Json::Object(config.full()));
    let mut columns = columns_json(&node.columns);
    for constraints in columns.values_mut().filter_map(|column| column.get_mut("constraints")) {
        *constraints = contracts::resolved(manifest, node, constraints.take());
    }
    put("columns", Json::Object(columns));
    for key in ["meta", "docs", "contract"] {
        put(key, config.get(key).cloned().unwrap_or_else(|| json!({})));
    }
    dict.extend(own_json(manifest, node));
    Json::Object(dict)
}

/// The keys that one kind of node alone has.
fn own_json(manifest: &Manifest, node: &Node) -> JsonMap {
    match &node.kind {
        Kind::Model => object(json!({
            "access": node.config.text("access").unwrap_or("protected"),
            "constraints": contracts::resolved(manifest, node, constraints_json(&node.constraints, &["to_columns", "columns"])),
            "version": node.version.as_ref().map(|version| &version.v),
            "latest_version": node.version.as_ref().map(|version| &version.latest),
            "deprecation_date": node.deprecation_date.map(|date| date.to_rfc3339()),
            "time_spine": node.time_spine,
        })),
        Kind::GenericTest(test) => object(json!({
            "column_name": test.column_name,
            "attached_node": test.attached.as_ref().filter(|id| manifest.nodes.contains_key(*id)),
            "test_metadata": {"name": test.name, "kwargs": test.arguments, "namespace": test.namespace},
        })),
        _ => JsonMap::new(),
    }
}

fn has_relation(node: &Node) -> bool {
    node.is_refable() && !node.is_ephemeral()
}

fn refs_json(refs: &[RefArguments]) -> Vec<Json> {
    let json = |call: &RefArguments| json!({"name": call.name, "package": call.package, "version": call.version});
    refs.iter().map(json).collect()
}

fn columns_json(columns: &ColumnMap) -> JsonMap {
    columns.iter().map(|(name, column)| (name.clone(), column_json(column))).collect()
}

fn column_json(column: &ColumnInfo) -> Json {
    json!({
        "name": column.name,
        "description": column.description,
        "meta": column.meta,
        "data_type": column.data_type,
        "constraints": constraints_json(&column.constraints, &["to_columns"]),
        "quote": column.quote,
        "config": {"meta": column.meta, "tags": column.tags},
        "tags": column.tags,
    })
}

/// dbt's source object.
pub fn source_json(source: &Source) -> Json {
    json!({
        "database": source.relation.database,
        "schema": source.relation.schema,
        "name": source.name,
        "resource_type": "source",
        "package_name": source.package,
        "path": source.path,
        "original_file_path": source.path,
        "unique_id": source.id,
        "fqn": source.fqn,
        "source_name": source.source_name,
        "source_description": source.source_description,
        "loader": source.loader,
        "identifier": source.identifier,
        "loaded_at_field": source.config.get("loaded_at_field"),
        "loaded_at_query": source.config.get("loaded_at_query"),
        "freshness": complete(source.config.written().get("freshness")),
        "external": source.external,
        "description": source.description,
        "columns": columns_json(&source.columns),
        "meta": source.config.get("meta"),
        "source_meta": source.source_meta,
        "tags": source.config.texts("tags"),
        "config": source.config.full(),
        "relation_name": source.relation.render(),
    })
}

/// An exposure, as `graph` and the results of a run have it.
pub fn exposure_json(exposure: &Exposure) -> Json {
    json!({
        "name": exposure.properties.name,
        "resource_type": "exposure",
        "package_name": exposure.package,
        "path": exposure.relative,
        "original_file_path": exposure.path,
        "unique_id": exposure.id,
        "fqn": exposure.fqn,
        "type": exposure.properties.kind,
        "owner": exposure.properties.owner,
        "description": exposure.properties.description,
        "label": exposure.properties.label,
        "maturity": exposure.properties.maturity,
        "meta": exposure.config.get("meta"),
        "tags": exposure.config.texts("tags"),
        "config": exposure.config.full(),
        "url": exposure.properties.url,
        "depends_on": {"macros": [], "nodes": exposure.depends_on},
        "refs": refs_json(&exposure.refs),
        "sources": exposure.source_refs,
        "metrics": [],
    })
}

fn group_json(group: &Group) -> Json {
    json!({
        "name": group.properties.name,
        "resource_type": "group",
        "package_name": group.package,
        "path": group.path,
        "original_file_path": group.path,
        "unique_id": group.id,
        "owner": group.properties.owner,
        "description": group.properties.description,
        "config": group.properties.config,
    })
}

/// What YAML does not say is an empty list.
/// Constraints with all their keys, of which some are lists.
fn constraints_json(written: &Json, lists: &[&str]) -> Json {
    let complete = |written: &JsonMap| {
        let mut constraint = object(json!({
            "type": null, "name": null, "expression": null,
            "warn_unenforced": true, "warn_unsupported": true, "to": null,
        }));
        constraint.extend(lists.iter().map(|key| (key.to_string(), json!([]))));
        constraint.extend(written.iter().map(|(key, value)| (key.clone(), value.clone())));
        Json::Object(constraint)
    };
    written.as_array().into_iter().flatten().filter_map(Json::as_object).map(complete).collect()
}

fn object(json: Json) -> JsonMap {
    match json {
        Json::Object(map) => map,
        _ => unreachable!("the literals above are objects"),
    }
}

#[cfg(test)]
pub mod tests {
    use std::sync::Arc;

    use crate::map::IndexMap;
    use serde_json::{Value as Json, json};

    use super::{graph_json, node_json};
    use crate::adapter::relation::Relation;
    use crate::jinja::{Library, LibraryOptions};
    use crate::manifest::graph::Graph;
    use crate::manifest::{Kind, Manifest, Node};

    /// A node of the package `shop`.
    pub fn node(name: &str, kind: Kind) -> Node {
        Node {
            original_path: format!("models/{name}.sql"),
            raw_code: "select 1".into(),
            checksum: "0a".to_string(),
            ..Node::new(kind, "shop", name, Relation::new("db", "main", name))
        }
    }

    /// A manifest of these nodes alone.
    pub fn manifest(nodes: Vec<Node>) -> Manifest {
        let edges = nodes.iter().map(|node| (node.id.as_str(), node.depends_on.iter().map(String::as_str).collect()));
        let (graph, _) = Graph::build(edges);
        Manifest {
            graph,
            nodes: nodes.into_iter().map(|node| (node.id.clone(), Box::new(node))).collect(),
            sources: IndexMap::default(),
            exposures: IndexMap::default(),
            groups: IndexMap::default(),
            semantics: IndexMap::default(),
            docs: Default::default(),
            macro_properties: IndexMap::default(),
            disabled: Vec::new(),
            library: Arc::new(Library::new(&[], LibraryOptions::default()).0),
            selectors: Default::default(),
        }
    }

    #[test]
    fn model_has_no_nulls_and_graph_has() {
        let mut orders = node("orders", Kind::Model);
        orders.config.merge(json!({"materialized": "table"}).as_object().cloned().unwrap());
        let manifest = manifest(vec![orders]);
        let model = node_json(&manifest, &manifest.nodes[0]);
        assert_eq!(model["config"]["materialized"], "table");
        assert_eq!(model["relation_name"], r#""db"."main"."orders""#);
        assert_eq!((model.get("group"), model["config"].get("unique_key")), (None, None));
        let graph = graph_json(&manifest);
        assert_eq!(graph["nodes"]["model.shop.orders"]["group"], Json::Null);
        assert_eq!(graph["nodes"]["model.shop.orders"].get("group"), Some(&Json::Null));
    }
}
