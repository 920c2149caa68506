//! The options that point to an earlier run, of this project or of the one that is in use.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

#[derive(Debug, Clone, Default, Args)]
pub struct StateOptions {
    /// Folder with the artifacts of an earlier run, for `state:`, `result:` and `--defer`
    #[arg(long, global = true, env = "DBT_STATE", value_name = "FOLDER", hide_env = true)]
    pub state: Option<PathBuf>,
    /// Folder with the manifest to defer to, instead of that of `--state`
    #[arg(long, global = true, env = "DBT_DEFER_STATE", value_name = "FOLDER", hide_env = true)]
    pub defer_state: Option<PathBuf>,
    /// Read what is neither selected nor built yet from where the other manifest has it
    #[arg(long, global = true, env = "DBT_DEFER", value_parser = FalseyValueParser::new(), hide_env = true)]
    #[arg(overrides_with = "no_defer")]
    pub defer: bool,
    #[arg(long, global = true, hide = true, overrides_with = "defer")]
    no_defer: bool,
    /// With `--defer`: also what is built already, if it is not selected
    #[arg(long, global = true, env = "DBT_FAVOR_STATE", value_parser = FalseyValueParser::new(), hide_env = true)]
    #[arg(overrides_with = "no_favor_state")]
    pub favor_state: bool,
    #[arg(long, global = true, hide = true, overrides_with = "favor_state")]
    no_favor_state: bool,
}
