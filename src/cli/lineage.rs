//! `medal lineage`: prints where columns come from, and what is made of them.

use std::collections::BTreeSet;

use crate::artifact::openlineage::{Facts, jobs};
use crate::check::{Before, Checked};
use crate::cli::arguments::check::{LineageOptions, LineageOutput};
use crate::cli::check;
use crate::cli::report::lineage as picture;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::diagnostic::code::Code;
use crate::diagnostic::nearest;
use crate::lineage::{ColumnRef, Lineage, lineage};
use crate::manifest::selection::NodeSet;

/// Prints the lineage of a model or of one of its columns.
pub fn run_lineage(context: &mut Context, options: &LineageOptions) -> Result<Exit, Exit> {
    let workspace = workspace::open(context)?;
    let (_, lineage) = whole(context, &workspace)?;
    let start = start(context, &workspace, &lineage, &options.column)?;
    let both = !options.upstream && !options.downstream;
    let mut edges = BTreeSet::new();
    if options.upstream || both {
        edges.extend(lineage.upstream(&start));
    }
    if options.downstream || both {
        edges.extend(lineage.downstream(&start));
    }
    let text = match options.output {
        LineageOutput::Text => {
            picture::text(&workspace.manifest, &lineage, &start, options.upstream || both, options.downstream || both)
        }
        LineageOutput::Json => picture::json(&lineage, &start, &edges).to_string(),
        LineageOutput::Dot => picture::dot(&workspace.manifest, &start, &edges),
        LineageOutput::Mermaid => picture::mermaid(&workspace.manifest, &start, &edges),
        LineageOutput::Openlineage => {
            let Workspace { project, manifest, .. } = &workspace;
            let facts = Facts { project, manifest, lineage: &lineage, invocation: &context.invocation };
            let nodes: BTreeSet<&String> =
                start.iter().chain(edges.iter().map(|edge| &edge.to)).map(|it| &it.node).collect();
            let in_order = lineage.nodes.keys().filter(|id| nodes.contains(id)).cloned();
            jobs(&facts, in_order).iter().map(|event| format!("{event}\n")).collect()
        }
    };
    context.reporter.data(text.trim_end());
    Ok(Exit::Fine)
}

/// The lineage of the whole project, and the schemas under it.
pub fn whole(context: &Context, workspace: &Workspace) -> Result<(Checked, Lineage), Exit> {
    let all: NodeSet =
        workspace.manifest.nodes.values().filter(|node| node.is_refable()).map(|node| node.id.clone()).collect();
    let checked = check::check_nodes(context, workspace, all, Before::Nothing, None)?;
    let lineage = lineage(&workspace.manifest, &checked, &workspace.project.target.database);
    Ok((checked, lineage))
}

/// The columns that `model`, `model.column` or `source.table.column` names.
pub fn start(
    context: &Context,
    workspace: &Workspace,
    lineage: &Lineage,
    text: &str,
) -> Result<BTreeSet<ColumnRef>, Exit> {
    let manifest = &workspace.manifest;
    let name = |id: &str| picture::name(manifest, id);
    for id in lineage.nodes.keys() {
        let own = name(id);
        let column = match text.strip_prefix(own.as_str()) {
            Some("") => None,
            Some(rest) if rest.starts_with('.') => Some(&rest[1..]),
            _ => continue,
        };
        let Some(columns) = &lineage.nodes[id] else {
            let message =
                format!("the lineage of `{own}` is not known: its SQL cannot be followed, or it cannot be typed");
            context.error(Code::UnknownColumn, &message, Some("`medal check` says what is not known"));
            return Err(Exit::Failed);
        };
        let wanted = columns.iter().filter(|it| column.is_none_or(|column| column.eq_ignore_ascii_case(&it.name)));
        let found: BTreeSet<ColumnRef> =
            wanted.map(|column| ColumnRef { node: id.clone(), column: column.name.clone() }).collect();
        if found.is_empty() {
            let column = column.unwrap_or_default();
            let near = nearest(column, columns.iter().map(|column| column.name.as_str()));
            let help = near.map(|near| format!("did you mean `{own}.{near}`?"));
            context.error(Code::UnknownColumn, &format!("`{own}` has no column `{column}`"), help.as_deref());
            return Err(Exit::Failed);
        }
        return Ok(found);
    }
    let names: Vec<String> = lineage.nodes.keys().map(|id| name(id)).collect();
    let wanted = text.split('.').next().unwrap_or(text);
    let help = nearest(wanted, names.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
    context.error(
        Code::NothingSelected,
        &format!("no model, seed, snapshot or source is called `{wanted}`"),
        help.as_deref(),
    );
    Err(Exit::Failed)
}
