//! A column as templates see it: its name, its type, and what can be said of both.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use crate::adapter::relation::{Column, identifier};
use crate::jinja::error::runtime;
use crate::jinja::functions::Arguments;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnObject {
    pub name: String,
    /// The type without its size.
    dtype: String,
    char_size: Option<i64>,
    precision: Option<i64>,
    scale: Option<i64>,
}

const STRINGS: [&str; 4] = ["text", "character varying", "character", "varchar"];
const INTEGERS: [&str; 17] = [
    "tinyint",
    "smallint",
    "integer",
    "bigint",
    "hugeint",
    "utinyint",
    "usmallint",
    "uinteger",
    "ubigint",
    "int1",
    "int2",
    "int4",
    "int8",
    "short",
    "int",
    "long",
    "signed",
];
const FLOATS: [&str; 5] = ["real", "float", "float4", "float8", "double"];

impl ColumnObject {
    pub fn value(column: &Column) -> Value {
        Value::from_object(ColumnObject::new(&column.name, &column.data_type))
    }

    pub fn new(name: &str, data_type: &str) -> ColumnObject {
        let (name, dtype) = (name.to_string(), data_type.to_string());
        ColumnObject { name, dtype, char_size: None, precision: None, scale: None }
    }

    /// The columns of a struct, by the text of its type.
    fn fields(&self) -> Vec<ColumnObject> {
        let upper = self.dtype.to_uppercase();
        if !upper.starts_with("STRUCT(") || !upper.ends_with(')') {
            return Vec::new();
        }
        let mut fields = vec![String::new()];
        let mut depth = 0;
        for char in self.dtype[7..self.dtype.len() - 1].chars() {
            depth += i32::from(char == '(') - i32::from(char == ')');
            match fields.last_mut() {
                Some(field) if char != ',' || depth > 0 => field.push(char),
                _ => fields.push(String::new()),
            }
        }
        let field = |field: &String| field.trim().split_once(' ').map(|(name, dtype)| ColumnObject::new(name, dtype));
        fields.iter().filter_map(field).collect()
    }

    /// A struct as the columns inside of it, with dots in their names.
    fn flatten(&self) -> Vec<ColumnObject> {
        let fields = self.fields();
        if fields.is_empty() {
            return vec![self.clone()];
        }
        let named = |field: ColumnObject| ColumnObject { name: format!("{}.{}", self.name, field.name), ..field };
        fields.into_iter().flat_map(|field| named(field).flatten()).collect()
    }

    fn has_type(&self, types: &[&str]) -> bool {
        types.contains(&self.dtype.to_lowercase().as_str())
    }

    fn is_numeric(&self) -> bool {
        self.has_type(&["numeric", "decimal"])
    }

    fn string_size(&self) -> Result<i64, Error> {
        if !self.has_type(&STRINGS) {
            return Err(runtime(format!("the column `{}` is no text, so it has no size", self.name)));
        }
        let unlimited = self.dtype == "text" || self.char_size.is_none();
        Ok(if unlimited { 256 } else { self.char_size.unwrap_or(256) })
    }

    /// The type with its size, as SQL writes it.
    fn data_type(&self) -> String {
        match (self.char_size, self.precision, self.scale) {
            _ if self.has_type(&STRINGS) => self.string_size().map_or_else(|_| self.dtype.clone(), string_type),
            (_, Some(precision), Some(scale)) if self.is_numeric() => numeric_type(&self.dtype, precision, scale),
            _ => self.dtype.clone(),
        }
    }
}

fn string_type(size: i64) -> String {
    format!("character varying({size})")
}

fn numeric_type(dtype: &str, precision: i64, scale: i64) -> String {
    format!("{dtype}({precision},{scale})")
}

impl Object for ColumnObject {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let number = |value: Option<i64>| value.map_or_else(|| Value::from(()), Value::from);
        Some(match key.as_str()? {
            "name" | "column" => Value::from(self.name.as_str()),
            "quoted" => Value::from(identifier(&self.name)),
            "dtype" => Value::from(self.dtype.as_str()),
            "data_type" => Value::from(self.data_type()),
            "char_size" => number(self.char_size),
            "numeric_precision" => number(self.precision),
            "numeric_scale" => number(self.scale),
            "fields" => Value::from(self.fields().into_iter().map(Value::from_object).collect::<Vec<_>>()),
            _ => return None,
        })
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        Ok(match name {
            "is_string" => Value::from(self.has_type(&STRINGS)),
            "is_integer" => Value::from(self.has_type(&INTEGERS)),
            "is_float" => Value::from(self.has_type(&FLOATS)),
            "is_numeric" => Value::from(self.is_numeric()),
            "is_number" => Value::from(self.has_type(&INTEGERS) || self.has_type(&FLOATS) || self.is_numeric()),
            "string_size" => Value::from(self.string_size()?),
            "can_expand_to" => {
                let other = args.value(0, "other_column")?;
                let other = other.downcast_object_ref::<ColumnObject>().ok_or_else(|| args.missing("a column"))?;
                let both = self.has_type(&STRINGS) && other.has_type(&STRINGS);
                Value::from(both && other.string_size()? > self.string_size()?)
            }
            "literal" => Value::from(format!("{}::{}", args.shown(0, "value")?, self.data_type())),
            "string_type" => Value::from(string_type(args.int(0, 256)?)),
            "numeric_type" => Value::from(numeric_type(&args.text(0)?, args.int(1, 18)?, args.int(2, 3)?)),
            "create" => return create(args.all),
            "is_struct" => Value::from(!self.fields().is_empty()),
            "flatten" => Value::from(self.flatten().into_iter().map(Value::from_object).collect::<Vec<_>>()),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<ColumnObject>()?;
        Some((&self.name, self.data_type()).cmp(&(&other.name, other.data_type())))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<DuckDBColumn {} ({})>", self.name, self.data_type())
    }
}

/// `api.Column.translate_type(label)`.
pub fn translate_type(label: &str) -> &str {
    if label.eq_ignore_ascii_case("string") { "TEXT" } else { label }
}

/// `api.Column.create(name, type)` and `api.Column(name, type, char_size, numeric_precision, numeric_scale)`.
pub fn create(all: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new("Column", all);
    let data_type =
        args.optional_text(1, "dtype").or_else(|| args.optional_text(1, "label_or_dtype")).unwrap_or_default();
    let name = args.optional_text(0, "column").or_else(|| args.optional_text(0, "name")).unwrap_or_default();
    let mut column = ColumnObject::new(&name, translate_type(&data_type));
    let number = |at: usize, name: &str| args.get(at, name).and_then(|value| value.as_i64());
    column.char_size = number(2, "char_size").or(column.char_size);
    column.precision = number(3, "numeric_precision").or(column.precision);
    column.scale = number(4, "numeric_scale").or(column.scale);
    Ok(Value::from_object(column))
}
