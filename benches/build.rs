//! What medal costs beside the engine: a generated project of 1,000 models and 2,000 tests, parsed and built, against
//! the same SQL sent straight to DuckDB in the same run. Prints CPU seconds and ratios.
//!
//! Run it with `cargo bench --bench build`; `-- 10000` takes another number of models for the parse.

#[path = "generate/mod.rs"]
mod generate;
#[path = "measure/mod.rs"]
mod measure;

use std::collections::BTreeMap;
use std::path::Path;

use measure::{Cost, best, measure, medal};
use nix::sys::resource::UsageWho;
use serde_json::Value as Json;

const MODELS: usize = 1_000;

fn main() {
    let models = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(10 * MODELS);
    let small = project(MODELS);
    let large = project(models);

    let parse = best(|| medal(small.path(), &["parse"]));
    let list = best(|| medal(small.path(), &["ls", "--select", "one_model_that_is_not_there"]));
    let parse_large = best(|| medal(large.path(), &["parse"]));
    let check = best(|| check_anew(small.path()));
    let check_large = check_anew(large.path());
    let check_edited = best(|| check_after_an_edit(small.path()));
    let build = medal(small.path(), &["build"]);
    let raw = raw(small.path());

    println!("medal parse, {MODELS} models        {:>7.2} CPU s", parse.cpu);
    println!("medal ls, {MODELS} models           {:>7.2} CPU s", list.cpu);
    println!(
        "medal parse, {models} models       {:>7.2} CPU s, {:.1} times as much",
        parse_large.cpu,
        parse_large.cpu / parse.cpu
    );
    println!("medal check, {MODELS} models        {:>7.2} CPU s, {:.2} s", check.cpu, check.wall);
    println!("after an edit of one of them     {:>7.2} CPU s, {:.2} s", check_edited.cpu, check_edited.wall);
    println!("medal check, {models} models       {:>7.2} CPU s, {:.2} s", check_large.cpu, check_large.wall);
    println!("medal build, {MODELS} models        {:>7.2} CPU s, {:.2} s", build.cpu, build.wall);
    println!("the same SQL, straight to DuckDB {:>7.2} CPU s, {:.2} s", raw.cpu, raw.wall);
    println!("medal build costs {:.2} times the engine", build.cpu / raw.cpu);
}

fn project(models: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("the system has a temporary folder");
    generate::write_project(dir.path(), models).expect("the project can be written");
    dir
}

/// A check that remembers nothing.
fn check_anew(project: &Path) -> Cost {
    let _ = std::fs::remove_file(project.join("target/check.json"));
    medal(project, &["check"])
}

/// A check that knows everything but one model.
fn check_after_an_edit(project: &Path) -> Cost {
    let model = first_model(&project.join("models")).expect("the project has models");
    let text = std::fs::read_to_string(&model).expect("a model can be read");
    std::fs::write(&model, format!("{text}-- edited\n")).expect("a model can be written");
    medal(project, &["check"])
}

fn first_model(folder: &Path) -> Option<std::path::PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_model = |path: &Path| path.extension().is_some_and(|extension| extension == "sql");
    paths.into_iter().find_map(|path| if path.is_dir() { first_model(&path) } else { is_model(&path).then_some(path) })
}

/// Sends what the build has compiled straight to DuckDB, in the order in which the build ran it.
fn raw(project: &Path) -> Cost {
    let read = |name: &str| -> Json {
        let text = std::fs::read_to_string(project.join("target").join(name)).expect("the build wrote it");
        serde_json::from_str(&text).expect("it is JSON")
    };
    let (manifest, results) = (read("manifest.json"), read("run_results.json"));
    let order: Vec<&str> = results["results"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|result| result["unique_id"].as_str())
        .collect();
    let statements: Vec<String> = order.iter().map(|id| statement(project, &manifest["nodes"][id])).collect();
    let file = project.join("raw.duckdb");
    measure(UsageWho::RUSAGE_SELF, || {
        let connection = duckdb::Connection::open(&file).expect("a file can be made");
        connection.execute_batch("set threads = 2").expect("DuckDB knows threads");
        for sql in &statements {
            connection
                .execute_batch(&sql.replace("\"bench\".", "\"raw\"."))
                .unwrap_or_else(|error| panic!("{error}: {sql}"));
        }
    })
}

fn statement(project: &Path, node: &Json) -> String {
    let text = |key: &str| node[key].as_str().unwrap_or_default().to_string();
    let relation = text("relation_name");
    let kinds = BTreeMap::from([("view", "view"), ("table", "table")]);
    match text("resource_type").as_str() {
        "seed" => format!(
            "create or replace table {relation} as from '{}'",
            project.join(text("original_file_path")).display()
        ),
        "test" => format!("select count(*), count(*) <> 0, count(*) <> 0 from ({}\n)", text("compiled_code")),
        _ => {
            let kind = kinds[node["config"]["materialized"].as_str().expect("a model is materialized")];
            format!("create or replace {kind} {relation} as ({}\n)", text("compiled_code"))
        }
    }
}
