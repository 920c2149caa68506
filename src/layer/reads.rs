//! Which layers a model reads, and which of them it must not.

use std::collections::{BTreeMap, BTreeSet};

use crate::map::IndexMap;

use crate::adapter::relation::Relation;
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::files::Span;
use crate::layer::words;
use crate::manifest::{Kind, Node, Source};
use crate::project::layers::{Layer, Layers, SOURCE};
use crate::sql::Shape;

/// Everything that a verdict on reading looks at.
pub struct Reading<'a> {
    pub nodes: &'a IndexMap<String, Box<Node>>,
    pub sources: &'a IndexMap<String, Source>,
    layers: &'a Layers,
    /// The models that read a node directly, in the order of the project.
    readers: IndexMap<&'a str, Vec<&'a Node>>,
    /// What stands in the warehouse under a name: database, schema and identifier in lower case.
    named: BTreeMap<[String; 3], &'a str>,
}

/// Something read by way of one of the calls of a model.
struct Read<'a> {
    /// What the model's own text names.
    direct: &'a str,
    /// What that stands for: itself, or what an ephemeral model without a layer reads.
    id: &'a str,
    /// A layer, or `source`.
    layer: &'a str,
}

impl<'a> Reading<'a> {
    pub fn new(
        nodes: &'a IndexMap<String, Box<Node>>,
        sources: &'a IndexMap<String, Source>,
        layers: &'a Layers,
    ) -> Reading<'a> {
        let mut readers: IndexMap<&str, Vec<&Node>> = IndexMap::default();
        for node in nodes.values().filter(|node| matches!(node.kind, Kind::Model)) {
            for parent in &node.depends_on {
                readers.entry(parent).or_default().push(node);
            }
        }
        let of_nodes = nodes.iter().filter(|(_, node)| node.is_refable()).map(|(id, node)| (id, &node.relation));
        let of_sources = sources.iter().map(|(id, source)| (id, &source.relation));
        let named = of_sources.chain(of_nodes).filter_map(|(id, relation)| Some((key(relation)?, id.as_str())));
        Reading { nodes, sources, layers, readers, named: named.collect() }
    }

    /// What stands in the warehouse under a written name.
    pub fn id_of(&self, name: &[String], home: [&str; 2]) -> Option<&'a str> {
        self.named.get(&full(name, home)?).copied()
    }

    /// The layer of a node, if its rules count.
    pub fn layer(&self, node: &Node) -> Option<&'a Layer> {
        node.layer.as_ref().and_then(|name| self.layers.layers.get(name)).filter(|layer| layer.severity.is_some())
    }

    /// One mistake for everything that the layer of a node must not read.
    pub fn forbidden(&self, node: &'a Node) -> Vec<Diagnostic> {
        let Some((layer, severity)) = self.layer(node).and_then(|layer| Some((layer, layer.severity?))) else {
            return Vec::new();
        };
        let reads = node.depends_on.iter().flat_map(|parent| self.reads(parent));
        let forbidden = reads.filter(|read| !layer.reads.iter().any(|allowed| allowed == read.layer));
        let told = forbidden.map(|read| {
            let through = self.nodes.get(read.direct).filter(|_| read.direct != read.id);
            let how = through.map_or(String::new(), |node| format!(", through the ephemeral `{}`", node.name));
            self.diagnostic(node, layer, severity, &read, self.place(node, read.direct), &how)
        });
        told.collect()
    }

    /// The same for what its compiled query reads by name, without `ref()` or `source()`. `home` is the database and
    /// the schema of names that have none.
    pub fn forbidden_names(
        &self,
        node: &Node,
        shape: &Shape,
        home: [&str; 2],
        place: impl Fn(usize, usize) -> Option<Span>,
    ) -> Vec<Diagnostic> {
        let Some((layer, severity)) = self.layer(node).and_then(|layer| Some((layer, layer.severity?))) else {
            return Vec::new();
        };
        let bound = self.bound(node);
        let told = shape.relations.iter().zip(&shape.places).filter_map(|(name, at)| {
            let id = self.id_of(name, home)?;
            if bound.contains(id) {
                return None;
            }
            let read = self.reads(id).into_iter().find(|read| !layer.reads.iter().any(|it| it == read.layer))?;
            let span = place(at.line, at.column).unwrap_or(Span::start_of(node.file));
            Some(self.diagnostic(node, layer, severity, &read, span, ", by its name in the warehouse"))
        });
        told.collect()
    }

    /// What a node reads with `ref()` and `source()`, by itself or in its ephemeral parents, and itself.
    fn bound(&self, node: &Node) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.nodes.get(&node.id).map_or("", |node| node.id.as_str())];
        while let Some(id) = open.pop() {
            let is_new = found.insert(id);
            let Some(read) = self.nodes.get(id).filter(|read| is_new && (read.id == node.id || read.is_ephemeral()))
            else {
                continue;
            };
            open.extend(read.depends_on.iter().map(String::as_str));
        }
        found
    }

    /// What reading a parent comes down to. A model without a layer is free: nothing is said of it.
    fn reads(&self, direct: &'a str) -> Vec<Read<'a>> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![direct];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Some(node) = self.nodes.get(id) else {
                found.extend(self.sources.contains_key(id).then_some(Read { direct, id, layer: SOURCE }));
                continue;
            };
            match (&node.kind, &node.layer) {
                (Kind::Seed { .. }, _) => found.push(Read { direct, id, layer: SOURCE }),
                (_, Some(layer)) => found.push(Read { direct, id, layer }),
                (_, None) if node.is_ephemeral() => open.extend(node.depends_on.iter().rev().map(String::as_str)),
                (_, None) => {}
            }
        }
        found
    }

    fn diagnostic(
        &self,
        node: &Node,
        layer: &Layer,
        severity: Severity,
        read: &Read<'_>,
        span: Span,
        how: &str,
    ) -> Diagnostic {
        let what = self.description(read);
        let message = format!("`{}` is in the layer `{}` and reads {what}{how}", node.name, layer.name);
        let allowed = if layer.reads.is_empty() {
            "may read nothing".to_string()
        } else {
            format!("may read {} only", words(layer.reads.iter().map(String::as_str), "and"))
        };
        let problem = Diagnostic::error(Code::LayerReads, span, message);
        Diagnostic { severity, ..problem }.label(format!("`{}` {allowed}", layer.name)).help(self.help(layer, read))
    }

    fn description(&self, read: &Read<'_>) -> String {
        match (self.nodes.get(read.id), self.sources.get(read.id)) {
            (Some(node), _) if matches!(node.kind, Kind::Seed { .. }) => format!("the seed `{}`", node.name),
            (Some(node), _) => format!("`{}`, which is in `{}`", node.name, read.layer),
            (None, Some(source)) => format!("the source `{}.{}`", source.source_name, source.name),
            (None, None) => format!("`{}`", read.id),
        }
    }

    /// The way out: a model of an allowed layer that reads the same already, or the advice to make one.
    fn help(&self, layer: &Layer, read: &Read<'_>) -> String {
        let steps = layer.reads.iter().filter_map(|name| self.layers.layers.get(name));
        let steps: Vec<&Layer> = steps.filter(|step| step.reads.iter().any(|reads| reads == read.layer)).collect();
        let readers = self.readers.get(read.id).map(Vec::as_slice).unwrap_or_default();
        let may_step = |reader: &&&Node| steps.iter().any(|step| reader.layer.as_ref() == Some(&step.name));
        if let Some(reader) = readers.iter().find(may_step) {
            let step = reader.layer.as_deref().unwrap_or_default();
            return format!("read a {step} model instead: `{}` reads it", reader.name);
        }
        let between = steps.iter().find(|step| step.name != layer.name).map(|step| &step.name);
        match between {
            Some(name) => format!("put a model of the layer `{name}` between, and read that"),
            None => format!("list `{}` under `reads:` of the layer `{}` if that is meant", read.layer, layer.name),
        }
    }

    /// The call in the node's text that names the parent.
    fn place(&self, node: &Node, parent: &str) -> Span {
        let facts = node.template.as_ref().map(|template| template.facts());
        let found = facts.as_ref().and_then(|facts| match (self.nodes.get(parent), self.sources.get(parent)) {
            (Some(to), _) => facts
                .refs
                .iter()
                .find(|call| call.name == to.name && call.package.as_ref().is_none_or(|package| *package == to.package))
                .map(|call| call.span),
            (None, Some(to)) => facts
                .sources
                .iter()
                .find(|call| call.source == to.source_name && call.table == to.name)
                .map(|call| call.span),
            (None, None) => None,
        });
        found.unwrap_or(Span::start_of(node.file))
    }
}

fn key(relation: &Relation) -> Option<[String; 3]> {
    let name = [relation.database.as_ref()?, relation.schema.as_ref()?, relation.identifier.as_ref()?];
    Some(name.map(|part| part.to_lowercase()))
}

/// A written name with the parts that it leaves out.
fn full(name: &[String], [database, schema]: [&str; 2]) -> Option<[String; 3]> {
    let parts = match name {
        [database, schema, name] => [database.as_str(), schema, name],
        [schema, name] => [database, schema, name],
        [name] => [database, schema, name],
        _ => return None,
    };
    Some(parts.map(str::to_lowercase))
}
