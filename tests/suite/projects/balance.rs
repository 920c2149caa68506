//! What becomes of the rows that models of a layer read, and that it adds up.

use crate::suite::support::Project;

const MEDAL: &str = "name: shop
version: '1.0'
target: dev
targets: {dev: {type: duckdb, path: shop.duckdb, threads: 2}}
layers:
  bronze: {paths: [models/bronze], reads: [source], defaults: {materialized: view}}
  silver: {paths: [models/silver], reads: [bronze, silver], defaults: {materialized: table}}
  gold: {paths: [models/gold], reads: [silver, gold], defaults: {materialized: table}}
";

/// Ten orders of three customers, the last of which came twice.
fn orders(models: &[(&str, &str)]) -> Project {
    let project = Project::of(&[
        ("medal.yml", MEDAL),
        ("seeds/raw_orders.csv", "id,customer\n0,a\n1,b\n2,c\n3,a\n4,b\n5,c\n6,a\n7,b\n8,c\n8,c\n"),
        ("models/bronze/bronze_orders.sql", "select id::int as id, customer from {{ ref('raw_orders') }}"),
    ]);
    models.iter().for_each(|(path, sql)| project.write(path, sql));
    project
}

/// `model: rows_in = rows_out, and what else there is` of the last build of each model.
fn balances(project: &Project) -> String {
    let lines = project.query(
        "select split_part(model, '.', 3) || ': ' || rows_in || ' = ' || rows_out || concat_ws('',
            case when rows_filtered > 0 then ' + ' || rows_filtered || ' filtered' end,
            case when rows_deduplicated > 0 then ' + ' || rows_deduplicated || ' deduplicated' end,
            case when rows_merged > 0 then ' + ' || rows_merged || ' merged' end,
            case when rows_deleted > 0 then ' + ' || rows_deleted || ' deleted' end,
            case when rows_quarantined > 0 then ' + ' || rows_quarantined || ' quarantined' end,
            case when rows_filtered is null then ' (filtered: unknown)' end)
         from medal_meta.nodes where status = 'success'
         qualify row_number() over (partition by model order by recorded_at desc) = 1 order by model",
    );
    let unequal = project.query(
        "select count(*) from medal_meta.nodes where rows_in is distinct from rows_out + coalesce(rows_quarantined, 0)
           + coalesce(rows_dropped, 0) + coalesce(rows_filtered, 0) + coalesce(rows_deduplicated, 0)
           + coalesce(rows_merged, 0) + coalesce(rows_deleted, 0)",
    );
    assert_eq!(unequal, "0", "{lines}");
    lines
}

