//! What the columns of a query can come from, and how a name finds its column.

use std::rc::Rc;

use crate::sql::lineage::{Null, Origin, Output, Uses};

/// The result of a query or of a part of it.
#[derive(Debug, Clone, Default)]
pub struct Table {
    pub columns: Vec<Output>,
    /// What decides the rows of all columns.
    pub rows: Uses,
}

impl Table {
    /// The columns, each with what decides its rows.
    pub fn outputs(self) -> Vec<Output> {
        let rows = self.rows;
        let with_rows = |mut column: Output| {
            column.uses.add_indirectly(&rows);
            column
        };
        self.columns.into_iter().map(with_rows).collect()
    }
}

/// One item of a `from`.
#[derive(Debug, Clone)]
pub struct Source {
    /// The alias, else the name, in lower case; the parts of a name that has more.
    pub names: Vec<String>,
    pub columns: Columns,
}

#[derive(Debug, Clone)]
pub enum Columns {
    Known(Vec<Output>),
    /// A relation whose columns nobody knows.
    Unknown(String),
    /// A table function: every column is made of its arguments.
    Made(Uses),
}

impl Source {
    pub fn column(&self, name: &str) -> Option<Uses> {
        self.output(name).map(|column| column.uses.clone())
    }

    fn output(&self, name: &str) -> Option<&Output> {
        let lower = name.to_lowercase();
        match &self.columns {
            Columns::Known(columns) => columns.iter().find(|column| column.name.to_lowercase() == lower),
            Columns::Unknown(_) | Columns::Made(_) => None,
        }
    }

    /// Changes every column that is known.
    pub fn each(&mut self, change: impl FnMut(&mut Output)) {
        if let Columns::Known(columns) = &mut self.columns {
            columns.iter_mut().for_each(change);
        }
    }

    /// A column that is there only if nothing else has it.
    pub fn assumed(&self, name: &str) -> Option<Uses> {
        let of = |relation: &String| Origin { relation: relation.clone(), column: name.to_string() };
        match &self.columns {
            Columns::Known(columns) => columns.iter().find(|column| column.is_rest()).map(|rest| {
                let direct = rest.uses.direct.iter().map(|origin| of(&origin.relation)).collect();
                Uses { direct, ..rest.uses.clone() }
            }),
            Columns::Made(uses) => Some(uses.clone()),
            Columns::Unknown(relation) => Some(Uses { direct: [of(relation)].into(), ..Uses::default() }),
        }
    }

    /// Whether it has columns that nobody knows.
    pub fn has_rest(&self) -> bool {
        matches!(&self.columns, Columns::Known(columns) if columns.iter().any(Output::is_rest))
    }

    fn is_called(&self, parts: &[String]) -> bool {
        let known = self.names.len();
        parts.len() <= known && self.names[known - parts.len()..] == *parts
    }
}

/// Everything that a name can mean at one place.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Common table expressions by name in lower case, the innermost last.
    pub ctes: Vec<(String, Rc<Table>)>,
    pub sources: Vec<Source>,
    /// Columns that `using` has made one of two.
    pub merged: Vec<Output>,
    /// Columns of the same `select`, which other parts of it may name.
    pub aliases: Vec<Output>,
    /// The query around a subquery.
    pub outer: Option<Rc<Scope>>,
}

impl Scope {
    pub fn cte(&self, name: &str) -> Option<Rc<Table>> {
        let lower = name.to_lowercase();
        self.ctes.iter().rev().find(|(known, _)| *known == lower).map(|(_, table)| table.clone())
    }

    /// What a name of one or more parts stands for; nothing if it is no column.
    pub fn resolve(&self, parts: &[String]) -> Option<Uses> {
        self.own(parts).or_else(|| self.outer.as_ref().and_then(|outer| outer.resolve(parts)))
    }

    fn own(&self, parts: &[String]) -> Option<Uses> {
        let lower: Vec<String> = parts.iter().map(|part| part.to_lowercase()).collect();
        // `relation.column`, maybe with fields of a struct behind it.
        for length in (1..parts.len()).rev() {
            let called = self.sources.iter().find(|source| source.is_called(&lower[..length]));
            let column =
                called.and_then(|source| source.column(&parts[length]).or_else(|| source.assumed(&parts[length])));
            if column.is_some() {
                return column;
            }
        }
        let name = parts.first()?;
        let merged = self.merged.iter().find(|column| column.name.to_lowercase() == lower[0]);
        merged
            .map(|column| column.uses.clone())
            .or_else(|| self.sources.iter().find_map(|source| source.column(name)))
            .or_else(|| self.whole(&lower[0]).filter(|_| parts.len() == 1))
            .or_else(|| {
                self.aliases.iter().find(|column| column.name.to_lowercase() == lower[0]).map(|it| it.uses.clone())
            })
            .or_else(|| self.sources.iter().find_map(|source| source.assumed(name)))
    }

    /// Whether a column of this `select`'s own sources can be null.
    pub fn null(&self, parts: &[String]) -> Null {
        let (name, relation) = match parts {
            [name] => (name, &[][..]),
            [relation @ .., name] => (name, relation),
            [] => return Null::Unknown,
        };
        let lower: Vec<String> = relation.iter().map(|part| part.to_lowercase()).collect();
        if lower.is_empty() && self.merged.iter().any(|column| column.name.eq_ignore_ascii_case(name)) {
            return Null::Unknown;
        }
        let mut sources = self.sources.iter().filter(|source| lower.is_empty() || source.is_called(&lower));
        sources.find_map(|source| source.output(name)).map_or(Null::Unknown, |column| column.null)
    }

    /// A relation as a value: all of its columns as a struct.
    fn whole(&self, name: &str) -> Option<Uses> {
        let source = self.sources.iter().find(|source| source.names.last().is_some_and(|last| last == name))?;
        let Columns::Known(columns) = &source.columns else { return None };
        let mut uses = Uses::default();
        columns.iter().for_each(|column| uses.add(&column.uses));
        Some(uses)
    }
}
