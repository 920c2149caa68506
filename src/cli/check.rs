//! `medal check`: types every model before anything runs, and tells of what the engine would refuse.

use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde_json::json;

use crate::adapter::binder::Shadow;
use crate::adapter::relation::{Relation, RelationKind};
use crate::adapter::{self, AdapterError};
use crate::check::memory::Memory;
use crate::check::{Before, Checked, Look, Request, Unknown, check};
use crate::cli::arguments::check::{CheckFirstOptions, CheckOptions, CheckOutput};
use crate::cli::choice;
use crate::cli::noted;
use crate::cli::report::problem::plural;
use crate::cli::report::{findings, impact};
use crate::cli::state;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::compile::compile;
use crate::compile::session::{Existing, Session, Silence, Warehouse};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::impact::past::{Reading, past};
use crate::impact::{Change, Present, impact as compare};
use crate::jinja::Template;
use crate::lineage::lineage;
use crate::manifest::selection::NodeSet;
use crate::manifest::{Manifest, Node};
use crate::notes::Notes;
use crate::project::Project;

const KINDS: [&str; 4] = ["model", "snapshot", "seed", "test"];

/// Checks what is selected.
pub fn run_check(context: &mut Context, options: &CheckOptions) -> Result<Exit, Exit> {
    context.flag("FULL_REFRESH", options.nodes.refresh.full_refresh);
    let mut shadow = None;
    let workspace = workspace::open_with(context, |project, notes| shadow = ahead(project, notes))?;
    let selection = choice(context, &options.nodes.choice)?;
    let selected = workspace::select(context, &workspace, &selection, &KINDS)?;
    let checked = check_nodes(context, &workspace, selected, Before::Nothing, shadow.clone())?;
    shadow.iter().for_each(|shadow| shadow.leave());
    // The same holds for what was found out.
    let checked = ManuallyDrop::new(checked);
    let (problems, failed) = sorted(context, &checked);
    let manifest = &workspace.manifest;
    let changes = match &context.state.state {
        Some(folder) => Some(changes(context, &workspace, &checked, folder)?),
        None => None,
    };
    match options.output {
        CheckOutput::Text | CheckOutput::Markdown => {
            context.reporter.diagnostics(&problems);
            say_unknown(context, &workspace, &checked);
            let typed = checked.schemas.keys().filter(|id| manifest.node(id).is_some()).count();
            context.reporter.note(&format!("Checked {}", plural(typed, "relation")));
            if options.output == CheckOutput::Text {
                changes.iter().for_each(|changes| context.reporter.data(impact::text(manifest, changes).trim_end()));
            } else {
                context.reporter.data(markdown(context, manifest, &problems, changes.as_deref(), typed).trim_end());
            }
        }
        CheckOutput::Json => {
            let columns = checked.schemas.iter().map(|(id, schema)| {
                let columns = schema.columns.iter().map(|it| json!({"name": it.name, "data_type": it.data_type}));
                (id.clone(), columns.collect::<serde_json::Value>())
            });
            let is_test = |id: &str| manifest.node(id).is_some_and(|node| node.is_test());
            let json = json!({
                "findings": findings::json(&problems, &context.files),
                "unknown": checked.unknown.keys().filter(|id| !is_test(id)).collect::<Vec<_>>(),
                "columns": columns.collect::<serde_json::Map<_, _>>(),
                "changes": changes.map(|changes| impact::json(manifest, &changes)),
            });
            context.reporter.data(&json.to_string());
        }
        CheckOutput::Github => {
            let changes = changes.map(|changes| impact::github(manifest, &changes)).unwrap_or_default();
            let parts = [findings::github(&problems, &context.files), changes];
            parts.iter().filter(|part| !part.is_empty()).for_each(|part| context.reporter.data(part));
        }
    }
    Ok(if failed { Exit::Failed } else { Exit::Fine })
}

