//! Versions of models, contracts, groups and access, grants and comments.

use crate::suite::support::{Project, dbt};

/// Two versions of `orders`, of which the second is the latest, and readers of both.
fn versioned() -> Project {
    let schema = "models:
  - name: orders
    description: All orders
    latest_version: 2
    columns:
      - {name: id, data_tests: [unique]}
      - {name: note, data_tests: [not_null]}
    versions:
      - v: 1
        config: {alias: orders_old, materialized: table}
      - v: 2
        description: Without notes
        columns:
          - {include: '*', exclude: [note]}
      - v: 3
        defined_in: orders_next
        data_tests: []
        columns: [{include: [id]}, {name: amount, data_tests: [not_null]}]
";
    dbt(&[
        ("models/orders_v1.sql", "select 1 as id, 'old' as note"),
        ("models/orders.sql", "select 2 as id"),
        ("models/orders_next.sql", "select 3 as id, 10 as amount"),
        ("models/latest.sql", "select id from {{ ref('orders') }}"),
        (
            "models/each.sql",
            "{% for v in [1, 2, 3] %}select id from {{ ref('orders', v=v) }} {{ 'union all ' if not loop.last }}{% endfor %}",
        ),
        ("models/schema.yml", schema),
    ])
}

#[test]
fn a_ref_without_a_version_reads_the_latest() {
    let project = versioned();
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from latest"), "2");
    assert_eq!(project.query("select * from each order by id"), "1\n2\n3");
    assert_eq!(project.query("select * from orders_old"), "1|old");
    assert_eq!(project.query("select * from orders_v3"), "3|10");
    let of_orders = |line: &String| line.contains("orders");
    assert_eq!(
        project.outcomes().into_iter().filter(of_orders).collect::<Vec<_>>(),
        [
            "not_null_orders_v1_note pass 0",
            "not_null_orders_v3_amount pass 0",
            "orders success",
            "orders success",
            "orders success",
            "unique_orders_v1_id pass 0",
            "unique_orders_v2_id pass 0",
            "unique_orders_v3_id pass 0",
        ]
    );
}

#[test]
fn a_version_is_selected_by_its_name_and_by_its_age() {
    let project = versioned();
    let listed = |value: &str| {
        project.ends(0, &["ls", "--resource-type", "model", "--output", "name", "--select", value]).stdout
    };
    assert_eq!(listed("orders"), "orders.v1\norders.v2\norders.v3\n");
    assert_eq!(listed("orders.v1"), "orders.v1\n");
    assert_eq!(listed("orders_v3"), "orders.v3\n");
    assert_eq!(listed("version:old"), "orders.v1\n");
    assert_eq!(listed("version:latest"), "orders.v2\n");
    assert_eq!(listed("version:prerelease"), "orders.v3\n");
    assert_eq!(listed("version:none"), "each\nlatest\n");
}

