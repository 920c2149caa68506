//! Files that land, and what an `ingest` model keeps of them.

use crate::suite::lake::lakehouse;
use crate::suite::support::{Project, dbt};

const MODEL: &str = "{{ config(materialized='ingest') }} select * from {{ source('landing', 'orders') }}";

/// A project of each engine whose model `orders` ingests what lands; `settings` stand below `medal:` of the source's `meta`.
fn landing(settings: &str, model: &str) -> [Project; 2] {
    let yaml = format!(
        "sources:\n  - name: landing\n    tables:\n      - name: orders\n        meta: {{medal: {{{settings}}}}}\n"
    );
    let files: [(&str, &str); 2] = [("models/sources.yml", &yaml), ("models/orders.sql", model)];
    [dbt(&files), lakehouse(&files)]
}

fn csv() -> [Project; 2] {
    landing("location: 'landing/*.csv'", MODEL)
}

/// The files of the ledger.
fn files(project: &Project) -> String {
    project.query(
        "select path, status, rows, bad_rows from medal_meta.files where path is not null order by first_seen, path",
    )
}

#[test]
fn records_are_added_once_with_where_they_came_from() {
    for project in csv() {
        project.write("landing/a.csv", "id,name\n1,ada\n2,\"multi\nline\"\n");
        project.ends(0, &["build"]);
        project.ends(0, &["build"]);
        project.write("landing/b.csv", "id,name\n3,cleo\n");
        for _ in 0..2 {
            project.ends(0, &["build"]);
        }
        assert_eq!(
        project.query("select id, name, _source_file, _source_row, length(_checksum), _ingest_date = _ingested_at::date, _rescued from orders order by id"),
        "1|ada|landing/a.csv|1|64|true|null\n2|multi\nline|landing/a.csv|2|64|true|null\n3|cleo|landing/b.csv|1|64|true|null"
    );
        assert_eq!(project.query("select count(distinct _batch_id), count(distinct _ingested_at) from orders"), "2|2");
        assert_eq!(files(&project), "landing/a.csv|committed|2|0\nlanding/b.csv|committed|1|0");
        assert_eq!(
            project
                .query("select mode, rows_in, rows_out, rows_quarantined from medal_meta.nodes order by recorded_at"),
            "full|2|2|0\nincremental|0|0|0\nincremental|1|1|0\nincremental|0|0|0"
        );
    }
}

#[test]
fn a_bad_record_or_file_goes_to_quarantine_and_the_rest_lands() {
    for project in csv() {
        project.write("landing/a.csv", "id,name\n1,ada\n2\n3,cleo,x\n4,dan\n5,\"open\n");
        project.write("landing/b.csv", "id,id\n1,2\n");
        project.write("landing/empty.csv", "");
        let ran = project.ends(0, &["build"]);
        assert!(ran.all().contains("`orders` has put 3 records and 1 file into quarantine"), "{}", ran.all());
        assert_eq!(project.query("select id, name, _source_row from orders order by id"), "1|ada|1\n4|dan|4");
        assert_eq!(
        project.query("select _source_file, _source_row, _raw, _reasons[1].code, _reasons[1].message, _status from orders__quarantine order by all"),
        "landing/a.csv|2|2|bad-record|Expected Number of Columns: 2 Found: 1|open\n\
         landing/a.csv|3|3,cleo,x|bad-record|Expected Number of Columns: 2 Found: 3|open\n\
         landing/a.csv|5|5,\"open\n|bad-record|Value with unterminated quote found.|open\n\
         landing/b.csv|null|null|bad-file|two columns have one name: id, id|open"
    );
        assert_eq!(
            files(&project),
            "landing/a.csv|committed|2|3\nlanding/b.csv|bad|0|0\nlanding/empty.csv|committed|0|0"
        );
        project.ends(0, &["build"]);
        assert_eq!(project.query("select count(*) from orders__quarantine"), "4", "a bad file is told once");
        // A file that could not be read may be repaired under its name.
        project.write("landing/b.csv", "id,name\n6,eve\n");
        project.ends(0, &["build"]);
        assert_eq!(project.query("select name from orders where id = 6"), "eve");
    }
}