/// All that was found, to be pasted into a pull request.
fn markdown(
    context: &Context,
    manifest: &Manifest,
    problems: &[Diagnostic],
    changes: Option<&[Change]>,
    typed: usize,
) -> String {
    let found = match (problems.is_empty(), changes) {
        (true, None) => format!("Nothing was found in {}.", plural(typed, "relation")),
        _ => findings::markdown(problems, &context.files),
    };
    let changes = changes.map(|changes| impact::markdown(manifest, changes));
    let parts = [Some(found), changes].into_iter().flatten().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("\n")
}

/// What is not what it was in an earlier state.
fn changes(context: &Context, workspace: &Workspace, checked: &Checked, folder: &Path) -> Result<Vec<Change>, Exit> {
    let path = folder.join("manifest.json");
    let unreadable = |error: String| {
        let message = format!("the earlier state `{}` cannot be read: {error}", context.files.shown(&path));
        let help = "`--state` names a folder with a `manifest.json` that `medal compile` or `dbt compile` wrote";
        context.error(Code::UnreadableState, &message, Some(help));
        Exit::Unusable
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    let before: serde_json::Value = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let (manifest, target) = (&*workspace.manifest, &workspace.project.target);
    let modified = state::changes(context, workspace, &before);
    let compile = |node: &Node, text: &str| compile_text(context, workspace, node, text);
    let reading = Reading { manifest, checked, target, modified: &modified, compile: &compile };
    let past = past(&before, &reading).map_err(|error| unreadable(error.to_string()))?;
    let lineage = lineage(manifest, checked, &target.database);
    Ok(compare(&Present { manifest, checked, lineage: &lineage, modified: &modified }, &past))
}

/// The SQL of a node if it had another text; none if that asks the warehouse, or is wrong.
fn compile_text(context: &Context, workspace: &Workspace, node: &Node, text: &str) -> Option<String> {
    let mut session = workspace::session(context, workspace, &NodeSet::default());
    Arc::get_mut(&mut session)?.messages = Arc::new(Silence);
    let nowhere = || Err(AdapterError::Connect("nothing is asked here".to_string()));
    let template = Template::new(node.file, text.into()).ok()?;
    let node = Node { template: Some(Arc::new(template)), ..node.clone() };
    Some(compile(&session, &Arc::new(Warehouse::lazy(nowhere)), &node).ok()?.sql)
}

/// The engine that will be asked, which takes a while to open: it begins to when something new is found.
fn ahead(project: &Project, notes: &Notes) -> Option<Arc<dyn Shadow>> {
    // What is wrong with the target is told when the check begins.
    let shadow = adapter::shadow(&project.target).ok()?;
    let opened = shadow.clone();
    notes.when_new(move || opened.open());
    Some(shadow)
}

/// Checks nodes, or tells why they cannot be checked. The engine is opened unless it is there.
pub fn check_nodes(
    context: &Context,
    workspace: &Workspace,
    selected: NodeSet,
    before: Before,
    shadow: Option<Arc<dyn Shadow>>,
) -> Result<Checked, Exit> {
    let mut session = workspace::session(context, workspace, &selected);
    if let Some(session) = Arc::get_mut(&mut session).filter(|_| before == Before::Run) {
        // The run renders the same templates again, and says what they say.
        session.messages = Arc::new(Silence);
    }
    let target = &workspace.project.target;
    let engine = ["settings", "extensions", "config_options"].map(|key| json!(target.settings.get(key)).to_string());
    let notes = workspace.notes.clone();
    if let Some(session) = Arc::get_mut(&mut session) {
        session.notes = Some(notes.clone());
    }
    let memory = Memory::new(notes.clone(), format!("{} {} {}", target.kind, target.database, engine.join(" ")));
    let warehouse = Arc::new(look(context, workspace));
    let next = (before == Before::Nothing).then(|| next_run(context, workspace, &selected)).flatten();
    let request = Request { session, warehouse, selected, before, memory, shadow, next };
    let checked = check(&request).map_err(|error| {
        context.error(Code::ConnectionFailed, &error.to_string(), None);
        Exit::Unusable
    })?;
    noted::write(context, &workspace.project, &workspace.target_dir, &notes);
    Ok(checked)
}

/// A session of the run after the first one, which finds the tables of incremental models; none if there are no such models,
/// or if they are built from nothing.
fn next_run(context: &Context, workspace: &Workspace, selected: &NodeSet) -> Option<Arc<Session>> {
    let nodes = workspace.manifest.nodes.values().filter(|node| node.materialized() == "incremental");
    let tables: Vec<Relation> = nodes.map(|node| node.relation.clone().with_kind(RelationKind::Table)).collect();
    if tables.is_empty() || context.flags.get("FULL_REFRESH") == Some(&json!(true)) {
        return None;
    }
    let mut session = workspace::session(context, workspace, selected);
    let own = Arc::get_mut(&mut session)?;
    own.existing = Existing::of(tables);
    own.messages = Arc::new(Silence);
    Some(session)
}

/// Whether a command checks what it is going to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckFirst {
    Never,
    /// A native project does; another does nothing that dbt does not do.
    Native,
    Always,
}

