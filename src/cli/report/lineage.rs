//! Turns column lineage into text, JSON, or a drawing for Graphviz or Mermaid.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value as Json, json};

use crate::lineage::walk::{Edge, Use};
use crate::lineage::{ColumnRef, Lineage};
use crate::manifest::Manifest;

/// How users name a node: `orders`, or `shop.orders` of a source.
pub fn name(manifest: &Manifest, id: &str) -> String {
    match (manifest.node(id), manifest.sources.get(id)) {
        (Some(node), _) => node.name.clone(),
        (None, Some(source)) => format!("{}.{}", source.source_name, source.name),
        (None, None) => id.to_string(),
    }
}

fn shown(manifest: &Manifest, column: &ColumnRef) -> String {
    format!("{}.{}", name(manifest, &column.node), column.column)
}

/// A tree for each column: `<-` what its values are made of, `~` what decides its rows, `->` what is made of it.
pub fn text(manifest: &Manifest, lineage: &Lineage, start: &BTreeSet<ColumnRef>, up: bool, down: bool) -> String {
    let mut out = String::new();
    let order = start.iter().next().and_then(|first| lineage.nodes.get(&first.node)?.as_ref());
    let place = |column: &&ColumnRef| order.and_then(|all| all.iter().position(|other| other.name == column.column));
    let mut columns: Vec<&ColumnRef> = start.iter().collect();
    columns.sort_by_key(place);
    for column in columns {
        let data_type = lineage.column(column).and_then(|column| column.data_type.as_deref()).unwrap_or("?");
        let _ = writeln!(out, "{} ({data_type})", shown(manifest, column));
        if up {
            let edges = lineage.upstream(&[column.clone()].into());
            tree(manifest, &edges, column, "<-", 1, &mut out);
        }
        if down {
            let edges = lineage.downstream(&[column.clone()].into());
            tree(manifest, &edges, column, "->", 1, &mut out);
        }
    }
    out
}

fn tree(manifest: &Manifest, edges: &BTreeSet<Edge>, at: &ColumnRef, arrow: &str, depth: usize, out: &mut String) {
    let is_up = arrow == "<-";
    let same = |a: &ColumnRef, b: &ColumnRef| a.node == b.node && a.column.eq_ignore_ascii_case(&b.column);
    let here = |edge: &&Edge| same(if is_up { &edge.to } else { &edge.from }, at);
    let other = |edge: &Edge| if is_up { edge.from.clone() } else { edge.to.clone() };
    let of = |kind: Use| edges.iter().filter(here).filter(move |edge| edge.kind == kind).map(other).collect::<Vec<_>>();
    let indent = "  ".repeat(depth);
    let (direct, indirect) = (of(Use::Direct), of(Use::Indirect));
    for column in &direct {
        let _ = writeln!(out, "{indent}{arrow} {}", shown(manifest, column));
        if depth < 60 {
            tree(manifest, edges, column, arrow, depth + 1, out);
        }
    }
    let only: Vec<String> =
        indirect.iter().filter(|column| !direct.contains(column)).map(|column| shown(manifest, column)).collect();
    if !only.is_empty() {
        let word = if is_up { "rows decided by" } else { "decides rows of" };
        let _ = writeln!(out, "{indent}~ {word} {}", only.join(", "));
    }
}

/// The columns, and every use of one by another on the way.
pub fn json(lineage: &Lineage, start: &BTreeSet<ColumnRef>, edges: &BTreeSet<Edge>) -> Json {
    let object = |column: &ColumnRef| {
        let data_type = lineage.column(column).and_then(|column| column.data_type.clone());
        json!({"node": column.node, "column": column.column, "data_type": data_type})
    };
    let uses = edges.iter().map(|edge| {
        json!({
            "from": {"node": edge.from.node, "column": edge.from.column},
            "to": {"node": edge.to.node, "column": edge.to.column},
            "kind": if edge.kind == Use::Direct { "direct" } else { "indirect" },
        })
    });
    json!({"columns": start.iter().map(object).collect::<Vec<_>>(), "edges": uses.collect::<Vec<_>>()})
}

/// A graph for Graphviz: a cluster a relation, indirect uses as broken lines.
pub fn dot(manifest: &Manifest, start: &BTreeSet<ColumnRef>, edges: &BTreeSet<Edge>) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let id = |column: &ColumnRef| quoted(&shown(manifest, column));
    let mut out = String::from("digraph lineage {\n  rankdir=LR;\n  node [shape=box];\n");
    for (node, columns) in clusters(start, edges) {
        let _ = writeln!(out, "  subgraph {} {{", quoted(&format!("cluster_{node}")));
        let _ = writeln!(out, "    label={};", quoted(&name(manifest, node)));
        for column in columns {
            let _ = writeln!(out, "    {} [label={}];", id(column), quoted(&column.column));
        }
        out.push_str("  }\n");
    }
    for edge in edges {
        let style = if edge.kind == Use::Direct { "" } else { " [style=dashed]" };
        let _ = writeln!(out, "  {} -> {}{style};", id(&edge.from), id(&edge.to));
    }
    out + "}\n"
}

/// A flowchart for Mermaid.
pub fn mermaid(manifest: &Manifest, start: &BTreeSet<ColumnRef>, edges: &BTreeSet<Edge>) -> String {
    let clusters = clusters(start, edges);
    let all: Vec<&ColumnRef> = clusters.iter().flat_map(|(_, columns)| columns.iter().copied()).collect();
    let id = |column: &ColumnRef| format!("c{}", all.iter().position(|other| *other == column).unwrap_or_default());
    let safe = |text: &str| text.replace('"', "#quot;");
    let mut out = String::from("flowchart LR\n");
    for (at, (node, columns)) in clusters.iter().enumerate() {
        let _ = writeln!(out, "  subgraph n{at}[\"{}\"]", safe(&name(manifest, node)));
        for column in columns {
            let _ = writeln!(out, "    {}[\"{}\"]", id(column), safe(&column.column));
        }
        out.push_str("  end\n");
    }
    for edge in edges {
        let arrow = if edge.kind == Use::Direct { "-->" } else { "-.->" };
        let _ = writeln!(out, "  {} {arrow} {}", id(&edge.from), id(&edge.to));
    }
    out
}

fn clusters<'a>(start: &'a BTreeSet<ColumnRef>, edges: &'a BTreeSet<Edge>) -> Vec<(&'a str, Vec<&'a ColumnRef>)> {
    let all: BTreeSet<&ColumnRef> = start.iter().chain(edges.iter().flat_map(|edge| [&edge.from, &edge.to])).collect();
    let mut clusters: Vec<(&str, Vec<&ColumnRef>)> = Vec::new();
    for column in all {
        match clusters.last_mut().filter(|(node, _)| *node == column.node) {
            Some((_, columns)) => columns.push(column),
            None => clusters.push((&column.node, vec![column])),
        }
    }
    clusters
}
