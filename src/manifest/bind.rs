//! Binds refs and sources to the nodes that they name, and closes the graph.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::{ProjectFiles, Span};
use crate::jinja::Library;
use crate::manifest::docs::DocsBlocks;
use crate::manifest::graph::Graph;
use crate::manifest::nodes::Drafts;
use crate::manifest::{Disabled, Exposure, Group, Manifest, Node, RefArguments, Source, names};
use crate::project::Project;

type Declared = (IndexMap<String, Source>, IndexMap<String, Exposure>, IndexMap<String, Group>);

/// Binds every name of the drafts.
pub fn finish(
    project: &Project,
    files: &ProjectFiles,
    library: Arc<Library>,
    docs: DocsBlocks,
    drafts: Drafts,
    (sources, mut exposures, groups): Declared,
    sink: &mut Diagnostics,
) -> Manifest {
    let mut nodes = unique(drafts.nodes, files, sink);
    refuse_shared_relations(&nodes, sink);
    let binder = Binder::new(project, &nodes, &sources, &drafts.disabled);
    let mut bound: Vec<(String, Vec<String>, bool)> = Vec::new();
    for node in nodes.values() {
        let (parents, complete) = binder.parents(node, sink);
        bound.push((node.id.clone(), parents, complete));
    }
    for exposure in exposures.values_mut() {
        let refs = exposure.refs.iter().filter_map(|call| binder.find(call, &exposure.package).ok());
        let tables = exposure.source_refs.iter().filter_map(|call| binder.source(call, &exposure.package));
        exposure.depends_on = refs.chain(tables).map(str::to_string).collect();
    }
    drop(binder);
    let mut disabled = drafts.disabled;
    for (id, parents, complete) in bound {
        if complete {
            nodes[&id].depends_on = parents;
        } else if let Some(node) = nodes.shift_remove(&id) {
            disabled.push(crate::manifest::nodes::disabled(&node));
        }
    }
    let graph = graph(&nodes, &sources, &exposures, sink);
    let macro_properties = macro_properties(project);
    Manifest { nodes, sources, exposures, groups, docs, macro_properties, disabled, library, graph }
}

fn macro_properties(project: &Project) -> IndexMap<String, crate::project::properties::MacroProperties> {
    let mut all = IndexMap::new();
    for package in project.packages.values() {
        for properties in package.properties.iter().flat_map(|file| &file.macros) {
            all.insert(format!("macro.{}.{}", package.name, properties.name), properties.clone());
        }
    }
    all
}

/// Refuses two nodes of one name. Tests may share a name, and differ by the hash in their id.
fn unique(drafts: Vec<Node>, files: &ProjectFiles, sink: &mut Diagnostics) -> IndexMap<String, Node> {
    let mut nodes: IndexMap<String, Node> = IndexMap::with_capacity(drafts.len());
    let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
    for node in drafts {
        let taken = nodes.get(&node.id).or_else(|| {
            let key = (node.package.clone(), node.name.clone());
            node.is_refable().then(|| names.get(&key)).flatten().and_then(|id| nodes.get(id))
        });
        if let Some(other) = taken {
            if !node.is_test() {
                sink.push(same_name(&node, other, files));
            }
            continue;
        }
        if node.is_refable() {
            names.insert((node.package.clone(), node.name.clone()), node.id.clone());
        }
        nodes.insert(node.id.clone(), node);
    }
    nodes
}

fn same_name(node: &Node, other: &Node, _files: &ProjectFiles) -> Diagnostic {
    let message = format!("`{}` and `{}` have the same name, `{}`", other.original_path, node.original_path, node.name);
    let problem = Diagnostic::error(Code::DuplicateName, place(node), message);
    problem.help("rename one of them: `ref` could not tell them apart")
}

fn place(node: &Node) -> Option<Span> {
    node.template.as_ref().map(|_| Span::start_of(node.file)).or(node.patch_span)
}

/// Refuses two nodes that would build the same table or view. Names that differ only in case are the same to DuckDB.
fn refuse_shared_relations(nodes: &IndexMap<String, Node>, sink: &mut Diagnostics) {
    let mut taken: BTreeMap<String, &Node> = BTreeMap::new();
    for node in nodes.values().filter(|node| names::has_relation(node)) {
        let key = node.relation.render().to_lowercase();
        if let Some(other) = taken.insert(key, node) {
            let message = format!(
                "`{}` and `{}` would both build {}",
                other.original_path, node.original_path, node.relation
            );
            let problem = Diagnostic::error(Code::DuplicateName, place(node), message);
            sink.push(problem.help("give one of them another `alias` or `schema`"));
        }
    }
}

