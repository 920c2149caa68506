//! What another run left behind: selection by what has changed, deferring to its relations, clones and retries.

use crate::suite::support::{Project, dbt};

const PROFILES: &str = "shop:\n  target: dev\n  outputs:\n    \
    dev: {type: duckdb, path: shop.duckdb, schema: dev, threads: 2}\n    \
    prod: {type: duckdb, path: shop.duckdb, schema: prod, threads: 2}\n";

/// `raw` → `a` → `b`, with a macro in `b` and a test on `a`, built in the schema `prod`, its artifacts in `prod/`.
fn in_production() -> Project {
    let project = dbt(&[
        ("profiles.yml", PROFILES),
        ("seeds/raw.csv", "id\n1\n2\n"),
        (
            "macros/twice.sql",
            "{% macro twice(x) %}{{ one(x) }} * 2{% endmacro %}{% macro one(x) %}{{ x }}{% endmacro %}",
        ),
        ("models/a.sql", "select id from {{ ref('raw') }}"),
        ("models/b.sql", "{{ config(tags=['late']) }} select {{ twice('id') }} as id from {{ ref('a') }}"),
        ("models/schema.yml", "models: [{name: a, description: x, columns: [{name: id, data_tests: [unique]}]}]"),
        ("selectors.yml", "selectors: [{name: changed, definition: {method: state, value: modified, children: true}}]"),
    ]);
    project.ends(0, &["build", "--target", "prod", "--target-path", "prod"]);
    project
}

fn listed(project: &Project, selection: &[&str]) -> String {
    let options = ["--quiet", "ls", "--output", "name", "--state", "prod", "--indirect-selection", "empty"];
    project.ends(0, &[&options, selection].concat()).stdout.replace('\n', " ").trim().to_string()
}

#[test]
fn an_unchanged_project_has_nothing_modified() {
    let project = in_production();
    assert_eq!(listed(&project, &["-s", "state:modified"]), "");
    assert_eq!(listed(&project, &["-s", "state:new"]), "");
    assert_eq!(listed(&project, &["-s", "state:old", "--resource-type", "model"]), "a b");
    assert_eq!(listed(&project, &["-s", "result:success"]), "a b raw");
    assert_eq!(listed(&project, &["-s", "result:pass"]), "unique_a_id");
}

#[test]
fn each_kind_of_change_selects_what_has_it() {
    let project = in_production();
    project.write("models/c.sql", "select 1 as one");
    project.write("models/a.sql", "select id + 0 as id from {{ ref('raw') }}");
    project.write(
        "macros/twice.sql",
        "{% macro twice(x) %}{{ one(x) }} * 2{% endmacro %}{% macro one(x) %}0 + {{ x }}{% endmacro %}",
    );
    project.write("seeds/raw.csv", "id\n1\n3\n");
    let models = |selection: &str| listed(&project, &["-s", selection, "--resource-type", "model", "seed"]);
    assert_eq!(models("state:new"), "c");
    assert_eq!(models("state:modified"), "a b c raw");
    assert_eq!(models("state:modified.body"), "a c raw");
    assert_eq!(models("state:modified.macros"), "b");
    assert_eq!(models("state:modified.configs"), "c");
    project.write("models/a.sql", "{{ config(materialized='table', alias='aa') }} select id from {{ ref('raw') }}");
    assert_eq!(models("state:modified.configs"), "a c");
    assert_eq!(models("state:modified.relation"), "a c");
    assert_eq!(listed(&project, &["--selector", "changed", "--resource-type", "model"]), "a b c");
}

