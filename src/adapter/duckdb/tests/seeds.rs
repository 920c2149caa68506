//! Tests of seeds: what a CSV file becomes.

use std::io::Write;
use std::time::Instant;

use serde_json::{Map, Value as Json, json};

use crate::adapter::duckdb::tests::memory;
use crate::adapter::relation::Relation;
use crate::adapter::rows::Cell;
use crate::adapter::{Adapter, AdapterError, Connection, SeedFile, SeedLoad};

fn seed(folder: &tempfile::TempDir, bytes: &[u8]) -> SeedFile {
    let path = folder.path().join("it's [a] seed*.csv");
    std::fs::write(&path, bytes).unwrap();
    SeedFile { path, delimiter: ',', column_types: Map::new(), infer_types: true }
}

fn relation() -> Relation {
    Relation::new("memory", "main", "a\"b")
}

/// Types and rows, null as `∅`.
fn table(session: &mut dyn Connection) -> (Vec<String>, Vec<Vec<String>>) {
    let types = session.columns(&relation()).unwrap().into_iter().map(|column| column.data_type).collect();
    let rows = session.query(&format!("select columns(*)::varchar from {}", relation())).unwrap().rows;
    let text = |cell: &Cell| if *cell == Cell::Null { "∅".to_string() } else { cell.text() };
    (types, rows.iter().map(|row| row.iter().map(text).collect()).collect())
}

fn load(csv: &str) -> (Vec<String>, Vec<Vec<String>>, SeedLoad) {
    let folder = tempfile::tempdir().unwrap();
    let mut session = memory().connect().unwrap();
    let load = session.load_seed(&relation(), &seed(&folder, csv.as_bytes())).unwrap();
    let (types, rows) = table(&mut *session);
    (types, rows, load)
}

/// What a refused file says; the table that was there must still be there.
fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut session = memory().connect().unwrap();
    session.execute(&format!("create table {} as select 1 as old", relation())).unwrap();
    let error = session.load_seed(&relation(), &seed(&folder, bytes)).unwrap_err();
    assert_eq!(table(&mut *session).1, [["1"]]);
    assert!(!session.in_transaction());
    match error {
        AdapterError::Seed { message, .. } => message,
        error => panic!("{error:?}"),
    }
}

