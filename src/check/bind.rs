//! Turns one node into its Schema and findings: the engine binds its query over the relations above it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapter::binder::{Binder, Refusal, Refused};
use crate::adapter::relation::{Column, Relation, identifier};
use crate::check::finding::{self, Basis};
use crate::check::memory;
use crate::check::patch::{Patched, find_word, name_parts};
use crate::check::received;
use crate::check::render::Rendered;
use crate::check::witness::lock;
use crate::check::{Checked, Checker, Schema, Unknown};
use crate::compile::{CompiledNode, compile};
use crate::diagnostic::{Diagnostic, nearest};
use crate::manifest::{Kind, Node};

/// What is known of a node once it was looked at.
pub struct Typed {
    pub schema: Result<Schema, Unknown>,
    pub compiled: Option<CompiledNode>,
    pub problems: Vec<Diagnostic>,
}

impl Typed {
    fn unknown(why: Unknown, compiled: Option<CompiledNode>) -> Typed {
        Typed { schema: Err(why), compiled, problems: Vec::new() }
    }
}

/// What medal builds by itself, so that the columns of the relation follow from those of the query.
const BUILT_IN: [&str; 6] = ["view", "table", "incremental", "ephemeral", "external", "cdc"];

/// A query is corrected and bound again at most so many times.
const ATTEMPTS: usize = 20;

/// Types one node, whose parents have been looked at.
pub fn node(
    checker: &Checker<'_>,
    binder: &mut dyn Binder,
    node: &Node,
    rendered: Option<Rendered>,
    known: &Checked,
) -> Typed {
    let stays = !node.is_test() && !node.is_ephemeral() && !checker.is_built(node);
    if let Some(schema) = stays.then(|| as_it_is(checker, binder, node)).flatten() {
        return Typed { schema: Ok(schema), compiled: None, problems: Vec::new() };
    }
    if matches!(node.kind, Kind::Seed { .. }) {
        return Typed { schema: checker.seed(node, binder), compiled: None, problems: Vec::new() };
    }
    let (compiled, asks) = match rendered {
        Some(Rendered::Sql(compiled)) => {
            let asked = checker.asked(node, Some(&compiled));
            (*compiled, checker.depends_on_data(node, &asked))
        }
        Some(Rendered::Wrong(problem)) => {
            return Typed { schema: Err(Unknown::Broken), compiled: None, problems: vec![*problem] };
        }
        Some(Rendered::Later) | None => match late(checker, node, known) {
            Ok(rendered) => rendered,
            Err(why) => return Typed::unknown(why, None),
        },
    };
    if node.materialized() == "ingest" && checker.builds_plainly(node, &["ingest"]) {
        let schema = received::of_ingest(checker, binder, node, &compiled.sql, known);
        return Typed { schema, compiled: Some(compiled), problems: Vec::new() };
    }
    match above(node, known).or_else(|| own_materialization(checker, node)) {
        Some(why) => Typed::unknown(why, Some(compiled)),
        None => {
            let inputs = memory::inputs(&checker.request.session.manifest, node, known);
            bind(checker, binder, node, compiled, asks, inputs, known)
        }
    }
}

/// What the engine has against the query of an incremental model when its table is there, as the next run will find it.
/// Nothing if that is the query that was bound already, or if it cannot be known.
pub fn next_time(checker: &Checker<'_>, binder: &mut dyn Binder, node: &Node, known: &Checked) -> Vec<Diagnostic> {
    let (Some(session), Some(schema)) = (&checker.request.next, known.schemas.get(&node.id)) else { return Vec::new() };
    let Ok(warehouse) = checker.witness() else { return Vec::new() };
    let Ok(compiled) = compile(session, &Arc::new(warehouse), node) else { return Vec::new() };
    if known.compiled.get(&node.id).is_some_and(|first| first.sql == compiled.sql) {
        return Vec::new();
    }
    let asks = checker.depends_on_data(node, &session.asked(&node.id));
    let mut inputs = memory::inputs(&session.manifest, node, known);
    inputs.push((&node.relation, schema));
    bind(checker, binder, node, compiled, asks, inputs, known).problems
}

