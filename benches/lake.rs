//! What a lakehouse costs: TPC-H as a medallion project (8 tables of bronze, 8 of silver, the 22 queries as gold), built
//! on both engines, against the same SQL sent straight to each engine; a table of Delta Lake against plain Parquet; the
//! memory of a build with a limit; and one model of a lakehouse of 1,000 tables.
//!
//! Run it with `cargo bench --bench lake`; `-- 0.1` takes another scale factor than 1.

#[path = "measure/mod.rs"]
mod measure;

use std::fmt::Display;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use measure::{Cost, best, measure, medal};
use medal::adapter::{self, Target};
use nix::sys::resource::{UsageWho, getrusage};
use serde_json::{Value as Json, json};
use tpchgen::csv::{CustomerCsv, LineItemCsv, NationCsv, OrderCsv, PartCsv, PartSuppCsv, RegionCsv, SupplierCsv};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator,
    RegionGenerator, SupplierGenerator,
};
use tpchgen::q_and_a::QueryAndAnswer;

/// That of the binary, so that engines are measured as users have them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TABLES: [&str; 8] = ["customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier"];
const TARGETS: [&str; 2] = ["dev", "lake"];

fn main() {
    let scale = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1.0);
    let project = tempfile::tempdir().expect("the system has a temporary folder");
    let path = project.path();
    write_data(path, scale).expect("the data can be written");
    write_project(path).expect("the project can be written");

    println!("TPC-H at scale factor {scale}");
    let limited = medal(path, &["build", "--quiet", "--target", "small"]);
    let memory = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts").max_rss() / 1024;
    println!(
        "lake with memory_limit 2GB     {:>7.2} CPU s, {:>6.2} s, {memory} MiB at most",
        limited.cpu, limited.wall
    );
    for target in TARGETS {
        let built = medal(path, &["build", "--quiet", "--target", target]);
        let raw = raw(path, target);
        println!("medal build on {target:<4}            {:>7.2} CPU s, {:>6.2} s", built.cpu, built.wall);
        println!("the same SQL, straight         {:>7.2} CPU s, {:>6.2} s", raw.cpu, raw.wall);
        println!(
            "medal costs {:.2} times the engine by CPU, {:.2} by the clock",
            built.cpu / raw.cpu,
            built.wall / raw.wall
        );
    }
    let [delta, parquet] = best_of_both([&|| delta(path), &|| parquet(path)]);
    println!("lineitem to Delta Lake         {:>7.2} CPU s, {:>6.2} s", delta.cpu, delta.wall);
    println!("lineitem to plain Parquet      {:>7.2} CPU s, {:>6.2} s", parquet.cpu, parquet.wall);
    println!("Delta Lake costs {:.2} times plain Parquet by CPU", delta.cpu / parquet.cpu);
    let (one, none) = many(path);
    println!(
        "one model of 1,000 tables      {:>7.2} CPU s, {:>6.3} s; the same of one table: {:.3} s",
        one.cpu, one.wall, none.wall
    );
}

fn write_data(folder: &Path, scale: f64) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.join("data"))?;
    let file = |table: &str| File::create(folder.join(format!("data/{table}.csv"))).map(BufWriter::new);
    fn write(mut file: BufWriter<File>, header: &str, rows: impl Iterator<Item = impl Display>) -> std::io::Result<()> {
        writeln!(file, "{header}")?;
        rows.into_iter().try_for_each(|row| writeln!(file, "{row}"))?;
        file.flush()
    }
    macro_rules! tables {
        ($($name:literal $generator:ident $csv:ident),*) => {
            $(write(file($name)?, $csv::header(), $generator::new(scale, 1, 1).iter().map($csv::new))?;)*
        };
    }
    tables!(
        "customer" CustomerGenerator CustomerCsv, "lineitem" LineItemGenerator LineItemCsv,
        "nation" NationGenerator NationCsv, "orders" OrderGenerator OrderCsv, "part" PartGenerator PartCsv,
        "partsupp" PartSuppGenerator PartSuppCsv, "region" RegionGenerator RegionCsv,
        "supplier" SupplierGenerator SupplierCsv
    );
    Ok(())
}

/// The columns of bronze that are not of the type that a file gives them: amounts are decimals.
fn amounts(table: &str) -> &'static [&'static str] {
    match table {
        "customer" => &["c_acctbal"],
        "lineitem" => &["l_quantity", "l_extendedprice", "l_discount", "l_tax"],
        "orders" => &["o_totalprice"],
        "part" => &["p_retailprice"],
        "partsupp" => &["ps_supplycost"],
        "supplier" => &["s_acctbal"],
        _ => &[],
    }
}