/// Texts, each alone in a column, and the type and value that dbt-duckdb gives, and whether the text is changed.
const LITERALS: [(&str, &str, &str, bool); 139] = [
    ("null", "VARCHAR", "null", false),
    ("NULL", "VARCHAR", "NULL", false),
    (" null ", "VARCHAR", " null ", false),
    ("None", "VARCHAR", "None", false),
    ("NA", "VARCHAR", "NA", false),
    ("n/a", "VARCHAR", "n/a", false),
    (".", "VARCHAR", ".", false),
    ("-", "VARCHAR", "-", false),
    ("true", "BOOLEAN", "true", false),
    ("TRUE", "BOOLEAN", "true", false),
    ("True", "BOOLEAN", "true", false),
    ("t", "VARCHAR", "t", false),
    ("T", "VARCHAR", "T", false),
    ("yes", "VARCHAR", "yes", false),
    ("no", "VARCHAR", "no", false),
    ("y", "VARCHAR", "y", false),
    ("f", "VARCHAR", "f", false),
    ("False", "BOOLEAN", "false", false),
    ("1", "INTEGER", "1", false),
    ("0", "INTEGER", "0", false),
    ("-0", "INTEGER", "0", true),
    ("+1", "INTEGER", "1", true),
    ("01234", "INTEGER", "1234", true),
    ("007", "INTEGER", "7", true),
    (" 12", "INTEGER", "12", true),
    ("12 ", "INTEGER", "12", true),
    (" 12 ", "INTEGER", "12", true),
    ("\"1,000\"", "VARCHAR", "1,000", false),
    ("$5", "VARCHAR", "$5", false),
    ("€5", "VARCHAR", "€5", false),
    ("5%", "VARCHAR", "5%", false),
    ("-5", "INTEGER", "-5", false),
    ("--5", "VARCHAR", "--5", false),
    ("(5)", "VARCHAR", "(5)", false),
    ("1.50", "DOUBLE", "1.5", false),
    ("1.5", "DOUBLE", "1.5", false),
    ("1.0", "INTEGER", "1", true),
    ("0.1", "DOUBLE", "0.1", false),
    (".5", "DOUBLE", "0.5", true),
    ("5.", "INTEGER", "5", true),
    ("1E5", "INTEGER", "100000", true),
    ("1e-3", "DOUBLE", "0.001", true),
    ("1E400", "VARCHAR", "1E400", false),
    ("1e5.5", "VARCHAR", "1e5.5", false),
    ("NaN", "VARCHAR", "NaN", false),
    ("nan", "VARCHAR", "nan", false),
    ("Infinity", "VARCHAR", "Infinity", false),
    ("-inf", "VARCHAR", "-inf", false),
    ("inf", "VARCHAR", "inf", false),
    ("2147483647", "INTEGER", "2147483647", false),
    ("2147483648", "BIGINT", "2147483648", false),
    ("9223372036854775808", "VARCHAR", "9223372036854775808", false),
    ("-2147483648", "INTEGER", "-2147483648", false),
    ("0.30000000000000004", "DOUBLE", "0.30000000000000004", false),
    ("123456789012345678901234567890.12", "DOUBLE", "1.2345678901234568e+29", true),
    ("1_000", "INTEGER", "1000", true),
    ("0x1F", "VARCHAR", "0x1F", false),
    ("2024-01-31", "DATE", "2024-01-31", false),
    ("2024-1-5", "DATE", "2024-01-05", true),
    ("2024-02-30", "VARCHAR", "2024-02-30", false),
    ("01/02/2024", "VARCHAR", "01/02/2024", false),
    ("2024/01/31", "VARCHAR", "2024/01/31", false),
    ("20240131", "INTEGER", "20240131", false),
    ("2024-01-31 10:20:30", "TIMESTAMP", "2024-01-31 10:20:30", false),
    ("2024-01-31 1:2:3", "TIMESTAMP", "2024-01-31 01:02:03", true),
    ("2024-01-31T10:20:30", "TIMESTAMP", "2024-01-31 10:20:30", false),
    ("2024-01-31T10:20:30Z", "TIMESTAMP", "2024-01-31 10:20:30", true),
    ("2024-01-31T10:20:30+02:00", "TIMESTAMP", "2024-01-31 10:20:30", true),
    ("2024-01-31T10:20:30.123456", "TIMESTAMP", "2024-01-31 10:20:30.123456", false),
    ("2024-01-31 10:20:30.5", "VARCHAR", "2024-01-31 10:20:30.5", false),
    ("2024-01-31 10:20", "VARCHAR", "2024-01-31 10:20", false),
    ("2024-01-31T10", "VARCHAR", "2024-01-31T10", false),
    ("2024-W05-3T10:20:30", "VARCHAR", "2024-W05-3T10:20:30", false),
    ("20240131T102030", "VARCHAR", "20240131T102030", false),
    ("2024-031T10:20:30", "VARCHAR", "2024-031T10:20:30", false),
    ("10:20:30", "VARCHAR", "10:20:30", false),
    ("1 day", "VARCHAR", "1 day", false),
    ("日本", "VARCHAR", "日本", false),
    ("é", "VARCHAR", "é", false),
    ("\"a \"\"q\"\" b\"", "VARCHAR", "a \"q\" b", false),
    ("\"line\nbreak\"", "VARCHAR", "line\nbreak", false),
    ("\"line\r\nbreak\"", "VARCHAR", "line\r\nbreak", false),
    ("it's", "VARCHAR", "it's", false),
    ("a'b'c", "VARCHAR", "a'b'c", false),
    ("'quoted'", "VARCHAR", "quoted", true),
    ("a\"b", "VARCHAR", "a\"b", false),
    ("\"\"", "INTEGER", "∅", false),
    ("\" \"", "VARCHAR", " ", false),
    (" padded ", "VARCHAR", " padded ", false),
    ("SAT", "VARCHAR", "SAT", false),
    ("29051_00040", "VARCHAR", "29051_00040", false),
    ("9999-12-31", "DATE", "9999-12-31", false),
    ("0001-01-01", "DATE", "0001-01-01", false),
    ("1.", "INTEGER", "1", true),
    ("٣", "VARCHAR", "٣", false),
    ("１２", "VARCHAR", "１２", false),
    ("a\tb", "VARCHAR", "a\tb", false),
    ("#c", "VARCHAR", "#c", false),
    ("\\N", "VARCHAR", "\\N", false),
    ("\"a\\\"\"b\"", "VARCHAR", "a\\\"b", false),
    ("\"tr,ue\"", "VARCHAR", "tr,ue", false),
    ("1 000", "VARCHAR", "1 000", false),
    ("1'000", "VARCHAR", "1'000", false),
    ("1e+5", "INTEGER", "100000", true),
    ("1e", "VARCHAR", "1e", false),
    ("e5", "VARCHAR", "e5", false),
    ("+", "VARCHAR", "+", false),
    ("Z", "VARCHAR", "Z", false),
    ("2024-01-31 ", "DATE", "2024-01-31", true),
    ("2024-01-31 10:20:30 ", "TIMESTAMP", "2024-01-31 10:20:30", true),
    ("2024-01-31t10:20:30", "VARCHAR", "2024-01-31t10:20:30", false),
    ("2024-01-31T24:00:00", "VARCHAR", "2024-01-31T24:00:00", false),
    ("2024-01-31T10:20:30.1234567", "TIMESTAMP", "2024-01-31 10:20:30.123456", true),
    ("2024-01-31T10:20:30-0530", "TIMESTAMP", "2024-01-31 10:20:30", true),
    ("2024-01-31T10:20:30+02", "TIMESTAMP", "2024-01-31 10:20:30", true),
    ("2024-01T10:20", "VARCHAR", "2024-01T10:20", false),
    ("+2024-01-31T10:20:30", "VARCHAR", "+2024-01-31T10:20:30", false),
    ("-1.50", "DOUBLE", "-1.5", false),
    ("00.10", "DOUBLE", "0.1", true),
    ("-01", "INTEGER", "-1", true),
    ("1.10000000000000000001", "DOUBLE", "1.1", true),
    (" true ", "VARCHAR", " true ", false),
    ("2024-01-31T10:20", "TIMESTAMP", "2024-01-31 10:20:00", true),
    ("2024-01-31T10:20:30.5Z", "TIMESTAMP", "2024-01-31 10:20:30.5", true),
    ("2024-01-31T10:20:30.123456789", "TIMESTAMP", "2024-01-31 10:20:30.123456", true),
    ("\"2024-01-31T10:20:30,5\"", "VARCHAR", "2024-01-31T10:20:30,5", false),
    ("2024-01-31  10:20:30", "TIMESTAMP", "2024-01-31 10:20:30", true),
    ("2024-1-31T1:2:3", "VARCHAR", "2024-1-31T1:2:3", false),
    ("1.5_0", "DOUBLE", "1.5", true),
    ("1_0.5", "DOUBLE", "10.5", true),
    ("1_0e2", "INTEGER", "1000", true),
    ("1E-400", "DOUBLE", "0.0", true),
    ("0e5", "INTEGER", "0", true),
    ("1e0", "INTEGER", "1", true),
    ("10e-1", "INTEGER", "1", true),
    ("999999999999999999999999999999999999999999", "VARCHAR", "999999999999999999999999999999999999999999", false),
    (" 12", "VARCHAR", " 12", false),
    ("12\t", "INTEGER", "12", true),
    ("\u{c}1", "INTEGER", "1", true),
];

