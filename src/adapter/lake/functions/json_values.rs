//! Turns values of any type into JSON, and JSON into values of a type that is written as JSON.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray, StructArray};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::Result;
use serde_json::Value as Json;

use crate::adapter::lake::functions::casts::{convert, written};
use crate::adapter::lake::functions::json::parse;
use crate::adapter::lake::functions::scalar::{
    Spec, TIMESTAMP, failure, gives_text, no_such_types, same, text, timestamptz,
};

pub const ALL: &[Spec] = &[
    Spec { name: "from_json", takes: text_and_structure, gives: written_type, run: from_json, simpler: None },
    Spec { name: "to_json", takes: same, gives: gives_text, run: to_json, simpler: None },
];

pub fn to_json(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let values = &args[0];
    let jsons = jsons(values)?.into_iter().enumerate();
    Ok(Arc::new(jsons.map(|(row, json)| values.is_valid(row).then_some(json)).collect::<StringArray>()))
}

/// The values of a column as JSON: a column is looked at as a whole, as its type is the same in each row.
fn jsons(array: &ArrayRef) -> Result<Vec<String>> {
    let each = |of: &dyn Fn(usize) -> Result<String>| -> Result<Vec<String>> {
        let json = |row| if array.is_null(row) { Ok("null".to_string()) } else { of(row) };
        (0..array.len()).map(json).collect()
    };
    match array.data_type() {
        DataType::Null => Ok(vec!["null".to_string(); array.len()]),
        DataType::Boolean => each(&|row| Ok(array.as_boolean().value(row).to_string())),
        DataType::List(_) => {
            let (items, offsets) = (jsons(array.as_list::<i32>().values())?, array.as_list::<i32>().value_offsets());
            each(&|row| Ok(format!("[{}]", items[offsets[row] as usize..offsets[row + 1] as usize].join(","))))
        }
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            jsons(&convert(array, &DataType::List(item.clone()), false)?)
        }
        DataType::Struct(fields) => {
            let columns: Vec<Vec<String>> = array.as_struct().columns().iter().map(jsons).collect::<Result<_>>()?;
            let names: Vec<String> = fields.iter().map(|field| quoted(field.name())).collect();
            each(&|row| {
                let members = names.iter().zip(&columns).map(|(name, column)| format!("{name}:{}", column[row]));
                Ok(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
            })
        }
        DataType::Map(..) => {
            let (map, offsets) = (array.as_map(), array.as_map().value_offsets());
            let (names, values) = (text(&written(map.keys())?)?, jsons(map.values())?);
            each(&|row| {
                let entries = offsets[row] as usize..offsets[row + 1] as usize;
                let members = entries.map(|at| format!("{}:{}", quoted(names.value(at)), values[at]));
                Ok(format!("{{{}}}", members.collect::<Vec<_>>().join(",")))
            })
        }
        kind if kind.is_floating() || matches!(kind, DataType::Decimal128(..=15, _)) => {
            let numbers = cast(array, &DataType::Float64)?;
            each(&|row| Ok(number(numbers.as_primitive::<Float64Type>().value(row))))
        }
        kind => {
            let texts = text(&written(array)?)?;
            each(&|row| Ok(if kind.is_numeric() { texts.value(row).to_string() } else { quoted(texts.value(row)) }))
        }
    }
}

/// A number as DuckDB writes it, which is JavaScript's way, with a point in each.
fn number(number: f64) -> String {
    let scientific = format!("{number:e}");
    let exponent: Option<i32> = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok());
    match exponent {
        None if number.is_nan() => "NaN".to_string(),
        None => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_string(),
        Some(-6..21) if number.fract() == 0.0 => format!("{number}.0"),
        Some(-6..21) => number.to_string(),
        Some(_) => scientific,
    }
}

fn quoted(text: &str) -> String {
    Json::String(text.to_string()).to_string()
}