#[test]
fn values_that_do_not_fit_are_rescued_and_the_drift_is_written_down() {
    for project in csv() {
        project.write("landing/a.csv", "id,amount,day,zip\n1,5,2024-01-31,01234\n");
        project.ends(0, &["build"]);
        project.write("landing/b.csv", "ID,amount,day,extra\n2,12.75,2024-02-30,x\n3,7,2024-02-28,\n");
        let ran = project.ends(0, &["build"]);
        assert_eq!(
            project.query("select id, amount, day, zip, extra, _rescued from orders order by id"),
            "1|5|2024-01-31|01234|null|null\n\
         2|null|null|null|x|{\"amount\":\"12.75\",\"day\":\"2024-02-30\"}\n\
         3|7|2024-02-28|null|null|null"
        );
        assert_eq!(
        project.query(
            "select version, class, change.column, change.old, change.new, change.class as its_class from (select *, \
             unnest(from_json(changes_json, '[{\"column\": \"VARCHAR\", \"old\": \"VARCHAR\", \"new\": \"VARCHAR\", \"class\": \"VARCHAR\"}]')) as change \
             from medal_meta.schema_versions) order by change.column"
        ),
        "2|breaking|amount|BIGINT|DOUBLE|breaking\n\
         2|breaking|day|DATE|VARCHAR|breaking\n\
         2|breaking|extra|null|VARCHAR|compatible\n\
         2|breaking|zip|VARCHAR|null|breaking"
    );
        assert!(
            ran.all().contains("`amount` was BIGINT and has values of DOUBLE, which are in `_rescued`"),
            "{}",
            ran.all()
        );
        assert_eq!(
            project.query("select version, class from medal_meta.schema_versions order by version"),
            "1|initial\n2|breaking"
        );
    }
}

#[test]
fn json_lines_and_arrays_land_with_what_is_no_json_in_quarantine() {
    for project in landing("location: landing, format: json", MODEL) {
        project.write(
            "landing/a.json",
            "{\"id\":1,\"tags\":[1,2]}\n\n{\"id\":2,\nnot json\n[3]\n{\"id\":\"4\",\"who\":{\"n\":null}}\n",
        );
        project.write("landing/deep/b.json", "[{\"id\": 5, \"_source_file\": \"mine\"},\n {\"id\": 6.5}]\n");
        project.write("landing/c.json", "[{\"id\": 7}, {\"id\":");
        project.write("landing/.half-written.json", "[{");
        project.ends(0, &["build"]);
        assert_eq!(
        project.query(
            "select id, tags, who, _source_file, _source_row, _rescued from orders order by _source_file, _source_row"
        ),
        "1|[1,2]|null|landing/a.json|1|null\n\
         \"4\"|null|{\"n\":null}|landing/a.json|5|null\n\
         5|null|null|landing/deep/b.json|1|{\"_source_file\":\"mine\"}\n\
         6.5|null|null|landing/deep/b.json|2|null"
    );
        assert_eq!(
        project.query("select _source_row, _raw, split_part(_reasons[1].message, ' at', 1) from orders__quarantine where _source_file = 'landing/a.json' order by 1"),
        "2|{\"id\":2,|Malformed JSON\n3|not json|Malformed JSON\n4|[3]|the record is no object"
    );
        let whole =
            project.query("select _source_file, _reasons[1].message from orders__quarantine where _raw is null");
        assert!(
            whole.starts_with("landing/c.json|") && whole.contains("Malformed JSON") && whole.lines().count() == 1,
            "{whole}"
        );
    }
}

/// Lets the rows of a query land as a file of Parquet.
fn land_parquet(project: &Project, name: &str, query: &str) {
    let to = project.path().join(format!("landing/{name}.parquet"));
    let sql = format!("{{% set sql %}}copy ({query}) to '{}'{{% endset %}}", to.display());
    project.write("macros/copy.sql", &format!("{{% macro copy() %}}{sql}{{% do run_query(sql) %}}{{% endmacro %}}"));
    project.ends(0, &["run-operation", "copy"]);
}

/// The records of the same files as another model keeps them, raw.
fn raw(project: &Project) -> String {
    project.write("models/orders.sql", &MODEL.replace("'ingest'", "'ingest', schema_mode='raw', alias='whole'"));
    project.ends(0, &["build"]);
    project.query("select _raw from whole order by _source_file")
}

