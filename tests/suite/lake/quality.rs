//! Rows that tests take out of a model.

use crate::suite::support::Project;

#[test]
fn rows_go_into_quarantine_and_come_back() {
    let project = Project::of(&[
        (
            "medal.yml",
            "name: shop
target: lake
targets: {lake: {type: datafusion, path: lake, threads: 2}}
layers:
  silver: {paths: [models/silver], defaults: {materialized: table}}
",
        ),
        (
            "models/silver/orders.sql",
            "select * from (values (1, 10), (2, {{ var('two', 'null') }}), (3, -5), (4, 20), (4, 20)) as orders(id, amount)",
        ),
        (
            "models/models.yml",
            "models:
  - name: orders
    columns:
      - {name: id, data_tests: [{unique: {config: {action: drop}}}]}
      - name: amount
        data_tests:
          - not_null: {config: {action: quarantine}}
          - medal.in_range: {arguments: {min: 0}, config: {action: quarantine, code: NEG_AMOUNT}}
",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from main.orders order by id"), "1|10\n4|20");
    let reasons = "select id, _reasons[1].code, _status from main.orders__quarantine order by id, _status";
    assert_eq!(project.query(reasons), "2|not_null|open\n3|NEG_AMOUNT|open");
    project.ends(0, &["build", "--vars", "two: '7'"]);
    assert_eq!(project.query("select * from main.orders order by id"), "1|10\n2|7\n4|20");
    assert_eq!(project.query(reasons), "2|not_null|released\n3|NEG_AMOUNT|open");
    let listed = project.ends(0, &["--quiet", "quarantine", "list"]);
    assert!(listed.stdout.contains("NEG_AMOUNT"), "{}", listed.all());
    project.ends(0, &["docs", "generate"]);
    let index = project.json("target/index.json");
    let orders = index["nodes"].as_array().unwrap().iter().find(|node| node["id"] == "model.shop.orders").unwrap();
    let open = &orders["quarantine"];
    assert_eq!((&open["rows"], &open["reasons"][0]["code"]), (&1.into(), &"NEG_AMOUNT".into()), "{open}");
}
