//! Turns queries into the columns that they would give, without data: the engine's own binder over empty relations.

use std::collections::BTreeSet;

use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;
use crate::adapter::{AdapterError, SeedFile};

/// An engine that holds relations with columns and types but without rows, and runs nothing.
pub trait Shadow: Send + Sync {
    /// Names databases that relations may be declared in. To be told before the first session.
    fn attach(&self, _databases: BTreeSet<String>) {}

    /// Opens a session. Sessions see what the others have declared.
    fn binder(&self) -> Result<Box<dyn Binder>, AdapterError>;

    /// Begins beforehand, beside other work, what the first question would have to wait for.
    fn open(&self) {}

    /// Leaves everything open, because the process ends now, which gives it back at once: to close it takes longer.
    fn leave(&self) {}
}

/// One session of a Shadow.
pub trait Binder: Send {
    /// Creates or replaces an empty relation.
    fn declare(&mut self, relation: &Relation, columns: &[Column]) -> Result<(), Refusal>;

    /// The columns of a query, as the engine would name and type them in a table or view.
    fn columns(&mut self, query: &str) -> Result<Vec<Column>, Refusal>;

    /// Creates or replaces an empty relation with the columns and types that loading a CSV file would give.
    fn declare_seed(&mut self, relation: &Relation, seed: &SeedFile) -> Result<Vec<Column>, AdapterError>;

    /// Runs a query over what is declared. It finds no rows but those that it makes itself.
    fn query(&mut self, sql: &str) -> Result<Rows, AdapterError>;

    /// The name that the engine gives to a type as a user writes it: `int` is `INTEGER`.
    fn type_name(&mut self, data_type: &str) -> Option<String>;

    /// The type in which a table keeps values of a type.
    fn stored_type(&mut self, data_type: &str) -> String {
        data_type.to_string()
    }
}

/// Why the engine would not bind a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: Refused,
    /// In the engine's words.
    pub message: String,
    /// The byte of the query, if the engine tells of one.
    pub at: Option<usize>,
}

impl Refusal {
    /// The function that does not take what it is given, and the types of that.
    pub fn call(&self) -> Option<(&str, Vec<&str>)> {
        signature(self.message.split_once("argument types '")?.1.split('\'').next()?)
    }
}

/// The name and the types of `name(TYPE, TYPE(1,2))`.
pub fn signature(text: &str) -> Option<(&str, Vec<&str>)> {
    let (name, types) = text.trim().strip_suffix(')')?.split_once('(')?;
    let mut depth = 0;
    let at_top = |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    };
    Some((name, types.split(at_top).map(str::trim).collect()))
}

/// What a Refusal is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The candidates are the columns that are there instead, without their tables.
    UnknownColumn {
        name: String,
        candidates: Vec<String>,
    },
    /// The candidates are ways to write it that are not ambiguous.
    AmbiguousColumn {
        name: String,
        candidates: Vec<String>,
    },
    UnknownRelation {
        name: String,
    },
    UnknownFunction {
        name: String,
        nearest: Option<String>,
    },
    UnknownType {
        name: String,
        nearest: Option<String>,
    },
    /// The parts of a set operation do not fit together.
    Union,
    /// Types do not fit, or a function does not take them.
    Type,
    Syntax,
    /// Anything else that the engine's binder is sure of.
    Other,
    /// Not the query's fault for certain: a file, the network, an extension, something that only data can tell.
    World,
}

/// The names of types as they are written; what the engine itself suggests for one is any entry of its catalog.
pub const TYPES: [&str; 24] = [
    "bigint",
    "blob",
    "boolean",
    "date",
    "decimal",
    "double",
    "float",
    "hugeint",
    "int",
    "integer",
    "interval",
    "json",
    "numeric",
    "real",
    "smallint",
    "string",
    "text",
    "time",
    "timestamp",
    "timestamptz",
    "tinyint",
    "uuid",
    "varchar",
    "ubigint",
];
