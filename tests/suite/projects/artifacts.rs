//! What a command leaves below `target/`.

use serde_json::json;

use crate::suite::support::dbt;

const MODEL: (&str, &str) =
    ("models/a.sql", "{{ config(materialized='table') }}\nselect * from {{ source('raw', 'b') }}");
const YAML: (&str, &str) = (
    "models/all.yml",
    "sources: [{name: raw, schema: main, tables: [{name: b, description: from the till}]}]\n\
     models:\n  - name: a\n    description: \"{{ doc('a_docs') }}\"\n    columns: [{name: id, description: The key., data_tests: [not_null]}]\n\
     exposures:\n  - name: board\n    type: dashboard\n    owner: {name: Sales, email: sales@example.com}\n    depends_on: [ref('a')]\n",
);
const DOCS: (&str, &str) = ("models/docs.md", "{% docs a_docs %}\nAll of **a**.\n{% enddocs %}\n");
const SEED: (&str, &str) = ("seeds/b.csv", "id\n1\n");

#[test]
fn the_manifest_has_the_keys_of_version_12() {
    let project = dbt(&[MODEL, YAML, DOCS, SEED]);
    project.ends(0, &["parse"]);
    let manifest = project.json("target/manifest.json");
    let keys = [
        "metadata",
        "nodes",
        "sources",
        "macros",
        "docs",
        "exposures",
        "metrics",
        "groups",
        "selectors",
        "disabled",
        "parent_map",
        "child_map",
        "group_map",
        "saved_queries",
        "semantic_models",
        "unit_tests",
    ];
    for key in keys {
        assert!(manifest.get(key).is_some(), "the manifest has no `{key}`");
    }
    assert_eq!(manifest["metadata"]["dbt_schema_version"], "https://schemas.getdbt.com/dbt/manifest/v12.json");
    let model = &manifest["nodes"]["model.shop.a"];
    assert_eq!(model["description"], "All of **a**.");
    assert_eq!(model["relation_name"], "\"shop\".\"main\".\"a\"");
    assert_eq!(model["columns"]["id"]["description"], "The key.");
    assert_eq!(model["depends_on"]["nodes"][0], "source.shop.raw.b");
    assert_eq!(manifest["sources"]["source.shop.raw.b"]["description"], "from the till");
    assert_eq!(manifest["exposures"]["exposure.shop.board"]["owner"]["email"], "sales@example.com");
    assert_eq!(manifest["child_map"]["source.shop.raw.b"][0], "model.shop.a");
    assert_eq!(manifest["parent_map"]["exposure.shop.board"][0], "model.shop.a");
}

#[test]
fn run_results_tell_of_each_node() {
    let project = dbt(&[MODEL, YAML, DOCS, SEED]);
    project.ends(0, &["seed"]);
    project.ends(0, &["build", "--exclude", "b", "exposure:board"]);
    let results = project.json("target/run_results.json");
    assert_eq!(results["metadata"]["dbt_schema_version"], "https://schemas.getdbt.com/dbt/run-results/v6.json");
    assert!(results["elapsed_time"].as_f64().is_some_and(|seconds| seconds > 0.0));
    assert!(results["args"].is_object());
    let keys = [
        "status",
        "timing",
        "thread_id",
        "execution_time",
        "adapter_response",
        "message",
        "failures",
        "unique_id",
        "compiled",
        "compiled_code",
        "relation_name",
        "batch_results",
    ];
    for result in results["results"].as_array().expect("results are a list") {
        for key in keys {
            assert!(result.get(key).is_some(), "a result has no `{key}`");
        }
        assert_eq!(result["compiled"], true);
    }
}

#[test]
fn compile_writes_sql_and_builds_nothing() {
    let project = dbt(&[MODEL, YAML, DOCS, ("tests/single.sql", "select * from {{ ref('a') }} where id < 0")]);
    project.ends(0, &["compile"]);
    assert_eq!(project.read("target/compiled/shop/models/a.sql").trim(), "select * from \"shop\".\"main\".\"b\"");
    assert!(project.read("target/compiled/shop/tests/single.sql").contains("\"shop\".\"main\".\"a\" where id < 0"));
    assert!(project.read("target/compiled/shop/models/all.yml/not_null_a_id.sql").contains("id is null"));
    assert_eq!(project.query("select count(*) as n from duckdb_tables()"), "0");
}

