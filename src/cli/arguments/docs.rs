//! The options of `medal docs`.

use clap::{Args, Subcommand};

use crate::cli::arguments::selection::SelectOptions;

/// What to do with the docs site.
#[derive(Debug, Subcommand)]
pub enum DocsCommand {
    /// Write the docs site, index.json and catalog.json below the target folder
    Generate(GenerateOptions),
    /// Show the docs site in a browser, on this machine only
    Serve(ServeOptions),
}

impl DocsCommand {
    pub fn name(&self) -> &'static str {
        match self {
            DocsCommand::Generate(_) => "docs generate",
            DocsCommand::Serve(_) => "docs serve",
        }
    }
}

#[derive(Debug, Args)]
pub struct GenerateOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    /// Do not compile: the site shows SQL as it is written only
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

#[derive(Debug, Args)]
pub struct ServeOptions {
    /// The port; 0 takes any that is free
    #[arg(long, default_value_t = 8080, value_name = "NUMBER")]
    pub port: u16,
    /// An address of this machine itself
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub host: String,
    /// Do not open a browser
    #[arg(long, overrides_with = "browser")]
    pub no_browser: bool,
    #[arg(long, hide = true)]
    browser: bool,
}
