//! Turns the column list of a `create table` into what Delta Lake holds the rows to: columns without nulls, and checks.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::ast::{ColumnDef, ColumnOption, CreateTable, Statement, TableConstraint};

use crate::adapter::AdapterError;
use crate::adapter::lake::statement::{parse_plain, plain};

/// What every row of a table keeps to. Keys are not among it: Delta Lake has none.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Columns without nulls.
    pub required: Vec<String>,
    /// Conditions by name, as they were written: others read them, too.
    pub checks: BTreeMap<String, String>,
}

impl Rules {
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.checks.is_empty()
    }
}

/// The rules of a table, from the text of its statement.
pub fn rules(create: &CreateTable, sql: &str) -> Result<Rules, AdapterError> {
    let mut rules = Rules { required: required(&create.columns, &create.constraints), checks: BTreeMap::new() };
    let has_checks = create.constraints.iter().any(|one| matches!(one, TableConstraint::Check(_)))
        || options(&create.columns).any(|(_, option)| matches!(option, ColumnOption::Check(_)));
    if !has_checks {
        return Ok(rules);
    }
    let Statement::CreateTable(written) = parse_plain(sql)? else { return Ok(rules) };
    let of_columns = options(&written.columns).filter_map(|(_, option)| match option {
        ColumnOption::Check(check) => Some(check),
        _ => None,
    });
    let of_table = written.constraints.iter().filter_map(|constraint| match constraint {
        TableConstraint::Check(check) => Some(check),
        _ => None,
    });
    for (check, number) in of_columns.chain(of_table).zip(1..) {
        let name = check.name.as_ref().map_or_else(|| format!("check_{number}"), plain);
        rules.checks.insert(name, check.expr.to_string());
    }
    Ok(rules)
}

fn options(columns: &[ColumnDef]) -> impl Iterator<Item = (&ColumnDef, &ColumnOption)> {
    columns.iter().flat_map(|column| column.options.iter().map(move |option| (column, &option.option)))
}

fn required(columns: &[ColumnDef], constraints: &[TableConstraint]) -> Vec<String> {
    let is_full = |option: &ColumnOption| matches!(option, ColumnOption::NotNull | ColumnOption::PrimaryKey(_));
    let own = options(columns).filter(|(_, option)| is_full(option)).map(|(column, _)| plain(&column.name));
    let keys = constraints.iter().flat_map(|constraint| match constraint {
        TableConstraint::PrimaryKey(key) => key.columns.iter().map(|column| column.column.expr.to_string()).collect(),
        _ => Vec::new(),
    });
    let mut names: Vec<String> = own.chain(keys.map(|name| name.trim_matches('"').to_lowercase())).collect();
    names.sort();
    names.dedup();
    names
}
