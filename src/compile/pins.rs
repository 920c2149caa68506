//! Turns the patterns of files that a query reads into the files that were there when the run first asked, so that all
//! models of a run read the same ones; and tells whether one of them has changed since.
//!
//! Only models of layers are held to that, and no views: those read what is there whenever somebody reads them.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use fancy_regex::{Captures, Regex};

use crate::adapter::AdapterError;
use crate::adapter::relation::literal;
use crate::adapter::rows::Cell;
use crate::compile::landing;
use crate::compile::place::offset_of;
use crate::compile::session::{Session, Warehouse};
use crate::diagnostic::code::Code;
use crate::jinja::{ErrorKind, HostError};
use crate::manifest::Node;
use crate::sql::texts;

const TEXT: &str = "'(?:[^']|'')*'";

/// A function that reads files: the call up to its first argument, and that argument, a text or a list of texts.
static CALL: LazyLock<Regex> = LazyLock::new(|| {
    let name =
        r"read_(?:csv|json|ndjson)(?:_auto)?|read_(?:json|ndjson)_objects|read_(?:parquet|avro|text|blob)|parquet_scan";
    regex(&format!(r"(?i)\b((?:{name})\(\s*)({TEXT}|\[\s*{TEXT}(?:\s*,\s*{TEXT})*\s*\])"))
});

static TEXTS: LazyLock<Regex> = LazyLock::new(|| regex(TEXT));

/// What reads files with such a name in the place of a table.
const READERS: [(&str, &str); 7] = [
    (".avro", "read_avro"),
    (".csv", "read_csv_auto"),
    (".tsv", "read_csv_auto"),
    (".json", "read_json_auto"),
    (".jsonl", "read_json_auto"),
    (".ndjson", "read_json_auto"),
    (".parquet", "read_parquet"),
];

/// Name, size and time of a file.
type File = [String; 3];

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is valid")
}

/// The files of a query, pinned.
#[derive(Debug, Default)]
pub struct Pinned {
    /// The query, with files in the place of patterns.
    pub sql: String,
    /// The names and patterns that stood in it.
    pub places: Vec<String>,
}

/// Whether the query of a node reads the files that its run has pinned: that of a model of a layer, or of a test of what
/// such a model is or reads.
pub fn is_pinned(session: &Session, node: &Node) -> bool {
    let manifest = &session.manifest;
    let has_layer = |id: &str| manifest.node(id).is_some_and(|node| node.layer.is_some());
    let is_in_layer = match node.is_test() {
        true => node.depends_on.iter().any(|id| has_layer(id) || manifest.graph.children(id).any(has_layer)),
        false => node.layer.is_some(),
    };
    session.project.layers.enforced && is_in_layer && !["view", "ingest"].contains(&node.materialized())
}

/// Pins the files that a query reads.
///
/// # Errors
/// What the engine says if it cannot list them.
pub fn pin(session: &Session, warehouse: &Warehouse, sql: &str) -> Result<Pinned, AdapterError> {
    let mut places: Vec<String> = Vec::new();
    let mut problem = None;
    let sql = rewritten(sql, |place| {
        let found = files(session, warehouse, place).unwrap_or_else(|error| {
            problem.get_or_insert(error);
            Vec::new()
        });
        if !found.is_empty() && !places.iter().any(|known| known == place) {
            places.push(place.to_string());
        }
        found.into_iter().map(|[name, ..]| name).collect()
    });
    match problem {
        Some(problem) => Err(problem),
        None => Ok(Pinned { sql, places }),
    }
}

/// A query with the files that a place has in the place of its pattern. What finds nothing stays, so that the engine says
/// so in its own words.
fn rewritten(sql: &str, mut listed: impl FnMut(&str) -> Vec<String>) -> String {
    let mut pinned = |place: &str| {
        // Within a text there is another quote after the first.
        let names = if place.is_empty() { Vec::new() } else { listed(place) };
        let is_pattern = place.contains(['*', '?', '[', '{']);
        if is_pattern { names.iter().map(|name| literal(name)).collect() } else { Vec::new() }
    };
    let sql = CALL.replace_all(sql, |call: &Captures<'_, str>| {
        let texts: Vec<&str> = TEXTS.find_iter(&call[2]).filter_map(Result::ok).map(|text| text.as_str()).collect();
        let found: Vec<Vec<String>> = texts.iter().map(|text| pinned(&unquoted(text))).collect();
        if found.iter().all(Vec::is_empty) {
            return call[0].to_string();
        }
        let or_itself = |(text, names): (&&str, Vec<String>)| match names.is_empty() {
            true => vec![text.to_string()],
            false => names,
        };
        let names: Vec<String> = texts.iter().zip(found).flat_map(or_itself).collect();
        format!("{}[{}]", &call[1], names.join(", "))
    });
    let mut sql = sql.into_owned();
    for range in tables(&sql).into_iter().rev() {
        let place = unquoted(&sql[range.clone()]);
        let name = place.to_lowercase();
        let name = [".gz", ".zst"].into_iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
        let Some((_, reader)) = READERS.into_iter().find(|(end, _)| name.ends_with(end)) else { continue };
        let names = pinned(&place);
        if !names.is_empty() {
            sql.replace_range(range, &format!("{reader}([{}])", names.join(", ")));
        }
    }
    sql
}

