//! Turns a query of the command line into a node that belongs to no file.

use std::sync::Arc;

use crate::adapter::relation::Relation;
use crate::diagnostic::Diagnostics;
use crate::files::ProjectFiles;
use crate::jinja::JsonMap;
use crate::manifest::parse::Listener;
use crate::manifest::{Kind, Manifest, Node, builtin, nodes, refable};
use crate::project::Project;

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
    let (package, target) = (&project.root().name, &project.target);
    let relation = Relation::new(&target.database, &target.schema, "inline_query");
    let mut node = Node {
        id: format!("sql_operation.{package}.inline_query"),
        original_path: "--inline".to_string(),
        file,
        raw_code: text,
        ..Node::new(Kind::Analysis, package, "inline_query", relation)
    };
    let listener = Listener { project, library: &manifest.library, noted: None };
    match listener.listen(&template, &node.package, &node.relation, || nodes::brief(&node), JsonMap::new()) {
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