struct Binder<'a> {
    root: &'a str,
    nodes: &'a IndexMap<String, Node>,
    sources: &'a IndexMap<String, Source>,
    disabled: &'a [Disabled],
    /// Names that a `ref` can use, with the ids of each.
    refable: BTreeMap<&'a str, Vec<&'a str>>,
}

/// Why a `ref` could not be bound.
enum Unbound<'a> {
    Unknown,
    Disabled(&'a Disabled),
    Ambiguous(Vec<&'a str>),
}

impl<'a> Binder<'a> {
    fn new(
        project: &'a Project,
        nodes: &'a IndexMap<String, Node>,
        sources: &'a IndexMap<String, Source>,
        disabled: &'a [Disabled],
    ) -> Binder<'a> {
        let mut refable: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for node in nodes.values().filter(|node| node.is_refable()) {
            refable.entry(&node.name).or_default().push(&node.id);
        }
        Binder { root: &project.root().name, nodes, sources, disabled, refable }
    }

    /// The parents of a node; false if a test must be dropped because what it tests is switched off.
    fn parents(&self, node: &Node, sink: &mut Diagnostics) -> (Vec<String>, bool) {
        let mut parents: Vec<String> = Vec::new();
        let mut complete = true;
        let mut add = |id: &str| if !parents.iter().any(|parent| parent == id) { parents.push(id.to_string()) };
        for call in &node.refs {
            match self.find(call, &node.package) {
                Ok(id) => add(id),
                Err(Unbound::Disabled(_)) if node.is_test() => complete = false,
                Err(reason) => {
                    sink.push(self.unbound(node, call, &reason));
                    complete &= !node.is_test();
                }
            }
        }
        for call in &node.source_refs {
            match self.source(call, &node.package) {
                Some(id) => add(id),
                None if node.is_test() && self.disabled_source(call).is_some() => complete = false,
                None => sink.push(self.unknown_source(node, call)),
            }
        }
        (parents, complete)
    }

    /// The node that a `ref` names: of the named package, else of the root project, the node's own package, any.
    fn find(&self, call: &RefArguments, from: &str) -> Result<&'a str, Unbound<'a>> {
        let ids = self.refable.get(call.name.as_str()).map_or(&[][..], Vec::as_slice);
        let of = |package: &str| ids.iter().copied().find(|id| self.nodes[*id].package == package);
        let found = match &call.package {
            Some(package) => of(package),
            None => of(from).or_else(|| of(self.root)),
        };
        if let Some(id) = found {
            return Ok(id);
        }
        match (ids, &call.package) {
            ([only], None) => Ok(only),
            ([_, ..], None) => Err(Unbound::Ambiguous(ids.to_vec())),
            _ => {
                let off = |other: &&Disabled| {
                    other.name == call.name
                        && matches!(other.resource_type, "model" | "seed" | "snapshot")
                        && call.package.as_ref().is_none_or(|package| other.package == *package)
                };
                Err(self.disabled.iter().find(off).map_or(Unbound::Unknown, Unbound::Disabled))
            }
        }
    }

    fn source(&self, [source, table]: &[String; 2], from: &str) -> Option<&'a str> {
        let id = |package: &str| format!("source.{package}.{source}.{table}");
        let get = |package: &str| self.sources.get_key_value(&id(package)).map(|(id, _)| id.as_str());
        let any = || self.sources.values().find(|other| other.source_name == *source && other.name == *table);
        get(from).or_else(|| get(self.root)).or_else(|| any().map(|source| source.id.as_str()))
    }

    fn disabled_source(&self, [source, table]: &[String; 2]) -> Option<&Disabled> {
        let name = format!("{source}.{table}");
        self.disabled.iter().find(|other| other.resource_type == "source" && other.name == name)
    }

    fn unbound(&self, node: &Node, call: &RefArguments, reason: &Unbound<'_>) -> Diagnostic {
        let what = what(node);
        let span = ref_span(node, call);
        match reason {
            Unbound::Unknown => {
                let message = format!("{what} refers to `{}`, which does not exist", call.name);
                let label = "no model, seed or snapshot has this name";
                let problem = Diagnostic::error(Code::UnknownRef, span, message).label(label);
                match nearest(&call.name, self.refable.keys().copied()) {
                    Some(near) => problem.help(format!("did you mean `{near}` ({})?", self.path_of(near))),
                    None if self.sources.values().any(|source| source.name == call.name) => {
                        let source = self.sources.values().find(|source| source.name == call.name);
                        let name = source.map_or("", |source| source.source_name.as_str());
                        problem.help(format!("it is a source: write `source('{name}', '{}')`", call.name))
                    }
                    None => problem,
                }
            }
            Unbound::Disabled(other) => {
                let message = format!("{what} refers to `{}`, which is switched off", call.name);
                Diagnostic::error(Code::DisabledDependency, span, message)
                    .label(format!("`enabled` of {} is false", other.original_path))
                    .help("switch it on, or switch this node off too")
            }
            Unbound::Ambiguous(ids) => {
                let packages: Vec<&str> = ids.iter().map(|id| self.nodes[*id].package.as_str()).collect();
                let message = format!("{what} refers to `{}`, which {} packages have", call.name, packages.len());
                Diagnostic::error(Code::AmbiguousRef, span, message)
                    .help(format!("name the package, one of {}: `ref('{}', '{}')`", packages.join(", "), packages[0], call.name))
            }
        }
    }

    fn path_of(&self, name: &str) -> &str {
        let id = self.refable.get(name).and_then(|ids| ids.first());
        id.map_or("", |id| self.nodes[*id].original_path.as_str())
    }

    fn unknown_source(&self, node: &Node, [source, table]: &[String; 2]) -> Diagnostic {
        let facts = node.template.as_ref().map(|template| template.facts());
        let span = facts.and_then(|facts| {
            let same = |call: &&crate::jinja::SourceCall| call.source == *source && call.table == *table;
            facts.sources.iter().find(same).map(|call| call.span)
        });
        let span = test_place(node).or(span).or_else(|| place(node));
        if self.disabled_source(&[source.clone(), table.clone()]).is_some() {
            let message = format!("{} reads the source `{source}.{table}`, which is switched off", what(node));
            return Diagnostic::error(Code::DisabledDependency, span, message);
        }
        let message = format!("{} reads the source `{source}.{table}`, which is not declared", what(node));
        let problem = Diagnostic::error(Code::UnknownSource, span, message);
        let names: Vec<String> = self.sources.values().map(|s| format!("{}.{}", s.source_name, s.name)).collect();
        match nearest(&format!("{source}.{table}"), names.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("declare it below `sources:` in a property file"),
        }
    }
}