#[test]
fn parquet_columns_may_have_any_name() {
    let [one, other] = landing("location: 'landing/*.parquet'", MODEL);
    [&one, &other].iter().for_each(|project| project.write("landing/readme.txt", "nothing"));
    land_parquet(&one, "a", "select 1 as \"Order Id\", 'x' as \"ship \"\"To\"\" DATE\", [2] as \" List \"");
    let place = |project: &Project| project.path().join("landing/a.parquet");
    std::fs::copy(place(&one), place(&other)).expect("the file can be copied");
    for project in [one, other] {
        project.ends(0, &["build"]);
        assert_eq!(
            project.query("select \"Order Id\", \"ship \"\"To\"\" DATE\", \" List \"::varchar, _rescued from orders"),
            "1|x|[2]|null"
        );
        assert_eq!(raw(&project), "{\"Order Id\":1,\"ship \\\"To\\\" DATE\":\"x\",\" List \":[2]}");
    }
}

#[test]
fn parquet_columns_widen_and_keep_their_types() {
    for project in landing("location: 'landing/*.parquet'", MODEL) {
        project.write("landing/readme.txt", "nothing");
        let file = |name: &str, query: &str| land_parquet(&project, name, query);
        file("a", "select 1::integer as id, [1, 2] as list, date '2024-01-31' as day");
        project.ends(0, &["build"]);
        file("b", "select 5000000000::bigint as id, 1.5::double as list, date '2024-02-01' as day");
        project.write("landing/c.parquet", "junk");
        project.ends(0, &["build"]);
        assert_eq!(
            project.query("select id, list::varchar, day, _rescued, _source_row from orders order by id"),
            "1|[1, 2]|2024-01-31|null|1\n5000000000|null|2024-02-01|{\"list\":1.5}|1"
        );
        assert!(project.query("describe select id from orders").starts_with("id|BIGINT"));
        assert_eq!(
            project.query("select _source_file, _reasons[1].code from orders__quarantine"),
            "landing/c.parquet|bad-file"
        );
        assert_eq!(
            raw(&project),
            "{\"id\":1,\"list\":[1,2],\"day\":\"2024-01-31\"}\n{\"id\":5000000000,\"list\":1.5,\"day\":\"2024-02-01\"}"
        );
    }
}

#[test]
fn raw_keeps_lines_and_strict_takes_only_what_is_declared() {
    let files = [
        ("landing/a.csv", "id,day\n1,2024-01-31\nx,2024-01-31\n"),
        ("landing/b.csv", "id,day,more\n2,2024-02-01,y\n3,2024-02-01,\n"),
    ];
    for project in landing("location: 'landing/*.csv', schema_mode: raw", MODEL) {
        files.iter().for_each(|(path, text)| project.write(path, text));
        project.ends(0, &["build"]);
        assert_eq!(
            project.query(
                "select _source_file, _source_row, _raw from orders where _source_file = 'landing/a.csv' order by all"
            ),
            "landing/a.csv|1|id,day\nlanding/a.csv|2|1,2024-01-31\nlanding/a.csv|3|x,2024-01-31"
        );
    }
    for project in landing("location: 'landing/*.csv', schema_mode: strict", MODEL) {
        files.iter().for_each(|(path, text)| project.write(path, text));
        let ran = project.ends(2, &["build"]);
        assert!(ran.all().contains("error[ingest-config]"), "{}", ran.all());
        project.write(
            "models/orders.yml",
            "models:\n  - name: orders\n    columns: [{name: id, data_type: integer}, {name: day, data_type: date}]\n",
        );
        project.ends(0, &["build"]);
        assert_eq!(project.query("select id, day from orders order by id"), "1|2024-01-31\n3|2024-02-01");
        project.write("landing/c.csv", "id,day\n4,2024-03-01\n");
        project.ends(0, &["build"]);
        assert_eq!(project.query("select day from orders where id = 4"), "2024-03-01");
        assert_eq!(
            project.query("select _raw, _reasons[1].column, _reasons[1].message from orders__quarantine order by all"),
            "{\"id\":\"2\",\"day\":\"2024-02-01\",\"more\":\"y\"}|more|does not fit: more\n{\"id\":\"x\",\"day\":\"2024-01-31\"}|id|does not fit: id"
        );
    }
}