impl CheckFirst {
    /// As the command line has it, if it says so.
    pub fn asked(self, options: &CheckFirstOptions) -> CheckFirst {
        match (options.check, options.no_check) {
            (true, _) => CheckFirst::Always,
            (_, true) => CheckFirst::Never,
            _ => self,
        }
    }
}

/// Checks nodes before they are built, and tells of all that is wrong; a mistake ends the command.
/// Gives what the check has found out.
pub fn check_first(
    context: &Context,
    workspace: &Workspace,
    selected: &NodeSet,
    when: CheckFirst,
) -> Result<Option<Checked>, Exit> {
    let checks = match when {
        CheckFirst::Never => false,
        CheckFirst::Native => workspace.project.is_native(),
        CheckFirst::Always => true,
    };
    if !checks {
        return Ok(None);
    }
    let mut checked = check_nodes(context, workspace, selected.clone(), Before::Run, None)?;
    match workspace::tell(context, std::mem::take(&mut checked.problems)) {
        true => {
            context.reporter.note("Nothing was built; `--no-check` builds without this check");
            Err(Exit::Failed)
        }
        false => Ok(Some(checked)),
    }
}

/// The warehouse, if it is there and can be looked at.
fn look(context: &Context, workspace: &Workspace) -> Look {
    let (reporter, project) = (context.reporter.clone(), workspace.project.clone());
    LazyLock::new(Box::new(move || {
        adapter::look(&project.target).unwrap_or_else(|error| {
            reporter.note(&format!("The warehouse is not looked at: {error}"));
            None
        })
    }))
}

/// The findings in the order of their places, and whether they are too bad to go on.
fn sorted(context: &Context, checked: &Checked) -> (Vec<Diagnostic>, bool) {
    let problems = context.warnings.clone().with_own().judge_all(checked.problems.clone());
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    (problems, failed)
}

/// Says once what is not known, where that begins, and how much hangs on it.
fn say_unknown(context: &Context, workspace: &Workspace, checked: &Checked) {
    let name = |id: &str| {
        workspace.manifest.sources.get(id).map_or_else(
            || workspace.manifest.node(id).map_or(id.to_string(), |node| node.name.clone()),
            |source| format!("{}.{}", source.source_name, source.name),
        )
    };
    let is_told = |id: &&String| workspace.manifest.node(id).is_none_or(|node| !node.is_test());
    for (id, why) in checked.unknown.iter().filter(|(id, _)| is_told(id)) {
        let why = match why {
            Unknown::Above(_) | Unknown::Broken => continue,
            Unknown::Asks => "its Jinja asks for rows or relations that only a run can tell".to_string(),
            Unknown::Undeclared => {
                "it is not in the warehouse, and no columns with `data_type` are declared".to_string()
            }
            Unknown::Materialization(own) => format!("the materialization `{own}` is the project's own"),
            Unknown::Relation(relation) => format!("it reads {relation} without `ref()`"),
            Unknown::Data => "its columns depend on rows".to_string(),
            Unknown::World(said) => said.clone(),
        };
        let below = checked.unknown.values().filter(|why| matches!(why, Unknown::Above(root) if root == id)).count();
        let below =
            if below == 0 { String::new() } else { format!("; {} below it not checked", plural(below, "node")) };
        context.reporter.note(&format!("The columns of `{}` are not known: {why}{below}", name(id)));
    }
}
