//! Turns what DuckDB reads and the parser does not into SQL that has the same lineage: `pivot` and `unpivot`, samples,
//! list comprehensions, `asof` joins. Places are lost on the way, so it is tried only where the parser gives up.

use sqlparser::dialect::DuckDbDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// A token, or what stands between brackets.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Word(String),
    Group(char, Vec<Piece>),
}

/// A query that gives the same columns, made of the same ones.
pub fn plainer(sql: &str) -> Option<String> {
    let tokens = Tokenizer::new(&DuckDbDialect {}, sql).tokenize().ok()?;
    let mut words = tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_) | Token::SemiColon));
    let pieces = tree(&mut words);
    Some(text(&rewritten(pieces)))
}

fn tree<'t>(tokens: &mut impl Iterator<Item = &'t Token>) -> Vec<Piece> {
    let mut pieces = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            Token::LParen => pieces.push(Piece::Group('(', tree(tokens))),
            Token::LBracket => pieces.push(Piece::Group('[', tree(tokens))),
            Token::LBrace => pieces.push(Piece::Group('{', tree(tokens))),
            Token::RParen | Token::RBracket | Token::RBrace => break,
            other => pieces.push(Piece::Word(other.to_string())),
        }
    }
    pieces
}

fn text(pieces: &[Piece]) -> String {
    let shown = pieces.iter().map(|piece| match piece {
        Piece::Word(word) => word.clone(),
        Piece::Group('[', inner) => format!("[{}]", text(inner)),
        Piece::Group('{', inner) => format!("{{{}}}", text(inner)),
        Piece::Group(_, inner) => format!("({})", text(inner)),
    });
    // A dot binds the names on both of its sides.
    shown.collect::<Vec<_>>().join(" ").replace(" . ", ".")
}

fn is(piece: Option<&Piece>, word: &str) -> bool {
    matches!(piece, Some(Piece::Word(found)) if found.eq_ignore_ascii_case(word))
}

fn place(pieces: &[Piece], word: &str) -> Option<usize> {
    (0..pieces.len()).find(|at| is(pieces.get(*at), word))
}

fn words(sql: &str) -> Vec<Piece> {
    sql.split_whitespace().map(|word| Piece::Word(word.to_string())).collect()
}

fn rewritten(pieces: Vec<Piece>) -> Vec<Piece> {
    let inner = |piece| match piece {
        Piece::Group(kind, inner) => Piece::Group(kind, rewritten(inner)),
        word => word,
    };
    let pieces: Vec<Piece> = pieces.into_iter().map(inner).collect();
    let pieces = simpler(&pieces);
    let pieces = if place(&pieces, "select").is_some() { names_last(&pieces) } else { pieces };
    let pieces = pivot_statement(&pieces).unwrap_or(pieces);
    let mut pieces = pivot_of_relation(&pieces).unwrap_or(pieces);
    if let (None, Some(from)) = (place(&pieces, "select"), place(&pieces, "from").filter(|_| is_query(&pieces))) {
        pieces.splice(from..from, words("select *"));
    }
    pieces
}

/// Whether pieces begin as a query does: `extract(year from day)` is none.
fn is_query(pieces: &[Piece]) -> bool {
    is(pieces.first(), "from") || is(pieces.first(), "with")
}

/// Leaves out what does not matter, and writes in other words what the parser does not know.
fn simpler(pieces: &[Piece]) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        let here = &pieces[at..];
        let (first, second) = (here.first(), here.get(1));
        at += match first {
            _ if is(first, "using") && is(second, "sample") => here.len(),
            _ if is(first, "tablesample") => {
                2 + usize::from(matches!(here.get(2), Some(Piece::Group(..)))) + usize::from(is(here.get(2), "%"))
            }
            _ if is(first, "asof") => 1,
            _ if is(first, "not") && is(second, "materialized") => 2,
            _ if is(first, "materialized") && is(out.last(), "as") => 1,
            _ if (is(first, "ignore") || is(first, "respect")) && is(second, "nulls") => 2,
            _ if is(first, "%") && pieces[..at].iter().rev().nth(1).is_some_and(|it| is(Some(it), "limit")) => 1,
            Some(Piece::Group('[', inner)) => {
                out.push(comprehension(inner).unwrap_or_else(|| here[0].clone()));
                1
            }
            Some(Piece::Group(_, inner)) if is(out.last(), "filter") && !is(inner.first(), "where") => {
                out.push(Piece::Group('(', words("where").into_iter().chain(inner.clone()).collect()));
                1
            }
            Some(Piece::Group(_, inner)) if is(out.last(), "columns") && is(inner.first(), "*") && inner.len() > 1 => {
                out.pop();
                out.extend(inner.iter().cloned());
                1
            }
            _ => {
                out.push(here[0].clone());
                1
            }
        };
    }
    out
}

