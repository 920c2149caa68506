//! Views, tables, ephemeral and incremental models, and snapshots.

use crate::suite::support::{Project, dbt};

/// What kind of relation each name is.
fn kinds(project: &Project) -> String {
    project.query(
        "select table_name, table_type from information_schema.tables where table_schema = 'main' order by table_name",
    )
}

/// An incremental model `events` that reads the seed `raw`.
fn events(config: &str) -> Project {
    let model = format!(
        "{{{{ config(materialized='incremental'{config}) }}}}\nselect * from {{{{ ref('raw') }}}}\n\
         {{% if is_incremental() %}}where id >= (select max(id) from {{{{ this }}}}){{% endif %}}\n"
    );
    dbt(&[("models/events.sql", &model), ("seeds/raw.csv", "id,status\n1,new\n2,new\n")])
}

/// Builds, gives the seed new rows, builds again.
fn build_twice(project: &Project, second: &str) {
    project.ends(0, &["build"]);
    project.write("seeds/raw.csv", second);
    project.ends(0, &["build", "--full-refresh", "--select", "raw"]);
    project.ends(0, &["run"]);
}

#[test]
fn a_model_is_a_view_unless_its_config_says_table() {
    let project = dbt(&[
        ("models/plain.sql", "select 1 as id"),
        ("models/stored.sql", "{{ config(materialized='table') }} select id + 1 as id from {{ ref('plain') }}"),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(kinds(&project), "plain|VIEW\nstored|BASE TABLE");
    assert_eq!(project.query("select id from stored"), "2");
}

#[test]
fn a_view_becomes_a_table_and_a_table_a_view() {
    let project = dbt(&[
        ("models/a.sql", "{{ config(materialized=var('kind', 'view'), unique_key='id') }} select 1 as id"),
        ("models/b.sql", "{{ config(materialized='view') }} select * from {{ ref('a') }}"),
    ]);
    for (kind, shown) in [("view", "VIEW"), ("table", "BASE TABLE"), ("incremental", "BASE TABLE"), ("view", "VIEW")] {
        project.ends(0, &["build", "--vars", &format!("kind: {kind}")]);
        assert_eq!(kinds(&project), format!("a|{shown}\nb|VIEW"));
        assert_eq!(project.query("select id from b"), "1");
    }
}

#[test]
fn ephemeral_models_are_inlined_once_each() {
    let project = dbt(&[
        ("models/one.sql", "{{ config(materialized='ephemeral') }} select 1 as id"),
        ("models/two.sql", "{{ config(materialized='ephemeral') }} select id + 1 as id from {{ ref('one') }}"),
        (
            "models/all_of_them.sql",
            "with mine as (select 10 as id)\n\
             select * from {{ ref('one') }} union all select * from {{ ref('two') }} union all select * from mine",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(kinds(&project), "all_of_them|VIEW");
    assert_eq!(project.query("select id from all_of_them order by id"), "1\n2\n10");
    let compiled = project.read("target/compiled/shop/models/all_of_them.sql");
    assert_eq!(compiled.matches("__dbt__cte__one as (").count(), 1, "{compiled}");
}

#[test]
fn an_incremental_model_without_a_key_appends() {
    let project = events("");
    build_twice(&project, "id,status\n1,old\n2,old\n3,old\n");
    assert_eq!(project.query("select * from events order by all"), "1|new\n2|new\n2|old\n3|old");
}

#[test]
fn delete_insert_replaces_rows_of_the_same_key() {
    let project = events(", unique_key='id', incremental_strategy='delete+insert'");
    build_twice(&project, "id,status\n1,old\n2,old\n3,old\n");
    assert_eq!(project.query("select * from events order by all"), "1|new\n2|old\n3|old");
}

#[test]
fn merge_updates_rows_of_the_same_key() {
    let project = events(", unique_key=['id'], incremental_strategy='merge'");
    build_twice(&project, "id,status\n1,old\n2,old\n3,old\n");
    assert_eq!(project.query("select * from events order by all"), "1|new\n2|old\n3|old");
}

#[test]
fn full_refresh_builds_an_incremental_model_anew() {
    let project = events("");
    build_twice(&project, "id,status\n7,old\n");
    project.ends(0, &["run", "--full-refresh"]);
    assert_eq!(project.query("select * from events"), "7|old");
}

#[test]
fn a_new_column_is_ignored_or_appended_or_synced_or_a_failure() {
    let wider = "id,status,extra\n1,old,x\n2,old,x\n3,old,x\n";
    let cases = [
        ("ignore", "1|new\n2|old\n3|old"),
        ("append_new_columns", "1|new|null\n2|old|x\n3|old|x"),
        ("sync_all_columns", "1|new|null\n2|old|x\n3|old|x"),
    ];
    for (mode, rows) in cases {
        let project = events(&format!(", unique_key='id', on_schema_change='{mode}'"));
        build_twice(&project, wider);
        assert_eq!(project.query("select * from events order by id"), rows, "{mode}");
    }
    let project = events(", unique_key='id', on_schema_change='fail'");
    project.ends(0, &["build"]);
    project.write("seeds/raw.csv", wider);
    project.ends(0, &["seed", "--full-refresh"]);
    let ran = project.ends(1, &["run"]);
    assert!(ran.all().contains("extra"), "{}", ran.all());
    assert_eq!(project.query("select * from events order by id"), "1|new\n2|new");
}

#[test]
fn sync_all_columns_drops_what_is_gone() {
    let project = events(", unique_key='id', on_schema_change='sync_all_columns'");
    build_twice(&project, "id,other\n2,x\n3,x\n");
    assert_eq!(project.query("select * from events order by id"), "1|null\n2|x\n3|x");
}

#[test]
fn a_snapshot_keeps_what_a_row_was() {
    let snapshot = "{% snapshot history %}\n\
        {{ config(unique_key='id', strategy='check', check_cols=['status'], target_schema='main') }}\n\
        select * from {{ ref('raw') }}\n{% endsnapshot %}\n";
    let project = dbt(&[("snapshots/history.sql", snapshot), ("seeds/raw.csv", "id,status\n1,new\n2,new\n")]);
    project.ends(0, &["build"]);
    project.write("seeds/raw.csv", "id,status\n1,paid\n2,new\n");
    project.ends(0, &["build"]);
    project.ends(0, &["build"]);
    let history = "select id, status, dbt_valid_to is null as now from history order by id, dbt_valid_from";
    assert_eq!(project.query(history), "1|new|false\n1|paid|true\n2|new|true");
}

#[test]
fn a_failing_model_leaves_the_table_as_it_was() {
    let model = "{{ config(materialized='table') }} select error('boom') as id where {{ var('bad', false) }}\n\
                 union all select '1' as id";
    let project = dbt(&[("models/a.sql", model)]);
    project.ends(0, &["build"]);
    project.ends(1, &["build", "--vars", "bad: true"]);
    assert_eq!(project.query("select id from a"), "1");
    assert_eq!(kinds(&project), "a|BASE TABLE");
}

#[test]
fn hooks_run_around_a_model_and_around_the_run() {
    let project = dbt(&[
        (
            "models/a.sql",
            "{{ config(materialized='table', pre_hook=\"insert into log values ('before ' || '{{ this.name }}')\",\n\
             post_hook=[\"insert into log select 'after ' || count(*) from {{ this }}\"]) }} select 1 as id",
        ),
        ("models/b.sql", "-- depends_on: {{ ref('a') }}\nselect 2 as id"),
    ]);
    project.write(
        "dbt_project.yml",
        "name: shop\nprofile: shop\non-run-start: create or replace table log (line varchar)\n\
         on-run-end:\n  - \"insert into log values ('{{ results | length }} results in {{ schemas | join }}')\"\n",
    );
    project.ends(0, &["build"]);
    assert_eq!(project.query("select line from log"), "before a\nafter 1\n2 results in main");
}

#[test]
fn a_hook_that_fails_fails_its_model_and_undoes_it() {
    let project = dbt(&[(
        "models/a.sql",
        "{{ config(materialized='table', post_hook='select * from nowhere') }} select {{ var('n', 1) }} as id",
    )]);
    project.ends(1, &["build"]);
    assert_eq!(kinds(&project), "");
    assert_eq!(project.outcomes(), ["a error"]);
}
