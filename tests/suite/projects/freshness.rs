//! How new sources are, and what of it is written down.

use serde_json::json;

use crate::suite::support::{Project, dbt};

const SOURCES: &str = "sources:
  - name: raw
    schema: main
    loaded_at_field: loaded
    freshness: {warn_after: {count: 12, period: hour}, error_after: {count: 36500, period: day}}
    tables:
      - name: fresh
      - {name: old, config: {tags: nightly}}
      - {name: off, freshness: null}
      - {name: filtered, identifier: old, freshness: {filter: id = 1, error_after: {count: 5, period: day}}}
      - {name: asked, identifier: old, config: {loaded_at_query: \"select max(loaded) + interval 1 hour from {{ this }}\"}}
  - name: plain
    tables: [{name: t}]
";

const TABLES: &str = "{% macro tables() %}
  {% do run_query('create table fresh as select 1 as id, now() as loaded') %}
  {% do run_query(\"create table old as select 1 as id, timestamp '2024-01-01' as loaded union all
    select 2, timestamp '2024-01-02 00:00:00.5'\") %}
{% endmacro %}";

fn project(more: &[(&str, &str)]) -> Project {
    let files = [("models/sources.yml", SOURCES), ("macros/tables.sql", TABLES)];
    let project = dbt(&files.iter().chain(more).copied().collect::<Vec<_>>());
    project.ends(0, &["run-operation", "tables"]);
    project
}

/// Each source with its status and when it was loaded.
fn statuses(sources: &serde_json::Value) -> Vec<String> {
    let results = sources["results"].as_array().expect("results are a list").iter();
    let word = |result: &serde_json::Value, key: &str| result[key].as_str().unwrap_or_default().to_string();
    let line = |result| format!("{} {}", word(result, "unique_id"), word(result, "status"));
    let mut lines: Vec<String> = results.map(line).collect();
    lines.sort();
    lines
}

#[test]
fn every_source_with_a_threshold_is_checked() {
    let project = project(&[]);
    project.ends(1, &["source", "freshness"]);
    let sources = project.json("target/sources.json");
    let expected = [
        "source.shop.raw.asked warn",
        "source.shop.raw.filtered error",
        "source.shop.raw.fresh pass",
        "source.shop.raw.old warn",
    ];
    assert_eq!(statuses(&sources), expected);
    assert_eq!(sources["metadata"]["dbt_schema_version"], "https://schemas.getdbt.com/dbt/sources/v3.json");
    let result = |id: &str| {
        let mut results = sources["results"].as_array().into_iter().flatten();
        results.find(|result| result["unique_id"] == *id).cloned().unwrap_or_default()
    };
    assert_eq!(result("source.shop.raw.old")["max_loaded_at"], "2024-01-02T00:00:00.500000+00:00");
    assert_eq!(result("source.shop.raw.asked")["max_loaded_at"], "2024-01-02T01:00:00.500000+00:00");
    let filtered = result("source.shop.raw.filtered");
    assert_eq!(filtered["max_loaded_at"], "2024-01-01T00:00:00+00:00");
    let criteria = json!({
        "warn_after": {"count": 12, "period": "hour"},
        "error_after": {"count": 5, "period": "day"},
        "filter": "id = 1",
    });
    assert_eq!(filtered["criteria"], criteria);
    assert_eq!(filtered["adapter_response"], json!({"_message": "OK"}));
}

#[test]
fn sources_are_selected_and_the_results_go_where_the_user_says() {
    let project = project(&[]);
    let output = ["--output", "fresh.json"];
    project.ends(0, &[&["source", "freshness", "--select", "tag:nightly"], &output[..]].concat());
    assert_eq!(statuses(&project.json("fresh.json")), ["source.shop.raw.old warn"]);
    project.ends(0, &[&["source", "snapshot-freshness", "-s", "source:raw.fresh"], &output[..]].concat());
    assert_eq!(statuses(&project.json("fresh.json")), ["source.shop.raw.fresh pass"]);
    assert!(!project.path().join("target/sources.json").exists());
}

#[test]
fn hooks_of_the_project_see_the_results() {
    let hook = "name: shop\nversion: '1.0'\nprofile: shop\non-run-end: \"create table seen as {% for r in results %}\
        select '{{ r.node.name }}' as name, '{{ r.status }}' as status{{ ' union all ' if not loop.last }}{% endfor %}\"\n";
    let of = |flags: &str| project(&[("dbt_project.yml", &format!("{hook}{flags}"))]);
    let seen = of("");
    seen.ends(0, &["source", "freshness", "--select", "source:raw.old", "source:raw.fresh"]);
    assert_eq!(seen.query("select * from seen order by 1"), "fresh|pass\nold|warn");
    let unseen = of("flags: {source_freshness_run_project_hooks: false}\n");
    unseen.ends(0, &["source", "freshness", "--select", "source:raw.old"]);
    assert_eq!(unseen.query("select count(*) from duckdb_tables() where table_name = 'seen'"), "0");
}

#[test]
fn orchestrators_hear_of_each_source() {
    let project = project(&[]);
    let ran = project.ends(1, &["--log-format", "json", "source", "freshness", "--threads", "1"]);
    let events = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let results = events.filter(|event| event["info"]["name"] == "LogFreshnessResult");
    let line = |event: serde_json::Value| {
        format!("{} {} {}", event["info"]["level"], event["data"]["table_name"], event["data"]["status"])
    };
    let expected = [
        r#""warn" "asked" "warn""#,
        r#""error" "filtered" "error""#,
        r#""info" "fresh" "pass""#,
        r#""warn" "old" "warn""#,
    ];
    assert_eq!(results.map(line).collect::<Vec<_>>(), expected);
}
