//! Tests with an `action`: rows that are held back, left out, counted, or that hold back everything.

use serde_json::{Value as Json, json};

use crate::suite::support::Project;

const MEDAL: &str = "name: shop
version: '1.0'
target: dev
targets: {dev: {type: duckdb, path: shop.duckdb, threads: 2}}
layers:
  silver: {paths: [models/silver], reads: [silver, source], defaults: {materialized: table}}
";

/// Orders from a seed, with these tests in YAML below the columns `id`, `amount` and `customer`.
fn orders(tests: &str, config: &str) -> Project {
    Project::of(&[
        ("medal.yml", MEDAL),
        (
            "seeds/raw_orders.csv",
            "id,amount,customer,_source_file\n1,10,ann,a.csv\n2,,bob,a.csv\n3,-5,ann,a.csv\n3,7,eve,b.csv\n4,,,b.csv\n5,20,bob,b.csv\n",
        ),
        (
            "models/silver/orders.sql",
            &format!(
                "{{{{ config({config}) }}}} select id::int as id, amount::int as amount, customer, _source_file from {{{{ ref('raw_orders') }}}}"
            ),
        ),
        ("models/silver/people.sql", "select unnest(['ann', 'bob']) as name"),
        ("models/models.yml", &format!("models:\n  - name: orders\n    columns:\n{tests}")),
    ])
}

const RULES: &str = "      - name: amount
        data_tests:
          - not_null: {config: {action: quarantine, code: NO_AMOUNT}}
          - medal.in_range: {arguments: {min: 0}, config: {meta: {medal: {action: quarantine}}}}
      - name: customer
        data_tests:
          - relationships: {arguments: {to: ref('people'), field: name}, config: {action: drop}}
";

fn quarantined(project: &Project) -> String {
    project.query(
        "select id, list_transform(_reasons, lambda reason: reason.code)::varchar as codes, _source_file, _status
         from main.orders__quarantine order by _quarantined_at, id, _status",
    )
}

#[test]
fn broken_rows_go_into_quarantine_and_the_others_are_published() {
    let project = orders(RULES, "");
    project.ends(0, &["build"]);
    assert_eq!(project.query("select id, amount from main.orders order by id"), "1|10\n5|20");
    assert_eq!(quarantined(&project), "2|[NO_AMOUNT]|a.csv|open\n3|[in_range]|a.csv|open\n4|[NO_AMOUNT]|b.csv|open");
    assert_eq!(
        project.query(
            "select rows_in, rows_out, rows_quarantined, rows_dropped from medal_meta.nodes where model like '%.orders'"
        ),
        "6|2|3|1"
    );
    let of_orders: Vec<String> = project.outcomes().into_iter().filter(|line| line.contains("orders_")).collect();
    assert_eq!(
        of_orders,
        [
            "medal_in_range_orders_amount__0 warn 1",
            "not_null_orders_amount warn 2",
            "relationships_orders_customer__name__ref_people_ warn 1"
        ]
    );
    // The same rows are not held back twice, and what is corrected leaves.
    project.ends(0, &["build"]);
    assert_eq!(project.query("select count(*) from main.orders__quarantine"), "3");
    let seed = project.read("seeds/raw_orders.csv").replace("2,,bob", "2,4,bob");
    project.write("seeds/raw_orders.csv", &seed);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select id from main.orders order by id"), "1\n2\n5");
    assert_eq!(
        project.query("select id, _status from main.orders__quarantine order by id"),
        "2|released\n3|open\n4|open"
    );
}

#[test]
fn too_many_broken_rows_hold_back_the_model() {
    let project = orders(RULES, "quarantine={'max_rate': 0.5}");
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("4 of 6 rows of `orders` break its tests"), "{}", ran.all());
    assert_eq!(project.query("select count(*) from duckdb_tables() where table_name = 'orders'"), "0");
    let project = orders(&RULES.replace("code: NO_AMOUNT", "code: NO_AMOUNT, max_rate: 0.2"), "");
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("2 of 6 rows in quarantine, more than `max_rate` allows"), "{}", ran.all());
}

#[test]
fn a_test_may_warn_or_let_a_share_of_rows_pass() {
    let tests = "      - {name: amount, data_tests: [{not_null: {config: {action: warn}}}]}
      - {name: customer, data_tests: [{not_null: {config: {max_rate: 0.2}}}]}
      - {name: id, data_tests: [{unique: {config: {max_rate: 0.1}}}]}\n";
    let project = orders(tests, "");
    project.ends(1, &["build"]);
    let outcomes = project.outcomes();
    for wanted in
        ["not_null_orders_amount warn 2", "not_null_orders_customer warn 1", "unique_orders_id fail 1", "orders error"]
    {
        assert!(outcomes.contains(&wanted.to_string()), "{wanted}: {outcomes:?}");
    }
}

