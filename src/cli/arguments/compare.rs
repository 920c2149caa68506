//! The options of `compare`.

use clap::{Args, ValueEnum};

use crate::cli::arguments::selection::SelectOptions;

#[derive(Debug, Args)]
pub struct CompareOptions {
    /// The other target of the profile
    #[arg(long, value_name = "TARGET")]
    pub with: String,
    #[command(flatten)]
    pub selection: SelectOptions,
    /// Compare what is there, without building it first
    #[arg(long)]
    pub no_build: bool,
    /// Leave out a column that differs with every run; may be repeated
    #[arg(long, value_name = "COLUMN")]
    pub ignore_column: Vec<String>,
    /// Show so many of the rows that only one target has
    #[arg(long, default_value_t = 5, value_name = "ROWS")]
    pub limit: usize,
    /// How to print the result
    #[arg(long, value_enum, default_value_t = CompareOutput::Text)]
    pub output: CompareOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareOutput {
    Text,
    Json,
}
