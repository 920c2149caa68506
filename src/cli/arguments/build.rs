//! The options of the commands that build or test nodes.

use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::FalseyValueParser;

use crate::cli::arguments::check::CheckFirstOptions;
use crate::cli::arguments::publish::PublishOptions;
use crate::cli::arguments::sample::SampleOptions;
use crate::cli::arguments::selection::{ChoiceOptions, KindOptions, SelectOptions};
use crate::manifest::microbatch::moment;

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct RefreshOptions {
    /// Build incremental models and seeds from nothing
    #[arg(short, long, env = "DBT_FULL_REFRESH", value_parser = FalseyValueParser::new(), hide_env = true)]
    pub full_refresh: bool,
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct EmptyOptions {
    /// Read no rows from refs and sources, to check that everything builds
    #[arg(long, env = "DBT_EMPTY", value_parser = FalseyValueParser::new(), hide_env = true)]
    #[arg(overrides_with = "no_empty")]
    pub empty: bool,
    #[arg(long, hide = true, overrides_with = "empty")]
    no_empty: bool,
}

/// Which batches of microbatch models a command builds.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct WindowOptions {
    /// Build the batches of microbatch models from this time on
    #[arg(long, env = "DBT_EVENT_TIME_START", value_name = "TIME", value_parser = time, hide_env = true)]
    pub event_time_start: Option<DateTime<Utc>>,
    /// Build the batches of microbatch models up to, and without, this time
    #[arg(long, env = "DBT_EVENT_TIME_END", value_name = "TIME", value_parser = time, hide_env = true)]
    pub event_time_end: Option<DateTime<Utc>>,
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    moment(text).ok_or_else(|| "a time is written as 2024-01-31 or 2024-01-31T12:00:00".to_string())
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct StoreOptions {
    /// Keep the rows that tests find in tables of their own
    #[arg(long, env = "DBT_STORE_FAILURES", value_parser = FalseyValueParser::new(), hide_env = true)]
    pub store_failures: bool,
}

#[derive(Debug, Args)]
pub struct SeedOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    #[command(flatten)]
    pub refresh: RefreshOptions,
    /// Print the first rows of each seed
    #[arg(long)]
    pub show: bool,
}

#[derive(Debug, Args)]
pub struct RunOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    #[command(flatten)]
    pub check_first: CheckFirstOptions,
    #[command(flatten)]
    pub refresh: RefreshOptions,
    #[command(flatten)]
    pub empty: EmptyOptions,
    #[command(flatten)]
    pub window: WindowOptions,
    #[command(flatten)]
    pub sample: SampleOptions,
    #[command(flatten)]
    pub publish: PublishOptions,
}

#[derive(Debug, Args)]
pub struct SnapshotOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    #[command(flatten)]
    pub empty: EmptyOptions,
}

#[derive(Debug, Args)]
pub struct TestOptions {
    #[command(flatten)]
    pub choice: ChoiceOptions,
    #[command(flatten)]
    pub store: StoreOptions,
}

#[derive(Debug, Args)]
pub struct BuildOptions {
    #[command(flatten)]
    pub choice: ChoiceOptions,
    #[command(flatten)]
    pub check_first: CheckFirstOptions,
    #[command(flatten)]
    pub refresh: RefreshOptions,
    #[command(flatten)]
    pub empty: EmptyOptions,
    #[command(flatten)]
    pub store: StoreOptions,
    #[command(flatten)]
    pub window: WindowOptions,
    #[command(flatten)]
    pub sample: SampleOptions,
    #[command(flatten)]
    pub publish: PublishOptions,
    /// Print the first rows of each seed
    #[arg(long)]
    pub show: bool,
}

#[derive(Debug, Args)]
pub struct CloneOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    #[command(flatten)]
    pub kinds: KindOptions,
    #[command(flatten)]
    pub refresh: RefreshOptions,
}

#[derive(Debug, Args)]
pub struct RetryOptions {
    #[command(flatten)]
    pub refresh: RefreshOptions,
}
