//! Tests of the engine with a real database, in memory or in a temporary file.

mod seeds;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::adapter::duckdb::profile::{Profile, lakes};
use crate::adapter::duckdb::{DuckDb, open};
use crate::adapter::relation::{Relation, identifier};
use crate::adapter::rows::Cell;
use crate::adapter::{Adapter, AdapterError, Connection, SqlPosition, Target};

/// Time zones need ICU, which the official library has and a DuckDB compiled from source (`--features bundled`) has not:
/// there the zone is always UTC.
fn zone(name: &str) -> &str {
    if cfg!(feature = "bundled") { "UTC" } else { name }
}

/// The settings of a profile that asks for a time zone, as far as this DuckDB knows zones.
fn in_zone(name: &str, mut settings: Json) -> Json {
    if zone(name) == name {
        settings["TimeZone"] = json!(name);
    }
    settings
}

pub(super) fn target(settings: Json) -> Target {
    let Json::Object(settings) = settings else { panic!("settings are a mapping") };
    let text = |key: &str| settings.get(key).and_then(Json::as_str).unwrap_or_default().to_string();
    Target {
        profile_name: "shop".to_string(),
        name: "dev".to_string(),
        kind: "duckdb".to_string(),
        database: text("database"),
        schema: "main".to_string(),
        threads: 1,
        base: Path::new(&text("base")).to_path_buf(),
        settings,
    }
}

pub(super) fn memory() -> DuckDb {
    open(&target(json!({}))).unwrap()
}

fn session() -> Box<dyn Connection> {
    memory().connect().unwrap()
}

fn refusal(settings: Json) -> String {
    match open(&target(settings)) {
        Err(AdapterError::Connect(message)) => message,
        Err(error) => panic!("not a Connect error: {error}"),
        Ok(_) => panic!("it opened"),
    }
}

fn sql_error(sql: &str) -> (String, Option<SqlPosition>) {
    match session().query(sql) {
        Err(AdapterError::Sql { message, at }) => (message, at),
        other => panic!("not an SQL error: {other:?}"),
    }
}

fn at(line: usize, column: usize) -> Option<SqlPosition> {
    Some(SqlPosition { line, column })
}

#[test]
fn values_keep_their_kind() {
    let sql =
        "select null as n, true as b, 1::tinyint as i, 170141183460469231731687303715884105727 as h, 1.5::double as f,
        12.50::decimal(18, 2) as d, 5::decimal(38, 0) as w, 'é' as t, date '2024-01-31' as da,
        timestamp '2024-01-31 12:00:00.5' as ts, timestamptz '2024-01-31 12:00:00+02' as tz,
        [1, null] as l, 'a'::enum('a', 'b') as e, uuid '00000000-0000-0000-0000-000000000001' as u,
        interval 1 month as iv, 'x'::blob as bl, '{\"a\": 1}'::json as j";
    let database = open(&target(json!({"settings": in_zone("Europe/Berlin", json!({}))}))).unwrap();
    let rows = database.connect().unwrap().query(sql).unwrap();
    let moment = if zone("Europe/Berlin") == "UTC" { "2024-01-31 10:00:00+00:00" } else { "2024-01-31 11:00:00+01:00" };
    assert_eq!(
        rows.rows[0],
        [
            Cell::Null,
            Cell::Bool(true),
            Cell::Int(1),
            Cell::Int(i128::MAX),
            Cell::Float(1.5),
            Cell::Decimal("12.50".into()),
            Cell::Decimal("5".into()),
            Cell::Text("é".into()),
            Cell::Date("2024-01-31".into()),
            Cell::Timestamp("2024-01-31 12:00:00.5".into()),
            Cell::Timestamp(moment.into()),
            Cell::Other("[1, NULL]".into()),
            Cell::Text("a".into()),
            Cell::Text("00000000-0000-0000-0000-000000000001".into()),
            Cell::Other("1 month".into()),
            Cell::Other("x".into()),
            Cell::Text("{\"a\": 1}".into()),
        ]
    );
}

/// DuckDB's own table of its types, at their limits.
#[test]
fn every_type_reads_as_the_engine_prints_it() {
    let mut session = session();
    let unreadable = ["time_ns", "time_tz", "bignum", "variant", "geometry"];
    let names = session.describe("select * from test_all_types()").unwrap();
    assert!(names.len() > 50);
    for name in names.iter().map(|column| &column.name).filter(|name| !unreadable.contains(&name.as_str())) {
        let column = identifier(name);
        let sql = format!("select {column}, {column}::varchar from test_all_types()");
        for row in session.query(&sql).unwrap().rows {
            same_text(name, &row[0], &row[1]);
        }
    }
}

