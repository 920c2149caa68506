//! dbt's options that change nothing in medal. They are accepted, so that scripts written for dbt run.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

/// Switches, each also without its `no-`.
const SWITCHES: &[&str] = &[
    "no-cache-selected-only",
    "no-introspect",
    "no-log-cache-events",
    "no-macro-debugging",
    "no-partial-parse",
    "no-partial-parse-file-diff",
    "no-populate-cache",
    "no-send-anonymous-usage-stats",
    "no-show-all-deprecations",
    "no-show-resource-report",
    "no-single-threaded",
    "no-static-parser",
    "no-upload-to-artifacts-ingest-api",
    "no-use-colors-file",
    "no-use-experimental-parser",
    "no-use-fast-test-edges",
];

/// Options with a value.
const VALUES: &[&str] = &["partial-parse-file-path", "printer-width", "record-timing-info", "sqlparse"];

/// Nothing, read from many options.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignored;

impl Args for Ignored {
    fn augment_args(command: Command) -> Command {
        let switches = SWITCHES.iter().map(|name| {
            let positive = name.strip_prefix("no-").expect("every name of the list starts like that");
            hidden(name).alias(positive).action(ArgAction::Count)
        });
        let values = VALUES.iter().map(|name| hidden(name).action(ArgAction::Append));
        let values = values.map(|value| if value.get_id() == "record-timing-info" { value.short('r') } else { value });
        command.args(switches).args(values)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Ignored::augment_args(command)
    }
}

fn hidden(name: &'static str) -> Arg {
    Arg::new(name).long(name).hide(true).global(true)
}

impl FromArgMatches for Ignored {
    fn from_arg_matches(_: &ArgMatches) -> Result<Ignored, Error> {
        Ok(Ignored)
    }

    fn update_from_arg_matches(&mut self, _: &ArgMatches) -> Result<(), Error> {
        Ok(())
    }
}
