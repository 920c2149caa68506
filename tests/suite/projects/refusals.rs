//! What an engine would refuse is told before a run: at its place, with a way out, and never where the run would pass.

use crate::suite::lake::both_engines;
use crate::suite::support::{Project, Ran, dbt};

/// The findings of a check, a line each: the place, the code, the fact, and what was meant.
fn findings(ran: &Ran) -> String {
    let checked: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    let line = |it: &serde_json::Value| {
        let place = &it["place"];
        let place = format!("{}:{}:{}", text(&place["path"]).replace("models/", ""), place["line"], place["column"]);
        let message = text(&it["message"]).lines().next().unwrap_or_default().to_string();
        let help = Some(text(&it["help"])).filter(|help| !help.is_empty() && !help.starts_with("there is"));
        let help = help.map_or(String::new(), |help| format!(" | {help}"));
        format!("{place} {} {}: {message}{help}", text(&it["severity"]), text(&it["code"]))
    };
    checked["findings"].as_array().into_iter().flatten().map(line).collect::<Vec<_>>().join("\n")
}

/// Models that read `a`, each with one mistake.
const MISTAKES: [(&str, &str); 13] = [
    ("ambiguous", "select id from {{ ref('a') }} b join {{ ref('a') }} c on b.id = c.id"),
    ("arithmetic", "select id, name + 1 as x from {{ ref('a') }}"),
    ("call", "select length(name) as n, sum(name) as x from {{ ref('a') }}"),
    ("compared", "select id from {{ ref('a') }} where s > 3"),
    ("filtered", "select id from {{ ref('a') }} where count(*) > 1"),
    ("function", "select uper(name) as x from {{ ref('a') }}"),
    ("grouped", "select id, name, count(*) as n from {{ ref('a') }} group by id"),
    ("member", "select 'y' as y, s.y as z from {{ ref('a') }}"),
    ("relation", "select 1 as x from {{ target.schema }}.aa"),
    ("table", "with totals as (select * from {{ ref('a') }}) select * from total"),
    ("twice", "select c.id from {{ ref('a') }} c join {{ ref('a') }} c on true"),
    ("types", "select id::intger as x from {{ ref('a') }}"),
    ("uneven", "select id, name from {{ ref('a') }} union all select id from {{ ref('a') }}"),
];

fn mistaken() -> Project {
    let a = "{{ config(materialized='table') }} select 1 as id, 'x' as name, {'x': 1} as s";
    let project = both_engines(&[("models/a.sql", a)]);
    for (name, sql) in MISTAKES {
        project.write(&format!("models/{name}.sql"), sql);
    }
    project
}

