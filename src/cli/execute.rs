//! `run`, `test`, `seed`, `snapshot`, `clone` and `build`: plans the selected nodes, runs them, and writes down what happened.

use std::sync::Arc;

use crate::map::{IndexMap, IndexSet};
use serde_json::{Value as Json, json};

use crate::artifact::manifest::Sql;
use crate::artifact::{self, Invocation};
use crate::cli::arguments::build::{
    self, BuildOptions, CloneOptions, SeedOptions, SnapshotOptions, TestOptions, WindowOptions,
};
use crate::cli::arguments::check::CheckFirstOptions;
use crate::cli::arguments::publish::PublishOptions;
use crate::cli::arguments::sample::Sample;
use crate::cli::arguments::selection::ChoiceOptions;
use crate::cli::check::{CheckFirst, check_first};
use crate::cli::events;
use crate::cli::remembered;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::cli::{choice, selection};
use crate::compile::context;
use crate::compile::session::{Session, Warehouse};
use crate::compile::{CompiledNode, compile};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::layer::actions;
use crate::manifest::operations::Moment;
use crate::manifest::selection::NodeSet;
use crate::manifest::selector::Selection;
use crate::manifest::{Manifest, cdc, ingest, materializations};
use crate::plan::{Plan, PlanOptions, plan};
use crate::project::layers::Layers;
use crate::run::journal::Journal;
use crate::run::ledger;
use crate::run::{Outcome, RunOptions, RunResults, Status, exposures, hooks, node, run};

/// What a command works on.
#[derive(Debug, Clone, Copy)]
pub struct Mode {
    pub command: &'static str,
    pub types: &'static [&'static str],
    /// Tests hold back what is downstream of what they test.
    pub tests_gate: bool,
    pub check_first: CheckFirst,
}

pub const RUN: Mode = Mode { command: "run", types: &["model"], tests_gate: false, check_first: CheckFirst::Native };
pub const TEST: Mode =
    Mode { command: "test", types: &["test", "unit_test"], tests_gate: false, check_first: CheckFirst::Never };
pub const SEED: Mode = Mode { command: "seed", types: &["seed"], tests_gate: false, check_first: CheckFirst::Never };
pub const SNAPSHOT: Mode =
    Mode { command: "snapshot", types: &["snapshot"], tests_gate: false, check_first: CheckFirst::Never };
pub const BUILD: Mode = Mode {
    command: "build",
    types: &["model", "snapshot", "seed", "test", "unit_test", "exposure"],
    tests_gate: true,
    check_first: CheckFirst::Native,
};
pub const CLONE: Mode =
    Mode { command: "clone", types: &["model", "seed", "snapshot"], tests_gate: false, check_first: CheckFirst::Never };

impl Mode {
    pub fn of(command: &str) -> Option<Mode> {
        [RUN, TEST, SEED, SNAPSHOT, CLONE, BUILD].into_iter().find(|mode| mode.command == command)
    }

    fn checking(self, options: &CheckFirstOptions) -> Mode {
        Mode { check_first: self.check_first.asked(options), ..self }
    }
}

/// `medal seed`.
pub fn seed(context: &mut Context, options: &SeedOptions) -> Result<Exit, Exit> {
    context.flag("FULL_REFRESH", options.refresh.full_refresh);
    let selection = selection(context, &options.selection)?;
    execute(context, SEED, &selection)
}

/// `medal run`.
pub fn run_models(context: &mut Context, options: &build::RunOptions) -> Result<Exit, Exit> {
    context.flag("FULL_REFRESH", options.refresh.full_refresh);
    context.flag("EMPTY", options.empty.empty);
    set_window(context, &options.window)?;
    set_sample(context, options.sample.sample);
    set_publishing(context, &options.publish);
    let selection = selection(context, &options.selection)?;
    execute(context, RUN.checking(&options.check_first), &selection)
}

/// `medal snapshot`.
pub fn snapshot(context: &mut Context, options: &SnapshotOptions) -> Result<Exit, Exit> {
    context.flag("EMPTY", options.empty.empty);
    let selection = selection(context, &options.selection)?;
    execute(context, SNAPSHOT, &selection)
}

