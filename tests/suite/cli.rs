//! The command line: help, usage errors, formats, and that the README shows what medal prints.

use std::io::Seek;

use serde_json::Value as Json;

use crate::suite::support::{Project, dbt, repository};

/// A one-model project.
fn small() -> Project {
    dbt(&[("models/a.sql", "{{ config(materialized='table') }} select 1 as id")])
}

#[test]
fn help_names_every_command_and_fits_80_columns() {
    let project = Project::of(&[]);
    let help = project.ends(0, &["--help"]).stdout;
    assert_eq!(project.ends(0, &[]).stdout, help);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    let expected = [
        "init",
        "debug",
        "parse",
        "check",
        "compile",
        "lineage",
        "ls",
        "seed",
        "run",
        "snapshot",
        "test",
        "build",
        "show",
        "run-operation",
        "retry",
        "docs",
        "source",
        "quarantine",
        "status",
        "runs",
        "diff",
        "compare",
        "rollback",
        "history",
        "optimize",
        "vacuum",
        "hold",
        "schema",
        "deps",
        "clone",
        "clean",
        "explain",
        "completions",
    ];
    assert_eq!(commands, expected);
    for command in commands {
        let help = project.ends(0, &[command, "--help"]).stdout;
        assert!(help.contains(&format!("Usage: medal {command}")), "{help}");
    }
}

