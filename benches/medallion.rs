//! What the guards of layers cost beside the engine, on TPC-H data: audits, tests of rows, small files, change events.
//! Prints seconds and ratios, each against DuckDB or against the same project without layers, in the same run.
//!
//! Run it with `cargo bench --bench medallion`; `-- 0.1` takes another scale than 1.

#[path = "measure/mod.rs"]
mod measure;

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::fs;
use std::path::PathBuf;

use duckdb::Connection;
use measure::{Cost, best, measure, medal};
use nix::sys::resource::UsageWho;
use tpchgen::csv::{CustomerCsv, LineItemCsv, OrderCsv, PartCsv, PartSuppCsv, SupplierCsv};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, OrderGenerator, PartGenerator, PartSuppGenerator, SupplierGenerator,
};

fn main() {
    let scale = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1.0);
    let dir = tempfile::tempdir().expect("the system has a temporary folder");
    let bench = Bench { dir: dir.path().to_path_buf() };
    bench.generate(scale);
    bench.audit();
    bench.row_tests();
    bench.change_events();
    bench.small_files();
}

/// A folder with the database `tpch.duckdb`, and a project for each measurement.
struct Bench {
    dir: PathBuf,
}

const TABLES: [(&str, &str); 6] = [
    ("customer", "c_custkey"),
    ("lineitem", "l_orderkey * 8 + l_linenumber"),
    ("orders", "o_orderkey"),
    ("part", "p_partkey"),
    ("partsupp", "ps_partkey * 100000 + ps_suppkey"),
    ("supplier", "s_suppkey"),
];

impl Bench {
    fn database(&self) -> PathBuf {
        self.dir.join("tpch.duckdb")
    }

    fn connect(&self) -> Connection {
        let connection = Connection::open(self.database()).expect("the database opens");
        connection.execute_batch("set threads = 2").expect("DuckDB knows threads");
        connection
    }

