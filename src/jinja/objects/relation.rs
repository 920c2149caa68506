//! A relation as templates see it: a mapping with methods, which prints as SQL.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Enumerator, Object, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use crate::adapter::relation::{Parts, Relation, RelationKind};
use crate::jinja::collections::{Dict, Entries};
use crate::jinja::functions::Arguments;
use crate::jinja::python;

#[derive(Debug, Clone)]
pub struct RelationObject(pub Relation);

/// What `to_dict` gives.
const FIELDS: [&str; 8] =
    ["path", "type", "quote_character", "include_policy", "quote_policy", "dbt_created", "limit", "catalog"];

fn text(value: Option<&String>) -> Value {
    value.map_or_else(|| Value::from(()), |text| Value::from(text.as_str()))
}

fn dict<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Dict::value(entries.into_iter().map(|(name, value)| (Value::from(name), value)).collect::<Entries>())
        .unwrap_or_default()
}

impl RelationObject {
    pub fn value(relation: Relation) -> Value {
        Value::from_object(RelationObject(relation))
    }

    /// A relation, or the parts of one.
    pub fn from_value(value: &Value) -> Option<Relation> {
        if let Some(relation) = value.downcast_object_ref::<RelationObject>() {
            return Some(relation.0.clone());
        }
        let part = |name: &str| {
            value.get_attr(name).ok().filter(|part| part.kind() == ValueKind::String).map(|part| python::text(&part))
        };
        let identifier = part("identifier")?;
        let mut relation = Relation::new("", "", &identifier);
        relation.database = part("database");
        relation.schema = part("schema");
        Some(relation)
    }

    /// A relation that needs no identifier, for instance of a schema.
    pub fn from_value_with_schema(value: &Value) -> Option<Relation> {
        if let Some(relation) = value.downcast_object_ref::<RelationObject>() {
            return Some(relation.0.clone());
        }
        let schema = value.get_attr("schema").ok().filter(|schema| schema.kind() == ValueKind::String)?;
        let mut relation = Relation::new("", &python::text(&schema), "");
        relation.database = value.get_attr("database").ok().and_then(|database| database.as_str().map(str::to_string));
        Some(relation)
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        let relation = &self.0;
        let is = |kind| Value::from(relation.kind == Some(kind));
        Some(match name {
            "database" => text(relation.database.as_ref()),
            "schema" => text(relation.schema.as_ref()),
            "identifier" | "name" | "table" => text(relation.identifier.as_ref()),
            "type" => relation.kind.map_or_else(|| Value::from(()), |kind| Value::from(kind.name())),
            "is_table" => is(RelationKind::Table),
            "is_view" => is(RelationKind::View),
            "is_cte" => is(RelationKind::Cte),
            "is_materialized_view" | "is_pointer" | "is_function" => Value::from(false),
            "can_be_renamed" | "can_be_replaced" => {
                Value::from(matches!(relation.kind, Some(RelationKind::Table | RelationKind::View)))
            }
            "renameable_relations" | "replaceable_relations" => Value::from(vec!["table", "view"]),
            "path" => dict([
                ("database", text(relation.database.as_ref())),
                ("schema", text(relation.schema.as_ref())),
                ("identifier", text(relation.identifier.as_ref())),
            ]),
            "quote_policy" => parts(relation.quote),
            "include_policy" => parts(relation.include),
            "quote_character" => Value::from("\""),
            "dbt_created" => Value::from(false),
            "limit" => relation.limit.map_or_else(|| Value::from(()), Value::from),
            "external" => text(relation.expression.as_ref()),
            "catalog" | "require_alias" | "event_time_filter" => Value::from(()),
            "metadata" => dict([("type", Value::from("DuckDBRelation"))]),
            "Table" => Value::from("table"),
            "View" => Value::from("view"),
            "CTE" => Value::from("cte"),
            "External" => Value::from("external"),
            "MaterializedView" => Value::from("materialized_view"),
            _ => return None,
        })
    }
}

fn parts(parts: Parts) -> Value {
    dict([
        ("database", Value::from(parts.database)),
        ("schema", Value::from(parts.schema)),
        ("identifier", Value::from(parts.identifier)),
    ])
}

fn change(parts: &mut Parts, value: impl Fn(&str, usize) -> Option<bool>) {
    parts.database = value("database", 0).unwrap_or(parts.database);
    parts.schema = value("schema", 1).unwrap_or(parts.schema);
    parts.identifier = value("identifier", 2).unwrap_or(parts.identifier);
}

fn flag(args: &Arguments, name: &str, position: usize) -> Option<bool> {
    args.get(position, name).filter(|value| !value.is_none()).map(|value| value.is_true())
}

