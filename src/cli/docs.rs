//! `medal docs generate`: compiles the project, writes down what the warehouse has of it, and makes a site of both.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::map::IndexMap;

use crate::artifact;
use crate::artifact::manifest::Sql;
use crate::cli::arguments::docs::{DocsCommand, GenerateOptions};
use crate::cli::compile::{self, compile_all};
use crate::cli::selection;
use crate::cli::site;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::compile::session::Warehouse;
use crate::diagnostic::Diagnostics;
use crate::manifest::selection::NodeSet;
use crate::manifest::{Node, names};
use crate::run::catalog::{self, Catalog, RowCounts};
use crate::run::held::{self, Held};

pub fn docs(context: &Context, command: &DocsCommand) -> Result<Exit, Exit> {
    match command {
        DocsCommand::Generate(options) => generate(context, options),
        DocsCommand::Serve(options) => site::serve(context, options),
    }
}

/// What the command works on.
const KINDS: [&str; 6] = ["model", "snapshot", "seed", "test", "analysis", "source"];

/// As dbt, it writes no catalog of a project that cannot be compiled. Unlike dbt, it leaves the results of the last
/// run as they are.
fn generate(context: &Context, options: &GenerateOptions) -> Result<Exit, Exit> {
    let selection = selection(context, &options.selection)?;
    let workspace = workspace::open(context)?;
    let selected = workspace::select(context, &workspace, &selection, &KINDS)?;
    context.reporter.found(&workspace.manifest, &workspace.project);
    let compiled = if options.no_compile {
        workspace::write_manifest(context, &workspace, Sql::default())?;
        IndexMap::default()
    } else {
        let nodes = selected.iter().filter_map(|id| workspace.manifest.node(id)).filter(|node| node.is_compiled());
        let (compiled, results) = compile_all(context, &workspace, &nodes.collect::<Vec<&Node>>());
        compile::write(context, &workspace, &compiled)?;
        if results.failed() {
            return Ok(Exit::Failed);
        }
        compiled
    };
    let seen = match options.empty_catalog {
        true => Seen::default(),
        false => look(context, &workspace, &selected)?,
    };
    write_catalog(context, &workspace, &seen.catalog, &selected)?;
    site::write(context, &workspace, &compiled, &seen)?;
    Ok(Exit::Fine)
}

/// What the warehouse has of a project.
#[derive(Default)]
pub struct Seen {
    pub catalog: Catalog,
    pub rows: RowCounts,
    /// What is in quarantine, by unique id.
    pub held: BTreeMap<String, Held>,
}

fn look(context: &Context, workspace: &Workspace, selected: &NodeSet) -> Result<Seen, Exit> {
    let session = workspace::session(context, workspace, selected);
    let warehouse = Arc::new(Warehouse::open(workspace::connect(context, workspace)?));
    let manifest = &workspace.manifest;
    let built = manifest.nodes.values().filter(|node| names::has_relation(node)).map(|node| (&node.id, &node.relation));
    let received = manifest.sources.values().map(|source| (&source.id, &source.relation));
    let wanted = built.chain(received).filter(|(id, _)| selected.contains(*id)).map(|(_, relation)| relation);
    let catalog = catalog::read(&session, &warehouse, wanted).map_err(|problem| {
        let mut sink = Diagnostics::default();
        sink.push(problem);
        workspace::tell(context, sink);
        Exit::Failed
    })?;
    let rows = catalog::row_counts(&session, &warehouse);
    let models = manifest.nodes.values().map(AsRef::as_ref).filter(|node| selected.contains(&node.id));
    let held = held::held(&session, &warehouse, models);
    Ok(Seen { catalog, rows, held })
}

fn write_catalog(context: &Context, workspace: &Workspace, catalog: &Catalog, selected: &NodeSet) -> Result<(), Exit> {
    let artifact = artifact::catalog::catalog_json(catalog, &workspace.manifest, selected, &context.invocation);
    let path = workspace.target_dir.join("catalog.json");
    let secrets = workspace.project.secrets_in_files();
    artifact::write::write_json(&path, &artifact, &secrets).map_err(|error| workspace::unwritable(context, &error))?;
    context.reporter.note(&format!("Catalog written to {}", context.files.shown(&path)));
    Ok(())
}
