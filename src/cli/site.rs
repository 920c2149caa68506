//! Makes the docs site at the end of `medal docs generate`, and shows it: `medal docs serve`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, TcpListener};
use std::path::Path;

use crate::map::IndexMap;
use serde_json::{Value as Json, json};

use crate::adapter::relation::Relation;
use crate::artifact;
use crate::artifact::manifest::Sql;
use crate::cli::arguments::docs::ServeOptions;
use crate::cli::docs::Seen;
use crate::cli::lineage;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::compile::CompiledNode;
use crate::diagnostic::Diagnostics;
use crate::diagnostic::code::Code;
use crate::lineage::{Column, ColumnRef, Lineage};
use crate::project::load;
use crate::run::catalog;
use crate::site::serve::Server;
use crate::site::write::FOLDER;
use crate::site::{self, Facts};

/// Writes `index.json` and the site from the manifest and what earlier commands have written beside it.
pub fn write(
    context: &Context,
    workspace: &Workspace,
    compiled: &IndexMap<String, CompiledNode>,
    seen: &Seen,
) -> Result<(), Exit> {
    let Workspace { project, manifest, target_dir, .. } = workspace;
    let unwritable = |error| workspace::unwritable(context, &error);
    let sql = Sql { compiled: Some(compiled), ..Sql::default() };
    let artifact = artifact::manifest::manifest_json(manifest, project, &context.files, &context.invocation, sql);
    let artifact = serde_json::to_value(artifact).map_err(|error| unwritable(error.into()))?;
    let [catalog, results, freshness] = ["catalog", "run_results", "sources"].map(|name| last(target_dir, name));
    let layers = manifest.nodes.values().filter_map(|node| Some((node.id.as_str(), node.layer.as_deref()?)));
    let (_, lineage) = lineage::whole(context, workspace)?;
    let built = manifest.nodes.values().filter(|node| node.is_refable()).map(|node| (&node.id, &node.relation));
    let received = manifest.sources.values().map(|source| (&source.id, &source.relation));
    let counted = |(id, relation): (&String, &Relation)| Some((id.clone(), *seen.rows.get(&catalog::key(relation))?));
    let rows: BTreeMap<String, i64> = built.chain(received).filter_map(counted).collect();
    let facts = Facts {
        manifest: &artifact,
        catalog: &catalog,
        results: &results,
        runs: &artifact::history::read(target_dir),
        rows: rows.iter().map(|(id, rows)| (id.as_str(), *rows)).collect(),
        held: &seen.held,
        freshness: &freshness,
        layers: project.layers.layers.keys().map(String::as_str).collect(),
        layer_of: layers.collect(),
        column_lineage: column_lineage(&lineage),
    };
    site::write::write(target_dir, &facts, &project.secrets_in_files()).map_err(unwritable)?;
    let page = target_dir.join(FOLDER).join("index.html");
    context.reporter.note(&format!("Docs written to {}, which a browser opens", context.files.shown(&page)));
    Ok(())
}

/// Where the columns of each node come from, as `index.json` has it.
fn column_lineage(lineage: &Lineage) -> BTreeMap<&str, Json> {
    let pairs =
        |columns: &BTreeSet<ColumnRef>| columns.iter().map(|it| json!([it.node, it.column])).collect::<Vec<_>>();
    let column = |column: &Column| {
        (column.name.clone(), json!({"direct": pairs(&column.direct), "indirect": pairs(&column.indirect)}))
    };
    let of_node = |columns: &Vec<Column>| Json::Object(columns.iter().map(column).collect());
    lineage.nodes.iter().map(|(id, columns)| (id.as_str(), columns.as_ref().map_or(Json::Null, of_node))).collect()
}

/// What a command has written, if there is any.
fn last(target_dir: &Path, name: &str) -> Json {
    let text = std::fs::read(target_dir.join(format!("{name}.json")));
    text.ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or(Json::Null)
}

/// Shows the site until it is interrupted.
pub fn serve(context: &Context, options: &ServeOptions) -> Result<Exit, Exit> {
    let mut sink = Diagnostics::default();
    let project = load(&context.files, &context.request, &mut sink);
    let Some(project) = project.filter(|_| !sink.has_errors()) else {
        workspace::tell(context, sink);
        return Err(Exit::Unusable);
    };
    let root = context.files.root();
    let target_dir = context.target_path.clone().unwrap_or_else(|| root.join(&project.root().settings.target_path));
    let folder = target_dir.join(FOLDER);
    if !folder.join("index.html").is_file() {
        let message = format!("there is no docs site in `{}`", context.files.shown(&folder));
        context.error(Code::UnreadableFile, &message, Some("`medal docs generate` writes it"));
        return Err(Exit::Unusable);
    }
    let listener = listen(context, options)?;
    let server = Server::new(listener, folder).map_err(|error| unreachable_address(context, options, &error))?;
    let address = format!("http://{}", server.address());
    context.reporter.note(&format!("Docs at {address}, until Ctrl-C"));
    if !options.no_browser {
        // Without a browser the address is all that is needed.
        let _ = open::that_detached(&address);
    }
    server.run(&context.stop);
    Ok(Exit::Fine)
}

fn listen(context: &Context, options: &ServeOptions) -> Result<TcpListener, Exit> {
    let host = if options.host == "localhost" { "127.0.0.1" } else { &options.host };
    let address = host.parse().ok().filter(IpAddr::is_loopback);
    let Some(address) = address else {
        let message =
            format!("`{}` is no address of this machine itself, and docs are served on no other", options.host);
        let help = "leave `--host` out; to share the docs, put the folder `site` on a web server";
        context.error(Code::InvalidValue, &message, Some(help));
        return Err(Exit::Unusable);
    };
    TcpListener::bind((address, options.port)).map_err(|error| unreachable_address(context, options, &error))
}

fn unreachable_address(context: &Context, options: &ServeOptions, error: &std::io::Error) -> Exit {
    let message = format!("docs cannot be served on port {}: {error}", options.port);
    context.error(Code::ConnectionFailed, &message, Some("choose another with `--port`; 0 takes any that is free"));
    Exit::Unusable
}
