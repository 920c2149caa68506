//! `medal show`: prints rows of a model, or of a query.

use std::sync::Arc;

use serde_json::json;

use crate::adapter::rows::{Cell, Rows};
use crate::cli::arguments::{Output, ShowOptions};
use crate::cli::report;
use crate::cli::report::told::EventName;
use crate::cli::selection;
use crate::cli::workspace::{self, Context, Exit};
use crate::compile::place::sql_problem;
use crate::compile::session::{Session, Warehouse};
use crate::compile::{CompiledNode, compile};
use crate::diagnostic::Diagnostics;
use crate::diagnostic::code::Code;
use crate::manifest::Node;
use crate::manifest::selection::NodeSet;

/// Runs the SQL of one node, or of `--inline`, and prints its first rows.
pub fn show(context: &mut Context, options: &ShowOptions) -> Result<Exit, Exit> {
    context.flag("FULL_REFRESH", options.refresh.full_refresh);
    let workspace = workspace::open(context)?;
    let adapter = workspace::connect(context, &workspace)?;
    let warehouse = Arc::new(Warehouse::open(adapter));
    if let Some(sql) = &options.inline {
        let (node, compiled) = workspace::inline(context, &workspace, sql)?;
        let session = workspace::session(context, &workspace, &NodeSet::default());
        return print(context, &session, &warehouse, &node, &compiled, options);
    }
    let selection = selection(context, &options.selection)?;
    let kinds = ["model", "seed", "snapshot", "analysis", "test"];
    let selected = workspace::select(context, &workspace, &selection, &kinds)?;
    let candidates: Vec<&Node> = selected.iter().filter_map(|id| workspace.manifest.node(id)).collect();
    let models: Vec<&Node> = candidates.iter().copied().filter(|node| !node.is_test()).collect();
    let nodes = if models.is_empty() { candidates } else { models };
    if options.selection.select.is_empty() || nodes.is_empty() {
        let message = "`show` needs to know what to show";
        context.error(Code::NothingSelected, message, Some("name a model with `--select`, or give `--inline SQL`"));
        return Err(Exit::Unusable);
    }
    let session = workspace::session(context, &workspace, &selected);
    for node in nodes {
        let compiled = match node.is_compiled() {
            true => compile(&session, &warehouse, node).map_err(|problem| refuse(context, problem))?,
            false => seed(node),
        };
        print(context, &session, &warehouse, node, &compiled, options)?;
    }
    Ok(Exit::Fine)
}

/// The query that shows a seed.
fn seed(node: &Node) -> CompiledNode {
    CompiledNode {
        node: node.id.clone(),
        relation: node.relation.clone(),
        sql: format!("from {}", node.relation),
        map: Default::default(),
        inlined: None,
        ctes: Vec::new(),
    }
}

fn refuse(context: &Context, problem: crate::diagnostic::Diagnostic) -> Exit {
    let mut sink = Diagnostics::default();
    sink.push(problem);
    workspace::tell(context, sink);
    Exit::Failed
}

/// Rows that say of what is personal no more than whether it is there.
fn veiled(mut rows: Rows, personal: &[String]) -> Rows {
    let is_hidden = |name: &str| personal.iter().any(|one| one == "*" || one == &name.to_lowercase());
    let hidden: Vec<bool> = rows.columns.iter().map(|column| is_hidden(&column.name)).collect();
    for row in &mut rows.rows {
        for (cell, _) in row.iter_mut().zip(&hidden).filter(|(cell, hidden)| **hidden && **cell != Cell::Null) {
            *cell = Cell::Text("***".to_string());
        }
    }
    rows
}

fn print(
    context: &Context,
    session: &Session,
    warehouse: &Warehouse,
    node: &Node,
    compiled: &CompiledNode,
    options: &ShowOptions,
) -> Result<Exit, Exit> {
    let limited = match options.limit {
        limit if limit < 0 => compiled.sql.clone(),
        limit => format!("from (\n{}\n) limit {limit}", compiled.sql),
    };
    let rows = warehouse.with(|connection| match connection.statement_count(&compiled.sql)? {
        1 => connection.query(&limited).map(Ok),
        count => Ok(Err(count)),
    });
    let rows: Rows = match rows {
        Ok(Ok(rows)) => rows,
        Ok(Err(count)) => {
            let message = format!("`show` runs one statement, and this is {count}");
            context.error(Code::ManyStatements, &message, None);
            return Err(Exit::Failed);
        }
        Err(error) => return Err(refuse(context, sql_problem(session, node, Some(compiled), &error, &limited))),
    };
    let rows = match node.is_test() {
        true => veiled(rows, &session.personal(node, &compiled.sql)),
        false => rows,
    };
    let named = options.inline.is_none().then_some(node);
    let (text, preview) = match options.output {
        Output::Text => (report::table(&rows), report::table(&rows)),
        Output::Json => {
            let rows = report::json_rows(&rows);
            (json!({"node": named.map_or("inline", |node| &node.name), "show": rows}).to_string(), rows.to_string())
        }
    };
    context.reporter.query(&node.id, &limited);
    context.reporter.preview(EventName::SHOW_NODE, named, &text, &preview);
    Ok(Exit::Fine)
}
