//! What gets lost in silence elsewhere, and is kept or refused here: values, columns, places of columns.

use crate::suite::support::{Project, dbt};

const MEDAL: &str = "name: shop
target: dev
targets: {dev: {type: duckdb, path: shop.duckdb}}
layers:
  silver: {paths: [models/silver], reads: [silver], defaults: {materialized: table, on_schema_change: fail}}
";

fn silver(model: &str) -> Project {
    Project::of(&[("medal.yml", MEDAL), ("models/silver/orders.sql", model)])
}

#[test]
fn a_fraction_is_not_stored_as_a_whole_number() {
    let project = silver(
        "{{ config(materialized='incremental', on_schema_change='ignore') }}
         select 1 as id, {{ var('amount', '12') }} as amount",
    );
    project.ends(0, &["build"]);
    let ran = project.ends(1, &["build", "--vars", "amount: 12.75"]);
    assert!(ran.all().contains("lossy-type"), "{}", ran.all());
    assert!(ran.all().contains("`amount` of `orders` is INTEGER, and 12.75 would be stored as 13"), "{}", ran.all());
    assert_eq!(project.query("select amount from orders"), "12");
    project.ends(0, &["build", "--vars", "amount: '13.00'"]);
    assert_eq!(project.query("select amount from orders order by 1"), "12\n13");
}

#[test]
fn a_model_without_a_layer_stores_what_dbt_stores() {
    let project = dbt(&[(
        "models/orders.sql",
        "{{ config(materialized='incremental') }} select {{ var('amount', '12') }} as amount",
    )]);
    project.ends(0, &["build"]);
    project.ends(0, &["build", "--vars", "amount: 12.75"]);
    assert_eq!(project.query("select amount from orders order by 1"), "12\n13");
}

#[test]
fn other_columns_are_published_once_somebody_approves() {
    let project =
        silver("select 1 as id{% if var('more', false) %}, 'EUR' as currency{% else %}, 5 as amount{% endif %}");
    project.ends(0, &["build"]);
    for _ in 0..2 {
        let ran = project.ends(1, &["build", "--vars", "more: true"]);
        let said = "the columns of `orders` have changed: `currency` is new (VARCHAR), `amount` is gone";
        assert!(ran.all().contains(said), "{}", ran.all());
    }
    assert_eq!(project.query("select * from orders"), "1|5");
    let ran = project.ends(0, &["schema", "approve", "--select", "orders", "--reason", "INC-12"]);
    assert!(ran.all().contains("orders: 2 changes of columns are approved"), "{}", ran.all());
    project.ends(0, &["build", "--vars", "more: true"]);
    assert_eq!(project.query("select * from orders"), "1|EUR");
    let ran = project.ends(0, &["schema", "diff"]);
    assert!(ran.stdout.contains("refused") && ran.stdout.contains("breaking"), "{}", ran.all());
    assert!(project.ends(0, &["schema", "approve"]).all().contains("no change was refused"));
    // What was approved is the new state; another change is refused again.
    project.ends(1, &["build"]);
}

#[test]
fn columns_may_widen_where_new_ones_may_come() {
    let project =
        silver("{{ config(on_schema_change='append_new_columns') }} select 1::{{ var('type', 'integer') }} as id");
    project.ends(0, &["build"]);
    project.ends(0, &["build", "--vars", "type: bigint"]);
    let ran = project.ends(1, &["build", "--vars", "type: varchar"]);
    assert!(ran.all().contains("`id` was BIGINT and is VARCHAR"), "{}", ran.all());
}

#[test]
fn a_seed_is_loaded_by_the_names_of_its_columns() {
    let project = Project::of(&[("medal.yml", MEDAL), ("seeds/rates.csv", "id,val\n1,100\n")]);
    project.ends(0, &["seed"]);
    project.write("seeds/rates.csv", "val,id\n100,1\n");
    project.ends(0, &["seed"]);
    assert_eq!(project.query("select id, val from rates"), "1|100");
}

