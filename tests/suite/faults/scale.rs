//! Large inputs, and the same bytes from the same project.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

use crate::suite::support::{Project, dbt};

/// The most memory that any command of this test binary has taken so far, in bytes.
fn peak_memory() -> u64 {
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the system counts");
    u64::try_from(usage.max_rss()).expect("a size is positive") * unit
}

/// What takes time in proportion to its input is done long before, however busy the machine is; what grows with the
/// square of it is not.
const PATIENCE: Duration = Duration::from_secs(180);

#[test]
fn a_csv_of_50_megabytes_loads_in_bounded_time_and_memory() {
    let mut text = String::from("id,code,note\n");
    let mut rows = 0;
    while text.len() < 50 * 1024 * 1024 {
        let _ = writeln!(
            text,
            "{rows},{:05},\"a note of row {rows}, which is as long as notes are, and has a comma\"",
            rows % 100_000
        );
        rows += 1;
    }
    for project in [
        Project::of(&[
            ("medal.yml", "name: shop\ntargets: {dev: {type: duckdb, path: shop.duckdb}}\n"),
            ("seeds/big.csv", &text),
        ]),
        dbt(&[("seeds/big.csv", &text)]),
    ] {
        let begin = Instant::now();
        project.ends(0, &["seed"]);
        assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
        assert!(peak_memory() < 900 * 1024 * 1024, "{} MB", peak_memory() / 1024 / 1024);
        assert_eq!(project.query("select count(*) as n, count(distinct id) as ids from big"), format!("{rows}|{rows}"));
    }
}

#[test]
fn a_chain_of_2000_models_is_read_in_a_moment() {
    let project = dbt(&[("models/m0.sql", "select 1 as id")]);
    for n in 1..2000 {
        project.write(&format!("models/m{n}.sql"), &format!("select * from {{{{ ref('m{}') }}}}", n - 1));
    }
    let begin = Instant::now();
    project.ends(0, &["parse"]);
    assert!(begin.elapsed() < PATIENCE, "it took {:?}", begin.elapsed());
    project.ends(0, &["build", "-s", "+m30"]);
    let listed = project.ends(0, &["ls", "-s", "+m1999", "--output", "name"]);
    assert_eq!(listed.stdout.lines().count(), 2000);
    project.write("models/m0.sql", "select * from {{ ref('m1999') }}");
    let ran = project.ends(1, &["parse"]);
    assert!(ran.all().contains("error[dependency-cycle]"), "{}", &ran.all()[..2000.min(ran.all().len())]);
}

/// Every compiled file and the manifest, without what differs from one invocation to the next.
fn compiled(project: &Project) -> BTreeMap<String, String> {
    fn walk(folder: &Path, root: &Path, all: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, root, all);
            } else {
                let text = std::fs::read_to_string(&path).expect("the file is text");
                let name = path.strip_prefix(root).expect("the file is below the root").display().to_string();
                all.insert(name, text);
            }
        }
    }
    let mut all = BTreeMap::new();
    let root = project.path().join("target");
    walk(&root.join("compiled"), &root, &mut all);
    let mut manifest = project.json("target/manifest.json");
    let metadata = manifest["metadata"].as_object_mut().expect("a manifest has metadata");
    for key in ["generated_at", "invocation_id", "invocation_started_at", "run_started_at"] {
        metadata.remove(key);
    }
    let mut text = manifest.to_string();
    for start in
        text.match_indices("\"created_at\":").map(|(at, found)| at + found.len()).collect::<Vec<_>>().into_iter().rev()
    {
        let end = start + text[start..].find([',', '}']).expect("a number ends");
        text.replace_range(start..end, "0");
    }
    all.insert("manifest.json".to_string(), text);
    all
}

#[test]
fn the_same_project_compiles_to_the_same_bytes() {
    let project = Project::copy_of("example_project");
    let mut first = None;
    for threads in ["1", "2", "8", "8"] {
        std::fs::remove_dir_all(project.path().join("target")).ok();
        let output = project
            .command(&["compile", "--threads", threads])
            .env("TZ", if threads == "2" { "Asia/Tokyo" } else { "UTC" })
            .output();
        assert!(output.expect("medal starts").status.success());
        let files = compiled(&project);
        assert!(files.len() > 50, "{} files", files.len());
        let first = first.get_or_insert_with(|| files.clone());
        for (name, text) in &files {
            assert!(first.get(name) == Some(text), "{name} differs with {threads} threads");
        }
        assert_eq!(first.len(), files.len());
    }
}

#[test]
fn the_same_project_builds_the_same_rows_on_any_number_of_threads() {
    let mut first = None;
    for threads in ["1", "2", "8"] {
        let project = Project::copy_of("example_project");
        project.ends(0, &["build", "--threads", threads]);
        let tables = project.query(
            "select schema_name || '.' || table_name as name from duckdb_tables() where schema_name <> 'medal_meta' order by 1",
        );
        let sums: Vec<String> = tables
            .lines()
            .map(|name| {
                format!(
                    "select '{name}' as name, count(*) as n, sum(hash(t)::hugeint)::varchar as rows from {name} as t"
                )
            })
            .collect();
        let rows = project.query(&sums.join(" union all "));
        assert_eq!(*first.get_or_insert_with(|| rows.clone()), rows, "{threads} threads");
    }
}
