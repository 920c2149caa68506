//! The commands that look after the versions and files of tables.

use crate::suite::lake::{lakehouse, versions};
use crate::suite::support::Project;

/// A table that has been built twice, with other columns the second time.
fn twice() -> Project {
    let project = lakehouse(&[
        ("models/t.sql", "{{ config(materialized='table') }} select 1 as a"),
        ("models/v.sql", "select * from {{ ref('t') }}"),
    ]);
    project.ends(0, &["build"]);
    project.write("models/t.sql", "{{ config(materialized='table') }} select 2 as a, 'x' as b");
    project.ends(0, &["build"]);
    project
}

fn shown(project: &Project, arguments: &[&str]) -> Vec<serde_json::Value> {
    let ran = project.ends(0, &[&["--quiet", "--log-format", "json"], arguments].concat());
    let lines = ran.stdout.lines().chain(ran.stderr.lines());
    let told = lines.filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let preview = told.filter_map(|line| line["data"]["preview"].as_str().map(str::to_string)).next();
    let preview = preview.unwrap_or_else(|| panic!("{}", ran.all()));
    serde_json::from_str(&preview).expect("the rows are JSON")
}

fn data_files(project: &Project, table: &str) -> usize {
    let files = std::fs::read_dir(project.path().join("lake/main").join(table)).expect("it is there").flatten();
    files.filter(|file| file.file_name().to_string_lossy().ends_with(".parquet")).count()
}

#[test]
fn a_history_says_what_each_run_did_and_a_rollback_brings_rows_and_columns_back() {
    let project = twice();
    let history = shown(&project, &["history", "t", "v"]);
    assert_eq!(history.len(), 2, "{history:?}");
    assert_eq!((&history[0]["table"], &history[0]["version"]), (&"t".into(), &1.into()));
    assert_eq!(history[1]["operation"], "WRITE");
    let first_run = history[1]["run_id"].as_str().expect("the run is named").to_string();
    assert_ne!(history[0]["run_id"], history[1]["run_id"]);
    project.ends(0, &["rollback", "t", "--to-run", &first_run]);
    assert_eq!(project.query("select * from t"), "1");
    project.ends(0, &["rollback", "t", "--to-version", "1"]);
    assert_eq!(project.query("select * from t"), "2|x");
    assert_eq!(versions(&project, "t").len(), 4);
    let ran = project.ends(1, &["rollback", "t", "--to-version", "9"]);
    assert!(ran.all().contains("version 9 is not there yet; the newest is 3"), "{}", ran.all());
    let ran = project.ends(1, &["rollback", "t", "--to-run", "nobody"]);
    assert!(ran.all().contains("was written by the run `nobody`"), "{}", ran.all());
    let ran = project.ends(2, &["history", "v"]);
    assert!(ran.all().contains("no table of the lakehouse is selected"), "{}", ran.all());
}

#[test]
fn files_are_put_together_and_old_ones_deleted() {
    let project = lakehouse(&[(
        "models/t.sql",
        "{{ config(materialized='incremental') }} select {{ 1 if is_incremental() else 0 }} as a, 'x' as b",
    )]);
    (0..4).for_each(|_| drop(project.ends(0, &["run"])));
    assert_eq!(data_files(&project, "t"), 4);
    let done = shown(&project, &["optimize", "t", "--zorder", "a,b"]);
    assert_eq!((&done[0]["files_removed"], &done[0]["files_added"]), (&4.into(), &1.into()));
    assert_eq!(shown(&project, &["vacuum", "t"]).len(), 0);
    assert_eq!(shown(&project, &["vacuum", "t", "--retain", "0"]).len(), 4);
    assert_eq!(data_files(&project, "t"), 5);
    assert_eq!(shown(&project, &["vacuum", "t", "--retain", "0", "--delete"]).len(), 4);
    assert_eq!(data_files(&project, "t"), 1);
    assert_eq!(project.query("select count(*), sum(a) from t"), "4|3");
    let ran = project.ends(1, &["rollback", "t", "--to-version", "1"]);
    assert!(ran.all().contains("version 1 cannot be read any more: `part-"), "{}", ran.all());
}
