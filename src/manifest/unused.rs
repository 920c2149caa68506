//! Finds configuration of the project file that applies to nothing.

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::manifest::{Disabled, Node};
use crate::project::Project;

/// Warns of folders below `models:`, `seeds:` and `snapshots:` that no node is in.
pub fn folders<'a>(
    project: &Project,
    nodes: impl Iterator<Item = &'a Node> + Clone,
    disabled: &[Disabled],
    sink: &mut Diagnostics,
) {
    let kinds = [("models", "model"), ("seeds", "seed"), ("snapshots", "snapshot")];
    for (tree, kind) in kinds {
        let on = nodes.clone().filter(|node| node.resource_type() == kind).map(|node| &node.fqn);
        let off = disabled.iter().filter(|node| node.resource_type == kind).map(|node| &node.fqn);
        let fqns: Vec<&Vec<String>> = on.chain(off).collect();
        let mut told: Option<&[String]> = None;
        for (path, span) in project.root().settings.config_folders.get(tree).into_iter().flatten() {
            let is_used = fqns.iter().any(|fqn| fqn.starts_with(path));
            if is_used || told.is_some_and(|above| path.starts_with(above)) {
                continue;
            }
            told = Some(path);
            let (name, above) = path.split_last().expect("a path has a last part");
            let beside = fqns.iter().filter(|fqn| fqn.starts_with(above)).filter_map(|fqn| fqn.get(above.len()));
            let message = format!("no {kind} is in `{}`, which is configured here", path.join("/"));
            let problem = Diagnostic::warning(Code::UnknownKey, *span, message).event("UnusedResourceConfigPath");
            let near = nearest(name, beside.map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            let help = near.or_else(|| {
                let root = &project.root().name;
                above.is_empty().then(|| {
                    format!("below `{tree}:` stands the name of a package, here `{root}`, or `+` and a configuration")
                })
            });
            sink.push(Diagnostic { help, ..problem });
        }
    }
}
