//! Snapshots over several runs, written as blocks and in YAML.

use crate::suite::support::{Project, dbt};

const FIRST: &str = "id,name,moved\n1,one,2024-01-01\n2,two,2024-01-01\n3,three,2024-01-01\n";
/// Row 2 has changed, row 3 is gone, row 4 is new.
const SECOND: &str = "id,name,moved\n1,one,2024-01-01\n2,TWO,2024-01-02\n4,four,2024-01-02\n";

/// The snapshot `orders` of the seed `raw`, taken of the first rows and then of the second.
fn taken_twice(config: &str) -> Project {
    let yaml =
        format!("snapshots:\n  - name: orders\n    relation: ref('raw')\n    config: {{unique_key: id, {config}}}\n");
    let project = dbt(&[("seeds/raw.csv", FIRST), ("snapshots/orders.yml", &yaml)]);
    for rows in [FIRST, SECOND] {
        project.write("seeds/raw.csv", rows);
        project.ends(0, &["seed", "--full-refresh"]);
        project.ends(0, &["snapshot"]);
    }
    project
}

/// Which rows are open, by id and name.
fn rows(project: &Project) -> String {
    project.query("select id, name, dbt_valid_to is null as open from orders order by all")
}

#[test]
fn a_snapshot_in_yaml_keeps_what_was_changed() {
    let timestamp = taken_twice("strategy: timestamp, updated_at: moved");
    assert_eq!(rows(&timestamp), "1|one|true\n2|TWO|true\n2|two|false\n3|three|true\n4|four|true");
    let closed = "select cast(dbt_valid_from as varchar), cast(dbt_valid_to as varchar) from orders where name = 'two'";
    assert_eq!(timestamp.query(closed), "2024-01-01|2024-01-02");
    let check = taken_twice("strategy: check, check_cols: [name]");
    assert_eq!(rows(&check), rows(&timestamp));
}

#[test]
fn rows_that_are_gone_are_closed_or_marked() {
    let closed = taken_twice("strategy: check, check_cols: all, hard_deletes: invalidate");
    assert_eq!(rows(&closed), "1|one|true\n2|TWO|true\n2|two|false\n3|three|false\n4|four|true");
    let marked = taken_twice("strategy: timestamp, updated_at: moved, hard_deletes: new_record");
    let three = "select dbt_is_deleted, dbt_valid_to is null from orders where id = 3 order by all";
    assert_eq!(marked.query(three), "False|false\nTrue|true");
}

#[test]
fn the_columns_of_a_snapshot_can_be_renamed_and_open_rows_can_have_an_end() {
    let names = "{dbt_valid_from: since, dbt_valid_to: until, dbt_scd_id: row_id, dbt_updated_at: changed}";
    let project = taken_twice(&format!(
        "strategy: timestamp, updated_at: moved, dbt_valid_to_current: \"date '9999-12-31'\", snapshot_meta_column_names: {names}"
    ));
    let columns = "select string_agg(column_name, ' ') from information_schema.columns where table_name = 'orders'";
    assert_eq!(project.query(columns), "id name moved row_id changed since until");
    let two = "select name, cast(since as varchar), cast(until as varchar) from orders where id = 2 order by since";
    assert_eq!(project.query(two), "two|2024-01-01|2024-01-02\nTWO|2024-01-02|9999-12-31");
}

#[test]
fn a_snapshot_in_yaml_has_tests_and_a_place_of_its_own() {
    let yaml = "snapshots:
  - name: orders
    relation: source('shop', 'raw')
    config: {unique_key: [id, name], strategy: check, check_cols: all, schema: history, alias: orders_then}
    columns: [{name: id, data_tests: [not_null]}]
";
    let sources = "sources: [{name: shop, schema: main, tables: [{name: raw}]}]";
    let project = dbt(&[("seeds/raw.csv", FIRST), ("snapshots/orders.yml", yaml), ("models/sources.yml", sources)]);
    project.ends(0, &["seed"]);
    project.ends(0, &["build", "--select", "orders"]);
    assert_eq!(project.outcomes(), ["not_null_orders_id pass 0", "orders success"]);
    assert_eq!(project.query("select count(*) from main_history.orders_then"), "3");
}
