//! The options of the commands that look after the tables of a lakehouse.

use clap::Args;

use crate::cli::arguments::selection::SelectOptions;

/// Which tables.
#[derive(Debug, Clone, Args)]
pub struct TableOptions {
    /// The models, seeds or snapshots, as `--select` takes them
    #[arg(value_name = "MODEL")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub selection: SelectOptions,
}

impl TableOptions {
    /// What is selected, with the names as selections.
    pub fn selection(&self) -> SelectOptions {
        let select = self.selection.select.iter().chain(&self.names).cloned().collect();
        SelectOptions { select, ..self.selection.clone() }
    }
}

#[derive(Debug, Args)]
pub struct HistoryOptions {
    #[command(flatten)]
    pub tables: TableOptions,
    /// Show so many versions of each table, the newest first
    #[arg(long, default_value_t = 20, value_name = "VERSIONS")]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct OptimizeOptions {
    #[command(flatten)]
    pub tables: TableOptions,
    /// Put rows with near values of these columns into the same files
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub zorder: Vec<String>,
}

#[derive(Debug, Args)]
pub struct VacuumOptions {
    #[command(flatten)]
    pub tables: TableOptions,
    /// Keep the files of versions that are younger
    #[arg(long, default_value_t = 168, value_name = "HOURS")]
    pub retain: u64,
    /// Delete the files; without it they are only listed
    #[arg(long)]
    pub delete: bool,
}
