use clap::{CommandFactory, Parser};

use crate::cli::arguments::selection::IndirectSelection;
use crate::cli::arguments::{Arguments, Command, ListOutput, read};

fn parse(line: &str) -> Arguments {
    Arguments::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(line: &str) -> clap::Error {
    Arguments::try_parse_from(line.split(' ')).expect_err("the line is wrong")
}

#[test]
fn the_declaration_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn options_of_every_command_stand_before_or_after_it() {
    for line in ["medal --target prod -d -x run", "medal run -t prod --debug --fail-fast"] {
        let global = parse(line).global;
        assert_eq!(global.target.as_deref(), Some("prod"));
        assert!(global.fail_fast() && global.debug() && !global.quiet());
    }
}

#[test]
fn a_switch_is_taken_back_by_its_opposite() {
    let global = parse("medal run --fail-fast --no-fail-fast --no-use-colors --no-write-json").global;
    assert!(!global.fail_fast() && !global.write_json());
    assert_eq!(global.colors(), Some(false));
    assert_eq!(parse("medal run --no-use-colors --use-colors").global.colors(), Some(true));
    assert_eq!(parse("medal run").global.colors(), None);
}

#[test]
fn a_selection_takes_several_words_and_repeats() {
    let Command::Run(run) = parse("medal run -s a+ tag:x --exclude b -s c -m d --models e --threads 3").command else {
        panic!("run is run");
    };
    assert_eq!(run.selection.select, ["a+", "tag:x", "c"]);
    assert_eq!(run.selection.models, ["d", "e"]);
    assert_eq!(run.selection.exclude, ["b"]);
}

#[test]
fn options_of_dbt_that_change_nothing_are_accepted() {
    parse("medal --no-version-check run --no-partial-parse --log-path logs --printer-width 100 --static-parser");
    parse("medal build --no-send-anonymous-usage-stats --populate-cache --cache-selected-only --no-print");
}

#[test]
fn options_that_medal_does_not_have_are_refused() {
    for line in ["medal run --stat x", "medal run --freshly", "medal ls --empty", "medal frobnicate"] {
        assert_eq!(refused(line).exit_code(), 2, "{line}");
    }
}

#[test]
fn a_misspelt_option_or_command_gets_a_suggestion() {
    assert!(refused("medal run --selct a").to_string().contains("--select"));
    assert!(refused("medal buld").to_string().contains("build"));
}

#[test]
fn lists_have_forms_kinds_and_keys() {
    let line = "medal list --resource-type model --resource-type seed --output JSON --output-keys name config.tags";
    let Command::List(list) = parse(line).command else { panic!("list is ls") };
    assert_eq!(list.choice.kinds.resource_type, ["model", "seed"]);
    assert_eq!(list.output, ListOutput::Json);
    assert_eq!(list.output_keys, ["name", "config.tags"]);
    assert_eq!(list.choice.indirect.indirect_selection, IndirectSelection::Eager);
}

#[test]
fn every_row_is_shown_with_a_negative_limit() {
    let Command::Show(show) = parse("medal show -s orders --limit -1").command else { panic!("show is show") };
    assert_eq!(show.limit, -1);
}

#[test]
fn no_word_at_all_shows_the_help() {
    let help = read(["medal".into()], &[]).expect_err("help is not a command");
    assert_eq!(help.exit_code(), 0);
    assert!(help.to_string().starts_with("Turn a project"));
}

#[test]
fn zero_threads_are_refused() {
    assert!(refused("medal run --threads 0").to_string().contains("a whole number from 1 is wanted"));
}

#[test]
fn the_version_is_one_line() {
    assert_eq!(refused("medal --version").to_string(), format!("medal {}\n", env!("CARGO_PKG_VERSION")));
}
