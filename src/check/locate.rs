//! Turns an engine's complaint into the byte of the query that it is about, where the engine tells none or a rough one.

use crate::adapter::binder::{Refusal, Refused};
use crate::check::inputs::Inputs;
use crate::check::patch::{find_word, only_word};
use crate::compile::place::offset_of;
use crate::sql::lineage::uneven_part;
use crate::sql::names::second;

/// The place of a complaint. `at` is where the engine says it is, `name` what it is about.
pub fn locate(
    sql: &str,
    refusal: &Refusal,
    at: Option<usize>,
    name: Option<&str>,
    inputs: &Inputs<'_>,
) -> Option<usize> {
    match (at, name) {
        // The engine points at `t.colum`: the mark belongs under `colum`.
        (Some(at), Some(name)) => find_word(sql, at, name).filter(|word| word - at < 100).or(Some(at)),
        (Some(at), None) => {
            let member = member(&refusal.message).and_then(|name| find_member(sql, at, name));
            member.filter(|member| member - at < 100).or(Some(at))
        }
        (None, Some(name)) => only_word(sql, name),
        (None, None) if refusal.kind == Refused::Union => {
            let words = ["union", "except", "intersect"].iter().find_map(|word| only_word(sql, word));
            words.or_else(|| uneven_part(sql, inputs).and_then(|at| offset_of(sql, at.into())))
        }
        (None, None) => operator(sql, refusal)
            .or_else(|| find_member(sql, 0, member(&refusal.message)?))
            .or_else(|| offset_of(sql, second(sql, shared_alias(&refusal.message)?)?.into()))
            // What the message quotes or writes in capital letters may stand in the query once.
            .or_else(|| message_words(&refusal.message).find_map(|word| only_word(sql, word))),
    }
}

/// Operators that the engine calls by the names of functions.
fn operator(sql: &str, refusal: &Refusal) -> Option<usize> {
    let (function, _) = refusal.call()?;
    let operators = [("json_extract", "->"), ("json_extract_string", "->>")];
    let (_, operator) = operators.into_iter().find(|(name, _)| *name == function)?;
    let mut places =
        sql.match_indices("->").map(|(at, _)| at).filter(|at| sql[*at..].starts_with("->>") == (operator == "->>"));
    let first = places.next().filter(|_| find_word(sql, 0, function).is_none());
    first.filter(|_| places.next().is_none())
}

/// The member that a struct does not have.
fn member(message: &str) -> Option<&str> {
    let of_duckdb = message.split_once("Could not find key \"").and_then(|(_, rest)| rest.split('"').next());
    let of_datafusion = || message.split_once("Field ")?.1.strip_suffix(" not found in struct");
    of_duckdb.or_else(of_datafusion)
}

/// Where `.name` or `['name']` stands.
fn find_member(sql: &str, from: usize, name: &str) -> Option<usize> {
    let mut from = from;
    while let Some(at) = find_word(sql, from, name) {
        if sql[..at].trim_end_matches('"').ends_with('.') || sql[..at].ends_with("['") {
            return Some(at);
        }
        from = at + name.len();
    }
    None
}

/// The name that two relations of one select have.
fn shared_alias(message: &str) -> Option<&str> {
    let of_duckdb = message.split_once("duplicate alias \"").and_then(|(_, rest)| rest.split('"').next());
    let of_datafusion = || {
        let (_, field) = message.split_once("duplicate qualified field name ")?;
        field.rsplit('.').nth(1)
    };
    of_duckdb.or_else(of_datafusion)
}

/// The words of a message that may be words of the query: what it quotes, and names of functions.
fn message_words(message: &str) -> impl Iterator<Item = &str> {
    let said = message.split_once(" Error: ").map_or(message, |(_, said)| said);
    let quoted = said.split(['"', '\'']).skip(1).step_by(2);
    let capital =
        |word: &&str| word.len() > 2 && *word != "SELECT" && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    quoted.chain(said.split_whitespace().filter(capital))
}

#[cfg(test)]
mod tests {
    use super::{find_member, member, shared_alias};

    #[test]
    fn members_and_aliases_are_read_from_what_engines_say() {
        assert_eq!(member("Binder Error: Could not find key \"y\" in struct\n\nCandidate Entries: \"x\""), Some("y"));
        assert_eq!(member("Binder Error: Field y not found in struct"), Some("y"));
        assert_eq!(shared_alias("Schema contains duplicate qualified field name a.id"), Some("a"));
        assert_eq!(find_member("select 'y' as y, s.y as z", 0, "y"), Some(19));
    }
}