#[test]
fn of_rows_with_the_same_key_the_first_stays() {
    let tests = "      - {name: id, data_tests: [{unique: {config: {action: quarantine}}}]}\n";
    let project = orders(tests, "sequence_by='amount desc'");
    project.ends(0, &["build"]);
    assert_eq!(project.query("select amount from main.orders where id = 3"), "7");
    assert_eq!(project.query("select id, amount from main.orders__quarantine"), "3|-5");
}

#[test]
fn an_incremental_model_with_a_contract_holds_back_its_new_rows_and_takes_released_ones() {
    let project = orders(RULES, "");
    project.write(
        "models/models.yml",
        &format!("models:\n  - name: orders\n    config: {{contract: {{enforced: true}}}}\n    columns:\n      - {{name: id, data_type: int}}\n      - {{name: _source_file, data_type: varchar}}\n{}", RULES.replace("- name: amount\n", "- name: amount\n        data_type: int\n        constraints: [{type: not_null}]\n").replace("- name: customer\n", "- name: customer\n        data_type: varchar\n")),
    );
    project.write(
        "models/silver/orders.sql",
        "{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }} select id::int as id, amount::int as amount, customer, _source_file from {{ ref('raw_orders') }}
         {% if is_incremental() %} where id::int > 5 {% endif %}",
    );
    project.ends(0, &["build"]);
    assert_eq!(project.query("select id from main.orders order by id"), "1\n5");
    let seed = project.read("seeds/raw_orders.csv") + "6,1,ann,c.csv\n7,-1,bob,c.csv\n";
    project.write("seeds/raw_orders.csv", &seed);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select id from main.orders order by id"), "1\n5\n6");
    assert_eq!(
        project.query("select id, _status from main.orders__quarantine order by id"),
        "2|open\n3|open\n4|open\n7|open"
    );
    project.write("models/silver/people.sql", "select unnest(['ann', 'bob', 'eve']) as name");
    project.ends(0, &["quarantine", "release", "--select", "orders", "--where", "id in (3, 7)"]);
    let rules = project.read("models/models.yml").replace("min: 0", "min: -3");
    project.write("models/models.yml", &rules);
    let seed = project.read("seeds/raw_orders.csv").replace("6,1,ann,c.csv\n7,-1,bob,c.csv\n", "");
    project.write("seeds/raw_orders.csv", &seed);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select id from main.orders order by id"), "1\n5\n6\n7");
    assert_eq!(
        project.query("select id, _status from main.orders__quarantine order by id, _status"),
        "2|open\n3|open\n3|released\n4|open\n7|released"
    );
    project.ends(0, &["quarantine", "purge", "--select", "orders", "--where", "id = 4"]);
    assert_eq!(
        project.query("select count(*) from main.orders__quarantine where id is null and _status = 'purged'"),
        "1"
    );
    let ran = project.ends(0, &["quarantine", "list"]);
    assert!(ran.stdout.contains("orders") && ran.stdout.contains("NO_AMOUNT"), "{}", ran.all());
    let ran = project.ends(0, &["quarantine", "show", "--select", "orders", "--where", "id = 2"]);
    assert!(ran.stdout.contains("bob"), "{}", ran.all());
}

