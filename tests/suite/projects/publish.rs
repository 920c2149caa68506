//! Models with a layer: built, audited and published in one transaction.

use crate::suite::support::Project;

const MEDAL: &str = "name: shop
version: '1.0'
target: dev
targets: {dev: {type: duckdb, path: shop.duckdb, threads: 2}}
layers:
  bronze: {paths: [models/bronze], schema: bronze, reads: [source]}
  silver: {paths: [models/silver], schema: silver, reads: [bronze, silver], defaults: {materialized: table}}
  gold: {paths: [models/gold], schema: gold, reads: [silver, gold], defaults: {materialized: table}}
";

/// Orders in bronze, silver and gold; `n` is how many there are, `bad` how many of them have no amount.
fn shop() -> Project {
    Project::of(&[
        ("medal.yml", MEDAL),
        (
            "macros/generate_schema_name.sql",
            "{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}",
        ),
        (
            "models/bronze/bronze_orders.sql",
            "select i as id, i % 3 as customer, case when i >= {{ var('bad', 0) }} then i * 10 end as amount, \
             {{ var('generation', 1) }} as generation from range({{ var('n', 9) }}) as t(i)",
        ),
        ("models/silver/orders.sql", "select * from {{ ref('bronze_orders') }}"),
        (
            "models/gold/customers.sql",
            "select customer, sum(amount) as spent, max(generation) as generation from {{ ref('orders') }} group by all",
        ),
        (
            "models/all.yml",
            "models:\n  - name: orders\n    columns:\n      - name: amount\n        data_tests: [not_null]\n      - name: id\n        data_tests: [unique]\n",
        ),
    ])
}

fn build(project: &Project, code: i32, vars: &str) {
    project.ends(code, &["build", "--vars", vars]);
}

#[test]
fn a_model_whose_tests_fail_is_not_published_and_its_children_keep_what_they_have() {
    let project = shop();
    build(&project, 0, "{}");
    build(&project, 1, "{bad: 2, generation: 2}");
    assert_eq!(project.query("select generation, count(*), count(amount) from silver.orders group by 1"), "1|9|9");
    assert_eq!(project.query("select distinct generation from gold.customers"), "1");
    let outcomes = project.outcomes();
    assert!(outcomes.contains(&"orders error".to_string()), "{outcomes:?}");
    assert!(outcomes.contains(&"not_null_orders_amount fail 2".to_string()), "{outcomes:?}");
    assert!(outcomes.contains(&"customers skipped".to_string()), "{outcomes:?}");
    let candidate =
        project.query("select table_name from duckdb_tables() where table_name like 'orders\\_\\_medal%' escape '\\'");
    assert_eq!(project.query(&format!("select count(*) - count(amount) from silver.{candidate}")), "2");
    build(&project, 0, "{generation: 3}");
    assert_eq!(project.query("select distinct generation from silver.orders"), "3");
    assert_eq!(
        project
            .query("select state, rows from medal_meta.publications where model like '%.orders' order by recorded_at"),
        "published|9\nstaged|9\npublished|9"
    );
}

#[test]
fn a_table_that_lost_its_rows_is_not_published_unless_that_is_allowed() {
    let project = shop();
    build(&project, 0, "{}");
    let ran = project.ends(1, &["build", "--vars", "{n: 0}"]);
    assert!(ran.all().contains("`orders` would go from 9 rows to 0"), "{}", ran.all());
    assert_eq!(project.query("select count(*) from silver.orders"), "9");
    // What else is wrong is told beside the tests that fail.
    project.write("medal.yml", &MEDAL.replace("silver: {", "silver: {max_shrink: 0.1, "));
    let ran = project.ends(1, &["build", "--vars", "{n: 5, bad: 2}"]);
    assert!(ran.all().contains("`not_null_orders_amount` failed"), "{}", ran.all());
    assert!(ran.all().contains("`orders` would go from 9 rows to 5"), "{}", ran.all());
    project.ends(0, &["build", "--vars", "{n: 0}", "--allow-shrink", "orders", "--allow-shrink", "customers"]);
    assert_eq!(project.query("select count(*) from silver.orders"), "0");
}

