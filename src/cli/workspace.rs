//! Loads, binds and checks a project for a command, and tells of every mistake in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::map::IndexSet;
use chrono::NaiveDate;
use serde_json::json;

use crate::adapter::{Adapter, AdapterError};
use crate::artifact::manifest::Sql;
use crate::artifact::{self, Invocation};
use crate::cli::arguments::state::StateOptions;
use crate::cli::columns;
use crate::cli::noted;
use crate::cli::pages;
use crate::cli::report::Reporter;
use crate::cli::state;
use crate::compile::microbatch::Request;
use crate::compile::session::{self, Deferral, Existing, Messages, Session, Silence, Warehouse};
use crate::compile::{CompiledNode, compile};
use crate::diagnostic::code::Code;
use crate::diagnostic::warnings::{Verdict, Warnings};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, nearest};
use crate::files::ProjectFiles;
use crate::jinja::JsonMap;
use crate::layer::classification::{self, Classified};
use crate::layer::reads::Reading;
use crate::layer::{self, pii, waivers};
use crate::manifest::builtin;
use crate::manifest::selection::NodeSet;
use crate::manifest::selection::{self, Scope};
use crate::manifest::selector::Selection;
use crate::manifest::{Kind, Manifest, Node, resolve};
use crate::notes::Notes;
use crate::project::{LoadRequest, Project, load};
use crate::{adapter, deps, manifest, parallel};

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Fine,
    /// A node failed, or the project has mistakes.
    Failed,
    /// The command could not be carried out.
    Unusable,
    /// A signal stopped the command; the exit code says which.
    Stopped(u8),
}

impl Exit {
    /// dbt's exit codes. Source: <https://docs.getdbt.com/reference/exit-codes>.
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Unusable => 2,
            Exit::Stopped(code) => code,
        }
    }
}

/// What every command has: where to look, where to speak, and what was asked for.
pub struct Context {
    pub files: Arc<ProjectFiles>,
    pub reporter: Arc<Reporter>,
    pub request: LoadRequest,
    pub invocation: Invocation,
    /// `flags` of Jinja.
    pub flags: JsonMap,
    pub target_path: Option<PathBuf>,
    pub write_json: bool,
    /// What becomes of warnings.
    pub warnings: Warnings,
    pub fail_fast: bool,
    /// What the command says about the batches of microbatch models.
    pub batches: Request,
    pub state: StateOptions,
    /// Set by a signal.
    pub stop: Arc<AtomicBool>,
    /// The exit code of that signal; 0 without one.
    pub signal: Arc<AtomicUsize>,
}

impl Context {
    /// Tells of a mistake that has no place in a file.
    pub fn error(&self, code: Code, message: &str, help: Option<&str>) {
        self.reporter.error(code, message, help);
    }

    /// Tells of a warning that has no place in a file, unless it is silenced; with one that counts as an error the
    /// command ends.
    pub fn warning(&self, problem: Diagnostic) -> Result<(), Exit> {
        let Some(problem) = self.warnings.judge(problem) else { return Ok(()) };
        self.reporter.diagnostic(&problem);
        if problem.severity == Severity::Error { Err(Exit::Unusable) } else { Ok(()) }
    }

    /// Sets a flag of Jinja, and the argument of the same name in the artifacts.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.flags.insert(name.to_string(), json!(value));
        self.invocation.args.insert(name.to_lowercase(), json!(value));
    }
}

/// A project that is bound and free of mistakes.
pub struct Workspace {
    pub project: Arc<Project>,
    pub manifest: Arc<Manifest>,
    pub target_dir: PathBuf,
    pub deferral: Deferral,
    /// What is known of the templates from earlier.
    pub notes: Arc<Notes>,
    /// The columns that hold personal data.
    pub classified: Arc<Classified>,
}

/// Reads and binds the project. Every mistake is told; with one of severity error the command ends.
pub fn open(context: &Context) -> Result<Workspace, Exit> {
    open_with(context, |_, _| ())
}

