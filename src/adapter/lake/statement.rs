//! Turns one statement into what it does: rows, or changes that are staged in the overlay of its connection.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, WriteOp};
use datafusion::prelude::DataFrame;
use datafusion::sql::parser::Statement as Sent;
use datafusion::sql::sqlparser::ast::{
    ColumnDef, CreateTable, CreateView, DataType as Written, Ident, ObjectName, ObjectNamePart, ObjectType, Query,
    Statement, Truncate,
};
use datafusion::sql::sqlparser::dialect::DuckDbDialect;
use datafusion::sql::sqlparser::parser::Parser;
use object_store::{ObjectStoreExt, PutPayload};

use crate::adapter::AdapterError;
use crate::adapter::lake::catalog::{Lakehouse, Name, Named};
use crate::adapter::lake::error::{refused, sql_error, store_error, syntax_error};
use crate::adapter::lake::kind::type_name;
use crate::adapter::lake::rules::rules;
use crate::adapter::lake::temporary::Temporary;
use crate::adapter::lake::{
    care, change, comment, condition, copy, dialect, insert, layout, merge, text, value, write,
};
use crate::adapter::relation::{Column, identifier};
use crate::adapter::rows::{Cell, Rows};

/// What a statement has done.
#[derive(Debug, Default)]
pub struct Done {
    pub changed: u64,
    pub rows: Rows,
}

impl Done {
    fn changed(changed: u64) -> Done {
        Done { changed, ..Done::default() }
    }
}

/// A statement at work.
struct Work<'a> {
    lake: &'a Lakehouse,
    state: &'a SessionState,
    sql: &'a str,
}

/// Runs one statement.
pub async fn run(lake: &Lakehouse, state: &SessionState, sql: &str) -> Result<Done, AdapterError> {
    if let Some((name, care)) = care::read(sql)? {
        return Ok(Done { changed: 0, rows: care::run(lake, state, &name, care).await? });
    }
    if let Some(copy) = copy::read(sql)? {
        return copy::run(lake, state, copy).await.map(Done::changed);
    }
    let work = Work { lake, state, sql };
    let mut done = Done::default();
    for statement in dialect::statements(sql)? {
        done = Box::pin(work.run(statement)).await?;
    }
    Ok(done)
}

/// The columns that a query would give.
pub async fn describe(state: &SessionState, query: &str) -> Result<Vec<Column>, AdapterError> {
    let statement = dialect::statements(query)?.into_iter().next();
    let statement = statement.ok_or_else(|| refused("Parser Error: there is no query"))?;
    Ok(columns(&plan(state, statement).await?))
}

pub async fn plan(state: &SessionState, statement: Statement) -> Result<LogicalPlan, AdapterError> {
    planned(state, statement).await.map_err(sql_error)
}

/// The plan of a statement; that of a query has the types of its columns settled.
pub async fn planned(state: &SessionState, mut statement: Statement) -> Result<LogicalPlan, DataFusionError> {
    let is_query = is_query(&statement);
    let mut tries = 0;
    let plan = loop {
        match state.statement_to_plan(Sent::Statement(Box::new(statement.clone()))).await {
            Ok(plan) => break plan,
            // Each try writes one alias out: there are no more of them than this in any statement that a hand wrote.
            Err(error) if tries == 100 => return Err(error),
            Err(error) => statement = dialect::again(&statement, &error).ok_or(error)?,
        }
        tries += 1;
    };
    if is_query { settled(state, plan) } else { Ok(plan) }
}

/// The same at the first try, or not at all.
pub async fn planned_at_once(state: &SessionState, statement: Statement) -> Option<LogicalPlan> {
    let is_query = is_query(&statement);
    let plan = state.statement_to_plan(Sent::Statement(Box::new(statement))).await.ok()?;
    if is_query { settled(state, plan).ok() } else { Some(plan) }
}

fn is_query(statement: &Statement) -> bool {
    matches!(statement, Statement::Query(_))
}

/// A plan whose columns have the types that they will have.
fn settled(state: &SessionState, plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {})
}

