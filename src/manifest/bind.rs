//! Binds refs and sources to the nodes that they name, and closes the graph.

use std::sync::Arc;

use crate::map::IndexMap;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{ProjectFiles, Span};
use crate::jinja::Library;
use crate::manifest::docs::DocsBlocks;
use crate::manifest::graph::Graph;
use crate::manifest::nodes::Drafts;
use crate::manifest::refable::{Binder, place, ref_span_to};
use crate::manifest::semantic::Semantics;
use crate::manifest::{Exposure, Group, Manifest, Node, Source, names, unit_tests, unused};
use crate::parallel;
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
    refuse_shared_relations(&nodes, files, sink);
    nodes.values().for_each(|node| sink.extend(hidden_letters(node)));
    nodes.values().for_each(|node| sink.extend(spaces(node, project)));
    unused::folders(project, nodes.values().map(|node| node as &Node), &drafts.disabled, sink);
    let binder = Binder::new(project, &nodes, &sources, &drafts.disabled);
    let all: Vec<&Node> = nodes.values().map(Box::as_ref).collect();
    let parents = parallel::map(&all, |node| {
        let mut problems = Diagnostics::default();
        (binder.parents(node, &mut problems), problems)
    });
    let mut bound = Vec::with_capacity(parents.len());
    for (parents, problems) in parents {
        sink.extend(problems);
        bound.push(parents);
    }
    for exposure in exposures.values_mut() {
        let mut problems = Diagnostics::default();
        exposure.depends_on = binder.parents_of_exposure(exposure, &mut problems);
        if exposure.config.flag("enabled") {
            sink.extend(problems);
        }
    }
    let (unit_tests, switched_off) = unit_tests::collect(project, files, &library, &binder, sink);
    drop(binder);
    let mut disabled = drafts.disabled;
    disabled.extend(switched_off);
    let mut bound = bound.into_iter();
    nodes.retain(|_, node| {
        let (parents, is_complete) = bound.next().unwrap_or_default();
        match is_complete {
            true => node.depends_on = parents,
            false => disabled.push(crate::manifest::nodes::disabled(node)),
        }
        is_complete
    });
    nodes.extend(unit_tests.into_iter().map(|test| (test.id.clone(), Box::new(test))));
    let graph = graph(&nodes, &sources, &exposures, sink);
    let macro_properties = macro_properties(project);
    let selectors = Default::default();
    let semantics = Semantics::default();
    Manifest {
        nodes,
        sources,
        exposures,
        groups,
        semantics,
        docs,
        macro_properties,
        disabled,
        library,
        graph,
        selectors,
    }
}

fn macro_properties(project: &Project) -> IndexMap<String, crate::project::properties::MacroProperties> {
    let mut all = IndexMap::default();
    for package in project.packages.values() {
        for properties in package.properties.iter().flat_map(|file| &file.macros) {
            all.insert(format!("macro.{}.{}", package.name, properties.name), properties.clone());
        }
    }
    all
}

/// Refuses two nodes of one name. Tests may share a name, and differ by the hash in their id.
#[expect(clippy::vec_box, reason = "boxes keep ten thousands of nodes from being moved about")]
fn unique(drafts: Vec<Box<Node>>, files: &ProjectFiles, sink: &mut Diagnostics) -> IndexMap<String, Box<Node>> {
    let mut nodes: IndexMap<String, Box<Node>> = IndexMap::with_capacity_and_hasher(drafts.len(), Default::default());
    // By package and name, the place of the node that has it.
    let mut names: IndexMap<(String, String), usize> = IndexMap::default();
    for node in drafts {
        let name = node.is_refable().then(|| (node.package.clone(), node.search_name().into_owned()));
        let of_name = || names.get(name.as_ref()?).and_then(|at| nodes.get_index(*at)).map(|(_, node)| node);
        let taken = nodes.get(&node.id).or_else(of_name);
        if let Some(other) = taken {
            if !node.is_test() {
                sink.push(same_name(&node, other, files));
            }
            continue;
        }
        names.extend(name.map(|name| (name, nodes.len())));
        nodes.insert(node.id.clone(), node);
    }
    nodes
}