/// The values with which the specification validates the queries.
const PARAMETERS: [&[&str]; 22] = [
    &["90"],
    &["15", "BRASS", "EUROPE"],
    &["BUILDING", "1995-03-15"],
    &["1993-07-01"],
    &["ASIA", "1994-01-01"],
    &["1994-01-01", "0.06", "24"],
    &["FRANCE", "GERMANY"],
    &["BRAZIL", "AMERICA", "ECONOMY ANODIZED STEEL"],
    &["green"],
    &["1993-10-01"],
    &["GERMANY", "0.0001"],
    &["MAIL", "SHIP", "1994-01-01"],
    &["special", "requests"],
    &["1995-09-01"],
    &["1996-01-01"],
    &["Brand#45", "MEDIUM POLISHED", "49", "14", "23", "45", "19", "3", "36", "9"],
    &["Brand#23", "MED BOX"],
    &["300"],
    &["Brand#12", "Brand#23", "Brand#34", "1", "10", "20"],
    &["forest", "1994-01-01", "CANADA"],
    &["SAUDI ARABIA"],
    &["13", "31", "23", "29", "30", "18", "17"],
];

/// A query of TPC-H as one `select` that both engines read.
fn query(number: usize) -> String {
    let which = i32::try_from(number).expect("it is small");
    let query = QueryAndAnswer::new(which, 1.0).expect("there are 22 queries");
    let mut text = query.query().replace("' day (3)", "' day").replace("revenue:s", "revenue");
    for (at, value) in PARAMETERS[number - 1].iter().enumerate().rev() {
        text = text.replace(&format!(":{}", at + 1), value);
    }
    match text.split_once("create view ") {
        None => text.trim().trim_end_matches(';').to_string(),
        // The view of the fifteenth.
        Some((_, rest)) => {
            let (view, rest) = rest.split_once(';').expect("the view ends");
            let (name, body) = view.split_once(" as").expect("the view has a query");
            let main = rest.split(';').next().unwrap_or_default();
            format!("with {name} as ({body}) {}", main.trim())
        }
    }
}

fn write_project(folder: &Path) -> std::io::Result<()> {
    let write = |path: String, text: String| {
        let path = folder.join(path);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, text)
    };
    write(
        "dbt_project.yml".to_string(),
        "name: tpch\nprofile: tpch\nmodels:\n  tpch: {+materialized: table}\n".to_string(),
    )?;
    let lake = "type: datafusion, path: lake, threads: 2";
    let profile = format!(
        "tpch:\n  target: dev\n  outputs:\n    dev: {{type: duckdb, path: tpch.duckdb, threads: 2}}\n    lake: {{{lake}}}\n    \
         small: {{{lake}, memory_limit: 2GB}}\n"
    );
    write("profiles.yml".to_string(), profile)?;
    let location = folder.join("data/{name}.csv").display().to_string();
    let tables: Vec<Json> = TABLES.iter().map(|table| json!({"name": table})).collect();
    let source =
        json!({"name": "landed", "meta": {"external_location": format!("read_csv('{location}')")}, "tables": tables});
    write("models/sources.yml".to_string(), json!({"version": 2, "sources": [source]}).to_string())?;
    for table in TABLES {
        let bronze = format!("select * from {{{{ source('landed', '{table}') }}}}");
        write(format!("models/bronze/bronze_{table}.sql"), bronze)?;
        let typed: Vec<String> =
            amounts(table).iter().map(|column| format!("cast({column} as decimal(15, 2)) as {column}")).collect();
        let star = if typed.is_empty() { "*".to_string() } else { format!("* replace ({})", typed.join(", ")) };
        write(format!("models/silver/{table}.sql"), format!("select {star} from {{{{ ref('bronze_{table}') }}}}"))?;
    }
    let reads: Vec<String> = TABLES.iter().map(|table| format!("-- depends_on: {{{{ ref('{table}') }}}}\n")).collect();
    for number in 1..=22 {
        let text = query(number);
        write(format!("models/gold/q{number:02}.sql"), format!("{}{text}", reads.concat()))?;
    }
    Ok(())
}

