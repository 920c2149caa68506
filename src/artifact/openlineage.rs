//! Turns a run, or a project that was not run, into OpenLineage events: which job reads and writes which datasets, and
//! which columns are made of which.
//!
//! Source of the objects: <https://openlineage.io/docs/spec/object-model> (version 2-0-2). Namespaces and names are
//! those of OpenLineage's own integration with dbt, so that catalogs know both as the same.

pub mod dataset;
pub mod facets;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use crate::artifact::openlineage::dataset::Datasets;
use crate::artifact::openlineage::facets::{PRODUCER, facet};
use crate::artifact::{Invocation, timestamp};
use crate::hash::sha256;
use crate::lineage::Lineage;
use crate::manifest::{Kind, Manifest, Node};
use crate::project::Project;
use crate::run::{Outcome, RunResults, Status};

const SPEC: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/";

/// What events are made of.
pub struct Facts<'a> {
    pub project: &'a Project,
    pub manifest: &'a Manifest,
    pub lineage: &'a Lineage,
    pub invocation: &'a Invocation,
}

/// One event for each model and snapshot: what it reads and writes, without a run.
pub fn jobs(facts: &Facts<'_>, ids: impl Iterator<Item = String>) -> Vec<Json> {
    let datasets = Datasets::new(facts);
    let nodes = ids.filter_map(|id| facts.manifest.node(&id));
    let made = nodes.filter(|node| matches!(node.kind, Kind::Model | Kind::Snapshot) && !node.is_ephemeral());
    let event = |node: &Node| {
        json!({
            "eventTime": timestamp(facts.invocation.started_at),
            "producer": PRODUCER,
            "schemaURL": format!("{SPEC}JobEvent"),
            "job": job(facts, node, None),
            "inputs": datasets.inputs(node),
            "outputs": [datasets.output(node, None)],
        })
    };
    made.map(event).collect()
}

/// The events of a run: one job for the command, and one for each node that ran.
pub fn runs(facts: &Facts<'_>, results: &RunResults) -> Vec<Json> {
    let datasets = Datasets::new(facts);
    let ran = |outcome: &&Outcome| !matches!(outcome.status, Status::Skipped | Status::NoOp);
    let command = Run {
        id: facts.invocation.id.clone(),
        job: json!({
            "namespace": namespace(facts.project),
            "name": format!("dbt-run-{}", facts.project.root().name),
            "facets": {"jobType": job_type("JOB")},
        }),
        facets: json!({"processing_engine": facet("processing_engine", json!({
            "version": facts.invocation.medal_version, "name": "medal",
        }))}),
    };
    let ends = results.outcomes.iter().map(ended);
    let end = ends.max().unwrap_or(facts.invocation.started_at);
    let ended_how = if results.interrupted {
        "ABORT"
    } else if results.failed() {
        "FAIL"
    } else {
        "COMPLETE"
    };
    let mut events =
        vec![(facts.invocation.started_at, command.event("START", facts.invocation.started_at, (&[], &[])))];
    for outcome in results.outcomes.iter().filter(ran) {
        let Some(node) = facts.manifest.node(&outcome.node) else { continue };
        events.extend(of_node(facts, &datasets, &command, node, outcome));
    }
    events.sort_by_key(|(time, _)| *time);
    events.push((end, command.event(ended_how, end, (&[], &[]))));
    events.into_iter().map(|(_, event)| event).collect()
}

/// One run of a job.
struct Run {
    id: String,
    job: Json,
    facets: Json,
}

impl Run {
    fn event(&self, kind: &str, time: DateTime<Utc>, (inputs, outputs): (&[Json], &[Json])) -> Json {
        json!({
            "eventType": kind,
            "eventTime": timestamp(time),
            "producer": PRODUCER,
            "schemaURL": format!("{SPEC}RunEvent"),
            "run": {"runId": self.id, "facets": self.facets},
            "job": self.job,
            "inputs": inputs,
            "outputs": outputs,
        })
    }
}

