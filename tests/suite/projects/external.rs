//! Models and sources that are files, and models that are functions.

use crate::suite::support::{Project, dbt};

const ROWS: &str = "select i as id, i % 2 as part, 'n' || i as name from range(4) t(i)";

/// A project with the external model `rows`, and a view `read` on it.
fn external(config: &str) -> Project {
    let model = format!("{{{{ config(materialized='external', {config}) }}}}\n{ROWS}");
    let project = dbt(&[("models/rows.sql", &model), ("models/read.sql", "select * from {{ ref('rows') }}")]);
    project.write("out/readme", "");
    project
}

fn sum(project: &Project) -> String {
    project.query("select count(*), sum(id), min(name) from read")
}

#[test]
fn an_external_model_is_a_file_and_a_view_on_it() {
    for (config, file) in [
        ("location='out/rows.parquet'", "out/rows.parquet"),
        ("location='out/rows.csv.gz'", "out/rows.csv.gz"),
        ("location='out/{{ this.identifier }}.json'", "out/rows.json"),
        ("format='csv', delimiter='|'", "rows.csv"),
        (
            "location='out/parts', options={'partition_by': 'part', 'overwrite': true}",
            "out/parts/part=1/data_0.parquet",
        ),
    ] {
        let project = external(config);
        project.ends(0, &["run"]);
        project.ends(0, &["run"]);
        assert_eq!(sum(&project), "4|6|n0", "{config}");
        assert!(project.path().join(file).is_file(), "{file}");
        assert_eq!(project.query("select table_type from information_schema.tables where table_name = 'rows'"), "VIEW");
        assert_eq!(project.query("select count(*) from duckdb_tables()"), "0");
    }
}

#[test]
fn an_external_model_of_no_rows_keeps_its_columns() {
    let project =
        dbt(&[("models/rows.sql", "{{ config(materialized='external') }} select 1 as id, 'a' as name where false")]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select count(*) from rows"), "0");
    assert_eq!(project.query("select column_name, column_type from (describe rows)"), "id|INTEGER\nname|VARCHAR");
}

#[test]
fn a_database_in_memory_finds_the_files_of_models_that_are_not_built() {
    let project = external("location='out/rows.parquet'");
    let settings =
        "name: shop\nversion: '1.0'\nprofile: shop\non-run-start: '{{ register_upstream_external_models() }}'\n";
    project.write("dbt_project.yml", settings);
    project.write("profiles.yml", "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: ':memory:'}\n");
    project.ends(0, &["run", "--select", "rows"]);
    project.ends(0, &["run", "--select", "read"]);
}

#[test]
fn a_source_is_a_file_in_each_way_of_writing_its_place() {
    let project = dbt(&[
        (
            "models/sources.yml",
            "sources:\n\
             - name: files\n  \
               config: {external_location: 'data/{name}.csv'}\n  \
               tables:\n  \
               - name: one\n  \
               - {name: two, config: {external_location: \"read_csv('data/{part:02d}.csv')\", part: 1}}\n  \
               - {name: three, identifier: one, config: {external_location: 'data/%(identifier)s.csv', formatter: oldstyle}}\n  \
               - {name: four, identifier: one, config: {external_location: 'data/${identifier}.csv', formatter: template}}\n",
        ),
        ("data/one.csv", "id\n1\n"),
        ("data/01.csv", "id\n10\n"),
        (
            "models/all_of_them.sql",
            "{{ config(materialized='table') }} select * from {{ source('files', 'one') }}\n\
             union all select * from {{ source('files', 'two') }} union all select * from {{ source('files', 'three') }}\n\
             union all select * from {{ source('files', 'four') }}",
        ),
    ]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select sum(id) from all_of_them"), "13");
}

#[test]
fn a_table_function_takes_parameters() {
    let project = dbt(&[
        (
            "models/between_them.sql",
            "{{ config(materialized='table_function', parameters=['low', 'high']) }}\n\
             select i from range(100) t(i) where i between low and high",
        ),
        ("models/few.sql", "{{ config(materialized='table') }} select * from {{ ref('between_them') }}(3, 5)"),
    ]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select * from few"), "3\n4\n5");
}

#[test]
fn an_extension_that_is_not_installed_is_named_with_a_way_to_get_it() {
    let project = dbt(&[("models/events.sql", "select * from read_avro('events.avro')")]);
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("needs DuckDB's extension `avro`, which is not installed"), "{}", ran.all());
    assert!(ran.all().contains("autoinstall_known_extensions: true"), "{}", ran.all());
}