fn same_text(name: &str, value: &Cell, printed: &Cell) {
    match value {
        // The kind already says what it is; the text of floats and of zones is the caller's.
        Cell::Float(_) => {}
        // The last moment there is: ICU rounds it.
        Cell::Timestamp(text) if text.starts_with("294247") => {}
        Cell::Timestamp(text) if name.contains("tz") => {
            assert_eq!(text.replace("+00:00", "+00"), printed.text(), "{name}")
        }
        value => assert_eq!(value.text(), printed.text(), "{name}"),
    }
}

#[test]
fn nested_values_read_as_the_engine_prints_them() {
    let values = [
        "[]",
        "['a b', 'a,b', '', 'null', 'NULL', null, ' a', 'it''s', 'a\\b', 'a\"b', 'x=y', 'a:b', '{', '日本', 'a\nb', 'a;b', '-', '#']",
        "{'a': 1, 'B c': 'x', 'd': {'e': [1.5, 2]}}",
        "row(1, 'a', null)",
        "map {'a': 1, 'b c': null, '': 3}",
        "[[1], [], null]",
        "[0.1::double, 1::double, 1e15, 1e16, 1e17, 1e-4, 1e-5, 1.5e-7, 123456789.125, 1e300, -0.0::double, 'nan'::double, 'inf'::double, '-inf'::double, 100::double, 12345678901234567::double]",
        "[0.1::float, 16777216::float, 1e10::float, 3.4e38::float, 1e-6::float]",
        "[date '2024-01-31', date '0044-03-15 (BC)', 'infinity'::date]",
        "[timestamp '2024-01-31 01:02:03.45', '-infinity'::timestamp]",
        "[timestamp_ns '2024-01-31 01:02:03.123456789', null]",
        "[timestamp_ms '2024-01-31 01:02:03.120']",
        "[timestamp_s '1900-01-31 01:02:03']",
        "[timestamptz '2024-01-31 01:02:03+05:30']",
        "[time '01:02:03.5']",
        "[interval '1 year 14 months -3 days -04:05:06.7', interval 0 day, interval '-1 month', interval '25 hours', interval '1 day']",
        "['\\xAA''\"a\\x5C'::blob]",
        "[true, false]",
        "['a'::enum('a', 'b c'), 'b c']",
        "[1.50::decimal(9, 2)]",
        "array_value(1, 2, 3)",
        "union_value(k := 'a b')",
        "[union_value(k := 'a, b')]",
        "{'a': union_value(k := 2)}",
        "[uuid '00000000-0000-0000-0000-000000000001']",
        "['101'::bit]",
        "map {[1]: {'a': 'b, c'}}",
        "{'k''s': 1}",
        "['{\"a\": 1}'::json]",
        "[340282366920938463463374607431768211455::uhugeint]",
        "[null]",
        "[{'a': null}]",
        "[1::hugeint, -5]",
        "{'a': row('x y', 2)}",
    ];
    let mut session = session();
    if zone("Asia/Kolkata") != "UTC" {
        session.execute("set TimeZone = 'Asia/Kolkata'").unwrap();
    }
    let mut wrong = Vec::new();
    for value in values {
        let row = session.query(&format!("select {value}, ({value})::varchar")).unwrap().rows.remove(0);
        if row[0].text() != row[1].text() {
            wrong.push(format!("{value}\n  read    {}\n  printed {}", row[0].text(), row[1].text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn columns_of_rows_have_the_names_that_describe_gives() {
    let sql = "select 1 as a, 1.5::decimal(18,3) as d, [1] as l, {'a': 1, 'B c': [now()]} as s, map {1: 'x'} as m, '1'::json as j,
        now()::timestamp_s as t, current_time as ct, array_value(1, 2) as ar, union_value(k := 2) as un, null as n, 1::ubigint as ub,
        '1'::bit as bi, [{'x': 1}] as ls";
    let mut session = session();
    session.execute(&format!("create table t as {}", sql.replace("current_time as ct,", ""))).unwrap();
    let rows = session.query("from t").unwrap();
    assert_eq!(rows.columns, session.columns(&Relation::new("memory", "main", "t")).unwrap());
}

#[test]
fn a_type_that_cannot_be_read_is_an_error_not_a_panic() {
    let (message, _) = sql_error("select '1:02:03'::time_ns as t");
    assert_eq!(message, "the column `t` has the type TIME_NS, whose values cannot be read; cast it to another type");
}

#[test]
fn errors_say_what_and_where() {
    assert_eq!(sql_error("select 1 form x y"), ("Parser Error: syntax error at or near \"x\"".into(), at(1, 15)));
    let (message, place) = sql_error("select 1,\n  'é', nope\nfrom (select 1 as a)");
    assert!(message.starts_with("Binder Error: Referenced column \"nope\" not found"), "{message}");
    assert_eq!(place, at(2, 8));
    let long = format!("select {} '日本語日本語', nope form x y", "1, ".repeat(200));
    assert_eq!(sql_error(&long).1, at(1, long.chars().position(|c| c == 'x').unwrap() + 1));
    assert_eq!(sql_error("select 1;\nselect * from missing").1, at(2, 15));
    assert_eq!(sql_error("select error('own words')"), ("Invalid Input Error: own words".into(), None));
}

#[test]
fn describing_a_query_keeps_the_place_of_errors() {
    let error = session().describe("select 1,\n  nope").unwrap_err();
    assert!(matches!(error, AdapterError::Sql { at: Some(place), .. } if Some(place) == at(2, 3)), "{error:?}");
    let error = session().describe("select nope").unwrap_err();
    assert!(matches!(error, AdapterError::Sql { at: Some(place), .. } if Some(place) == at(1, 8)), "{error:?}");
}

#[test]
fn execute_counts_changed_rows_of_the_last_statement() {
    let mut session = session();
    assert_eq!(session.execute("create table t as select * from range(5) r(i)").unwrap(), 5);
    assert_eq!(session.execute("delete from t where i = 0; update t set i = 9 where i > 1").unwrap(), 3);
    assert_eq!(session.execute("-- nothing\n").unwrap(), 0);
    assert_eq!(session.query(" ").unwrap().rows.len(), 0);
    assert!(session.execute("select 'a\0b'").is_err());
}

#[test]
fn a_rolled_back_transaction_leaves_no_trace() {
    let database = memory();
    let mut session = database.connect().unwrap();
    session.execute("create table t as select 1 as i").unwrap();
    session.begin().unwrap();
    assert!(session.in_transaction());
    session.execute("create or replace table t as select 2 as i").unwrap();
    session.execute("create schema s").unwrap();
    session.execute("select nope").unwrap_err();
    session.rollback().unwrap();
    assert!(!session.in_transaction());
    let rows = database
        .connect()
        .unwrap()
        .query("select i, (select count(*) from duckdb_schemas() where schema_name = 's') from t");
    assert_eq!(rows.unwrap().rows, [[Cell::Int(1), Cell::Int(0)]]);
}

#[test]
fn a_committed_transaction_is_seen_by_other_connections() {
    let database = memory();
    let mut session = database.connect().unwrap();
    session.begin().unwrap();
    session.execute("create table t as select 1 as i").unwrap();
    assert!(database.connect().unwrap().query("from t").is_err());
    session.commit().unwrap();
    assert_eq!(database.connect().unwrap().query("from t").unwrap().rows.len(), 1);
}

#[test]
fn transactions_can_be_turned_off() {
    let mut session = open(&target(json!({"disable_transactions": true}))).unwrap().connect().unwrap();
    session.begin().unwrap();
    assert!(!session.in_transaction());
    session.execute("create table t as select 1").unwrap();
    session.rollback().unwrap();
    assert_eq!(session.relations().unwrap().len(), 1);
}

#[test]
fn an_interrupt_stops_running_statements_and_the_connection_stays_usable() {
    let database = memory();
    let mut session = database.connect().unwrap();
    let started = Instant::now();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let result =
                session.query("select count(*) from range(100000000) a, range(1000000) b where a.range + b.range = 7");
            (result, session)
        });
        while !running.is_finished() {
            std::thread::sleep(Duration::from_millis(50));
            database.interrupt();
        }
        let (result, mut session) = running.join().unwrap();
        assert!(matches!(result, Err(AdapterError::Interrupted)), "{result:?}");
        assert_eq!(session.query("select 1").unwrap().rows, [[Cell::Int(1)]]);
    });
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn relations_are_those_of_all_attached_databases() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&target(json!({
        "base": folder.path(), "path": "shop.duckdb", "database": "shop",
        "attach": [{"path": "other.duckdb", "alias": "my other"}],
    })))
    .unwrap();
    let mut session = database.connect().unwrap();
    session.execute("create table t as select 1 as i; create schema s; create view s.v as select 1 as j").unwrap();
    session
        .execute("create table \"my other\".main.\"a b\" as select 1; create temp table hidden as select 1")
        .unwrap();
    let relations = session.relations().unwrap();
    let shown =
        relations.iter().map(|relation| format!("{} {:?}", relation, relation.kind.unwrap())).collect::<Vec<_>>();
    assert_eq!(
        shown,
        ["\"my other\".\"main\".\"a b\" Table", "\"shop\".\"main\".\"t\" Table", "\"shop\".\"s\".\"v\" View"]
    );
    assert!(folder.path().join("shop.duckdb").exists());
    assert_eq!(session.columns(&relations[2]).unwrap()[0].name, "j");
    assert_eq!(session.columns(&Relation::new("shop", "s", "none")).unwrap(), []);
    assert_eq!(session.columns(&Relation::new("shop", "none", "none")).unwrap(), []);
}