fn of_node(
    facts: &Facts<'_>,
    datasets: &Datasets<'_>,
    command: &Run,
    node: &Node,
    outcome: &Outcome,
) -> [(DateTime<Utc>, Json); 2] {
    let parent = json!({
        "run": {"runId": command.id},
        "job": {"namespace": command.job["namespace"], "name": command.job["name"]},
    });
    let mut run = Run {
        id: run_id(&facts.invocation.id, &node.id),
        job: job(facts, node, outcome.compiled.as_ref().map(|compiled| compiled.sql.as_str())),
        facets: json!({"parent": facet("parent", parent)}),
    };
    let inputs = match node.is_test() {
        true => datasets.tested(node, outcome),
        false => datasets.inputs(node),
    };
    let writes = node.is_refable() && !node.is_ephemeral();
    let outputs: Vec<Json> = writes.then(|| datasets.output(node, Some(outcome))).into_iter().collect();
    let begin = DateTime::from(outcome.started);
    let start = run.event("START", begin, (&names(&inputs), &names(&outputs)));
    let failed = matches!(outcome.status, Status::Error | Status::PartialSuccess);
    if failed {
        let message = outcome.message.clone().unwrap_or_default();
        run.facets["errorMessage"] = facet("errorMessage", json!({"message": message, "programmingLanguage": "SQL"}));
    }
    let kind = if failed { "FAIL" } else { "COMPLETE" };
    [(begin, start), (ended(outcome), run.event(kind, ended(outcome), (&inputs, &outputs)))]
}

/// Datasets without what is said of them, which the end of the run says.
fn names(datasets: &[Json]) -> Vec<Json> {
    datasets.iter().map(|dataset| json!({"namespace": dataset["namespace"], "name": dataset["name"]})).collect()
}

/// The job of a node.
fn job(facts: &Facts<'_>, node: &Node, sql: Option<&str>) -> Json {
    let mut own = json!({"jobType": job_type(&node.resource_type().to_uppercase())});
    if let Some(sql) = sql {
        own["sql"] = facet("sql", json!({"query": sql, "dialect": "duckdb"}));
    }
    if !node.description.is_empty() {
        own["documentation"] = facet("documentation_job", json!({"description": node.description}));
    }
    json!({"namespace": namespace(facts.project), "name": job_name(facts, node), "facets": own})
}

/// `database.schema.package.name`, with `.build.run` if a build does it.
fn job_name(facts: &Facts<'_>, node: &Node) -> String {
    let suffix = match (&node.kind, facts.invocation.command.as_str()) {
        (Kind::Model, "build") => ".build.run",
        (Kind::Snapshot, "build") => ".build.snapshot",
        (Kind::Seed { .. }, "build") => ".build.seed",
        (Kind::Snapshot, "snapshot") => ".snapshot",
        _ => "",
    };
    match node.is_refable() {
        true => format!("{}.{}.{}{suffix}", dataset::schema_of(&node.relation), node.package, node.name),
        false => node.id.clone(),
    }
}

fn job_type(kind: &str) -> Json {
    facet("jobType", json!({"processingType": "BATCH", "integration": "DBT", "jobType": kind}))
}

/// The namespace of jobs, as `OPENLINEAGE_NAMESPACE` has it.
fn namespace(project: &Project) -> &str {
    project.environment.get("OPENLINEAGE_NAMESPACE").unwrap_or("dbt")
}

/// The same run of the same node has the same id.
fn run_id(invocation: &str, node: &str) -> String {
    let digest = sha256(&format!("{invocation}\0{node}"));
    let mut bytes = [0_u8; 16];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = digest.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).unwrap_or_default();
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

fn ended(outcome: &Outcome) -> DateTime<Utc> {
    DateTime::from(outcome.started + outcome.compile_time + outcome.execute_time)
}
