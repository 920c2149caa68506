//! DuckDB's functions that take lists as well as texts.

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;

use crate::adapter::lake::functions::scalar::{Spec, each_bigint, gives_bigint, is_list, is_text, no_such_types, text};

pub const ALL: &[Spec] = &[Spec { name: "len", takes: text_or_list, gives: gives_bigint, run: len, simpler: None }];

fn text_or_list(types: &[DataType]) -> Result<Vec<DataType>> {
    match types {
        [DataType::List(_)] => Ok(types.to_vec()),
        [list @ (DataType::LargeList(field) | DataType::FixedSizeList(field, _))] if is_list(list) => {
            Ok(vec![DataType::List(field.clone())])
        }
        [text] if is_text(text) || text.is_null() => Ok(vec![DataType::Utf8]),
        _ => Err(no_such_types("length", types)),
    }
}

/// Characters of a text, elements of a list.
fn len(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    if let Some(lists) = args[0].as_list_opt::<i32>() {
        return each_bigint(lists.len(), |row| Ok(lists.is_valid(row).then(|| i64::from(lists.value_length(row)))));
    }
    let texts = text(&args[0])?;
    each_bigint(texts.len(), |row| Ok(texts.is_valid(row).then(|| texts.value(row).chars().count() as i64)))
}