/// `medal test`.
pub fn test(context: &mut Context, options: &TestOptions) -> Result<Exit, Exit> {
    context.flag("STORE_FAILURES", options.store.store_failures);
    let selection = choice(context, &options.choice)?;
    execute(context, TEST, &selection)
}

/// `medal build`.
pub fn build(context: &mut Context, options: &BuildOptions) -> Result<Exit, Exit> {
    context.flag("FULL_REFRESH", options.refresh.full_refresh);
    context.flag("EMPTY", options.empty.empty);
    context.flag("STORE_FAILURES", options.store.store_failures);
    set_window(context, &options.window)?;
    set_sample(context, options.sample.sample);
    set_publishing(context, &options.publish);
    let selection = choice(context, &options.choice)?;
    execute(context, BUILD.checking(&options.check_first), &selection)
}

/// The options of the span, by dbt's names.
pub const WINDOW: [&str; 2] = ["event_time_start", "event_time_end"];

/// Takes over the span of event time that the command is for.
fn set_window(context: &mut Context, options: &WindowOptions) -> Result<(), Exit> {
    let refuse = |context: &Context, message: &str| {
        context.error(Code::InvalidValue, message, None);
        Exit::Unusable
    };
    context.batches.window = match (options.event_time_start, options.event_time_end) {
        (None, None) => None,
        (Some(start), Some(end)) if start < end => Some((start, end)),
        (Some(_), Some(_)) => return Err(refuse(context, "`--event-time-start` must lie before `--event-time-end`")),
        _ => return Err(refuse(context, "`--event-time-start` and `--event-time-end` are given together")),
    };
    for (name, time) in WINDOW.into_iter().zip([options.event_time_start, options.event_time_end]) {
        let time = json!(time.map(|time| time.format("%Y-%m-%dT%H:%M:%S").to_string()));
        context.invocation.args.insert(name.to_string(), time.clone());
        context.flags.insert(name.to_uppercase(), time);
    }
    Ok(())
}

/// Takes over the sample; the batches of microbatch models are those of its time.
fn set_sample(context: &mut Context, sample: Option<Sample>) {
    let Some(Sample { start, end }) = sample else { return };
    context.batches.window = Some((start, end));
    context.batches.sample = Some((start, end));
    let written = json!({"start": start.to_rfc3339(), "end": end.to_rfc3339()});
    context.invocation.args.insert("sample".to_string(), written.clone());
    context.flags.insert("SAMPLE".to_string(), written);
}

/// Takes over what the command says about publishing. dbt's flags have none of it, so neither have ours without it.
fn set_publishing(context: &mut Context, options: &PublishOptions) {
    if options.no_publish {
        context.flag("NO_PUBLISH", true);
    }
    if !options.allow_shrink.is_empty() {
        context.flags.insert("ALLOW_SHRINK".to_string(), json!(options.allow_shrink));
        context.invocation.args.insert("allow_shrink".to_string(), json!(options.allow_shrink));
    }
}

/// `medal clone`.
pub fn clone(context: &mut Context, options: &CloneOptions) -> Result<Exit, Exit> {
    context.flag("FULL_REFRESH", options.refresh.full_refresh);
    // A clone always reads another run's manifest.
    context.state.defer = true;
    let (selection, kinds) = (options.selection.clone(), options.kinds.clone());
    let selection = choice(context, &ChoiceOptions { selection, kinds, ..ChoiceOptions::default() })?;
    execute(context, CLONE, &selection)
}

fn execute(context: &Context, mode: Mode, selection: &Selection) -> Result<Exit, Exit> {
    let workspace = workspace::open(context)?;
    let selected = workspace::select(context, &workspace, selection, mode.types)?;
    execute_nodes(context, &workspace, mode, &selected)
}

