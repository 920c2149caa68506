//! The options that choose nodes.

use clap::{Args, ValueEnum};

/// Which nodes a command is about.
#[derive(Debug, Clone, Default, Args)]
pub struct SelectOptions {
    /// Take only these nodes: names, paths, `tag:`, `layer:`, with `+` for what is above or below
    #[arg(short, long, num_args = 1.., value_name = "SELECTION")]
    pub select: Vec<String>,
    /// dbt's older name of `--select`
    #[arg(short, long, alias = "model", num_args = 1.., value_name = "SELECTION", hide = true)]
    pub models: Vec<String>,
    /// Leave out these nodes
    #[arg(long, num_args = 1.., value_name = "SELECTION")]
    pub exclude: Vec<String>,
    /// Use a selection of `selectors.yml`
    #[arg(long, value_name = "NAME")]
    pub selector: Option<String>,
}

/// Which kinds of nodes a command is about; a repeated option adds to the others.
#[derive(Debug, Clone, Default, Args)]
pub struct KindOptions {
    /// Take only this kind of node
    #[arg(long, alias = "resource-types", env = "DBT_RESOURCE_TYPES", num_args = 1.., value_delimiter = ' ')]
    #[arg(value_name = "KIND", value_parser = KINDS, ignore_case = true, hide_env = true)]
    pub resource_type: Vec<String>,
    /// Leave out this kind of node
    #[arg(long, alias = "exclude-resource-types", env = "DBT_EXCLUDE_RESOURCE_TYPES", num_args = 1..)]
    #[arg(value_delimiter = ' ', value_name = "KIND", value_parser = KINDS, ignore_case = true)]
    #[arg(hide_env = true, hide_possible_values = true)]
    pub exclude_resource_type: Vec<String>,
}

/// dbt's words for the kinds of nodes, and for sets of them.
const KINDS: [&str; 14] = [
    "model",
    "seed",
    "snapshot",
    "test",
    "source",
    "exposure",
    "analysis",
    "all",
    "default",
    "unit_test",
    "metric",
    "semantic_model",
    "saved_query",
    "function",
];

/// How tests are chosen when their models are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum IndirectSelection {
    /// Every test that touches a selected node
    #[default]
    Eager,
    /// Only tests whose every parent is selected
    Cautious,
    /// Tests whose parents are selected, or are above what is selected
    Buildable,
    /// No test that is not named itself
    Empty,
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct IndirectOptions {
    /// Say which tests come along with the selected nodes
    #[arg(long, env = "DBT_INDIRECT_SELECTION", value_enum, default_value = "eager", ignore_case = true)]
    #[arg(value_name = "HOW", hide_env = true)]
    pub indirect_selection: IndirectSelection,
}

/// What the commands have that are about any nodes, and about the tests of those.
#[derive(Debug, Clone, Default, Args)]
pub struct ChoiceOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    #[command(flatten)]
    pub kinds: KindOptions,
    #[command(flatten)]
    pub indirect: IndirectOptions,
}
