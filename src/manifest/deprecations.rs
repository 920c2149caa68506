//! Warns of models whose `deprecation_date` has passed, and of models that read one that has such a date.
//!
//! Source: <https://docs.getdbt.com/reference/resource-properties/deprecation_date>.

use chrono::Utc;

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::manifest::refable::ref_span_to;
use crate::manifest::{Kind, Manifest, Node};

pub fn report(manifest: &Manifest, sink: &mut Diagnostics) {
    let now = Utc::now();
    for node in manifest.nodes.values() {
        let Some(date) = node.deprecation_date else { continue };
        let day = date.format("%Y-%m-%d");
        if date < now {
            let message = format!("`{}` has passed its deprecation date, {day}", node.search_name());
            sink.push(Diagnostic::warning(Code::DeprecatedModel, node.patch_span, message).event("DeprecatedModel"));
        }
        for child in manifest.graph.children(&node.id).filter_map(|id| manifest.node(id)) {
            if !matches!(child.kind, Kind::Model) {
                continue;
            }
            let (when, event) = match date < now {
                true => ("was deprecated on", "DeprecatedReference"),
                false => ("will be deprecated on", "UpcomingReferenceDeprecation"),
            };
            let message = format!("`{}` reads `{}`, which {when} {day}", child.search_name(), node.search_name());
            let problem = Diagnostic::warning(Code::DeprecatedModel, ref_span_to(child, node), message);
            sink.push(way_out(problem.event(event), node));
        }
    }
}

fn way_out(problem: Diagnostic, node: &Node) -> Diagnostic {
    match node.version.as_ref().filter(|version| !version.is_latest()) {
        Some(version) => problem.help(format!("read the latest version: `ref('{}', v={})`", node.name, version.latest)),
        None => problem,
    }
}