#[test]
fn a_changed_file_is_refused_or_added_as_the_model_says() {
    for project in csv() {
        project.write("landing/a.csv", "id,name\n1,ada\n");
        project.ends(0, &["build"]);
        project.write("landing/a.csv", "id,name\n1,eva\n");
        project.write("landing/b.csv", "id,name\n2,bob\n");
        let ran = project.ends(1, &["build"]);
        assert!(ran.all().contains("error[changed-file]") && ran.all().contains("landing/a.csv"), "{}", ran.all());
        assert_eq!(project.query("select name from orders"), "ada", "nothing lands beside it");
        project.write("models/orders.sql", &MODEL.replace("'ingest'", "'ingest', on_changed_file='append'"));
        for _ in 0..2 {
            project.ends(0, &["build"]);
        }
        assert_eq!(project.query("select id, name from orders order by all"), "1|ada\n1|eva\n2|bob");
    }
}

#[test]
fn the_same_content_under_a_new_name_lands_and_is_known_as_such() {
    for (choice, rows) in [("append", "2"), ("skip", "1")] {
        for project in landing(&format!("location: 'landing/*.csv', on_duplicate_content: {choice}"), MODEL) {
            project.write("landing/a.csv", "id\n1\n");
            project.ends(0, &["build"]);
            project.write("landing/b.csv", "id\n1\n");
            project.ends(0, &["build"]);
            assert_eq!(project.query("select count(*) from orders"), rows);
            assert_eq!(
                project.query("select duplicate_of from medal_meta.files where path = 'landing/b.csv'"),
                "landing/a.csv"
            );
        }
    }
}

#[test]
fn history_is_not_forgotten_unless_the_table_is_gone() {
    for project in csv() {
        project.write("landing/a.csv", "id\n1\n");
        project.ends(0, &["build"]);
        std::fs::remove_file(project.path().join("landing/a.csv")).expect("the file was there");
        project.write("landing/b.csv", "id\n2\n");
        let ran = project.ends(1, &["build", "--full-refresh"]);
        assert!(ran.all().contains("error[history-loss]"), "{}", ran.all());
        project.ends(0, &["build"]);
        assert_eq!(project.query("select id from orders order by id"), "1\n2");
        project.write("macros/lose.sql", "{% macro lose() %}{% do run_query('drop table orders') %}{% endmacro %}");
        project.ends(0, &["run-operation", "lose"]);
        project.ends(0, &["build"]);
        assert_eq!(project.query("select id from orders"), "2", "a table that is gone takes all that is there");
    }
}

#[test]
fn a_query_may_rename_and_cast_but_leave_out_nothing() {
    for project in csv() {
        project.write("landing/a.csv", "id,amount\n1,5\n2,7\n");
        for (query, code) in [("where id > 1", "ingest-shape"), ("limit 1", "ingest-shape")] {
            project.write("models/orders.sql", &format!("{MODEL} {query}"));
            assert!(project.ends(1, &["build"]).all().contains(code));
        }
        project.write("models/orders.sql", &MODEL.replace("*", "id, amount"));
        assert!(project.ends(1, &["build"]).all().contains("leaves out _rescued, _source_file"));
        project.write("models/orders.sql", &MODEL.replace("*", "* exclude (amount), amount * 100 as cents"));
        project.ends(0, &["build"]);
        assert_eq!(project.query("select id, cents from orders order by id"), "1|500\n2|700");
    }
}

#[test]
fn siblings_of_one_run_see_the_same_files() {
    for project in csv() {
        project.write("landing/a.csv", "id\n1\n");
        let lands = "{{ config(materialized='ingest', post_hook=\"copy (select 2 as id) to 'landing/b.csv'\") }}";
        project.write("models/orders.sql", &MODEL.replace("{{ config(materialized='ingest') }}", lands));
        project.write("models/other.sql", MODEL);
        project.ends(0, &["build", "--threads", "1"]);
        assert_eq!(project.query("select (select count(*) from orders), (select count(*) from other)"), "1|1");
        project.ends(0, &["build", "--threads", "1"]);
        assert_eq!(project.query("select count(*) from other"), "2");
    }
}

