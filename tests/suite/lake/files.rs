//! Files as sources.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_avro::compression::CompressionCodec;
use arrow_avro::writer::WriterBuilder;
use arrow_avro::writer::format::AvroOcfFormat;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Int64Type};

use crate::suite::lake::{both_engines, lakehouse};
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

fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path() {
            path if path.is_dir() => files.extend(files_below(&path).into_iter().map(|file| format!("{name}/{file}"))),
            _ => files.push(name),
        }
    }
    files.sort();
    files
}

#[test]
fn external_models_are_folders_of_files_on_both_engines() {
    let model = |options: &str| {
        format!(
            "{{{{ config(materialized='external', location='out/' ~ target.name ~ '/visits', options={{{options}}}) }}}}
             select i as id, 2020 + i % 2 as year, case i % 3 when 0 then 'a b/c' when 1 then 'ä=%' end as page
             from range(12) as visits(i)"
        )
    };
    let project = both_engines(&[
        ("models/visits.sql", &model("'partition_by': 'year, page', 'overwrite_or_ignore': true")),
        ("models/seen.sql", "select id, year, page from {{ ref('visits') }} where year = 2021"),
        ("out/dev/readme", ""),
    ]);
    let files = |target: &str| files_below(&project.path().join("out").join(target).join("visits"));
    for target in ["dev", "lake"] {
        (0..2).for_each(|_| drop(project.ends(0, &["build", "--target", target])));
    }
    assert_eq!(files("dev"), files("lake"));
    assert_eq!(files("lake").len(), 6);
    project.ends(0, &["compare", "--target", "dev", "--with", "lake"]);

    for target in ["dev", "lake"] {
        let build = ["build", "--target", target];
        project.write("models/visits.sql", &model("'format': 'csv', 'partition_by': 'year'"));
        let refused = project.ends(1, &build).all();
        assert!(refused.contains("/visits\" is not empty! Enable OVERWRITE option to overwrite files"), "{refused}");
        project.write("models/visits.sql", &model("'format': 'csv', 'partition_by': 'year', 'overwrite': true"));
        project.ends(0, &build);
        project.write("models/visits.sql", &model("'partition_by': 'yaer', 'overwrite': true"));
        let refused = project.ends(1, &build).all();
        assert!(refused.contains("\"partition_by\" expected to find yaer"), "{refused}");
    }
    assert_eq!(files("lake"), ["year=2020/data_0.csv", "year=2021/data_0.csv"]);
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

/// Writes a file of Avro with columns that may hold nulls.
fn avro(project: &Project, path: &str, packed: Option<CompressionCodec>, columns: Vec<(&str, ArrayRef)>) {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)));
    let batch = batch.expect("the columns have one length");
    let path = project.path().join(path);
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
    let file = File::create(path).expect("the file can be made");
    let writer = WriterBuilder::new(batch.schema().as_ref().clone()).with_compression(packed);
    let mut writer = writer.build::<_, AvroOcfFormat>(file).expect("the writer begins");
    writer.write(&batch).expect("the rows can be written");
    writer.finish().expect("the file can be ended");
}

#[test]
fn files_of_avro_have_the_types_that_they_say() {
    let project = lakehouse(&[
        (
            "models/sources.yml",
            "sources:
  - name: landing
    tables: [{name: events, meta: {external_location: 'in/**/*.avro'}}]
",
        ),
        (
            "models/events.sql",
            "{{ config(materialized='table') }} select * from {{ source('landing', 'events') }} where year > 2000",
        ),
    ]);
    let moment = 1_706_659_200_000_000;
    let inner: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
    avro(
        &project,
        "in/year=2023/a.avro",
        Some(CompressionCodec::Deflate),
        vec![
            ("Id", Arc::new(Int64Array::from(vec![1, 2]))),
            ("name", Arc::new(StringArray::from(vec![Some("a"), None]))),
            ("ratio", Arc::new(Float64Array::from(vec![1.5, 2.0]))),
            ("ok", Arc::new(BooleanArray::from(vec![true, false]))),
            ("day", Arc::new(Date32Array::from(vec![19_753, 0]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![moment, 0]).with_timezone("+00:00"))),
            ("here", Arc::new(TimestampMicrosecondArray::from(vec![moment, 0]))),
            ("price", Arc::new(Decimal128Array::from(vec![1250, -5]).with_data_type(DataType::Decimal128(9, 2)))),
            (
                "tags",
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), Some(2)]), None])),
            ),
            ("deep", Arc::new(StructArray::from(vec![(Arc::new(Field::new("n", DataType::Int32, true)), inner)]))),
        ],
    );
    avro(
        &project,
        "in/year=2024/b.avro",
        Some(CompressionCodec::ZStandard),
        vec![("id", Arc::new(Int64Array::from(vec![3]))), ("extra", Arc::new(StringArray::from(vec!["x"])))],
    );
    project.write("in/year=2024/.half", "Obj");
    project.ends(0, &["build"]);
    assert_eq!(
        project.query("select * exclude (deep), deep.n from events order by id"),
        "1|a|1.5|true|2024-01-31|2024-01-31 00:00:00+00:00|2024-01-31 00:00:00|12.5|[1, 2]|null|2023|7\n\
         2|null|2.0|false|1970-01-01|1970-01-01 00:00:00+00:00|1970-01-01 00:00:00|-0.05|null|null|2023|null\n\
         3|null|null|null|null|null|null|null|null|x|2024|null"
    );
    assert_eq!(
        project.query("describe select * from read_avro('in/**/*.avro')"),
        "id|BIGINT\nname|VARCHAR\nratio|DOUBLE\nok|BOOLEAN\nday|DATE\nat|TIMESTAMP WITH TIME ZONE\nhere|TIMESTAMP\n\
         price|DECIMAL(9,2)\ntags|BIGINT[]\ndeep|STRUCT(n INTEGER)\nextra|VARCHAR\nyear|BIGINT"
    );
    let checked = project.ends(0, &["check", "--output", "json"]);
    assert!(checked.stdout.contains("{\"name\":\"price\",\"data_type\":\"DECIMAL(9,2)\"}"), "{}", checked.all());
    project.write("in/year=2024/c.avro", "junk");
    let refused = project.medal(&["build"]);
    assert!(refused.all().contains("in/year=2024/c.avro"), "{}", refused.all());
}

#[test]
fn files_are_unpacked_as_their_names_say() {
    let project = lakehouse(&[(
        "macros/pack.sql",
        "{% macro pack() %}{% for file in ['a.csv.zst', 'b.ndjson.zst', 'c.csv.gz', 'd.ndjson.gz'] %}
         {% do run_query(\"copy (select \" ~ loop.index ~ \" as id, 'x,y' as name) to 'in/\" ~ file ~ \"'\") %}{% endfor %}{% endmacro %}",
    )]);
    project.ends(0, &["run-operation", "pack"]);
    for (file, magic) in [("a.csv.zst", [0x28, 0xB5]), ("b.ndjson.zst", [0x28, 0xB5]), ("c.csv.gz", [0x1F, 0x8B])] {
        let bytes = std::fs::read(project.path().join("in").join(file)).expect("the file was written");
        assert_eq!(bytes[..2], magic, "{file}");
    }
    assert_eq!(project.query("select id, name from read_csv('in/*.csv.*') order by id"), "1|x,y\n3|x,y");
    assert_eq!(project.query("select id, name from read_ndjson('in/*.ndjson.*') order by id"), "2|x,y\n4|x,y");
}
