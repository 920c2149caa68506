//! `medal history`, `optimize` and `vacuum`: looks after the versions and the files of a lakehouse's tables, with the
//! statements that Delta Lake has for them.
//! Source: <https://docs.delta.io/latest/delta-utility.html>.

use crate::adapter::relation::{Column, identifier};
use crate::adapter::rows::{Cell, Rows};
use crate::adapter::{Adapter, AdapterError, Connection};
use crate::cli::arguments::lakehouse::{HistoryOptions, OptimizeOptions, TableOptions, VacuumOptions};
use crate::cli::arguments::publish::RollbackOptions;
use crate::cli::report;
use crate::cli::report::told::EventName;
use crate::cli::selection;
use crate::cli::workspace::{self, Context, Exit};
use crate::diagnostic::code::Code;
use crate::manifest::Node;

/// `medal history`.
pub fn history(context: &Context, options: &HistoryOptions) -> Result<Exit, Exit> {
    each(context, &options.tables, |connection, table| {
        let mut rows = connection.query(&format!("describe history {table}"))?;
        rows.rows.truncate(options.limit);
        Ok(rows)
    })
}

/// `medal optimize`.
pub fn optimize(context: &Context, options: &OptimizeOptions) -> Result<Exit, Exit> {
    let columns: Vec<String> = options.zorder.iter().map(|name| identifier(name)).collect();
    let order = if columns.is_empty() { String::new() } else { format!(" zorder by ({})", columns.join(", ")) };
    each(context, &options.tables, |connection, table| connection.query(&format!("optimize {table}{order}")))
}

/// `medal vacuum`.
pub fn vacuum(context: &Context, options: &VacuumOptions) -> Result<Exit, Exit> {
    let dry = if options.delete { "" } else { " dry run" };
    let retain = options.retain;
    let exit = each(context, &options.tables, |connection, table| {
        connection.query(&format!("vacuum {table} retain {retain} hours{dry}"))
    })?;
    if !options.delete {
        context.reporter.note("Nothing is deleted without `--delete`");
    }
    Ok(exit)
}

/// `medal rollback` to a version of the lakehouse's own.
pub fn restore(context: &Context, options: &RollbackOptions) -> Result<Exit, Exit> {
    each(context, &options.tables, |connection, table| {
        let version = match &options.to_run {
            None => options.to_version,
            Some(run) => version_of(&connection.query(&format!("describe history {table}"))?, run),
        };
        let Some(version) = version else {
            let run = options.to_run.as_deref().unwrap_or_default();
            let message = format!("no version of {table} was written by the run `{run}`: see `medal history`");
            return Err(AdapterError::Sql { message, at: None });
        };
        connection.query(&format!("restore table {table} to version as of {version}"))
    })
}

/// The newest version in a history that a run wrote.
fn version_of(history: &Rows, run: &str) -> Option<u64> {
    let place = |name: &str| history.columns.iter().position(|column| column.name == name);
    let (version, run_id) = (place("version")?, place("run_id")?);
    let written = history.rows.iter().filter(|row| row[run_id].text() == run);
    written.filter_map(|row| u64::try_from(row[version].as_int()?).ok()).max()
}

/// Does something with every selected table, and prints its rows as one table.
fn each(
    context: &Context,
    options: &TableOptions,
    work: impl Fn(&mut dyn Connection, &str) -> Result<Rows, AdapterError>,
) -> Result<Exit, Exit> {
    let workspace = workspace::open(context)?;
    let selection = selection(context, &options.selection())?;
    let selected = workspace::select(context, &workspace, &selection, &["model", "seed", "snapshot"])?;
    let adapter = workspace::connect(context, &workspace)?;
    refuse_others(context, adapter.as_ref())?;
    let failed = |error: AdapterError| {
        context.error(Code::SqlError, &error.to_string(), None);
        Exit::Failed
    };
    let mut connection = adapter.connect().map_err(failed)?;
    let is_table = |node: &&Node| !node.is_ephemeral() && node.materialized() != "view";
    let ids = workspace.manifest.graph.ids().filter(|id| selected.contains(*id));
    let tables: Vec<&Node> = ids.filter_map(|id| workspace.manifest.node(id)).filter(is_table).collect();
    if tables.is_empty() {
        let message = "no table of the lakehouse is selected";
        context.error(Code::NothingSelected, message, Some("views have no versions and no files of their own"));
        return Err(Exit::Unusable);
    }
    let mut all = Rows::default();
    for node in tables {
        let rows = work(connection.as_mut(), &node.relation.render_name()).map_err(failed)?;
        if all.columns.is_empty() {
            all.columns.push(Column { name: "table".to_string(), data_type: "VARCHAR".to_string() });
            all.columns.extend(rows.columns);
        }
        all.rows.extend(rows.rows.into_iter().map(|row| [vec![Cell::Text(node.name.clone())], row].concat()));
    }
    context.reporter.preview(EventName::SHOW_NODE, None, &report::table(&all), &report::json_rows(&all).to_string());
    Ok(Exit::Fine)
}

/// Refuses an engine whose tables have no versions and no files of their own.
fn refuse_others(context: &Context, adapter: &dyn Adapter) -> Result<(), Exit> {
    if adapter.is_lakehouse() {
        return Ok(());
    }
    let message =
        format!("the tables of a target of type `{}` have no versions and no files of their own", adapter.kind());
    let help = "take a target of type `datafusion`; `medal runs` and `medal diff` tell of what medal has published";
    context.error(Code::NotALakehouse, &message, Some(help));
    Err(Exit::Unusable)
}