#[test]
fn statements_are_counted_by_the_engines_parser() {
    let mut session = session();
    session.execute("create table t as select 1 as a").unwrap();
    let mut count = |sql: &str| session.statement_count(sql);
    assert_eq!(count("select 1").unwrap(), 1);
    assert_eq!(count("select ';' -- ; \n;").unwrap(), 1);
    assert_eq!(count("select 1; drop table t").unwrap(), 2);
    assert_eq!(
        count("select 1) ; drop table t; select (1").unwrap_err().to_string(),
        "Parser Error: syntax error at or near \")\""
    );
    assert_eq!(count(" /* none */ ").unwrap(), 0);
    assert_eq!(count("pivot t on a using sum(a)").unwrap(), 1);
    assert_eq!(count("pivot t on a using sum(a);").unwrap(), 1);
    assert!(count("pivot t on a using sum(a); drop table t").unwrap() > 1);
    assert!(
        matches!(count("select 1\nfrom form x y"), Err(AdapterError::Sql { at: Some(place), .. }) if place.line == 2)
    );
    assert_eq!(session.query("from t").unwrap().rows.len(), 1);
}

#[test]
fn lakes_are_attached_by_their_scheme_or_their_type_and_hide_what_is_behind() {
    let target = target(json!({"base": "/shop", "attach": [
        {"path": "ducklake:data/meta.ducklake", "alias": "lake", "options": {"data_path": "files"}},
        {"path": "ducklake:postgres:password=canary", "is_ducklake": true, "alias": "far"},
        {"path": "meta.db", "type": "ducklake"},
        {"path": "other.duckdb"},
    ]}));
    let profile = Profile::read(&target).unwrap();
    let statements: Vec<&str> = profile.statements.iter().map(|statement| statement.sql.as_str()).collect();
    assert_eq!(
        statements[..3],
        [
            "attach if not exists 'ducklake:/shop/data/meta.ducklake' as \"lake\" (\"data_path\" 'files')",
            "attach if not exists 'ducklake:postgres:password=canary' as \"far\"",
            "attach if not exists '/shop/meta.db' (\"type\" 'ducklake')",
        ]
    );
    assert!(!profile.statements[1].what.contains("canary") && profile.statements[1].hidden[0].contains("canary"));
    assert_eq!(lakes(&target.settings), ["lake", "far", "meta"]);
}

