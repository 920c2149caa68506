//! `medal source freshness`: says which sources are too old, and writes it down in `sources.json`.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value as Json, json};

use crate::artifact;
use crate::artifact::manifest::Sql;
use crate::cli::arguments::FreshnessOptions;
use crate::cli::selection;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::compile::context::source_json;
use crate::compile::session::Warehouse;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::manifest::freshness::Threshold;
use crate::manifest::operations::Moment;
use crate::manifest::{Manifest, Source};
use crate::run::freshness::{Checked, FreshnessEvent, check};
use crate::run::hooks;

/// Checks the selected sources that have a `freshness`.
pub fn freshness(context: &mut Context, options: &FreshnessOptions) -> Result<Exit, Exit> {
    let selection = selection(context, &options.selection)?;
    let workspace = workspace::open(context)?;
    let selected = workspace::select(context, &workspace, &selection, &["source"])?;
    let Workspace { project, manifest, .. } = &workspace;
    let mut sources: Vec<&Source> = selected.iter().filter_map(|id| manifest.sources.get(id)).collect();
    sources.retain(|source| Threshold::of(source).is_some());
    sources.sort_by(|a, b| a.id.cmp(&b.id));
    context.reporter.found(manifest, project);
    if sources.is_empty() {
        context.reporter.note("Nothing to do: no source has a `freshness`");
        write(context, &workspace, options, &[], Instant::now())?;
        return Ok(Exit::Fine);
    }
    let adapter = workspace::connect(context, &workspace)?;
    let session = workspace::session(context, &workspace, &selected);
    let warehouse = Arc::new(Warehouse::open(adapter.clone()));
    let run_hooks = |moment: Moment, results: &[(&str, Json)]| match has_hooks(&workspace) {
        true => hooks::run(&session, &warehouse, moment, results, context.reporter.as_ref()),
        false => Vec::new(),
    };
    let begin = Instant::now();
    let started = run_hooks(Moment::Start, &[]);
    let tell = |event: &FreshnessEvent<'_>| context.reporter.freshness(event);
    let checked = check(&session, &adapter, &sources, project.target.threads, &context.stop, &tell);
    let results = json!(checked.iter().map(|checked| result(checked, manifest)).collect::<Vec<_>>());
    let told = [("results", results), ("schemas", json!([])), ("database_schemas", json!([]))];
    let ended = run_hooks(Moment::End, &told);
    let failed: Vec<Diagnostic> = started.into_iter().chain(ended).flat_map(|hook| hook.diagnostics).collect();
    context.reporter.freshness_summary(manifest, &checked, begin.elapsed());
    write(context, &workspace, options, &checked, begin)?;
    if !failed.is_empty() {
        let mut sink = Diagnostics::default();
        sink.extend(failed);
        workspace::tell(context, sink);
        return Ok(Exit::Failed);
    }
    let incomplete = checked.len() < sources.len();
    Ok(if incomplete || checked.iter().any(|checked| checked.verdict.is_bad()) { Exit::Failed } else { Exit::Fine })
}

/// A flag of dbt's project file keeps hooks out of this command.
fn has_hooks(workspace: &Workspace) -> bool {
    let flag = workspace.project.root().settings.flags.get("source_freshness_run_project_hooks");
    flag.and_then(Json::as_bool).unwrap_or(true)
}

/// A result as `on-run-end` sees it.
fn result(checked: &Checked, manifest: &Manifest) -> Json {
    json!({
        "node": manifest.sources.get(&checked.source).map(source_json),
        "unique_id": checked.source,
        "status": checked.verdict.name(),
        "message": checked.message,
        "failures": null,
        "execution_time": checked.elapsed.as_secs_f64(),
        "thread_id": format!("Thread-{} (worker)", checked.worker),
        "adapter_response": checked.response,
        "timing": [],
        "age": checked.age.map(|age| age.seconds()),
        "max_loaded_at": checked.age.map(|age| age.max_loaded_at.to_rfc3339()),
        "snapshotted_at": checked.age.map(|age| age.snapshotted_at.to_rfc3339()),
    })
}

fn write(
    context: &Context,
    workspace: &Workspace,
    options: &FreshnessOptions,
    checked: &[Checked],
    begin: Instant,
) -> Result<(), Exit> {
    let secrets = workspace.project.secrets_in_files();
    let artifact = artifact::sources::sources_json(checked, begin.elapsed(), &workspace.manifest, &context.invocation);
    let path = options.output.clone().unwrap_or_else(|| workspace.target_dir.join("sources.json"));
    if context.write_json || options.output.is_some() {
        let written = artifact::write::write_json(&path, &artifact, &secrets);
        written.map_err(|error| workspace::unwritable(context, &error))?;
    }
    workspace::write_manifest(context, workspace, Sql::default())
}
