//! The options of models that are published.

use clap::{Args, Subcommand};

use crate::cli::arguments::lakehouse::TableOptions;
use crate::cli::arguments::selection::SelectOptions;

#[derive(Debug, Clone, Default, Args)]
pub struct PublishOptions {
    /// Build and audit the models of layers, and leave what readers see as it is
    #[arg(long)]
    pub no_publish: bool,
    /// Publish this model although it has lost rows; may be repeated
    #[arg(long, value_name = "MODEL")]
    pub allow_shrink: Vec<String>,
}

/// What to do with rows in quarantine.
#[derive(Debug, Subcommand)]
pub enum QuarantineCommand {
    /// Count the rows of each model by status and reason
    List(QuarantineOptions),
    /// Print the rows that are open
    Show(QuarantineOptions),
    /// Give open rows to the next build of their model, under its tests of then
    Release(QuarantineOptions),
    /// Empty open rows; that there were such rows stays known
    Purge(QuarantineOptions),
}

#[derive(Debug, Args)]
pub struct QuarantineOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    /// Take only the rows for which this SQL condition holds
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
}

#[derive(Debug, Args)]
pub struct RollbackOptions {
    #[command(flatten)]
    pub tables: TableOptions,
    /// The version to go back to, or the id of the run that built it; the one before, if none is given
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,
    /// The version of the table in a lakehouse, as `medal history` shows it
    #[arg(long, conflicts_with = "to", value_name = "NUMBER")]
    pub to_version: Option<u64>,
    /// The last version in a lakehouse that this run wrote
    #[arg(long, conflicts_with_all = ["to", "to_version"], value_name = "RUN")]
    pub to_run: Option<String>,
}

#[derive(Debug, Args)]
pub struct HoldOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    /// Why nothing is to change
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Let builds change the models again
    #[arg(long, conflicts_with = "reason")]
    pub release: bool,
}

#[derive(Debug, Args)]
pub struct DiffOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    /// The version to compare with, or the id of the run that built it; the newest that is not read, if none is given
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
}

#[derive(Debug, Args)]
pub struct StatusOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
}

/// What to do with changes of columns.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Show every change, the oldest first
    Diff(StatusOptions),
    /// Let the change that was refused last be published by the next build
    Approve(ApproveOptions),
}

#[derive(Debug, Args)]
pub struct ApproveOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    /// Who says so, or why
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// What to tell of runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the last runs
    List {
        /// So many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show what a run has built
    Show {
        /// The id of the run, or how it begins; the last one, if none is given
        run: Option<String>,
        /// Show everything that happened, in the order of time
        #[arg(long)]
        timeline: bool,
    },
}
