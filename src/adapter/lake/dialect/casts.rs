//! Turns casts and the names of types into those that DataFusion has, with DuckDB's conversions.

use sqlparser::ast::{ArrayElemTypeDef, CastKind, DataType, ExactNumberInfo, Expr, Spanned, TimezoneInfo, Value};
use sqlparser::tokenizer::Span;

use crate::adapter::AdapterError;
use crate::adapter::binder::TYPES;
use crate::adapter::lake::dialect::build;
use crate::adapter::lake::dialect::refusal::refuse;
use crate::diagnostic::nearest;

/// `cast(x as t)`: a call that converts as DuckDB does. Its second argument carries the type.
pub fn rewrite(kind: &CastKind, expr: Expr, mut data_type: DataType, span: Span) -> Result<Expr, AdapterError> {
    let tries = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
    let written = data_type.to_string().to_lowercase();
    rewrite_type(&mut data_type, span)?;
    if matches!(&expr, Expr::Value(value) if value.value == Value::Null) {
        return Ok(build::cast(expr, data_type));
    }
    match written.as_str() {
        "json" if tries => return Ok(build::call("try_json", vec![expr])),
        "json" => return Ok(build::call("json", vec![expr])),
        "uuid" if tries => return Ok(build::call("try_to_uuid", vec![expr])),
        "uuid" => return Ok(build::call("to_uuid", vec![expr])),
        _ => {}
    }
    if !tries && is_iso_date(&expr, &data_type) {
        return Ok(build::cast(expr, data_type));
    }
    let target = build::cast(Expr::value(Value::Null), data_type);
    Ok(build::call(if tries { "medal_try_cast" } else { "medal_cast" }, vec![expr, target]))
}

/// Both engines read such a literal alike, and the planner sees a constant at once.
fn is_iso_date(expr: &Expr, data_type: &DataType) -> bool {
    let Some(text) = build::literal_text(expr).map(str::as_bytes) else { return false };
    let digit = |at: usize| text[at].is_ascii_digit();
    let is_iso =
        text.len() == 10 && text[4] == b'-' && text[7] == b'-' && [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(digit);
    is_iso && matches!(data_type, DataType::Date)
}

/// Writes a type of DuckDB with a name that DataFusion knows.
pub fn rewrite_type(data_type: &mut DataType, span: Span) -> Result<(), AdapterError> {
    let to = match data_type {
        DataType::Array(element) => return rewrite_element(element, span),
        DataType::Struct(fields, _) => {
            for field in fields {
                rewrite_type(&mut field.field_type, span)?;
            }
            return Ok(());
        }
        DataType::HugeInt | DataType::Int128 => build::decimal(38, 0),
        DataType::Timestamp(None, zone) => DataType::Timestamp(Some(6), *zone),
        DataType::Datetime(None) => DataType::Timestamp(Some(6), TimezoneInfo::None),
        DataType::Decimal(size) | DataType::Numeric(size) | DataType::Dec(size) => match size {
            ExactNumberInfo::None => build::decimal(18, 3),
            ExactNumberInfo::Precision(precision) => build::decimal(*precision, 0),
            ExactNumberInfo::PrecisionAndScale(precision, scale) => build::decimal(*precision, *scale),
        },
        DataType::UTinyInt | DataType::UInt8 => DataType::TinyIntUnsigned(None),
        DataType::USmallInt | DataType::UInt16 => DataType::SmallIntUnsigned(None),
        DataType::UInt32 => DataType::IntUnsigned(None),
        DataType::UBigInt | DataType::UInt64 => DataType::BigIntUnsigned(None),
        DataType::Int16 => DataType::SmallInt(None),
        DataType::Int32 | DataType::Signed => DataType::Int(None),
        DataType::Int64 => DataType::BigInt(None),
        DataType::Float32 => DataType::Real,
        DataType::Float64 => DataType::DoublePrecision,
        DataType::JSON
        | DataType::Uuid
        | DataType::Nvarchar(_)
        | DataType::Character(_)
        | DataType::CharacterVarying(_)
        | DataType::CharVarying(_) => DataType::Varchar(None),
        DataType::Blob(_) | DataType::Varbinary(_) | DataType::Binary(_) => DataType::Bytea,
        DataType::Custom(name, sizes) if sizes.is_empty() => {
            // The place of the type itself, rather than of what is converted.
            let of_type = name.span();
            custom(&name.to_string().to_lowercase(), if of_type == Span::empty() { span } else { of_type })?
        }
        DataType::Bit(_) | DataType::Enum(..) | DataType::Union(_) | DataType::UHugeInt | DataType::Map(..) => {
            return Err(no_type(&data_type.to_string(), span));
        }
        _ => return Ok(()),
    };
    *data_type = to;
    Ok(())
}

fn rewrite_element(element: &mut ArrayElemTypeDef, span: Span) -> Result<(), AdapterError> {
    match element {
        ArrayElemTypeDef::AngleBracket(inner)
        | ArrayElemTypeDef::SquareBracket(inner, _)
        | ArrayElemTypeDef::Parenthesis(inner) => rewrite_type(inner, span),
        ArrayElemTypeDef::None => Ok(()),
    }
}

/// Names of types that the parser keeps as they are.
fn custom(name: &str, span: Span) -> Result<DataType, AdapterError> {
    Ok(match name {
        "hugeint" | "int128" => build::decimal(38, 0),
        "ubigint" | "uint64" => DataType::BigIntUnsigned(None),
        "uinteger" | "uint32" => DataType::IntUnsigned(None),
        "usmallint" | "uint16" => DataType::SmallIntUnsigned(None),
        "utinyint" | "uint8" => DataType::TinyIntUnsigned(None),
        "int1" => DataType::TinyInt(None),
        "short" => DataType::SmallInt(None),
        "long" | "oid" => DataType::BigInt(None),
        "signed" => DataType::Int(None),
        "logical" => DataType::Boolean,
        "string" | "bpchar" | "json" | "uuid" => DataType::Varchar(None),
        "timestamp_us" | "datetime" | "timestamp_s" | "timestamp_ms" => {
            DataType::Timestamp(Some(6), TimezoneInfo::None)
        }
        _ => return Err(no_type(name, span)),
    })
}

fn no_type(name: &str, span: Span) -> AdapterError {
    let way = match nearest(name, TYPES) {
        Some(near) if near != name => format!("did you mean `{near}`?"),
        _ => "use another one, for instance VARCHAR".to_string(),
    };
    refuse(span, format!("a lakehouse has no type `{name}`; {way}"))
}
