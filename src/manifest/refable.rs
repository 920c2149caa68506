//! Finds the nodes and sources that refs and sources name, and explains why one cannot be found.

use std::borrow::Cow;

use crate::map::{IndexMap, IndexSet};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::Span;
use crate::jinja::RefCall;
use crate::manifest::{Disabled, Exposure, Kind, Manifest, Node, RefArguments, Source};
use crate::project::Project;
use crate::project::versions::{self, ModelVersion};

/// The parents of a node that is not in the manifest.
pub fn parents(project: &Project, manifest: &Manifest, node: &Node, sink: &mut Diagnostics) -> Vec<String> {
    Binder::new(project, &manifest.nodes, &manifest.sources, &manifest.disabled).parents(node, sink).0
}

/// Finds what a `ref` or `source` names.
pub struct Binder<'a> {
    project: &'a Project,
    nodes: &'a IndexMap<String, Box<Node>>,
    sources: &'a IndexMap<String, Source>,
    disabled: &'a [Disabled],
    /// Names that a `ref` can use, with the ids of each.
    refable: IndexMap<Cow<'a, str>, Vec<&'a Node>>,
}

/// Why a `ref` could not be bound.
pub enum Unbound<'a> {
    Unknown,
    Disabled(&'a Disabled),
    Ambiguous(Vec<&'a str>),
}

impl<'a> Binder<'a> {
    pub fn new(
        project: &'a Project,
        nodes: &'a IndexMap<String, Box<Node>>,
        sources: &'a IndexMap<String, Source>,
        disabled: &'a [Disabled],
    ) -> Binder<'a> {
        let mut refable: IndexMap<Cow<'_, str>, Vec<&Node>> = IndexMap::default();
        for node in nodes.values().map(Box::as_ref).filter(|node| node.is_refable()) {
            if node.is_unversioned_or_latest() {
                refable.entry(node.name.as_str().into()).or_default().push(node);
            }
            if node.version.is_some() {
                refable.entry(node.search_name()).or_default().push(node);
            }
        }
        Binder { project, nodes, sources, disabled, refable }
    }

    /// The parents of a node; false if a test must be dropped because what it tests is switched off.
    pub fn parents(&self, node: &Node, sink: &mut Diagnostics) -> (Vec<String>, bool) {
        let mut parents: Vec<String> = Vec::new();
        let mut complete = true;
        // dbt binds sources first, and the order is in the manifest.
        let mut add = |id: &str| {
            if !parents.iter().any(|parent| parent == id) {
                parents.push(id.to_string())
            }
        };
        for call in &node.source_refs {
            match self.source(call, &node.package) {
                Some(id) => add(id),
                None if node.is_test() && self.disabled_source(call).is_some() => complete = false,
                None => sink.push(self.unknown_source(&what(node), source_span(node, call), call)),
            }
        }
        for call in &node.refs {
            match self.find(call, &node.package) {
                Ok(id) => add(id),
                Err(Unbound::Disabled(_)) if node.is_test() => complete = false,
                Err(reason) => {
                    sink.push(self.unbound(&what(node), &node.name, ref_span(node, call), call, &reason));
                    complete &= !node.is_test();
                }
            }
        }
        (parents, complete)
    }

    /// The nodes and sources that an exposure names.
    pub fn parents_of_exposure(&self, exposure: &Exposure, sink: &mut Diagnostics) -> Vec<String> {
        let what = format!("the exposure `{}`", exposure.properties.name);
        let span = |names: &[&str]| {
            let is_it = |(text, _): &&(String, Span)| names.iter().all(|name| text.contains(name));
            let written = exposure.properties.depends_on.iter().find(is_it);
            Some(written.map_or(exposure.properties.span, |(_, span)| *span))
        };
        let mut parents: IndexSet<&str> = IndexSet::default();
        for call in &exposure.source_refs {
            match self.source(call, &exposure.package) {
                Some(id) => drop(parents.insert(id)),
                None => sink.push(self.unknown_source(&what, span(&["source", &call[0], &call[1]]), call)),
            }
        }
        for call in &exposure.refs {
            match self.find(call, &exposure.package) {
                Ok(id) => drop(parents.insert(id)),
                Err(reason) => sink.push(self.unbound(&what, "", span(&["ref", &call.name]), call, &reason)),
            }
        }
        parents.into_iter().map(str::to_string).collect()
    }

    /// The node that a `ref` names: of the named package, else of the root project, the node's own package, any.
    pub fn find(&self, call: &RefArguments, from: &str) -> Result<&'a str, Unbound<'a>> {
        let found = self.refable.get(&*call.search_name()).map_or(&[][..], Vec::as_slice);
        let of = |package: &str| found.iter().find(|node| node.package == package);
        let first = match &call.package {
            Some(package) => of(package),
            None => self.project.search_order(from).into_iter().find_map(of),
        };
        if let Some(node) = first {
            return Ok(&node.id);
        }
        match (found, &call.package) {
            ([only], None) => Ok(&only.id),
            ([_, ..], None) => Err(Unbound::Ambiguous(found.iter().map(|node| node.id.as_str()).collect())),
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

    pub fn node(&self, id: &str) -> Option<&'a Node> {
        self.nodes.get(id).map(Box::as_ref)
    }

    /// All versions of a model, in the order in which they are declared.
    pub fn versions_of(&self, model: &'a Node) -> impl Iterator<Item = &'a Node> {
        let same = |node: &&Node| node.name == model.name && node.package == model.package;
        self.nodes.values().map(Box::as_ref).filter(|node| matches!(node.kind, Kind::Model)).filter(same)
    }

    /// The names of a package's models.
    pub fn models_of(&self, package: &str) -> impl Iterator<Item = &'a str> {
        let models =
            self.nodes.values().filter(move |node| matches!(node.kind, Kind::Model) && node.package == package);
        models.map(|node| node.name.as_str())
    }

    pub fn source(&self, [source, table]: &[String; 2], from: &str) -> Option<&'a str> {
        let id = |package: &str| format!("source.{package}.{source}.{table}");
        let get = |package: &str| self.sources.get_key_value(&id(package)).map(|(id, _)| id.as_str());
        let any = || self.sources.values().find(|other| other.source_name == *source && other.name == *table);
        self.project.search_order(from).into_iter().find_map(get).or_else(|| any().map(|source| source.id.as_str()))
    }

    fn disabled_source(&self, [source, table]: &[String; 2]) -> Option<&Disabled> {
        let name = format!("{source}.{table}");
        self.disabled.iter().find(|other| other.resource_type == "source" && other.name == name)
    }

    /// `what` makes the call, and is not meant by it: it is called `own`.
    fn unbound(
        &self,
        what: &str,
        own: &str,
        span: Option<Span>,
        call: &RefArguments,
        reason: &Unbound<'_>,
    ) -> Diagnostic {
        match reason {
            Unbound::Unknown if self.is_model(&call.name) => self.unknown_version(what, span, call),
            Unbound::Unknown => {
                let message = format!("{what} refers to `{}`, which does not exist", call.name);
                let label = "no model, seed or snapshot has this name";
                let problem = Diagnostic::error(Code::UnknownRef, span, message).label(label);
                match nearest(&call.name, self.refable.keys().map(|name| &**name).filter(|name| *name != own)) {
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
                Diagnostic::error(Code::AmbiguousRef, span, message).help(format!(
                    "name the package, one of {}: `ref('{}', '{}')`",
                    packages.join(", "),
                    packages[0],
                    call.name
                ))
            }
        }
    }

    fn is_model(&self, name: &str) -> bool {
        self.nodes.values().any(|node| node.is_refable() && node.name == name)
    }

    fn unknown_version(&self, what: &str, span: Option<Span>, call: &RefArguments) -> Diagnostic {
        let nodes = self.nodes.values().filter(|node| node.is_refable() && node.name == call.name);
        let mut versions: Vec<&ModelVersion> = nodes.filter_map(|node| node.version.as_deref()).collect();
        versions.sort_by(|a, b| versions::compare(&a.v, &b.v));
        let shown = |version: &&ModelVersion| match version.is_latest() {
            true => format!("{} (latest)", versions::text(&version.v)),
            false => versions::text(&version.v),
        };
        let wanted = call.version.as_ref().map_or("latest".to_string(), versions::text);
        let message = format!("{what} refers to version {wanted} of `{}`, which does not exist", call.name);
        let problem = Diagnostic::error(Code::UnknownVersion, span, message);
        problem.help(match versions.is_empty() {
            true => format!("`{0}` has no versions: write `ref('{0}')`", call.name),
            false => format!("its versions are {}", versions.iter().map(shown).collect::<Vec<_>>().join(", ")),
        })
    }

    fn path_of(&self, name: &str) -> &str {
        let first = self.refable.get(name).and_then(|found| found.first());
        first.map_or("", |node| node.original_path.as_str())
    }

    fn unknown_source(&self, what: &str, span: Option<Span>, [source, table]: &[String; 2]) -> Diagnostic {
        if self.disabled_source(&[source.clone(), table.clone()]).is_some() {
            let message = format!("{what} reads the source `{source}.{table}`, which is switched off");
            return Diagnostic::error(Code::DisabledDependency, span, message);
        }
        let message = format!("{what} reads the source `{source}.{table}`, which is not declared");
        let problem = Diagnostic::error(Code::UnknownSource, span, message);
        let names: Vec<String> = self.sources.values().map(|s| format!("{}.{}", s.source_name, s.name)).collect();
        match nearest(&format!("{source}.{table}"), names.iter().map(String::as_str)) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("declare it below `sources:` in a property file"),
        }
    }
}

