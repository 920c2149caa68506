//! Which nodes a command takes.

use serde_json::json;

use crate::suite::support::{Project, dbt};

/// `raw` → `a` → `b` → `c`, with `lone` apart.
fn chain() -> Project {
    dbt(&[
        ("seeds/raw.csv", "id\n1\n"),
        ("models/bronze/a.sql", "select * from {{ ref('raw') }}"),
        ("models/silver/b.sql", "{{ config(tags=['daily'], materialized='table') }} select * from {{ ref('a') }}"),
        ("models/gold/c.sql", "{{ config(tags='daily') }} select * from {{ ref('b') }}"),
        ("models/lone.sql", "select 1 as id"),
        ("models/all.yml", "models:\n  - name: b\n    columns: [{name: id, data_tests: [unique]}]\n"),
        ("tests/single.sql", "select * from {{ ref('c') }} where id < 0"),
    ])
}

#[test]
fn selections_follow_dbts_grammar() {
    let project = chain();
    let cases: [(&[&str], &str); 17] = [
        (&["-s", "b"], "b unique_b_id"),
        (&["-s", "+b"], "a b raw unique_b_id"),
        (&["-s", "b+"], "b c single unique_b_id"),
        (&["-s", "1+b", "--resource-type", "model"], "a b"),
        (&["-s", "@b", "--resource-type", "model"], "a b c"),
        (&["-s", "tag:daily", "--resource-type", "model"], "b c"),
        (&["-s", "a c", "--resource-type", "model"], "a c"),
        (&["-s", "tag:daily,config.materialized:table", "--resource-type", "model"], "b"),
        (&["-s", "path:models/silver", "--resource-type", "model"], "b"),
        (&["-s", "models/gold/c.sql", "--resource-type", "model"], "c"),
        (&["-s", "resource_type:seed"], "raw"),
        (&["-s", "test_type:singular"], "single"),
        (&["-s", "shop.*.b", "--resource-type", "model"], "b"),
        (&["-s", "l*"], "lone"),
        (&["-s", "layer:silver", "--resource-type", "model"], "b"),
        (&["-s", "layer:silver+", "--resource-type", "model"], "b c"),
        (&["--exclude", "+c", "--resource-type", "model"], "lone"),
    ];
    for (arguments, expected) in cases {
        let ran = project.ends(0, &[&["ls", "--output", "name"], arguments].concat());
        let mut names: Vec<&str> = ran.stdout.lines().collect();
        names.sort_unstable();
        assert_eq!(names.join(" "), expected, "{arguments:?}");
    }
}

