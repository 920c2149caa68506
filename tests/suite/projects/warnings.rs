//! What becomes of warnings, and what `flags:` of the project file say. dbt does the same on these projects.

use crate::suite::support::{Project, dbt};

/// A property file with a model that is not there, and a model that warns.
fn project() -> Project {
    dbt(&[
        ("models/a.sql", "{{ exceptions.warn('mind the gap') }} select 1 as id"),
        ("models/all.yml", "models:\n  - name: absent\n"),
    ])
}

fn with_flags(flags: &str) -> Project {
    let project = project();
    project.write("dbt_project.yml", &format!("name: shop\nprofile: shop\nflags:\n{flags}"));
    project
}

#[test]
fn warnings_are_told_and_count_as_errors_if_asked() {
    let project = project();
    let told = project.ends(0, &["run"]).all();
    assert!(told.contains("warning[macro-warning]: mind the gap"), "{told}");
    assert!(told.contains("warning[unknown-patch]"), "{told}");
    let told = project.ends(1, &["run", "--warn-error"]).all();
    assert!(told.contains("error[macro-warning]: mind the gap") && told.contains("error[unknown-patch]"), "{told}");
    assert!(!told.contains("START"), "{told}");
}

#[test]
fn options_name_dbts_events_and_medals_codes() {
    let project = project();
    let told = project.ends(1, &["run", "--warn-error-options", "{error: [NoNodeForYamlKey]}"]).all();
    assert!(told.contains("error[unknown-patch]") && told.contains("warning[macro-warning]"), "{told}");
    let options = "{include: all, exclude: [NoNodeForYamlKey, JinjaLogWarning]}";
    project.ends(0, &["run", "--warn-error-options", options]);
    let options = r#"{"silence": ["NoNodeForYamlKey", "macro-warning", "JinjaLogWarning"]}"#;
    let told = project.ends(0, &["run", "--warn-error-options", options]).all();
    assert!(!told.contains("warning"), "{told}");
    let told = project.ends(2, &["run", "--warn-error-options", "{error: [NoNodeForYamlKye]}"]).all();
    assert!(told.contains("did you mean `NoNodeForYamlKey`?"), "{told}");
    project.ends(2, &["run", "--warn-error", "--warn-error-options", "{error: all}"]);
}

#[test]
fn a_selection_that_matches_nothing_counts_as_an_error_if_asked() {
    let project = dbt(&[("models/a.sql", "select 1 as id")]);
    project.ends(0, &["run", "--select", "nope"]);
    project.ends(2, &["run", "--select", "nope", "--warn-error-options", "{error: [NoNodesForSelectionCriteria]}"]);
    project.ends(2, &["run", "--select", "nope", "--warn-error-options", "{error: [NothingToDo]}"]);
    project.ends(0, &["run", "--select", "nope", "--warn-error-options", "{error: [NoNodesSelected]}"]);
    project.ends(2, &["ls", "--select", "nope", "--warn-error-options", "{error: [NoNodesSelected]}"]);
}

#[test]
fn what_only_medal_warns_of_fails_no_dbt_project() {
    let project = dbt(&[("models/a.sql", "{{ config(materializd='table') }} select 1 as id")]);
    let told = project.ends(0, &["run", "--warn-error"]).all();
    assert!(told.contains("warning[unknown-key]"), "{told}");
    project.ends(1, &["run", "--warn-error-options", "{error: [unknown-key]}"]);
    project.ends(1, &["check", "--warn-error-options", "{error: [unknown-key]}"]);
}

#[test]
fn a_materialization_that_does_not_exist_is_told_once_and_holds_nothing_else_back() {
    let project = dbt(&[
        ("models/a.sql", "select 1 as id"),
        ("models/b.sql", "{{ config(materialized='tabel') }} select 1 as id"),
        ("models/c.sql", "{{ config(materialized='incremental', incremental_strategy='own') }} select 1 as id"),
    ]);
    let told = project.ends(1, &["run", "--warn-error"]).all();
    assert_eq!(told.matches("does not exist").count(), 1, "{told}");
    assert_eq!(told.matches("there is no incremental strategy").count(), 1, "{told}");
    assert_eq!(project.outcomes(), ["a success", "b error", "c success"]);
    let told = project.ends(1, &["run"]).all();
    assert_eq!(told.matches("there is no incremental strategy").count(), 1, "{told}");
    assert_eq!(project.outcomes(), ["a success", "b error", "c error"]);
}

#[test]
fn flags_of_the_project_count_after_the_command_line_and_the_environment() {
    let project = with_flags("  fail_fast: true\n  warn_error_options: {silence: [NoNodeForYamlKey]}\n");
    project.write("models/a.sql", "select '{{ flags.FAIL_FAST }}' as fast");
    let told = project.ends(0, &["run"]).all();
    assert!(!told.contains("unknown-patch"), "{told}");
    assert_eq!(project.query("select fast from a"), "True");
    project.ends(0, &["run", "--no-fail-fast"]);
    assert_eq!(project.query("select fast from a"), "False");
    let output = project.command(&["run"]).env("DBT_ENGINE_FAIL_FAST", "false").output().expect("medal starts");
    assert!(output.status.success());
    assert_eq!(project.query("select fast from a"), "False");
    // The same option, from the environment.
    let mut command = project.command(&["parse"]);
    let output = command.env("DBT_WARN_ERROR_OPTIONS", "{error: [NoNodeForYamlKey]}").output();
    assert_eq!(output.expect("medal starts").status.code(), Some(1));
}

#[test]
fn flags_that_cannot_be_used_are_told() {
    let told = with_flags("  fail_fast: 'yes'\n  fail_fst: true\n  anything: 3\n").ends(0, &["run"]).all();
    assert!(told.contains("the flag `fail_fast` is left out: it is true or false"), "{told}");
    assert!(told.contains("did you mean `fail_fast`?") && !told.contains("anything"), "{told}");
    let told = with_flags("  warn_error_options: {error: [Nope]}\n").ends(1, &["run"]).all();
    assert!(told.contains("no event of dbt and no code of medal is called `Nope`"), "{told}");
    with_flags("  warn_error: true\n").ends(1, &["run"]);
    with_flags("  warn_error: true\n").ends(2, &["run", "--warn-error-options", "{error: all}"]);
}

#[test]
fn templates_see_the_flags_while_the_project_is_read() {
    let config =
        "{{ config(materialized='table' if flags.FULL_REFRESH else 'view') }} select '{{ flags.WHICH }}' as which";
    let project = dbt(&[("models/a.sql", config)]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select table_type from information_schema.tables where table_name = 'a'"), "VIEW");
    project.ends(0, &["run", "--full-refresh"]);
    assert_eq!(project.query("select table_type from information_schema.tables where table_name = 'a'"), "BASE TABLE");
    assert_eq!(project.query("select which from a"), "run");
}

#[test]
fn what_only_ducklake_has_is_told_once_a_table() {
    let model = "{{ config(materialized='table', partitioned_by=['id'], sort_by='id') }} select 1 as id";
    let project = dbt(&[("models/a.sql", model)]);
    let told = project.ends(0, &["run", "--warn-error"]).all();
    for keys in ["`partitioned_by` and `partition_by`", "`sorted_by` and `sort_by`"] {
        assert_eq!(told.matches(keys).count(), 1, "{told}");
    }
    assert!(!told.contains("unknown-key"), "{told}");
}