#[test]
fn what_duckdb_refuses_is_told_at_its_place() {
    let project = mistaken();
    project.ends(0, &["build", "--select", "a"]);
    insta::assert_snapshot!(findings(&project.ends(1, &["check", "--output", "json"])), @r#"
    ambiguous.sql:1:8 error ambiguous-column: the column `id` is ambiguous | write `b.id` or `c.id`
    arithmetic.sql:1:17 error type-mismatch: No function matches the given name and argument types '+(VARCHAR, INTEGER_LITERAL)'. You might need to add explicit type casts
    call.sql:1:27 error type-mismatch: No function matches the given name and argument types 'sum(VARCHAR)'. You might need to add explicit type casts
    compared.sql:1:39 error type-mismatch: Cannot compare values of type STRUCT(x INTEGER) and type INTEGER_LITERAL - an explicit cast is required
    filtered.sql:1:37 error sql-error: WHERE clause cannot contain aggregates!
    function.sql:1:8 error unknown-function: the function `uper` does not exist | did you mean `upper`?
    grouped.sql:1:12 error sql-error: column "name" must appear in the GROUP BY clause or must be part of an aggregate function.
    member.sql:1:20 error sql-error: Could not find key "y" in struct
    relation.sql:1:40 error unknown-relation: the relation `aa` does not exist | did you mean `a`? read it with `ref('a')`
    table.sql:1:61 error unknown-relation: the relation `total` does not exist | did you mean `totals`?
    twice.sql:1:55 error sql-error: Ambiguous reference to table "c" (duplicate alias "c", explicitly alias one of the tables using "AS my_alias")
    types.sql:1:12 error unknown-type: the type `intger` does not exist | did you mean `integer`?
    uneven.sql:1:37 error type-mismatch: Set operations can only apply to expressions with the same number of result columns
    "#);
}

#[test]
fn what_a_lakehouse_refuses_is_told_at_its_place() {
    let project = mistaken();
    project.ends(0, &["build", "--select", "a", "--target", "lake"]);
    insta::assert_snapshot!(findings(&project.ends(1, &["check", "--output", "json", "--target", "lake"])), @r#"
    ambiguous.sql:1:8 error ambiguous-column: the column `id` is ambiguous | write `b.id` or `c.id`
    arithmetic.sql:1:12 error type-mismatch: Cannot coerce arithmetic expression VARCHAR + INTEGER to valid types
    call.sql:1:27 error type-mismatch: No function matches the given name and argument types 'sum(VARCHAR)'. You might need to add explicit type casts
    compared.sql:1:37 error type-mismatch: Cannot compare values of type STRUCT(x INTEGER) and type INTEGER
    filtered.sql:1:37 error sql-error: Aggregate functions are not allowed in the WHERE clause. Consider using HAVING instead
    function.sql:1:8 error unknown-function: the function `uper` does not exist | did you mean `upper`?
    grouped.sql:1:12 error sql-error: column "name" must appear in the GROUP BY clause or must be part of an aggregate function
    member.sql:1:20 error sql-error: Field y not found in struct
    relation.sql:1:40 error unknown-relation: the relation `aa` does not exist | did you mean `a`? read it with `ref('a')`
    table.sql:1:61 error unknown-relation: the relation `total` does not exist | did you mean `totals`?
    twice.sql:1:55 error sql-error: Schema contains duplicate qualified field name c.id
    types.sql:1:12 error unknown-type: the type `intger` does not exist | did you mean `integer`?
    uneven.sql:1:37 error type-mismatch: UNION queries have different number of columns
    "#);
    project.ends(1, &["run", "--exclude", "a", "--target", "lake"]);
    assert!(!project.outcomes().iter().any(|outcome| outcome.ends_with("success")), "{:?}", project.outcomes());
}

#[test]
fn files_that_a_lakehouse_cannot_read_are_no_mistake_of_the_query() {
    let project = both_engines(&[
        ("models/a.sql", "select * from 'nothing/*.csv'"),
        ("models/b.sql", "select * from read_csv('broken.csv')"),
        ("broken.csv", "id,name\n1\n1,2,3\n"),
    ]);
    let ran = project.ends(0, &["check", "--target", "lake"]);
    assert!(ran.stderr.contains("The columns of `a` are not known: Binder Error: there is no file"), "{}", ran.all());
}

#[test]
fn a_relation_that_only_a_warehouse_could_have_is_a_warning_that_says_so() {
    let project =
        dbt(&[("models/stg_payments.sql", "select 1 as id"), ("models/a.sql", "select * from main.stg_paymentz")]);
    let told = project.ends(0, &["check"]).stderr;
    assert!(
        told.contains("warning[unknown-relation]") && told.contains("there is no warehouse yet to look in"),
        "{told}"
    );
    assert!(told.contains("did you mean `stg_payments`? read it with `ref('stg_payments')`"), "{told}");
    project.ends(0, &["run", "--select", "stg_payments"]);
    let told = project.ends(1, &["check"]).stderr;
    assert!(
        told.contains("error[unknown-relation]") && told.contains("neither the project nor the warehouse"),
        "{told}"
    );
}

/// Bad records are set aside by the run: they are no reason not to know the columns, and change none.
#[test]
fn files_that_land_are_typed_as_they_are_ingested() {
    let medal = "name: shop\ntarget: dev\ntargets: {dev: {type: duckdb, path: shop.duckdb}, lake: {type: datafusion, path: lake}}\n";
    let sources = "sources:
  - name: landing
    tables:
      - name: invoices
        meta: {medal: {location: 'landing/*.csv', csv_read_options: {delim: ';'}}}
      - name: orders
        meta: {medal: {location: 'landing/*.ndjson'}}
";
    let ingest = |table: &str| {
        format!("{{{{ config(materialized='ingest') }}}} select * from {{{{ source('landing', '{table}') }}}}")
    };
    let files = [
        ("medal.yml", medal),
        ("models/sources.yml", sources),
        (
            "landing/1.csv",
            "id;code;day;amount;at;paid\n1;007;2024-01-01;2.5;2024-01-01T10:00:00Z;true\nonly two;here\n2;x,y;2024-02-01;3;2024-01-02 11:00:00+01;false\n",
        ),
        ("landing/2.csv", "id;code;more\n3;8;2024-01-01 10:00:00\n"),
        (
            "landing/1.ndjson",
            "{\"id\":1,\"amount\":2,\"who\":{\"name\":\"x\"},\"note\":null}\n{\"id\":2,\n{\"id\":3,\"amount\":2.5,\"tags\":[1]}\n",
        ),
        ("models/bronze_invoices.sql", &ingest("invoices")),
        ("models/bronze_orders.sql", &ingest("orders")),
        ("models/sums.sql", "select id, amount * 2 as twice, day + 1 as next from {{ ref('bronze_invoices') }}"),
    ];
    for target in ["dev", "lake"] {
        let project = Project::of(&files);
        let ran = project.ends(0, &["check", "--output", "json", "--target", target]);
        assert!(!ran.stderr.contains("not known"), "{}", ran.all());
        let checked: serde_json::Value = serde_json::from_str(ran.stdout.lines().next().unwrap()).unwrap();
        project.medal(&["build", "--target", target]);
        for name in ["bronze_invoices", "bronze_orders", "sums"] {
            let columns = checked["columns"][format!("model.shop.{name}")].as_array().cloned().unwrap_or_default();
            let text = |column: &serde_json::Value, key: &str| column[key].as_str().unwrap_or_default().to_string();
            let expected = columns.iter().map(|it| format!("{} {}", text(it, "name"), text(it, "data_type")));
            let query = format!(
                "select column_name || ' ' || data_type as it from information_schema.columns where table_name = '{name}' order by ordinal_position"
            );
            let ran = project.medal(&[
                "--quiet", "show", "--target", target, "--output", "json", "--limit", "-1", "--inline", &query,
            ]);
            let shown: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            let built = shown["show"].as_array().into_iter().flatten().map(|row| text(row, "it")).collect::<Vec<_>>();
            assert_eq!(
                built,
                expected.collect::<Vec<_>>(),
                "what a check expects of {name} is what a run builds in {target}"
            );
        }
    }
}

#[test]
fn an_operator_is_marked_where_the_engine_names_only_its_function() {
    let project = dbt(&[
        ("models/a.sql", "select 1 as id"),
        ("models/b.sql", "select\n  id -> 'x'::int[] as y\nfrom {{ ref('a') }}"),
    ]);
    let told = project.ends(1, &["check"]).stderr;
    assert!(told.contains("models/b.sql:2:6"), "{told}");
}

#[test]
fn the_rows_of_a_unit_test_are_marked_to_their_last_line() {
    let tests = "unit_tests:
  - name: one
    model: b
    given:
      - input: ref('a')
        format: csv
        rows: |
          id,nam
          1,x

      - input: ref('c')
        rows: []
    expect: {rows: []}
";
    let project = dbt(&[
        ("models/a.sql", "select 1 as id, 'x' as name"),
        ("models/c.sql", "select 1 as id"),
        ("models/b.sql", "select a.id from {{ ref('a') }} a join {{ ref('c') }} c on a.id = c.id"),
        ("models/tests.yml", tests),
    ]);
    let told = project.ends(1, &["check"]).stderr;
    let marked: Vec<&str> = told.lines().filter(|line| line.contains("| |") || line.contains("| /")).collect();
    insta::assert_snapshot!(marked.join("\n"), @r"
     8 | /           id,nam
     9 | |           1,x
       | |_____________^
    ");
}
