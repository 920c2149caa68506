//! Kills, signals, full disks and second writers.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::suite::support::{Project, Ran, dbt};

/// What is waited for comes long before, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(180);

/// Six tables in a row, each as large as the first and all of one generation, and a view at the end.
fn generations() -> Project {
    let rows = "{{ config(materialized='table') }} select {{ var('generation', 0) }} as generation, i from range(60000) as t(i)";
    let copy = |of: &str| format!("{{{{ config(materialized='table') }}}} select * from {{{{ ref('{of}') }}}}");
    let project = dbt(&[("models/t0.sql", rows)]);
    for n in 1..6 {
        project.write(&format!("models/t{n}.sql"), &copy(&format!("t{}", n - 1)));
    }
    project.write(
        "models/inc.sql",
        "{{ config(materialized='incremental', unique_key='i') }} select * from {{ ref('t5') }}",
    );
    project
        .write("models/all.yml", "models:\n  - name: t3\n    columns: [{name: i, data_tests: [unique, not_null]}]\n");
    project
}

const TABLES: [&str; 7] = ["t0", "t1", "t2", "t3", "t4", "t5", "inc"];

fn vars(generation: u32) -> String {
    format!("generation: {generation}")
}

/// The generation of each table; panics if a table is not exactly one.
fn generation_of_each(project: &Project) -> Vec<String> {
    let one = |name: &&str| {
        format!(
            "select '{name}' as name, min(generation) as first, max(generation) as last, count(*) as rows, count(distinct i) as ids from {name}"
        )
    };
    let shown = project.query(&TABLES.iter().map(one).collect::<Vec<_>>().join(" union all "));
    let mut generations = Vec::new();
    for line in shown.lines() {
        let [_, first, last, rows, ids] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert_eq!((first, rows, ids), (last, "60000", "60000"), "a torn table: {line}");
        generations.push(first.to_string());
    }
    generations
}

fn start(project: &Project, arguments: &[&str]) -> Child {
    let mut command = project.command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("medal starts")
}

fn signal(child: &Child, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(child.id()).expect("an id of a process fits"));
    kill(id, signal).expect("the process takes signals");
}

fn end(child: Child) -> Ran {
    Ran::from(child.wait_with_output().expect("medal ends"))
}

#[test]
fn a_kill_at_any_moment_leaves_whole_tables_and_a_retry_finishes() {
    let project = generations();
    let begin = Instant::now();
    project.ends(0, &["build", "--vars", &vars(1)]);
    let whole = begin.elapsed();
    let mut killed = 0;
    for attempt in 0..60_u32 {
        if killed == 20 {
            return;
        }
        let generation = attempt + 2;
        std::fs::remove_dir_all(project.path().join("target")).expect("the last build left its results");
        let mut child = start(&project, &["build", "--vars", &vars(generation)]);
        // Moments spread over the build by a fixed stride that is coprime to their number.
        std::thread::sleep(whole * ((attempt * 7) % 24) / 24);
        killed += u32::from(child.try_wait().expect("medal can be waited for").is_none());
        child.kill().expect("a process can be killed");
        end(child);
        let found = generation_of_each(&project);
        let journal = std::fs::read_to_string(project.path().join("target/journal.jsonl")).unwrap_or_default();
        let began = journal.contains('\n');
        assert!(began || !found.contains(&generation.to_string()), "a table was built before the journal began");
        let again = if began && attempt % 2 == 0 { "retry" } else { "build" };
        project.ends(0, &[again, "--vars", &vars(generation)]);
        assert_eq!(generation_of_each(&project), vec![generation.to_string(); TABLES.len()], "after {again}");
        let left =
            project.query("select count(*) as n from duckdb_tables() where table_name like '%\\_\\_%' escape '\\'");
        assert_eq!(left, "0", "a build left helper tables");
    }
    panic!("only {killed} of 60 builds were still running when they were killed");
}

/// A query that would take minutes, after a node that ends at once and before one that waits.
fn endless() -> Project {
    dbt(&[
        ("models/first.sql", "{{ config(materialized='table') }} select 1 as id"),
        (
            "models/long.sql",
            "-- depends_on: {{ ref('first') }}\n{{ config(materialized='table') }}\n\
             select count(*) as n from range(100000000) as a(x), range(100000000) as b(y) where (x * y) % 7 = 3",
        ),
        ("models/last.sql", "select * from {{ ref('long') }}"),
    ])
}

