//! Turns the command line, and dbt's environment variables, into Arguments: what the user asks for, as types.

pub mod build;
pub mod check;
pub mod compare;
pub mod deps;
pub mod docs;
pub mod global;
pub mod ignored;
pub mod lakehouse;
pub mod publish;
pub mod sample;
pub mod selection;
pub mod state;

use std::ffi::{OsStr, OsString};
use std::io;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::arguments::build::{
    BuildOptions, CloneOptions, EmptyOptions, RefreshOptions, RetryOptions, RunOptions, SeedOptions, SnapshotOptions,
    TestOptions,
};
use crate::cli::arguments::check::{CheckOptions, LineageOptions};
use crate::cli::arguments::compare::CompareOptions;
use crate::cli::arguments::deps::DepsOptions;
use crate::cli::arguments::docs::DocsCommand;
use crate::cli::arguments::global::GlobalOptions;
use crate::cli::arguments::lakehouse::{HistoryOptions, OptimizeOptions, VacuumOptions};
use crate::cli::arguments::publish::{
    DiffOptions, HoldOptions, QuarantineCommand, RollbackOptions, RunsCommand, SchemaCommand, StatusOptions,
};
use crate::cli::arguments::selection::{ChoiceOptions, SelectOptions};

/// Turn a project of SQL `select`s into a tested warehouse
#[derive(Debug, Parser)]
#[command(
    name = "medal",
    bin_name = "medal",
    version,
    disable_version_flag = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
#[command(after_help = "Where an option is not given, dbt's environment variable for it counts, such as DBT_TARGET.")]
pub struct Arguments {
    /// Print the version
    #[arg(short = 'V', short_alias = 'v', long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    #[command(flatten)]
    pub global: GlobalOptions,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a project in a new folder
    Init(InitOptions),
    /// Check the project, the profile and the connection
    Debug(DebugOptions),
    /// Read the project and report every mistake in it
    Parse(ParseOptions),
    /// Type every model, and report what would fail, before anything runs
    Check(CheckOptions),
    /// Write the SQL of every model below `target/compiled`
    Compile(CompileOptions),
    /// Show where columns come from, and what is made of them
    Lineage(LineageOptions),
    /// List what a selection names
    #[command(name = "ls", visible_alias = "list")]
    List(ListOptions),
    /// Load CSV files into the warehouse
    Seed(SeedOptions),
    /// Build models
    Run(RunOptions),
    /// Take snapshots
    Snapshot(SnapshotOptions),
    /// Run data tests on what is built
    Test(TestOptions),
    /// Build seeds, snapshots and models, and test each before what depends on it
    Build(BuildOptions),
    /// Print rows of a model or a query
    Show(ShowOptions),
    /// Call a macro
    RunOperation(RunOperationOptions),
    /// Run again what failed or was skipped in the last run
    Retry(RetryOptions),
    /// Write the docs site of the project, or show it
    #[command(subcommand)]
    Docs(DocsCommand),
    /// Look at sources
    #[command(subcommand)]
    Source(SourceCommand),
    /// Look at the rows that tests have held back
    #[command(subcommand)]
    Quarantine(QuarantineCommand),
    /// Show how the rows of each model add up, and what is published of it
    Status(StatusOptions),
    /// Look at earlier runs
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Compare what is published of models with another version
    Diff(DiffOptions),
    /// Build on two targets, and tell which rows differ
    Compare(CompareOptions),
    /// Publish an earlier version of models again
    Rollback(RollbackOptions),
    /// List the versions of tables in a lakehouse
    History(HistoryOptions),
    /// Write the files of tables in a lakehouse anew, fewer and larger
    Optimize(OptimizeOptions),
    /// List, or delete, files in a lakehouse that no version needs any more
    Vacuum(VacuumOptions),
    /// Keep what is published of models as it is
    Hold(HoldOptions),
    /// Look at how the columns of models have changed, and approve what was refused
    #[command(subcommand)]
    Schema(SchemaCommand),
    /// Install the packages that `packages.yml` lists
    Deps(DepsOptions),
    /// Make views that point to what another run has built
    Clone(CloneOptions),
    /// Delete the folders that `clean-targets` names
    Clean(CleanOptions),
    /// Explain an error code, or list all of them
    Explain {
        /// The word in brackets of an error, for instance `unknown-ref`
        code: Option<String>,
    },
    /// Print a script that completes medal's arguments in a shell
    Completions { shell: Shell },
}