/// A node that is not built now: as it stands in the warehouse.
fn as_it_is(checker: &Checker<'_>, binder: &mut dyn Binder, node: &Node) -> Option<Schema> {
    let columns = checker.outside.columns(&node.relation);
    let there = !columns.is_empty() && binder.declare(&node.relation, &columns).is_ok();
    if there {
        checker.is_declared(&node.relation);
    }
    there.then_some(Schema { columns, certain: !checker.outside.has_hooks })
}

/// The nearest unknown thing that the node reads.
pub fn above(node: &Node, known: &Checked) -> Option<Unknown> {
    let unknown = |id: &String| {
        known.unknown.get(id).map(|why| match why {
            Unknown::Above(root) => root.clone(),
            _ => id.clone(),
        })
    };
    node.depends_on.iter().find_map(unknown).map(Unknown::Above)
}

/// Renders a node whose template asks for what was not known before.
fn late(checker: &Checker<'_>, node: &Node, known: &Checked) -> Result<(CompiledNode, bool), Unknown> {
    if let Some(why) = above(node, known) {
        return Err(why);
    }
    let warehouse = Arc::new(checker.witness().map_err(|error| Unknown::World(error.to_string()))?);
    let compiled = compile(&checker.request.session, &warehouse, node).map_err(|_| Unknown::Asks)?;
    let asked = checker.asked(node, Some(&compiled));
    let asks = checker.depends_on_data(node, &asked);
    Ok((compiled, asks))
}

fn own_materialization(checker: &Checker<'_>, node: &Node) -> Option<Unknown> {
    let is_own = matches!(node.kind, Kind::Model) && !checker.builds_plainly(node, &BUILT_IN);
    is_own.then(|| Unknown::Materialization(node.materialized().to_string()))
}

/// Why the engine need not be asked for the columns of a query.
fn cannot_be_bound(sql: &str) -> Option<Unknown> {
    let pivot = find_word(sql, 0, "pivot").or_else(|| find_word(sql, 0, "pivot_wider"));
    if pivot.is_some_and(|at| find_word(sql, at, "in").is_none()) {
        return Some(Unknown::Data);
    }
    reads_network(sql).then(|| Unknown::World("it reads files over the network".to_string()))
}

/// Whether a query may read a file of another host, which a check must not wait for.
fn reads_network(sql: &str) -> bool {
    let lower = sql.to_lowercase();
    let literals =
        lower.match_indices("://").filter_map(|(at, _)| lower[..at].rfind('\'').map(|quote| &lower[..quote]));
    literals.into_iter().any(|before| {
        let before = before.trim_end();
        let function = before.trim_end_matches(['(', '[']).rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
        before.ends_with("from")
            || before.ends_with("join")
            || function.is_some_and(|name| name.contains("read") || name.ends_with("_scan"))
    })
}

