//! The dependency graph: parents, children, an order to build in, and the cycles that prevent one.

use crate::map::IndexMap;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

/// An acyclic graph over the unique ids of nodes, sources and exposures.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// In an order in which parents come before children.
    ids: IndexMap<String, ()>,
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
}

/// The ids of a circle, each depending on the next, the last on the first.
pub type Cycle = Vec<String>;

impl Graph {
    /// Builds the graph from each id with the ids that it depends on. Parents that are not ids themselves are
    /// left out. Cycles are given back, and the edges that close them are left out.
    pub fn build<'a>(edges: impl Iterator<Item = (&'a str, Vec<&'a str>)>) -> (Graph, Vec<Cycle>) {
        let edges: IndexMap<&str, Vec<&str>> = edges.collect();
        let mut graph: DiGraph<&str, ()> = DiGraph::with_capacity(edges.len(), edges.len() * 2);
        let index: Vec<NodeIndex> = edges.keys().map(|id| graph.add_node(*id)).collect();
        let place = |id: &str| edges.get_index_of(id).map(|at| index[at]);
        for (child, parents) in index.iter().zip(edges.values()) {
            for parent in parents.iter().filter_map(|parent| place(parent)) {
                graph.update_edge(parent, *child, ());
            }
        }
        if let Ok(order) = toposort(&graph, None) {
            return (Graph::ordered(&graph, &order), Vec::new());
        }
        let cycles = cycles(&graph);
        for cycle in &cycles {
            // The first depends on the second, and so on: cut the edge that comes into the first.
            let ends = place(&cycle[1 % cycle.len()]).zip(place(&cycle[0]));
            if let Some(edge) = ends.and_then(|(second, first)| graph.find_edge(second, first)) {
                graph.remove_edge(edge);
            }
        }
        match toposort(&graph, None) {
            Ok(order) => (Graph::ordered(&graph, &order), cycles),
            Err(_) => (Graph::default(), cycles),
        }
    }

    fn ordered(graph: &DiGraph<&str, ()>, order: &[NodeIndex]) -> Graph {
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, node)| place[node.index()] = at);
        let neighbours = |direction| -> Vec<Vec<usize>> {
            let places = |node: &NodeIndex| {
                let mut places: Vec<usize> =
                    graph.neighbors_directed(*node, direction).map(|other| place[other.index()]).collect();
                places.sort_unstable();
                places
            };
            order.iter().map(places).collect()
        };
        Graph {
            ids: order.iter().map(|node| (graph[*node].to_string(), ())).collect(),
            parents: neighbours(petgraph::Direction::Incoming),
            children: neighbours(petgraph::Direction::Outgoing),
        }
    }

    /// Every id, parents before children.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.keys().map(String::as_str)
    }

    pub fn parents(&self, id: &str) -> impl Iterator<Item = &str> {
        self.neighbours(&self.parents, id)
    }

    pub fn children(&self, id: &str) -> impl Iterator<Item = &str> {
        self.neighbours(&self.children, id)
    }

    /// The place of an id in the order, from 0.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.ids.get_index_of(id)
    }

    /// The places of the parents of each id, in the order of the ids.
    pub fn parent_places(&self) -> &[Vec<usize>] {
        &self.parents
    }

    /// The places of the children of each id, in the order of the ids.
    pub fn child_places(&self) -> &[Vec<usize>] {
        &self.children
    }

    fn neighbours<'g>(&'g self, side: &'g [Vec<usize>], id: &str) -> impl Iterator<Item = &'g str> {
        let places = self.position(id).map_or(&[][..], |at| &side[at]);
        places.iter().filter_map(|at| self.ids.get_index(*at).map(|(id, ())| id.as_str()))
    }
}

/// One cycle for each group of nodes that depend on each other.
fn cycles(graph: &DiGraph<&str, ()>) -> Vec<Cycle> {
    let mut cycles: Vec<Cycle> = kosaraju_scc(graph)
        .into_iter()
        .filter(|group| group.len() > 1 || graph.contains_edge(group[0], group[0]))
        .map(|group| cycle_in(graph, &group))
        .collect();
    cycles.sort();
    cycles
}

/// Walks from parent to parent inside the group until a node comes again.
fn cycle_in(graph: &DiGraph<&str, ()>, group: &[NodeIndex]) -> Cycle {
    let start = group.iter().min_by_key(|node| graph[**node]).copied().unwrap_or(group[0]);
    let mut path = vec![start];
    loop {
        let last = path[path.len() - 1];
        let next = graph
            .neighbors_directed(last, petgraph::Direction::Incoming)
            .filter(|parent| group.contains(parent))
            .min_by_key(|parent| graph[*parent])
            .expect("every node of the group has a parent in it");
        if let Some(at) = path.iter().position(|node| *node == next) {
            return path[at..].iter().map(|node| graph[*node].to_string()).collect();
        }
        path.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::Graph;

    #[test]
    fn parents_come_before_children() {
        let (graph, cycles) = Graph::build([("c", vec!["b"]), ("b", vec!["a"]), ("a", vec![])].into_iter());
        assert!(cycles.is_empty());
        assert_eq!(graph.ids().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(graph.children("a").collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn a_cycle_is_given_as_the_path_that_closes_it() {
        let (_, cycles) = Graph::build([("a", vec!["c"]), ("b", vec!["a"]), ("c", vec!["b"])].into_iter());
        assert_eq!(cycles, [["a", "c", "b"]]);
    }

    #[test]
    fn a_chain_of_ten_thousand_is_no_problem() {
        let ids: Vec<String> = (0..10_000).map(|at| format!("m{at}")).collect();
        let edges = (0..10_000).map(|at| (ids[at].as_str(), if at == 0 { vec![] } else { vec![ids[at - 1].as_str()] }));
        let (graph, cycles) = Graph::build(edges);
        assert!(cycles.is_empty());
        assert_eq!(graph.position("m9999"), Some(9999));
    }
}