#[test]
fn models_that_are_published_together_are_published_all_or_not_at_all() {
    let project = shop();
    project.write("medal.yml", &MEDAL.replace("schema: gold,", "schema: gold, publish_group: together,"));
    project.write("models/gold/a.sql", "select 1 as id, {{ var('generation', 1) }} as generation");
    project.write("models/gold/b.sql", "select id, generation, {{ var('gold', 1) }} as good from {{ ref('a') }}");
    project.write("models/gold/c.sql", "{{ config(materialized='view') }} select * from {{ ref('b') }}");
    project.write("models/gold.yml", "models: [{name: b, columns: [{name: good, data_tests: [{accepted_values: {arguments: {values: [1], quote: false}}}]}]}]");
    let seen = "select (select max(generation) from gold.customers), (from (select generation from gold.a)), (select generation from gold.c)";
    build(&project, 0, "{generation: 1}");
    assert_eq!(project.query(seen), "1|1|1");
    build(&project, 1, "{generation: 2, gold: 0}");
    assert_eq!(project.query(seen), "1|1|1");
    assert_eq!(project.query("select distinct generation from silver.orders"), "2");
    build(&project, 0, "{generation: 3}");
    assert_eq!(project.query(seen), "3|3|3");
    assert_eq!(
        project.query("select count(*) from duckdb_tables() where table_name like 'b\\_\\_medal%' escape '\\'"),
        "1"
    );
}

#[test]
fn an_incremental_model_adds_its_rows_and_their_tests_in_one_transaction() {
    let project = shop();
    project.write(
        "models/silver/orders.sql",
        "{{ config(materialized='incremental', unique_key='id', indexes=[{'columns': ['id']}]) }} select * from {{ ref('bronze_orders') }}
         {% if is_incremental() %} where id >= (select max(id) from {{ this }}) {% endif %}",
    );
    build(&project, 0, "{}");
    build(&project, 1, "{n: 12, bad: 12, generation: 2}");
    assert_eq!(project.query("select count(*), count(amount), max(generation) from silver.orders"), "9|9|1");
    let candidate =
        project.query("select table_name from duckdb_tables() where table_name like 'orders\\_\\_medal%' escape '\\'");
    assert_eq!(project.query(&format!("select count(*) from silver.{candidate}")), "4");
    build(&project, 0, "{n: 12, generation: 3}");
    assert_eq!(project.query("select count(*), count(amount), max(generation) from silver.orders"), "12|12|3");
    project.ends(0, &["build", "--full-refresh"]);
    assert_eq!(project.query("select count(*), max(generation) from silver.orders"), "9|1");
}

#[test]
fn a_test_of_two_models_belongs_to_the_one_that_it_is_written_on() {
    let project = shop();
    project.write("models/silver/people.sql", "select i as customer from range({{ var('people', 3) }}) as t(i)");
    project.write(
        "models/people.yml",
        "models:\n  - name: orders\n    columns:\n      - {name: generation, data_tests: [not_null]}\n      - name: customer\n        data_tests: [{relationships: {arguments: {to: ref('people'), field: customer}}}]\n",
    );
    project.write("models/all.yml", "models: [{name: people, columns: [{name: customer, data_tests: [unique]}]}]");
    build(&project, 0, "{}");
    build(&project, 1, "{people: 2, generation: 2}");
    assert_eq!(project.query("select count(*) from silver.people"), "2");
    assert_eq!(project.query("select distinct generation from silver.orders"), "1");
}

#[test]
fn no_publish_builds_and_audits_and_leaves_what_is_there() {
    let project = shop();
    build(&project, 0, "{}");
    project.ends(0, &["build", "--no-publish", "--vars", "{generation: 2}"]);
    assert_eq!(project.query("select distinct generation from silver.orders"), "1");
    let candidate = project
        .query("select table_name from duckdb_tables() where table_name like 'customers\\_\\_medal%' escape '\\'");
    assert_eq!(project.query(&format!("select distinct generation from gold.{candidate}")), "2");
    assert_eq!(project.query("select distinct state from medal_meta.publications order by 1"), "audited\npublished");
}

/// The version of the last run that has published orders.
fn version(project: &Project) -> String {
    project.query(
        "select to_version from medal_meta.publications where model like '%.orders' order by recorded_at desc limit 1",
    )
}