/// Where texts stand in the place of a table, in their order.
fn tables(sql: &str) -> Vec<Range<usize>> {
    let starts = texts::tables(sql).into_iter().filter_map(|place| offset_of(sql, place.into()));
    let text =
        |start| TEXTS.find_from_pos(sql, start).ok()?.map(|text| text.range()).filter(|text| text.start == start);
    starts.filter_map(text).collect()
}

/// Refuses to go on if a file that this run has pinned is another one now.
///
/// # Errors
/// Which file has changed, or what the engine says if it cannot tell.
pub fn check(session: &Session, warehouse: &Warehouse, places: &[String]) -> Result<(), HostError> {
    let failed = |error: AdapterError| HostError { kind: ErrorKind::Database, message: error.to_string(), help: None };
    for place in places {
        let now: BTreeSet<File> = list(warehouse, place).map_err(failed)?.into_iter().collect();
        let pinned = files(session, warehouse, place).map_err(failed)?;
        if let Some([name, ..]) = pinned.iter().find(|file| !now.contains(*file)) {
            return Err(HostError {
                kind: ErrorKind::Refused(Code::ChangedFile),
                message: format!("`{name}` has changed since this run began to read it"),
                help: Some("build once more; let corrections land under new names".to_string()),
            });
        }
    }
    Ok(())
}

/// The files of a place as the run has seen them first.
fn files(session: &Session, warehouse: &Warehouse, place: &str) -> Result<Vec<File>, AdapterError> {
    // What is on the web has no listing.
    if place.starts_with("http://") || place.starts_with("https://") {
        return Ok(Vec::new());
    }
    let text = |all: Vec<File>| serde_json::to_string(&all).unwrap_or_default();
    let listed = session.pinned(&format!("files {place}"), || list(warehouse, place).map(text))?;
    Ok(serde_json::from_str(&listed).unwrap_or_default())
}

/// The files of a place as they are now.
fn list(warehouse: &Warehouse, place: &str) -> Result<Vec<File>, AdapterError> {
    Ok(landing::found(warehouse, place)?.iter().map(|file| file.each_ref().map(Cell::text)).collect())
}

fn unquoted(text: &str) -> String {
    text[1..text.len() - 1].replace("''", "'")
}

#[cfg(test)]
mod tests {
    use super::rewritten;

    /// A query with `in/*` as the files `in/a.csv` and `in/it's.csv`; and the places that were asked for.
    fn with_two_files(sql: &str) -> (String, Vec<String>) {
        let mut asked = Vec::new();
        let sql = rewritten(sql, |place| {
            asked.push(place.to_string());
            let names = if place.starts_with("in/") { vec!["in/a.csv", "in/it's.csv"] } else { Vec::new() };
            names.into_iter().map(str::to_string).collect()
        });
        (sql, asked)
    }

    #[test]
    fn patterns_become_lists_of_files() {
        let files = "['in/a.csv', 'in/it''s.csv']";
        for (sql, becomes) in [
            (
                "select * from READ_CSV( 'in/*.csv', header = true)",
                format!("select * from READ_CSV( {files}, header = true)"),
            ),
            ("from read_parquet(['in/*.csv'])", format!("from read_parquet({files})")),
            (
                "from parquet_scan(['b.csv', 'in/[ab].csv'])",
                format!("from parquet_scan(['b.csv', {}", &files[1..]) + ")",
            ),
            (
                "from 'in/*.csv' as o join 'in/?.json.gz'",
                format!("from read_csv_auto({files}) as o join read_json_auto({files})"),
            ),
            (
                "select * from orders as o,\n 'in/*.TSV.zst' as n where n.id in ('a', 'in/*.csv')",
                format!("select * from orders as o,\n read_csv_auto({files}) as n where n.id in ('a', 'in/*.csv')"),
            ),
        ] {
            assert_eq!(with_two_files(sql).0, becomes);
        }
    }

    #[test]
    fn names_and_what_finds_nothing_stay() {
        for (sql, asked) in [
            ("select * from read_csv('in/a.csv')", vec!["in/a.csv"]),
            ("select * from read_csv('out/*.csv')", vec!["out/*.csv"]),
            ("from read_json(['in/a.csv', 'out/it''s/*.csv'])", vec!["in/a.csv", "out/it's/*.csv"]),
            ("select 'read_csv(''in/*.csv'')', substring('a*' from 2), my_read_csv('in/*.csv') from orders", vec![]),
        ] {
            assert_eq!(with_two_files(sql), (sql.to_string(), asked.into_iter().map(str::to_string).collect()));
        }
    }
}
