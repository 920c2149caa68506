//! Turns a query of the command line into a node that belongs to no file.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

use crate::adapter::relation::Relation;
use crate::diagnostic::Diagnostics;
use crate::files::ProjectFiles;
use crate::manifest::parse::listen;
use crate::manifest::{Kind, Manifest, Node, builtin, nodes, refable};
use crate::project::Project;
use crate::project::config::{Config, Defaults};

/// The query as a node that depends on what it refers to.
pub fn node(
    project: &Project,
    manifest: &Manifest,
    files: &ProjectFiles,
    sql: &str,
    sink: &mut Diagnostics,
) -> Option<Node> {
    let file = files.add("--inline", sql);
    let text = files.get(file).text;
    let template = match crate::jinja::Template::new(file, text.clone()) {
        Ok(template) => template,
        Err(error) => {
            sink.push(builtin::diagnostic(&error));
            return None;
        }
    };
    let package = project.root().name.clone();
    let target = &project.target;
    let mut node = Node {
        id: format!("sql_operation.{package}.inline_query"),
        kind: Kind::Analysis,
        name: "inline_query".to_string(),
        original_path: "--inline".to_string(),
        path: "inline_query.sql".to_string(),
        file,
        fqn: vec![package.clone(), "inline_query".to_string()],
        config: Config::new(Defaults::Model),
        relation: Relation::new(&target.database, &target.schema, "inline_query"),
        description: String::new(),
        columns: IndexMap::new(),
        patch_path: None,
        patch_span: None,
        template: None,
        raw_code: text,
        refs: Vec::new(),
        source_refs: Vec::new(),
        depends_on: Vec::new(),
        depends_on_macros: Vec::new(),
        checksum: String::new(),
        layer: None,
        constraints: Json::Null,
        package,
    };
    let model = nodes::brief(&node);
    match listen(project, &manifest.library, &template, &node.package, &node.relation, model) {
        Ok(said) => {
            node.refs = said.refs;
            node.source_refs = said.sources;
        }
        Err(error) => sink.push(builtin::diagnostic(&error)),
    }
    node.template = Some(Arc::new(template));
    node.depends_on = refable::parents(project, manifest, &node, sink);
    Some(node)
}