#[test]
fn a_rollback_brings_the_version_before_back_and_the_next_build_goes_on_from_there() {
    let project = shop();
    build(&project, 0, "{generation: 1}");
    let first = version(&project);
    build(&project, 0, "{generation: 2}");
    project.ends(0, &["rollback", "--select", "orders", "customers"]);
    assert_eq!(project.query("select distinct generation from silver.orders"), "1");
    assert_eq!(project.query("select distinct generation from gold.customers"), "1");
    let ran = project.ends(1, &["rollback", "--select", "orders", "--to", "00000000"]);
    assert!(ran.all().contains("the version `00000000` is not kept"), "{}", ran.all());
    build(&project, 0, "{generation: 3}");
    assert_eq!(project.query("select distinct generation from silver.orders"), "3");
    project.ends(0, &["rollback", "--select", "orders", "--to", &first]);
    assert_eq!(project.query("select distinct generation from silver.orders"), "1");
    assert_eq!(
        project.query("select state from medal_meta.publications where model like '%.orders' order by recorded_at"),
        "published\npublished\nrolled_back\npublished\nrolled_back"
    );
}

#[test]
fn a_model_that_is_held_is_not_built_and_neither_is_what_reads_it() {
    let project = shop();
    build(&project, 0, "{generation: 1}");
    project.ends(0, &["hold", "--select", "orders", "--reason", "INC-12"]);
    let ran = project.ends(0, &["build", "--vars", "{generation: 2}"]);
    assert!(ran.all().contains("`orders` is held: INC-12"), "{}", ran.all());
    assert_eq!(project.query("select distinct generation from silver.orders"), "1");
    assert_eq!(project.query("select distinct generation from gold.customers"), "1");
    project.ends(0, &["hold", "--select", "orders", "--release"]);
    build(&project, 0, "{generation: 3}");
    assert_eq!(project.query("select distinct generation from silver.orders"), "3");
}

#[test]
fn diff_status_and_runs_tell_of_versions_rows_and_what_happened() {
    let project = shop();
    build(&project, 0, "{}");
    build(&project, 1, "{bad: 2, n: 10}");
    let ran = project.ends(0, &["diff", "--select", "orders"]);
    let cells: Vec<&str> = ran.stdout.lines().nth(2).unwrap_or_default().split('|').map(str::trim).collect();
    assert_eq!([cells[3], cells[4], cells[5], cells[6]], ["9", "10", "2", "3"], "{}", ran.all());
    let status = project.ends(0, &["status"]).stdout;
    let line = |name: &str| status.lines().find(|line| line.contains(name)).unwrap_or_default().to_string();
    assert!(line("| orders").contains("staged") && line("customers").contains("published"), "{status}");
    let runs = project.ends(0, &["runs", "list"]).stdout;
    assert!(runs.contains("build") && runs.contains("success") && runs.contains("error"), "{runs}");
    let timeline = project.ends(0, &["runs", "show", "--timeline"]).stdout;
    for what in ["not_null_orders_amount", "staged", "not published: `not_null_orders_amount` failed", "error"] {
        assert!(timeline.contains(what), "{what}: {timeline}");
    }
    let shown = project.ends(0, &["runs", "show"]).stdout;
    assert!(shown.contains("bronze_orders") && shown.contains("orders"), "{shown}");
}

#[test]
fn a_full_refresh_that_would_lose_the_oldest_rows_is_not_published() {
    let project = shop();
    project.write(
        "models/silver/orders.sql",
        "{{ config(materialized='incremental', event_time='id') }} select * from {{ ref('bronze_orders') }} where id >= {{ var('since', 0) }}",
    );
    build(&project, 0, "{}");
    let ran = project.ends(1, &["build", "--full-refresh", "--vars", "since: 4"]);
    assert!(ran.all().contains("`orders` would begin with `id` 4, and has rows since 0"), "{}", ran.all());
    assert_eq!(project.query("select count(*) from silver.orders"), "9");
    project.ends(0, &["build", "--full-refresh", "--vars", "since: 4", "--allow-shrink", "orders"]);
    assert_eq!(project.query("select count(*) from silver.orders"), "5");
}
