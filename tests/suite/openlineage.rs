//! OpenLineage: the events of a run that was checked, and of `medal lineage`.

use serde_json::{Value as Json, json};

use crate::suite::support::Project;

fn shop() -> Project {
    Project::of(&[
        ("medal.yml", "name: shop\ntarget: dev\ntargets: {dev: {type: duckdb, path: shop.duckdb}}\n"),
        ("seeds/raw_orders.csv", "id,amount\n1,5\n2,0\n"),
        (
            "models/parts.sql",
            "{{ config(materialized='ephemeral') }} select id, amount as cents from {{ ref('raw_orders') }}",
        ),
        ("models/orders.sql", "select id, cents::int / 100 as amount from {{ ref('parts') }} where cents::int > 0"),
        (
            "models/fails.sql",
            "{{ config(materialized='table') }} select error('no ' || id) as a from {{ ref('orders') }}",
        ),
        ("models/after.sql", "select a from {{ ref('fails') }}"),
        (
            "models/models.yml",
            "models: [{name: orders, columns: [{name: id, description: The key., data_tests: [unique]}]}]",
        ),
    ])
}

fn lines(text: &str) -> Vec<Json> {
    text.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect()
}

/// The last event of a job that ends so.
fn end<'e>(events: &'e [Json], job: &str) -> &'e Json {
    let of_job = |event: &&Json| event["job"]["name"].as_str().is_some_and(|name| name.ends_with(job));
    events.iter().rfind(of_job).expect("the job has events")
}

#[test]
fn every_run_begins_and_ends_and_says_what_it_read_and_wrote() {
    let project = shop();
    project.ends(1, &["build"]);
    let events = lines(&project.read("target/openlineage.ndjson"));
    let kinds = |kind: &str| events.iter().filter(|event| event["eventType"] == kind).count();
    // The command, a seed, two models and a test; what was skipped never ran.
    assert_eq!((kinds("START"), kinds("COMPLETE"), kinds("FAIL")), (5, 3, 2));
    assert_eq!(end(&events, "dbt-run-shop")["eventType"], "FAIL");
    let failed = end(&events, "fails.build.run");
    assert!(failed["run"]["facets"]["errorMessage"]["message"].as_str().is_some_and(|said| said.contains("no 1")));
    assert_eq!(failed["run"]["facets"]["parent"]["run"]["runId"], end(&events, "dbt-run-shop")["run"]["runId"]);
    let test = events.iter().find(|event| event["inputs"][0]["inputFacets"].is_object()).expect("a test was run");
    let found = &test["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"];
    assert_eq!(*found, json!([{"assertion": "unique", "success": true, "column": "id"}]));
}

#[test]
fn columns_say_what_they_are_made_of_and_what_decides_their_rows() {
    let project = shop();
    let events = lines(&project.ends(0, &["lineage", "orders.amount", "--upstream", "--output", "openlineage"]).stdout);
    let orders = &end(&events, ".shop.orders")["outputs"][0];
    let origin = |kind: &str| {
        json!([{
            "namespace": "duckdb://shop.duckdb",
            "name": "shop.main.raw_orders",
            "field": "amount",
            "transformations": [{"type": kind}],
        }])
    };
    let lineage = &orders["facets"]["columnLineage"];
    assert_eq!(lineage["fields"]["amount"]["inputFields"], origin("DIRECT"));
    assert_eq!(lineage["dataset"], origin("INDIRECT"));
    let fields = &orders["facets"]["schema"]["fields"];
    assert_eq!(fields[0], json!({"name": "id", "type": "VARCHAR", "description": "The key."}));
}