#[test]
fn the_tests_that_medal_brings_along_pass_and_fail_as_they_say() {
    let project = orders("      - {name: id}\n", "");
    project.write("seeds/stats.csv", "table_name,row_count\norders,6\n");
    let test = |name: &str, arguments: &str| format!("      - medal.{name}: {{arguments: {{{arguments}}}}}\n");
    let good = [
        test("null_rate", "column_name: amount, max: 0.34"),
        test("row_count_between", "min: 6, max: 6"),
        test("row_count_matches", "to: ref('stats'), key: orders, count_column: row_count::int"),
        test("row_count_anomaly", "min_builds: 14"),
        test("freshness", "column_name: \"now()\", max_age: 1 hour"),
        test("join_coverage", "column_name: customer, to: ref('people'), field: name, min: 0.6"),
        test("sum_matches", "column_name: amount, to: ref('orders'), field: amount"),
        test("sequence_gaps", "column_name: id"),
        test("expression", "expression: id > 0"),
        test("regex", "column_name: _source_file, pattern: '^[ab][.]csv$'"),
        test("length", "column_name: _source_file, min: 5, max: 5"),
        test("in_range", "column_name: id, min: 1, max: 5"),
    ];
    let bad = [
        test("null_rate", "column_name: amount, max: 0.3"),
        test("row_count_between", "min: 7"),
        test("row_count_matches", "to: ref('people'), tolerance: 0.5"),
        test("freshness", "column_name: \"timestamp '2020-01-01'\", max_age: 1 day"),
        test("join_coverage", "column_name: customer, to: ref('people'), field: name"),
        test("sum_matches", "column_name: amount, to: ref('orders'), field: id"),
        test("sequence_gaps", "column_name: amount, step: 3"),
        test("expression", "expression: id > 1"),
        test("regex", "column_name: _source_file, pattern: '^a'"),
        test("length", "column_name: _source_file, max: 4"),
        test("in_range", "column_name: id, min: 1, max: 5, inclusive: false"),
    ];
    let with = |tests: &[String]| {
        format!("models:\n  - name: orders\n    config: {{publish: immediate}}\n    data_tests:\n{}", tests.concat())
    };
    project.write("models/models.yml", &with(&good));
    project.ends(0, &["build"]);
    project.write("models/models.yml", &with(&bad));
    project.ends(1, &["test"]);
    let passed: Vec<String> = project.outcomes().into_iter().filter(|outcome| !outcome.contains(" fail ")).collect();
    assert!(passed.is_empty() && project.outcomes().len() == bad.len(), "{:?}", project.outcomes());
}

#[test]
fn a_row_count_far_from_the_usual_one_is_an_anomaly() {
    let project = orders("      - {name: id}\n", "");
    project.write("models/silver/orders.sql", "select i as id from range({{ var('n', 100) }}) as t(i)");
    project.write(
        "models/models.yml",
        "models:\n  - name: orders\n    data_tests: [{medal.row_count_anomaly: {arguments: {min_builds: 3}}}]\n",
    );
    for n in [100, 101, 99, 500] {
        project.ends(i32::from(n == 500), &["build", "--select", "orders", "--vars", &format!("n: {n}")]);
    }
    assert_eq!(project.query("select count(*) from main.orders"), "99");
    // The rows of the table count, not those that a build adds.
    let adds = "{{ config(materialized='incremental') }} select i as id from range({{ var('n') }}) as t(i)
        {% if is_incremental() %} where i > (select max(id) from {{ this }}) {% endif %}";
    project.write("models/silver/orders.sql", adds);
    for n in [100, 101, 102, 103] {
        project.ends(0, &["build", "--select", "orders", "--vars", &format!("n: {n}")]);
    }
}

#[test]
fn the_docs_count_what_is_in_quarantine_and_show_none_of_its_rows() {
    let project = orders(RULES, "");
    project.ends(0, &["build"]);
    let quarantine = |arguments: &[&str]| {
        project.ends(0, &[&["docs", "generate"], arguments].concat());
        let index = project.json("target/index.json");
        let orders = index["nodes"].as_array().unwrap().iter().find(|node| node["id"] == "model.shop.orders").cloned();
        let mut quarantine = orders.unwrap()["quarantine"].clone();
        if quarantine.is_object() {
            let times = quarantine["newest"].take();
            assert!(
                times.is_null() || chrono::DateTime::parse_from_rfc3339(times.as_str().unwrap()).is_ok(),
                "{times}"
            );
        }
        for reason in quarantine.get_mut("reasons").and_then(Json::as_array_mut).into_iter().flatten() {
            assert!(reason["newest"].take().is_string() && reason["test"].take().is_string());
        }
        quarantine
    };
    let reasons = json!([
        {"code": "NO_AMOUNT", "test": null, "column": "amount", "rows": 2, "newest": null},
        {"code": "in_range", "test": null, "column": "amount", "rows": 1, "newest": null},
    ]);
    assert_eq!(quarantine(&[]), json!({"rows": 3, "newest": null, "reasons": reasons}));
    // Where nobody has looked, nothing is said.
    assert_eq!(quarantine(&["--empty-catalog"]), Json::Null);
    project.ends(0, &["quarantine", "purge", "--select", "orders"]);
    assert_eq!(quarantine(&[]), json!({"rows": 0, "newest": null}));
}