/// The columns that a plan gives.
pub fn columns(plan: &LogicalPlan) -> Vec<Column> {
    let fields = plan.schema().fields().iter();
    fields.map(|field| Column { name: field.name().clone(), data_type: type_name(field.data_type()) }).collect()
}

impl Work<'_> {
    async fn run(&self, statement: Statement) -> Result<Done, AdapterError> {
        match statement {
            Statement::Query(_) => self.query(statement).await,
            Statement::CreateTable(create) => self.create_table(create).await,
            Statement::CreateView(create) => self.create_view(create).await,
            Statement::Delete(delete) => self.change(Statement::Delete(condition::of_delete(delete)?)).await,
            Statement::Update(update) if update.from.is_some() => {
                let merge = condition::of_update(update)?;
                merge::merge(self.lake, self.state, merge).await.map(Done::changed)
            }
            Statement::Insert(insert) => {
                let done = self.change(insert::planned(self.lake, self.state, insert).await?).await;
                self.lake.drop_temporary(insert::ROWS);
                done
            }
            Statement::Update(_) => self.change(statement).await,
            Statement::Merge(merge) => merge::merge(self.lake, self.state, merge).await.map(Done::changed),
            Statement::Truncate(truncate) => self.truncate(truncate).await,
            Statement::AlterTable(alter) => {
                change::alter(self.lake, self.state, &alter).await.map(|()| Done::default())
            }
            // A schema is a folder, which is there as soon as something is in it.
            Statement::CreateSchema { .. } => Ok(Done::default()),
            Statement::Drop { object_type, if_exists, names, .. } => {
                for name in &names {
                    self.drop(object_type, name, if_exists).await?;
                }
                Ok(Done::default())
            }
            Statement::Comment { object_type, object_name, comment, .. } => {
                comment::comment(self.lake, object_type, &object_name, comment).await.map(|()| Done::default())
            }
            Statement::ExplainTable { table_name, .. } => self.describe(&format!("select * from {table_name}")).await,
            Statement::Explain { statement, .. }
                if matches!(*statement, Statement::Query(_)) && self.is_describe()? =>
            {
                let columns = columns(&plan(self.state, *statement).await?);
                Ok(Self::described(columns))
            }
            Statement::Explain { .. } => self.query(statement).await,
            other => {
                let text = other.to_string();
                let words: Vec<&str> = text.split_whitespace().take(2).collect();
                Err(refused(format!(
                    "Not implemented Error: a lakehouse does not run statements such as `{} …`",
                    words.join(" ").to_lowercase()
                )))
            }
        }
    }

    fn is_describe(&self) -> Result<bool, AdapterError> {
        Ok(text::first_word(self.sql)?.starts_with("desc"))
    }

    async fn query(&self, statement: Statement) -> Result<Done, AdapterError> {
        let plan = plan(self.state, statement).await?;
        let columns = columns(&plan);
        let batches = DataFrame::new(self.state.clone(), plan).collect().await.map_err(sql_error)?;
        let rows: Vec<Vec<Vec<Cell>>> = batches.iter().map(value::rows).collect::<Result<_, _>>()?;
        Ok(Done { changed: 0, rows: Rows { columns, rows: rows.concat() } })
    }

    async fn describe(&self, query: &str) -> Result<Done, AdapterError> {
        Ok(Self::described(describe(self.state, query).await?))
    }

    fn described(described: Vec<Column>) -> Done {
        let header = ["column_name", "column_type"];
        let columns = header.map(|name| Column { name: name.to_string(), data_type: "VARCHAR".to_string() });
        let row = |column: Column| vec![Cell::Text(column.name), Cell::Text(column.data_type)];
        Done { changed: 0, rows: Rows { columns: columns.to_vec(), rows: described.into_iter().map(row).collect() } }
    }

    async fn create_table(&self, create: CreateTable) -> Result<Done, AdapterError> {
        let name = self.lake.name(&parts(&create.name))?;
        let rules = rules(&create, self.sql)?;
        let query = match create.query {
            Some(query) => *query,
            None => empty(&create.columns)?,
        };
        let plan = plan(self.state, Statement::Query(Box::new(query))).await?;
        if create.temporary || name.is_temporary {
            return self.create_temporary(&name, plan).await;
        }
        let layout = layout::layout(&create.table_options)?;
        let (place, table) = match (self.lake.find(&name).await?, create.or_replace) {
            (Named::View(_), _) => {
                return Err(refused(format!("Catalog Error: `{}` is a view, not a table", create.name)));
            }
            (Named::Table(_), false) if create.if_not_exists => return Ok(Done::default()),
            (Named::Table(_), false) => {
                return Err(refused(format!("Catalog Error: the table `{}` is there already", create.name)));
            }
            (Named::Table(place), true) => {
                let table = self.lake.open(&place).await?;
                let is_alike = rules.is_empty() && change::layout(&table)? == layout;
                if !is_alike {
                    self.lake.overlay.drop_all(&place.path);
                }
                (place, Some(table).filter(|_| is_alike))
            }
            _ => (self.lake.place(&name.schema, &name.table), None),
        };
        let target = write::Target { table, builder: self.lake.builder(&place)? };
        write::replace(self.state, target, plan, &layout, &rules).await.map(Done::changed)
    }

    /// A table that this connection keeps.
    async fn create_temporary(&self, name: &Name, plan: LogicalPlan) -> Result<Done, AdapterError> {
        let table = self.collect(plan).await?;
        let rows = table.rows();
        self.lake.add_temporary(&name.table, Arc::new(table));
        Ok(Done::changed(rows))
    }

    async fn collect(&self, plan: LogicalPlan) -> Result<Temporary, AdapterError> {
        Temporary::of(self.state, plan).await.map_err(sql_error)
    }

    /// The query is kept as it is written, once it is known to be one.
    async fn create_view(&self, create: CreateView) -> Result<Done, AdapterError> {
        let name = self.lake.name(&parts(&create.name))?;
        let query = text::after_as(self.sql)?;
        let query = match create.columns.is_empty() {
            true => query.to_string(),
            false => {
                let columns: Vec<String> = create.columns.iter().map(|column| column.name.to_string()).collect();
                format!("select * from (\n{query}\n) as renamed({})", columns.join(", "))
            }
        };
        describe(self.state, &query).await?;
        match self.lake.find(&name).await? {
            Named::Table(_) => return Err(refused(format!("Catalog Error: `{}` is a table, not a view", create.name))),
            Named::View(_) if create.if_not_exists => return Ok(Done::default()),
            Named::View(_) if !create.or_replace => {
                return Err(refused(format!("Catalog Error: the view `{}` is there already", create.name)));
            }
            _ => {}
        }
        let path = self.lake.view_path(&name.schema, &name.table);
        self.lake.overlay.put(&path, PutPayload::from(format!("{query}\n"))).await.map_err(store_error)?;
        Ok(Done::default())
    }

    async fn change(&self, statement: Statement) -> Result<Done, AdapterError> {
        let LogicalPlan::Dml(dml) = plan(self.state, statement).await? else {
            return Err(refused("Internal Error: a change of rows is planned as something else"));
        };
        let name = self.lake.name(&dml.table_name.to_vec())?;
        let place = match self.lake.find(&name).await? {
            Named::Table(place) => Some(place),
            Named::Temporary => None,
            _ => return Err(refused(format!("Catalog Error: `{}` is not a table of the lakehouse", dml.table_name))),
        };
        let rows = Arc::unwrap_or_clone(dml.input);
        let (changed, all) = match (dml.op, &place) {
            (WriteOp::Insert(_), Some(place)) => {
                let table = self.lake.open(place).await?;
                return write::append(self.state, table, rows).await.map(Done::changed);
            }
            (WriteOp::Insert(_), None) => return self.add_to_temporary(&name, rows).await,
            (WriteOp::Delete, _) => change::without(self.state, rows).await?,
            (WriteOp::Update, _) => change::with(self.state, rows).await?,
            _ => return Err(refused("Not implemented Error: a lakehouse inserts, updates and deletes rows")),
        };
        match (all, place) {
            (None, _) => {}
            (Some(all), Some(place)) => {
                write::rewrite(self.state, self.lake.open(&place).await?, all).await?;
            }
            (Some(all), None) => drop(self.create_temporary(&name, all).await?),
        }
        Ok(Done::changed(changed))
    }

    async fn add_to_temporary(&self, name: &Name, rows: LogicalPlan) -> Result<Done, AdapterError> {
        let new = self.collect(rows).await?;
        let kept = self.lake.provide(&name.schema, &name.table, true).await.map_err(sql_error)?;
        let all = match kept.as_ref().and_then(|kept| kept.as_any().downcast_ref::<Temporary>()) {
            Some(kept) => kept.with(&new).map_err(sql_error)?,
            None => return Err(refused(format!("Catalog Error: `{}` takes no rows", name.table))),
        };
        self.lake.add_temporary(&name.table, Arc::new(all));
        Ok(Done::changed(new.rows()))
    }

    async fn truncate(&self, truncate: Truncate) -> Result<Done, AdapterError> {
        let mut changed = 0;
        for target in &truncate.table_names {
            match self.lake.find(&self.lake.name(&parts(&target.name))?).await? {
                Named::Table(place) => changed += change::truncate(self.state, self.lake.open(&place).await?).await?,
                Named::Nothing if truncate.if_exists => {}
                _ => return Err(refused(format!("Catalog Error: `{}` is not a table of the lakehouse", target.name))),
            }
        }
        Ok(Done::changed(changed))
    }

    async fn drop(&self, kind: ObjectType, written: &ObjectName, if_exists: bool) -> Result<(), AdapterError> {
        let parts = parts(written);
        if kind == ObjectType::Schema {
            let schema = parts.last().cloned().unwrap_or_default();
            for relation in self.lake.relations().await? {
                let name = relation.schema.unwrap_or_default();
                if name.to_lowercase() == schema.to_lowercase() {
                    self.drop_exact(&name, &relation.identifier.unwrap_or_default());
                }
            }
            return Ok(());
        }
        let name = self.lake.name(&parts)?;
        match (self.lake.find(&name).await?, kind) {
            (Named::Temporary, ObjectType::Table) => drop(self.lake.drop_temporary(&name.table)),
            (Named::Table(place), ObjectType::Table) => self.lake.overlay.drop_all(&place.path),
            (Named::View(path), ObjectType::View) => self.lake.overlay.drop_all(&path),
            (Named::Nothing, _) if if_exists => {}
            (Named::Nothing, _) => return Err(refused(format!("Catalog Error: `{written}` does not exist"))),
            (_, kind) => {
                return Err(refused(format!(
                    "Catalog Error: `{written}` is not a {}",
                    kind.to_string().to_lowercase()
                )));
            }
        }
        Ok(())
    }

    fn drop_exact(&self, schema: &str, table: &str) {
        self.lake.overlay.drop_all(&self.lake.place(schema, table).path);
        self.lake.overlay.drop_all(&self.lake.view_path(schema, table));
    }
}

