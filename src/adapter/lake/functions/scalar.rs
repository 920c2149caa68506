//! Turns a short description of a function of one row into one that DataFusion plans and runs.

use std::any::Any;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Int64Array, PrimitiveArray, StringArray, new_null_array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{ArrowPrimitiveType, DataType, Field, FieldRef, TimeUnit};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

/// What makes a simpler expression of a call, if it can.
pub type Simpler = fn(&[Expr], &[DataType]) -> Option<Expr>;

/// A function of one row.
pub struct Spec {
    pub name: &'static str,
    /// The types that it takes for arguments of these types: what it is given is converted first.
    pub takes: fn(&[DataType]) -> Result<Vec<DataType>>,
    /// The type of its result. A literal argument has its value as text beside its type.
    pub gives: fn(&[DataType], &[Option<String>]) -> Result<DataType>,
    /// The result for columns of the types that it takes; the last argument is the type of its result.
    pub run: fn(&[ArrayRef], &DataType) -> Result<ArrayRef>,
    /// A simpler expression of the same value, for arguments of these types.
    pub simpler: Option<Simpler>,
}

pub struct Scalar {
    spec: &'static Spec,
    signature: Signature,
}

impl Scalar {
    pub fn new(spec: &'static Spec) -> Scalar {
        Scalar { spec, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl std::fmt::Debug for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.spec.name)
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        self.spec.name == other.spec.name
    }
}

impl Eq for Scalar {}

impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
    }
}

impl ScalarUDFImpl for Scalar {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        (self.spec.takes)(arg_types).or_else(|error| match filled(arg_types) {
            Some(types) => (self.spec.takes)(&types),
            None => Err(error),
        })
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        (self.spec.gives)(arg_types, &vec![None; arg_types.len()])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let literals: Vec<Option<String>> = args.scalar_arguments.iter().map(|value| value.map(literal)).collect();
        let gives = (self.spec.gives)(&types, &literals).or_else(|error| match filled(&types) {
            Some(types) => (self.spec.gives)(&types, &literals),
            None => Err(error),
        });
        Ok(Arc::new(Field::new(self.spec.name, gives?, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let gives = args.return_field.data_type();
        let result = match (self.spec.run)(&arrays, gives) {
            // The optimizer asks what becomes of a NULL that has no type: NULL.
            Err(_) if arrays.iter().any(|array| array.data_type().is_null()) => new_null_array(gives, rows),
            result => result?,
        };
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(simpler) = self.spec.simpler else { return Ok(ExprSimplifyResult::Original(args)) };
        let types = args.iter().map(|arg| info.get_data_type(arg)).collect::<Result<Vec<_>>>()?;
        Ok(match simpler(&args, &types) {
            Some(expr) => ExprSimplifyResult::Simplified(expr),
            None => ExprSimplifyResult::Original(args),
        })
    }
}

/// The types of arguments, where NULLs without a type have that of the others.
fn filled(types: &[DataType]) -> Option<Vec<DataType>> {
    let other = types.iter().find(|kind| !kind.is_null()).filter(|_| types.contains(&DataType::Null))?;
    Some(types.iter().map(|kind| if kind.is_null() { other.clone() } else { kind.clone() }).collect())
}

fn literal(value: &ScalarValue) -> String {
    match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            text.clone()
        }
        other => other.to_string(),
    }
}

/// An error of a running query.
pub fn failure(message: impl Into<String>) -> DataFusionError {
    DataFusionError::Execution(message.into())
}

/// An error of planning: arguments of these types have no meaning.
pub fn no_such_types(name: &str, types: &[DataType]) -> DataFusionError {
    let types: Vec<String> = types.iter().map(ToString::to_string).collect();
    DataFusionError::Plan(format!("`{name}` takes no arguments of the types {}", types.join(", ")))
}

/// A timestamp without a time zone, as DuckDB keeps it.
pub const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// A timestamp with a time zone: always kept and shown in UTC.
pub fn timestamptz() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub fn is_list(data_type: &DataType) -> bool {
    matches!(data_type, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

/// Takes texts, and whole numbers as texts.
pub fn texts(types: &[DataType]) -> Result<Vec<DataType>> {
    let is_plain = |data_type: &DataType| is_text(data_type) || data_type.is_integer() || data_type.is_null();
    if types.iter().all(is_plain) {
        Ok(vec![DataType::Utf8; types.len()])
    } else {
        Err(no_such_types("a function of text", types))
    }
}

/// Takes what it is given.
pub fn same(types: &[DataType]) -> Result<Vec<DataType>> {
    Ok(types.to_vec())
}

pub fn gives_text(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(DataType::Utf8)
}

pub fn gives_bigint(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(DataType::Int64)
}

pub fn gives_ubigint(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(DataType::UInt64)
}

pub fn gives_double(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(DataType::Float64)
}

pub fn gives_boolean(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(DataType::Boolean)
}

pub fn gives_date(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(DataType::Date32)
}

pub fn gives_timestamp(_: &[DataType], _: &[Option<String>]) -> Result<DataType> {
    Ok(TIMESTAMP)
}

/// A column as text, whatever kind of text it is.
pub fn text(array: &ArrayRef) -> Result<StringArray> {
    let array = if array.data_type() == &DataType::Utf8 { array.clone() } else { cast(array, &DataType::Utf8)? };
    array.as_any().downcast_ref::<StringArray>().cloned().ok_or_else(|| failure("a column of text has another type"))
}

/// A column of numbers or times, converted where it must be.
pub fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef, data_type: &DataType) -> Result<PrimitiveArray<T>> {
    let array = if array.data_type() == data_type { array.clone() } else { cast(array, data_type)? };
    let typed = array.as_any().downcast_ref::<PrimitiveArray<T>>().cloned();
    typed.ok_or_else(|| failure(format!("a column of {data_type} has another type")))
}

pub fn bigint(array: &ArrayRef) -> Result<Int64Array> {
    primitive(array, &DataType::Int64)
}

/// A column of text from a function of each row.
pub fn each_text(rows: usize, of: impl Fn(usize) -> Result<Option<String>>) -> Result<ArrayRef> {
    Ok(Arc::new((0..rows).map(of).collect::<Result<StringArray>>()?))
}

pub fn each_bigint(rows: usize, of: impl Fn(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
    Ok(Arc::new((0..rows).map(of).collect::<Result<Int64Array>>()?))
}

pub fn each_boolean(rows: usize, of: impl Fn(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
    Ok(Arc::new((0..rows).map(of).collect::<Result<BooleanArray>>()?))
}
