//! What the commands that look at published models, and change what is published, have in common.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::adapter::rows::Rows;
use crate::cli::arguments::selection::SelectOptions;
use crate::cli::report;
use crate::cli::report::told::EventName;
use crate::cli::selection;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::compile::session::{Session, Warehouse};
use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::layer::classification::Tagged;
use crate::manifest::Node;
use crate::run::ledger;

/// The published models of a selection, and a way to the warehouse.
pub struct Desk<'c> {
    context: &'c Context,
    pub workspace: Workspace,
    session: Arc<Session>,
    warehouse: Arc<Warehouse>,
    ids: Vec<String>,
}

impl<'c> Desk<'c> {
    /// Opens the warehouse, and its ledger, for the models of a selection that are published.
    pub fn open(context: &'c Context, options: &SelectOptions) -> Result<Desk<'c>, Exit> {
        Desk::open_for(context, options, &["model"])
    }

    /// The same for everything of these types that the ledger tells of.
    pub fn open_for(context: &'c Context, options: &SelectOptions, types: &[&str]) -> Result<Desk<'c>, Exit> {
        let workspace = workspace::open(context)?;
        let selection = selection(context, options)?;
        let selected = workspace::select(context, &workspace, &selection, types)?;
        let layers = &workspace.project.layers;
        let ids: Vec<String> =
            workspace.manifest.graph.ids().filter(|id| selected.contains(*id)).map(str::to_string).collect();
        let published = |id: &String| workspace.manifest.node(id).is_some_and(|node| ledger::keeps(node, layers));
        let ids: Vec<String> = ids.into_iter().filter(published).collect();
        if ids.is_empty() {
            let help = "a model is published if its project has layers, and it is in one: see docs/publish.md";
            context.error(Code::NothingSelected, "no model of the selection is published by medal", Some(help));
            return Err(Exit::Unusable);
        }
        let adapter = workspace::connect(context, &workspace)?;
        let session = workspace::session(context, &workspace, &selected);
        let warehouse = Arc::new(Warehouse::open(adapter));
        let desk = Desk { context, workspace, session, warehouse, ids };
        desk.prepare()?;
        Ok(desk)
    }

    fn prepare(&self) -> Result<(), Exit> {
        let nodes = self.nodes().into_iter();
        ledger::prepare(&self.session, &self.warehouse, nodes).map_err(|problem| self.refuse(problem))
    }

    /// The models, each after those that it reads.
    pub fn nodes(&self) -> Vec<&Node> {
        self.ids.iter().filter_map(|id| self.workspace.manifest.node(id)).collect()
    }

    /// The columns of a model that hold personal data: their names, or `*` for any of them.
    pub fn personal(&self, node: &Node) -> Vec<String> {
        self.workspace.classified.of(&node.id).map(Tagged::names).unwrap_or_default()
    }

    /// Tells of a problem.
    pub fn refuse(&self, problem: Diagnostic) -> Exit {
        let mut sink = Diagnostics::default();
        sink.push(problem);
        workspace::tell(self.context, sink);
        Exit::Failed
    }

    /// Calls a macro for a model.
    pub fn ask(&self, node: &Node, name: &str, arguments: &[Json]) -> Result<Json, Exit> {
        let arguments: Vec<&Json> = arguments.iter().collect();
        let answer = ledger::ask(&self.session, &self.warehouse, node, name, &arguments);
        answer.map_err(|problem| self.refuse(problem))
    }

    /// Calls a macro for every model, and gives the answers that are something.
    pub fn ask_all(&self, name: &str, arguments: impl Fn(&Node) -> Vec<Json>) -> Result<Vec<Json>, Exit> {
        let answers = self.nodes().into_iter().map(|node| self.ask(node, name, &arguments(node)));
        let answers = answers.collect::<Result<Vec<Json>, Exit>>()?;
        Ok(answers.into_iter().filter(|answer| !answer.is_null()).collect())
    }

    /// Does something in one transaction.
    pub fn at_once<T>(&self, work: impl FnOnce() -> Result<T, Exit>) -> Result<T, Exit> {
        let failed = |error: crate::adapter::AdapterError| {
            self.refuse(Diagnostic::error(Code::SqlError, None, error.to_string()))
        };
        self.warehouse.hold().map_err(failed)?;
        let done = work();
        self.warehouse.end_held(done.is_ok()).map_err(failed)?;
        done
    }

    /// Prints the rows of queries, one below the other; `none` if there are no queries.
    pub fn print(&self, queries: &[Json], none: &str) -> Result<Exit, Exit> {
        let queries: Vec<&str> = queries.iter().filter_map(Json::as_str).collect();
        if queries.is_empty() {
            self.context.reporter.note(none);
            return Ok(Exit::Fine);
        }
        let queries: Vec<String> = queries.iter().map(|query| format!("select * from ({query})")).collect();
        let sql = queries.join("\nunion all by name\n");
        let rows: Result<Rows, _> = self.warehouse.with(|connection| connection.query(&sql));
        match rows {
            Ok(rows) => {
                let (table, json) = (report::table(&rows), report::json_rows(&rows).to_string());
                self.context.reporter.preview(EventName::SHOW_NODE, None, &table, &json);
                Ok(Exit::Fine)
            }
            Err(error) => Err(self.refuse(Diagnostic::error(Code::SqlError, None, error.to_string()))),
        }
    }

    pub fn note(&self, text: &str) {
        self.context.reporter.note(text);
    }
}