fn same_name(node: &Node, other: &Node, files: &ProjectFiles) -> Diagnostic {
    let path = |node: &Node| shown_path(node, files);
    let message = format!("`{}` and `{}` have the same name, `{}`", path(other), path(node), node.name);
    let problem = with_other(Diagnostic::error(Code::DuplicateName, place(node), message), place(other));
    problem.help("rename one of them: `ref` could not tell them apart")
}

/// A name that shows in another order than it is written, or that looks like another.
fn hidden_letters(node: &Node) -> Option<Diagnostic> {
    let hides = |letter: char| matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let names =
        [&node.name, &node.original_path].into_iter().chain(&node.relation.identifier).chain(node.columns.keys());
    let mut names = names.filter(|name| !name.is_ascii() && name.contains(hides));
    let shown: String = names
        .next()?
        .chars()
        .flat_map(|letter| match hides(letter) {
            true => letter.escape_unicode().collect::<Vec<_>>(),
            false => vec![letter],
        })
        .collect();
    let message = format!("the name `{shown}` has a letter that cannot be seen");
    Some(Diagnostic::error(Code::HiddenCharacters, place(node), message).help("rename it without that letter"))
}

/// A name with a space, which a flag of the project may allow.
/// Source: <https://docs.getdbt.com/reference/global-configs/behavior-changes#no-spaces-in-resource-names>.
fn spaces(node: &Node, project: &Project) -> Option<Diagnostic> {
    if !node.name.contains(' ') {
        return None;
    }
    let allowed = project.root().settings.flags.get("require_resource_names_without_spaces") == Some(&false.into());
    let make = if allowed { Diagnostic::warning } else { Diagnostic::error };
    let message = format!("the name `{}` has a space", node.name);
    let problem = make(Code::SpaceInName, place(node), message).event("ResourceNamesWithSpacesDeprecation");
    Some(problem.help(format!("rename it, for instance to `{}`", node.name.replace(' ', "_"))))
}

/// With the folder of the package. Seeds are in no text that medal has read.
fn shown_path(node: &Node, files: &ProjectFiles) -> Arc<str> {
    if node.template.is_some() { files.get(node.file).path } else { node.original_path.as_str().into() }
}

fn with_other(problem: Diagnostic, other: Option<Span>) -> Diagnostic {
    match (problem.span, other) {
        (Some(_), Some(span)) => problem.related(span, "the other one"),
        (None, span) => Diagnostic { span, ..problem },
        (_, None) => problem,
    }
}

/// Refuses two nodes that would build the same table or view. Names that differ only in case are the same to DuckDB.
fn refuse_shared_relations(nodes: &IndexMap<String, Box<Node>>, files: &ProjectFiles, sink: &mut Diagnostics) {
    let mut taken: IndexMap<String, &Node> = IndexMap::default();
    for node in nodes.values().filter(|node| names::has_relation(node)) {
        let key = node.relation.render().to_lowercase();
        if let Some(other) = taken.insert(key, node) {
            let path = |node: &Node| shown_path(node, files);
            let message = format!("`{}` and `{}` would both build {}", path(other), path(node), node.relation);
            let problem = Diagnostic::error(Code::DuplicateName, node.config_place("alias"), message);
            let problem = with_other(problem, other.config_place("alias"));
            sink.push(problem.help("give one of them another `alias` or `schema`"));
        }
    }
}

fn graph(
    nodes: &IndexMap<String, Box<Node>>,
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

fn cycle_problem(nodes: &IndexMap<String, Box<Node>>, cycle: &[String]) -> Diagnostic {
    fn name<'a>(nodes: &'a IndexMap<String, Box<Node>>, id: &'a String) -> &'a str {
        nodes.get(id).map_or(id.as_str(), |node| node.name.as_str())
    }
    let path: Vec<&str> = cycle.iter().chain(cycle.first()).map(|id| name(nodes, id)).collect();
    let span_between = |from: &String, to: &String| ref_span_to(nodes.get(from)?, nodes.get(to)?);
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