fn target(folder: &Path, kind: &str, path: &str) -> Target {
    let settings = json!({"type": kind, "path": path, "threads": 2});
    Target {
        profile_name: "tpch".to_string(),
        name: "raw".to_string(),
        kind: kind.to_string(),
        database: path.trim_end_matches(".duckdb").to_string(),
        schema: "main".to_string(),
        threads: 2,
        settings: settings.as_object().cloned().expect("it is a mapping"),
        base: folder.to_path_buf(),
    }
}

/// Sends what the build has compiled straight to the engine, in the order in which the build ran it.
fn raw(project: &Path, name: &str) -> Cost {
    let read = |name: &str| -> Json {
        let text = std::fs::read_to_string(project.join("target").join(name)).expect("the build wrote it");
        serde_json::from_str(&text).expect("it is JSON")
    };
    let (manifest, results) = (read("manifest.json"), read("run_results.json"));
    let order = results["results"].as_array().expect("a list").iter().filter_map(|result| result["unique_id"].as_str());
    let statement = |id: &str| {
        let node = &manifest["nodes"][id];
        let sql = format!(
            "create or replace table {} as ({}\n)",
            node["relation_name"].as_str()?,
            node["compiled_code"].as_str()?
        );
        Some(sql.replace("\"tpch\".", "\"raw\".").replace("\"lake\".", "\"raw\"."))
    };
    let statements: Vec<String> = order.filter_map(statement).collect();
    let target =
        if name == "dev" { target(project, "duckdb", "raw.duckdb") } else { target(project, "datafusion", "raw") };
    send(&target, &statements)
}

fn send(target: &Target, statements: &[String]) -> Cost {
    measure(UsageWho::RUSAGE_SELF, || {
        let engine = adapter::connect(target).expect("the engine can be opened");
        let mut connection = engine.connect().expect("a connection can be opened");
        for sql in statements {
            connection.execute(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
    })
}

/// The cheapest of five rounds, in which each takes its turn.
fn best_of_both(works: [&dyn Fn() -> Cost; 2]) -> [Cost; 2] {
    let rounds = [(); 5].map(|()| works.map(|work| work()));
    [0, 1].map(|which| {
        let costs = rounds.iter().map(|round| round[which]);
        costs.min_by(|a, b| a.cpu.total_cmp(&b.cpu)).expect("there are rounds")
    })
}

fn delta(project: &Path) -> Cost {
    let sql = "create or replace table main.copied as select * from delta_scan('raw/main/lineitem')".to_string();
    send(&target(project, "datafusion", "copies"), &[sql])
}

/// The same rows, the same compression, by DataFusion alone.
fn parquet(project: &Path) -> Cost {
    use datafusion::common::config::TableParquetOptions;
    use datafusion::dataframe::DataFrameWriteOptions;
    use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
    let (from, to) = (project.join("raw/main/lineitem"), project.join("plain"));
    measure(UsageWho::RUSAGE_SELF, || {
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        runtime.block_on(async {
            let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
            let path = from.to_str().expect("it is text");
            let rows = context.read_parquet(path, ParquetReadOptions::default()).await.expect("there are files");
            let mut options = TableParquetOptions::default();
            options.global.compression = Some("zstd(1)".to_string());
            let to = to.to_str().expect("it is text");
            rows.write_parquet(to, DataFrameWriteOptions::new(), Some(options)).await.expect("it is written");
        });
    })
}

/// A build of one model in a lakehouse of 1,000 tables, and in one of its own.
fn many(project: &Path) -> (Cost, Cost) {
    let statement = |number: usize| format!("create table main.t{number} as select {number} as i");
    let statements: Vec<String> = (0..1_000).map(statement).collect();
    let folder = project.join("many");
    std::fs::create_dir_all(folder.join("models")).expect("a folder can be made");
    send(&target(&folder, "datafusion", "lake"), &statements);
    let profile = "many:\n  target: lake\n  outputs:\n    lake: {type: datafusion, path: lake, schema: main}\n    other: {type: datafusion, path: other, schema: main}\n";
    std::fs::write(folder.join("profiles.yml"), profile).expect("a file can be written");
    std::fs::write(folder.join("dbt_project.yml"), "name: many\nprofile: many\n").expect("a file can be written");
    std::fs::write(folder.join("models/m.sql"), "{{ config(materialized='table') }} select 1 as i")
        .expect("a file can be written");
    (
        best(|| medal(&folder, &["build", "--quiet"])),
        best(|| medal(&folder, &["build", "--quiet", "--target", "other"])),
    )
}