    /// SQL sent straight to the engine.
    fn engine(&self, sql: &str) -> Cost {
        let connection = self.connect();
        measure(UsageWho::RUSAGE_SELF, || {
            connection.execute_batch(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        })
    }

    fn generate(&self, scale: f64) {
        let load = |name: &str, header: &str, rows: &mut dyn Iterator<Item = String>| {
            let file = self.dir.join(format!("{name}.csv"));
            let mut text = format!("{header}\n");
            rows.for_each(|row| text.push_str(&row));
            fs::write(&file, text).expect("a file can be written");
            self.engine(&format!(
                "create schema if not exists raw; create table raw.{name} as from read_csv('{}')",
                file.display()
            ));
            fs::remove_file(file).expect("a file can be removed");
        };
        fn line(row: impl Display) -> String {
            format!("{row}\n")
        }
        load(
            "customer",
            CustomerCsv::header(),
            &mut CustomerGenerator::new(scale, 1, 1).iter().map(|row| line(CustomerCsv::new(row))),
        );
        load(
            "lineitem",
            LineItemCsv::header(),
            &mut LineItemGenerator::new(scale, 1, 1).iter().map(|row| line(LineItemCsv::new(row))),
        );
        load(
            "orders",
            OrderCsv::header(),
            &mut OrderGenerator::new(scale, 1, 1).iter().map(|row| line(OrderCsv::new(row))),
        );
        load("part", PartCsv::header(), &mut PartGenerator::new(scale, 1, 1).iter().map(|row| line(PartCsv::new(row))));
        load(
            "partsupp",
            PartSuppCsv::header(),
            &mut PartSuppGenerator::new(scale, 1, 1).iter().map(|row| line(PartSuppCsv::new(row))),
        );
        load(
            "supplier",
            SupplierCsv::header(),
            &mut SupplierGenerator::new(scale, 1, 1).iter().map(|row| line(SupplierCsv::new(row))),
        );
    }

    /// A project on the database, which builds into a schema of its own.
    fn project(&self, name: &str, layers: &str, files: &[(&str, &str)]) -> PathBuf {
        let dir = self.dir.join(name);
        let write = |path: &str, text: &str| {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder can be made");
            fs::write(path, text).expect("a file can be written");
        };
        let target = format!(
            "name: {name}\ntarget: dev\ntargets: {{dev: {{type: duckdb, path: '{}', schema: {name}, threads: 2}}}}\n",
            self.database().display()
        );
        write("medal.yml", &(target + layers));
        files.iter().for_each(|(path, text)| write(path, text));
        dir
    }

    /// The silver tables with a test of their keys, with and without a layer that audits them before they are published.
    fn audit(&self) {
        let mut files: Vec<(String, String)> = Vec::new();
        let mut yaml = String::from("models:\n");
        for (table, key) in TABLES {
            files.push((format!("models/{table}.sql"), format!("select *, {key} as key from raw.{table}")));
            writeln!(yaml, "  - {{name: {table}, columns: [{{name: key, data_tests: [unique, not_null]}}]}}")
                .expect("texts grow");
        }
        files.push(("models/models.yml".to_string(), yaml));
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let plain = self.project("plain", "models: {plain: {+materialized: table}}\n", &files);
        let layer = "layers: {silver: {paths: [models], reads: [source], defaults: {materialized: table}}}\n";
        let audited = self.project("audited", layer, &files);
        // What was there before is part of the work.
        medal(&plain, &["build"]);
        medal(&audited, &["build"]);
        compare(
            "silver tables, audited before they are published",
            "without layers",
            || medal(&audited, &["build"]),
            || medal(&plain, &["build"]),
        );
    }

    /// A table with twenty tests of rows, against the same without, and against one scan of it. That they are looked at
    /// shows a row that breaks two of them.
    fn row_tests(&self) {
        let with = |name: &str, yaml: &str| {
            let layer = "layers: {silver: {paths: [models], reads: [source], defaults: {materialized: table}}}\n";
            self.project(
                name,
                layer,
                &[("models/lines.sql", "select * from raw.lineitem"), ("models/models.yml", yaml)],
            )
        };
        let bare = with("bare", "models: [{name: lines}]\n");
        let tested = with("tested", &row_tests());
        medal(&bare, &["build"]);
        medal(&tested, &["build"]);
        let [with, without] = in_turns(5, || medal(&tested, &["build"]), || medal(&bare, &["build"]));
        let scan =
            best(|| self.engine("create or replace temporary table seen as select max(columns(*)) from raw.lineitem"));
        print("a table with 20 tests of rows", with);
        print("the same without tests", without);
        print("20 tests of rows", Cost { cpu: with.cpu - without.cpu, wall: with.wall - without.wall });
        print("one scan of the table", scan);
        println!("the tests cost {:.2} scans\n", (with.cpu - without.cpu) / scan.cpu);
        self.engine(
            "insert into raw.lineitem select * replace (-1 as l_quantity, null as l_tax) from raw.lineitem limit 1",
        );
        medal(&tested, &["build"]);
        let found = "select len(_reasons) from tested.lines__quarantine where l_quantity = -1 and l_tax is null";
        let reasons: i64 = self.connect().query_row(found, [], |row| row.get(0)).expect("the row is in quarantine");
        assert_eq!(reasons, 2, "the row breaks two tests");
        self.engine("delete from raw.lineitem where l_quantity = -1");
    }

    /// One change for each hundred rows, against a `merge` by hand.
    fn change_events(&self) {
        let model = "{{ config(materialized='cdc', unique_key='key', sequence_by='seq', delete_when=\"op = 'D'\") }}
            select * from {{ source('raw', 'events') }}";
        let source = "sources: [{name: raw, tables: [{name: events}]}]\n";
        let project = self.project("changes", "", &[("models/state.sql", model), ("models/sources.yml", source)]);
        self.engine(
            "create or replace table raw.events as
               select 'I' as op, 1 as seq, l_orderkey * 8 + l_linenumber as key, *, 'first' as _batch_id from raw.lineitem;
             create schema if not exists own;
             create or replace table own.state as select * exclude (op, _batch_id) from raw.events",
        );
        medal(&project, &["build"]);
        let change = |number: usize| {
            format!(
                "insert into raw.events by name
                 select * replace (
                   case key % 10 when 0 then 'D' when 1 then 'I' else 'U' end as op, {number} + 1 as seq,
                   case key % 10 when 1 then -key * {number} else key end as key, l_tax + 0.01 as l_tax, 'batch {number}' as _batch_id)
                 from raw.events where _batch_id = 'first' and hash(key + {number}) % 100 = 0"
            )
        };
        let merge = |number: usize| {
            format!(
                "begin;
                 create or replace temporary table best as select * exclude (_batch_id) from raw.events where _batch_id = 'batch {number}'
                 qualify row_number() over (partition by key order by seq desc) = 1;
                 merge into own.state using best on state.key = best.key
                 when matched and best.op = 'D' and best.seq > state.seq then delete
                 when matched and best.seq > state.seq then update set seq = best.seq, {}
                 when not matched and best.op <> 'D' then insert ({COLUMNS}, seq, key) values ({}, best.seq, best.key);
                 commit",
                COLUMNS.split(", ").map(|name| format!("{name} = best.{name}")).collect::<Vec<_>>().join(", "),
                COLUMNS.split(", ").map(|name| format!("best.{name}")).collect::<Vec<_>>().join(", "),
            )
        };
        let mut number = 0;
        let mut costs = [Vec::new(), Vec::new()];
        for _ in 0..3 {
            number += 1;
            self.engine(&change(number));
            costs[0].push(medal(&project, &["build"]));
            costs[1].push(self.engine(&merge(number)));
        }
        let [ours, own] = costs.map(cheapest);
        tell("a cdc merge of one change for each hundred rows", ours, "a merge by hand", own);
    }

    /// Ten thousand files of which ten are new.
    fn small_files(&self) {
        let model = "{{ config(materialized='ingest') }} select * from {{ source('landing', 'orders') }}";
        let source =
            "sources: [{name: landing, tables: [{name: orders, meta: {medal: {location: 'landing/*.csv'}}}]}]\n";
        let project = self.project("files", "", &[("models/orders.sql", model), ("models/sources.yml", source)]);
        fs::create_dir_all(project.join("landing")).expect("a folder can be made");
        let land = |numbers: std::ops::Range<usize>| {
            for number in numbers {
                let text = format!("id,customer,amount\n{number},c{},{}.50\n", number % 100, number % 1000);
                fs::write(project.join(format!("landing/{number:05}.csv")), text).expect("a file can be written");
            }
        };
        land(0..9_990);
        medal(&project, &["build"]);
        // Older than what the ledger looks at twice.
        std::thread::sleep(std::time::Duration::from_secs(3));
        land(9_990..10_000);
        print("10 new files among 10,000", medal(&project, &["build"]));
    }
}

const COLUMNS: &str = "l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, \
     l_linestatus, l_shipdate, l_commitdate, l_receiptdate, l_shipinstruct, l_shipmode, l_comment";

/// Eight columns that are there, and twelve conditions.
fn row_tests() -> String {
    let mut yaml = String::from("models:\n  - name: lines\n    columns:\n");
    let held = "config: {action: quarantine}";
    let mut tests: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for name in COLUMNS.split(", ").take(8) {
        tests.entry(name).or_default().push(format!("not_null: {{{held}}}"));
    }
    let conditions = [
        ("l_quantity", "medal.in_range", "min: 0"),
        ("l_extendedprice", "medal.in_range", "min: 0"),
        ("l_discount", "medal.in_range", "min: 0, max: 1"),
        ("l_tax", "medal.in_range", "min: 0, max: 1"),
        ("l_linenumber", "medal.in_range", "min: 1, max: 7"),
        ("l_returnflag", "accepted_values", "values: [A, N, R]"),
        ("l_linestatus", "accepted_values", "values: [F, O]"),
        ("l_shipmode", "accepted_values", "values: [AIR, FOB, MAIL, RAIL, SHIP, TRUCK, REG AIR]"),
        ("l_shipinstruct", "medal.length", "min: 4"),
        ("l_comment", "medal.length", "max: 50"),
        ("l_shipdate", "medal.expression", "expression: '<= l_receiptdate'"),
        ("l_commitdate", "medal.expression", "expression: \"> date '1990-01-01'\""),
    ];
    for (name, test, arguments) in conditions {
        tests.entry(name).or_default().push(format!("{test}: {{arguments: {{{arguments}}}, {held}}}"));
    }
    for (name, tests) in tests {
        let tests: Vec<String> = tests.iter().map(|test| format!("{{{test}}}")).collect();
        writeln!(yaml, "      - {{name: {name}, data_tests: [{}]}}", tests.join(", ")).expect("texts grow");
    }
    yaml
}

fn cheapest(costs: Vec<Cost>) -> Cost {
    costs.into_iter().min_by(|a, b| a.cpu.total_cmp(&b.cpu)).expect("there are three")
}

/// Measures two in turns, so that what else the machine does hits both, and takes the cheapest of each.
fn in_turns(rounds: usize, mut one: impl FnMut() -> Cost, mut two: impl FnMut() -> Cost) -> [Cost; 2] {
    let mut costs = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        costs[0].push(one());
        costs[1].push(two());
    }
    costs.map(cheapest)
}

fn compare(what: &str, other: &str, one: impl FnMut() -> Cost, two: impl FnMut() -> Cost) {
    let [one, two] = in_turns(5, one, two);
    tell(what, one, other, two);
}

fn tell(what: &str, cost: Cost, other: &str, against: Cost) {
    print(what, cost);
    print(other, against);
    println!("{:.3} times as much\n", cost.cpu / against.cpu);
}

fn print(what: &str, Cost { cpu, wall }: Cost) {
    println!("{what:50} {cpu:>7.2} CPU s, {wall:>7.2} s");
}