#[test]
fn unsupported_and_misfit_keys_are_named() {
    assert_eq!(refusal(json!({"plugins": [{"module": "excel"}]})), "the key `plugins` of the profile is not supported");
    assert_eq!(refusal(json!({"extensions": "httpfs"})), "the key `extensions` of the profile is not a list");
    assert!(refusal(json!({"path": "md:db"})).contains("starts with `md:`"));
    assert!(refusal(json!({"path": "ducklake:x"})).contains("starts with `ducklake:`"));
    assert!(refusal(json!({"config_options": {"nope": 1}})).contains("nope"));
    let message = refusal(json!({"settings": {"threads": "many"}}));
    assert!(message.starts_with("the setting `threads` of the profile: "), "{message}");
    assert_eq!(
        refusal(json!({"database": "dev"})),
        "the profile names the database `dev`, but its path and `attach` give `memory`: take `database` out of the \
         profile, or give it one of these names"
    );
    assert!(open(&target(json!({"plugins": [], "remote": null, "unknown": 1}))).is_ok());
}

#[test]
fn a_missing_extension_is_named_with_a_way_out() {
    let message = refusal(json!({"extensions": ["json", {"name": "no_such_thing", "repo": "/nowhere"}]}));
    assert!(message.starts_with("the extension `no_such_thing` could not be loaded: "), "{message}");
    assert!(message.contains("take it out of `extensions`"), "{message}");
}

