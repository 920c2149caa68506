//! Turns what the engine says of the schemas of a project into a Catalog: the relations with their columns and comments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::map::IndexMap;
use serde_json::json;

use crate::adapter::relation::Relation;
use crate::adapter::rows::{Cell, Rows};
use crate::compile::host::NodeHost;
use crate::compile::session::{Session, Warehouse};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::jinja::ScopeValue;
use crate::manifest::builtin::{self, INTERNAL_PACKAGE};
use crate::run::hooks::operation_scope;

/// Relations by their names in lower case: database, schema and identifier.
pub type Catalog = IndexMap<[String; 3], Table>;

/// Rows of tables, by the same names.
pub type RowCounts = BTreeMap<[String; 3], i64>;

/// A table or view as it is in the warehouse.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    pub database: String,
    pub schema: String,
    pub name: String,
    /// `BASE TABLE` or `VIEW`.
    pub kind: String,
    pub comment: Option<String>,
    pub owner: Option<String>,
    pub columns: Vec<TableColumn>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableColumn {
    pub name: String,
    pub data_type: String,
    /// Counted from 1.
    pub index: i64,
    pub comment: Option<String>,
}

/// The key of a relation in a Catalog.
pub fn key(relation: &Relation) -> [String; 3] {
    [&relation.database, &relation.schema, &relation.identifier]
        .map(|part| part.as_deref().unwrap_or_default().to_lowercase())
}

/// Asks for everything in the schemas of some relations, with the macro `get_catalog`, once a database.
pub fn read<'r>(
    session: &Arc<Session>,
    warehouse: &Arc<Warehouse>,
    relations: impl Iterator<Item = &'r Relation>,
) -> Result<Catalog, Diagnostic> {
    let mut schemas: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for relation in relations {
        if let (Some(database), Some(schema)) = (&relation.database, &relation.schema) {
            schemas.entry(database).or_default().insert(schema);
        }
    }
    let mut catalog = Catalog::default();
    for (database, schemas) in schemas {
        let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), None));
        let library = &session.manifest.library;
        let ask = library.find(&session.project.root().name, "get_catalog").expect("the templates have this macro");
        let mut information_schema = Relation::new(database, "information_schema", "");
        information_schema.quote.schema = false;
        let arguments = [ScopeValue::Relation(information_schema), ScopeValue::Json(json!(schemas))];
        let asked =
            library.call(&ask.unique_id, &arguments, &[], &operation_scope(session, &[]), host.clone()).map(drop);
        asked.map_err(|error| match host.take_failure() {
            Some((complaint, _)) => Diagnostic::error(Code::SqlError, None, complaint.to_string()),
            None => builtin::diagnostic(&error),
        })?;
        collect(&host.take_rows().unwrap_or_default(), &mut catalog);
    }
    Ok(catalog)
}

/// How many rows the tables of the engine have, as far as it can tell without counting.
pub fn row_counts(session: &Arc<Session>, warehouse: &Arc<Warehouse>) -> RowCounts {
    let host = Arc::new(NodeHost::new(session.clone(), warehouse.clone(), None));
    let library = &session.manifest.library;
    let ask = library.find(INTERNAL_PACKAGE, "row_counts").expect("the templates have this macro");
    // Without an answer the site says nothing of rows.
    let _ = library.call(&ask.unique_id, &[], &[], &operation_scope(session, &[]), host.clone());
    let rows = host.take_rows().unwrap_or_default().rows;
    let counted = rows.iter().filter_map(|row| match &row[..] {
        [database, schema, name, count] => {
            let key = [database, schema, name].map(|part| part.text().to_lowercase());
            Some((key, count.as_int()?.try_into().ok()?))
        }
        _ => None,
    });
    counted.collect()
}

/// One row a column: what is called `table_…` is of the relation, `column_…` of the column.
fn collect(rows: &Rows, catalog: &mut Catalog) {
    let places: BTreeMap<String, usize> =
        rows.columns.iter().enumerate().map(|(at, column)| (column.name.to_lowercase(), at)).collect();
    for row in &rows.rows {
        let cell = |name: &str| places.get(name).and_then(|at| row.get(*at)).filter(|cell| **cell != Cell::Null);
        let text = |name: &str| cell(name).map(Cell::text);
        let [database, schema, name] =
            ["table_database", "table_schema", "table_name"].map(|name| text(name).unwrap_or_default());
        let key = [&database, &schema, &name].map(|part| part.to_lowercase());
        let table = catalog.entry(key).or_insert_with(|| Table {
            database,
            schema,
            name,
            kind: text("table_type").unwrap_or_default(),
            comment: text("table_comment"),
            owner: text("table_owner"),
            columns: Vec::new(),
        });
        table.columns.push(TableColumn {
            name: text("column_name").unwrap_or_default(),
            data_type: text("column_type").unwrap_or_default(),
            index: cell("column_index").and_then(Cell::as_int).and_then(|index| index.try_into().ok()).unwrap_or(0),
            comment: text("column_comment"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalog, collect};
    use crate::adapter::relation::Column;
    use crate::adapter::rows::{Cell, Rows};

    #[test]
    fn rows_of_one_relation_are_its_columns() {
        let names = ["TABLE_DATABASE", "table_schema", "table_name", "table_type", "column_name", "column_index"];
        let columns = names.map(|name| Column { name: name.to_string(), data_type: String::new() }).to_vec();
        let text = |text: &str| Cell::Text(text.to_string());
        let row = |name: &str, index| {
            vec![text("db"), text("Main"), text("Orders"), text("VIEW"), text(name), Cell::Int(index)]
        };
        let mut catalog = Catalog::default();
        collect(&Rows { columns, rows: vec![row("id", 1), row("day", 2)] }, &mut catalog);
        let table = &catalog[&["db", "main", "orders"].map(str::to_string)];
        assert_eq!((table.schema.as_str(), table.name.as_str(), table.kind.as_str()), ("Main", "Orders", "VIEW"));
        let columns: Vec<(&str, i64)> = table.columns.iter().map(|c| (c.name.as_str(), c.index)).collect();
        assert_eq!(columns, [("id", 1), ("day", 2)]);
        assert_eq!(table.comment, None);
    }
}
