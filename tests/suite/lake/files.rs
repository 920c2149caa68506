//! Files as sources.

use std::io::Write;

use crate::suite::lake::lakehouse;
use crate::suite::support::Project;

/// A project that reads files by their names, and says which columns it finds.
fn reads(project: &Project, from: &str) -> (String, String) {
    (
        project.query(&format!("select * from {from} order by all")),
        project.query(&format!("describe select * from {from}")),
    )
}

fn packed(project: &Project, path: &str, text: &str) {
    let file = std::fs::File::create(project.path().join(path)).expect("the file can be made");
    let mut gz = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gz.write_all(text.as_bytes()).expect("the file can be written");
    gz.finish().expect("the file can be ended");
}

#[test]
fn csv_files_of_a_pattern_are_one_table_with_the_types_of_their_values() {
    let project = lakehouse(&[
        ("in/a.csv", "Id,name,day,ratio,ok\n1,\"a\nb\",2024-01-31,1.5,true\n2,,,,\n"),
        ("in/b.csv", "Id,name,day,ratio,ok\n3,c,2024-02-01,2,false\n"),
        ("in/.hidden.csv", "nonsense"),
    ]);
    let (rows, columns) = reads(&project, "read_csv('in/*.csv')");
    assert_eq!(rows, "1|a\nb|2024-01-31|1.5|true\n2|null|null|null|null\n3|c|2024-02-01|2.0|false");
    assert_eq!(columns, "id|BIGINT\nname|VARCHAR\nday|DATE\nratio|DOUBLE\nok|BOOLEAN");
    packed(&project, "in/c.csv.gz", "Id;name\n4;x\n");
    let (rows, _) = reads(&project, "read_csv('in/c.csv.gz', delim = ';', types = {'id': 'varchar'}, filename = true)");
    assert_eq!(rows, format!("4|x|{}/in/c.csv.gz", project.path().canonicalize().expect("it is there").display()));
    assert_eq!(project.query("select count(*), sum(id) from 'in/a.csv'"), "2|3");
    let refused = project.medal(&["show", "--inline", "select * from read_csv('in/*.csv', sniff = true)"]);
    assert!(refused.all().contains("without the option `sniff`"), "{}", refused.all());
    let missing = project.medal(&["show", "--inline", "select * from read_csv('out/*.csv')"]);
    assert!(missing.all().contains("there is no file `out/*.csv`"), "{}", missing.all());
}

#[test]
fn folders_are_columns() {
    let project = lakehouse(&[
        ("in/year=2023/kind=a/1.ndjson", "{\"id\": 1, \"tags\": [\"x\"], \"at\": {\"x\": 1}}\n"),
        ("in/year=2024/kind=b/2.ndjson", "{\"id\": 2, \"tags\": [], \"at\": {\"x\": 2}}\n{\"id\": 3}\n"),
    ]);
    let (rows, columns) = reads(&project, "read_json('in/**/*.ndjson')");
    assert_eq!(rows, "1|[x]|{'x': 1}|2023|a\n2|[]|{'x': 2}|2024|b\n3|null|null|2024|b");
    assert_eq!(columns, "id|BIGINT\ntags|VARCHAR[]\nat|STRUCT(x BIGINT)\nyear|BIGINT\nkind|VARCHAR");
    assert_eq!(
        project.query("select id from read_json('in/**/*.ndjson', hive_partitioning = false) where id < 2"),
        "1"
    );
    project.write("list.json", " [{\"a\": 1}, {\"a\": null}]");
    assert_eq!(project.query("select count(*), sum(a) from 'list.json'"), "2|1");
}

#[test]
fn a_model_may_be_a_file() {
    let project = lakehouse(&[
        (
            "models/sent.sql",
            "{{ config(materialized='external', location='out/sent.csv', options={'delimiter': ';'}, csv_read_options={'delim': ';'}) }} select 1 as a, 'x;y' as b",
        ),
        (
            "models/kept.sql",
            "{{ config(materialized='external', location='out/kept.parquet') }} select 1.5 as a where {{ var('some', 'true') }}",
        ),
        (
            "models/told.sql",
            "{{ config(materialized='external', location='out/told.json.gz') }} select 1 as a, [1, 2] as b",
        ),
        (
            "models/all_of_it.sql",
            "{{ config(materialized='table') }} select s.b, k.a, t.b[2] as c from {{ ref('sent') }} s, {{ ref('kept') }} k, {{ ref('told') }} t",
        ),
    ]);
    (0..2).for_each(|_| drop(project.ends(0, &["build"])));
    assert_eq!(project.read("out/sent.csv"), "a;b\n1;\"x;y\"\n");
    assert_eq!(project.query("select * from all_of_it"), "x;y|1.5|2");
    project.ends(0, &["build", "--vars", "some: 'false'"]);
    assert_eq!(project.query("select count(*), count(a) from kept"), "0|0");
}

#[test]
fn sources_of_every_form_are_read() {
    let project = lakehouse(&[
        ("in/orders.csv", "id,amount\n1,10\n2,20\n"),
        (
            "models/sources.yml",
            "sources:
  - name: files
    meta: {external_location: 'in/{name}.csv'}
    tables:
      - name: orders
  - name: others
    tables:
      - {name: table_of_delta, meta: {external_location: \"delta_scan('lake/main/kept')\"}}
      - {name: files_of_parquet, meta: {external_location: 'lake/main/kept/*.parquet'}}
",
        ),
        ("models/kept.sql", "{{ config(materialized='table') }} select * from {{ source('files', 'orders') }}"),
        (
            "models/again.sql",
            "-- depends_on: {{ ref('kept') }}
             select 'delta' as form, sum(amount) as total from {{ source('others', 'table_of_delta') }}
             union all select 'parquet', sum(amount) from {{ source('others', 'files_of_parquet') }}",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from again order by 1"), "delta|30\nparquet|30");
}