#[test]
fn what_a_query_takes_out_is_counted_as_what_it_does() {
    let project = orders(&[
        (
            "models/silver/kept.sql",
            "with a as (select * from {{ ref('bronze_orders') }}) select *, id + 1 as next from a",
        ),
        ("models/silver/filtered.sql", "select * from {{ ref('kept') }} where customer <> 'c'"),
        (
            "models/silver/once.sql",
            "select * from {{ ref('kept') }} where id > 0 qualify row_number() over (partition by id order by customer) = 1",
        ),
        ("models/gold/customers.sql", "select customer, count(*) as orders from {{ ref('once') }} group by all"),
        ("models/gold/both.sql", "select * from {{ ref('once') }} join {{ ref('customers') }} using (customer)"),
        (
            "models/gold/hooked.sql",
            "{{ config(post_hook='delete from {{ this }} where id = 1') }} select id as n, id from {{ ref('once') }}",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(
        balances(&project),
        "both: 8 = 8 (filtered: unknown)
bronze_orders: 10 = 10
customers: 8 = 3 + 5 merged
filtered: 10 = 6 + 4 filtered
hooked: 8 = 7 + 1 deleted
kept: 10 = 10
once: 10 = 8 + 2 deduplicated"
    );
    let status = project.ends(0, &["status", "--select", "customers both"]).stdout;
    assert!(status.contains("| unknown  |") && status.contains("| merged |"), "{status}");
}

#[test]
fn rows_that_an_incremental_model_replaces_are_merged() {
    let sql = "{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}
        select id, count(*) as times from {{ ref('bronze_orders') }}
        {% if is_incremental() %} where id >= (select max(id) from {{ this }}) {% endif %} group by id";
    let project = orders(&[
        ("models/silver/orders.sql", sql),
        (
            "models/silver/events.sql",
            "{{ config(materialized='incremental') }} select * from {{ ref('bronze_orders') }}
             {% if is_incremental() %} where id > (select max(id) from {{ this }}) {% endif %}",
        ),
        (
            "models/models.yml",
            "models:\n  - name: events\n    columns:\n      - {name: id, data_tests: [{unique: {config: {action: quarantine}}}]}\n",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(balances(&project), "bronze_orders: 10 = 10\nevents: 10 = 9 + 1 quarantined\norders: 10 = 9 + 1 merged");
    let seed = project.read("seeds/raw_orders.csv") + "9,a\n";
    project.write("seeds/raw_orders.csv", &seed);
    project.ends(0, &["build"]);
    assert_eq!(balances(&project), "bronze_orders: 11 = 11\nevents: 11 = 1 + 10 filtered\norders: 11 = 1 + 10 merged");
    // A row that is released comes beside those that are read.
    project.ends(0, &["quarantine", "release", "--select", "events"]);
    project.ends(0, &["build", "--select", "events"]);
    assert_eq!(balances(&project).lines().nth(1), Some("events: 12 = 1 + 11 filtered"));
}

#[test]
fn events_that_a_query_leaves_out_are_counted() {
    let sql = "{{ config(materialized='cdc', unique_key='id', sequence_by='seq') }}
        select * from {{ source('landing', 'events') }} where id <> 3";
    let project = Project::of(&[
        ("medal.yml", &MEDAL.replace("[bronze, silver]", "[source]")),
        ("models/silver/state.sql", sql),
        ("models/sources.yml", "sources: [{name: landing, schema: main, tables: [{name: events}]}]"),
        (
            "macros/fill.sql",
            "{% macro fill() %}{% do run_query('create or replace table main.events as select i % 4 as id, i as seq from range(9) as t(i)') %}{% endmacro %}",
        ),
    ]);
    project.ends(0, &["run-operation", "fill"]);
    project.ends(0, &["build"]);
    assert_eq!(balances(&project), "state: 9 = 3 + 2 filtered + 4 deduplicated");
}

#[test]
fn a_hook_may_empty_what_was_read() {
    let project = orders(&[
        ("models/bronze/queue.sql", "{{ config(materialized='table') }} select * from {{ ref('raw_orders') }}"),
        (
            "models/silver/done.sql",
            "{{ config(post_hook='delete from {{ ref(\"queue\") }}') }} select id, customer from {{ ref('queue') }}",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(balances(&project).lines().nth(1), Some("done: 10 = 10 (filtered: unknown)"));
}

#[test]
fn a_model_whose_rows_do_not_add_up_is_not_published() {
    let project = orders(&[
        (
            "models/bronze/bronze_orders.sql",
            "{{ config(materialized='table') }} select id::int as id from {{ ref('raw_orders') }}",
        ),
        ("models/silver/twice.sql", "select many(id) as id from {{ ref('bronze_orders') }}"),
    ]);
    project.write("medal.yml", &format!("{MEDAL}on-run-start: create or replace macro many(x) as unnest([x, x])\n"));
    let ran = project.ends(1, &["build"]);
    assert!(ran.stderr.contains("error[unbalanced-rows]"), "{}", ran.all());
    assert!(
        ran.stderr.contains("reads 10 rows of \"shop\".\"main\".\"bronze_orders\", and its query gives 20"),
        "{}",
        ran.all()
    );
    assert_eq!(project.query("select count(*) from duckdb_tables() where table_name = 'twice'"), "0");
}

#[test]
fn snapshots_of_a_layer_add_up_like_its_models() {
    for target in ["type: duckdb, path: shop.duckdb", "type: datafusion, path: lake"] {
        let project = Project::of(&[
            (
                "medal.yml",
                &format!(
                    "name: shop\ntarget: dev\ntargets: {{dev: {{{target}, threads: 2}}}}\n\
                     layers: {{silver: {{paths: [snapshots], reads: [source]}}}}\n"
                ),
            ),
            ("seeds/customers.csv", "id,city\n1,Rome\n2,Oslo\n3,Bergen\n"),
            (
                "snapshots/history.yml",
                "snapshots: [{name: history, relation: ref('customers'), config: {unique_key: id, strategy: check, check_cols: [city], hard_deletes: new_record}}]\n",
            ),
        ]);
        project.ends(0, &["build"]);
        assert_eq!(balances(&project), "history: 3 = 3", "{target}");
        project.write("seeds/customers.csv", "id,city\n1,Rome\n2,Milan\n4,Paris\n");
        project.ends(0, &["build"]);
        assert_eq!(balances(&project), "history: 3 = 2 + 1 merged", "{target}");
        let status = project.ends(0, &["status"]).stdout;
        assert!(status.contains("| silver | history |"), "{status}");
    }
}
