//! Checks selection against a table of what dbt lists for a small project.

use serde_json::{Value as Json, json};

use super::members::{Member, Members};
use super::{Scope, Selected, select_members};
use crate::manifest::graph::Graph;
use crate::manifest::selector::{Indirect, Selection};
use crate::manifest::selectors::Selectors;
use crate::project::config::{Config, Defaults};

/// Each line is a selection as one would type it (`exclude=…`, `indirect=…`, `type=…` and `without=…` for the
/// options), an arrow, and the names that dbt lists.
const CASES: &str = include_str!("cases.txt");

struct Row {
    id: &'static str,
    kind: &'static str,
    package: &'static str,
    fqn: Vec<String>,
    path: &'static str,
    patch: Option<&'static str>,
    config: Config,
    parents: &'static [&'static str],
}

impl Row {
    fn of(
        kind: &'static str,
        id: &'static str,
        fqn: &str,
        path: &'static str,
        parents: &'static [&'static str],
    ) -> Row {
        let fqn: Vec<String> = fqn.split('.').map(str::to_string).collect();
        let defaults = match kind {
            "seed" => Defaults::Seed,
            "test" => Defaults::Test,
            "source" | "exposure" => Defaults::Source,
            _ => Defaults::Model,
        };
        let package = if fqn[0] == "lib" { "lib" } else { "shop" };
        Row { id, kind, package, fqn, path, patch: None, config: Config::new(defaults), parents }
    }

    fn config(mut self, config: Json) -> Row {
        self.config.merge(config.as_object().unwrap().clone());
        self
    }

    fn patch(mut self, path: &'static str) -> Row {
        self.patch = Some(path);
        self
    }

    fn member(&self) -> Member<'_> {
        let parts: Vec<&str> = self.id.split('.').collect();
        let test = self.id.strip_prefix("t_").map(|name| {
            ["unique", "not_null", "relationships"].into_iter().find(|test| name.starts_with(test)).unwrap()
        });
        Member {
            id: self.id,
            kind: self.kind,
            package: self.package,
            name: parts[parts.len() - 1],
            fqn: &self.fqn,
            path: self.path,
            patch: self.patch,
            config: &self.config,
            version: None,
            layer: self.path.starts_with("models/marts").then_some("gold"),
            source_name: (self.kind == "source").then_some("raw"),
            generic_test: test,
            inherited_tags: &[],
        }
    }
}

fn shop() -> Vec<Row> {
    let staging = || json!({"tags": ["nightly"]});
    let marts = || json!({"materialized": "table", "group": "finance"});
    let meta = json!({"tags": ["hourly"], "meta": {"owner": "ann", "pii": true, "levels": {"a": 3}}});
    let daily = json!({"materialized": "incremental", "unique_key": ["id", "day"]});
    let (sources, staging_yml, marts_yml) =
        ("models/staging/sources.yml", "models/staging/staging.yml", "models/marts/marts.yml");
    vec![
        Row::of("seed", "raw_orders", "shop.raw_orders", "seeds/raw_orders.csv", &[]),
        Row::of("source", "raw.customers", "shop.staging.raw.customers", sources, &[])
            .config(json!({"tags": "external"})),
        Row::of("source", "raw.payments", "shop.staging.raw.payments", sources, &[])
            .config(json!({"tags": "external"})),
        Row::of("model", "days", "lib.days", "models/days.sql", &[]),
        Row::of("model", "stg_orders", "shop.staging.stg_orders", "models/staging/stg_orders.sql", &["raw_orders"])
            .config(staging())
            .patch(staging_yml),
        Row::of(
            "model",
            "stg_customers",
            "shop.staging.stg_customers",
            "models/staging/stg_customers.sql",
            &["raw.customers"],
        )
        .config(staging()),
        Row::of(
            "model",
            "stg_payments",
            "shop.staging.stg_payments",
            "models/staging/stg_payments.sql",
            &["raw.payments"],
        )
        .config(staging()),
        Row::of("model", "orders", "shop.marts.orders", "models/marts/orders.sql", &["stg_orders", "stg_payments"])
            .config(marts())
            .config(json!({"access": "public"}))
            .patch(marts_yml),
        Row::of(
            "model",
            "customers",
            "shop.marts.customers",
            "models/marts/customers.sql",
            &["stg_customers", "orders", "days"],
        )
        .config(marts())
        .config(meta)
        .patch(marts_yml),
        Row::of("model", "daily", "shop.marts.daily", "models/marts/daily.sql", &["orders"])
            .config(marts())
            .config(daily),
        Row::of("exposure", "board", "shop.marts.board", marts_yml, &["raw.payments", "customers"]),
        Row::of("analysis", "look", "shop.analysis.look", "analyses/look.sql", &["orders"]),
        Row::of("test", "t_unique_raw", "shop.staging.source_unique_raw_customers_id", sources, &["raw.customers"]),
        Row::of("test", "t_not_null_stg_orders", "shop.staging.not_null_stg_orders_id", staging_yml, &["stg_orders"]),
        Row::of("test", "t_unique_orders", "shop.marts.unique_orders_id", marts_yml, &["orders"]),
        Row::of("test", "t_not_null_orders", "shop.marts.not_null_orders_id", marts_yml, &["orders"])
            .config(json!({"severity": "warn"})),
        Row::of(
            "test",
            "t_relationships",
            "shop.marts.relationships_orders_customer_id__id__ref_stg_customers_",
            marts_yml,
            &["stg_customers", "orders"],
        ),
        Row::of(
            "test",
            "orders_are_paid",
            "shop.orders_are_paid",
            "tests/orders_are_paid.sql",
            &["orders", "stg_payments"],
        ),
        Row::of("test", "t_unique_customers", "shop.marts.unique_customers_id", marts_yml, &["customers"]),
    ]
}

