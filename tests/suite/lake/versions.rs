//! Tables as they were.

use crate::suite::lake::{lakehouse, versions};

#[test]
fn a_version_is_read_by_its_number_or_its_time() {
    let project = lakehouse(&[
        ("models/t.sql", "{{ config(materialized='table') }} select {{ var('a', 1) }} as a"),
        ("models/v.sql", "select * from {{ ref('t', as_of=0) }}"),
    ]);
    project.ends(0, &["run"]);
    let between = project.query("select cast(now() as varchar)");
    project.ends(0, &["run", "--vars", "a: 2"]);
    assert_eq!(project.query("select a from {{ ref('t') }}"), "2");
    assert_eq!(project.query("select a from v"), "1");
    assert_eq!(project.query("select a from {{ ref('t', as_of=0) }} as old where old.a > 0"), "1");
    assert_eq!(project.query(&format!("select a from {{{{ ref('t', as_of='{between}') }}}}")), "1");
    assert_eq!(project.query("select t.a, o.a from t join t version as of 0 as o on t.a > o.a"), "2|1");
    let none = project.medal(&["show", "--inline", "select * from t at (version => 7)"]);
    assert_eq!(none.code, Some(1), "{}", none.all());
    assert!(none.all().contains("`main.t` has no version 7; the newest is 1"), "{}", none.all());
    let view = project.medal(&["show", "--inline", "select * from v at (version => 0)"]);
    assert!(view.all().contains("`v` is a view, which has no versions"), "{}", view.all());
}

#[test]
fn a_table_is_laid_out_in_folders_and_may_be_laid_out_anew() {
    let project = lakehouse(&[(
        "models/t.sql",
        "{{ config(materialized='table', partition_by=['kind']) }} select i, 'k' || (i % 2) as kind from range(4) as r(i)",
    )]);
    project.ends(0, &["run"]);
    assert!(project.path().join("lake/main/t/kind=k1").is_dir());
    assert_eq!(project.query("select sum(i) from t where kind = 'k1'"), "4");
    project.write(
        "models/t.sql",
        "{{ config(materialized='table', table_properties={'delta.appendOnly': 'false'}) }} select 1 as i",
    );
    project.ends(0, &["run"]);
    assert_eq!(versions(&project, "t").len(), 2);
    assert_eq!(project.query("select * from t"), "1");
    assert_eq!(project.query("select * from t at (version => 0) order by i limit 1"), "0|k0");
}

#[test]
fn a_contract_is_kept_by_the_table() {
    let project = lakehouse(&[
        (
            "models/t.sql",
            "{{ config(materialized='table', contract={'enforced': true}) }} select {{ var('a', 1) }} as a, 'x' as b",
        ),
        (
            "models/models.yml",
            "models:
  - name: t
    constraints: [{type: check, name: small, expression: a < 10}]
    columns:
      - {name: a, data_type: integer, constraints: [{type: not_null}, {type: check, expression: a > 0}]}
      - {name: b, data_type: varchar, description: A letter.}
",
        ),
    ]);
    project.ends(0, &["run"]);
    let log = project.read("lake/main/t/_delta_log/00000000000000000000.json");
    assert!(log.contains("\"delta.constraints.small\":\"a < 10\""), "{log}");
    assert!(log.contains("\\\"nullable\\\":false"), "{log}");
    for wrong in ["0", "nullif(1, 1)", "10"] {
        let ran = project.ends(1, &["run", "--vars", &format!("a: '{wrong}'")]);
        assert!(ran.all().contains("Constraint Error: 1 rows failed validation check"), "{}", ran.all());
    }
    assert_eq!(project.query("select * from t"), "1|x");
    assert_eq!(versions(&project, "t").len(), 1);
    project.write(
        "dbt_project.yml",
        &format!("{}on-run-end: insert into t values (null, 'y')\n", project.read("dbt_project.yml")),
    );
    let ran = project.ends(1, &["run"]);
    assert!(ran.all().contains("Constraint Error: NOT NULL constraint failed: "), "{}", ran.all());
}

#[test]
fn descriptions_are_kept_with_the_table() {
    let project = lakehouse(&[
        (
            "models/t.sql",
            "{{ config(materialized='table', persist_docs={'relation': true, 'columns': true}) }} select 1 as a",
        ),
        ("models/v.sql", "{{ config(persist_docs={'relation': true, 'columns': true}) }} select * from {{ ref('t') }}"),
        (
            "models/models.yml",
            "models:
  - {name: t, description: All of it., columns: [{name: a, description: A number.}]}
  - {name: v, description: The same., columns: [{name: a, description: The number.}]}
",
        ),
    ]);
    project.write(
        "dbt_project.yml",
        &format!("{}on-run-end: \"comment on view v is 'The view.'\"\n", project.read("dbt_project.yml")),
    );
    project.ends(0, &["run"]);
    let comments = "select table_name, table_comment, column_comment from information_schema.columns order by 1";
    assert_eq!(project.query(comments), "t|All of it.|A number.\nv|The view.|The number.");
    let told = project.ends(0, &["history", "t"]).all();
    assert!(told.contains("WRITE"), "{told}");
    assert!(project.read("lake/main/t/_delta_log/00000000000000000000.json").contains("All of it."));
}
