//! `medal compare`: builds a selection on two targets, and tells relation by relation which rows differ.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::adapter::difference::{Difference, difference};
use crate::adapter::relation::Column;
use crate::adapter::rows::{Cell, Rows};
use crate::adapter::{Adapter, AdapterError};
use crate::cli::arguments::compare::{CompareOptions, CompareOutput};
use crate::cli::execute::{BUILD, execute_nodes};
use crate::cli::report;
use crate::cli::selection;
use crate::cli::workspace::{self, Context, Exit, Workspace};
use crate::diagnostic::code::Code;
use crate::manifest::Node;
use crate::manifest::selection::NodeSet;

const KINDS: [&str; 3] = ["model", "seed", "snapshot"];

/// One of the two targets, built.
struct Side {
    name: String,
    workspace: Workspace,
    adapter: Arc<dyn Adapter>,
    selected: NodeSet,
}

/// What there is to say of one relation.
struct Compared {
    name: String,
    rows: [usize; 2],
    difference: Difference,
}

/// Compares what is selected on the target and on another one. Failed if anything differs.
pub fn compare(context: &mut Context, options: &CompareOptions) -> Result<Exit, Exit> {
    let first = side(context, options)?;
    context.request.profile.target = Some(options.with.clone());
    context.target_path = Some(first.workspace.target_dir.join("compare"));
    let second = side(context, options)?;
    let ids = first.workspace.manifest.graph.ids().filter(|id| first.selected.contains(*id));
    let nodes = ids.filter_map(|id| Some((first.node(id)?, second.node(id)?)));
    let mut compared = Vec::new();
    for (one, other) in nodes {
        let (one, other) = (first.read(context, one)?, second.read(context, other)?);
        let difference = difference(&one.1, &other.1, &lower(&options.ignore_column), options.limit);
        compared.push(Compared { name: one.0, rows: [one.1.rows.len(), other.1.rows.len()], difference });
    }
    tell(context, options, [&first.name, &second.name], &compared);
    let equal = compared.iter().all(|relation| relation.difference.is_none());
    Ok(if equal { Exit::Fine } else { Exit::Failed })
}

/// Builds the selection on the target that the context has now.
fn side(context: &Context, options: &CompareOptions) -> Result<Side, Exit> {
    let workspace = workspace::open(context)?;
    let selection = selection(context, &options.selection)?;
    if !options.no_build {
        let built = workspace::select(context, &workspace, &selection, BUILD.types)?;
        // A test that fails says nothing of whether the rows are the same.
        execute_nodes(context, &workspace, BUILD, &built)?;
    }
    let selected = workspace::select(context, &workspace, &selection, &KINDS)?;
    let adapter = workspace::connect(context, &workspace)?;
    Ok(Side { name: workspace.project.target.name.clone(), workspace, adapter, selected })
}

impl Side {
    /// A node that is a relation here.
    fn node(&self, id: &str) -> Option<&Node> {
        self.workspace.manifest.node(id).filter(|node| !node.is_ephemeral())
    }

    /// The name and all rows of a relation.
    fn read(&self, context: &Context, node: &Node) -> Result<(String, Rows), Exit> {
        let relation = node.relation.render_name();
        let rows = self.rows(&relation).map_err(|error| {
            let message = format!("{relation} cannot be read on `{}`: {error}", self.name);
            context.error(Code::SqlError, &message, None);
            Exit::Failed
        })?;
        Ok((node.name.clone(), rows))
    }

    fn rows(&self, relation: &str) -> Result<Rows, AdapterError> {
        self.adapter.connect()?.query(&format!("select * from {relation}"))
    }
}

fn lower(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.to_lowercase()).collect()
}

fn tell(context: &Context, options: &CompareOptions, targets: [&str; 2], compared: &[Compared]) {
    if options.output == CompareOutput::Json {
        return context.reporter.data(&json(targets, compared).to_string());
    }
    context.reporter.data(&report::table(&overview(targets, compared)));
    for relation in compared {
        for (side, target) in targets.iter().enumerate() {
            let examples = &relation.difference.examples[side];
            if !examples.is_empty() {
                let columns = relation.difference.compared.iter().map(|name| column(name)).collect();
                let rows = Rows { columns, rows: examples.clone() };
                context.reporter.data(&format!("\n{}, only in {target}:\n{}", relation.name, report::table(&rows)));
            }
        }
    }
}

fn overview([first, second]: [&str; 2], compared: &[Compared]) -> Rows {
    let names = [
        "relation".to_string(),
        format!("rows in {first}"),
        format!("rows in {second}"),
        format!("only in {first}"),
        format!("only in {second}"),
        "columns of one only".to_string(),
    ];
    let rows = compared.iter().map(|relation| {
        let Difference { columns, rows, .. } = &relation.difference;
        let count = |count: usize| Cell::Int(count as i128);
        let counts = relation.rows.iter().chain(rows).map(|rows| count(*rows));
        let columns = Cell::Text(columns.concat().join(", "));
        std::iter::once(Cell::Text(relation.name.clone())).chain(counts).chain([columns]).collect()
    });
    Rows { columns: names.iter().map(|name| column(name)).collect(), rows: rows.collect() }
}

fn column(name: &str) -> Column {
    Column { name: name.to_string(), data_type: String::new() }
}

fn json(targets: [&str; 2], compared: &[Compared]) -> Json {
    let relations = compared.iter().map(|relation| {
        let Difference { columns, compared, rows, examples } = &relation.difference;
        let examples = examples.each_ref().map(|rows| {
            let columns = compared.iter().map(|name| column(name)).collect();
            report::json_rows(&Rows { columns, rows: rows.clone() })
        });
        json!({
            "relation": relation.name,
            "equal": relation.difference.is_none(),
            "rows": relation.rows,
            "only": rows,
            "columns_of_one_only": columns,
            "examples": examples,
        })
    });
    json!({"targets": targets, "relations": relations.collect::<Vec<_>>()})
}