fn text_and_structure(types: &[DataType]) -> Result<Vec<DataType>> {
    if types.len() == 2 { Ok(vec![DataType::Utf8; 2]) } else { Err(no_such_types("from_json", types)) }
}

/// The type that the second argument writes.
fn written_type(_: &[DataType], literals: &[Option<String>]) -> Result<DataType> {
    let structure = literals.get(1).and_then(Option::as_deref);
    let structure = structure.ok_or_else(|| failure("`from_json` takes a literal that says what the JSON holds"))?;
    type_of(&parse(structure)?)
}

/// `["BIGINT"]` is a list, `{"a": "VARCHAR"}` a struct.
fn type_of(structure: &Json) -> Result<DataType> {
    match structure {
        Json::Array(items) if items.len() == 1 => {
            Ok(DataType::List(Arc::new(Field::new_list_field(type_of(&items[0])?, true))))
        }
        Json::Object(members) => {
            let field = |(name, member): (&String, &Json)| Ok(Field::new(name, type_of(member)?, true));
            Ok(DataType::Struct(members.iter().map(field).collect::<Result<Vec<Field>>>()?.into()))
        }
        Json::String(name) => match name.to_uppercase().as_str() {
            "VARCHAR" | "JSON" => Ok(DataType::Utf8),
            "BOOLEAN" => Ok(DataType::Boolean),
            "INTEGER" => Ok(DataType::Int32),
            "BIGINT" => Ok(DataType::Int64),
            "UBIGINT" => Ok(DataType::UInt64),
            "DOUBLE" => Ok(DataType::Float64),
            "DATE" => Ok(DataType::Date32),
            "TIMESTAMP" => Ok(TIMESTAMP),
            "TIMESTAMP WITH TIME ZONE" | "TIMESTAMPTZ" => Ok(timestamptz()),
            _ => Err(failure(format!("`from_json` knows no type `{name}` here; read it as VARCHAR and cast it"))),
        },
        other => Err(failure(format!("`from_json` cannot read a type from `{other}`"))),
    }
}

fn from_json(args: &[ArrayRef], gives: &DataType) -> Result<ArrayRef> {
    let texts = text(&args[0])?;
    let parsed: Vec<Option<Json>> = texts.iter().map(|text| text.map(parse).transpose()).collect::<Result<_>>()?;
    values(&parsed.iter().map(Option::as_ref).collect::<Vec<_>>(), gives)
}

/// A column of values; what does not fit is NULL.
fn values(jsons: &[Option<&Json>], kind: &DataType) -> Result<ArrayRef> {
    match kind {
        DataType::List(field) => lists(jsons, field),
        DataType::Struct(fields) => {
            let member = |field: &FieldRef| {
                let members: Vec<_> = jsons.iter().map(|json| json.and_then(|json| json.get(field.name()))).collect();
                values(&members, field.data_type())
            };
            let columns = fields.iter().map(member).collect::<Result<Vec<_>>>()?;
            let nulls: NullBuffer = jsons.iter().map(|json| json.is_some_and(Json::is_object)).collect();
            Ok(Arc::new(StructArray::new(fields.clone(), columns, Some(nulls))))
        }
        kind => {
            let text = |json: &Option<&Json>| match json {
                None | Some(Json::Null) => None,
                Some(Json::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            };
            let texts: ArrayRef = Arc::new(jsons.iter().map(text).collect::<StringArray>());
            convert(&texts, kind, true)
        }
    }
}

fn lists(jsons: &[Option<&Json>], field: &FieldRef) -> Result<ArrayRef> {
    let lists: Vec<Option<&Vec<Json>>> = jsons.iter().map(|json| json.and_then(Json::as_array)).collect();
    let items: Vec<Option<&Json>> = lists.iter().copied().flatten().flatten().map(Some).collect();
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.map_or(0, Vec::len)));
    let nulls: NullBuffer = lists.iter().map(Option::is_some).collect();
    Ok(Arc::new(ListArray::new(field.clone(), offsets, values(&items, field.data_type())?, Some(nulls))))
}