/// The parts of a written name. Without quotes they are in small letters, as in queries.
pub fn parts(name: &ObjectName) -> Vec<String> {
    name.0.iter().filter_map(ObjectNamePart::as_ident).map(plain).collect()
}

pub fn plain(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// One statement that is DataFusion's own.
pub fn parse_plain(sql: &str) -> Result<Statement, AdapterError> {
    let parsed = Parser::parse_sql(&DuckDbDialect {}, sql).map_err(|error| syntax_error(&error))?;
    parsed.into_iter().next().ok_or_else(|| refused("Parser Error: there is no statement"))
}

/// The type of Arrow for one that is written.
pub async fn arrow_type(state: &SessionState, kind: &Written) -> Result<DataType, AdapterError> {
    let plan = plan(state, parse_plain(&format!("select cast(null as {kind})"))?).await?;
    Ok(plan.schema().field(0).data_type().clone())
}

/// A query without rows that has the columns of a table's definition.
fn empty(columns: &[ColumnDef]) -> Result<Query, AdapterError> {
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("cast(null as {}) as {}", column.data_type, identifier(&plain(&column.name))))
        .collect();
    match parse_plain(&format!("select {} where false", columns.join(", ")))? {
        Statement::Query(query) => Ok(*query),
        _ => Err(refused("Parser Error: a table needs columns")),
    }
}
