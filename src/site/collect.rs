//! Turns Facts into an Index.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::jinja::JsonMap;
use crate::run::held::{self, Held};
use crate::site::Facts;
use crate::site::index::{
    Column, Exposure, Fixture, Freshness, Index, Node, NodeResult, Project, Quarantine, Reason, Run, Source, Stat,
    Test, VERSION,
};

/// The facts in order: nodes as the manifest has them, then sources, exposures, unit tests and macros.
pub fn index<'a>(facts: &'a Facts<'a>) -> Index<'a> {
    let metadata = &facts.manifest["metadata"];
    let project = text(metadata, "project_name");
    let results: BTreeMap<&str, &Json> = by_id(&facts.results["results"]);
    let freshness: BTreeMap<&str, &Json> = by_id(&facts.freshness["results"]);
    let section = |name: &str| facts.manifest[name].as_object().into_iter().flat_map(|map| map.values());
    let of_nodes = section("nodes").filter(|entry| text(entry, "resource_type") != "operation");
    let of_macros = section("macros").filter(|entry| !BUILTIN.contains(&text(entry, "package_name")));
    let entries = of_nodes.chain(section("sources")).chain(section("exposures")).chain(section("unit_tests"));
    let nodes = entries.chain(of_macros).map(|entry| {
        let id = text(entry, "unique_id");
        node(
            entry,
            Known {
                layer: facts.layer_of.get(id).copied().unwrap_or_default(),
                result: results.get(id).copied(),
                runs: runs_of(facts.runs, id),
                rows: facts.rows.get(id).copied(),
                freshness: freshness.get(id).copied(),
                held: facts.held.get(id),
                catalog: in_catalog(facts.catalog, id),
            },
        )
    });
    Index {
        medal_index: VERSION,
        generated_at: text(metadata, "generated_at"),
        project: Project { name: project, adapter: text(metadata, "adapter_type"), overview: overview(facts, project) },
        layers: if facts.layer_of.is_empty() { Vec::new() } else { facts.layers.clone() },
        run: run(facts.results),
        runs: facts.runs.iter().map(earlier_run).collect(),
        nodes: nodes.collect(),
        column_lineage: &facts.column_lineage,
    }
}

/// The packages of macros that come with medal, which nobody looks for in the docs of a project.
const BUILTIN: [&str; 2] = ["dbt", "dbt_duckdb"];

/// The overview of the project itself goes before those of its packages; dbt's own greeting is none.
fn overview<'a>(facts: &'a Facts<'a>, project: &str) -> &'a str {
    let docs = facts.manifest["docs"].as_object();
    let blocks = || docs.into_iter().flat_map(|docs| docs.values());
    let named = |name: String| blocks().find(|block| text(block, "name") == name);
    let own = blocks().find(|block| text(block, "name") == "__overview__" && text(block, "package_name") == project);
    let other = || blocks().find(|block| text(block, "name") == "__overview__" && text(block, "package_name") != "dbt");
    let block = named(format!("__{project}__")).or(own).or_else(other);
    block.map_or("", |block| text(block, "block_contents"))
}

/// What other documents than the manifest say of one entry.
struct Known<'a> {
    layer: &'a str,
    result: Option<&'a Json>,
    runs: Vec<Json>,
    rows: Option<i64>,
    freshness: Option<&'a Json>,
    held: Option<&'a Held>,
    catalog: &'a Json,
}

fn node<'a>(entry: &'a Json, known: Known<'a>) -> Node<'a> {
    let config = &entry["config"];
    let kind = text(entry, "resource_type");
    let is_generic = entry["test_metadata"].is_object();
    let raw_code = match kind {
        "macro" => text(entry, "macro_sql"),
        // The text of a generic test is a call that dbt has made up.
        _ if is_generic => "",
        _ => text(entry, "raw_code"),
    };
    Node {
        id: text(entry, "unique_id"),
        kind,
        name: text(entry, "name"),
        package: text(entry, "package_name"),
        path: text(entry, "original_file_path"),
        description: text(entry, "description").trim(),
        materialized: if matches!(kind, "model" | "snapshot") { text(config, "materialized") } else { "" },
        relation: text(entry, "relation_name"),
        tags: texts(&entry["tags"]),
        meta: &entry["meta"],
        group: text(entry, "group"),
        access: text(entry, "access"),
        version: version(&entry["version"]),
        contract: config["contract"]["enforced"].as_bool().unwrap_or(false),
        parents: texts(&entry["depends_on"]["nodes"]),
        macros: macros(entry),
        arguments: &entry["arguments"],
        test: matches!(kind, "test" | "unit_test").then(|| test(entry)),
        source: (kind == "source").then(|| Source {
            name: text(entry, "source_name"),
            loader: text(entry, "loader"),
            description: text(entry, "source_description").trim(),
        }),
        exposure: (kind == "exposure").then(|| Exposure {
            kind: text(entry, "type"),
            label: text(entry, "label"),
            url: text(entry, "url"),
            maturity: text(entry, "maturity"),
            owner: &entry["owner"],
        }),
        raw_code,
        compiled_code: text(entry, "compiled_code"),
        layer: known.layer,
        columns: columns(entry, known.catalog),
        result: known.result.map(node_result),
        runs: known.runs,
        rows: known.rows,
        freshness: known.freshness.map(fresh),
        quarantine: known.held.map(quarantine),
        stats: stats(known.catalog),
    }
}

fn version(version: &Json) -> Option<String> {
    version.as_str().map(str::to_string).or_else(|| version.as_f64().map(|number| number.to_string()))
}