/// Where a node reads a source: at the literal name if there is one.
fn source_span(node: &Node, [source, table]: &[String; 2]) -> Option<Span> {
    let facts = node.template.as_ref().map(|template| template.facts());
    let literal = facts.and_then(|facts| {
        let same = |call: &&crate::jinja::SourceCall| call.source == *source && call.table == *table;
        facts.sources.iter().find(same).map(|call| call.span)
    });
    yaml_place(node, table).or(literal).or_else(|| place(node))
}

/// The node as a message speaks of it: model `orders`.
pub fn what(node: &Node) -> String {
    match node.generic_test() {
        Some(test) => format!("the test `{}`", test.name),
        None if node.original_path == "--inline" => "the query".to_string(),
        None => format!("{} `{}`", node.resource_type(), node.name),
    }
}

/// What is written in YAML has its place there, not in the code that is made of it.
fn yaml_place(node: &Node, name: &str) -> Option<Span> {
    if node.is_yaml_snapshot() {
        return node.patch_span;
    }
    let test = node.generic_test()?;
    let named = test.references.iter().find(|(text, _)| text.contains(name));
    Some(named.map_or(test.span, |(_, span)| *span))
}

/// Where a node makes a `ref`: at the literal name if there is one.
pub fn ref_span(node: &Node, call: &RefArguments) -> Option<Span> {
    let literal = node.template.as_ref().and_then(|template| {
        let same = |found: &&RefCall| RefArguments::from(*found).search_name() == call.search_name();
        template.facts().refs.iter().find(same).map(|found| found.span)
    });
    yaml_place(node, &call.name).or(literal).or_else(|| place(node))
}

/// Where a node makes a `ref` to another.
pub fn ref_span_to(node: &Node, to: &Node) -> Option<Span> {
    let call = node.refs.iter().find(|call| to.answers_to(call))?;
    ref_span(node, call)
}

/// The place of a node as a whole.
pub fn place(node: &Node) -> Option<Span> {
    let own = node.template.as_ref().filter(|_| !node.is_yaml_snapshot());
    own.map(|_| Span::start_of(node.file)).or(node.patch_span)
}
