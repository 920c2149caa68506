//! DuckDB's aggregates that DataFusion lacks or gives another type.

use std::any::Any;
use std::sync::Arc;

use crate::map::IndexMap;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::{concat, sort};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Float64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::sum as datafusion_sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature, Volatility};
use datafusion::physical_expr::expressions::Literal;

use crate::adapter::lake::functions::casts::convert;
use crate::adapter::lake::functions::scalar::{failure, no_such_types};

/// `sum`: of whole numbers it is a HUGEINT, which a lakehouse keeps as DECIMAL(38,0); of decimals it has 38 digits.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Sum {
    signature: Signature,
    inner: datafusion_sum::Sum,
}

impl Default for Sum {
    fn default() -> Sum {
        Sum { signature: Signature::user_defined(Volatility::Immutable), inner: datafusion_sum::Sum::new() }
    }
}

impl AggregateUDFImpl for Sum {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![match types {
            [DataType::Boolean] => DataType::Int64,
            [DataType::Decimal128(_, scale)] => DataType::Decimal128(38, *scale),
            [whole] if whole.is_integer() => DataType::Decimal128(38, 0),
            [DataType::Float32 | DataType::Float64 | DataType::Null] => DataType::Float64,
            _ => return Err(no_such_types("sum", types)),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Which of its values an aggregate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Picked {
    /// `mode`: the value that occurs most, of several the first.
    Commonest,
    /// That of a subquery that stands for a value: NULL without a row, an error with several.
    Only,
}

/// An aggregate that is one of its values.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Pick {
    picked: Picked,
    signature: Signature,
}

impl Pick {
    pub fn new(picked: Picked) -> Pick {
        Pick { picked, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Pick {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        match self.picked {
            Picked::Commonest => "mode",
            Picked::Only => "medal_single",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![all_values(&args)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let values = Values::new(args.expr_fields[0].data_type());
        let result: fn(&Values) -> Result<ScalarValue> = match self.picked {
            Picked::Commonest => most_frequent,
            Picked::Only => only,
        };
        Ok(Box::new(Collector { values, result }))
    }
}

fn only(values: &Values) -> Result<ScalarValue> {
    let all = values.all()?;
    match all.len() {
        0 => ScalarValue::try_from(&values.data_type),
        1 => ScalarValue::try_from_array(&all, 0),
        _ => Err(failure("More than one row returned by a subquery used as an expression")),
    }
}

/// `quantile_cont` and `median`: the value at a share of the ordered values, between two of them if need be.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct QuantileCont {
    name: &'static str,
    signature: Signature,
}

impl QuantileCont {
    pub fn new(name: &'static str) -> QuantileCont {
        QuantileCont { name, signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for QuantileCont {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let value = match types.first() {
            Some(decimal @ DataType::Decimal128(..)) => decimal.clone(),
            Some(number) if number.is_numeric() => DataType::Float64,
            _ => return Err(no_such_types(self.name, types)),
        };
        Ok(if types.len() > 1 { vec![value, DataType::Float64] } else { vec![value] })
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![all_values(&args)])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let share = match args.exprs.get(1) {
            None => 0.5,
            Some(expr) => share(expr.as_any().downcast_ref::<Literal>().map(Literal::value))?,
        };
        let values = Values::new(args.expr_fields[0].data_type());
        Ok(Box::new(Collector { values, result: move |values: &Values| quantile(values, share) }))
    }
}

fn share(literal: Option<&ScalarValue>) -> Result<f64> {
    match literal.map(|literal| literal.cast_to(&DataType::Float64)) {
        Some(Ok(ScalarValue::Float64(Some(share)))) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(failure("the share of a quantile is a literal from 0 to 1")),
    }
}

fn all_values(args: &StateFieldsArgs) -> FieldRef {
    let item = Field::new_list_field(args.input_fields[0].data_type().clone(), true);
    Arc::new(Field::new(format!("{}[values]", args.name), DataType::List(Arc::new(item)), true))
}

/// Every value of a group.
#[derive(Debug)]
struct Values {
    data_type: DataType,
    arrays: Vec<ArrayRef>,
}

impl Values {
    fn new(data_type: &DataType) -> Values {
        Values { data_type: data_type.clone(), arrays: Vec::new() }
    }

    fn all(&self) -> Result<ArrayRef> {
        if self.arrays.is_empty() {
            return Ok(datafusion::arrow::array::new_empty_array(&self.data_type));
        }
        let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
        Ok(concat(&arrays)?)
    }
}

/// Keeps all values, and makes the result of them in the end.
struct Collector<F> {
    values: Values,
    result: F,
}

impl<F> std::fmt::Debug for Collector<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.values.fmt(f)
    }
}

impl<F: Fn(&Values) -> Result<ScalarValue> + Send + Sync> Accumulator for Collector<F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.arrays.push(values[0].clone());
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        (self.result)(&self.values)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.arrays.iter().map(|array| array.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![SingleRowListArrayBuilder::new(self.values.all()?).build_list_scalar()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.values.arrays.push(list);
        }
        Ok(())
    }
}

fn most_frequent(values: &Values) -> Result<ScalarValue> {
    let all = values.all()?;
    let mut counts: IndexMap<ScalarValue, usize> = IndexMap::default();
    for row in (0..all.len()).filter(|row| all.is_valid(*row)) {
        *counts.entry(ScalarValue::try_from_array(&all, row)?).or_default() += 1;
    }
    let mut most: Option<(&ScalarValue, usize)> = None;
    for (value, count) in &counts {
        if most.is_none_or(|(_, known)| *count > known) {
            most = Some((value, *count));
        }
    }
    match most {
        Some((value, _)) => Ok(value.clone()),
        None => ScalarValue::try_from(&values.data_type),
    }
}

fn quantile(values: &Values, share: f64) -> Result<ScalarValue> {
    let sorted = sort(&values.all()?, None)?;
    let nulls = sorted.null_count();
    let count = sorted.len() - nulls;
    if count == 0 {
        return ScalarValue::try_from(&values.data_type);
    }
    // NULLs are sorted first.
    let place = share * (count - 1) as f64;
    let (low, high) = (nulls + place.floor() as usize, nulls + place.ceil() as usize);
    let part = place - place.floor();
    if let DataType::Decimal128(precision, scale) = values.data_type {
        let numbers = sorted.as_primitive::<Decimal128Type>();
        let (low, high) = (numbers.value(low), numbers.value(high));
        let between = low + ((high - low) as f64 * part).round_ties_even() as i128;
        return Ok(ScalarValue::Decimal128(Some(between), precision, scale));
    }
    let numbers = convert(&sorted, &DataType::Float64, false)?;
    let numbers = numbers.as_primitive::<Float64Type>();
    let (low, high) = (numbers.value(low), numbers.value(high));
    Ok(ScalarValue::Float64(Some(low + (high - low) * part)))
}