/// The same, with something to do when the project is read and not yet bound.
pub fn open_with(context: &Context, prepare: impl FnOnce(&Project, &Notes)) -> Result<Workspace, Exit> {
    builtin::read_ahead();
    let mut sink = Diagnostics::default();
    let request = LoadRequest { flags: context.flags.clone(), ..context.request.clone() };
    let Some(project) = load(&context.files, &request, &mut sink) else {
        tell(context, sink);
        return Err(Exit::Unusable);
    };
    let target_dir =
        context.target_path.clone().unwrap_or_else(|| context.files.root().join(&project.root().settings.target_path));
    let notes = Arc::new(noted::read(&target_dir));
    prepare(&project, &notes);
    let manifest = resolve(&project, &context.files, &notes, &mut sink);
    deps::consent::check(&project, &context.files, &mut sink);
    layer::verdicts(&manifest, &project.layers, today(context), &mut sink);
    context.reporter.add_secrets(project.secrets());
    let deferral = if context.state.defer { state::deferral(context, &manifest)? } else { Deferral::default() };
    let (project, manifest) = (Arc::new(project), Arc::new(manifest));
    // They are needed until the process ends, which gives their memory back at once; to take them apart takes longer.
    std::mem::forget((project.clone(), manifest.clone()));
    let mut workspace = Workspace { project, manifest, target_dir, deferral, notes, classified: Arc::default() };
    if !sink.has_errors() {
        workspace.classified = Arc::new(judge_queries(context, &workspace, &mut sink));
    }
    noted::write(context, &workspace.project, &workspace.target_dir, &workspace.notes);
    match tell(context, sink) {
        true => Err(Exit::Failed),
        false => Ok(workspace),
    }
}

/// Shows diagnostics; true if the command must not go on.
pub fn tell(context: &Context, sink: Diagnostics) -> bool {
    let problems = context.warnings.judge_all(sink);
    context.reporter.diagnostics(&problems);
    problems.iter().any(|problem| problem.severity == Severity::Error)
}

/// The day on which the command began, which waivers are measured by.
fn today(context: &Context) -> NaiveDate {
    context.invocation.started_at.date_naive()
}

/// Compiles the models of layers, to see what their queries do, and where personal data comes to. Models of raw layers are
/// compiled as they would be built now, the others as if nothing was there, so that no template asks the warehouse for
/// anything. A model that cannot be compiled so is told of when it is built.
fn judge_queries(context: &Context, workspace: &Workspace, sink: &mut Diagnostics) -> Classified {
    let layers = &workspace.project.layers;
    let manifest = &workspace.manifest;
    if !layers.enforced {
        return Classified::default();
    }
    let reading = Reading::new(&manifest.nodes, &manifest.sources, layers);
    let has_tags = classification::has_tags(manifest);
    let models = manifest.nodes.values().map(Box::as_ref);
    let models =
        models.filter(|node| matches!(node.kind, Kind::Model) || has_tags && matches!(node.kind, Kind::Snapshot));
    let models: Vec<&Node> = models.filter(|node| has_tags || reading.layer(node).is_some()).collect();
    let compiled = compile_quietly(context, workspace, &reading, &models);
    let target = &workspace.project.target;
    let home = [target.database.as_str(), target.schema.as_str()];
    let sql = models.iter().zip(&compiled).filter_map(|(node, it)| Some((node.id.as_str(), it.as_ref()?.sql.as_str())));
    let classified = match has_tags {
        true => classification::classify(&reading, manifest, &sql.collect(), home),
        false => Classified::default(),
    };
    for (node, compiled) in models.iter().zip(&compiled) {
        let place = |line, column| compiled.as_ref().and_then(|it| it.place_of(line, column));
        let mut found = match compiled {
            Some(compiled) => layer::query_verdicts(&reading, node, &compiled.sql, home, place),
            None => Vec::new(),
        };
        found.extend(reading.layer(node).into_iter().flat_map(|layer| pii::leaks(node, layer, &classified, place)));
        sink.extend(waivers::settle(node, today(context), found));
    }
    classified
}