#[test]
fn ls_prints_names_paths_selectors_or_objects() {
    let project = chain();
    let listed =
        |output: &str| project.ends(0, &["ls", "-s", "c", "b", "--resource-type", "model", "--output", output]).stdout;
    assert_eq!(listed("name"), "b\nc\n");
    assert_eq!(listed("path"), "models/silver/b.sql\nmodels/gold/c.sql\n");
    assert_eq!(listed("selector"), "shop.silver.b\nshop.gold.c\n");
    let layers: Vec<String> = listed("json")
        .lines()
        .map(|line| {
            let node: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
            format!("{} {}", node["name"].as_str().unwrap_or_default(), node["layer"].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(layers, ["b silver", "c gold"]);
}

#[test]
fn a_selection_builds_only_what_it_names() {
    let project = chain();
    project.ends(0, &["build"]);
    project.ends(0, &["build", "-s", "b+"]);
    assert_eq!(project.outcomes(), ["b success", "c success", "single pass 0", "unique_b_id pass 0"]);
}

#[test]
fn a_selection_that_matches_nothing_is_told_and_fine() {
    let project = chain();
    let ran = project.ends(0, &["run", "-s", "nowhere"]);
    assert!(ran.all().contains("nothing-selected"), "{}", ran.all());
}

#[test]
fn the_manifest_has_the_selectors_written_out() {
    let selectors = "selectors:\n  - name: a\n    definition: 'tag:nightly'\n  - name: b\n    description: both\n    \
        default: true\n    definition: {union: [{tag: x}, '1+orders,tag:x', {intersection: ['@m', {method: selector, \
        value: a}]}, {exclude: ['m.sql+']}]}\n";
    let project = dbt(&[("models/m.sql", "select 1 as id"), ("selectors.yml", selectors)]);
    project.ends(0, &["parse"]);
    let nightly = json!({"method": "tag", "value": "nightly"});
    let expected = json!({
        "a": {"name": "a", "definition": nightly},
        "b": {"name": "b", "description": "both", "default": true, "definition": {"union": [
            {"method": "tag", "value": "x"},
            {"parents": true, "parents_depth": "1", "method": "fqn", "value": "orders,tag:x"},
            {"intersection": [{"childrens_parents": true, "method": "fqn", "value": "m"}, nightly]},
            {"exclude": [{"method": "file", "value": "m.sql", "children": true}]},
        ]}},
    });
    assert_eq!(project.json("target/manifest.json")["selectors"], expected);
}

#[test]
fn engine_names_of_environment_variables_come_first() {
    let project = dbt(&[("models/m.sql", "select 1 as id")]);
    let mut command = project.command(&["parse"]);
    let output = command.env("DBT_TARGET_PATH", "plain").env("DBT_ENGINE_TARGET_PATH", "engine").output();
    assert!(output.expect("medal starts").status.success());
    assert!(project.path().join("engine").exists() && !project.path().join("plain").exists());
}

#[test]
fn a_test_has_the_tags_of_its_column_and_source_but_not_in_its_configuration() {
    let project = dbt(&[
        ("models/a.sql", "select 1 as id"),
        (
            "models/all.yml",
            "sources:\n  - name: raw\n    tags: [loaded]\n    tables:\n      - name: t\n        tags: [daily]\n        config: {tags: [own]}\n        columns: [{name: id, data_tests: [unique]}]\nmodels:\n  - name: a\n    columns:\n      - name: id\n        tags: [key]\n        data_tests: [{not_null: {config: {tags: [fast]}}}]\n",
        ),
    ]);
    project.write("dbt_project.yml", "name: shop\nprofile: shop\ndata_tests: {+tags: quality}\n");
    let tests = |selection: &str| project.ends(0, &["ls", "-s", selection, "--resource-type", "test"]).stdout;
    assert_eq!(tests("tag:key"), "shop.not_null_a_id\n");
    assert_eq!(tests("tag:loaded,tag:daily"), "shop.source_unique_raw_t_id\n");
    assert_eq!(tests("tag:quality").lines().count(), 2);
    assert_eq!(tests("config.tags:fast"), "shop.not_null_a_id\n");
    // What is only a config of the table is not passed on, except that the table takes its tests along.
    assert_eq!(tests("tag:own"), "shop.source_unique_raw_t_id\n");
    assert_eq!(
        project.ends(0, &["ls", "-s", "tag:own", "--indirect-selection", "empty"]).stdout,
        "source:shop.raw.t\n"
    );
    assert_eq!(tests("config.tags:key"), "");
    let listed = project.ends(0, &["ls", "-s", "tag:key", "--output", "json", "--output-keys", "tags config.tags"]);
    assert_eq!(listed.stdout, "{\"tags\":[\"fast\",\"key\",\"quality\"],\"config.tags\":[\"quality\",\"fast\"]}\n");
}

#[test]
fn a_unit_test_may_be_of_a_private_model() {
    let project = dbt(&[
        ("models/a.sql", "select 1 as id"),
        (
            "models/all.yml",
            "groups: [{name: fin, owner: {name: fin}}]\nmodels: [{name: a, config: {group: fin, access: private}}]\nunit_tests:\n  - {name: one, model: a, given: [], expect: {rows: [{id: 1}]}}\n",
        ),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes(), ["a pass 0", "a success"]);
}