impl Command {
    /// Whether the command builds or tests nodes.
    pub fn runs_nodes(&self) -> bool {
        matches!(
            self,
            Command::Seed(_)
                | Command::Run(_)
                | Command::Snapshot(_)
                | Command::Test(_)
                | Command::Build(_)
                | Command::Clone(_)
                | Command::Retry(_)
                | Command::Source(_)
        )
    }

    /// The command's word, as dbt's artifacts name it.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Init(_) => "init",
            Command::Debug(_) => "debug",
            Command::Parse(_) => "parse",
            Command::Check(_) => "check",
            Command::Compile(_) => "compile",
            Command::Lineage(_) => "lineage",
            Command::List(_) => "list",
            Command::Seed(_) => "seed",
            Command::Run(_) => "run",
            Command::Snapshot(_) => "snapshot",
            Command::Test(_) => "test",
            Command::Build(_) => "build",
            Command::Show(_) => "show",
            Command::RunOperation(_) => "run-operation",
            Command::Retry(_) => "retry",
            Command::Docs(docs) => docs.name(),
            Command::Source(SourceCommand::Freshness(_)) => "source freshness",
            Command::Quarantine(_) => "quarantine",
            Command::Status(_) => "status",
            Command::Runs(_) => "runs",
            Command::Diff(_) => "diff",
            Command::Compare(_) => "compare",
            Command::History(_) => "history",
            Command::Optimize(_) => "optimize",
            Command::Vacuum(_) => "vacuum",
            Command::Rollback(_) => "rollback",
            Command::Hold(_) => "hold",
            Command::Schema(_) => "schema",
            Command::Deps(_) => "deps",
            Command::Clone(_) => "clone",
            Command::Clean(_) => "clean",
            Command::Explain { .. } => "explain",
            Command::Completions { .. } => "completions",
        }
    }
}