fn bind(
    checker: &Checker<'_>,
    binder: &mut dyn Binder,
    node: &Node,
    compiled: CompiledNode,
    asks: bool,
    inputs: Vec<(&Relation, &Schema)>,
    known: &Checked,
) -> Typed {
    let certain = node.depends_on.iter().all(|id| known.schemas.get(id).is_none_or(|schema| schema.certain));
    let memory = &checker.request.memory;
    let question = (!asks).then(|| memory.question(&compiled.sql, &inputs));
    if let Some(columns) = question.as_ref().and_then(|question| memory.find(question)) {
        let schema = leaves(checker, binder, node, columns, certain);
        return Typed { schema: Ok(schema), compiled: Some(compiled), problems: Vec::new() };
    }
    if let Some(why) = cannot_be_bound(&compiled.sql) {
        return Typed::unknown(why, Some(compiled));
    }
    if let Err(refused) = checker.declare(binder, &inputs) {
        return Typed::unknown(Unknown::World(refused.message), Some(compiled));
    }
    let mut basis = Basis { checker, node, compiled: &compiled, inputs: &inputs, certain: certain && !asks };
    let mut patched = Patched::new(&compiled.sql);
    let mut problems = Vec::new();
    let mut looked_for: Vec<Relation> = Vec::new();
    let mut corrected: Vec<usize> = Vec::new();
    // Columns by another name, and what was put in the place of them.
    let mut meant: BTreeMap<String, String> = BTreeMap::new();
    let mut is_blanked = false;
    for _ in 0..ATTEMPTS {
        let refusal = match binder.columns(&patched.text) {
            Ok(_) if asks => return Typed { problems, ..Typed::unknown(Unknown::Asks, Some(compiled)) },
            // What reads an ephemeral model holds its text, and meets the same mistake.
            Ok(_) if is_blanked || !problems.is_empty() && node.is_ephemeral() => break,
            // Below it, what the correction gives is only a guess.
            Ok(columns) if !problems.is_empty() => {
                let schema = leaves(checker, binder, node, columns, false);
                return Typed { schema: Ok(Schema { certain: false, ..schema }), compiled: Some(compiled), problems };
            }
            Ok(columns) => {
                let question = question.filter(|_| memory::reads_only(&compiled.sql, &inputs));
                question.iter().for_each(|question| memory.keep(question, &columns));
                let schema = leaves(checker, binder, node, columns, basis.certain);
                return Typed { schema: Ok(schema), compiled: Some(compiled), problems };
            }
            Err(_) if asks => return Typed::unknown(Unknown::Asks, Some(compiled)),
            Err(refusal) => refusal,
        };
        if let Refused::UnknownRelation { name } = &refusal.kind {
            let relation = relation_at(&basis, &patched.text, &refusal, name);
            let is_new = !looked_for.iter().any(|other| other.same_as(&relation));
            looked_for.push(relation.clone());
            let of_project = lock(&checker.columns).get(&relation.key()).cloned();
            if let Some(Some(columns)) = of_project.as_ref().filter(|_| is_new) {
                let schema = Schema { columns: columns.clone(), certain: true };
                if checker.declare(binder, &[(&relation, &schema)]).is_ok() {
                    continue;
                }
            }
            let columns = checker.outside.columns(&relation);
            if is_new && !columns.is_empty() && binder.declare(&relation, &columns).is_ok() {
                basis.certain &= !checker.outside.has_hooks;
                continue;
            }
            if of_project.is_some() {
                let why = Unknown::Relation(relation.render());
                return Typed { problems, ..Typed::unknown(why, Some(compiled)) };
            }
        }
        let refusal = with_candidates(refusal, node, known, &meant);
        let place = refusal.at.map(|at| patched.origin(at));
        if place.is_some_and(|place| corrected.contains(&place)) {
            break;
        }
        corrected.extend(place);
        if is_blanked && !is_about_a_name(&refusal.kind) {
            break;
        }
        let Some(problem) = finding::problem(&basis, &refusal, place) else {
            let why = Unknown::World(refusal.message.lines().next().unwrap_or_default().to_string());
            return Typed { problems, ..Typed::unknown(why, Some(compiled)) };
        };
        problems.push(problem);
        if let Some((name, column)) = column_meant(&refusal.kind) {
            meant.insert(name.to_lowercase(), column.to_string());
        }
        if !correct(&mut patched, &refusal) {
            if !blank(&mut patched, &refusal) {
                break;
            }
            is_blanked = true;
        }
    }
    Typed { schema: Err(Unknown::Broken), compiled: Some(compiled), problems }
}

/// Where the engine names no column that could be meant: what was meant by this name before, else those of all that
/// the node reads.
fn with_candidates(mut refusal: Refusal, node: &Node, known: &Checked, meant: &BTreeMap<String, String>) -> Refusal {
    if let Refused::UnknownColumn { name, candidates } = &mut refusal.kind {
        let lower = name.to_lowercase();
        candidates.retain(|candidate| candidate.to_lowercase() != lower);
        // A relation that has this very column has no other that is meant by its name.
        let schemas = node.depends_on.iter().filter_map(|id| known.schemas.get(id));
        let others = schemas.filter(|schema| schema.column(name).is_none()).flat_map(|schema| &schema.columns);
        if nearest(&lower, candidates.iter().map(String::as_str)).is_none() {
            let before = meant.get(&lower).map(String::as_str);
            let near = before.or_else(|| nearest(&lower, others.map(|column| column.name.as_str())));
            candidates.extend(near.map(str::to_string));
        }
    }
    refusal
}

/// An unknown column, and the one that was meant.
fn column_meant(kind: &Refused) -> Option<(&str, &str)> {
    let Refused::UnknownColumn { name, candidates } = kind else { return None };
    Some((name, nearest(&name.to_lowercase(), candidates.iter().map(String::as_str))?))
}

