//! Turns `column:model.column+` in a selection into the nodes that the lineage of the column reaches.

use std::collections::BTreeSet;

use crate::cli::lineage::{start, whole};
use crate::cli::workspace::{Context, Exit, Workspace};
use crate::diagnostic::code::Code;
use crate::lineage::Lineage;
use crate::manifest::Manifest;
use crate::manifest::selector::Selection;

/// The same selection, with the names of nodes in the place of columns.
pub fn resolve(context: &Context, workspace: &Workspace, selection: &Selection) -> Result<Selection, Exit> {
    let texts = || selection.select.iter().chain(&selection.exclude);
    if !texts().any(|text| text.contains("column:")) {
        return Ok(selection.clone());
    }
    let (_, lineage) = whole(context, workspace)?;
    let all = |texts: &[String]| -> Result<Vec<String>, Exit> {
        let criteria = texts.iter().flat_map(|text| text.split_whitespace());
        let lists = criteria.map(|criterion| alternatives(context, workspace, &lineage, criterion));
        Ok(lists.collect::<Result<Vec<_>, _>>()?.concat())
    };
    Ok(Selection { select: all(&selection.select)?, exclude: all(&selection.exclude)?, ..selection.clone() })
}

/// A criterion as criteria without columns: `column:a.x+,tag:t` is `a,tag:t b,tag:t`.
fn alternatives(
    context: &Context,
    workspace: &Workspace,
    lineage: &Lineage,
    criterion: &str,
) -> Result<Vec<String>, Exit> {
    let mut found = vec![String::new()];
    for atom in criterion.split(',') {
        let nodes = match atom.contains("column:") {
            true => nodes(context, workspace, lineage, atom)?,
            false => vec![atom.to_string()],
        };
        let longer = |start: &String| {
            let between = if start.is_empty() { "" } else { "," };
            nodes.iter().map(|node| format!("{start}{between}{node}")).collect::<Vec<_>>()
        };
        found = found.iter().flat_map(longer).collect();
    }
    Ok(found)
}

/// The node of a column, with `+` also those whose columns it is made of or goes into.
fn nodes(context: &Context, workspace: &Workspace, lineage: &Lineage, atom: &str) -> Result<Vec<String>, Exit> {
    let (up, rest) = atom.strip_prefix('+').map_or((false, atom), |rest| (true, rest));
    let (down, rest) = rest.strip_suffix('+').map_or((false, rest), |rest| (true, rest));
    let Some(column) = rest.strip_prefix("column:").filter(|column| !column.contains('+')) else {
        let help = "write `column:model.column`, with `+` before or after it for all of its lineage";
        context.error(Code::InvalidSelector, &format!("`{atom}` does not name a column"), Some(help));
        return Err(Exit::Unusable);
    };
    let start = start(context, workspace, lineage, column)?;
    let mut ids: BTreeSet<String> = start.iter().map(|column| column.node.clone()).collect();
    if up {
        ids.extend(lineage.upstream(&start).into_iter().map(|edge| edge.from.node));
    }
    if down {
        ids.extend(lineage.downstream(&start).into_iter().map(|edge| edge.to.node));
    }
    Ok(ids.iter().filter_map(|id| criterion_of(&workspace.manifest, id)).collect())
}

/// A criterion that chooses one node.
fn criterion_of(manifest: &Manifest, id: &str) -> Option<String> {
    let node = manifest.node(id).map(|node| format!("fqn:{}", node.fqn.join(".")));
    node.or_else(|| manifest.sources.get(id).map(|it| format!("source:{}.{}", it.source_name, it.name)))
}