#[test]
fn compile_prints_one_model() {
    let project = dbt(&[("models/a.sql", "select {{ 1 + 1 }} as two")]);
    let ran = project.ends(0, &["compile", "--select", "a"]);
    assert!(ran.stdout.contains("select 2 as two"), "{}", ran.all());
    let ran = project.ends(0, &["compile", "--inline", "select * from {{ ref('a') }}"]);
    assert!(ran.stdout.contains("select * from \"shop\".\"main\".\"a\""), "{}", ran.all());
}

#[test]
fn the_target_folder_can_be_elsewhere_or_left_out() {
    let project = dbt(&[("models/a.sql", "select 1 as id")]);
    project.ends(0, &["build", "--target-path", "elsewhere"]);
    assert!(project.path().join("elsewhere/run_results.json").exists());
    assert!(!project.path().join("target").exists());
    project.ends(0, &["--no-write-json", "build"]);
    assert!(!project.path().join("target/run_results.json").exists());
}

#[test]
fn an_orchestrator_may_run_links_to_the_folders_of_a_project() {
    let own = dbt(&[MODEL, YAML, DOCS, SEED]);
    let linked = crate::suite::support::Project::of(&[]);
    for name in ["dbt_project.yml", "profiles.yml", "models", "seeds"] {
        std::os::unix::fs::symlink(own.path().join(name), linked.path().join(name)).expect("a link can be made");
    }
    linked.ends(0, &["seed"]);
    linked.ends(0, &["run"]);
    assert_eq!(linked.query("select * from a"), "1");
}

#[test]
fn the_manifest_has_the_configuration_as_it_is_written() {
    let settings = "name: shop\nprofile: shop\nmodels:\n  +docs: {node_color: gold}\n  +tags: all\n  shop:\n    +schema: \"{{ var('s', 'extra') }}\"\n    +pre_hook: select 1\n";
    let model = ("models/a.sql", "{{ config(tags=['own'], post_hook='select 2') }} select 1 as id");
    let project = dbt(&[("dbt_project.yml", settings), model]);
    project.ends(0, &["parse"]);
    let manifest = project.json("target/manifest.json");
    let node = &manifest["nodes"]["model.shop.a"];
    let expected = serde_json::json!({
        "docs": {"node_color": "gold"},
        "tags": ["own"],
        "schema": "{{ var('s', 'extra') }}",
        "pre_hook": "select 1",
        "post-hook": "select 2",
    });
    assert_eq!(node["unrendered_config"], expected);
    assert_eq!(node["config"]["schema"], "extra");
    assert_eq!(node["config"]["tags"], serde_json::json!(["all", "own"]));
    assert_eq!(node["config"]["docs"], serde_json::json!({"show": true, "node_color": "gold"}));
}

#[test]
fn the_manifest_says_which_docs_blocks_are_quoted() {
    let project = dbt(&[MODEL, YAML, DOCS, SEED]);
    project.ends(0, &["parse"]);
    let manifest = project.json("target/manifest.json");
    assert_eq!(manifest["nodes"]["model.shop.a"]["doc_blocks"], serde_json::json!(["doc.shop.a_docs"]));
    assert_eq!(manifest["sources"]["source.shop.raw.b"]["unrendered_schema"], "main");
}