/// Compiles models without a word.
fn compile_quietly(
    context: &Context,
    workspace: &Workspace,
    reading: &Reading<'_>,
    models: &[&Node],
) -> Vec<Option<CompiledNode>> {
    let session = |existing| {
        let mut session = session(context, workspace, &NodeSet::default());
        if let Some(session) = Arc::get_mut(&mut session) {
            session.messages = Arc::new(Silence);
            session.existing = existing;
            session.notes = Some(workspace.notes.clone());
        }
        session
    };
    let (as_is, empty) = (session(Existing::default()), session(Existing::nothing()));
    let warehouse = Arc::new(lazy_warehouse(workspace));
    let closed = Arc::new(Warehouse::lazy(|| Err(AdapterError::Connect("nothing is asked here".to_string()))));
    parallel::map(models, |node| {
        let is_raw = reading.layer(node).is_some_and(|layer| layer.raw);
        let (session, warehouse) = if is_raw { (&as_is, &warehouse) } else { (&empty, &closed) };
        compile(session, warehouse, node).ok()
    })
}

/// A session without a run, for rendering.
pub fn session(context: &Context, workspace: &Workspace, selected: &NodeSet) -> Arc<Session> {
    let messages: Arc<dyn Messages> = context.reporter.clone();
    let invocation = session::Invocation { id: context.invocation.id.clone(), started: context.invocation.started_at };
    let mut session = Session::new(
        context.files.clone(),
        workspace.project.clone(),
        workspace.manifest.clone(),
        context.flags.clone(),
        messages,
        selected.iter().cloned().collect(),
        invocation,
    );
    session.deferral = workspace.deferral.clone();
    session.warnings = context.warnings.clone();
    session.classified = workspace.classified.clone();
    Arc::new(session.with_batches(context.batches.clone()))
}

/// A way to the warehouse that is taken only if a template asks for it.
pub fn lazy_warehouse(workspace: &Workspace) -> Warehouse {
    let project = workspace.project.clone();
    Warehouse::lazy(move || adapter::connect(&project.target).map(Arc::from))
}

/// Opens the engine, or tells why it cannot be opened.
pub fn connect(context: &Context, workspace: &Workspace) -> Result<Arc<dyn Adapter>, Exit> {
    pages::large();
    let adapter: Arc<dyn Adapter> = adapter::connect(&workspace.project.target).map(Arc::from).map_err(|error| {
        context.error(Code::ConnectionFailed, &error.to_string(), None);
        Exit::Unusable
    })?;
    adapter.name_run(&context.invocation.id);
    interrupt_on_signal(context, &adapter);
    Ok(adapter)
}

