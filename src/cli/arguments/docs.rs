//! The options of `medal docs`.

use clap::{Args, Subcommand};

use crate::cli::arguments::SelectOptions;

/// What to do with the docs site.
#[derive(Debug, Subcommand)]
pub enum DocsCommand {
    /// Write catalog.json, and the SQL of every model, below the target folder
    Generate(GenerateOptions),
}

impl DocsCommand {
    pub fn name(&self) -> &'static str {
        match self {
            DocsCommand::Generate(_) => "docs generate",
        }
    }
}

#[derive(Debug, Args)]
pub struct GenerateOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    /// Do not compile: catalog.json only
    #[arg(long, overrides_with = "compile")]
    pub no_compile: bool,
    #[arg(long, hide = true)]
    compile: bool,
    /// Do not look into the warehouse: write a catalog.json without relations
    #[arg(long)]
    pub empty_catalog: bool,
    /// Accepted for dbt's sake
    #[arg(long = "static", hide = true)]
    pub single_file: bool,
}