#[test]
fn a_build_lists_exposures_for_which_there_is_nothing_to_do() {
    let exposures = "exposures:\n  - {name: good, type: dashboard, owner: {name: A}, depends_on: [\"ref('a')\"]}\n  \
        - {name: bad, type: dashboard, owner: {name: A}, depends_on: [\"ref('a')\", \"ref('wrong')\"]}\n";
    let files = [("models/a.sql", "select 1 as id"), ("models/wrong.sql", "select nope"), ("models/e.yml", exposures)];
    let project = dbt(&files);
    let ran = project.ends(1, &["build"]);
    assert_eq!(project.outcomes(), ["a success", "bad skipped", "good no-op 0", "wrong error"]);
    assert!(ran.all().contains("NO-OP exposure good"), "{}", ran.all());
    assert!(ran.all().contains("Done. PASS=1 WARN=0 ERROR=1 SKIP=1 NO-OP=1 TOTAL=4"), "{}", ran.all());
    project.ends(0, &["run", "--select", "a"]);
    assert_eq!(project.outcomes(), ["a success"]);
    project.ends(0, &["build", "--select", "exposure:good"]);
    assert_eq!(project.outcomes(), ["good no-op 0"]);
}

#[test]
fn nodes_run_level_by_level_in_the_order_of_their_ids() {
    let files = [
        ("models/z.sql", "select 1 as id"),
        ("models/b.sql", "select * from {{ ref('z') }}"),
        ("models/c.sql", "select 1 as id"),
        ("seeds/a.csv", "id\n1\n"),
    ];
    let project = dbt(&files);
    project.ends(0, &["build", "--threads", "1"]);
    let results = project.json("target/run_results.json");
    let results = results["results"].as_array().expect("results are a list");
    let order: Vec<&str> = results.iter().filter_map(|result| result["unique_id"].as_str()).collect();
    assert_eq!(order, ["model.shop.c", "model.shop.z", "seed.shop.a", "model.shop.b"]);
    assert_eq!(results[2]["adapter_response"]["rows_affected"], 1);
    assert_eq!(results[2]["adapter_response"]["code"], "INSERT");
}

#[test]
fn the_manifest_shows_a_time_spine_with_all_its_keys() {
    let yaml = "models:\n  - name: days\n    time_spine:\n      standard_granularity_column: day\n      \
        custom_granularities: [{name: fiscal}]\n    columns: [{name: day, granularity: day}]\n  - name: plain\n";
    let sql = "select date '2024-01-01' as day";
    let project = dbt(&[("models/days.sql", sql), ("models/plain.sql", sql), ("models/all.yml", yaml)]);
    project.ends(0, &["parse"]);
    let nodes = &project.json("target/manifest.json")["nodes"];
    let custom = serde_json::json!([{"name": "fiscal", "column_name": null}]);
    assert_eq!(nodes["model.shop.days"]["time_spine"]["standard_granularity_column"], "day");
    assert_eq!(nodes["model.shop.days"]["time_spine"]["custom_granularities"], custom);
    assert!(nodes["model.shop.plain"]["time_spine"].is_null());
    assert_eq!(nodes["model.shop.days"]["columns"]["day"]["granularity"], "day");
}

#[test]
fn an_ephemeral_model_that_nothing_reads_is_compiled_all_the_same() {
    let part = "{{ config(materialized='ephemeral') }}select * from {{ ref('a') }}";
    let project = dbt(&[("models/a.sql", "select 1 as id"), ("models/part.sql", part)]);
    project.ends(0, &["build"]);
    let node = &project.json("target/manifest.json")["nodes"]["model.shop.part"];
    assert_eq!(node["compiled_code"], "select * from \"shop\".\"main\".\"a\"");
    assert_eq!(project.read("target/compiled/shop/models/part.sql"), "select * from \"shop\".\"main\".\"a\"");
}

#[test]
fn a_node_depends_on_the_macros_of_its_hooks() {
    let macros = "{% macro note() %}select 1{% endmacro %}{% macro body() %}select 2 as id{% endmacro %}";
    let model = "{{ config(post_hook=\"{{ note() }}\") }}{{ body() }}";
    let project = dbt(&[("macros/all.sql", macros), ("models/a.sql", model)]);
    project.ends(0, &["parse"]);
    let node = &project.json("target/manifest.json")["nodes"]["model.shop.a"];
    assert_eq!(node["depends_on"]["macros"], serde_json::json!(["macro.shop.body", "macro.shop.note"]));
}

