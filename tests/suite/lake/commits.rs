//! What others see of a table, and when.

use std::process::{Child, Stdio};

use crate::suite::lake::{lakehouse, versions};
use crate::suite::support::Project;

fn start(project: &Project, operation: &str) -> Child {
    let mut command = project.command(&["run-operation", operation]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary can be started")
}

#[test]
fn two_writers_that_add_rows_both_land() {
    let project = lakehouse(&[(
        "macros/add.sql",
        "{% macro make() %}{% do run_query('create table t (i bigint)') %}{% endmacro %}
         {% macro add() %}{% for i in range(10) %}{% do run_query('insert into t select ' ~ i) %}{% endfor %}{% endmacro %}",
    )]);
    project.ends(0, &["run-operation", "make"]);
    let writers = [start(&project, "add"), start(&project, "add")];
    for mut writer in writers {
        assert!(writer.wait().expect("it ends").success());
    }
    assert_eq!(project.query("select count(*), count(distinct i), sum(i) from t"), "20|10|90");
    assert_eq!(versions(&project, "t").len(), 21);
}

#[test]
fn two_writers_that_change_the_same_rows_lose_nothing() {
    let project = lakehouse(&[(
        "macros/bump.sql",
        "{% macro make() %}{% do run_query('create table n as select 0 as i') %}{% endmacro %}
         {% macro bump() %}{% for i in range(5) %}{% do run_query('update n set i = i + 1') %}{% endfor %}{% endmacro %}",
    )]);
    project.ends(0, &["run-operation", "make"]);
    let writers = [start(&project, "bump"), start(&project, "bump")];
    for mut writer in writers {
        assert!(writer.wait().expect("it ends").success());
    }
    assert_eq!(project.query("select i from n"), "10");
}

/// Builds in two processes at once. Each ends well, or is told of the other. Gives how many have ended well.
fn build_at_once(project: &Project, arguments: &[&str]) -> usize {
    let start = || project.command(arguments).stderr(Stdio::piped()).spawn().expect("the binary can be started");
    let builds = [start(), start()].map(|build| build.wait_with_output().expect("it ends"));
    for build in builds.iter().filter(|build| !build.status.success()) {
        let said = String::from_utf8_lossy(&build.stderr);
        assert!(said.contains("was changed by another writer meanwhile"), "{said}");
    }
    builds.iter().filter(|build| build.status.success()).count()
}

fn build_twice_at_once(project: &Project) {
    assert!(build_at_once(project, &["build"]) > 0);
}

#[test]
fn two_builds_of_a_model_that_adds_to_what_it_has_add_nothing_twice() {
    let project = lakehouse(&[(
        "models/seen.sql",
        "{{ config(materialized='incremental') }}
         with new as (select 1 + {{ '(select max(i) from ' ~ this ~ ')' if is_incremental() else '0' }} as i)
         select i, (select sum(value) from generate_series(1, 500000) as series(value)) as effort from new",
    )]);
    project.ends(0, &["build"]);
    for _ in 0..2 {
        build_twice_at_once(&project);
    }
    assert_eq!(project.query("select count(*) - count(distinct i), max(i) - count(*) from seen"), "0|0");
}

#[test]
fn two_builds_of_the_same_batches_add_nothing_twice() {
    let config = "materialized='incremental', incremental_strategy='microbatch', event_time='at', batch_size='day',
                  begin='2024-01-01'";
    let model = format!(
        "{{{{ config({config}) }}}}
         select *, (select sum(value) from generate_series(1, 200000) as series(value)) as effort from {{{{ ref('events') }}}}"
    );
    let project = lakehouse(&[
        (
            "models/events.sql",
            "{{ config(event_time='at') }}
             select i, timestamp '2024-01-01' + interval (i) hour as at from range(240) as hours(i)",
        ),
        ("models/hits.sql", &model),
    ]);
    let days = |from: &'static str, to: &'static str| {
        ["build", "--select", "hits", "--event-time-start", from, "--event-time-end", to]
    };
    project.ends(0, &["build", "--event-time-start", "2024-01-01", "--event-time-end", "2024-01-03"]);
    for (from, to) in [("2024-01-03", "2024-01-06"), ("2024-01-06", "2024-01-09")] {
        // Each may be in the way of the other with another batch.
        if build_at_once(&project, &days(from, to)) < 2 {
            project.ends(0, &days(from, to));
        }
    }
    assert_eq!(project.query("select count(*), count(distinct i), max(i) from hits"), "192|192|191");
}

#[test]
fn two_builds_that_ingest_the_same_files_keep_each_record_once() {
    let sources = "sources: [{name: landing, tables: [{name: visits, meta: {medal: {location: 'landing/*.csv'}}}]}]";
    let rows: String = (0..20_000).map(|row| format!("{row},page {row}\n")).collect();
    let landed = format!("id,page\n{rows}");
    let project = lakehouse(&[
        ("models/sources.yml", sources),
        ("models/visits.sql", "{{ config(materialized='ingest') }} select * from {{ source('landing', 'visits') }}"),
        ("landing/0.csv", &landed),
    ]);
    project.ends(0, &["build"]);
    for file in 1..3 {
        project.write(&format!("landing/{file}.csv"), &landed);
        build_twice_at_once(&project);
    }
    assert_eq!(project.query("select count(*), count(distinct _source_file) from visits"), "60000|3");
    assert_eq!(project.query("select count(*), sum(rows) from medal_meta.files where path is not null"), "3|60000");
}