#[test]
fn a_ref_is_deferred_to_the_other_run_while_it_is_not_here() {
    let project = in_production();
    project.ends(1, &["run", "-s", "b"]);
    project.ends(0, &["run", "-s", "b", "--defer", "--state", "prod"]);
    assert_eq!(project.query("select * from dev.b order by 1"), "2\n4");
    project.write("models/a.sql", "select 10 as id");
    project.ends(0, &["run", "-s", "a"]);
    project.ends(0, &["run", "-s", "b", "--defer", "--state", "prod"]);
    assert_eq!(project.query("select * from dev.b"), "20");
    project.ends(0, &["run", "-s", "b", "--defer", "--favor-state", "--defer-state", "prod"]);
    assert_eq!(project.query("select * from dev.b order by 1"), "2\n4");
    project.ends(0, &["run", "--defer", "--favor-state", "--state", "prod"]);
    assert_eq!(project.query("select * from dev.b"), "20");
    project.ends(2, &["run", "--defer"]);
    project.ends(2, &["run", "--defer", "--state", "nowhere"]);
}

#[test]
fn a_clone_is_a_view_of_what_the_other_run_has() {
    let project = in_production();
    project.write("models/c.sql", "select 1 as one");
    project.ends(0, &["clone", "--state", "prod"]);
    assert_eq!(project.outcomes(), ["a success", "b success", "c success", "raw success"]);
    let kinds = "select table_name, table_type from information_schema.tables where table_schema = 'dev' order by 1";
    assert_eq!(project.query(kinds), "a|VIEW\nb|VIEW\nraw|VIEW");
    assert_eq!(project.query("select * from dev.b order by 1"), "2\n4");
    project.write("models/a.sql", "{{ config(materialized='table') }} select 10 as id");
    project.ends(0, &["run", "-s", "a"]);
    project.ends(0, &["clone", "--state", "prod"]);
    assert_eq!(project.query("select * from dev.a"), "10");
    project.ends(0, &["clone", "--state", "prod", "--full-refresh"]);
    assert_eq!(project.query("select * from dev.a order by 1"), "1\n2");
    project.ends(2, &["clone"]);
}

#[test]
fn a_retry_has_the_variables_and_the_target_of_the_run() {
    let project = in_production();
    project.write("models/b.sql", "select {{ var('n', 0) }} as n from nowhere");
    project.ends(1, &["run", "-s", "b", "--target", "prod", "--vars", "n: 7"]);
    project.write("models/b.sql", "select {{ var('n', 0) }} as n");
    project.ends(0, &["retry"]);
    assert_eq!(project.query("select * from prod.b"), "7");
}

#[test]
fn compile_and_operations_can_be_retried_and_so_can_results_in_another_folder() {
    let project = dbt(&[
        ("models/a.sql", "select 1 as id"),
        ("models/b.sql", "{% if execute %}{{ exceptions.raise_compiler_error('not yet') }}{% endif %}"),
        (
            "macros/make.sql",
            "{% macro make(n) %}{% do run_query('create table made as select ' ~ n ~ ' from nowhere') %}{% endmacro %}",
        ),
    ]);
    project.ends(1, &["compile"]);
    project.write("models/b.sql", "select 2 as id");
    project.ends(0, &["retry"]);
    assert_eq!(project.outcomes(), ["b success"]);
    project.ends(1, &["run-operation", "make", "--args", "{n: 5 as n}"]);
    project.write(
        "macros/make.sql",
        "{% macro make(n) %}{% do run_query('create table made as select ' ~ n) %}{% endmacro %}",
    );
    project.ends(0, &["retry"]);
    assert_eq!(project.query("select * from made"), "5");
    project.write("models/b.sql", "select nothing as id");
    project.ends(1, &["run"]);
    project.write("kept/run_results.json", &project.read("target/run_results.json"));
    project.write("models/b.sql", "select 3 as id");
    project.ends(0, &["run", "-s", "a"]);
    project.ends(0, &["retry", "--state", "kept"]);
    assert_eq!(project.outcomes(), ["b success"]);
}

#[test]
fn a_run_that_stops_at_the_first_failure_lists_the_rest_as_skipped() {
    let project = dbt(&[
        ("models/a.sql", "{{ config(materialized='table') }} select nothing as id"),
        ("models/b.sql", "select * from {{ ref('a') }}"),
        ("models/c.sql", "select * from {{ ref('b') }}"),
    ]);
    project.ends(1, &["run", "--fail-fast", "--threads", "1"]);
    assert_eq!(project.outcomes(), ["a error", "b skipped", "c skipped"]);
}
