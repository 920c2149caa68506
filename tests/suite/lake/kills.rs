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
