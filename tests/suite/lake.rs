//! Projects whose tables are Delta Lake tables.

mod builds;
mod care;
mod commerce;
mod commits;
mod files;
mod incremental;
mod kills;
mod memory;
mod publish;
mod quality;
mod statements;
mod versions;

use crate::suite::support::Project;

const SETTINGS: (&str, &str) = ("dbt_project.yml", "name: shop\nversion: '1.0'\nprofile: shop\n");

/// A project that builds a lakehouse in its folder `lake`, with these files besides.
pub fn lakehouse(files: &[(&str, &str)]) -> Project {
    let profile = "shop:\n  target: lake\n  outputs:\n    lake: {type: datafusion, path: lake, threads: 2}\n";
    Project::of(&[&[SETTINGS, ("profiles.yml", profile)], files].concat())
}

/// A project with a target of each engine, `dev` and `lake`, with these files besides.
pub fn both_engines(files: &[(&str, &str)]) -> Project {
    let profile = "shop:
  target: dev
  outputs:
    dev: {type: duckdb, path: dev.duckdb, schema: main, settings: {TimeZone: UTC}}
    lake: {type: datafusion, path: lake, schema: main}
";
    Project::of(&[&[SETTINGS, ("profiles.yml", profile)], files].concat())
}

/// The names of the commits of a table, in order.
pub fn versions(project: &Project, table: &str) -> Vec<String> {
    let log = project.path().join("lake/main").join(table).join("_delta_log");
    let entries = std::fs::read_dir(log).expect("the table has a log").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".json"));
    names.sort();
    names
}
