//! Turns `on-run-start` and `on-run-end` of the project files into draft nodes of the kind operation.

use std::sync::Arc;

use crate::map::IndexMap;
use serde_json::json;

use crate::adapter::relation::Relation;
use crate::diagnostic::Diagnostics;
use crate::files::ProjectFiles;
use crate::hash;
use crate::jinja::{JsonMap, Library, Template};
use crate::manifest::builtin;
use crate::manifest::nodes::{self, Drafts};
use crate::manifest::parse::{Listener, Said};
use crate::manifest::{Kind, Node, RefArguments};
use crate::project::Project;
use crate::project::package::Package;

/// When the hooks of a project file run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Start,
    End,
}

impl Moment {
    /// The key of the project file, which is also the tag of its operations.
    pub fn name(self) -> &'static str {
        match self {
            Moment::Start => "on-run-start",
            Moment::End => "on-run-end",
        }
    }

    /// The hooks of all packages at this moment, in the order of packages; the root project's last.
    pub fn hooks<'m>(self, nodes: &'m IndexMap<String, Box<Node>>, root: &str) -> Vec<&'m Node> {
        let is_hook = |node: &&Node| {
            let prefix = format!("{}-{}-", node.package, self.name());
            matches!(node.kind, Kind::Operation) && node.name.starts_with(&prefix)
        };
        let mut hooks: Vec<&Node> = nodes.values().map(Box::as_ref).filter(is_hook).collect();
        hooks.sort_by(|a, b| (a.package == root, &a.package).cmp(&(b.package == root, &b.package)));
        hooks
    }
}

/// Adds a node for each hook.
pub fn draft(project: &Project, files: &ProjectFiles, library: &Library, drafts: &mut Drafts, sink: &mut Diagnostics) {
    for package in project.packages.values() {
        let settings = &package.settings;
        for (moment, hooks) in [(Moment::Start, &settings.on_run_start), (Moment::End, &settings.on_run_end)] {
            for (at, hook) in hooks.iter().enumerate() {
                let file = files.add(&format!("{}[{at}] of the project file", moment.name()), hook);
                match Template::new(file, files.get(file).text) {
                    Ok(template) => {
                        let mut node = blank(project, package, &format!("{}-{at}", moment.name()));
                        node.file = file;
                        node.raw_code = files.get(file).text;
                        listen(project, library, &template, &mut node);
                        node.template = Some(Arc::new(template));
                        let fqn = node.fqn.clone();
                        nodes::merge_trees(&mut node.config, project, &package.name, "models", &fqn, |_| {});
                        // `+enabled: false` for the models of a package switches its hooks off, too.
                        match node.config.flag("enabled") {
                            true => drafts.nodes.push(Box::new(node)),
                            false => drafts.disabled.push(nodes::disabled(&node)),
                        }
                    }
                    Err(error) => sink.push(builtin::diagnostic(&error)),
                }
            }
        }
    }
}

fn blank(project: &Project, package: &Package, hook: &str) -> Node {
    let name = format!("{}-{hook}", package.name);
    let target = &project.target;
    let text =
        ["dbt_project.yml", "medal.yml"].iter().find_map(|file| std::fs::read_to_string(package.dir.join(file)).ok());
    let relation = Relation::new(&target.database, &target.schema, &name);
    Node {
        path: format!("hooks/{name}.sql"),
        original_path: "./dbt_project.yml".to_string(),
        fqn: vec![package.name.clone(), "hooks".to_string(), name.clone()],
        checksum: hash::sha256(text.unwrap_or_default().trim()),
        ..Node::new(Kind::Operation, &package.name, &name, relation)
    }
}

/// Learns what a hook refers to. What it can only say while it runs is looked up then.
fn listen(project: &Project, library: &Library, template: &Template, node: &mut Node) {
    let facts = template.facts();
    node.depends_on_macros =
        nodes::macro_ids(library, &node.package, facts.calls.iter().map(|(name, _)| name.as_str()));
    let nothing: JsonMap =
        ["results", "schemas", "database_schemas"].map(|name| (name.to_string(), json!([]))).into_iter().collect();
    let listener = Listener { project, library, noted: None };
    let said = listener.listen(template, &node.package, &node.relation, || nodes::brief(node), nothing);
    let said = said.unwrap_or_else(|_| Said {
        refs: facts
            .refs
            .iter()
            .map(|call| RefArguments {
                package: call.package.clone(),
                name: call.name.clone(),
                version: call.version.clone(),
            })
            .collect(),
        sources: facts.sources.iter().map(|call| [call.source.clone(), call.table.clone()]).collect(),
        ..Said::default()
    });
    (node.refs, node.source_refs) = (said.refs, said.sources);
}