/// Puts the name that was meant in the place of a misspelt one, so that the engine goes on.
fn correct(patched: &mut Patched, refusal: &Refusal) -> bool {
    let Some(at) = refusal.at else { return false };
    match &refusal.kind {
        kind @ Refused::UnknownColumn { .. } => {
            column_meant(kind).is_some_and(|(name, meant)| patched.replace(at, name, &identifier(meant)))
        }
        Refused::UnknownFunction { name, nearest: Some(meant) }
        | Refused::UnknownType { name, nearest: Some(meant) } => patched.replace(at, name, meant),
        // The first of the ways to write it is as good as any.
        Refused::AmbiguousColumn { name, candidates } => {
            candidates.first().is_some_and(|meant| patched.replace(at, name, meant))
        }
        _ => false,
    }
}

/// Puts null in the place of what nobody knows, so that the engine goes on to other names that are wrong.
fn blank(patched: &mut Patched, refusal: &Refusal) -> bool {
    let Some(at) = refusal.at else { return false };
    match &refusal.kind {
        Refused::UnknownColumn { name, .. } => patched.blank_column(at, name),
        Refused::UnknownFunction { name, .. } => patched.blank_call(at, name),
        Refused::UnknownType { name, .. } => patched.replace(at, name, "varchar"),
        Refused::Type => refusal.call().is_some_and(|(function, _)| patched.blank_call(at, function)),
        _ => false,
    }
}

/// Whether a refusal would be the same if something else in the query had another type.
fn is_about_a_name(kind: &Refused) -> bool {
    matches!(kind, Refused::UnknownColumn { .. } | Refused::UnknownFunction { .. } | Refused::UnknownType { .. })
}

/// The columns that the relation of a node has after a run.
fn leaves(checker: &Checker<'_>, binder: &mut dyn Binder, node: &Node, columns: Vec<Column>, certain: bool) -> Schema {
    let mut schema = match node.materialized() {
        "cdc" => received::of_events(checker, node, columns, certain),
        _ => Schema { columns, certain },
    };
    let is_snapshot = matches!(node.kind, Kind::Snapshot);
    if is_snapshot || ["table", "incremental", "cdc"].contains(&node.materialized()) {
        schema.columns.iter_mut().for_each(|column| column.data_type = binder.stored_type(&column.data_type));
    }
    if is_snapshot {
        add_snapshot_columns(node, &mut schema);
    }
    // What is there already keeps its columns.
    if is_snapshot || ["incremental", "cdc"].contains(&node.materialized()) {
        for column in checker.outside.columns(&node.relation) {
            if schema.column(&column.name).is_none() {
                schema.columns.push(column);
            }
        }
    }
    schema
}

/// The columns that a snapshot has besides those of its query.
/// Source: <https://docs.getdbt.com/docs/build/snapshots#snapshot-meta-fields>.
fn add_snapshot_columns(node: &Node, schema: &mut Schema) {
    let names = ["snapshot_table_column_names", "snapshot_meta_column_names"];
    let name = |field: &str| {
        let given = names.iter().find_map(|key| node.config.get(key)?.get(field)?.as_str());
        given.unwrap_or(field).to_string()
    };
    let updated_at = node.config.text("updated_at").and_then(|name| schema.column(name));
    let time = updated_at.map_or("TIMESTAMP".to_string(), |column| column.data_type.clone());
    schema.certain &= updated_at.is_some();
    let mut add = |field: &str, data_type: &str| {
        schema.columns.push(Column { name: name(field), data_type: data_type.to_string() });
    };
    add("dbt_scd_id", "VARCHAR");
    ["dbt_updated_at", "dbt_valid_from", "dbt_valid_to"].into_iter().for_each(|field| add(field, &time));
    if node.config.text("hard_deletes") == Some("new_record") {
        add("dbt_is_deleted", "VARCHAR");
    }
}

/// The relation whose name stands where the engine did not find it.
fn relation_at(basis: &Basis<'_>, text: &str, refusal: &Refusal, name: &str) -> Relation {
    let target = &basis.checker.request.session.project.target;
    let parts = refusal.at.map_or_else(Vec::new, |at| name_parts(text.get(at..).unwrap_or_default()));
    match parts.as_slice() {
        [database, schema, name] => Relation::new(database, schema, name),
        [schema, name] => Relation::new(&target.database, schema, name),
        [name] => Relation::new(&target.database, "main", name),
        _ => Relation::new(&target.database, "main", name),
    }
}