#[test]
fn a_row_that_comes_after_years_reaches_its_batch() {
    let model = |config: &str| {
        format!(
            "{{{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='happened', begin='2024-01-01', \
             batch_size='year'{config}) }}}} select id, happened, _batch_id from {{{{ ref('bronze_events') }}}}"
        )
    };
    let project = Project::of(&[
        (
            "medal.yml",
            "name: shop\ntarget: dev\ntargets: {dev: {type: duckdb, path: shop.duckdb}}\nlayers:\n  bronze: {paths: [models/bronze], reads: [source]}\n  silver: {paths: [models/silver], reads: [bronze]}\n",
        ),
        (
            "models/bronze/bronze_events.sql",
            "{{ config(materialized='ingest', event_time='happened') }} select * from {{ source('landing', 'events') }}",
        ),
        (
            "models/sources.yml",
            "sources: [{name: landing, tables: [{name: events, meta: {medal: {location: 'landing/*.csv'}}, columns: [{name: id, data_type: int}, {name: happened, data_type: timestamp}]}]}]\n",
        ),
        ("models/silver/events.sql", &model("")),
        ("models/silver/recent.sql", &model(", lookback=1")),
        ("landing/1.csv", "id,happened\n1,2024-01-01 10:00:00\n2,2025-01-03 10:00:00\n"),
    ]);
    project.ends(0, &["build"]);
    // One that is years late, one for a year that has not come, and one before the first batch.
    project
        .write("landing/2.csv", "id,happened\n3,2024-01-02 12:00:00\n4,2123-01-01 00:00:00\n5,2023-12-31 00:00:00\n");
    project.ends(0, &["build"]);
    let ids = |table: &str| project.query(&format!("select string_agg(id, ',' order by id) from {table}"));
    assert_eq!((ids("events"), ids("recent")), ("1,2,3,4".to_string(), "1,2".to_string()));
    // What was there is not built again.
    project.ends(0, &["build"]);
    let results = project.json("target/run_results.json");
    let batches = |name: &str| {
        let all = results["results"].as_array().expect("there are results").iter();
        let own = all.filter(|result| result["unique_id"] == format!("model.shop.{name}").as_str());
        own.map(|result| result["batch_results"]["successful"].as_array().map_or(0, Vec::len)).sum::<usize>()
    };
    assert_eq!((batches("events"), batches("recent")), (2, 2));
}

/// A project of an engine with three models of a layer, and one of none, which all read what lands; the first one lets a file
/// land after it is built, called as the variable `lands` says.
fn reading(target: &str) -> Project {
    let layers = "layers: {silver: {paths: [models/silver], reads: [source, silver], defaults: {materialized: table}}}";
    let files = "select * from {{ source('landing', 'orders') }}";
    Project::of(&[
        ("medal.yml", &format!("name: shop\ntarget: dev\ntargets: {{dev: {{{target}, threads: 1}}}}\n{layers}\n")),
        (
            "models/sources.yml",
            "sources:\n  - name: landing\n    tables:\n      - {name: orders, meta: {external_location: landing/*.csv}}
      - name: all
        meta: {external_location: \"read_csv(['landing/*.csv'], header=true)\"}
        columns: [{name: id, data_tests: [not_null, unique: {config: {severity: warn}}, relationships: {arguments: {to: ref('orders'), field: id}}]}]\n",
        ),
        (
            "models/silver/orders.sql",
            &format!(
                "{{{{ config(post_hook=\"copy (select 2 as id) to 'landing/{{{{ var('lands') }}}}.csv'\") }}}} {files}"
            ),
        ),
        ("models/silver/other.sql", "select * from {{ source('landing', 'all') }}"),
        (
            "models/silver/pairs.sql",
            "-- depends_on: {{ ref('orders') }}\nselect files.id from (select 1 as one) as one, 'landing/*.csv' as files, 'tabs/*.tsv' as tabs where tabs.id = one",
        ),
        ("tabs/a.tsv", "id\tname\n1\tone, two\n"),
        (
            "models/plain/free.sql",
            &format!("-- depends_on: {{{{ ref('orders') }}}}\n{{{{ config(materialized='table') }}}} {files}"),
        ),
        ("landing/a.csv", "id\n1\n"),
    ])
}

#[test]
fn models_of_a_run_read_the_same_files() {
    for target in ["type: duckdb, path: shop.duckdb", "type: datafusion, path: lake"] {
        let project = reading(target);
        let rows = || {
            project.query(
                "select (select count(*) from orders), (select count(*) from other), (select count(*) from pairs), (select count(*) from free)",
            )
        };
        project.ends(0, &["build", "--vars", "lands: b"]);
        assert_eq!(rows(), "1|1|1|2", "{target}");
        project.ends(0, &["build", "--vars", "lands: c"]);
        assert_eq!(rows(), "2|2|2|3", "{target}");
        // A file that is written to while it is read: what was there stays.
        let ran = project.ends(1, &["build", "--vars", "lands: a"]);
        assert!(ran.all().contains("error[changed-file]"), "{}", ran.all());
        assert!(ran.all().contains("landing/a.csv` has changed since this run began to read it"), "{}", ran.all());
        assert!(rows().starts_with("2|2|2|"), "{}", rows());
    }
}