#[test]
fn the_manifest_has_a_node_for_each_version() {
    let project = versioned();
    project.ends(0, &["parse"]);
    let manifest = project.json("target/manifest.json");
    let node = &manifest["nodes"]["model.shop.orders.v2"];
    let shown = ["name", "version", "latest_version", "alias", "description"].map(|key| node[key].to_string());
    assert_eq!(shown, [r#""orders""#, "2", "2", r#""orders_v2""#, r#""Without notes""#]);
    assert_eq!(node["fqn"], serde_json::json!(["shop", "orders", "v2"]));
    assert_eq!(
        node["columns"].as_object().map(|columns| columns.keys().cloned().collect()),
        Some(vec!["id".to_string()])
    );
}

const CONTRACT: &str = "models:
  - name: customers
    config: {materialized: table, contract: {enforced: true}}
    constraints: [{type: primary_key, columns: [id]}]
    columns: [{name: id, data_type: int}, {name: name, data_type: text}]
  - name: orders
    config: {materialized: table, contract: {enforced: true}}
    constraints: [{type: unique, columns: [id, line]}]
    columns:
      - {name: id, data_type: bigint, constraints: [{type: not_null}, {type: check, expression: id > 0}]}
      - {name: line, data_type: int}
      - name: customer
        data_type: int
        constraints: [{type: foreign_key, to: ref('customers'), to_columns: [id]}]
";

#[test]
fn the_engine_holds_the_constraints_of_a_contract() {
    let project = dbt(&[
        ("models/customers.sql", "select 'ann' as name, 1 as id"),
        ("models/orders.sql", "select 7::bigint as id, 1 as line, {{ var('customer', 1) }} as customer"),
        ("models/schema.yml", CONTRACT),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from customers"), "1|ann");
    let kinds = "select table_name, string_agg(constraint_type, ', ' order by constraint_type) from duckdb_constraints() \
                 group by all order by all";
    assert_eq!(project.query(kinds), "customers|NOT NULL, PRIMARY KEY\norders|CHECK, FOREIGN KEY, NOT NULL, UNIQUE");
    let ran = project.ends(1, &["run", "--select", "orders", "--vars", "customer: 2"]);
    assert!(ran.all().contains("foreign key constraint"), "{}", ran.all());
    assert_eq!(project.query("select id, customer from orders"), "7|1");
}

#[test]
fn a_broken_contract_leaves_the_old_table() {
    let schema = "models: [{name: a, config: {contract: {enforced: true}}, columns: [{name: id, data_type: int}]}]";
    let project = dbt(&[
        ("models/a.sql", "{{ config(materialized='table') }} select {{ var('id', '1') }} as id"),
        ("models/schema.yml", schema),
    ]);
    project.ends(0, &["build"]);
    let ran = project.ends(1, &["run", "--vars", "id: \"'x'\""]);
    assert!(ran.all().contains("other type"), "{}", ran.all());
    assert_eq!(project.query("select * from a"), "1");
}

#[test]
fn a_private_model_is_read_in_its_group_and_by_its_tests() {
    let schema = "groups: [{name: finance, owner: {name: Finance}}]
models:
  - name: ledger
    config: {group: finance, access: private}
    columns: [{name: id, data_tests: [unique]}]
  - {name: balance, config: {group: finance}}
";
    let project = dbt(&[
        ("models/ledger.sql", "select 1 as id"),
        ("models/balance.sql", "select * from {{ ref('ledger') }}"),
        ("models/schema.yml", schema),
    ]);
    project.ends(0, &["build"]);
    let members = project.json("target/manifest.json")["group_map"]["finance"].as_array().map(Vec::len);
    assert_eq!(members, Some(3));
}

#[test]
fn statements_carry_the_comment_that_the_project_asks_for() {
    let settings = |comment: &str| format!("name: shop\nprofile: shop\n{comment}\n");
    let project = dbt(&[
        ("models/a.sql", "{{ config(materialized='table') }} select current_query() as sent"),
        ("macros/note.sql", "{% macro note(node) %}for {{ node.name }} in {{ target.name }}{% endmacro %}"),
    ]);
    let sent = "select split_part(sent, chr(10), 1), split_part(sent, chr(10), -1) from a";
    project.write("dbt_project.yml", &settings("query-comment: '{{ note(node) }}'"));
    project.ends(0, &["build"]);
    assert!(project.query(sent).starts_with("/* for a in dev */|"), "{}", project.query(sent));
    project.write("dbt_project.yml", &settings("query-comment: {comment: '{{ note(node) }}', append: true}"));
    project.ends(0, &["build"]);
    assert!(project.query(sent).contains("|/* for a in dev */"), "{}", project.query(sent));
    project.write("dbt_project.yml", &settings("query-comment: 'ends */ early'"));
    assert!(project.ends(1, &["build"]).all().contains("would end it"));
}

#[test]
fn a_table_that_a_foreign_key_leads_to_is_built_anew() {
    let project = dbt(&[
        ("models/customers.sql", "select 'ann' as name, 1 as id"),
        ("models/orders.sql", "select 7::bigint as id, 1 as line, {{ var('customer', 1) }} as customer"),
        ("models/schema.yml", CONTRACT),
    ]);
    project.ends(0, &["build"]);
    project.ends(0, &["build"]);
    let keys = "select table_name from duckdb_constraints() where constraint_type = 'FOREIGN KEY'";
    assert_eq!(project.query(keys), "orders");
    let ran = project.ends(1, &["run", "--select", "customers"]);
    assert!(ran.all().contains("`orders` is not selected"), "{}", ran.all());
    assert_eq!(project.query("select id, customer from orders"), "7|1");
    project.ends(1, &["run", "--vars", "customer: 2"]);
    assert_eq!(project.query("select id, customer from orders"), "7|1");
    project.ends(0, &["run"]);
    assert_eq!(project.query(keys), "orders");
    assert_eq!(project.query("select count(*) from information_schema.tables"), "2");
}

#[test]
fn the_graph_shows_constraints_with_all_their_keys() {
    let yaml = "models:\n  - name: a\n    config: {contract: {enforced: true}}\n    columns: [{name: id, data_type: int, constraints: [{type: not_null}]}]\n";
    let reader = "{{ config(materialized='table') }}select '{{ (graph.nodes.values() | selectattr('name', 'equalto', 'a') | first).columns.id.constraints | tojson if execute }}' as shown from {{ ref('a') }}";
    let project = dbt(&[
        ("models/a.sql", "{{ config(materialized='table') }}select 1 as id"),
        ("models/b.sql", reader),
        ("models/all.yml", yaml),
    ]);
    project.ends(0, &["build"]);
    let shown = "[{\"expression\": null, \"name\": null, \"to\": null, \"to_columns\": [], \"type\": \"not_null\", \
        \"warn_unenforced\": true, \"warn_unsupported\": true}]";
    assert_eq!(project.query("select * from b"), shown);
}

#[test]
fn what_an_exposure_names_must_be_there() {
    let exposure = |reads: &str, enabled: bool| {
        format!(
            "exposures:\n  - name: board\n    type: dashboard\n    owner: {{name: shop}}\n    config: {{enabled: {enabled}}}\n    depends_on:\n      - ref('orders')\n      - {reads}\n"
        )
    };
    let project = dbt(&[
        ("models/orders.sql", "select 1 as id"),
        ("models/hidden.sql", "{{ config(enabled=false) }}select 1 as id"),
    ]);
    for (reads, told) in [
        ("ref('ordrs')", "the exposure `board` refers to `ordrs`, which does not exist"),
        ("ref('hidden')", "the exposure `board` refers to `hidden`, which is switched off"),
        ("source('raw', 'orders')", "the exposure `board` reads the source `raw.orders`, which is not declared"),
    ] {
        project.write("models/board.yml", &exposure(reads, true));
        let stderr = project.ends(1, &["parse"]).stderr;
        assert!(stderr.contains(told) && stderr.contains("models/board.yml:8:9"), "{stderr}");
        project.write("models/board.yml", &exposure(reads, false));
        project.ends(0, &["parse"]);
    }
}
