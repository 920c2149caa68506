//! Turns a Manifest into Members: what a selection may ask of a node, source or exposure, and who is next to whom.

use std::borrow::Cow;

use crate::manifest::graph::Graph;
use crate::manifest::selection::Places;
use crate::manifest::{Exposure, Manifest, Node, Source};
use crate::project::config::Config;
use crate::project::versions::ModelVersion;

/// A node, source or exposure, as selection sees it.
pub struct Member<'a> {
    pub id: &'a str,
    /// dbt's word for the kind of resource.
    pub kind: &'static str,
    pub package: &'a str,
    pub name: &'a str,
    pub fqn: &'a [String],
    /// Relative to its package.
    pub path: &'a str,
    /// The property file that describes it, relative to its package.
    pub patch: Option<&'a str>,
    pub config: &'a Config,
    pub version: Option<&'a ModelVersion>,
    pub layer: Option<&'a str>,
    pub source_name: Option<&'a str>,
    /// The name of a generic test, for instance `unique`.
    pub generic_test: Option<&'a str>,
    /// What a generic test has besides the tags of its configuration.
    pub inherited_tags: &'a [String],
}

/// Everything that can be selected, parents before children.
pub struct Members<'a> {
    /// The project's own package.
    pub package: &'a str,
    pub all: Vec<Member<'a>>,
    parents: Cow<'a, [Vec<usize>]>,
    children: Cow<'a, [Vec<usize>]>,
}

impl<'a> Members<'a> {
    pub fn of(manifest: &'a Manifest, package: &'a str) -> Members<'a> {
        let nodes = manifest.nodes.values().map(|node| Member::node(node));
        let sources = manifest.sources.values().map(Member::source);
        let exposures = manifest.exposures.values().map(Member::exposure);
        Members::new(nodes.chain(sources).chain(exposures), &manifest.graph, package)
    }

    /// Puts members in the order of the graph; what is not in the graph cannot be selected.
    pub fn new(members: impl Iterator<Item = Member<'a>>, graph: &'a Graph, package: &'a str) -> Members<'a> {
        let mut in_graph: Vec<Option<Member<'a>>> = graph.ids().map(|_| None).collect();
        for member in members {
            if let Some(at) = graph.position(member.id) {
                in_graph[at] = Some(member);
            }
        }
        if in_graph.iter().all(Option::is_some) {
            let [parents, children] = [graph.parent_places(), graph.child_places()].map(Cow::Borrowed);
            return Members { package, parents, children, all: in_graph.into_iter().flatten().collect() };
        }
        let mut count = 0..;
        let places: Vec<Option<usize>> =
            in_graph.iter().map(|member| member.as_ref().and_then(|_| count.next())).collect();
        let beside = |side: &[Vec<usize>]| {
            let present = places.iter().zip(side).filter(|(place, _)| place.is_some());
            Cow::Owned(present.map(|(_, others)| others.iter().filter_map(|at| places[*at]).collect()).collect())
        };
        Members {
            package,
            parents: beside(graph.parent_places()),
            children: beside(graph.child_places()),
            all: in_graph.into_iter().flatten().collect(),
        }
    }

    /// Everything that can be reached from `start` against the edges, in at most so many steps.
    pub fn upstream(&self, start: &Places, steps: usize) -> Places {
        walk(&self.parents, start, steps)
    }

    /// Everything that can be reached from `start` along the edges, in at most so many steps.
    pub fn downstream(&self, start: &Places, steps: usize) -> Places {
        walk(&self.children, start, steps)
    }

    pub fn parents_within(&self, place: usize, present: &Places) -> bool {
        self.parents[place].iter().all(|parent| present.contains(parent))
    }

    pub fn sources(&self) -> Places {
        (0..self.all.len()).filter(|at| self.all[*at].kind == "source").collect()
    }
}

fn walk(edges: &[Vec<usize>], start: &Places, steps: usize) -> Places {
    let mut reached = Places::new();
    let mut border: Vec<usize> = start.iter().copied().collect();
    for _ in 0..steps {
        let next = border.iter().flat_map(|place| edges[*place].iter().copied());
        border = next.filter(|place| reached.insert(*place)).collect();
        if border.is_empty() {
            break;
        }
    }
    reached
}

impl<'a> Member<'a> {
    fn node(node: &'a Node) -> Member<'a> {
        Member {
            id: &node.id,
            kind: node.resource_type(),
            package: &node.package,
            name: &node.name,
            fqn: &node.fqn,
            path: &node.original_path,
            patch: node.patch_path.as_deref().and_then(|patch| patch.split_once("://")).map(|(_, path)| path),
            config: &node.config,
            version: node.version.as_deref().filter(|_| node.is_refable()),
            layer: node.layer.as_deref(),
            source_name: None,
            generic_test: node.generic_test().map(|test| test.name.as_str()),
            inherited_tags: node.generic_test().map_or(&[], |test| &test.tags),
        }
    }

    fn source(source: &'a Source) -> Member<'a> {
        Member {
            id: &source.id,
            kind: "source",
            package: &source.package,
            name: &source.name,
            fqn: &source.fqn,
            path: &source.path,
            patch: None,
            config: &source.config,
            version: None,
            layer: None,
            source_name: Some(&source.source_name),
            generic_test: None,
            inherited_tags: &[],
        }
    }

    fn exposure(exposure: &'a Exposure) -> Member<'a> {
        Member {
            id: &exposure.id,
            kind: "exposure",
            package: &exposure.package,
            name: &exposure.properties.name,
            fqn: &exposure.fqn,
            path: &exposure.path,
            patch: None,
            config: &exposure.config,
            version: None,
            layer: None,
            source_name: None,
            generic_test: None,
            inherited_tags: &[],
        }
    }
}
