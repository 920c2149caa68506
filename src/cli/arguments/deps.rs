//! The options of `deps`.

use clap::{Args, ValueEnum};

/// Where an added package comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DepsSource {
    #[default]
    Hub,
    Git,
    Local,
}

#[derive(Debug, Args)]
pub struct DepsOptions {
    /// Choose the newest versions that fit, and accept what has changed
    #[arg(long)]
    pub upgrade: bool,
    /// Write `package-lock.yml` and install nothing
    #[arg(long)]
    pub lock: bool,
    /// Add this package to `packages.yml` first: `dbt-labs/dbt_utils@1.3.0`
    #[arg(long, value_name = "NAME@VERSION")]
    pub add_package: Option<String>,
    /// Where the added package comes from
    #[arg(long, value_enum, default_value = "hub", requires = "add_package")]
    pub source: DepsSource,
}