/// The macros that an entry calls and that the site has a page of.
fn macros(entry: &Json) -> Vec<&str> {
    let builtin = |id: &str| BUILTIN.iter().any(|package| id.split('.').nth(1) == Some(package));
    let mut ids = texts(&entry["depends_on"]["macros"]);
    ids.retain(|id| !builtin(id));
    ids
}

fn test(entry: &Json) -> Test<'_> {
    let metadata = &entry["test_metadata"];
    Test {
        name: text(metadata, "name"),
        column: text(entry, "column_name"),
        on: match text(entry, "attached_node") {
            // A unit test names its model, and depends on nothing else.
            "" if entry["model"].is_string() => {
                texts(&entry["depends_on"]["nodes"]).first().copied().unwrap_or_default()
            }
            attached => attached,
        },
        arguments: arguments(&metadata["kwargs"]),
        severity: text(&entry["config"], "severity"),
        given: entry["given"].as_array().into_iter().flatten().map(fixture).collect(),
        expect: entry["expect"].is_object().then(|| fixture(&entry["expect"])),
    }
}

fn fixture(written: &Json) -> Fixture<'_> {
    Fixture { input: text(written, "input"), fixture: text(written, "fixture"), rows: &written["rows"] }
}

/// What a test is told besides what it is written on.
fn arguments(written: &Json) -> JsonMap {
    let own = object(written).filter(|(name, _)| !matches!(name.as_str(), "model" | "column_name"));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The columns of the relation in their order, with what is written of them; then those that are only written of.
fn columns<'a>(entry: &'a Json, catalog: &'a Json) -> Vec<Column<'a>> {
    let written = || entry["columns"].as_object().into_iter().flatten();
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    let mut found: Vec<(&str, &Json)> =
        object(&catalog["columns"]).map(|(name, facts)| (name.as_str(), facts)).collect();
    found.sort_by_key(|(_, facts)| facts["index"].as_i64());
    let is_known = !found.is_empty();
    let mut columns: Vec<Column<'_>> = found
        .iter()
        .map(|(name, facts)| {
            let described = written().find(|(other, _)| same(other, name)).map_or(&Json::Null, |(_, column)| column);
            Column { name, data_type: text(facts, "type"), ..column(described) }
        })
        .collect();
    let only_written = written().filter(|(name, _)| !found.iter().any(|(other, _)| same(other, name)));
    columns.extend(only_written.map(|(_, written)| Column { absent: is_known, ..column(written) }));
    columns
}

fn column(written: &Json) -> Column<'_> {
    Column {
        name: text(written, "name"),
        data_type: text(written, "data_type"),
        description: text(written, "description").trim(),
        tags: texts(&written["tags"]),
        meta: &written["meta"],
        absent: false,
    }
}

fn node_result(result: &Json) -> NodeResult<'_> {
    let steps = result["timing"].as_array().into_iter().flatten();
    NodeResult {
        status: text(result, "status"),
        seconds: result["execution_time"].as_f64().unwrap_or(0.0),
        at: steps.last().map_or("", |step| text(step, "completed_at")),
        message: text(result, "message"),
        failures: result["failures"].as_i64(),
        rows: result["adapter_response"]["rows_affected"].as_i64().filter(|rows| *rows >= 0),
    }
}

fn fresh(result: &Json) -> Freshness<'_> {
    Freshness {
        status: text(result, "status"),
        loaded_at: text(result, "max_loaded_at"),
        checked_at: text(result, "snapshotted_at"),
        criteria: &result["criteria"],
    }
}

fn quarantine(held: &Held) -> Quarantine<'_> {
    let reasons = held.reasons.iter().map(reason).collect();
    Quarantine { rows: held.rows, newest: held.newest.as_deref(), reasons }
}

fn reason(reason: &held::Reason) -> Reason<'_> {
    Reason {
        code: &reason.code,
        test: reason.test.as_deref(),
        column: reason.column.as_deref(),
        rows: reason.rows,
        newest: reason.newest.as_deref(),
    }
}

/// What the catalog counted, as far as it says that it is meant to be shown.
fn stats(catalog: &Json) -> Vec<Stat<'_>> {
    let shown =
        object(&catalog["stats"]).filter(|(id, stat)| *id != "has_stats" && stat["include"] == Json::Bool(true));
    shown.map(|(_, stat)| Stat { label: text(stat, "label"), value: &stat["value"] }).collect()
}

/// The runs that a node was part of.
fn runs_of(runs: &[Json], id: &str) -> Vec<Json> {
    let entry = |(place, run): (usize, &Json)| {
        let mut entry = vec![Json::from(place)];
        entry.extend(run["nodes"].get(id)?.as_array()?.iter().cloned());
        Some(Json::Array(entry))
    };
    runs.iter().enumerate().filter_map(entry).collect()
}

fn earlier_run(run: &Json) -> Run<'_> {
    Run { command: text(run, "command"), at: text(run, "at"), seconds: run["seconds"].as_f64().unwrap_or(0.0) }
}

fn run(results: &Json) -> Option<Run<'_>> {
    results["results"].as_array()?;
    Some(Run {
        command: text(&results["args"], "which"),
        at: text(&results["metadata"], "generated_at"),
        seconds: results["elapsed_time"].as_f64().unwrap_or(0.0),
    })
}

fn in_catalog<'a>(catalog: &'a Json, id: &str) -> &'a Json {
    let section = if id.starts_with("source.") { "sources" } else { "nodes" };
    &catalog[section][id]
}

fn by_id(results: &Json) -> BTreeMap<&str, &Json> {
    let results = results.as_array().into_iter().flatten();
    results.map(|result| (text(result, "unique_id"), result)).collect()
}

fn object(json: &Json) -> impl Iterator<Item = (&String, &Json)> {
    json.as_object().into_iter().flatten()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_default()
}

fn texts(json: &Json) -> Vec<&str> {
    json.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}
