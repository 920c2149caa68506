//! Turns `delete`, `update`, `truncate` and `alter table` into new versions of a table.

use std::sync::Arc;

use datafusion::common::Column as Reference;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::prelude::DataFrame;
use datafusion::sql::sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, DataType, Ident, RenameTableNameKind,
};
use delta_kernel::engine::arrow_conversion::TryFromArrow;
use delta_kernel::schema::StructField;
use deltalake_core::DeltaTable;

use crate::adapter::AdapterError;
use crate::adapter::lake::catalog::{Lakehouse, Named, Place};
use crate::adapter::lake::error::{delta_error, refused, sql_error};
use crate::adapter::lake::kind::stored;
use crate::adapter::lake::layout::Layout;
use crate::adapter::lake::rules::Rules;
use crate::adapter::lake::statement::{arrow_type, parts, plain};
use crate::adapter::lake::write;

/// The rows of a table without those of a plan, which filters them; and the number of these. Nothing if there are none.
pub async fn without(state: &SessionState, rows: LogicalPlan) -> Result<(u64, Option<LogicalPlan>), AdapterError> {
    match count(state, rows.clone()).await? {
        0 => Ok((0, None)),
        count => Ok((count, Some(others(rows).map_err(sql_error)?))),
    }
}

/// The rows of a table with those of a plan, which filters them and then changes their columns, in the place of those
/// that it filters; and the number of these. Nothing if there are none.
pub async fn with(state: &SessionState, rows: LogicalPlan) -> Result<(u64, Option<LogicalPlan>), AdapterError> {
    let count = count(state, rows.clone()).await?;
    if count == 0 {
        return Ok((0, None));
    }
    let LogicalPlan::Projection(projection) = &rows else {
        return Err(refused("Internal Error: an update projects columns"));
    };
    if reads_several(&projection.input) {
        return Err(refused("Not implemented Error: a lakehouse does not run `update … from`; write a `merge`"));
    }
    let names = rows.schema().fields().iter().map(|field| Expr::Column(Reference::from_name(field.name())));
    let changed = others(projection.input.as_ref().clone()).and_then(|others| {
        let columns = names.collect::<Vec<_>>();
        LogicalPlanBuilder::new(others).project(columns)?.union(rows.clone())?.build()
    });
    Ok((count, Some(changed.map_err(sql_error)?)))
}

fn reads_several(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(_)) || plan.inputs().into_iter().any(reads_several)
}

/// The rows that a filter leaves out: those for which its condition is false or unknown.
fn others(plan: LogicalPlan) -> datafusion::error::Result<LogicalPlan> {
    match plan {
        LogicalPlan::Filter(Filter { predicate, input, .. }) => {
            LogicalPlanBuilder::new(Arc::unwrap_or_clone(input)).filter(predicate.is_not_true())?.build()
        }
        all => LogicalPlanBuilder::new(all).filter(lit(false))?.build(),
    }
}

async fn count(state: &SessionState, plan: LogicalPlan) -> Result<u64, AdapterError> {
    let count = DataFrame::new(state.clone(), plan).count().await.map_err(sql_error)?;
    Ok(count as u64)
}

/// Takes out all rows.
pub async fn truncate(state: &SessionState, table: DeltaTable) -> Result<u64, AdapterError> {
    let all = scan(&table).await?;
    let count = count(state, all.clone()).await?;
    if count > 0 {
        write::rewrite(state, table, others(all).map_err(sql_error)?).await?;
    }
    Ok(count)
}

async fn scan(table: &DeltaTable) -> Result<LogicalPlan, AdapterError> {
    let provider = table.table_provider().await.map_err(sql_error)?;
    let source = datafusion::datasource::provider_as_source(provider);
    LogicalPlanBuilder::scan("altered", source, None).and_then(LogicalPlanBuilder::build).map_err(sql_error)
}

/// Changes the columns or the name of a table.
pub async fn alter(lake: &Lakehouse, state: &SessionState, alter: &AlterTable) -> Result<(), AdapterError> {
    for operation in &alter.operations {
        lake.refresh();
        match lake.find(&lake.name(&parts(&alter.name))?).await? {
            Named::Table(place) => Alteration { lake, state, place: &place }.run(operation).await?,
            Named::Nothing if alter.if_exists => {}
            _ => return Err(refused(format!("Catalog Error: `{}` is not a table of the lakehouse", alter.name))),
        }
    }
    Ok(())
}

struct Alteration<'a> {
    lake: &'a Lakehouse,
    state: &'a SessionState,
    place: &'a Place,
}