#[test]
fn literals_get_the_types_and_values_of_dbt() {
    let mut wrong = Vec::new();
    for (text, kind, value, is_changed) in LITERALS {
        let (types, rows, load) = load(&format!("id,v\n1,{text}\n2,\n"));
        let changed = !load.coerced.is_empty();
        let found = (types[1].as_str(), rows[0][1].as_str(), changed);
        if found != (kind, value, is_changed) {
            wrong.push(format!("{text:?}: {found:?} is not {:?}", (kind, value, is_changed)));
        }
        assert_eq!(rows[1][1], "∅");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_column_has_the_narrowest_type_of_all_its_values() {
    let column = |values: &[&str]| {
        let (types, rows, load) =
            load(&format!("id,v\n{}", values.iter().map(|v| format!("1,{v}\n")).collect::<String>()));
        let coerced =
            load.coerced.into_iter().map(|(column, value)| format!("{column}: {value}")).collect::<Vec<_>>().join(" ");
        format!("{} {} [{coerced}]", types[1], rows.iter().map(|row| row[1].as_str()).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(column(&["1", "", "3"]), "INTEGER 1 ∅ 3 []");
    assert_eq!(column(&["", ""]), "INTEGER ∅ ∅ []");
    assert_eq!(column(&[]), "INTEGER  []");
    assert_eq!(column(&["1", "2.5"]), "DOUBLE 1.0 2.5 []");
    assert_eq!(column(&["1.5", "NaN"]), "DOUBLE 1.5 nan [v: NaN]");
    assert_eq!(column(&["1", "01234", "007"]), "INTEGER 1 1234 7 [v: 01234]");
    assert_eq!(column(&["1.25", "1E5", "2.50"]), "DOUBLE 1.25 100000.0 2.5 [v: 1E5]");
    assert_eq!(column(&["1", "3000000000"]), "BIGINT 1 3000000000 []");
    assert_eq!(column(&["1", "null"]), "VARCHAR 1 null []");
    assert_eq!(column(&["a", "null", ""]), "VARCHAR a null ∅ []");
    assert_eq!(column(&["true", "1"]), "VARCHAR true 1 []");
    assert_eq!(column(&["2024-01-01", "2024-01-01 10:00:00"]), "VARCHAR 2024-01-01 2024-01-01 10:00:00 []");
    assert_eq!(
        column(&["2024-01-01 10:00:00", "2024-01-01T10:00:00"]),
        "VARCHAR 2024-01-01 10:00:00 2024-01-01T10:00:00 []"
    );
    assert_eq!(column(&["2024-01-31", "2024-1-5"]), "DATE 2024-01-31 2024-01-05 [v: 2024-1-5]");
    assert_eq!(
        column(&["2024-01-31T10:20:30", "2024-01-31T10:20:30+02:00"]),
        "TIMESTAMP 2024-01-31 10:20:30 2024-01-31 10:20:30 [v: 2024-01-31T10:20:30+02:00]"
    );
}

#[test]
fn without_inference_text_is_kept_and_declared_types_go_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = memory().connect().unwrap();
    let mut seed = seed(&folder, "sku;amount;day\n01234; 20.50 ;2024-01-31\n1E5;;null\n".as_bytes());
    seed.infer_types = false;
    seed.delimiter = ';';
    let Json::Object(types) = json!({"amount": "decimal(18, 2)", "missing": "integer"}) else { unreachable!() };
    seed.column_types = types;
    let load = session.load_seed(&relation(), &seed).unwrap();
    assert_eq!(load, SeedLoad { rows: 2, coerced: vec![] });
    let (types, rows) = table(&mut *session);
    assert_eq!(types, ["VARCHAR", "DECIMAL(18,2)", "VARCHAR"]);
    assert_eq!(rows, [["01234", "20.50", "2024-01-31"], ["1E5", "∅", "null"]]);
}

#[test]
fn a_value_that_does_not_fit_its_declared_type_is_an_error_with_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = memory().connect().unwrap();
    let mut seed = seed(&folder, b"a,b\n1,2\n1,x\n");
    seed.column_types.insert("b".to_string(), json!("integer"));
    let message = session.load_seed(&relation(), &seed).unwrap_err().to_string();
    assert!(message.starts_with("line 3: ") && message.contains("\"x\""), "{message}");
    assert!(session.relations().unwrap().is_empty());
    seed.column_types.insert("b".to_string(), json!("integer); drop table x; --"));
    session.load_seed(&relation(), &seed).unwrap_err();
}

#[test]
fn a_header_is_never_code() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = memory().connect().unwrap();
    session.execute("create table raw_orders as select 1 as i").unwrap();
    let names = [
        "a\" integer); drop table raw_orders cascade; --",
        "'; drop table raw_orders; --",
        "{x}",
        "order",
        "日本",
        " pad ",
    ];
    let quoted = names.map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    session.load_seed(&relation(), &seed(&folder, format!("{}\n1,2,3,4,5,6\n", quoted.join(",")).as_bytes())).unwrap();
    assert_eq!(session.columns(&relation()).unwrap().into_iter().map(|column| column.name).collect::<Vec<_>>(), names);
    assert_eq!(session.query("from raw_orders").unwrap().rows.len(), 1);
}

#[test]
fn files_of_all_common_forms_are_read() {
    let rows = |csv: &str| load(csv).1;
    assert_eq!(rows("a,b\r\n1,x\r\n2,y\r\n"), [["1", "x"], ["2", "y"]]);
    assert_eq!(rows("a,b\r1,x\r2,y"), [["1", "x"], ["2", "y"]]);
    assert_eq!(rows("\u{feff}a,b\n1,2\n\n3,4\n\n"), [["1", "2"], ["3", "4"]]);
    assert_eq!(rows("a\n1\n\n2\n"), [["1"], ["∅"], ["2"]]);
    assert_eq!(rows("a,b\n\"line\r\nbreak\",\"a \"\"q\"\"\"\n"), [["line\r\nbreak", "a \"q\""]]);
    assert_eq!(rows("a,b\n# no comment,1\n"), [["# no comment", "1"]]);
    assert_eq!(rows("a,b\n"), Vec::<Vec<String>>::new());
    let long = "x\"\"".repeat(1_500_000);
    assert_eq!(rows(&format!("a,b\n1,\"{long}\"\n"))[0][1].len(), 3_000_000);
}

#[test]
fn files_that_are_no_tables_are_refused_with_the_line() {
    assert_eq!(refusal(b""), "the file is empty: its first line must name the columns");
    assert_eq!(refusal(b"\n\na,b\n1,2\n"), "line 1 is blank: it must name the columns");
    assert_eq!(refusal(b"a,A\n1,2\n"), "line 1: two columns have the name `A`");
    assert_eq!(refusal(b"a,\n1,2\n"), "line 1: column 2 has no name");
    assert_eq!(refusal(b"a,b\n1,2\n1,2,3\n"), "line 3 has 3 values, but the header names 2 columns");
    assert_eq!(refusal(b"a,b\n\"x\ny\",2\n1\n"), "line 4 has 1 value, but the header names 2 columns");
    assert_eq!(refusal(b"a,b\n1,2\n\xff\xfe,2\n"), "line 3 is not UTF-8");
    assert_eq!(refusal(b"a,b\nx\0y,2\n"), "line 2 has a null byte: this is not a text file");
    assert_eq!(
        refusal(b"a,b\n\"x,2\n3,4\n"),
        "line 2 has 1 value, but the header names 2 columns; maybe a quote that opens there is not closed"
    );
    assert_eq!(refusal(b"a,b\n1,\"x\n"), "line 2: Value with unterminated quote found.");
    assert_eq!(refusal(b"a,b\n\"x\"y,2\n"), "line 2: Value with unterminated quote found.");
    let junk = (0..4096_u32).map(|i| ((i * 7919) >> 3) as u8).collect::<Vec<_>>();
    assert!(refusal(&junk).starts_with("line "));
}

#[test]
fn a_seed_joins_the_transaction_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = memory().connect().unwrap();
    session.begin().unwrap();
    session.load_seed(&relation(), &seed(&folder, b"a\n1\n")).unwrap();
    assert!(session.in_transaction());
    session.rollback().unwrap();
    assert!(session.relations().unwrap().is_empty());
}

#[test]
fn megabytes_load_in_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let mut csv = Vec::new();
    writeln!(csv, "id,name,price,day,at").unwrap();
    for i in 0..50_000 {
        writeln!(csv, "{i},\"name, {i}\",{}.25,2024-01-{:02},2024-01-31 10:20:{:02}", i % 977, i % 28 + 1, i % 60)
            .unwrap();
    }
    assert!(csv.len() > 2_000_000);
    let mut session = memory().connect().unwrap();
    let started = Instant::now();
    let load = session.load_seed(&relation(), &seed(&folder, &csv)).unwrap();
    assert_eq!(load, SeedLoad { rows: 50_000, coerced: vec![] });
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    assert_eq!(table(&mut *session).0, ["INTEGER", "VARCHAR", "DOUBLE", "DATE", "TIMESTAMP"]);
}
