//! Names of tables and views, and of their columns, and how they are written in SQL.

/// What a name stands for in the warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelationKind {
    Table,
    View,
    /// An ephemeral model, inlined as a common table expression.
    Cte,
    External,
}

impl RelationKind {
    /// dbt's word, as `relation.type` shows it.
    pub fn name(self) -> &'static str {
        match self {
            RelationKind::Table => "table",
            RelationKind::View => "view",
            RelationKind::Cte => "cte",
            RelationKind::External => "external",
        }
    }

    pub fn from_name(name: &str) -> Option<RelationKind> {
        match name {
            "table" => Some(RelationKind::Table),
            "view" => Some(RelationKind::View),
            "cte" => Some(RelationKind::Cte),
            "external" => Some(RelationKind::External),
            _ => None,
        }
    }
}

/// A flag for each part of a relation's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parts {
    pub database: bool,
    pub schema: bool,
    pub identifier: bool,
}

impl Parts {
    pub const ALL: Parts = Parts { database: true, schema: true, identifier: true };
}

/// The name of a table or view. Equal names are the same relation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Relation {
    pub database: Option<String>,
    pub schema: Option<String>,
    pub identifier: Option<String>,
    pub kind: Option<RelationKind>,
    /// Which parts are written between quotes.
    pub quote: Parts,
    /// Which parts are written at all.
    pub include: Parts,
    /// SQL that stands in the place of the name, for instance a file to read from (`external_location`).
    pub expression: Option<String>,
    /// SQL after the name that says in which of its states a table is read, for instance `at (version => 3)`.
    pub as_of: Option<String>,
    /// `--empty` asks for no rows: the relation is written as a subquery with this limit.
    pub limit: Option<u64>,
    /// Only the rows of a span of event time are asked for, for instance those of a batch.
    pub event_time: Option<Box<TimeFilter>>,
}

/// A span of event time: from its start up to, and without, its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeFilter {
    /// As SQL.
    pub column: String,
    pub start: String,
    pub end: String,
}

impl Relation {
    pub fn new(database: &str, schema: &str, identifier: &str) -> Relation {
        Relation {
            database: Some(database.to_string()).filter(|name| !name.is_empty()),
            schema: Some(schema.to_string()).filter(|name| !name.is_empty()),
            identifier: Some(identifier.to_string()).filter(|name| !name.is_empty()),
            kind: None,
            quote: Parts::ALL,
            include: Parts::ALL,
            expression: None,
            as_of: None,
            limit: None,
            event_time: None,
        }
    }

    pub fn with_kind(mut self, kind: RelationKind) -> Relation {
        self.kind = Some(kind);
        self
    }

    /// A model that is inlined: written as `__dbt__cte__name` alone, wherever it would stand if it were built.
    pub fn cte(database: &str, schema: &str, name: &str) -> Relation {
        let name = format!("__dbt__cte__{name}");
        let mut relation = Relation::new(database, schema, &name).with_kind(RelationKind::Cte);
        relation.include = Parts { database: false, schema: false, identifier: true };
        relation.quote.identifier = false;
        relation
    }

    /// The same for all spellings of a name: names are the same whatever their case, as DuckDB has it.
    pub fn key(&self) -> String {
        let part = |name: &Option<String>| name.as_deref().unwrap_or_default().to_lowercase();
        format!("{}\0{}\0{}", part(&self.database), part(&self.schema), part(&self.identifier))
    }

    /// As SQL: the name, or a subquery if not all rows are asked for.
    pub fn render(&self) -> String {
        let limited = self.render_limited();
        match self.event_time.as_deref() {
            None => limited,
            Some(TimeFilter { column, start, end }) => {
                let (start, end) = (literal(start), literal(end));
                format!("(select * from {limited} where {column} >= {start} and {column} < {end})")
            }
        }
    }

    /// As SQL, with its limit.
    pub fn render_limited(&self) -> String {
        let name = self.render_name();
        match self.limit {
            None => name,
            Some(0) => format!("(select * from {name} where false limit 0)"),
            Some(limit) => format!("(select * from {name} limit {limit})"),
        }
    }

    /// The name as SQL, for instance `"db"."main"."orders"`, or what stands in its place.
    pub fn render_name(&self) -> String {
        let name = self.expression.clone().unwrap_or_else(|| self.name());
        match &self.as_of {
            None => name,
            Some(state) => format!("{name} {state}"),
        }
    }

    fn name(&self) -> String {
        let parts = [
            (&self.database, self.include.database, self.quote.database),
            (&self.schema, self.include.schema, self.quote.schema),
            (&self.identifier, self.include.identifier, self.quote.identifier),
        ];
        let written = parts.into_iter().filter(|(_, include, _)| *include).filter_map(|(name, _, quote)| {
            name.as_ref().map(|name| if quote { identifier(name) } else { name.clone() })
        });
        written.collect::<Vec<_>>().join(".")
    }

    /// A table that only this connection sees, and that goes away with it.
    pub fn temporary(name: &str) -> Relation {
        Relation::new("temp", "main", name)
    }

    pub fn is_temporary(&self) -> bool {
        self.database.as_deref() == Some("temp")
    }

    /// Whether two names are the same to an engine that ignores case in names.
    pub fn same_as(&self, other: &Relation) -> bool {
        let same = |a: &Option<String>, b: &Option<String>| match (a, b) {
            (Some(a), Some(b)) => a.to_lowercase() == b.to_lowercase(),
            (a, b) => a == b,
        };
        same(&self.database, &other.database)
            && same(&self.schema, &other.schema)
            && same(&self.identifier, &other.identifier)
    }
}

impl std::fmt::Display for Relation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render())
    }
}

/// A column of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// The engine's type, for instance `DECIMAL(18,3)`.
    pub data_type: String,
}

/// A name as SQL. One of the two ways in which data reaches SQL; the other is `literal`.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as an SQL literal. One of the two ways in which data reaches SQL; the other is `identifier`.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
