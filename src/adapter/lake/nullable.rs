//! Turns columns that a query can prove to be full into columns that a table may hold nulls in.

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, cast,
};

use crate::adapter::lake::kind::{stored, type_name};

/// The same rows, with columns of the types in which they are stored, under names without a table.
pub fn storable(plan: LogicalPlan) -> Result<LogicalPlan> {
    let maybe = Arc::new(ScalarUDF::new_from_impl(Maybe::new()));
    let mut columns = Vec::new();
    for (qualifier, field) in plan.schema().iter() {
        let Some(kind) = stored(field.data_type()) else {
            let message = format!(
                "the column `{}` has the type {}, which a Delta Lake table cannot hold; cast it to another type",
                field.name(),
                type_name(field.data_type())
            );
            return Err(datafusion::error::DataFusionError::Plan(message));
        };
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        let column = match *field.data_type() == kind {
            true => column,
            false if field.data_type().is_null() => Expr::Literal(ScalarValue::try_from(&kind)?, None),
            false => cast(column, kind),
        };
        // An optimizer may find out later that a column is full.
        let column = Expr::ScalarFunction(ScalarFunction::new_udf(maybe.clone(), vec![column]));
        columns.push(column.alias(field.name()));
    }
    LogicalPlanBuilder::new(plan).project(columns)?.build()
}

/// A function that gives back its argument, and promises nothing of it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Maybe(Signature);

impl Maybe {
    fn new() -> Maybe {
        Maybe(Signature::any(1, Volatility::Volatile))
    }
}

impl ScalarUDFImpl for Maybe {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "maybe"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), arguments.arg_fields[0].data_type().clone(), true)))
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(arguments.args.remove(0))
    }
}
