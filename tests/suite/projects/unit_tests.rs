//! Unit tests: what they give a model, what they compare, and what they hold back.

use crate::suite::support::{Project, dbt};

const RAW: (&str, &str) = ("models/raw.sql", "select 1 as id, 'ann' as name, 2.50 as amount, date '2024-01-31' as day");

/// A project of the model `orders`, which reads `raw`, and of these unit tests.
fn orders(model: &str, tests: &str) -> Project {
    let yaml = format!("unit_tests:\n{tests}");
    dbt(&[RAW, ("models/orders.sql", model), ("models/tests.yml", &yaml)])
}

#[test]
fn rows_are_given_as_mappings_as_csv_as_sql_and_as_files() {
    let yaml = "
unit_tests:
  - name: mappings
    model: orders
    given: [{input: ref('raw'), rows: [{id: 1, NAME: \"o'hara\"}, {id: 2, day: 2024-02-29}]}]
    expect: {rows: [{id: 2, name: null, day: 2024-02-29}, {name: \"o'hara\", id: 1}]}
  - name: csv
    model: orders
    given: [{input: ref('raw'), format: csv, rows: \"id,name\\n1,\\\"a, b\\\"\\n2,\\n\"}]
    expect: {format: csv, rows: \"name,id\\n\\\"a, b\\\",1\\n,2\\n\"}
  - name: sql
    model: orders
    given: [{input: ref('raw'), format: sql, rows: \"select 7 as id, 'x' as name, 1 as amount, null as day\"}]
    expect: {format: sql, rows: \"select 7 as id, 'x' as name, null as day, 1 as amount\"}
  - name: files
    model: orders
    given: [{input: ref('raw'), format: csv, fixture: some_rows}]
    expect: {format: sql, fixture: all_rows}
";
    let project = dbt(&[
        RAW,
        ("models/orders.sql", "select id, name, amount, day from {{ ref('raw') }}"),
        ("models/tests.yml", yaml),
        ("tests/fixtures/some_rows.csv", "id,amount\n3,1.5\n"),
        ("tests/fixtures/all_rows.sql", "select 3 as id, null as name, 1.5 as amount, null as day\n"),
    ]);
    project.ends(0, &["build"]);
    let passed = ["orders pass 0"; 4];
    assert_eq!(project.outcomes(), [&passed[..], &["orders success", "raw success"]].concat());
}

#[test]
fn a_unit_test_that_fails_holds_back_its_model_and_what_reads_it() {
    let project = dbt(&[
        RAW,
        ("models/orders.sql", "select id + 1 as id from {{ ref('raw') }}"),
        ("models/report.sql", "select * from {{ ref('orders') }}"),
        ("models/other.sql", "select * from {{ ref('raw') }}"),
        (
            "models/tests.yml",
            "unit_tests:\n  - name: keeps\n    model: orders\n    given: [{input: ref('raw'), rows: [{id: 1}, {id: 2}]}]\n\
             \x20   expect: {rows: [{id: 1}, {id: 2}]}\n",
        ),
    ]);
    let ran = project.ends(1, &["build"]);
    let expected = ["orders fail 1", "orders skipped", "other success", "raw success", "report skipped"];
    assert_eq!(project.outcomes(), expected);
    assert!(ran.all().contains("FAIL 1 orders::keeps"), "{}", ran.all());
    let results = project.json("target/run_results.json");
    let failed = results["results"].as_array().into_iter().flatten().find(|result| result["status"] == "fail");
    let message = failed.and_then(|result| result["message"].as_str()).unwrap_or_default();
    assert_eq!(message, "actual differs from expected:\n\n@@  | id\n--- | 1\n    | 2\n+++ | 3\n");
    project.ends(0, &["run"]);
    assert_eq!(project.query("select count(*) from orders"), "1");
}

#[test]
fn an_incremental_model_is_tested_for_a_first_run_and_for_a_later_one() {
    let model = "{{ config(materialized='incremental') }} select id, day from {{ ref('raw') }}\n\
                 {% if is_incremental() %} where day > (select max(day) from {{ this }}) {% endif %}";
    let tests = "
  - name: first
    model: orders
    overrides: {macros: {is_incremental: false}}
    given: [{input: ref('raw'), rows: [{id: 1, day: 2024-01-01}, {id: 2, day: 2024-01-02}]}]
    expect: {rows: [{id: 1}, {id: 2}]}
  - name: later
    model: orders
    overrides: {macros: {is_incremental: true}}
    given:
      - {input: ref('raw'), rows: [{id: 1, day: 2024-01-01}, {id: 2, day: 2024-01-02}]}
      - {input: this, rows: [{day: 2024-01-01}]}
    expect: {rows: [{id: 2}]}
";
    let project = orders(model, tests);
    project.ends(0, &["build"]);
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes(), ["orders pass 0", "orders pass 0", "orders success", "raw success"]);
}

#[test]
fn macros_variables_and_the_environment_are_overridden_for_the_test_alone() {
    let project = dbt(&[
        RAW,
        (
            "macros/m.sql",
            "{% macro rate() %}2{% endmacro %}{% macro twice() %}{{ rate() }} * {{ rate() }}{% endmacro %}",
        ),
        (
            "models/orders.sql",
            "select {{ twice() }} as n, {{ shop.rate() }} as r, {{ var('v', 1) }} as v, '{{ env_var('REGION', 'eu') }}' as e, \
             {{ dbt.current_timestamp() }} > timestamptz '2020-01-02 00:00:00+00' as d from {{ ref('raw') }}",
        ),
        (
            "models/tests.yml",
            "unit_tests:\n  - name: other_world\n    model: orders\n    overrides:\n\
             \x20     macros: {rate: 5, dbt.current_timestamp: \"timestamptz '2020-01-01 00:00:00+00'\", shop.rate: 7}\n\
             \x20     vars: {v: 9}\n      env_vars: {REGION: us}\n\
             \x20   given: [{input: ref('raw'), rows: [{id: 1}]}]\n\
             \x20   expect: {rows: [{n: 25, r: 7, v: 9, e: us, d: false}]}\n",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select n, r, v, e, d from orders"), "4|2|1|eu|true");
}

#[test]
fn no_parent_has_to_be_built() {
    let project = dbt(&[
        ("seeds/days.csv", "id,day\n1,2024-01-01\n"),
        ("models/staged.sql", "select id, cast(day as date) as day from {{ ref('days') }}"),
        ("models/short.sql", "{{ config(materialized='ephemeral') }} select id, day from {{ ref('staged') }}"),
        (
            "models/sums.sql",
            "select d.day, sum(p.paid) as paid from {{ ref('short') }} d join {{ source('till', 'paid') }} p using (id) group by all",
        ),
        (
            "models/tests.yml",
            "sources:\n  - name: till\n    tables:\n      - name: paid\n        columns:\n\
             \x20         - {name: id, data_type: integer}\n          - {name: paid, data_type: 'decimal(9,2)'}\n\
             unit_tests:\n  - name: adds\n    model: sums\n    given:\n\
             \x20     - {input: ref('short'), rows: [{id: 1, day: '2024-05-01'}]}\n\
             \x20     - {input: \"source('till', 'paid')\", rows: [{id: 1, paid: 1.5}, {id: 1, paid: 2}]}\n\
             \x20   expect: {rows: [{day: 2024-05-01, paid: 3.5}]}\n\
             \x20 - name: seed\n    model: staged\n    given: [{input: ref('days')}]\n    expect: {rows: [{id: 1, day: 2024-01-01}]}\n",
        ),
    ]);
    project.ends(0, &["test"]);
    assert_eq!(project.outcomes(), ["staged pass 0", "sums pass 0"]);
    assert_eq!(project.query("select count(*) from information_schema.tables"), "0");
}

#[test]
fn unit_tests_come_with_their_model_and_can_be_named() {
    let tests = "
  - {name: one, model: orders, given: [{input: ref('raw'), rows: []}], expect: {rows: []}, config: {tags: quick}}
  - {name: two, model: orders, given: [{input: ref('raw'), rows: []}], expect: {rows: []}}
  - {name: idle, model: orders, given: [{input: ref('raw'), rows: []}], expect: {rows: []}, config: {enabled: false}}
";
    let project = orders("select id from {{ ref('raw') }}", tests);
    let listed = |arguments: &[&str]| project.ends(0, &[&["-q", "ls"], arguments].concat()).stdout;
    let both = "unit_test:shop.one\nunit_test:shop.two\n";
    assert_eq!(listed(&["--select", "orders"]), format!("shop.orders\n{both}"));
    assert_eq!(listed(&["--select", "test_type:unit"]), both);
    assert_eq!(listed(&["--resource-type", "unit_test"]), both);
    assert_eq!(listed(&["--select", "unit_test:t*"]), "unit_test:shop.two\n");
    assert_eq!(listed(&["--select", "tag:quick", "--output", "name"]), "one\n");
    assert_eq!(listed(&["--select", "orders", "--exclude", "test_type:unit"]), "shop.orders\n");
    project.ends(0, &["parse"]);
    let off = project.json("target/manifest.json")["disabled"]["unit_test.shop.orders.idle"][0].clone();
    assert_eq!((off["model"].as_str(), off["alias"].as_str()), (Some("orders"), None));
}

#[test]
fn the_manifest_has_unit_tests_as_dbt_writes_them() {
    let tests = "
  - name: one
    model: orders
    description: Keeps.
    given: [{input: ref('raw'), rows: [{id: null}, {id: 1}]}]
    expect: {format: csv, rows: \"id\\n1\\n\"}
    config: {meta: {owner: ann}}
";
    let project = orders("select id from {{ ref('raw') }} where id is not null", tests);
    project.ends(0, &["build"]);
    let manifest = project.json("target/manifest.json");
    let mut test = manifest["unit_tests"]["unit_test.shop.orders.one"].clone();
    test["created_at"] = 0.into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&test).unwrap_or_default());
    assert!(manifest["nodes"].get("unit_test.shop.orders.one").is_none());
    assert_eq!(manifest["parent_map"]["unit_test.shop.orders.one"][0], "model.shop.orders");
    let compiled = project.read("target/compiled/shop/models/tests.yml/models/one.sql");
    assert!(
        compiled.starts_with("with __dbt__cte__raw as (\n-- Fixture for raw\nselect cast(1 as INTEGER) as \"id\""),
        "{compiled}"
    );
}

#[test]
fn a_model_with_versions_is_tested_version_by_version() {
    let yaml = "
models:
  - name: orders
    latest_version: 2
    versions: [{v: 1}, {v: 2}, {v: 3}]
  - name: raw
    versions: [{v: 1}, {v: 2}]
unit_tests:
  - name: all
    model: orders
    given: [{input: \"ref('raw', v=1)\", rows: [{id: 1}]}, {input: ref('raw'), rows: [{id: 3}]}]
    expect: {rows: [{id: 3}]}
  - name: newer
    model: orders
    versions: {include: [2, 3]}
    given: [{input: \"ref('raw', v=2)\", rows: [{id: 7}]}]
    expect: {rows: [{id: 7}]}
  - name: others
    model: orders
    versions: {exclude: [2]}
    given: [{input: \"ref('raw', v=1)\", rows: [{id: 1}]}, {input: ref('raw'), rows: [{id: 3}]}]
    expect: {rows: [{id: 3}]}
";
    let project = dbt(&[
        ("models/raw_v1.sql", "select 1 as id"),
        ("models/raw_v2.sql", "select 1 as id"),
        ("models/orders_v1.sql", "select id + 2 as id from {{ ref('raw', v=1) }}"),
        ("models/orders_v2.sql", "select id from {{ ref('raw', v=2) }}"),
        ("models/orders_v3.sql", "select id from {{ ref('raw') }}"),
        ("models/models.yml", yaml),
    ]);
    let listed = |args: &[&str]| project.ends(0, &[&["ls", "--resource-type", "unit_test"], args].concat()).stdout;
    let all = "unit_test:shop.all_v1\nunit_test:shop.all_v2\nunit_test:shop.all_v3\nunit_test:shop.newer_v2\n\
               unit_test:shop.newer_v3\nunit_test:shop.others_v1\nunit_test:shop.others_v3\n";
    assert_eq!(listed(&["--output", "selector"]), all);
    assert_eq!(
        listed(&["--output", "selector", "--select", "orders.v1"]),
        "unit_test:shop.all_v1\nunit_test:shop.others_v1\n"
    );
    assert_eq!(listed(&["--output", "name", "--select", "unit_test:newer"]), "newer\nnewer\n");
    let ran = project.ends(0, &["build"]);
    assert!(ran.all().contains("PASS orders::others_v3"), "{}", ran.all());
    let tests = &project.json("target/manifest.json")["unit_tests"];
    let test = &tests["unit_test.shop.orders.newer_v3"];
    let shown = ["name", "version", "versions", "depends_on"].map(|key| test[key].to_string());
    let parents = r#"{"macros":[],"nodes":["model.shop.orders.v3"]}"#;
    assert_eq!(shown, ["\"newer\"", "3", r#"{"include":[2,3],"exclude":null}"#, parents]);
}
