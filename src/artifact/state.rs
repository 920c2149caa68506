//! Turns the artifacts of two runs into what has changed between them, by dbt's rules.
//!
//! Both sides are compared in dbt's own form, so that it makes no difference which tool has written the older one.
//! Source of the rules: <https://docs.getdbt.com/reference/node-selection/state-comparison-caveats>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::adapter::relation::Relation;
use crate::manifest::builtin::INTERNAL_PACKAGE;
use crate::manifest::state::{Change, Changes};
use crate::run::journal::Past;

/// Sections of a manifest whose members can be selected.
const SECTIONS: [&str; 4] = ["nodes", "sources", "exposures", "unit_tests"];

/// How each member of the newer manifest differs from the older one.
pub fn changes(old: &Json, new: &Json) -> Changes {
    let macros = Macros::of(old, new);
    let mut changes = Changes::new();
    for section in SECTIONS {
        for (id, node) in members(new, section) {
            let before = old[section].get(id);
            let found = differences(section, before, node, macros.reach(node));
            if !found.is_empty() {
                changes.insert(id.clone(), found);
            }
        }
    }
    changes
}

/// The status of every node in `run_results.json`.
pub fn statuses(results: &Json) -> BTreeMap<String, String> {
    let all = results["results"].as_array().into_iter().flatten();
    let text = |result: &Json, key: &str| result[key].as_str().map(str::to_string);
    all.filter_map(|result| Some((text(result, "unique_id")?, text(result, "status")?))).collect()
}

/// What `run_results.json` tells of its run.
pub fn past(results: &Json) -> Past {
    let done = ["success", "pass", "warn", "no-op"];
    let left = statuses(results).into_iter().filter(|(_, status)| !done.contains(&status.as_str()));
    let arguments = results["args"].clone();
    let text = |key: &str| arguments[key].as_str().unwrap_or_default().to_string();
    let is_operation = text("which") == "run-operation";
    let unfinished = left.map(|(id, _)| id).filter(|id| is_operation || !id.starts_with("operation."));
    let (command, target, unfinished) = (text("which"), text("target"), unfinished.collect());
    Past { run: String::new(), command, target, unfinished, arguments, started: None, batches: BTreeMap::new() }
}

/// Where a node of a manifest is in the warehouse, with the quotes of `like`; an ephemeral model is nowhere.
pub fn relation(node: &Json, like: &Relation) -> Option<Relation> {
    let text = |key: &str| node[key].as_str().map(str::to_string);
    node["relation_name"].as_str()?;
    let mut relation = like.clone();
    (relation.database, relation.schema, relation.identifier) = (text("database"), text("schema"), text("alias"));
    Some(relation)
}

/// The sources that the newer `sources.json` knows to be loaded later, or at all.
pub fn fresher(before: &Json, now: &Json) -> BTreeSet<String> {
    let loaded = |artifact: &Json| -> BTreeMap<String, String> {
        let all = artifact["results"].as_array().into_iter().flatten();
        let text = |result: &Json, key: &str| result[key].as_str().map(str::to_string);
        all.filter_map(|result| Some((text(result, "unique_id")?, text(result, "max_loaded_at")?))).collect()
    };
    let before = loaded(before);
    let is_fresher = |(id, time): &(String, String)| before.get(id).is_none_or(|before| time > before);
    loaded(now).into_iter().filter(is_fresher).map(|(id, _)| id).collect()
}

fn members<'a>(manifest: &'a Json, section: &str) -> impl Iterator<Item = (&'a String, &'a Json)> {
    manifest[section].as_object().into_iter().flatten()
}

fn differences(section: &str, old: Option<&Json>, new: &Json, macros: bool) -> BTreeSet<Change> {
    let kind = new["resource_type"].as_str().unwrap_or_default();
    let mut found = BTreeSet::new();
    found.extend(old.is_none().then_some(Change::New));
    found.extend(macros.then_some(Change::Macros));
    let differs = |same: fn(&Json, &Json) -> bool| !old.is_some_and(|old| same(old, new));
    let is_node = section == "nodes";
    found.extend((is_node && differs(same_body)).then_some(Change::Body));
    found.extend((section != "unit_tests" && differs(same_config)).then_some(Change::Configs));
    found.extend((is_node && differs(same_descriptions)).then_some(Change::PersistedDescriptions));
    let has_relation = is_node || section == "sources";
    found.extend((has_relation && differs(same_relation)).then_some(Change::Relation));
    found.extend((is_node && differs(same_contract)).then_some(Change::Contract));
    let content = match (section, kind) {
        ("nodes", "test") if new.get("test_metadata").is_some() => {
            differs(|old, new| same_config(old, new) && old["fqn"] == new["fqn"])
        }
        ("nodes", _) => differs(same_node),
        // As in dbt, what is new counts as modified only if it is a node.
        ("sources", _) => old.is_some_and(|old| !same_source(old, new)),
        ("exposures", _) => old.is_some_and(|old| !same_exposure(old, new)),
        _ => differs(|old, new| old["checksum"] == new["checksum"]),
    };
    found.extend((content || macros).then_some(Change::Content));
    found
}

fn same_node(old: &Json, new: &Json) -> bool {
    let fields = ["latest_version", "access", "deprecation_date"];
    let is_model = new["resource_type"] == "model";
    old["fqn"] == new["fqn"]
        && same_body(old, new)
        && same_config(old, new)
        && same_descriptions(old, new)
        && same_relation(old, new)
        && same_contract(old, new)
        && (!is_model || fields.iter().all(|field| old[field] == new[field]))
}

