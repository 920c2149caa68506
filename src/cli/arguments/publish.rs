//! The options of models that are published.

use clap::Args;

#[derive(Debug, Clone, Default, Args)]
pub struct PublishOptions {
    /// Build and audit the models of layers, and leave what readers see as it is
    #[arg(long)]
    pub no_publish: bool,
    /// Publish this model although it has lost rows; may be repeated
    #[arg(long, value_name = "MODEL")]
    pub allow_shrink: Vec<String>,
}