/// `name: expression` in a list as `expression as name`.
fn names_last(pieces: &[Piece]) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::new();
    let mut name: Option<&Piece> = None;
    let ends = |piece: &Piece| [",", "from", "where", "union"].iter().any(|word| is(Some(piece), word));
    for (at, piece) in pieces.iter().enumerate() {
        let begins = at == 0 || ["select", "distinct", ","].iter().any(|word| is(pieces.get(at - 1), word));
        match piece {
            Piece::Word(_) if begins && is(pieces.get(at + 1), ":") => name = Some(piece),
            _ if is(Some(piece), ":") && name.is_some() => {}
            _ => {
                if let Some(name) = name.take_if(|_| ends(piece)) {
                    out.extend([Piece::Word("as".to_string()), name.clone()]);
                }
                out.push(piece.clone());
            }
        }
    }
    if let Some(name) = name {
        out.extend([Piece::Word("as".to_string()), name.clone()]);
    }
    out
}

/// `[f(x) for x in list if p(x)]` as a call with lambdas.
fn comprehension(inner: &[Piece]) -> Option<Piece> {
    let from = place(inner, "for")?;
    let list = from + 1 + place(&inner[from + 1..], "in")?;
    let condition = place(&inner[list..], "if").map(|at| list + at);
    let parameter = inner.get(from + 1)?.clone();
    let lambda = |body: &[Piece]| {
        [parameter.clone(), Piece::Word("->".to_string()), Piece::Group('(', body.to_vec())].into_iter()
    };
    let mut arguments = inner[list + 1..condition.unwrap_or(inner.len())].to_vec();
    for body in [Some(&inner[..from]), condition.map(|at| &inner[at + 1..])].into_iter().flatten() {
        arguments.push(Piece::Word(",".to_string()));
        arguments.extend(lambda(body));
    }
    Some(Piece::Group('(', words("list_transform").into_iter().chain([Piece::Group('(', arguments)]).collect()))
}

/// `pivot t on … using …` and `unpivot t on … into name n value v`, perhaps behind a `with`.
fn pivot_statement(pieces: &[Piece]) -> Option<Vec<Piece>> {
    let start = place(pieces, "pivot").or_else(|| place(pieces, "unpivot"))?;
    let stands_first = start == 0 || (is(pieces.first(), "with") && matches!(pieces[start - 1], Piece::Group(..)));
    let on = start + place(&pieces[start..], "on")?;
    if !stands_first {
        return None;
    }
    let (relation, rest) = (&pieces[start + 1..on], &pieces[on + 1..]);
    let made = match is(pieces.get(start), "pivot") {
        true => pivoted(relation, rest)?,
        false => {
            let into = place(rest, "into")?;
            let value = place(rest, "value")?;
            let names = [rest.get(into + 2..value)?, rest.get(value + 1..)?];
            unpivoted(relation, names, &rest[..into])
        }
    };
    Some(pieces[..start].iter().cloned().chain(made).collect())
}

/// `t pivot (…)` and `t unpivot (…)` in a `from`.
fn pivot_of_relation(pieces: &[Piece]) -> Option<Vec<Piece>> {
    let at = place(pieces, "unpivot").or_else(|| place(pieces, "pivot")).filter(|at| *at > 0)?;
    let begins = |piece: &Piece| ["from", "join", ","].iter().any(|word| is(Some(piece), word));
    let from = pieces[..at].iter().rposition(begins)? + 1;
    let skipped = if is(pieces.get(at + 2), "nulls") { 3 } else { 1 };
    let Some(Piece::Group(_, inner)) = pieces.get(at + skipped) else { return None };
    let relation = &pieces[from..at];
    let key = place(inner, "for")?;
    let made = match is(pieces.get(at), "unpivot") {
        true => {
            let list = place(inner, "in")?;
            let Some(Piece::Group(_, columns)) = inner.get(list + 1) else { return None };
            unpivoted(relation, [&inner[key + 1..list], &inner[..key]], columns)
        }
        false => {
            let (group, keys) = match place(inner, "group") {
                Some(group) => (&inner[group..], &inner[key + 1..group]),
                None => (&[][..], &inner[key + 1..]),
            };
            let rest: Vec<Piece> =
                [keys, &words("using")[..], &inner[..key], group].into_iter().flatten().cloned().collect();
            pivoted(relation, &rest)?
        }
    };
    let mut out = pieces[..from].to_vec();
    out.push(Piece::Group('(', made));
    out.extend(pieces[at + skipped + 1..].iter().cloned());
    // Whatever follows may hold another.
    Some(pivot_of_relation(&out).unwrap_or(out))
}

