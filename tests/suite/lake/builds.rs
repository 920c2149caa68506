//! Every kind of node, built in a lakehouse.

use crate::suite::lake::{lakehouse, versions};
use crate::suite::support::Project;

#[test]
fn debug_says_whether_a_lakehouse_can_be_reached() {
    let project = lakehouse(&[]);
    let ran = project.ends(0, &["debug"]);
    assert!(ran.all().contains("works, DataFusion v"), "{}", ran.all());
    project
        .write("profiles.yml", "shop: {target: lake, outputs: {lake: {type: datafusion, path: 'dbt_project.yml'}}}\n");
    let ran = project.ends(1, &["debug"]);
    assert!(ran.all().contains("connection-failed"), "{}", ran.all());
}

/// A seed, a view, a table, an incremental model, a snapshot, data tests and a unit test.
fn shop() -> Project {
    lakehouse(&[
        (
            "seeds/raw_orders.csv",
            "id,customer,amount,ordered_at\n1,ann,10.5,2024-01-01\n2,bob,20,2024-01-02\n3,ann,,2024-01-03\n",
        ),
        (
            "models/stg_orders.sql",
            "select id, upper(customer) as customer, amount, ordered_at from {{ ref('raw_orders') }}",
        ),
        (
            "models/customers.sql",
            "{{ config(materialized='table') }} select customer, count(*) as orders, sum(amount) as total from {{ ref('stg_orders') }} group by customer",
        ),
        (
            "models/history.sql",
            "{{ config(materialized='incremental', unique_key='id') }} select id, amount from {{ ref('stg_orders') }}
             {% if is_incremental() %} where id >= 3 {% endif %}",
        ),
        (
            "models/small.sql",
            "{{ config(materialized='ephemeral') }} select * from {{ ref('stg_orders') }} where amount < 15",
        ),
        ("models/small_count.sql", "select count(*) as n from {{ ref('small') }}"),
        (
            "models/models.yml",
            "models:
  - name: customers
    columns:
      - {name: customer, data_tests: [unique, not_null]}
      - {name: orders, data_tests: [{accepted_values: {arguments: {values: [1, 2], quote: false}}}]}
unit_tests:
  - name: counts_orders
    model: customers
    given: [{input: ref('stg_orders'), rows: [{customer: a, amount: 1}, {customer: a, amount: 2}]}]
    expect: {rows: [{customer: a, orders: 2, total: 3}]}
",
        ),
        (
            "snapshots/orders.yml",
            "snapshots:
  - name: orders_history
    relation: ref('stg_orders')
    config: {unique_key: id, strategy: check, check_cols: [amount]}
",
        ),
    ])
}

#[test]
fn every_kind_of_node_builds_and_builds_again() {
    let project = shop();
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from customers order by customer"), "ANN|2|10.5\nBOB|1|20.0");
    assert_eq!(project.query("select n from small_count"), "1");
    project.write(
        "seeds/raw_orders.csv",
        "id,customer,amount,ordered_at\n1,ann,11,2024-01-01\n3,ann,3,2024-01-03\n4,eve,4,2024-01-04\n",
    );
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from history order by id"), "1|10.5\n2|20.0\n3|3.0\n4|4.0");
    assert_eq!(
        project
            .query("select id, amount, dbt_valid_to is null as open from orders_history order by id, dbt_valid_from"),
        "1|10.5|false\n1|11.0|true\n2|20.0|true\n3|null|false\n3|3.0|true\n4|4.0|true"
    );
    assert_eq!(versions(&project, "customers"), ["00000000000000000000.json", "00000000000000000001.json"]);
    assert_eq!(versions(&project, "history").len(), 2);
}

#[test]
fn a_model_that_becomes_a_table_or_a_view_takes_the_place_of_what_it_was() {
    let project = lakehouse(&[("models/m.sql", "select 1 as a")]);
    project.ends(0, &["run"]);
    assert!(project.path().join("lake/main/m.view.sql").is_file());
    project.write("models/m.sql", "{{ config(materialized='table') }} select 2 as a");
    project.ends(0, &["run"]);
    assert!(!project.path().join("lake/main/m.view.sql").exists());
    assert_eq!(project.query("select a from m"), "2");
    project.write("models/m.sql", "select 3 as a");
    project.ends(0, &["run"]);
    assert_eq!(project.query("select a from m"), "3");
    assert!(!project.path().join("lake/main/m").exists());
}

#[test]
fn a_model_that_fails_leaves_what_was_there() {
    let project = lakehouse(&[("models/m.sql", "{{ config(materialized='table') }} select 1 as a")]);
    project.ends(0, &["run"]);
    project
        .write("models/m.sql", "{{ config(materialized='table', post_hook='select * from nowhere') }} select 2 as a");
    let ran = project.ends(1, &["run"]);
    assert!(ran.all().contains("nowhere"), "{}", ran.all());
    assert_eq!(project.query("select a from m"), "1");
    assert_eq!(versions(&project, "m"), ["00000000000000000000.json"]);
}

#[test]
fn a_table_that_is_dropped_and_made_again_in_one_transaction_is_replaced_in_one_commit() {
    let project = lakehouse(&[("models/m.sql", "{{ config(materialized='table') }} select 1 as a")]);
    project.ends(0, &["run"]);
    project.write("models/m.sql", "{{ config(materialized='table', pre_hook='drop table {{ this }}') }} select 2 as b");
    project.ends(0, &["run"]);
    assert_eq!(project.query("select b from m"), "2");
    assert_eq!(versions(&project, "m"), ["00000000000000000000.json", "00000000000000000001.json"]);
    project.ends(0, &["rollback", "m", "--to-version", "0"]);
    assert_eq!(project.query("select a from m"), "1");
}
