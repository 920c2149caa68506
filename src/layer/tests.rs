//! Checks the rules of layers on small hand-made projects.

use std::sync::Arc;

use crate::map::IndexMap;
use chrono::NaiveDate;
use serde_json::{Value as Json, json};

use super::judge;
use super::shape::shape_verdict;
use crate::adapter::relation::Relation;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::files::{FileId, ProjectFiles, Span};
use crate::jinja::Template;
use crate::manifest::{Kind, Node};
use crate::project::layers::{self, Layers};
use crate::sql;

#[derive(Default)]
struct Project {
    files: ProjectFiles,
    nodes: IndexMap<String, Box<Node>>,
}

impl Project {
    fn model(mut self, name: &str, layer: Option<&str>, reads: &[&str], config: Json) -> Project {
        let calls: Vec<String> = reads.iter().map(|name| format!("{{{{ ref('{name}') }}}}")).collect();
        let text = format!("select * from {}", calls.join(" join "));
        let file = self.files.add(&format!("{name}.sql"), &text);
        let mut node = node(file, name, Kind::Model, config);
        node.template = Some(Arc::new(Template::new(file, self.files.get(file).text).unwrap()));
        node.layer = layer.map(str::to_string);
        node.depends_on = reads.iter().map(|name| name.to_string()).collect();
        self.nodes.insert(name.to_string(), Box::new(node));
        self
    }

    fn seed(mut self, name: &str) -> Project {
        self.nodes
            .insert(name.to_string(), Box::new(node(FileId(0), name, Kind::Seed { on_disk: name.into() }, json!({}))));
        self
    }

    fn problems(&self, layers: &Layers) -> Vec<Diagnostic> {
        let mut sink = Diagnostics::default();
        judge(&self.nodes, &IndexMap::default(), layers, NaiveDate::default(), &mut sink);
        sink.into_iter().collect()
    }

    /// Message, the text at the place, label and help of the only problem.
    fn problem(&self) -> [String; 4] {
        let [problem] = self.problems(&medallion()).try_into().unwrap();
        let span = problem.span.unwrap();
        let place = self.files.get(span.file).text[span.range()].to_string();
        [problem.message, place, problem.label, problem.help.unwrap_or_default()]
    }
}

fn medallion() -> Layers {
    layers::read(None, true, &mut Diagnostics::default())
}

fn node(file: FileId, name: &str, kind: Kind, config: Json) -> Node {
    let mut node = Node::new(kind, "shop", name, Relation::new("db", "main", name));
    node.config.merge(config.as_object().unwrap().clone());
    Node { id: name.to_string(), file, ..node }
}

fn plain() -> Json {
    json!({})
}

#[test]
fn gold_that_reads_bronze_is_led_to_the_silver_model() {
    let project = Project::default()
        .model("raw_orders", Some("bronze"), &[], plain())
        .model("stg_orders", Some("silver"), &["raw_orders"], plain())
        .model("orders", Some("gold"), &["stg_orders", "raw_orders"], plain());
    assert_eq!(
        project.problem(),
        [
            "`orders` is in the layer `gold` and reads `raw_orders`, which is in `bronze`",
            "'raw_orders'",
            "`gold` may read `silver` and `gold` only",
            "read a silver model instead: `stg_orders` reads it",
        ]
    );
}

#[test]
fn without_a_step_between_one_is_asked_for() {
    let project = Project::default().model("raw_orders", Some("bronze"), &[], plain()).model(
        "orders",
        Some("gold"),
        &["raw_orders"],
        plain(),
    );
    assert_eq!(project.problem()[3], "put a model of the layer `silver` between, and read that");
}

#[test]
fn seeds_count_as_sources() {
    let project = Project::default().seed("countries").model("stg", Some("silver"), &["countries"], plain());
    assert_eq!(project.problem()[0], "`stg` is in the layer `silver` and reads the seed `countries`");
    let project = Project::default().seed("countries").model("raw", Some("bronze"), &["countries"], plain());
    assert_eq!(project.problems(&medallion()), []);
}

#[test]
fn an_ephemeral_model_without_a_layer_is_looked_through() {
    let project = Project::default()
        .model("raw_orders", Some("bronze"), &[], plain())
        .model("part", None, &["raw_orders"], json!({"materialized": "ephemeral"}))
        .model("orders", Some("gold"), &["part"], plain());
    let [message, place, ..] = project.problem();
    assert_eq!(
        message,
        "`orders` is in the layer `gold` and reads `raw_orders`, which is in `bronze`, through the ephemeral `part`"
    );
    assert_eq!(place, "'part'");
}

#[test]
fn a_model_without_a_layer_is_free() {
    let project = Project::default()
        .model("raw_orders", Some("bronze"), &[], plain())
        .model("free", None, &["raw_orders"], plain())
        .model("orders", Some("gold"), &["free"], plain());
    assert_eq!(project.problems(&medallion()), []);
}

#[test]
fn a_rule_counts_as_its_layer_says() {
    let project = Project::default().model("raw_orders", Some("bronze"), &[], plain()).model(
        "orders",
        Some("gold"),
        &["raw_orders"],
        plain(),
    );
    let mut layers = medallion();
    layers.layers["gold"].severity = Some(Severity::Warning);
    assert_eq!(project.problems(&layers)[0].severity, Severity::Warning);
    layers.layers["gold"].severity = None;
    assert_eq!(project.problems(&layers), []);
}

#[test]
fn a_misspelt_layer_suggests_the_nearest() {
    let project = Project::default().model("orders", None, &[], json!({"layer": "silvr"}));
    let [message, _, _, help] = project.problem();
    assert_eq!(message, "`orders` is put into the layer `silvr`, which does not exist");
    assert_eq!(help, "did you mean `silver`?");
    assert_eq!(project.problems(&layers::read(None, false, &mut Diagnostics::default())), []);
}

fn bronze(sql: &str, config: Json) -> Vec<(String, Option<Span>)> {
    let node = node(FileId(0), "raw_orders", Kind::Model, config);
    let shape = sql::shape(sql).unwrap();
    let place = |line, column| Some(Span::new(FileId(7), line..column));
    let verdicts = shape_verdict(&node, &medallion().layers["bronze"], &shape, place);
    verdicts.into_iter().map(|problem| (problem.label, problem.span)).collect()
}

#[test]
fn bronze_must_not_join_filter_or_aggregate() {
    assert_eq!(bronze("select *, now() as _at from s.orders", plain()), []);
    let labels: Vec<String> = bronze("select a from t\njoin u using (a)\nwhere a > 1\ngroup by a", plain())
        .into_iter()
        .map(|(label, _)| label)
        .collect();
    assert_eq!(labels, ["it joins here", "it leaves out rows here", "it aggregates or removes duplicates here"]);
}

#[test]
fn the_place_in_the_sql_is_mapped_to_the_file() {
    assert_eq!(bronze("select *\nfrom t where a", plain())[0].1, Some(Span { file: FileId(7), start: 2, end: 14 }));
}

#[test]
fn an_incremental_bronze_model_may_filter_by_itself() {
    let sql = "select * from s.orders where at > (select max(at) from \"db\".\"main\".\"raw_orders\")";
    assert_eq!(bronze(sql, json!({"materialized": "incremental"})), []);
    assert_eq!(bronze(sql, plain()).len(), 2);
}
