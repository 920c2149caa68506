//! Where a setting may stand, and which place wins.

use crate::suite::support::{Project, dbt};

const PROFILE: &str = "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb, threads: 2}\n    prod: {type: duckdb, path: prod.duckdb, schema: live}\n";

/// `ls` of one key of each node.
fn key(project: &Project, key: &str) -> String {
    let ran = project
        .ends(0, &["ls", "--resource-type", "model", "--output", "json", "--output-keys", &format!("name {key}")]);
    let mut lines: Vec<&str> = ran.stdout.lines().collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[test]
fn a_config_in_the_file_wins_over_properties_and_these_over_the_project() {
    let project = dbt(&[
        ("models/deep/project.sql", "select 1 as id"),
        ("models/deep/properties.sql", "select 1 as id"),
        (
            "models/deep/file.sql",
            "{{ config(materialized='incremental', tags='file', meta={'by': 'file'}) }} select 1 as id",
        ),
        (
            "models/all.yml",
            "models:\n  - name: properties\n    config: {materialized: table}\n  - name: file\n    config: {materialized: table, tags: [yaml], meta: {at: yaml, by: yaml}}\n",
        ),
    ]);
    project.write(
        "dbt_project.yml",
        "name: shop\nprofile: shop\nmodels:\n  +materialized: view\n  shop:\n    deep: {+materialized: ephemeral, +tags: project}\n",
    );
    assert_eq!(
        key(&project, "config.materialized"),
        "{\"name\":\"file\",\"config.materialized\":\"incremental\"}\n\
         {\"name\":\"project\",\"config.materialized\":\"ephemeral\"}\n\
         {\"name\":\"properties\",\"config.materialized\":\"table\"}"
    );
    let file = project.ends(0, &["ls", "-s", "file", "--output", "json", "--output-keys", "config.tags config.meta"]);
    assert_eq!(
        file.stdout,
        "{\"config.tags\":[\"project\",\"yaml\",\"file\"],\"config.meta\":{\"at\":\"yaml\",\"by\":\"file\"}}\n"
    );
}

#[test]
fn vars_come_from_the_command_line_the_project_or_the_default() {
    let project = dbt(&[(
        "models/a.sql",
        "select '{{ var(\"one\") }}' as one, {{ var('two', 2) }} as two, {{ var('three')[1] }} as three, '{{ env_var(\"SHOP_PLACE\", \"home\") }}' as place",
    )]);
    project.write("dbt_project.yml", "name: shop\nprofile: shop\nvars:\n  one: project\n  shop: {three: [3, 33]}\n");
    project.ends(0, &["run"]);
    assert_eq!(project.query("select * from a"), "project|2|33|home");
    let output = project.command(&["run", "--vars", "{one: line, two: 22}"]).env("SHOP_PLACE", "street").output();
    assert!(output.expect("medal starts").status.success());
    assert_eq!(project.query("select * from a"), "line|22|33|street");
}

#[test]
fn a_missing_var_or_variable_is_an_error_with_its_place() {
    let project = dbt(&[
        ("models/a.sql", "select '{{ var(\"gone\") }}' as a"),
        ("models/b.sql", "select '{{ env_var(\"GONE\") }}' as b"),
    ]);
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("error[missing-env-var]") && ran.all().contains("models/b.sql:1:"), "{}", ran.all());
    project.write("models/b.sql", "select 1 as b");
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("error[missing-var]") && ran.all().contains("models/a.sql:1:"), "{}", ran.all());
}

