//! What follows on what: show, retry, and runs again.

use crate::suite::support::dbt;

#[test]
fn show_prints_rows_of_a_query_or_a_model() {
    let project = dbt(&[("models/a.sql", "select * from range(8) as t(n)")]);
    project.ends(0, &["run"]);
    let ran =
        project.ends(0, &["--quiet", "show", "--inline", "select n * 2 as twice from {{ ref('a') }} where n > 5"]);
    assert!(ran.stdout.contains("twice") && ran.stdout.contains("12") && ran.stdout.contains("14"), "{}", ran.stdout);
    let ran = project.ends(0, &["--quiet", "show", "--select", "a", "--limit", "2", "--output", "json"]);
    let shown: serde_json::Value = serde_json::from_str(&ran.stdout).expect("`show` prints JSON");
    assert_eq!(shown, serde_json::json!({"node": "a", "show": [{"n": 0}, {"n": 1}]}));
}

#[test]
fn retry_runs_what_failed_and_what_was_skipped() {
    let project = dbt(&[
        ("models/good.sql", "select 1 as id"),
        ("models/bad.sql", "{{ config(materialized='table') }} select nothing as id"),
        ("models/after.sql", "select * from {{ ref('bad') }}"),
    ]);
    project.ends(1, &["build"]);
    assert_eq!(project.outcomes(), ["after skipped", "bad error", "good success"]);
    project.write("models/bad.sql", "select 2 as id");
    project.ends(0, &["retry"]);
    assert_eq!(project.outcomes(), ["after success", "bad success"]);
    project.ends(0, &["retry"]);
    assert_eq!(project.query("select id from after"), "2");
}

#[test]
fn retry_keeps_the_flags_of_the_run() {
    let model =
        "{{ config(materialized='incremental') }} select {{ var('n', 1) }} as n, {{ is_incremental() }} as again";
    let project = dbt(&[("models/a.sql", model)]);
    project.ends(0, &["build"]);
    project.write("models/a.sql", &format!("{model} from gone"));
    project.ends(1, &["build", "--full-refresh"]);
    project.write("models/a.sql", model);
    project.ends(0, &["retry", "--vars", "n: 2"]);
    assert_eq!(project.query("select * from a"), "2|false");
}

#[test]
fn a_build_again_gives_the_same_rows() {
    let project = dbt(&[
        ("seeds/raw.csv", "id\n1\n2\n"),
        ("models/a.sql", "{{ config(materialized='incremental', unique_key='id') }} select * from {{ ref('raw') }}"),
        (
            "models/b.sql",
            "{{ config(materialized='table') }} select sum(id) as total, count(*) as n from {{ ref('a') }}",
        ),
    ]);
    for _ in 0..3 {
        project.ends(0, &["build"]);
        assert_eq!(project.query("select * from b"), "3|2");
    }
}

#[test]
fn retry_tells_again_of_the_exposures_that_were_skipped() {
    let exposure = |name: &str, model: &str| {
        format!("- {{name: {name}, type: dashboard, owner: {{name: us}}, depends_on: [\"ref('{model}')\"]}}\n")
    };
    let properties = format!("exposures:\n{}{}", exposure("board", "bad"), exposure("fine", "good"));
    let project = dbt(&[
        ("models/good.sql", "select 1 as id"),
        ("models/bad.sql", "select {{ var('column', 'nothing') }} from {{ ref('good') }}"),
        ("models/all.yml", &properties),
    ]);
    project.ends(1, &["build"]);
    assert_eq!(project.outcomes(), ["bad error", "board skipped", "fine no-op 0", "good success"]);
    project.ends(1, &["retry"]);
    assert_eq!(project.outcomes(), ["bad error", "board skipped"]);
    project.ends(0, &["retry", "--vars", "column: id"]);
    assert_eq!(project.outcomes(), ["bad success", "board no-op 0"]);
    assert!(project.ends(0, &["retry"]).all().contains("Nothing to do"));
}

#[test]
fn compile_and_show_read_as_the_run_would() {
    let incremental =
        "{{ config(materialized='incremental') }} select 1 as id {% if is_incremental() %}, 2 as two{% endif %}";
    let project = dbt(&[("models/a.sql", incremental), ("models/b.sql", "select * from {{ ref('a') }}")]);
    project.ends(0, &["run"]);
    assert!(project.ends(0, &["show", "-s", "a"]).stdout.contains("two"));
    assert!(!project.ends(0, &["show", "-s", "a", "--full-refresh"]).stdout.contains("two"));
    assert!(project.ends(0, &["compile", "-s", "b", "--empty"]).stdout.contains("where false limit 0"));
    assert!(!project.ends(0, &["compile", "-s", "b", "--no-empty", "-r", "times"]).stdout.contains("where false"));
}
