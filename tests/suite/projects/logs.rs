//! The log file, which tells everything that a command did.

use crate::suite::support::{Project, dbt};

const MODEL: (&str, &str) = ("models/a.sql", "select '{{ env_var('SHOWN', 'x') }}' as id {{ log('quietly') }}");

#[test]
fn a_dbt_project_has_a_log_file_with_everything() {
    let project = dbt(&[MODEL]);
    let ran = project.ends(0, &["--quiet", "run"]);
    assert_eq!(ran.all(), "");
    let log = project.read("logs/dbt.log");
    for told in [
        "[info ] [MainThread]: Running with medal=",
        "[debug] [MainThread]: quietly",
        "OK created sql view model main.a",
        "Done. PASS=1",
    ] {
        assert!(log.contains(told), "{told}\n{log}");
    }
    project.write("models/a.sql", "select * from {{ ref('nope') }}");
    project.ends(1, &["parse"]);
    let log = project.read("logs/dbt.log");
    assert!(log.contains("Running with medal=") && log.contains("error[unknown-ref]"), "{log}");
}

#[test]
fn the_log_file_goes_where_the_user_says_in_the_form_that_he_wants() {
    let project = dbt(&[MODEL]);
    project.ends(0, &["run", "--log-path", "out", "--log-format-file", "json", "--log-level-file", "info"]);
    let log = project.read("out/dbt.log");
    let events = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let names: Vec<String> =
        events.map(|event| event["info"]["name"].as_str().unwrap_or_default().to_string()).collect();
    assert!(names.contains(&"LogModelResult".to_string()) && !names.contains(&"NodeFinished".to_string()), "{names:?}");
    project.ends(0, &["run", "--log-level-file", "none"]);
    assert!(!project.path().join("logs").exists());
    project.ends(0, &["run", "--log-path", "out", "--log-file-max-bytes", "10"]);
    assert!(project.read("out/dbt.log.1").len() > 10);
}

#[test]
fn a_native_project_has_a_log_file_only_if_it_is_asked_for() {
    let project = Project::of(&[("medal.yml", "name: shop\ntargets: {dev: {type: duckdb}}\n"), MODEL]);
    project.ends(0, &["parse"]);
    assert!(!project.path().join("logs").exists());
    project.ends(0, &["parse", "--log-path", "logs"]);
    assert!(project.read("logs/medal.log").contains("Found 1 model"));
}

#[test]
fn secrets_are_not_in_the_log_file() {
    let project = dbt(&[("models/a.sql", "select 1 as id {{ log('the word is hunter22') }}")]);
    let mut run = project.command(&["run"]);
    run.env("DBT_ENV_SECRET_WORD", "hunter22").output().expect("the binary can be started");
    let log = project.read("logs/dbt.log");
    assert!(log.contains("the word is *****") && !log.contains("hunter22"), "{log}");
}
