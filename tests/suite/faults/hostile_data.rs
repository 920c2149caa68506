//! Data that is broken, or that tries to be code.

use crate::suite::support::{Project, dbt};

const NATIVE: &str = "name: shop\ntargets:\n  dev: {type: duckdb, path: shop.duckdb, threads: 2}\n";

/// A project with one seed of these bytes.
fn seed(bytes: &[u8]) -> Project {
    let project = Project::of(&[("medal.yml", NATIVE), ("seeds/.keep", ""), ("models/precious.sql", PRECIOUS)]);
    std::fs::write(project.path().join("seeds/given.csv"), bytes).expect("the file can be written");
    project
}

const PRECIOUS: &str = "{{ config(materialized='table') }} select 1 as id";

#[test]
fn a_broken_csv_is_an_error_with_its_place_and_leaves_the_old_table() {
    let broken: [(&[u8], &str); 5] = [
        (b"id,name\n1,a\n2,b,c\n", "given.csv:3"),
        (b"id,name\n1,a\n2\n", "given.csv:3"),
        (b"id,name\n1,\xff\xfe\n", "given.csv"),
        (b"\x00\x01\x02\x03\xff\n\x00", "given.csv"),
        (b"id,id\n1,2\n", "given.csv:1"),
    ];
    let project = seed(b"id,name\n1,old\n");
    project.ends(0, &["seed"]);
    for (bytes, place) in broken {
        std::fs::write(project.path().join("seeds/given.csv"), bytes).expect("the file can be written");
        let ran = project.ends(1, &["seed"]);
        assert!(ran.all().contains("error[invalid-seed]") && ran.all().contains(place), "{bytes:?}: {}", ran.all());
        assert_eq!(project.query("select name from given"), "old", "{bytes:?}");
    }
}

#[test]
fn a_file_of_nothing_is_an_error() {
    let project = seed(b"");
    let ran = project.ends(1, &["seed"]);
    assert!(ran.all().contains("error[invalid-seed]") && ran.all().contains("given.csv"), "{}", ran.all());
}

#[test]
fn a_header_is_a_name_and_never_sql() {
    let header = "a\" integer); drop table precious cascade; --";
    let text = format!("id,\"{}\"\n1,2\n", header.replace('"', "\"\""));
    let project = seed(text.as_bytes());
    project.ends(0, &["run"]);
    let ran = project.medal(&["seed"]);
    assert_eq!(project.query("select id from precious"), "1");
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let names = "select column_name as name from duckdb_columns() where table_name = 'given' order by column_index";
    assert_eq!(project.query(names), format!("id|{header}").replace('|', "\n"));
}

#[test]
fn values_reach_the_table_as_they_are() {
    let values = ["'; drop table precious; --", "{{ 1 + 1 }}", "\\N", "NULL", "\t tab", "日本 🦆", "null"];
    let rows: String = values.iter().enumerate().map(|(n, value)| format!("{n},\"{value}\"\n")).collect();
    let project = seed(format!("id,value\n{rows}").as_bytes());
    project.ends(0, &["build"]);
    assert_eq!(project.query("select value from given order by id::int"), values.join("\n"));
    assert_eq!(project.query("select id from precious"), "1");
}

#[test]
fn sql_in_a_var_is_refused_as_a_second_statement() {
    let project = dbt(&[("models/a.sql", "select {{ var('n', 0) }} as n"), ("models/precious.sql", PRECIOUS)]);
    project.ends(0, &["run", "--vars", "n: 1"]);
    let ran = project.ends(1, &["run", "--vars", "n: \"1 as n; drop table precious; select 2\""]);
    assert!(ran.all().contains("error[many-statements]"), "{}", ran.all());
    assert_eq!(project.query("select p.id, a.n from precious as p, a"), "1|1");
}

#[test]
fn sql_in_the_arguments_of_an_operation_is_text() {
    let project = dbt(&[
        ("models/precious.sql", PRECIOUS),
        ("macros/note.sql", "{% macro note(text) %}{{ log('noted ' ~ text, info=true) }}{% endmacro %}"),
    ]);
    project.ends(0, &["run"]);
    project.ends(0, &["run-operation", "note", "--args", "{text: \"'; drop table precious; --\"}"]);
    assert_eq!(project.query("select id from precious"), "1");
}

#[test]
fn columns_may_have_any_name() {
    let names = ["order", "a b", "日本", "Group", "it's", "per%", "semi;colon", "back\\slash"];
    let selected: Vec<String> = names.iter().enumerate().map(|(n, name)| format!("{n} as \"{name}\"")).collect();
    let columns: String = names
        .iter()
        .map(|name| format!("      - name: {}\n        quote: true\n        data_tests: [unique, not_null, {{accepted_values: {{arguments: {{values: [0, 1, 2, 3, 4, 5, 6, 7], quote: false}}}}}}]\n", serde_json::json!(name)))
        .collect();
    let project = dbt(&[
        ("models/a.sql", &format!("{{{{ config(materialized='table') }}}} select {}", selected.join(", "))),
        (
            "models/b.sql",
            "{{ config(materialized='incremental', unique_key='order', on_schema_change='append_new_columns') }} select * from {{ ref('a') }}",
        ),
        ("models/all.yml", &format!("models:\n  - name: a\n    columns:\n{columns}")),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes().iter().filter(|outcome| outcome.ends_with("pass 0")).count(), 24);
}

#[test]
fn models_and_schemas_may_be_named_in_any_script_or_by_reserved_words() {
    let project = dbt(&[
        ("models/日本.sql", "{{ config(materialized='table', schema='größe') }} select 1 as id"),
        ("models/order.sql", "{{ config(materialized='table') }} select * from {{ ref('日本') }}"),
        (
            "models/quoted.sql",
            "{{ config(materialized='table', alias='say \"hi\"') }} select * from {{ ref('order') }}",
        ),
        (
            "models/select.sql",
            "{{ config(materialized='incremental', unique_key='id') }} select * from {{ ref('quoted') }}",
        ),
    ]);
    for _ in 0..2 {
        project.ends(0, &["build"]);
        assert_eq!(
            project.query("select s.id from \"select\" as s, \"say \"\"hi\"\"\" as q, main_größe.日本 as j"),
            "1"
        );
    }
}

#[test]
fn names_that_differ_by_case_alone_are_told_before_anything_is_built() {
    let project = dbt(&[("models/orders.sql", "select 1 as id"), ("models/other/Orders.sql", "select 2 as id")]);
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("error[duplicate-name]"), "{}", ran.all());
    assert!(!project.path().join("shop.duckdb").exists(), "the warehouse was opened");
}