fn what(node: &Node) -> String {
    match node.generic_test() {
        Some(test) => format!("the test `{}`", test.name),
        None => format!("{} `{}`", node.resource_type(), node.name),
    }
}

/// A generic test is written in YAML, not in the code that it renders to.
fn test_place(node: &Node) -> Option<Span> {
    node.generic_test().map(|test| test.span)
}

/// Where a node makes a `ref`: at the literal name if there is one.
pub fn ref_span(node: &Node, call: &RefArguments) -> Option<Span> {
    let literal = node.template.as_ref().and_then(|template| {
        template.facts().refs.iter().find(|found| found.name == call.name).map(|found| found.span)
    });
    test_place(node).or(literal).or_else(|| place(node))
}

fn graph(
    nodes: &IndexMap<String, Node>,
    sources: &IndexMap<String, Source>,
    exposures: &IndexMap<String, Exposure>,
    sink: &mut Diagnostics,
) -> Graph {
    let texts = |ids: &'static [&'static str]| ids.to_vec();
    let tables = sources.keys().map(|id| (id.as_str(), texts(&[])));
    let built = nodes.values().map(|node| (node.id.as_str(), node.depends_on.iter().map(String::as_str).collect()));
    let used = exposures.values().map(|item| (item.id.as_str(), item.depends_on.iter().map(String::as_str).collect()));
    let (graph, cycles) = Graph::build(tables.chain(built).chain(used));
    for cycle in cycles {
        sink.push(cycle_problem(nodes, &cycle));
    }
    graph
}

fn cycle_problem(nodes: &IndexMap<String, Node>, cycle: &[String]) -> Diagnostic {
    fn name<'a>(nodes: &'a IndexMap<String, Node>, id: &'a String) -> &'a str {
        nodes.get(id).map_or(id.as_str(), |node| node.name.as_str())
    }
    let path: Vec<&str> = cycle.iter().chain(cycle.first()).map(|id| name(nodes, id)).collect();
    let span_between = |from: &String, to: &String| {
        let node = nodes.get(from)?;
        let call = node.refs.iter().find(|call| call.name == name(nodes, to))?;
        ref_span(node, call)
    };
    let pairs = cycle.iter().zip(cycle.iter().cycle().skip(1));
    let mut spans = pairs.filter_map(|(from, to)| Some((span_between(from, to)?, from, to)));
    let first = spans.next();
    let message = format!("these models depend on each other in a circle: {}", path.join(" → "));
    let mut problem = Diagnostic::error(Code::DependencyCycle, first.as_ref().map(|(span, ..)| *span), message);
    if let Some((_, from, to)) = first {
        problem = problem.label(format!("`{}` needs `{}`", name(nodes, from), name(nodes, to)));
    }
    for (span, from, to) in spans {
        problem = problem.related(span, format!("`{}` needs `{}`", name(nodes, from), name(nodes, to)));
    }
    problem.help("remove one of these references, or move the shared part into a model of its own")
}
