//! The showcase that `medal init --template commerce` writes, with its three deliveries.

use medal::adapter::Connection;
use serde_json::json;

use crate::suite::dialect::{Answer, ask, engine};
use crate::suite::support::Project;

const TABLES: [&str; 21] = [
    "bronze.bronze_customers",
    "bronze.bronze_invoices",
    "bronze.bronze_orders",
    "bronze.bronze_payments",
    "bronze.bronze_subscriptions",
    "bronze.bronze_visits",
    "silver.customers",
    "silver.customers__quarantine",
    "silver.customers_history",
    "silver.invoices",
    "silver.invoices__quarantine",
    "silver.orders",
    "silver.orders_history",
    "silver.payments",
    "silver.subscriptions_history",
    "gold.ar_aging",
    "gold.cohort_revenue",
    "gold.customer_360",
    "gold.funnel",
    "gold.mrr",
    "gold.retention",
];

/// What says when a row came and by which run, and the hash of a row that has such columns.
const OF_A_RUN: [&str; 6] = ["_ingested_at", "_ingest_date", "_batch_id", "_run_id", "_quarantined_at", "_row_hash"];

/// The rows of a table, without what is of a run.
fn rows(connection: &mut dyn Connection, table: &str) -> Vec<String> {
    let Answer { columns, rows } = ask(connection, &format!("select * from {table}")).expect("the table is there");
    let is_kept = |name: &str| !OF_A_RUN.contains(&name);
    let row = |row: &Vec<String>| {
        let cells = columns.iter().zip(row).filter(|((name, _), _)| is_kept(name));
        cells.map(|((name, _), cell)| format!("{name}={cell}")).collect::<Vec<_>>().join(" ")
    };
    let mut rows: Vec<String> = rows.iter().map(row).collect();
    rows.sort();
    rows
}

/// Lets a delivery land.
fn land(project: &Project, delivery: &str) {
    let shop = project.path().join("shop");
    let mut copy = std::process::Command::new("cp");
    copy.arg("-R").arg(shop.join(delivery).join(".")).arg(shop.join("landing"));
    assert!(copy.status().expect("`cp` can be started").success());
}

#[test]
fn deliveries_of_a_shop_may_come_at_once() {
    let project = Project::of(&[]);
    project.ends(0, &["init", "shop", "--template", "commerce"]);
    land(&project, "second_landing");
    for target in ["dev", "lake"] {
        project.ends(0, &["build", "--quiet", "--project-dir", "shop", "--target", target]);
        let held = project.ends(0, &["quarantine", "list", "--project-dir", "shop", "--target", target]).stdout;
        assert!(held.contains("| invoices          | open   | NO_AMOUNT        |    1 |"), "{target}: {held}");
    }
}

#[test]
fn a_shop_is_the_same_in_a_lakehouse_and_in_duckdb() {
    let project = Project::of(&[]);
    project.ends(0, &["init", "shop", "--template", "commerce"]);
    // The third delivery repeats payments, which the audit of gold stops.
    let deliveries = [("landing", "*", 0), ("second_landing", "*", 0), ("third_landing", "bronze_payments+", 1)];
    for (delivery, select, code) in deliveries {
        if delivery != "landing" {
            land(&project, delivery);
        }
        for target in ["dev", "lake"] {
            project.ends(code, &["build", "--quiet", "--project-dir", "shop", "--target", target, "--select", select]);
        }
    }
    let warehouse = |kind: &str, database: &str, path: &str| {
        let path = project.path().join("shop").join(path);
        engine(kind, database, &json!({"path": path, "settings": {"TimeZone": "UTC"}}))
            .connect()
            .expect("the warehouse opens")
    };
    let (mut duckdb, mut lake) = (warehouse("duckdb", "shop", "shop.duckdb"), warehouse("datafusion", "lake", "lake"));
    for table in TABLES {
        let of_duckdb = rows(duckdb.as_mut(), table);
        assert!(!of_duckdb.is_empty(), "{table}");
        assert_eq!(rows(lake.as_mut(), table), of_duckdb, "{table}");
    }
}
