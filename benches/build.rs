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

/// A target for each engine.
const TARGETS: [&str; 2] = ["dev", "lake"];

/// How many times one model is edited and the project checked.
const EDITS: usize = 11;

fn main() {
    let models = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(10 * MODELS);
    let small = project(MODELS);
    let large = project(models);

    let parse = best(|| anew(small.path(), &["parse"]));
    let list = best(|| medal(small.path(), &["ls", "--select", "one_model_that_is_not_there"]));
    let parse_large = best(|| anew(large.path(), &["parse"]));
    let checks = TARGETS.map(|target| Checks::of(small.path(), large.path(), target));
    let build = medal(small.path(), &["build"]);
    let raw = raw(small.path());

    println!("medal parse, {MODELS} models        {:>7.2} CPU s", parse.cpu);
    println!("medal ls, {MODELS} models           {:>7.2} CPU s", list.cpu);
    println!(
        "medal parse, {models} models       {:>7.2} CPU s, {:.1} times as much",
        parse_large.cpu,
        parse_large.cpu / parse.cpu
    );
    for (target, checks) in TARGETS.iter().zip(&checks) {
        let say = |what: &str, cost: Cost| println!("{target}: {what:<30}{:>7.2} CPU s, {:.3} s", cost.cpu, cost.wall);
        say(&format!("medal check, {MODELS} models"), checks.cold);
        say("after an edit of one, at best", checks.edited[0]);
        say("after an edit, the median", checks.edited[checks.edited.len() / 2]);
        say(&format!("medal check, {models} models"), checks.large);
    }
    println!("medal build, {MODELS} models        {:>7.2} CPU s, {:.2} s", build.cpu, build.wall);
    println!("the same SQL, straight to DuckDB {:>7.2} CPU s, {:.2} s", raw.cpu, raw.wall);
    println!("medal build costs {:.2} times the engine", build.cpu / raw.cpu);
}

fn project(models: usize) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("the system has a temporary folder");
    generate::write_project(dir.path(), models).expect("the project can be written");
    dir
}

/// What checks of one target cost.
struct Checks {
    cold: Cost,
    /// The quickest by the clock first.
    edited: Vec<Cost>,
    large: Cost,
}

impl Checks {
    fn of(small: &Path, large: &Path, target: &str) -> Checks {
        let check = ["check", "--target", target];
        let cold = best(|| anew(small, &check));
        let mut edited: Vec<Cost> = (0..EDITS).map(|edit| check_after_an_edit(small, target, edit)).collect();
        edited.sort_by(|a, b| a.wall.total_cmp(&b.wall));
        Checks { cold, edited, large: anew(large, &check) }
    }
}

/// A command that remembers nothing.
fn anew(project: &Path, arguments: &[&str]) -> Cost {
    let notes = project.join("target/notes.tsv");
    if notes.exists() {
        std::fs::remove_file(&notes).expect("notes can be removed");
    }
    let cost = medal(project, arguments);
    assert!(notes.exists(), "a command remembers what it found, in the file that is removed here");
    cost
}

/// A check that knows everything but one model.
fn check_after_an_edit(project: &Path, target: &str, edit: usize) -> Cost {
    let model = first_model(&project.join("models")).expect("the project has models");
    let text = std::fs::read_to_string(&model).expect("a model can be read");
    std::fs::write(&model, format!("{text}-- edit {edit} for {target}\n")).expect("a model can be written");
    medal(project, &["check", "--target", target])
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