/// The columns that stay, then the name, then the values: each made of all columns that it can be.
fn unpivoted(relation: &[Piece], [name, value]: [&[Piece]; 2], columns: &[Piece]) -> Vec<Piece> {
    let columns: Vec<Piece> = columns
        .iter()
        .flat_map(|piece| match piece {
            Piece::Group(_, inner) => [inner.clone(), words(",")].concat(),
            other => vec![other.clone()],
        })
        .collect();
    // Aliases name rows, and a comma may now stand twice.
    let mut names: Vec<Piece> = Vec::new();
    let mut parts = columns.iter();
    while let Some(piece) = parts.next() {
        match piece {
            _ if is(Some(piece), "as") => drop(parts.next()),
            Piece::Word(word) if word != "," => names.push(Piece::Word(unquoted(word))),
            _ => {}
        }
    }
    let mut listed: Vec<Piece> = Vec::new();
    for name in names {
        if !listed.is_empty() {
            listed.push(Piece::Word(",".to_string()));
        }
        listed.push(name);
    }
    let values = match value {
        [Piece::Group(_, inner)] => inner.clone(),
        plain => plain.to_vec(),
    };
    let mut out = words("select * exclude");
    out.push(Piece::Group('(', listed.clone()));
    out.extend(words(", '' as"));
    out.extend(name.iter().cloned());
    for name in values.iter().filter(|piece| !is(Some(piece), ",")) {
        out.extend(words(", coalesce"));
        out.push(Piece::Group('(', listed.clone()));
        out.extend([Piece::Word("as".to_string()), name.clone()]);
    }
    out.push(Piece::Word("from".to_string()));
    out.extend(relation.iter().cloned());
    out
}

/// A text between single quotes that stands for a column.
fn unquoted(word: &str) -> String {
    match word.strip_prefix('\'').and_then(|word| word.strip_suffix('\'')) {
        Some(name) => format!("\"{name}\""),
        None => word.to_string(),
    }
}

/// The groups, then for each value of the keys each of the aggregates over the rows that have it.
fn pivoted(relation: &[Piece], rest: &[Piece]) -> Option<Vec<Piece>> {
    let using = place(rest, "using")?;
    let group = place(rest, "group").unwrap_or(rest.len());
    let (keys, aggregates) = (&rest[..using], rest.get(using + 1..group)?);
    let lists = keys.iter().enumerate().filter(|(at, _)| *at > 0 && is(keys.get(at - 1), "in"));
    let values: usize = lists
        .map(|(_, list)| match list {
            Piece::Group(_, inner) => inner.split(|piece| is(Some(piece), ",")).count(),
            Piece::Word(_) => 1,
        })
        .product();
    let names: Vec<Piece> = keys
        .iter()
        .enumerate()
        .filter(|(at, _)| is(keys.get(at + 1), "in"))
        .flat_map(|(_, key)| match key {
            Piece::Group(_, inner) => inner.clone(),
            word => vec![word.clone()],
        })
        .collect();
    let groups = rest.get(group + 2..).unwrap_or_default();
    // Without groups they are the columns that are left, which only the engine can tell.
    if groups.is_empty() || names.is_empty() {
        return None;
    }
    let mut out = words("select");
    out.extend(groups.iter().cloned());
    for _ in 0..values {
        for aggregate in aggregates.split(|piece| is(Some(piece), ",")) {
            let end = place(aggregate, "as").unwrap_or(aggregate.len());
            out.push(Piece::Word(",".to_string()));
            out.extend(aggregate[..end].iter().cloned());
            out.extend(words("filter"));
            let mut condition = words("where true");
            for name in &names {
                condition.extend(words("and"));
                condition.extend([name.clone()]);
                condition.extend(words("is not null"));
            }
            out.push(Piece::Group('(', condition));
        }
    }
    out.push(Piece::Word("from".to_string()));
    out.extend(relation.iter().cloned());
    out.extend(words("group by"));
    out.extend(groups.iter().cloned());
    Some(out)
}