fn same_body(old: &Json, new: &Json) -> bool {
    match new["resource_type"].as_str() {
        Some("seed") => old["checksum"] == new["checksum"],
        _ => same_text(&old["raw_code"], &new["raw_code"]),
    }
}

/// Line ends do not count.
fn same_text(old: &Json, new: &Json) -> bool {
    let lines = |text: &Json| text.as_str().map(|text| text.replace("\r\n", "\n"));
    lines(old) == lines(new)
}

/// Keys whose change is none: names of relations have a comparison of their own.
const NOT_COMPARED: [&str; 5] = ["alias", "schema", "database", "tags", "group"];

/// The only keys of a test that count.
const OF_TESTS: [&str; 8] =
    ["severity", "where", "limit", "fail_calc", "warn_if", "error_if", "store_failures", "store_failures_as"];

fn same_config(old: &Json, new: &Json) -> bool {
    let kind = new["resource_type"].as_str().unwrap_or_default();
    let counts = |key: &str| match kind {
        "test" => OF_TESTS.contains(&key),
        "source" | "exposure" => true,
        _ => !NOT_COMPARED.contains(&key),
    };
    let (old, new) = (&old["unrendered_config"], &new["unrendered_config"]);
    let keys = [old, new].into_iter().filter_map(Json::as_object).flat_map(|map| map.keys());
    keys.filter(|key| counts(key)).all(|key| old.get(key) == new.get(key))
}

/// Descriptions count where they are kept in the warehouse.
fn same_descriptions(old: &Json, new: &Json) -> bool {
    let persists = |what: &str| new["config"]["persist_docs"][what] == true;
    let columns = |node: &Json| -> BTreeMap<String, Json> {
        let all = node["columns"].as_object().into_iter().flatten();
        all.map(|(name, column)| (name.clone(), column["description"].clone())).collect()
    };
    (!persists("relation") || old["description"] == new["description"])
        && (!persists("columns") || columns(old) == columns(new))
}

/// A node by what is written of its name, so that another target is no change.
fn same_relation(old: &Json, new: &Json) -> bool {
    match new["resource_type"].as_str() {
        Some("source") => ["database", "schema", "identifier"].iter().all(|key| old[key] == new[key]),
        _ => {
            let written = |node: &Json, key: &str| node["unrendered_config"].get(key).cloned();
            ["database", "schema", "alias"].iter().all(|key| written(old, key) == written(new, key))
        }
    }
}

/// A contract that nobody enforces is the same as none.
fn same_contract(old: &Json, new: &Json) -> bool {
    let enforced = |node: &Json| node["contract"]["enforced"] == true;
    let checksum = |node: &Json| node["contract"]["checksum"].clone();
    let is_model = new["resource_type"] == "model";
    !is_model || (enforced(old) == enforced(new) && (!enforced(new) || checksum(old) == checksum(new)))
}

fn same_source(old: &Json, new: &Json) -> bool {
    let quoted = |source: &Json| {
        let off = source["quoting"].as_object().into_iter().flatten().filter(|(_, value)| **value == false);
        off.map(|(key, _)| key.clone()).collect::<BTreeSet<_>>()
    };
    same_relation(old, new)
        && same_config(old, new)
        && quoted(old) == quoted(new)
        && ["fqn", "freshness", "loaded_at_field", "external"].iter().all(|key| old[key] == new[key])
}

fn same_exposure(old: &Json, new: &Json) -> bool {
    let parents = |exposure: &Json| {
        let nodes = exposure["depends_on"]["nodes"].as_array().into_iter().flatten();
        nodes.filter_map(|id| id.as_str().map(str::to_string)).collect::<BTreeSet<_>>()
    };
    let fields = ["fqn", "type", "owner", "maturity", "url", "description", "label"];
    parents(old) == parents(new) && same_config(old, new) && fields.iter().all(|key| old[key] == new[key])
}

/// The macros that differ, and who calls whom.
struct Macros<'a> {
    modified: BTreeSet<&'a str>,
    all: &'a Json,
}

impl<'a> Macros<'a> {
    fn of(old: &Json, new: &'a Json) -> Macros<'a> {
        let before = |id: &str| old["macros"].get(id).map(|old| &old["macro_sql"]);
        // Those that come with dbt and with medal differ, and neither is the project's doing.
        let own = members(new, "macros").filter(|(_, info)| !is_built_in(info));
        let changed = own.filter(|(id, info)| !before(id).is_some_and(|old| same_text(old, &info["macro_sql"])));
        Macros { modified: changed.map(|(id, _)| id.as_str()).collect(), all: &new["macros"] }
    }

    /// Whether a node calls a macro that was changed, or one that calls such a macro.
    fn reach(&self, node: &Json) -> bool {
        let calls = |item: &'a Json| item["depends_on"]["macros"].as_array().into_iter().flatten();
        let start = node["depends_on"]["macros"].as_array().into_iter().flatten();
        let mut open: Vec<&str> = start.filter_map(Json::as_str).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if self.modified.contains(id) {
                return true;
            }
            if seen.insert(id.to_string()) {
                open.extend(self.all.get(id).into_iter().flat_map(calls).filter_map(Json::as_str));
            }
        }
        false
    }
}

fn is_built_in(info: &Json) -> bool {
    let package = info["package_name"].as_str().unwrap_or_default();
    package == INTERNAL_PACKAGE || package == "dbt" || package.starts_with("dbt_duckdb")
}
