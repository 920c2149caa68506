//! What runs before and after all nodes, and macros that are called by hand.

use crate::suite::support::dbt;

const SETTINGS: &str = "name: shop\nversion: '1.0'\nprofile: shop\n\
    on-run-start:\n\
    - create table if not exists told (what varchar)\n\
    - \"{% if var('fail', false) %}select * from nowhere{% endif %}\"\n\
    - \"insert into told values ('{{ this }} {{ model.name }}')\"\n\
    on-run-end: |\n  \
      {% for result in results %}insert into told values ('{{ result.node.name }} {{ result.status }}');{% endfor %}\n";

#[test]
fn hooks_are_operations_with_results_of_their_own() {
    let project = dbt(&[("dbt_project.yml", SETTINGS), ("models/one.sql", "select 1 as id")]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select * from told"), "None shop-on-run-start-2\none success");
    assert_eq!(
        project.outcomes(),
        [
            "one success",
            "shop-on-run-end-0 success 0",
            "shop-on-run-start-0 success 0",
            "shop-on-run-start-1 success 0",
            "shop-on-run-start-2 success 0"
        ]
    );
    let manifest = project.json("target/manifest.json");
    let hook = &manifest["nodes"]["operation.shop.shop-on-run-end-0"];
    assert_eq!((&hook["tags"][0], &hook["path"]), (&"on-run-end".into(), &"hooks/shop-on-run-end-0.sql".into()));
}

#[test]
fn after_a_failed_hook_nodes_run_unless_the_project_says_otherwise() {
    let project = dbt(&[("dbt_project.yml", SETTINGS), ("models/one.sql", "select 1 as id")]);
    let outcomes = |model: &str| {
        [
            model,
            "shop-on-run-end-0 success 0",
            "shop-on-run-start-0 success 0",
            "shop-on-run-start-1 error 1",
            "shop-on-run-start-2 skipped 1",
        ]
        .map(str::to_string)
    };
    project.ends(1, &["run", "--vars", "fail: true"]);
    assert_eq!(project.outcomes(), outcomes("one success"));
    let strict = format!("{SETTINGS}flags: {{skip_nodes_if_on_run_start_fails: true}}\n");
    project.write("dbt_project.yml", &strict);
    project.ends(1, &["run", "--vars", "fail: true"]);
    assert_eq!(project.outcomes(), outcomes("one skipped"));
}

#[test]
fn an_operation_leaves_a_result() {
    let project = dbt(&[("macros/op.sql", "{% macro op() %}{% do run_query('select 1') %}{% endmacro %}")]);
    project.ends(0, &["run-operation", "op"]);
    assert_eq!(project.outcomes(), ["op success 0"]);
}

#[test]
fn a_layered_model_whose_run_was_killed_after_its_commit_does_not_add_its_rows_twice() {
    let project = dbt(&[
        ("medal.yml", "layers: {bronze: {}}\n"),
        (
            "models/bronze/events.sql",
            "{{ config(materialized='incremental', incremental_strategy='append') }} select 1 as id",
        ),
        ("models/plain.sql", "{{ config(materialized='incremental', incremental_strategy='append') }} select 1 as id"),
    ]);
    project.ends(0, &["run"]);
    // What a kill between the commit and the journal leaves behind.
    let journal = project.read("target/journal.jsonl");
    project.write("target/journal.jsonl", journal.lines().next().expect("a journal begins with a plan"));
    project.ends(0, &["retry"]);
    assert_eq!(project.query("select (select count(*) from events), (select count(*) from plain)"), "1|2");
    assert_eq!(project.query("select model, layer, status from medal_meta.nodes"), "model.shop.events|bronze|success");
}

#[test]
fn a_plain_dbt_project_gets_no_schema_of_ours() {
    let project = dbt(&[("models/plain.sql", "{{ config(materialized='incremental') }} select 1 as id")]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select count(*) from duckdb_schemas() where schema_name = 'medal_meta'"), "0");
}

#[test]
fn a_hook_at_the_end_reads_the_compiled_code_of_each_result() {
    let settings = "name: shop\nprofile: shop\non-run-end: \"{% for result in results %}\
        create table told as select '{{ result.node.compiled_code }} {{ result.thread_id }}' as what;{% endfor %}\"\n";
    let project = dbt(&[("dbt_project.yml", settings), ("models/one.sql", "select {{ 1 + 1 }} as two")]);
    project.ends(0, &["run", "--threads", "1"]);
    assert_eq!(project.query("select * from told"), "select 2 as two Thread-1 (worker)");
}

#[test]
fn hooks_of_a_package_are_configured_with_its_models() {
    let project = dbt(&[
        ("dbt_packages/watch/dbt_project.yml", "name: watch\non-run-end: [insert into told select 1]\n"),
        ("dbt_packages/watch/models/watched.sql", "select 1 as id"),
        ("models/one.sql", "{{ config(pre_hook='create table if not exists told (n int)') }} select 1 as id"),
    ]);
    let settings = project.read("dbt_project.yml");
    project.write("dbt_project.yml", &format!("{settings}models: {{watch: {{+schema: watch}}}}\n"));
    project.ends(0, &["build"]);
    assert_eq!(project.query("select count(*) from told"), "1");
    let hook = &project.json("target/manifest.json")["nodes"]["operation.watch.watch-on-run-end-0"];
    assert_eq!([&hook["schema"], &hook["config"]["schema"]], ["main_watch", "watch"]);
    project.write("dbt_project.yml", &format!("{settings}models: {{watch: {{+enabled: false}}}}\n"));
    project.ends(0, &["build"]);
    assert_eq!((project.query("select count(*) from told"), project.outcomes().len()), ("1".to_string(), 1));
}

#[test]
fn a_hook_at_the_end_hears_of_exposures_and_of_time() {
    let told = "{% if execute %}{% for result in results %}insert into told values ('{{ result.node.unique_id }}', \
                {{ result.timing | length }});{% endfor %}{% endif %}";
    let project = dbt(&[
        ("models/one.sql", "{{ config(pre_hook='create table if not exists told (id text, n int)') }} select 1 as id"),
        (
            "models/exposures.yml",
            "exposures:\n  - {name: board, type: dashboard, owner: {email: a@b.c}, depends_on: [ref('one')]}\n",
        ),
    ]);
    let settings = project.read("dbt_project.yml");
    project.write("dbt_project.yml", &format!("{settings}on-run-end: \"{told}\"\n"));
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from told order by id"), "exposure.shop.board|2\nmodel.shop.one|2");
}
