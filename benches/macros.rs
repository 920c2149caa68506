//! What macro-heavy models cost beside their queries: the same project with models that call dbt_utils, and with models
//! that only ask the warehouse for as many lists of columns. Prints milliseconds of the processor for each model.
//!
//! Run it with `cargo bench --bench macros -- FOLDER`, where the folder is an installed `dbt_packages/dbt_utils`.

#[path = "measure/mod.rs"]
mod measure;

use std::fs;
use std::path::{Path, PathBuf};

use measure::{Cost, best, medal};

const MODELS: usize = 200;
const PLAIN: &str = "select 1 as id from {{ ref('a') }}";
const SETTINGS: &str = "name: shop\nversion: '1.0'\nprofile: shop\n";
const PROFILE: &str = "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n";
const PACKAGES: &str = "packages: [{package: dbt-labs/dbt_utils, version: '>=0'}]\n";

/// A macro, a model that calls it, and a model that asks the warehouse what the macro asks.
const CASES: [(&str, &str, &str); 4] = [
    (
        "star",
        "select {{ dbt_utils.star(ref('a')) }} from {{ ref('a') }}",
        "{% do adapter.get_columns_in_relation(ref('a')) %}",
    ),
    (
        "pivot",
        "select id, {{ dbt_utils.pivot('kind', ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) }} from {{ ref('a') }} group by 1",
        "",
    ),
    (
        "date_spine",
        "{{ dbt_utils.date_spine('day', \"cast('2020-01-01' as date)\", \"cast('2024-01-01' as date)\") }}",
        "{% do run_query('select datediff(\\'day\\', date \\'2020-01-01\\', date \\'2024-01-01\\')') %}",
    ),
    (
        "union_relations",
        "{{ dbt_utils.union_relations([ref('a'), ref('b'), ref('c')]) }}",
        "{% for name in ['a', 'b', 'c'] %}{% do adapter.get_columns_in_relation(ref(name)) %}{% endfor %}",
    ),
];

fn main() {
    let Some(package) = std::env::args().skip(1).map(PathBuf::from).find(|path| path.is_dir()) else {
        println!("give the folder of dbt_utils: cargo bench --bench macros -- dbt_packages/dbt_utils");
        return;
    };
    for (name, text, queries) in CASES {
        let called = compile(&package, text);
        let asked = compile(&package, &format!("{queries}{PLAIN}"));
        let each = |seconds: f64| seconds * 1_000.0 / MODELS as f64;
        let (cpu, wall) = (each(called.cpu - asked.cpu), each(called.wall - asked.wall));
        println!("{name:<16} {cpu:>6.2} CPU ms a model beside its queries, {wall:.2} ms");
    }
}

/// What it costs to compile a project of this model alone, many times.
fn compile(package: &Path, model: &str) -> Cost {
    let dir = tempfile::tempdir().expect("the system has a temporary folder");
    let write = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be made");
        fs::write(path, text).expect("the file can be written");
    };
    write("dbt_project.yml", SETTINGS);
    write("profiles.yml", PROFILE);
    write("packages.yml", PACKAGES);
    copy(package, &dir.path().join("dbt_packages/dbt_utils"));
    let columns: Vec<String> = (0..20).map(|number| format!("{number} as c{number}")).collect();
    for name in ["a", "b", "c"] {
        let text =
            format!("{{{{ config(materialized='table') }}}} select 1 as id, 'a' as kind, {}", columns.join(", "));
        write(&format!("models/{name}.sql"), &text);
    }
    medal(dir.path(), &["run"]);
    (0..MODELS).for_each(|number| write(&format!("models/model_{number}.sql"), model));
    best(|| medal(dir.path(), &["compile"]))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the folder can be made");
    for entry in fs::read_dir(from).expect("the folder can be read").flatten() {
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("the file can be copied")),
        }
    }
}