/// Says before anything runs which models can never be built. A dbt project runs the others, as with dbt, and hears of
/// these when their turn comes.
fn foresee(context: &Context, workspace: &Workspace, plan: &Plan) -> Result<(), Exit> {
    let Workspace { project, manifest, .. } = workspace;
    let mut sink = Diagnostics::default();
    let nodes = plan.steps.iter().filter_map(|step| manifest.node(&step.node)).filter(|_| project.is_native());
    sink.extend(nodes.filter_map(|node| materializations::problem(&manifest.library, &project.target.kind, node)));
    sink.extend(actions::problems(manifest, &project.layers));
    for node in plan.steps.iter().filter_map(|step| manifest.node(&step.node)) {
        sink.extend(match node.materialized() {
            "ingest" => ingest::settings(manifest, node).err().unwrap_or_default(),
            "cdc" => cdc::settings(manifest, node).err().unwrap_or_default(),
            _ => Vec::new(),
        });
    }
    if workspace::tell(context, sink) { Err(Exit::Unusable) } else { Ok(()) }
}

/// What a model that was built now could not be built again for: dbt finds out only when its table is there.
fn hindsight(workspace: &Workspace, outcome: &Outcome) -> Option<Diagnostic> {
    let Workspace { project, manifest, .. } = workspace;
    let node = manifest.node(&outcome.node).filter(|_| outcome.status == Status::Success)?;
    let problem = materializations::problem(&manifest.library, &project.target.kind, node)?;
    Some(Diagnostic { severity: Severity::Warning, ..problem })
}

