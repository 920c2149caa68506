//! Semantic models, metrics and saved queries in the artifacts.

use serde_json::json;

use crate::suite::support::{Project, dbt};

const YAML: &str = "
semantic_models:
  - name: orders
    description: \"{{ doc('about') }}\"
    model: ref('orders')
    defaults: {agg_time_dimension: day}
    entities: [{name: id, type: Primary, config: {meta: {key: true}}}]
    dimensions: [{name: day, type: time, type_params: {time_granularity: day}}]
    measures:
      - {name: total, agg: SUM, expr: 1, create_metric: true}
      - {name: many, agg: count}
    config: {meta: {owner: Sales}}
metrics:
  - name: big
    label: Big
    type: simple
    type_params: {measure: {name: many, filter: \"{{ Dimension('id__day') }} > '2024-01-01'\"}}
  - {name: share, label: Share, type: ratio, type_params: {numerator: big, denominator: total}}
  - name: growth
    label: Growth
    type: derived
    type_params: {expr: a - b, metrics: [{name: share, alias: a}, {name: share, alias: b, offset_window: 2 weeks}]}
  - {name: ever, label: Ever, type: cumulative, type_params: {measure: many, window: 7 days}}
saved_queries:
  - name: all_of_it
    query_params: {metrics: [growth, ever], group_by: [\"TimeDimension('metric_time', 'day')\"]}
    exports: [{name: all_of_it, config: {export_as: table}}]
";

fn project(more: &[(&str, &str)]) -> Project {
    let spine = "select date '2024-01-01' as date_day";
    let files = [
        ("models/orders.sql", "select 1 as id, date '2024-01-01' as day"),
        ("models/metricflow_time_spine.sql", spine),
        ("models/all.yml", YAML),
        ("models/about.md", "{% docs about %}All **orders**.{% enddocs %}"),
    ];
    dbt(&[&files[..], more].concat())
}

#[test]
fn the_manifest_has_semantic_models_metrics_and_saved_queries() {
    let project = project(&[]);
    project.ends(0, &["parse"]);
    let manifest = project.json("target/manifest.json");
    let model = &manifest["semantic_models"]["semantic_model.shop.orders"];
    assert_eq!(model["description"], "All **orders**.");
    assert_eq!(model["node_relation"]["relation_name"], "\"shop\".\"main\".\"orders\"");
    assert_eq!(model["entities"][0]["type"], "primary");
    assert_eq!(model["entities"][0]["config"]["meta"], json!({"owner": "Sales", "key": true}));
    assert_eq!((&model["measures"][0]["agg"], &model["measures"][0]["expr"]), (&json!("sum"), &json!("1")));

    let reads = |id: &str| manifest["metrics"][id]["depends_on"]["nodes"].clone();
    assert_eq!(reads("metric.shop.total"), json!(["semantic_model.shop.orders"]));
    assert_eq!(reads("metric.shop.share"), json!(["metric.shop.big", "metric.shop.total"]));
    assert_eq!(reads("metric.shop.growth"), json!(["metric.shop.share"]));
    let params = |name: &str| &manifest["metrics"][format!("metric.shop.{name}")]["type_params"];
    let measures = params("growth")["input_measures"].as_array().expect("measures are a list");
    assert_eq!(measures.iter().map(|measure| &measure["name"]).collect::<Vec<_>>(), ["many", "total"]);
    let filter = json!({"where_filters": [{"where_sql_template": "{{ Dimension('id__day') }} > '2024-01-01'"}]});
    assert_eq!(params("big")["measure"]["filter"], filter);
    assert_eq!(params("growth")["metrics"][1]["offset_window"], json!({"count": 2, "granularity": "week"}));
    assert_eq!(params("ever")["cumulative_type_params"]["window"], json!({"count": 7, "granularity": "day"}));

    let query = &manifest["saved_queries"]["saved_query.shop.all_of_it"];
    let export = json!({"export_as": "table", "schema_name": "main", "alias": "all_of_it", "database": "shop"});
    assert_eq!(query["exports"][0]["config"], export);
    assert_eq!(manifest["parent_map"]["saved_query.shop.all_of_it"], json!(["metric.shop.ever", "metric.shop.growth"]));
    assert_eq!(manifest["child_map"]["model.shop.orders"], json!(["semantic_model.shop.orders"]));
}

#[test]
fn the_semantic_manifest_is_what_metricflow_reads() {
    let project = project(&[]);
    project.ends(0, &["parse"]);
    let semantic = project.json("target/semantic_manifest.json");
    assert_eq!(semantic["semantic_models"][0]["config"], json!({"meta": {"owner": "Sales"}}));
    assert_eq!(semantic["semantic_models"][0]["measures"][1]["metadata"], json!(null));
    assert_eq!(semantic["metrics"].as_array().map(Vec::len), Some(5));
    assert!(semantic["metrics"][0]["type_params"].get("metric_aggregation_params").is_none());
    let spine =
        json!([{"location": "\"shop\".\"main\".\"metricflow_time_spine\"", "column_name": "date_day", "grain": "day"}]);
    assert_eq!(semantic["project_configuration"]["time_spine_table_configurations"], spine);
}

#[test]
fn macros_see_metrics_in_the_graph() {
    let model = "select '{{ graph.metrics.values() | map(attribute='name') | sort | join(' ') if execute }}' as names";
    let project = project(&[("models/names.sql", model)]);
    project.ends(0, &["run"]);
    assert_eq!(project.query("select * from names"), "big ever growth share total");
}

#[test]
fn what_the_semantic_layer_lacks_is_named() {
    let yaml = "semantic_models: [{name: gone, model: ref('nope')}]\nmetrics:\n  \
        - {name: a, label: A, type: simple, type_params: {measure: nothing}}\n  \
        - {name: b, label: B, type: derived, type_params: {expr: c, metrics: [c]}}\n  \
        - {name: d, label: D, type: derived, type_params: {expr: d, metrics: [d]}}\n  - {name: e}\n";
    let project = dbt(&[("models/x.sql", "select 1 as id"), ("models/all.yml", yaml)]);
    let told = project.ends(1, &["parse"]).all();
    for message in [
        "the semantic model `gone` is of `ref('nope')`, which does not exist",
        "the metric `a` is of the measure `nothing`, which does not exist",
        "the metric `b` is of the metric `c`, which does not exist",
        "the metric `d` is made of itself",
        "a metric needs the key `type`, and `e` has none",
    ] {
        assert!(told.contains(message), "{message}\n{told}");
    }
}

#[test]
fn a_metric_that_is_switched_off_is_not_there() {
    let yaml =
        "metrics: [{name: unused, label: A, type: simple, type_params: {measure: x}, config: {enabled: false}}]\n";
    let project = dbt(&[("models/x.sql", "select 1 as id"), ("models/all.yml", yaml)]);
    project.ends(0, &["parse"]);
    let manifest = project.json("target/manifest.json");
    assert_eq!(manifest["metrics"], json!({}));
    assert!(manifest["disabled"].get("metric.shop.unused").is_some());
}
