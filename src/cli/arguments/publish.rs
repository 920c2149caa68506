//! The options of models that are published.

use clap::{Args, Subcommand};

use crate::cli::arguments::SelectOptions;

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