/// Plans and runs nodes.
pub fn execute_nodes(context: &Context, workspace: &Workspace, mode: Mode, selected: &NodeSet) -> Result<Exit, Exit> {
    let Workspace { project, manifest, target_dir, .. } = workspace;
    let together = context.flags.get("NO_PUBLISH") == Some(&Json::Bool(true));
    let options = PlanOptions { tests_gate: mode.tests_gate, together };
    let mut sink = Diagnostics::default();
    let layers = if mode.command == CLONE.command { &Layers::none() } else { &project.layers };
    let plan = plan(manifest, layers, selected.iter().map(String::as_str), options, &mut sink);
    if workspace::tell(context, sink) {
        return Err(Exit::Unusable);
    }
    context.reporter.found(manifest, project);
    if plan.steps.is_empty() {
        let mut results = RunResults::default();
        note_exposures(context, manifest, selected, &mut results);
        if !selected.is_empty() && results.outcomes.is_empty() {
            let message = format!("`{}` has nothing to do: ephemeral models are part of others", mode.command);
            context.warning(Diagnostic::warning(Code::NothingSelected, None, message))?;
        }
        context.reporter.note("Nothing to do");
        write(context, workspace, &results, &IndexMap::default())?;
        return Ok(Exit::Fine);
    }
    if mode.command != CLONE.command {
        foresee(context, workspace, &plan)?;
    }
    let checked = check_first(context, workspace, selected, mode.check_first)?;
    let adapter = workspace::connect(context, workspace)?;
    let session = workspace::session(context, workspace, selected);
    let warehouse = Arc::new(Warehouse::open(adapter.clone()));
    let exposures = selected.iter().filter(|id| manifest.exposures.contains_key(*id));
    let nodes: Vec<&str> = plan.steps.iter().map(|step| &step.node).chain(exposures).map(String::as_str).collect();
    let this_run = (context.invocation.id.as_str(), context.invocation.started_at);
    let arguments = Json::Object(remembered::arguments(&context.invocation.args, project));
    let journal = artifact::write::make_target(target_dir)
        .and_then(|()| Journal::start(target_dir, mode.command, &project.target.name, &arguments, this_run, &nodes))
        .map_err(|error| workspace::unwritable(context, &error))?;
    let stop_at = |problem| {
        let mut sink = Diagnostics::default();
        sink.push(problem);
        workspace::tell(context, sink);
        Exit::Failed
    };
    let planned = plan.steps.iter().filter_map(|step| manifest.node(&step.node));
    hooks::make_schemas(&session, &warehouse, planned.clone()).map_err(stop_at)?;
    ledger::prepare(&session, &warehouse, planned.clone()).map_err(stop_at)?;
    let record = |state| ledger::record_run(&session, &warehouse, planned.clone(), mode.command, state);
    record(("running", None)).map_err(stop_at)?;
    let started = hooks::run(&session, &warehouse, Moment::Start, &[], context.reporter.as_ref());

    let options =
        RunOptions { workers: project.target.threads, fail_fast: context.fail_fast, stop: context.stop.clone() };
    let mut results = match hold_back(&session, &started) {
        true => skip_all(manifest, &plan),
        false => run(&session, &adapter, &plan, &options, Some(&journal), context.reporter.as_ref()),
    };
    for outcome in &mut results.outcomes {
        let hindsight = hindsight(workspace, outcome).filter(|_| mode.command != CLONE.command);
        let told = std::mem::take(&mut outcome.diagnostics).into_iter().chain(hindsight);
        // How a node has ended is settled: a warning can only be silenced.
        outcome.diagnostics = told.filter(|problem| !context.warnings.silence(problem)).collect();
    }
    note_exposures(context, manifest, selected, &mut results);
    results
        .outcomes
        .iter()
        .filter(|outcome| manifest.exposures.contains_key(&outcome.node))
        .for_each(|outcome| journal.record(outcome));
    let written = journal.finish();

    let failed = started.iter().filter(|hook| hook.status == Status::Error);
    let told = end_context(&session, failed.chain(&results.outcomes));
    let ended = hooks::run(&session, &warehouse, Moment::End, &told, context.reporter.as_ref());
    results.outcomes.splice(0..0, started);
    results.outcomes.extend(ended);
    compile_unread(&session, &warehouse, selected);
    let inlined = session.all_inlined().into_iter().map(|compiled| (compiled.node.clone(), (*compiled).clone()));
    let built = results.outcomes.iter().filter_map(|outcome| Some((outcome.node.clone(), outcome.compiled.clone()?)));
    let compiled: IndexMap<String, CompiledNode> = built.chain(inlined).collect();
    context.reporter.summary(&workspace.manifest, &results);
    write(context, workspace, &results, &compiled)?;
    if let Some(checked) = checked.filter(|_| context.write_json) {
        events::write(context, workspace, &checked, &results)?;
    }
    written.map_err(|error| workspace::unwritable(context, &error))?;
    let exit = if results.failed() { Exit::Failed } else { Exit::Fine };
    let status = if results.interrupted {
        "interrupted"
    } else if results.failed() {
        "error"
    } else {
        "success"
    };
    record((status, Some(exit.code()))).map_err(stop_at)?;
    Ok(exit)
}

/// Compiles the selected ephemeral models that nothing has read, for their compiled SQL. One that cannot be compiled is
/// a problem of what will read it.
fn compile_unread(session: &Arc<Session>, warehouse: &Arc<Warehouse>, selected: &NodeSet) {
    let ephemeral = selected.iter().filter_map(|id| session.manifest.node(id)).filter(|node| node.is_ephemeral());
    for node in ephemeral.filter(|node| session.inlined(&node.id).is_none()) {
        if let Ok(compiled) = compile(session, warehouse, node) {
            session.remember_inlined(Arc::new(compiled));
        }
    }
}

/// Whether no node runs because a hook has failed: only if the project asks for it, as in dbt.
/// Source: <https://docs.getdbt.com/reference/global-configs/behavior-changes#failures-in-on-run-start-hooks>.
fn hold_back(session: &Session, started: &[Outcome]) -> bool {
    let flag = session.project.root().settings.flags.get("skip_nodes_if_on_run_start_fails");
    flag == Some(&Json::Bool(true)) && started.iter().any(|hook| hook.status != Status::Success)
}

fn skip_all(manifest: &Manifest, plan: &Plan) -> RunResults {
    let nodes = plan.steps.iter().filter_map(|step| manifest.node(&step.node));
    RunResults { outcomes: nodes.map(node::held_back).collect(), ..RunResults::default() }
}