#[test]
fn packed_files_land_as_what_is_in_them() {
    for project in landing("location: 'landing/*'", &MODEL.replace("'ingest'", "'ingest', format='csv'")) {
        project.write("landing/a.csv", "id,name\n1,\"a,b\"\n");
        project.write(
            "macros/pack.sql",
            "{% macro pack() %}{% for file in ['b.csv.gz', 'c.csv.zst'] %}
             {% do run_query(\"copy (select \" ~ (loop.index + 1) ~ \" as id, 'a,b' as name) to 'landing/\" ~ file ~ \"'\") %}{% endfor %}{% endmacro %}",
        );
        project.ends(0, &["run-operation", "pack"]);
        project.ends(0, &["build"]);
        assert_eq!(
            project.query("select id, name, _source_file, _source_row, _rescued from orders order by id"),
            "1|a,b|landing/a.csv|1|null\n2|a,b|landing/b.csv.gz|1|null\n3|a,b|landing/c.csv.zst|1|null"
        );
        // One that is cut short, or whose header is no text, is told of, and nothing of it lands.
        for (file, cut) in [("b.csv.gz", 9), ("c.csv.zst", 5)] {
            let whole = std::fs::read(project.path().join("landing").join(file)).expect("the file was written");
            let path = project.path().join(format!("landing/cut_{file}"));
            std::fs::write(path, &whole[..whole.len() - cut]).expect("the file can be written");
        }
        std::fs::write(project.path().join("landing/latin.csv"), b"id,pr\xe9nom\n1,x\n").expect("it can be written");
        project.ends(0, &["build"]);
        assert_eq!(project.query("select count(*) from orders"), "3");
        assert_eq!(
            project.query("select _source_file, _reasons[1].code from orders__quarantine order by 1"),
            "landing/cut_b.csv.gz|bad-file\nlanding/cut_c.csv.zst|bad-file\nlanding/latin.csv|bad-file"
        );
    }
}

/// A file of one record, whose fields are `c0`, `c1` …
fn record(format: &str, values: &[&str]) -> String {
    let name = |at: usize| format!("c{at}");
    let names: Vec<String> = (0..values.len()).map(name).collect();
    match format {
        "csv" => format!("{}\n{}\n", names.join(","), values.join(",")),
        _ => {
            let fields: Vec<String> =
                names.iter().zip(values).map(|(name, value)| format!("\"{name}\": {value}")).collect();
            format!("{{{}}}\n", fields.join(", "))
        }
    }
}

#[test]
fn both_engines_see_the_same_in_a_value_of_every_kind() {
    let texts = [
        "1",
        "-7",
        "007",
        "1.5",
        "2.50",
        "1e3",
        "true",
        "TRUE",
        "2024-01-31",
        "2024-02-30",
        "2024-01-31 12:00:00",
        "2024-01-31T12:00:00Z",
        "2024-01-31 12:00:00+02",
        " ",
        "x",
        "é",
        "\"a,b\"",
        " 5 ",
        "9223372036854775807",
        "9223372036854775808",
        "0.1",
        "-0",
        "NaN",
        "null",
        "\"multi\nline\"",
        "12:30",
        ".5",
        "5.",
        "+3",
        "1_000",
        "0x1F",
        "1e400",
        "2024-1-5",
        "",
        "\"\"",
        " \"q\" ",
    ];
    let jsons = [
        "1",
        "-7",
        "1.5",
        "1.50",
        "1e3",
        "true",
        "null",
        "\"x\"",
        "\"1\"",
        "\"2024-01-31\"",
        "\"é\\n\"",
        "\"a/b\"",
        "[1, 2]",
        "[]",
        "{}",
        "{\"n\":1, \"m\":[1.50]}",
        "12345678901234567",
        "18446744073709551615",
        "\"\"",
        "1e-7",
        "\"\\u00e9\"",
    ];
    for (format, values) in [("csv", &texts[..]), ("json", &jsons[..])] {
        // In the second round each value comes to where there was another one.
        let projects = landing(&format!("location: landing, format: {format}"), MODEL);
        for round in 0..2 {
            let mut values = values.to_vec();
            values.rotate_left(round * 5);
            let seen = projects.each_ref().map(|project| {
                project.write(&format!("landing/{round}.{format}"), &record(format, &values));
                project.ends(0, &["build"]);
                let rows = "select * exclude (_ingested_at, _batch_id) from orders order by _source_file";
                let types =
                    "select version, columns_json, changes_json from medal_meta.schema_versions order by recorded_at";
                (project.query(rows), project.query(types))
            });
            assert_eq!(seen[0], seen[1], "{format}, round {round}");
        }
    }
}