#[test]
fn the_version_is_the_packages() {
    assert_eq!(Project::of(&[]).ends(0, &["--version"]).stdout, format!("medal {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_command_line_that_cannot_be_read_ends_with_2_and_says_why() {
    let project = small();
    let cases: [(&[&str], &str); 8] = [
        (&["bild"], "unrecognized subcommand 'bild'"),
        (&["build", "--selct", "a"], "'--select'"),
        (&["build", "--threads", "many"], "many"),
        (&["build", "--vars", "[1, 2]"], "`--vars` is a mapping"),
        (&["build", "--vars", "{a: ["], "`--vars` cannot be read"),
        (&["run", "--target", "nowhere"], "unknown-profile"),
        (&["explain", "unknown-reff"], "did you mean `unknown-ref`?"),
        (&["ls", "-s", "tag:"], ""),
    ];
    for (arguments, said) in cases {
        let ran = project.medal(arguments);
        assert!(ran.stderr.contains(said), "{arguments:?}: {}", ran.all());
        assert!(ran.code == Some(2) || arguments[0] == "ls", "{arguments:?} ends with {:?}", ran.code);
    }
    assert_eq!(Project::of(&[]).medal(&["build"]).code, Some(2));
}

#[test]
fn explain_tells_of_one_code_or_lists_all() {
    let project = Project::of(&[]);
    let all = project.ends(0, &["explain"]).stdout;
    for code in medal::diagnostic::code::Code::ALL {
        assert!(all.contains(code.name()), "{}", code.name());
        let one = project.ends(0, &["explain", code.name()]).stdout;
        assert!(one.starts_with(code.name()) && one.lines().count() > 2, "{one}");
    }
}

#[test]
fn init_makes_a_project_that_builds() {
    let parent = Project::of(&[]);
    parent.ends(0, &["init", "shop"]);
    let ran = parent.ends(0, &["build", "--project-dir", "shop"]);
    assert!(ran.stderr.contains("ERROR=0 SKIP=0"), "{}", ran.all());
    let layers = parent.ends(0, &["ls", "--project-dir", "shop", "-s", "layer:gold", "--resource-type", "model"]);
    assert_eq!(layers.stdout, "shop.gold.customers\n");
    parent.ends(2, &["init", "shop"]);
    parent.ends(2, &["init", "../elsewhere"]);
}

#[test]
fn json_lines_carry_dbts_events() {
    let project = small();
    project.write("models/b.sql", "select nothing from {{ ref('a') }}");
    project.write("models/c.yml", "models: [{name: a, columns: [{name: id, data_tests: [unique]}]}]\n");
    let ran = project.ends(1, &["--log-format", "json", "build"]);
    let events: Vec<Json> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let named = |name: &str| events.iter().filter(|event| event["info"]["name"] == name).count();
    for event in &events {
        for key in ["name", "code", "level", "msg", "ts", "invocation_id", "pid", "thread", "category", "extra"] {
            assert!(event["info"].get(key).is_some(), "no `{key}` in {event}");
        }
        assert!(event["data"].is_object(), "{event}");
    }
    let names =
        ["MainReportVersion", "FoundStats", "ConcurrencyLine", "LogStartLine", "LogModelResult", "LogTestResult"];
    for (name, count) in names.iter().zip([1, 1, 1, 3, 2, 1]) {
        assert_eq!(named(name), count, "{name}");
    }
    assert_eq!((named("FinishedRunningStats"), named("EndOfRunSummary"), named("StatsLine")), (1, 1, 1));
}

#[test]
fn colours_are_for_those_who_want_them() {
    let project = small();
    let ran = |arguments: &[&str], no_color: Option<&str>| {
        let mut command = project.command(arguments);
        match no_color {
            Some(value) => command.env("NO_COLOR", value),
            None => command.env_remove("NO_COLOR"),
        };
        let output = command.output().expect("medal starts");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    assert!(!ran(&["build"], None).contains('\x1b'), "a pipe is no terminal");
    assert!(ran(&["build", "--use-colors"], None).contains('\x1b'));
    assert!(!ran(&["build", "--no-use-colors"], Some("1")).contains('\x1b'));
}

#[test]
fn quiet_tells_only_what_went_wrong() {
    let project = small();
    assert_eq!(project.ends(0, &["--quiet", "build"]).all(), "");
    project.write("models/a.sql", "select nothing as id from nowhere");
    assert!(project.ends(1, &["--quiet", "build"]).stderr.contains("error["));
}

#[test]
fn completions_are_printed_for_every_shell() {
    let project = Project::of(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = project.ends(0, &["completions", shell]).stdout;
        assert!(script.contains("run-operation"), "{shell}");
    }
}

#[test]
fn a_reader_who_stops_reading_is_no_panic() {
    let project = small();
    for arguments in [&["completions", "bash"][..], &["ls"], &["explain"], &["show", "-s", "a"], &["--help"]] {
        let mut command = project.command(arguments);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let mut child = command.spawn().expect("medal starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("medal ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn clean_deletes_what_a_build_left() {
    let project = small();
    project.ends(0, &["build"]);
    assert!(project.path().join("target/manifest.json").exists());
    project.ends(0, &["clean"]);
    assert!(!project.path().join("target").exists());
    assert!(project.path().join("shop.duckdb").exists());
    project.ends(0, &["clean"]);
}

#[test]
fn debug_tells_what_is_wrong_with_a_connection() {
    let project = small();
    project.ends(0, &["debug"]);
    project
        .write("profiles.yml", "shop: {target: dev, outputs: {dev: {type: duckdb, path: no/such/folder/x.duckdb}}}\n");
    let ran = project.medal(&["debug"]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.all().contains("no/such/folder"), "{}", ran.all());
}

#[test]
fn a_project_is_found_from_a_folder_below_it() {
    let project = small();
    let ran = project.command(&["ls"]).current_dir(project.path().join("models")).output().expect("medal starts");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "shop.a\n");
}

#[test]
fn dbts_environment_variables_count() {
    let project = small();
    project.write(
        "profiles.yml",
        "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb}\n    prod: {type: duckdb, path: prod.duckdb}\n",
    );
    let output = project.command(&["build"]).env("DBT_TARGET", "prod").env("DBT_TARGET_PATH", "out").output();
    assert!(output.expect("medal starts").status.success());
    assert!(project.path().join("prod.duckdb").exists() && project.path().join("out/manifest.json").exists());
}

/// A Markdown text with what each command of its `console` blocks prints now.
pub fn with_outputs(markdown: &str, mut run: impl FnMut(&str) -> String) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in markdown.lines() {
        let fence = line.starts_with("```");
        inside = if fence { !inside && line == "```console" } else { inside };
        let command = line.strip_prefix("$ ").filter(|_| inside);
        if fence || !inside || command.is_some() {
            text.push_str(line);
            text.push('\n');
        }
        text.push_str(&command.map(&mut run).unwrap_or_default());
    }
    text
}

/// The words of a command line, with quotes as a shell reads them.
pub fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in command.chars() {
        let last = words.last_mut().expect("there is always a word");
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, ' ') => words.push(String::new()),
            _ => last.push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The text with every time replaced: `12:00:01` by `00:00:00`, `0.25s` and `0.25 seconds` by `0.00…`.
pub fn without_times(text: &str) -> String {
    let clock = fancy_regex::Regex::new(r"\b\d\d:\d\d:\d\d\b").expect("the pattern is right");
    let seconds = fancy_regex::Regex::new(r"\b\d+\.\d\d(?=s\b| seconds\b)").expect("the pattern is right");
    let date = fancy_regex::Regex::new(r"\b20\d\d-\d\d-\d\d\b").expect("the pattern is right");
    let version = fancy_regex::Regex::new(r"\b(?:\w*__medal_)?[0-9a-f]{8}\b").expect("the pattern is right");
    let text = clock.replace_all(text, "00:00:00");
    let text = version.replace_all(&text, "VERSION");
    let text = date.replace_all(&text, "2000-01-01");
    let text = seconds.replace_all(&text, "0.00");
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Both outputs of a command, in the order in which a terminal would show them.
pub fn shown_by(project: &Project, arguments: &[&str]) -> String {
    let mut sink = tempfile::tempfile().expect("the system has a temporary folder");
    let other = || sink.try_clone().expect("a file can be shared");
    project.command(arguments).stdout(other()).stderr(other()).status().expect("medal starts");
    sink.rewind().expect("the file can be read again");
    std::io::read_to_string(sink).expect("medal prints text")
}

/// Set `UPDATE_README=1` to write what medal prints now into the README; read it before you commit.
#[test]
fn the_readme_shows_what_medal_prints() {
    let path = repository("README.md");
    let readme = std::fs::read_to_string(&path).expect("there is a README");
    let project = Project::copy_of("example_project");
    let mut commands = 0;
    let now = with_outputs(&readme, |command| {
        commands += 1;
        let words = words(command);
        assert_eq!(words[0], "medal", "`{command}` is not medal's");
        shown_by(&project, &words[1..].iter().map(String::as_str).collect::<Vec<_>>())
    });
    assert!(commands > 0, "the README shows no command");
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(&path, &now).expect("the README can be written");
    } else {
        let (shown, now) = (without_times(&readme), without_times(&now));
        let differ = shown.lines().zip(now.lines()).position(|(shown, now)| shown != now);
        assert!(
            shown == now,
            "README.md differs from what medal prints, first in line {:?} or at the end",
            differ.map(|at| at + 1)
        );
    }
}
