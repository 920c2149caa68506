//! `medal compile`: writes the SQL of the selected nodes below `target/compiled/`.

use std::sync::Arc;
use std::time::Instant;

use crate::map::IndexMap;
use serde_json::json;

use crate::artifact;
use crate::artifact::manifest::Sql;
use crate::cli::arguments::{CompileOptions, Output};
use crate::cli::choice;
use crate::cli::execute;
use crate::cli::remembered;
use crate::cli::report::problem::plural;
use crate::cli::report::told::EventName;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::compile::{self, CompiledNode};
use crate::diagnostic::Diagnostics;
use crate::manifest::Node;
use crate::run::outcome::Timer;
use crate::run::{Outcome, RunResults, Status};

const KINDS: [&str; 4] = ["model", "snapshot", "test", "analysis"];

/// Compiles what is selected, or the text of `--inline`. A single node is printed too.
pub fn compile(context: &mut Context, options: &CompileOptions) -> Result<Exit, Exit> {
    context.flag("FULL_REFRESH", options.nodes.refresh.full_refresh);
    context.flag("EMPTY", options.empty.empty);
    let workspace = workspace::open(context)?;
    if let Some(sql) = &options.inline {
        let (_, compiled) = workspace::inline(context, &workspace, sql)?;
        print(context, None, &compiled.sql, options.output);
        return Ok(Exit::Fine);
    }
    let selection = choice(context, &options.nodes.choice)?;
    let selected = workspace::select(context, &workspace, &selection, &KINDS)?;
    let nodes = selected.iter().filter_map(|id| workspace.manifest.node(id)).filter(|node| node.is_compiled());
    let nodes: Vec<&Node> = nodes.collect();
    let (compiled, results) = compile_all(context, &workspace, &nodes);
    execute::write(context, &workspace, &results, &compiled)?;
    let statuses = results.outcomes.iter().map(|outcome| (outcome.node.as_str(), outcome.status));
    remembered::note(context, &workspace, "compile", &statuses.collect::<Vec<_>>())?;
    let folder = context.files.shown(&workspace.target_dir.join("compiled"));
    context.reporter.note(&format!("Compiled {} to {folder}", plural(compiled.len(), "node")));
    if let ([node], Some(compiled)) = (nodes.as_slice(), compiled.values().next()) {
        print(context, Some(node), &compiled.sql, options.output);
    }
    Ok(if results.failed() { Exit::Failed } else { Exit::Fine })
}

/// Compiles nodes; every mistake is told.
pub fn compile_all(
    context: &Context,
    workspace: &Workspace,
    nodes: &[&Node],
) -> (IndexMap<String, CompiledNode>, RunResults) {
    let selected = nodes.iter().map(|node| node.id.clone()).collect();
    let session = workspace::session(context, workspace, &selected);
    let warehouse = Arc::new(workspace::lazy_warehouse(workspace));
    let mut sink = Diagnostics::default();
    let (mut compiled, mut outcomes) = (IndexMap::default(), Vec::new());
    let begin = Instant::now();
    for node in nodes {
        let timer = Timer::start(node, 1);
        match compile::compile(&session, &warehouse, node) {
            Ok(node) => {
                outcomes.push(Outcome { compiled: Some(node.clone()), ..timer.ended(Status::Success, None) });
                compiled.insert(node.node.clone(), node);
            }
            Err(problem) => {
                sink.push(problem.clone());
                outcomes.push(timer.failed(None, problem));
            }
        }
    }
    workspace::tell(context, sink);
    (compiled, RunResults { outcomes, elapsed: begin.elapsed(), interrupted: false })
}

/// Writes the SQL of compiled nodes, and the manifest with it.
pub fn write(context: &Context, workspace: &Workspace, compiled: &IndexMap<String, CompiledNode>) -> Result<(), Exit> {
    let secrets = workspace.project.secrets_in_files();
    for (id, compiled) in compiled {
        let Some(node) = workspace.manifest.node(id) else { continue };
        artifact::sql::write_compiled(&workspace.target_dir, node, compiled, &secrets)
            .map_err(|error| workspace::unwritable(context, &error))?;
    }
    workspace::write_manifest(context, workspace, Sql { compiled: Some(compiled), ..Sql::default() })
}

fn print(context: &Context, node: Option<&Node>, sql: &str, output: Output) {
    let text = match output {
        Output::Text => sql.to_string(),
        Output::Json => json!({"node": node.map_or("inline", |node| &node.name), "compiled": sql}).to_string(),
    };
    context.reporter.preview(EventName::COMPILED_NODE, node, &text, sql);
}