#[test]
fn a_custom_schema_is_appended_unless_the_project_says_otherwise() {
    let project = dbt(&[("models/a.sql", "{{ config(schema='sales', alias='renamed') }} select 1 as id")]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select id from main_sales.renamed"), "1");
    project.write(
        "macros/names.sql",
        "{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name or target.schema }}{% endmacro %}\n\
         {% macro generate_alias_name(custom_alias_name=none, node=none) %}x_{{ custom_alias_name or node.name }}{% endmacro %}\n",
    );
    project.ends(0, &["run"]);
    assert_eq!(project.query("select id from sales.x_renamed"), "1");
}

#[test]
fn another_target_builds_another_warehouse() {
    let project = dbt(&[("models/a.sql", "select '{{ target.name }}/{{ target.schema }}' as place")]);
    project.write("profiles.yml", PROFILE);
    project.ends(0, &["run"]);
    project.ends(0, &["run", "--target", "prod"]);
    assert_eq!(project.query("select place from main.a"), "dev/main");
    let shown =
        project.ends(0, &["--quiet", "show", "-t", "prod", "--output", "json", "--inline", "select place from live.a"]);
    assert!(shown.stdout.contains("prod/live"), "{}", shown.stdout);
    assert!(project.path().join("prod.duckdb").exists());
}

#[test]
fn a_native_project_needs_one_file() {
    let project = Project::of(&[
        ("medal.yml", "name: shop\ntargets:\n  dev: {type: duckdb, path: shop.duckdb}\n"),
        ("seeds/raw.csv", "id\n1\n"),
        ("models/bronze/bronze_raw.sql", "select * from {{ ref('raw') }}"),
        ("models/gold/wide.sql", "select * from {{ ref('clean') }}"),
        ("models/silver/clean.sql", "select * from {{ ref('bronze_raw') }}"),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes(), ["bronze_raw success", "clean success", "raw success", "wide success"]);
    assert_eq!(
        key(&project, "layer"),
        "{\"name\":\"bronze_raw\",\"layer\":\"bronze\"}\n{\"name\":\"clean\",\"layer\":\"silver\"}\n{\"name\":\"wide\",\"layer\":\"gold\"}"
    );
}

#[test]
fn medal_yml_adds_layers_to_a_dbt_project() {
    let project = dbt(&[
        (
            "medal.yml",
            "layers:\n  raw: {paths: [models/in], reads: [source]}\n  mart: {paths: [models/out], reads: [raw], schema: mart, defaults: {materialized: table}}\n",
        ),
        ("models/in/a.sql", "select 1 as id"),
        ("models/out/b.sql", "select * from {{ ref('a') }}"),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select id from main_mart.b"), "1");
    assert_eq!(
        key(&project, "layer config.materialized"),
        "{\"name\":\"a\",\"layer\":\"raw\",\"config.materialized\":\"view\"}\n{\"name\":\"b\",\"layer\":\"mart\",\"config.materialized\":\"table\"}"
    );
    project.write("models/in/c.sql", "select * from {{ ref('b') }}");
    let ran = project.ends(1, &["build"]);
    assert!(ran.all().contains("error[layer-reads]"), "{}", ran.all());
}

#[test]
fn layers_of_a_plain_dbt_project_refuse_nothing() {
    let project = dbt(&[
        ("models/bronze/a.sql", "select 1 as id"),
        ("models/gold/b.sql", "select x.id from {{ ref('a') }} as x join {{ ref('a') }} as y using (id)"),
    ]);
    project.ends(0, &["build"]);
}

#[test]
fn disabled_models_are_not_built() {
    let project = dbt(&[
        ("models/off.sql", "{{ config(enabled=false) }} select 1 as id"),
        ("models/on.sql", "{{ config(enabled=var('on', true)) }} select 1 as id"),
    ]);
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes(), ["on success"]);
}

#[test]
fn ignored_files_are_not_read() {
    let project =
        dbt(&[("models/a.sql", "select 1 as id"), ("models/draft/b.sql", "{{ not jinja"), (".dbtignore", "draft/\n")]);
    project.ends(0, &["build"]);
    assert_eq!(project.outcomes(), ["a success"]);
}

#[test]
fn the_text_of_a_variable_may_be_a_template() {
    let settings = "name: shop\nprofile: shop\nmodels:\n  +meta: {year: \"{{ run_started_at.strftime('%Y') | length }}\"}\n\
        vars:\n  first: \"{{ '2024-01-01' if target.name == 'prod' else var('other') }}\"\n  other: '{{ 40 + 2 }}'\n  count: 3\n";
    let model = "select '{{ var('first') }}' as first, {{ var('count') + 1 }} as count";
    let project = dbt(&[("dbt_project.yml", settings), ("models/a.sql", model)]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select * from a"), "42|4");
    assert_eq!(project.json("target/manifest.json")["nodes"]["model.shop.a"]["config"]["meta"]["year"], 4);
}

#[test]
fn templates_may_look_into_the_graph_while_it_is_empty() {
    let model = "{% for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') %}\
        select '{{ node.name }}' as name{% else %}select 'none' as name{% endfor %}";
    let project = dbt(&[("models/a.sql", model), ("seeds/b.csv", "id\n1\n")]);
    project.ends(0, &["build"]);
    assert_eq!(project.query("select * from a"), "b");
}

#[test]
fn a_target_that_the_environment_does_not_name_is_told() {
    let project = dbt(&[("models/a.sql", "select 1 as id")]);
    project.write("profiles.yml", &PROFILE.replace("target: dev", "target: \"{{ env_var('SHOP_STAGE') }}\""));
    let ran = project.ends(2, &["parse"]);
    assert!(ran.all().contains("`SHOP_STAGE`") && ran.all().contains("profiles.yml:2:"), "{}", ran.all());
    project.ends(0, &["parse", "--target", "prod"]);
}
