//! Turns the name of a relation that nobody has into the way out: the relation that was meant.

use crate::check::Checker;
use crate::diagnostic::nearest;
use crate::manifest::Manifest;
use crate::sql::names::common_tables;

/// What to write instead of a name, which is given part by part. The first that is near: a common table expression of the
/// query, what the project builds or declares, what stands in the warehouse.
pub fn way_out(checker: &Checker<'_>, sql: &str, parts: &[String]) -> String {
    let usual = "models are read with `ref()`, tables that others load with `source()`".to_string();
    let Some((name, before)) = parts.split_last() else { return usual };
    let (name, schema) = (name.to_lowercase(), before.last());
    let tables = if schema.is_none() { common_tables(sql) } else { Vec::new() };
    if let Some(near) = nearest(&name, tables.iter().map(String::as_str)) {
        return format!("did you mean `{near}`?");
    }
    let known = of_project(&checker.request.session.manifest, schema);
    if let Some(near) = nearest(&name, known.iter().map(|(known, _)| known.as_str()))
        && let Some((_, call)) = known.iter().find(|(known, _)| known == near)
    {
        return format!("did you mean `{near}`? read it with `{call}`");
    }
    let there: Vec<String> = checker
        .outside
        .relations()
        .into_iter()
        .filter(|relation| is_in(relation.schema.as_ref(), schema))
        .filter_map(|relation| relation.identifier)
        .collect();
    match nearest(&name, there.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`? {usual}"),
        None => usual,
    }
}

fn is_in(own: Option<&String>, schema: Option<&String>) -> bool {
    schema.is_none_or(|schema| own.is_some_and(|own| own.eq_ignore_ascii_case(schema)))
}

/// The relations of the project, each with the call that reads it.
fn of_project(manifest: &Manifest, schema: Option<&String>) -> Vec<(String, String)> {
    let nodes = manifest.nodes.values().filter(|node| node.is_refable() && !node.is_ephemeral());
    let nodes = nodes.map(|node| (&node.relation, format!("ref('{}')", node.name)));
    let sources = manifest.sources.values();
    let sources =
        sources.map(|source| (&source.relation, format!("source('{}', '{}')", source.source_name, source.name)));
    let known = nodes.chain(sources).filter(|(relation, _)| is_in(relation.schema.as_ref(), schema));
    known.filter_map(|(relation, call)| Some((relation.identifier.clone()?, call))).collect()
}