impl Alteration<'_> {
    async fn run(&self, operation: &AlterTableOperation) -> Result<(), AdapterError> {
        match operation {
            AlterTableOperation::AddColumn { column_def, if_not_exists, .. } => {
                self.add_column(column_def, *if_not_exists).await
            }
            AlterTableOperation::DropColumn { column_names, if_exists, .. } => {
                let gone: Vec<String> = column_names.iter().map(plain).collect();
                self.check(&gone, *if_exists).await?;
                self.project(|name, column| (!gone.iter().any(|gone| same(gone, name))).then_some(column)).await
            }
            AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                let (old, new) = (plain(old_column_name), plain(new_column_name));
                self.check(std::slice::from_ref(&old), false).await?;
                self.project(|name, column| Some(if same(name, &old) { column.alias(&new) } else { column })).await
            }
            AlterTableOperation::AlterColumn {
                column_name,
                op: AlterColumnOperation::SetDataType { data_type, .. },
            } => self.change_type(column_name, data_type).await,
            AlterTableOperation::RenameTable { table_name } => self.rename(table_name).await,
            other => Err(refused(format!("Not implemented Error: a lakehouse does not run `alter table … {other}`"))),
        }
    }

    /// The rows that are there get a null: no file is written.
    async fn add_column(&self, column: &ColumnDef, if_not_exists: bool) -> Result<(), AdapterError> {
        let table = self.lake.open(self.place).await?;
        let name = plain(&column.name);
        if self.names(&table)?.iter().any(|known| same(known, &name)) {
            return match if_not_exists {
                true => Ok(()),
                false => Err(refused(format!("Catalog Error: the column `{name}` is there already"))),
            };
        }
        let kind = arrow_type(self.state, &column.data_type).await?;
        let kind =
            stored(&kind).ok_or_else(|| refused(format!("a table cannot hold the type {}", column.data_type)))?;
        let kind = delta_kernel::schema::DataType::try_from_arrow(&kind).map_err(|error| refused(error.to_string()))?;
        let field = StructField::nullable(name, kind);
        let add = table.add_columns().with_fields([field]).with_commit_properties(write::commit_properties());
        add.await.map(drop).map_err(delta_error)
    }

    async fn change_type(&self, column: &Ident, kind: &DataType) -> Result<(), AdapterError> {
        let name = plain(column);
        self.check(std::slice::from_ref(&name), false).await?;
        let kind = arrow_type(self.state, kind).await?;
        self.project(|other, column| {
            Some(if same(other, &name) { cast(column, kind.clone()).alias(other) } else { column })
        })
        .await
    }

    /// The rows are written again, under the new name.
    async fn rename(&self, name: &RenameTableNameKind) -> Result<(), AdapterError> {
        let (RenameTableNameKind::As(name) | RenameTableNameKind::To(name)) = name;
        let mut names = parts(name);
        if let ([_], Some(schema)) = (&names[..], self.place.schema()) {
            names.insert(0, schema);
        }
        let name = self.lake.name(&names)?;
        if self.lake.is_there(&name).await? {
            return Err(refused(format!("Catalog Error: `{}` is there already", name.table)));
        }
        let table = self.lake.open(self.place).await?;
        let rows = scan(&table).await?;
        let builder = self.lake.builder(&self.lake.place(&name.schema, &name.table))?;
        write::replace(self.state, write::Target { table: None, builder }, rows, &layout(&table)?, &Rules::default())
            .await?;
        self.lake.overlay.drop_all(&self.place.path);
        Ok(())
    }

    fn names(&self, table: &DeltaTable) -> Result<Vec<String>, AdapterError> {
        let schema = table.snapshot().map_err(delta_error)?.schema();
        Ok(schema.fields().map(|field| field.name().clone()).collect())
    }

    async fn check(&self, wanted: &[String], if_exists: bool) -> Result<(), AdapterError> {
        let known = self.names(&self.lake.open(self.place).await?)?;
        let missing = wanted.iter().find(|wanted| !known.iter().any(|known| same(known, wanted)));
        match missing {
            Some(name) if !if_exists => Err(refused(format!("Catalog Error: there is no column `{name}`"))),
            _ => Ok(()),
        }
    }

    /// Writes the table again with other columns.
    async fn project(&self, change: impl Fn(&str, Expr) -> Option<Expr>) -> Result<(), AdapterError> {
        let table = self.lake.open(self.place).await?;
        let rows = scan(&table).await?;
        let fields: Vec<String> = rows.schema().fields().iter().map(|field| field.name().clone()).collect();
        let column = |name: &String| change(name, Expr::Column(Reference::from_name(name)));
        let columns: Vec<Expr> = fields.iter().filter_map(column).collect();
        let rows = LogicalPlanBuilder::new(rows).project(columns).and_then(LogicalPlanBuilder::build);
        let (builder, layout) = (self.lake.builder(self.place)?, layout(&table)?);
        let target = write::Target { table: Some(table), builder };
        write::replace(self.state, target, rows.map_err(sql_error)?, &layout, &Rules::default()).await.map(drop)
    }
}

/// How a table is laid out now.
pub fn layout(table: &DeltaTable) -> Result<Layout, AdapterError> {
    let metadata = table.snapshot().map_err(delta_error)?.metadata();
    let properties = metadata.configuration().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    Ok(Layout { partition_by: metadata.partition_columns().to_vec(), properties })
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