impl Object for RelationObject {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.attribute(key.as_str()?)
    }

    /// dbt's relations are mappings that cannot be iterated over.
    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        let mut relation = self.0.clone();
        match name {
            "include" => change(&mut relation.include, |name, at| flag(&args, name, at)),
            "quote" => change(&mut relation.quote, |name, at| flag(&args, name, at)),
            "without_quote" => relation.quote = Parts { database: false, schema: false, identifier: false },
            "without_identifier" => relation.include.identifier = false,
            "replace_path" => replace_path(&mut relation, &args),
            "incorporate" => incorporate(&mut relation, &args),
            "information_schema" => return Ok(information_schema(&relation, args.optional_text(0, "view_name"))),
            "information_schema_only" => return Ok(information_schema(&relation, None)),
            "render" => return Ok(Value::from(relation.render_name())),
            "render_limited" => return Ok(Value::from(relation.render_limited())),
            "render_event_time_filtered" => return Ok(Value::from(relation.render())),
            "add_ephemeral_prefix" => return Ok(Value::from(format!("__dbt__cte__{}", args.text(0)?))),
            "get" => {
                let found = self.attribute(&args.text(0)?);
                return Ok(found.or_else(|| args.get(1, "default")).unwrap_or_else(|| Value::from(())));
            }
            "matches" => {
                let same = |name: &str, at: usize, own: &Option<String>| match args.optional_text(at, name) {
                    Some(wanted) => own.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&wanted)),
                    None => true,
                };
                return Ok(Value::from(
                    same("database", 0, &relation.database)
                        && same("schema", 1, &relation.schema)
                        && same("identifier", 2, &relation.identifier),
                ));
            }
            "to_dict" => {
                let fields = FIELDS.iter().filter_map(|name| Some((Value::from(*name), self.attribute(name)?)));
                return Dict::value(fields.collect());
            }
            "create" | "create_from" | "create_ephemeral_from" => return create(args.all),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(RelationObject::value(relation))
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<RelationObject>()?;
        Some(self.0.cmp(&other.0))
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.render())
    }
}

fn replace_path(relation: &mut Relation, args: &Arguments) {
    for (name, value) in args.keywords() {
        let value = Some(value).filter(|value| !value.is_none()).map(|value| python::text(&value));
        match name.as_str() {
            "database" => relation.database = value,
            "schema" => relation.schema = value,
            "identifier" => relation.identifier = value,
            _ => {}
        }
    }
}

/// `incorporate(path={…}, type=…, quote_policy={…}, include_policy={…}, limit=…)`.
fn incorporate(relation: &mut Relation, args: &Arguments) {
    let part = |of: &str, name: &str| {
        let value = args.keyword(of)?.get_attr(name).ok()?;
        (!value.is_undefined()).then_some(value)
    };
    for (name, slot) in [
        ("database", &mut relation.database),
        ("schema", &mut relation.schema),
        ("identifier", &mut relation.identifier),
    ] {
        if let Some(value) = part("path", name) {
            *slot = (!value.is_none()).then(|| python::text(&value));
        }
    }
    change(&mut relation.quote, |name, _| part("quote_policy", name).map(|value| value.is_true()));
    change(&mut relation.include, |name, _| part("include_policy", name).map(|value| value.is_true()));
    if let Some(kind) = args.keyword("type") {
        relation.kind = kind.as_str().and_then(RelationKind::from_name);
    }
}

/// The schema of a relation's database that describes the database, or a view in it.
pub fn information_schema(relation: &Relation, view: Option<String>) -> Value {
    let mut schema = Relation::new("", "information_schema", "");
    schema.database = relation.database.clone();
    schema.include.database = relation.database.is_some();
    schema.identifier = view;
    schema.quote.schema = false;
    schema.quote.identifier = false;
    RelationObject::value(schema)
}

/// `api.Relation.create(database, schema, identifier, type)`.
pub fn create(all: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new("Relation.create", all);
    let mut relation = Relation::new("", "", "");
    relation.database = args.optional_text(0, "database");
    relation.schema = args.optional_text(1, "schema");
    relation.identifier = args.optional_text(2, "identifier");
    relation.kind = args.optional_text(3, "type").and_then(|kind| RelationKind::from_name(&kind));
    let policy = |of: &str, name: &str| {
        let value = args.keyword(of)?.get_attr(name).ok()?;
        (!value.is_undefined()).then(|| value.is_true())
    };
    change(&mut relation.quote, |name, _| policy("quote_policy", name));
    change(&mut relation.include, |name, _| policy("include_policy", name));
    Ok(RelationObject::value(relation))
}