fn run(selection: &Selection) -> Selected {
    let rows = shop();
    let (graph, _) = Graph::build(rows.iter().map(|row| (row.id, row.parents.to_vec())));
    let members = Members::new(rows.iter().map(Row::member), &graph, "shop");
    let default_types = ["model", "seed", "test", "source", "exposure"];
    let all_types = ["model", "seed", "test", "source", "exposure", "analysis"];
    let selectors = Selectors::default();
    let (default_types, all_types) = (&default_types, &all_types);
    let scope = Scope { package: "shop", default_types, all_types, selectors: &selectors, state: None };
    select_members(&members, selection, scope).unwrap()
}

fn selection(text: &str) -> Selection {
    let mut selection = Selection::default();
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some(("exclude", value)) => selection.exclude.push(value.to_string()),
            Some(("type", value)) => selection.resource_types.push(value.to_string()),
            Some(("without", value)) => selection.exclude_resource_types.push(value.to_string()),
            Some(("indirect", "cautious")) => selection.indirect = Indirect::Cautious,
            Some(("indirect", "buildable")) => selection.indirect = Indirect::Buildable,
            Some(("indirect", "empty")) => selection.indirect = Indirect::Empty,
            _ => selection.select.push(word.to_string()),
        }
    }
    selection
}

#[test]
fn every_selection_gives_what_dbt_lists() {
    let mut wrong = Vec::new();
    for line in CASES.lines().filter(|line| !line.starts_with('#')) {
        let (text, expected) = line.split_once(" =>").unwrap();
        let mut expected: Vec<&str> = expected.split_whitespace().collect();
        let nodes = run(&selection(text)).nodes;
        let mut found: Vec<&str> = nodes.iter().map(String::as_str).collect();
        expected.sort();
        found.sort();
        if found != expected {
            wrong.push(format!("{text}\n  dbt:   {}\n  medal: {}", expected.join(" "), found.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn parents_are_listed_before_children() {
    let nodes = run(&selection("+daily type=model")).nodes;
    let place = |name: &str| nodes.get_index_of(name).unwrap();
    assert_eq!(nodes.len(), 4);
    assert!(place("stg_orders") < place("orders") && place("orders") < place("daily"));
}

#[test]
fn criteria_that_match_nothing_are_told() {
    let chosen = run(&selection("nothing orders tag:hourly,tag:nightly exclude=nobody"));
    assert_eq!(chosen.unmatched, ["nothing", "tag:hourly,tag:nightly", "nobody"]);
}

#[test]
fn a_layer_selects_its_models() {
    let nodes = run(&selection("layer:g* type=model")).nodes;
    assert_eq!(
        nodes.into_iter().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>(),
        ["customers", "daily", "orders"]
    );
}