/// Reads the words of a command line, the program's name first. Without any other word the answer is the help text.
/// The flags of the project count where neither the words nor the environment say anything.
pub fn read(
    words: impl IntoIterator<Item = OsString>,
    flags: &[(&'static str, String)],
) -> Result<Arguments, clap::Error> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    if words.len() < 2 {
        words.push("--help".into());
    }
    let is_set = |name: &OsStr| std::env::var_os(name).is_some();
    let mut command = with_defaults(with_engine_names(Arguments::command(), &is_set), flags);
    let matches = command.try_get_matches_from_mut(words)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// dbt reads `DBT_ENGINE_TARGET` before `DBT_TARGET`, and so with every option.
fn with_engine_names(command: clap::Command, is_set: &dyn Fn(&OsStr) -> bool) -> clap::Command {
    let renamed = command.mut_args(|argument| {
        let old = argument.get_env().and_then(OsStr::to_str).and_then(|name| name.strip_prefix("DBT_"));
        match old.map(|name| OsString::from(format!("DBT_ENGINE_{name}"))).filter(|name| is_set(name)) {
            Some(name) => argument.env(name),
            None => argument,
        }
    });
    renamed.mut_subcommands(|subcommand| with_engine_names(subcommand, is_set))
}

/// The flags of the project, in the place of the options' own defaults.
fn with_defaults(command: clap::Command, flags: &[(&'static str, String)]) -> clap::Command {
    let changed = command.mut_args(|argument| {
        let flag = flags.iter().find(|(name, _)| *name == argument.get_id().as_str());
        match flag {
            Some((_, value)) => argument.default_value(OsString::from(value)),
            None => argument,
        }
    });
    changed.mut_subcommands(|subcommand| with_defaults(subcommand, flags))
}

/// Writes the completion script of a shell.
pub fn completions(shell: Shell, out: &mut dyn io::Write) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "medal", &mut script);
    // A closed pipe (`| head`) is no mistake of the user's.
    let _ = out.write_all(&script);
}

#[derive(Debug, Args)]
pub struct InitOptions {
    /// Name of the project and of its folder
    pub name: Option<String>,
    /// Do not write a profile
    #[arg(short, long)]
    pub skip_profile_setup: bool,
    /// Start from this template
    #[arg(long, value_name = "NAME")]
    pub template: Option<String>,
}

#[derive(Debug, Args)]
pub struct ParseOptions {
    /// Write how long it took into `target/perf_info.json`
    #[arg(long, overrides_with = "no_write_perf_info")]
    pub write_perf_info: bool,
    #[arg(long, hide = true)]
    no_write_perf_info: bool,
}

#[derive(Debug, Args)]
pub struct DebugOptions {
    /// Only try the connection
    #[arg(long)]
    pub connection: bool,
    /// Only print where `profiles.yml` is looked for
    #[arg(long)]
    pub config_dir: bool,
}

/// How rows or SQL are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    #[default]
    Text,
    Json,
}

/// Which nodes are compiled, and how.
#[derive(Debug, Default, Args)]
pub struct NodesOptions {
    #[command(flatten)]
    pub choice: ChoiceOptions,
    #[command(flatten)]
    pub refresh: RefreshOptions,
}

#[derive(Debug, Default, Args)]
pub struct CompileOptions {
    #[command(flatten)]
    pub nodes: NodesOptions,
    #[command(flatten)]
    pub empty: EmptyOptions,
    /// Compile this text, which may use Jinja
    #[arg(long, value_name = "SQL")]
    pub inline: Option<String>,
    /// Print SQL as text or as JSON
    #[arg(long, value_enum, default_value = "text", ignore_case = true, value_name = "FORM")]
    pub output: Output,
}

/// How nodes are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ListOutput {
    Name,
    Path,
    Json,
    #[default]
    Selector,
}

#[derive(Debug, Args)]
pub struct ListOptions {
    #[command(flatten)]
    pub choice: ChoiceOptions,
    /// Print each node as this
    #[arg(long, value_enum, default_value = "selector", ignore_case = true, value_name = "FORM")]
    pub output: ListOutput,
    /// Keys to print with `--output json`, for instance `name config.materialized`
    #[arg(long, num_args = 1.., value_delimiter = ' ', value_name = "KEY")]
    pub output_keys: Vec<String>,
}

#[derive(Debug, Args)]
pub struct ShowOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    #[command(flatten)]
    pub refresh: RefreshOptions,
    /// Run this query, which may use Jinja
    #[arg(long, value_name = "SQL", conflicts_with = "select")]
    pub inline: Option<String>,
    /// Print at most this many rows; a negative number means all
    #[arg(long, default_value_t = 5, allow_negative_numbers = true, value_name = "ROWS")]
    pub limit: i64,
    /// Print rows as a table or as JSON
    #[arg(long, value_enum, default_value = "text", ignore_case = true, value_name = "FORM")]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct RunOperationOptions {
    /// Name of the macro, or `package.macro`
    #[arg(value_name = "MACRO")]
    pub name: String,
    /// Arguments of the macro, as YAML: `{days: 3}`
    #[arg(long, value_name = "YAML", default_value = "{}", hide_default_value = true)]
    pub args: String,
}

/// What to do with sources.
#[derive(Debug, Subcommand)]
pub enum SourceCommand {
    /// Say which sources were not loaded for too long
    #[command(alias = "snapshot-freshness")]
    Freshness(FreshnessOptions),
}

#[derive(Debug, Args)]
pub struct FreshnessOptions {
    #[command(flatten)]
    pub selection: SelectOptions,
    /// Write the results into this file, instead of `target/sources.json`
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<std::path::PathBuf>,
}

#[derive(Debug, Args)]
pub struct CleanOptions {
    /// Accepted for dbt's sake: medal never deletes anything outside of the project
    #[arg(long, hide = true, alias = "no-clean-project-files-only")]
    clean_project_files_only: bool,
}

#[cfg(test)]
mod tests;