/// Stops the engine's statements when a signal asks for it, also those of hooks and of `show`.
fn interrupt_on_signal(context: &Context, adapter: &Arc<dyn Adapter>) {
    let (signal, adapter) = (context.signal.clone(), Arc::downgrade(adapter));
    std::thread::spawn(move || {
        while let Some(adapter) = adapter.upgrade() {
            if signal.load(Ordering::Relaxed) != 0 {
                adapter.interrupt();
            }
            drop(adapter);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
}

/// A text of the command line as a node that belongs to no file, and its SQL.
pub fn inline(context: &Context, workspace: &Workspace, sql: &str) -> Result<(Node, CompiledNode), Exit> {
    let mut sink = Diagnostics::default();
    let node = manifest::inline::node(&workspace.project, &workspace.manifest, &context.files, sql, &mut sink);
    let Some(node) = node.filter(|_| !sink.has_errors()) else {
        tell(context, sink);
        return Err(Exit::Failed);
    };
    let session = session(context, workspace, &NodeSet::default());
    let warehouse = Arc::new(lazy_warehouse(workspace));
    compile(&session, &warehouse, &node).map(|compiled| (node, compiled)).map_err(|problem| {
        sink.push(problem);
        tell(context, sink);
        Exit::Failed
    })
}

/// Chooses nodes. A criterion that matches nothing is a warning; a selector that cannot be read ends the command.
pub fn select(
    context: &Context,
    workspace: &Workspace,
    selection: &Selection,
    types: &[&str],
) -> Result<NodeSet, Exit> {
    select_of(context, workspace, selection, types, types)
}

/// The same for a command for which `--resource-type all` stands for more than it works on by itself.
pub fn select_of(
    context: &Context,
    workspace: &Workspace,
    selection: &Selection,
    types: &[&str],
    all_types: &[&str],
) -> Result<NodeSet, Exit> {
    let package = &workspace.project.root().name;
    let state = state::read(context, workspace, selection)?;
    let selectors = &workspace.manifest.selectors;
    let scope = Scope { package, default_types: types, all_types, selectors, state: state.as_ref() };
    let selection = &columns::resolve(context, workspace, selection)?;
    match selection::select(&workspace.manifest, selection, scope) {
        Ok(selected) => {
            for criterion in &selected.unmatched {
                let message = format!("the selection `{criterion}` matches nothing");
                let names =
                    workspace.manifest.nodes.values().filter(|node| !node.is_test()).map(|node| node.name.as_str());
                let near = nearest(criterion, names).map(|near| format!("did you mean `{near}`?"));
                let problem = Diagnostic::warning(Code::NothingSelected, None, message);
                context.warning(Diagnostic { help: near, ..problem.event("NoNodesForSelectionCriteria") })?;
            }
            let event = if context.invocation.command == "list" { "NoNodesSelected" } else { "NothingToDo" };
            let is_told = selected.unmatched.is_empty() || context.warnings.of_event(event) == Verdict::Error;
            if selected.nodes.is_empty() && is_told {
                let message = match types {
                    [kind] => format!("the selection has no {kind}"),
                    _ => "nothing is selected".to_string(),
                };
                context.warning(Diagnostic::warning(Code::NothingSelected, None, message).event(event))?;
            }
            Ok(selected.nodes)
        }
        Err(error) => {
            context.error(Code::InvalidSelector, &error.message, error.help.as_deref());
            Err(Exit::Unusable)
        }
    }
}

/// Writes `manifest.json` and its empty companion.
pub fn write_manifest(context: &Context, workspace: &Workspace, sql: Sql) -> Result<(), Exit> {
    if !context.write_json {
        return Ok(());
    }
    let Workspace { project, manifest, target_dir, .. } = workspace;
    let secrets = project.secrets_in_files();
    let artifact = artifact::manifest::manifest_json(manifest, project, &context.files, &context.invocation, sql);
    let manifest_written = artifact::write::make_target(target_dir)
        .and_then(|()| artifact::write::write_json(&target_dir.join("manifest.json"), &artifact, &secrets));
    let semantic = target_dir.join("semantic_manifest.json");
    let written = manifest_written.and_then(|()| {
        artifact::write::write_json(&semantic, &artifact::semantic::semantic_manifest_json(manifest), &secrets)
    });
    written.map_err(|error| unwritable(context, &error))
}

/// Writes `perf_info.json`: how many files were read, and how long that took with all that follows from it.
pub fn write_perf_info(context: &Context, workspace: &Workspace, elapsed: std::time::Duration) -> Result<(), Exit> {
    let files = workspace.manifest.nodes.values().map(|node| &node.original_path).collect::<IndexSet<_>>().len();
    let perf_info = json!({
        "path_count": files,
        "parsed_path_count": files,
        "is_partial_parse_enabled": false,
        "load_all_elapsed": elapsed.as_secs_f64(),
        "projects": workspace.project.packages.keys().map(|name| json!({"project_name": name})).collect::<Vec<_>>(),
    });
    let path = workspace.target_dir.join("perf_info.json");
    artifact::write::write_json(&path, &perf_info, &[]).map_err(|error| unwritable(context, &error))
}

/// Tells that a file below the target folder cannot be written.
pub fn unwritable(context: &Context, error: &std::io::Error) -> Exit {
    let message = format!("cannot write to the target folder: {error}");
    context.error(Code::UnreadableFile, &message, None);
    Exit::Unusable
}