#[test]
fn settings_reach_every_connection() {
    let folder = tempfile::tempdir().unwrap();
    let spill = folder.path().join("spill");
    let database = open(&target(json!({
        "settings": in_zone("America/New_York", json!({"threads": 1, "temp_directory": spill, "search_path": "s", "enable_progress_bar": false})),
        "config_options": {"default_null_order": "nulls_first"},
    })))
    .err();
    assert!(database.unwrap().to_string().contains("search_path"), "the schema does not exist");
    let database = open(&target(json!({
        "settings": in_zone("America/New_York", json!({"threads": 1, "temp_directory": spill, "memory_limit": "60MB"})),
        "config_options": {"default_null_order": "nulls_first"},
    })))
    .unwrap();
    for _ in 0..2 {
        let mut session = database.connect().unwrap();
        let is_known = zone("America/New_York") != "UTC";
        let zone_sql = if is_known { "current_setting('TimeZone')" } else { "'UTC'" };
        let sql = &format!("select current_setting('threads'), {zone_sql}, current_setting('default_null_order')");
        assert_eq!(
            session.query(sql).unwrap().rows[0].iter().map(Cell::text).collect::<Vec<_>>(),
            ["1", zone("America/New_York"), "NULLS_FIRST"]
        );
        let error = session.query("select count(*) from (select list(range) as l, count(distinct hash(range)) from range(5000000) group by range % 4000000)");
        if let Err(error) = error {
            assert!(error.to_string().starts_with("Out of Memory Error"), "{error}");
        }
        session.query("select max(range::varchar) from (from range(1000000) order by hash(range))").unwrap();
    }
}

#[test]
fn secrets_are_created_and_never_shown() {
    let secret =
        json!([{"type": "http", "name": "web", "bearer_token": "canary-1", "extra_http_headers": {"A": "canary-2"}}]);
    let found = open(&target(json!({"secrets": secret})));
    if let Err(error) = &found {
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    let message = refusal(json!({"secrets": [{"type": "http", "nope": "canary-3", "other": "it's canary-4"}]}));
    assert!(message.starts_with("the secret `_dbt_secret_1` could not be created: "), "{message}");
    assert!(!message.contains("canary"), "{message}");
    let message = refusal(json!({"secrets": [{"type": "canary", "key": "canary-3"}]}));
    assert!(!message.contains("canary-3"), "{message}");
}

#[test]
fn a_file_that_is_no_database_is_a_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.duckdb"), "hello".repeat(2000)).unwrap();
    let path = folder.path().join("a.duckdb");
    assert_eq!(
        refusal(json!({"base": folder.path(), "path": "a.duckdb"})),
        format!("`{}` is not a DuckDB database", path.display())
    );
    let message = refusal(json!({"base": folder.path(), "path": "no/such/a.duckdb"}));
    assert!(message.contains("could not be opened: IO Error"), "{message}");
}

#[test]
fn a_damaged_block_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let settings = json!({"base": folder.path(), "path": "a.duckdb"});
    open(&target(settings.clone()))
        .unwrap()
        .connect()
        .unwrap()
        .execute("create table t as select hash(range) as h from range(200000)")
        .unwrap();
    let path = folder.path().join("a.duckdb");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16].iter_mut().for_each(|byte| *byte ^= 0xff);
    std::fs::write(&path, bytes).unwrap();
    let error = match open(&target(settings)) {
        Err(error) => error,
        Ok(database) => database.connect().unwrap().query("select sum(h) from t").unwrap_err(),
    };
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[test]
fn unknown_types_of_targets_are_refused() {
    let mut target = target(json!({}));
    target.kind = "snowflake".to_string();
    let error = crate::adapter::connect(&target).err().unwrap();
    assert_eq!(
        error.to_string(),
        "target `dev` of profile `shop` has the type `snowflake`; the types there are: `duckdb`, `datafusion`"
    );
}
