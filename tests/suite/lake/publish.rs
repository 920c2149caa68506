//! Models of layers, which readers see when they have passed.

use crate::suite::lake::versions;
use crate::suite::support::Project;

fn shop() -> Project {
    Project::of(&[
        (
            "medal.yml",
            "name: shop
target: lake
targets: {lake: {type: datafusion, path: lake, threads: 2}}
layers:
  silver: {paths: [models/silver], max_shrink: 0.5, defaults: {materialized: table}}
  gold: {paths: [models/gold], defaults: {materialized: table}}
",
        ),
        (
            "models/silver/orders.sql",
            "select i as id, case when i > {{ var('broken', 0) }} then i * 10 end as amount from range(1, {{ var('until', 11) }}) as t(i)",
        ),
        ("models/gold/revenue.sql", "select sum(amount) as revenue from {{ ref('orders') }}"),
        ("models/models.yml", "models:\n  - name: orders\n    columns: [{name: amount, data_tests: [not_null]}]\n"),
    ])
}

#[test]
fn what_fails_is_not_seen_and_what_was_there_can_come_back() {
    let project = shop();
    project.ends(0, &["build"]);
    let broken = project.ends(1, &["build", "--vars", "broken: 3"]);
    assert!(broken.all().contains("`orders` is not published: `not_null_orders_amount` failed"), "{}", broken.all());
    assert_eq!(project.query("select revenue from revenue"), "550");
    assert_eq!(versions(&project, "orders").len(), 1);
    let diff = project.ends(0, &["--quiet", "diff", "--select", "orders"]);
    let cells: Vec<&str> = diff.stdout.lines().last().unwrap_or_default().split('|').map(str::trim).collect();
    assert_eq!((cells[3], cells[4], cells[5], cells[6]), ("10", "10", "3", "3"), "{}", diff.all());
    let shrunk = project.ends(1, &["build", "--vars", "until: 3"]);
    assert!(shrunk.all().contains("`orders` would go from 10 rows to 2"), "{}", shrunk.all());
    project.ends(0, &["build", "--vars", "broken: -1\nuntil: 12"]);
    assert_eq!(project.query("select count(*) from orders"), "11");
    project.ends(0, &["rollback", "--select", "orders"]);
    assert_eq!(project.query("select count(*) from orders"), "10");
    assert_eq!(versions(&project, "orders").len(), 3);
    let told =
        project.query("select state from medal_meta.publications where model like '%orders' order by recorded_at");
    assert_eq!(told, "published\nstaged\nstaged\npublished\nrolled_back");
}

#[test]
fn a_group_that_is_not_published_leaves_what_was_built_of_each_model() {
    let project = shop();
    project.write(
        "medal.yml",
        "name: shop
target: lake
targets: {lake: {type: datafusion, path: lake, threads: 2}}
layers:
  mart: {paths: [models], reads: [mart], publish_group: together, defaults: {materialized: table}}
",
    );
    project.ends(0, &["build"]);
    let broken = project.ends(1, &["build", "--vars", "broken: 3"]);
    assert!(broken.all().contains("what was built is in `"), "{}", broken.all());
    assert_eq!(
        project
            .query("select (select count(*) from orders where amount is null) || '|' || (select revenue from revenue)"),
        "0|550"
    );
    let candidates = "select table_name from information_schema.tables where table_name like '%\\_\\_medal\\_%' escape '\\' order by 1";
    let names = project.query(candidates);
    let names: Vec<&str> = names.lines().collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(project.query(&format!("select count(*) from {} where amount is null", names[0])), "3");
    assert_eq!(project.query(&format!("select revenue from {}", names[1])), "490");
    project.ends(0, &["build"]);
    assert_eq!(project.query(candidates), "");
}

#[test]
fn the_example_is_the_same_on_both_engines() {
    let project = Project::copy_of("example_project");
    let compared = project.ends(0, &["--quiet", "compare", "--with", "lake", "--output", "json"]);
    let told: serde_json::Value = serde_json::from_str(&compared.stdout).expect("it is JSON");
    let relations = told["relations"].as_array().expect("a list");
    assert!(relations.len() >= 25 && relations.iter().all(|relation| relation["equal"] == true), "{told:#}");
}
