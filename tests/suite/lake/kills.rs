//! Builds that are killed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::suite::lake::lakehouse;
use crate::suite::support::Project;

/// Models that say in each row which run wrote it.
fn models() -> Project {
    lakehouse(&[
        (
            "models/a.sql",
            "{{ config(materialized='table') }} select i, {{ var('run', 0) }} as run from range(20000) as r(i)",
        ),
        (
            "models/b.sql",
            "{{ config(materialized='table') }} select i % 10 as k, max(run) as run, count(*) as n from {{ ref('a') }} group by all",
        ),
        (
            "models/c.sql",
            "{{ config(materialized='incremental', unique_key='k') }} select k, run, n from {{ ref('b') }}",
        ),
        ("models/d.sql", "select max(run) as run, count(*) as n from {{ ref('c') }}"),
    ])
}

/// What each table says: how many runs are in it, which, and how many rows.
const STATE: &str = "select 'a' as t, count(distinct run) as runs, max(run) as run, count(*) as n from a
    union all select 'b', count(distinct run), max(run), count(*) from b
    union all select 'c', count(distinct run), max(run), count(*) from c order by 1";

#[test]
fn a_build_that_is_killed_at_any_moment_leaves_whole_tables_and_the_next_one_is_right() {
    let project = models();
    let began = Instant::now();
    project.ends(0, &["build"]);
    let whole = began.elapsed();
    for moment in 1..=10_u32 {
        let vars = format!("run: {moment}");
        let mut build = project
            .command(&["build", "--vars", &vars])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        std::thread::sleep(whole.mul_f64(f64::from(moment) / 11.0).max(Duration::from_millis(1)));
        let _ = build.kill();
        build.wait().expect("it ends");
        let state = project.query(STATE);
        for (line, table) in state.lines().zip(["a", "b", "c"]) {
            let rows = if table == "a" { 20_000 } else { 10 };
            let is_whole = [moment - 1, moment].iter().any(|run| line == format!("{table}|1|{run}|{rows}"));
            assert!(is_whole, "killed at {moment}/11: {state}");
        }
        project.ends(0, &["build", "--vars", &vars]);
        let right = format!("a|1|{moment}|20000\nb|1|{moment}|10\nc|1|{moment}|10");
        assert_eq!(project.query(STATE), right);
    }
}

/// A model that ingests what lands in `landing`.
fn ingesting() -> Project {
    let source = "sources:\n  - name: landing\n    tables:\n      - name: orders\n        meta: {medal: {location: 'landing/*.csv'}}\n";
    let model = "{{ config(materialized='ingest') }} select * from {{ source('landing', 'orders') }}";
    lakehouse(&[("models/sources.yml", source), ("models/orders.sql", model)])
}

/// A file with a thousand records, and one that is none.
fn lands(project: &Project, number: u32) {
    let rows: String = (0..1000).map(|row| format!("{number},{row}\n")).collect();
    project.write(&format!("landing/{number:03}.csv"), &format!("file,row\n{rows}bad\n"));
}

/// How many records there are of how many files, and how often each is told of.
const INGESTED: &str = "select (select count(*) from orders) as n, (select count(distinct file * 10000 + \"row\") from orders) as kinds,
    (select count(*) from orders__quarantine) as bad, (select count(*) from medal_meta.files where path is not null) as files,
    (select count(distinct path) from medal_meta.files) as paths";

#[test]
fn files_that_land_while_builds_are_killed_are_there_once() {
    let project = ingesting();
    lands(&project, 0);
    let began = Instant::now();
    project.ends(0, &["build"]);
    let whole = began.elapsed();
    for moment in 1..=12_u32 {
        lands(&project, moment);
        let mut build = project
            .command(&["build"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        // Most of the moments are towards the end, where tables are committed.
        std::thread::sleep(whole.mul_f64(0.4 + f64::from(moment) * 0.05));
        let _ = build.kill();
        build.wait().expect("it ends");
        project.ends(0, &["build"]);
        let n = moment + 1;
        assert_eq!(project.query(INGESTED), format!("{0}000|{0}000|{0}|{0}|{0}", n), "killed at moment {moment}");
    }
}

#[test]
fn a_kill_between_the_commits_of_two_tables_is_made_good() {
    let project = ingesting();
    for number in 0..2 {
        lands(&project, number);
        project.ends(0, &["build"]);
    }
    // The second build as it would be if it had been killed after it wrote down what it commits, and one commit of that.
    let lake = project.path().join("lake");
    let mut entries = Vec::new();
    for table in ["main/orders", "main/orders__quarantine", "medal_meta/files", "medal_meta/nodes"] {
        let log = lake.join(table).join("_delta_log");
        let names = std::fs::read_dir(&log).expect("the table has a log").flatten().map(|entry| entry.file_name());
        let last = names.filter(|name| name.to_string_lossy().ends_with(".json")).max().expect("the log has entries");
        let text = std::fs::read_to_string(log.join(&last)).expect("the entry can be read");
        let version: u64 = last.to_string_lossy().trim_end_matches(".json").parse().expect("a version is a number");
        entries.push(serde_json::json!({"commit": {"table": table, "version": version, "text": text}}));
        if table != "main/orders" {
            std::fs::remove_file(log.join(&last)).expect("the entry was there");
        }
    }
    let path = "lake/_medal/commits/killed.json";
    project.write(path, &serde_json::Value::Array(entries).to_string());
    project.ends(0, &["build"]);
    assert_eq!(project.query(INGESTED), "2000|2000|2|2|2");
    assert!(!project.path().join(path).exists(), "it is made good once");
}