#[test]
fn a_signal_stops_a_long_query_and_the_journal_is_complete() {
    for (stop, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let project = endless();
        let child = start(&project, &["build"]);
        let journal = project.path().join("target/journal.jsonl");
        let waiting = Instant::now();
        while !std::fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"status\"")) {
            assert!(waiting.elapsed() < PATIENCE, "the first node never ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(100));
        let begin = Instant::now();
        signal(&child, stop);
        let ran = end(child);
        assert!(begin.elapsed() < PATIENCE, "{stop} took {:?}", begin.elapsed());
        assert_eq!(ran.code, Some(code), "{}", ran.all());
        assert_eq!(project.outcomes(), ["first success", "last skipped", "long error"]);
        let journal = project.read("target/journal.jsonl");
        assert!(journal.contains("{\"node\":\"model.shop.first\",\"status\":\"success\"}"), "{journal}");
        assert!(!journal.contains("{\"node\":\"model.shop.last\",\"status\":\"success\"}"), "{journal}");
        project.write("models/long.sql", "-- depends_on: {{ ref('first') }}\nselect 5 as n");
        project.ends(0, &["retry"]);
        assert_eq!(project.outcomes(), ["last success", "long success"]);
        assert_eq!(project.query("select * from last"), "5");
    }
}

#[test]
fn a_target_folder_that_cannot_be_written_leaves_the_warehouse_alone() {
    let project = generations();
    project.ends(0, &["build", "--vars", &vars(1)]);
    std::fs::remove_dir_all(project.path().join("target")).expect("the folder can be deleted");
    // A file in its place: this also holds for root, who may write into every folder.
    project.write("target", "in the way");
    let ran = project.ends(2, &["build", "--vars", &vars(2)]);
    assert!(ran.all().contains("target"), "{}", ran.all());
    assert_eq!(generation_of_each(&project), ["1"; 7]);
}

#[test]
fn the_second_of_two_builds_is_told_of_the_lock_and_nothing_is_lost() {
    let project = endless();
    project.ends(0, &["run", "-s", "first"]);
    let first = start(&project, &["run", "--target-path", "first"]);
    let waiting = Instant::now();
    while !project.path().join("first/journal.jsonl").exists() {
        assert!(waiting.elapsed() < PATIENCE, "the first build never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    let ran = project.medal(&["run", "-s", "first", "--target-path", "second"]);
    signal(&first, Signal::SIGTERM);
    end(first);
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.all().contains("connection-failed") && ran.all().contains("in use by process"), "{}", ran.all());
    assert_eq!(project.query("select id from first"), "1");
}

#[test]
fn a_warehouse_that_is_no_database_is_refused_and_kept() {
    let project = dbt(&[("models/a.sql", "select 1 as id"), ("shop.duckdb", "these are my notes, not a database\n")]);
    let ran = project.ends(2, &["build"]);
    assert!(ran.all().contains("connection-failed"), "{}", ran.all());
    assert_eq!(project.read("shop.duckdb"), "these are my notes, not a database\n");
}

#[test]
fn a_read_only_warehouse_still_parses_and_lists() {
    let project = dbt(&[("models/a.sql", "{{ config(materialized='table') }} select 1 as id")]);
    project.ends(0, &["build"]);
    let file = project.path().join("shop.duckdb");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).expect("the mode can be set");
    for command in [&["parse"][..], &["ls"], &["compile"]] {
        project.ends(0, command);
    }
}

#[test]
fn a_torn_or_foreign_journal_is_an_error_and_not_an_empty_retry() {
    let project = dbt(&[("models/a.sql", "select 1 as id")]);
    project.ends(2, &["retry"]);
    for junk in ["", "{\"command\": \"bui", "\u{0}\u{1}\u{2}", "[]\n", "{}\n"] {
        project.write("target/journal.jsonl", junk);
        let ran = project.ends(2, &["retry"]);
        assert!(ran.all().contains("unreadable-state"), "{junk:?}: {}", ran.all());
    }
}