/// Adds the selected exposures to the results.
fn note_exposures(context: &Context, manifest: &Manifest, selected: &NodeSet, results: &mut RunResults) {
    let noted = exposures::outcomes(manifest, selected, results);
    let total = results.outcomes.len() + noted.len();
    for (exposure, outcome) in noted {
        context.reporter.exposure(results.outcomes.len() + 1, total, exposure, &outcome);
        results.outcomes.push(outcome);
    }
}

/// `results` and `schemas` of `on-run-end`.
fn end_context<'r>(session: &Session, outcomes: impl Iterator<Item = &'r Outcome>) -> Vec<(&'static str, Json)> {
    let outcomes: Vec<&Outcome> = outcomes.collect();
    let manifest = &session.manifest;
    let result = |outcome: &&Outcome| {
        let exposure = || manifest.exposures.get(&outcome.node).map(context::exposure_json);
        let mut node = manifest.node(&outcome.node).map(|node| context::node_json(manifest, node)).or_else(exposure);
        if let (Some(Json::Object(node)), Some(compiled)) = (&mut node, &outcome.compiled) {
            node.insert("compiled".to_string(), json!(true));
            node.insert("compiled_code".to_string(), json!(compiled.sql));
        }
        let mut result = artifact::results::result_json(outcome, manifest);
        result["node"] = json!(node);
        result
    };
    let ended_well = |outcome: &&&Outcome| !outcome.status.is_bad() && outcome.status != Status::Skipped;
    let built = outcomes.iter().filter(ended_well).filter_map(|outcome| manifest.node(&outcome.node));
    let relations: Vec<_> =
        built.filter(|node| hooks::leaves_relation(session, node)).map(|node| &node.relation).collect();
    let schemas: IndexSet<_> = relations.iter().map(|relation| &relation.schema).collect();
    let pairs: IndexSet<_> = relations.iter().map(|relation| (&relation.database, &relation.schema)).collect();
    vec![
        ("results", Json::Array(outcomes.iter().map(result).collect())),
        ("schemas", json!(schemas)),
        ("database_schemas", json!(pairs)),
    ]
}

/// Writes the artifacts.
pub fn write(
    context: &Context,
    workspace: &Workspace,
    results: &RunResults,
    compiled: &IndexMap<String, CompiledNode>,
) -> Result<(), Exit> {
    if !context.write_json {
        return Ok(());
    }
    let secrets = workspace.project.secrets_in_files();
    let unwritable = |error: std::io::Error| workspace::unwritable(context, &error);
    for (id, compiled) in compiled {
        if let Some(node) = workspace.manifest.node(id) {
            artifact::sql::write_compiled(&workspace.target_dir, node, compiled, &secrets).map_err(unwritable)?;
        }
    }
    for outcome in &results.outcomes {
        let Some(node) = workspace.manifest.node(&outcome.node) else { continue };
        if let Some(sent) = &outcome.sent {
            artifact::sql::write_run(&workspace.target_dir, node, sent, &secrets).map_err(unwritable)?;
        }
        for batch in &outcome.batch_sql {
            artifact::sql::write_batch(&workspace.target_dir, node, batch, &secrets).map_err(unwritable)?;
        }
    }
    let args = remembered::arguments(&context.invocation.args, &workspace.project);
    let invocation = Invocation { args, ..context.invocation.clone() };
    let artifact = artifact::results::run_results_json(results, &workspace.manifest, &invocation);
    let path = workspace.target_dir.join("run_results.json");
    artifact::write::write_json(&path, &artifact, &secrets).map_err(unwritable)?;
    artifact::history::add(&workspace.target_dir, &invocation, results).map_err(unwritable)?;
    let mut sent: Vec<&str> =
        results.outcomes.iter().filter(|outcome| outcome.sent.is_some()).map(|outcome| outcome.node.as_str()).collect();
    sent.sort_unstable();
    workspace::write_manifest(context, workspace, Sql { compiled: Some(compiled), sent: &sent })
}
