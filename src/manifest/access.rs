//! Checks that groups exist, and that nobody reads what is private to another group or package.
//!
//! Source of the rules: <https://docs.getdbt.com/docs/mesh/govern/model-access>.

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::files::Span;
use crate::manifest::refable::{ref_span_to, what};
use crate::manifest::{Kind, Manifest, Node};
use crate::map::IndexMap;
use crate::project::Project;

/// The mistakes in `group` and `access` of a node; `place` says where a key is written.
pub fn problems(project: &Project, node: &Node, place: impl Fn(&str) -> Option<Span>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut groups = project.packages.values().flat_map(|package| &package.properties).flat_map(|file| &file.groups);
    if let Some(group) = node.config.text("group").filter(|name| groups.clone().all(|group| group.name != *name)) {
        let message = format!("`{}` is in the group `{group}`, which does not exist", node.name);
        let problem = Diagnostic::error(Code::UnknownGroup, place("group"), message);
        found.push(match nearest(group, groups.by_ref().map(|group| group.name.as_str())) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("declare it below `groups:` in a property file, with a `name` and an `owner`"),
        });
    }
    if node.is_ephemeral() && node.config.text("access") == Some("public") {
        let message = format!("`{}` is public and ephemeral: nothing is there for others to read", node.name);
        let problem = Diagnostic::error(Code::AccessDenied, place("access"), message);
        found.push(problem.help("materialize it as a view or table, or make it `protected`"));
    }
    found
}

/// Reports every read of a model that its access forbids.
pub fn report(project: &Project, manifest: &Manifest, sink: &mut Diagnostics) {
    let guarded = Guarded::of(project, manifest);
    // A unit test belongs to its model, whatever the group of that.
    for node in manifest.nodes.values().filter(|node| node.unit_test().is_none()) {
        for parent in guarded.among(&node.depends_on) {
            let reader = Reader { group: group(manifest, node), package: &node.package };
            if let Some((message, help)) = reader.refusal(project, parent) {
                let message = format!("{} reads `{}`, which is {message}", what(node), parent.name);
                let problem = Diagnostic::error(Code::AccessDenied, ref_span_to(node, parent), message);
                sink.push(problem.help(help));
            }
        }
    }
    for exposure in manifest.exposures.values() {
        for parent in guarded.among(&exposure.depends_on) {
            let reader = Reader { group: None, package: &exposure.package };
            if let Some((message, _)) = reader.refusal(project, parent) {
                let properties = &exposure.properties;
                let message = format!("the exposure `{}` reads `{}`, which is {message}", properties.name, parent.name);
                sink.push(Diagnostic::error(Code::AccessDenied, properties.span, message));
            }
        }
    }
}

/// Of a generic test, the group of what it tests.
pub fn group<'a>(manifest: &'a Manifest, node: &'a Node) -> Option<&'a str> {
    let attached = node.generic_test().and_then(|test| manifest.node(test.attached.as_ref()?));
    attached.unwrap_or(node).config.text("group")
}

/// The models that not everybody may read, by unique id.
struct Guarded<'a>(IndexMap<&'a str, &'a Node>);

impl<'a> Guarded<'a> {
    fn of(project: &Project, manifest: &'a Manifest) -> Guarded<'a> {
        let is_private = |node: &Node| node.config.text("access") == Some("private");
        let models = manifest.nodes.values().map(Box::as_ref).filter(|node| matches!(node.kind, Kind::Model));
        let guarded = models.filter(|node| is_private(node) || restricts(project, &node.package));
        Guarded(guarded.map(|node| (node.id.as_str(), node)).collect())
    }

    fn among(&self, ids: &[String]) -> impl Iterator<Item = &'a Node> {
        ids.iter().filter_map(|id| self.0.get(id.as_str()).copied())
    }
}

/// Whether a package lets others read nothing but its public models.
fn restricts(project: &Project, package: &str) -> bool {
    project.packages.get(package).is_some_and(|package| package.settings.restrict_access)
}

struct Reader<'a> {
    group: Option<&'a str>,
    package: &'a str,
}

impl Reader<'_> {
    /// Why it must not read a model, and the way out.
    fn refusal(&self, project: &Project, model: &Node) -> Option<(String, String)> {
        let owner = model.config.text("group");
        let restricted = self.package != model.package && restricts(project, &model.package);
        match model.config.text("access") {
            Some("private") if restricted || self.group.is_none() || self.group != owner => {
                let group = owner.map_or("its group".to_string(), |group| format!("the group `{group}`"));
                let help = "read a model that is `protected` or `public`, or join the group".to_string();
                Some((format!("private to {group}"), help))
            }
            Some("public" | "private") => None,
            _ if restricted => {
                let help = "read one of its `public` models".to_string();
                Some((format!("protected by the package `{}`", model.package), help))
            }
            _ => None,
        }
    }
}
