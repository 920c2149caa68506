//! What `docs generate` writes down of the warehouse.

use serde_json::{Value as Json, json};

use crate::suite::support::{Project, dbt};

fn project() -> Project {
    let model = "{{ config(materialized='table', persist_docs={'relation': true, 'columns': true}) }}\n\
        select id, 1.5::decimal(10, 2) as price, [1] as \"Of it\" from {{ ref('items') }}";
    let yaml = "sources: [{name: till, schema: main, tables: [{name: sold, identifier: items}, {name: gone}]}]\n\
        models:\n  - {name: orders, description: One row an order., columns: [{name: id, description: The key.}]}\n";
    let files = [
        ("seeds/items.csv", "id\n1\n"),
        ("models/orders.sql", model),
        ("models/view.sql", "select * from {{ ref('orders') }} where {{ env_var('COND', 'true') }}"),
        ("models/inlined.sql", "{{ config(materialized='ephemeral') }} select 1 as a"),
        ("models/all.yml", yaml),
    ];
    dbt(&files)
}

fn keys(section: &Json) -> Vec<&str> {
    let mut keys: Vec<&str> = section.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_catalog_has_what_is_in_the_warehouse() {
    let project = project();
    project.ends(0, &["build"]);
    project.ends(0, &["docs", "generate"]);
    let catalog = project.json("target/catalog.json");
    assert_eq!(catalog["metadata"]["dbt_schema_version"], "https://schemas.getdbt.com/dbt/catalog/v1.json");
    assert_eq!(keys(&catalog["nodes"]), ["model.shop.orders", "model.shop.view", "seed.shop.items"]);
    assert_eq!(keys(&catalog["sources"]), ["source.shop.till.sold"]);
    assert_eq!(catalog["errors"], Json::Null);
    let orders = &catalog["nodes"]["model.shop.orders"];
    let metadata = json!({
        "type": "BASE TABLE", "schema": "main", "name": "orders", "database": "shop",
        "comment": "One row an order.", "owner": null,
    });
    assert_eq!(orders["metadata"], metadata);
    let columns = json!({
        "id": {"type": "INTEGER", "index": 1, "name": "id", "comment": "The key."},
        "price": {"type": "DECIMAL(10,2)", "index": 2, "name": "price", "comment": null},
        "Of it": {"type": "INTEGER[]", "index": 3, "name": "Of it", "comment": null},
    });
    assert_eq!(orders["columns"], columns);
    assert_eq!(orders["stats"]["has_stats"]["value"], false);
    assert_eq!(catalog["nodes"]["model.shop.view"]["metadata"]["type"], "VIEW");
    let manifest = project.json("target/manifest.json");
    assert!(manifest["nodes"]["model.shop.orders"]["compiled_code"].is_string());
    assert_eq!(project.json("target/run_results.json")["args"]["which"], "build");
}

#[test]
fn a_catalog_can_be_of_a_selection_or_of_nothing() {
    let project = project();
    project.ends(0, &["build"]);
    project.ends(0, &["docs", "generate", "--select", "view", "source:till"]);
    let catalog = project.json("target/catalog.json");
    assert_eq!(
        (keys(&catalog["nodes"]), keys(&catalog["sources"])),
        (vec!["model.shop.view"], vec!["source.shop.till.sold"])
    );
    project.ends(0, &["clean"]);
    project.ends(0, &["docs", "generate", "--no-compile", "--empty-catalog"]);
    assert_eq!(project.json("target/catalog.json")["nodes"], json!({}));
    assert!(!project.path().join("target/compiled").exists());
}

#[test]
fn a_project_that_does_not_compile_gets_no_catalog() {
    let project = project();
    project.write("models/bad.sql", "select {{ exceptions.raise_compiler_error('no') if execute }}");
    project.ends(1, &["docs", "generate"]);
    assert!(!project.path().join("target/catalog.json").exists());
}
