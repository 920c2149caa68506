//! The options of `check` and `lineage`, and of the check before a build.

use clap::{Args, ValueEnum};

use crate::cli::arguments::NodesOptions;

/// How lineage is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LineageOutput {
    #[default]
    Text,
    Json,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// Events for catalogs, one a line
    Openlineage,
}

#[derive(Debug, Args)]
pub struct LineageOptions {
    /// A model, seed, snapshot or `source.table`, or one column of it: `orders.total`
    #[arg(value_name = "MODEL[.COLUMN]")]
    pub column: String,
    /// Only where it comes from
    #[arg(long)]
    pub upstream: bool,
    /// Only what is made of it
    #[arg(long)]
    pub downstream: bool,
    /// Print a tree, JSON, or a drawing
    #[arg(long, value_enum, default_value = "text", ignore_case = true, value_name = "FORM")]
    pub output: LineageOutput,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckOutput {
    #[default]
    Text,
    Json,
    /// Annotations of a GitHub workflow
    Github,
    /// For a comment on a pull request
    Markdown,
}

#[derive(Debug, Args)]
pub struct CheckOptions {
    #[command(flatten)]
    pub nodes: NodesOptions,
    /// Print findings for people, as JSON, or as annotations of GitHub
    #[arg(long, value_enum, default_value = "text", ignore_case = true, value_name = "FORM")]
    pub output: CheckOutput,
}

/// Whether what is going to be built is checked first.
#[derive(Debug, Args)]
pub struct CheckFirstOptions {
    /// Check every type before anything is built; a project with `medal.yml` does so by itself
    #[arg(long, overrides_with = "no_check")]
    pub check: bool,
    /// Build without that check
    #[arg(long, overrides_with = "check")]
    pub no_check: bool,
}