#[test]
fn descriptions_end_where_dbt_ends_them() {
    let yaml = "models:\n  - name: a\n    description: |\n      {{ doc('all') }}\n  - name: b\n    description: |\n      The last.\n";
    let docs = ("models/docs.md", "{% docs all %}All of it.{% enddocs %}");
    let files = [("models/a.sql", "select 1 as id"), ("models/b.sql", "select 1 as id"), ("models/z.yml", yaml), docs];
    let project = dbt(&files);
    project.ends(0, &["parse"]);
    let nodes = &project.json("target/manifest.json")["nodes"];
    assert_eq!(nodes["model.shop.a"]["description"], "All of it.");
    assert_eq!(nodes["model.shop.b"]["description"], "The last.");
}

#[test]
fn columns_keep_the_keys_that_only_readers_of_the_manifest_know() {
    let column = "{name: id, pii: true, note: \"{{ 1 + 1 }} x\", granularity: day, descripton: misspelt}";
    let properties = format!("models:\n- name: a\n  columns: [{column}]\n");
    let project = dbt(&[("models/a.sql", "select 1 as id"), ("models/a.yml", &properties)]);
    let told = project.ends(0, &["parse"]).all();
    assert!(told.contains("did you mean `description`?") && !told.contains("`pii`"), "{told}");
    let column = &project.json("target/manifest.json")["nodes"]["model.shop.a"]["columns"]["id"];
    let kept = ["pii", "note", "granularity", "descripton"].map(|key| column[key].to_string());
    assert_eq!(kept, ["true", "\"2 x\"", "\"day\"", "\"misspelt\""]);
}

#[test]
fn the_manifest_says_what_dbt_makes_of_a_configuration() {
    let project = dbt(&[
        ("models/a.sql", "{{ config(materialized='table', begin='2024-01-05') }} select 1 as id"),
        (
            "models/a.yml",
            "models:
  - name: a
    description: \"{{ 1 + 1 }} {{ var('word') }} {{ doc('note') }}\"
    columns:
      - name: id
        data_tests:
          - unique: {config: {store_failures: false}}
          - not_null: {config: {store_failures: true, store_failures_as: ephemeral}}
groups: [{name: team, owner: {name: Ann}}]
sources:
  - name: raw
    quoting: {identifier: true}
    tables: [{name: t, quoting: {column: true}}]
",
        ),
        ("models/note.md", "{% docs note %}a {{ brace }}{% enddocs %}"),
        ("macros/m.sql", "{% macro m(a, b=1) %}{% endmacro %}"),
    ]);
    let settings = "name: shop\nprofile: shop\nvars: {word: two}\nmodels: {+meta: {by: us}}\nquoting: {schema: false}\nflags: {validate_macro_args: true}\n";
    project.write("dbt_project.yml", settings);
    project.ends(0, &["build"]);
    let manifest = project.json("target/manifest.json");
    let model = &manifest["nodes"]["model.shop.a"];
    assert_eq!(model["config"]["begin"], "2024-01-05T00:00:00");
    assert_eq!(model["description"], "2 two a {{ brace }}");
    assert_eq!(model["build_path"], "target/run/shop/models/a.sql");
    let test = |name: &str| {
        let nodes = manifest["nodes"].as_object().expect("there are nodes");
        let found = nodes.iter().find(|(id, _)| id.contains(name)).expect("the test is there");
        (found.1["config"]["store_failures"].clone(), found.1["config"]["store_failures_as"].clone())
    };
    assert_eq!(test("unique_a_id"), (json!(false), json!("ephemeral")));
    assert_eq!(test("not_null_a_id"), (json!(false), json!("ephemeral")));
    assert_eq!(manifest["groups"]["group.shop.team"]["config"], json!({"meta": {"by": "us"}}));
    let quoting = json!({"database": null, "schema": null, "identifier": true, "column": true});
    assert_eq!(manifest["sources"]["source.shop.raw.t"]["quoting"], quoting);
    let arguments = json!([
        {"name": "a", "type": null, "description": ""}, {"name": "b", "type": null, "description": ""},
    ]);
    assert_eq!(manifest["macros"]["macro.shop.m"]["arguments"], arguments);
    assert!(project.read("target/run/shop/models/a.sql").contains("create"));
}
