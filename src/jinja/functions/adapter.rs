//! `adapter.…` and `api.…`: what templates ask of the warehouse.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::json;

use crate::adapter::relation::{Column, Relation, identifier};
use crate::diagnostic::nearest;
use crate::jinja::collections::{Dict, List};
use crate::jinja::error::{self, from_host, runtime};
use crate::jinja::functions::constraints;
use crate::jinja::functions::external;
use crate::jinja::functions::queries::Response;
use crate::jinja::functions::{Arguments, Function, settled};
use crate::jinja::library::Shared;
use crate::jinja::objects::column::{self, ColumnObject};
use crate::jinja::objects::relation::{self, RelationObject};
use crate::jinja::objects::table::Table;
use crate::jinja::python;
use crate::jinja::render::{Render, render};
use crate::jinja::{ErrorKind as Kind, HostError};

#[derive(Debug)]
pub struct Adapter;

impl Object for Adapter {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let render = render(state)?;
        method(state, &render, name, Arguments::new(name, args)).map_err(settled)
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "behavior" => Some(Value::from_object(Behavior)),
            "Relation" => Some(class("Relation", relation::create)),
            "Column" => Some(class("Column", column::create)),
            _ => None,
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<adapter>")
    }
}

/// `adapter.behavior`: every flag is off.
#[derive(Debug)]
struct Behavior;

impl Object for Behavior {
    fn get_value(self: &Arc<Self>, _key: &Value) -> Option<Value> {
        Some(Value::from(false))
    }
}

fn nothing() -> Value {
    Value::from(())
}

fn relation(args: &Arguments, position: usize, name: &str) -> Result<Relation, Error> {
    let value = args.value(position, name)?;
    RelationObject::from_value(&value).ok_or_else(|| {
        runtime(format!("`{}` wants a relation, not a value of type {}", args.function, python::type_name(&value)))
    })
}

fn columns(columns: Vec<Column>) -> Result<Value, Error> {
    List::value(columns.iter().map(ColumnObject::value).collect())
}

fn method(state: &mut State, render: &Arc<Render>, name: &str, args: Arguments) -> Result<Value, Error> {
    let host = &render.host;
    match name {
        "dispatch" => dispatch(render, &args),
        "type" => Ok(Value::from(render.shared.options.adapter.as_str())),
        "execute" => execute(render, &args),
        "run_query" => Err(error::raise(
            crate::jinja::ErrorKind::UnknownMacro,
            "`run_query` is a macro, not a method of `adapter`",
            None,
        )),
        "commit" | "commit_if_has_connection" => host.commit().map(|()| nothing()).map_err(from_host),
        "begin" => host.begin().map(|()| nothing()).map_err(from_host),
        "get_relation" => {
            let (database, schema) = (args.optional_text(0, "database"), args.optional_text(1, "schema"));
            existing(render, database.as_deref(), schema.as_deref(), &args.shown(2, "identifier")?)
        }
        "load" | "load_relation" | "load_cached_relation" => {
            let wanted = relation(&args, 0, "relation")?;
            let identifier = wanted.identifier.clone().unwrap_or_default();
            existing(render, wanted.database.as_deref(), wanted.schema.as_deref(), &identifier)
        }
        "list_relations" | "list_relations_without_caching" => list_relations(render, &args),
        "get_columns_in_relation" => columns(host.columns(&relation(&args, 0, "relation")?).map_err(from_host)?),
        "get_columns_in_table" => {
            let mut table = Relation::new("", &args.shown(0, "schema_name")?, &args.shown(1, "table_name")?);
            table.include.database = false;
            columns(host.columns(&table).map_err(from_host)?)
        }
        "get_missing_columns" => {
            let theirs = host.columns(&relation(&args, 1, "to_relation")?).map_err(from_host)?;
            let ours = host.columns(&relation(&args, 0, "from_relation")?).map_err(from_host)?;
            let is_new = |column: &Column| !theirs.iter().any(|other| other.name == column.name);
            columns(ours.into_iter().filter(is_new).collect())
        }
        "expand_target_column_types" => Ok(nothing()),
        "get_column_schema_from_query" => columns(host.query_columns(&args.shown(0, "sql")?).map_err(from_host)?),
        // While the project is parsed there is no warehouse to change.
        "create_schema"
        | "drop_schema"
        | "drop_relation"
        | "rename_relation"
        | "truncate_relation"
        | "check_schema_exists"
            if !host.execute() =>
        {
            Ok(nothing())
        }
        "create_schema" | "drop_schema" => schema(state, render, name, &args),
        "drop_relation" | "rename_relation" | "truncate_relation" => change_relation(state, render, name, &args),
        "check_schema_exists" => {
            let mut place = Relation::new("", "", "");
            place.database = args.optional_text(0, "database");
            let described = relation::information_schema(&place, None);
            let schema = Value::from(args.shown(1, "schema")?);
            match call_macro(state, render, "check_schema_exists", &[described, schema])? {
                Some(result) => Ok(Value::from(first_number(&result) > 0)),
                None => Ok(Value::from(true)),
            }
        }
        "list_schemas" if !host.execute() => List::value(Vec::new()),
        "list_schemas" => {
            let table = call_macro(state, render, "list_schemas", args.all)?.unwrap_or_default();
            List::value(table.try_iter()?.map(|row| row.get_item_by_index(0)).collect::<Result<_, _>>()?)
        }
        "cache_added" => {
            host.relation_added(&relation(&args, 0, "relation")?);
            Ok(Value::from(""))
        }
        "cache_dropped" => {
            host.relation_dropped(&relation(&args, 0, "relation")?);
            Ok(Value::from(""))
        }
        "cache_renamed" => {
            host.relation_dropped(&relation(&args, 0, "from_relation")?);
            host.relation_added(&relation(&args, 1, "to_relation")?);
            Ok(Value::from(""))
        }
        "quote" => Ok(Value::from(identifier(&args.shown(0, "identifier")?))),
        "quote_as_configured" => Ok(Value::from(identifier(&args.shown(0, "identifier")?))),
        "quote_seed_column" => {
            let name = args.shown(0, "column")?;
            let quote = args.get(1, "quote_config").is_none_or(|quote| quote.is_none() || quote.is_true());
            Ok(Value::from(if quote { identifier(&name) } else { name }))
        }
        "valid_incremental_strategies" => strategies(),
        "get_incremental_strategy_macro" => incremental_strategy(render, &args),
        "convert_type" => Ok(Table::seed_type(&args.value(0, "agate_table")?, args.value(1, "col_idx")?)),
        "convert_datetimes_to_strs" => args.value(0, "table"),
        "batch_id_for_model" => Ok(Value::from(batch_id(&args.value(0, "model")?))),
        // Catalogs of `catalogs.yml` are for warehouses that have any.
        "build_catalog_relation" => Ok(nothing()),
        "load_seed" => host.load_seed(&relation(&args, 0, "relation")?).map(Value::from).map_err(from_host),
        "already_exists" => {
            let found = existing(render, None, Some(&args.shown(0, "schema")?), &args.shown(1, "table")?)?;
            Ok(Value::from(!found.is_none()))
        }
        "render_raw_columns_constraints" => constraints::columns(&args),
        "render_raw_model_constraints" => constraints::model(&args),
        "external_write_options" => external::write_options(&args),
        "external_read_location" => external::read_location(&args),
        "standardize_grants_dict" => grants(&args),
        "get_hard_deletes_behavior" => hard_deletes(render),
        "valid_snapshot_target" | "assert_valid_snapshot_target_given_strategy" => Ok(nothing()),
        "warn_once" => {
            host.warn_once(&args.shown(0, "msg")?);
            Ok(nothing())
        }
        "is_motherduck" | "use_ducklake_table_workarounds" => Ok(Value::from(false)),
        "is_ducklake" => {
            let database = relation(&args, 0, "relation")?.database;
            let answer = host.adapter_method(name, &[json!(database)]).and_then(Result::ok);
            Ok(Value::from(answer == Some(json!(true))))
        }
        _ => other(render, name, &args),
    }
}

/// What the temporary tables of a batch have in their names: the digits of its start.
fn batch_id(model: &Value) -> String {
    let batch = model.get_attr("batch").unwrap_or_default();
    let start = batch.get_attr("event_time_start").map(|start| python::text(&start)).unwrap_or_default();
    start.replace(['-', ':', '+'], "").replace(' ', "_")
}

/// A method that the host may know.
fn other(render: &Render, name: &str, args: &Arguments) -> Result<Value, Error> {
    let mut values = args.json();
    values.extend(args.keywords().iter().map(|(_, value)| python::to_json(value)));
    match render.host.adapter_method(name, &values) {
        Some(result) => result.map(|json| python::from_json(&json)).map_err(from_host),
        None => {
            Err(error::raise(crate::jinja::ErrorKind::Unsupported, format!("`adapter.{name}` is not supported"), None))
        }
    }
}

/// `adapter.dispatch(name, namespace)`: the macro for the adapter, or the default one.
fn dispatch(render: &Render, args: &Arguments) -> Result<Value, Error> {
    let name = args.shown(0, "macro_name")?;
    let namespace = args.optional_text(1, "macro_namespace");
    if let Some((package, name)) = name.split_once('.') {
        return Err(runtime(format!(
            "`dispatch` takes a name without a package: `adapter.dispatch('{name}', '{package}')`"
        )));
    }
    match render.shared.dispatch(&render.package, &name, namespace.as_deref()) {
        Some(id) => Ok(render.shared.proxy(id)),
        None => {
            let adapter = &render.shared.options.adapter;
            let place = namespace.map(|namespace| format!(" of `{namespace}`")).unwrap_or_default();
            let message = format!("there is no implementation{place} of the macro `{name}` for `{adapter}`");
            let help = Some(format!("add a macro `{adapter}__{name}` or `default__{name}`"));
            Err(error::raise(crate::jinja::ErrorKind::UnknownMacro, message, help))
        }
    }
}

/// `adapter.execute(sql, auto_begin=false, fetch=false, limit=none)`: the response and a table.
fn execute(render: &Render, args: &Arguments) -> Result<Value, Error> {
    let (auto_begin, fetch) = (args.flag(1, "auto_begin", false), args.flag(2, "fetch", false));
    let (response, mut rows) = render.host.run(&args.shown(0, "sql")?, auto_begin, fetch).map_err(from_host)?;
    if let Some(limit) = args.get(3, "limit").and_then(|limit| limit.as_usize()) {
        rows.rows.truncate(limit);
    }
    let response = Response::value(response, "OK".to_string(), None);
    Ok(Value::from(Tuple::from([response, Table::value(&rows)])))
}

fn existing(render: &Render, database: Option<&str>, schema: Option<&str>, name: &str) -> Result<Value, Error> {
    let found = render.host.existing(database, schema, name).map_err(from_host)?;
    Ok(found.map_or_else(nothing, RelationObject::value))
}

/// `list_relations(database, schema)`, or a relation of the schema.
fn list_relations(render: &Render, args: &Arguments) -> Result<Value, Error> {
    let (database, schema) = match args.positional.first().and_then(RelationObject::from_value_with_schema) {
        Some(relation) => (relation.database, relation.schema.unwrap_or_default()),
        None => (args.optional_text(0, "database"), args.shown(1, "schema")?),
    };
    let found = render.host.list_relations(database.as_deref(), &schema).map_err(from_host)?;
    List::value(found.into_iter().map(RelationObject::value).collect())
}

fn call_macro(state: &mut State, render: &Arc<Render>, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let Some(id) = render.shared.find(&render.package, name) else { return Ok(None) };
    render.shared.proxy(id).call(state, args).map(Some)
}

/// The macros of these names do the work, so that projects can override them; the cache hears of it.
fn change_relation(state: &mut State, render: &Arc<Render>, name: &str, args: &Arguments) -> Result<Value, Error> {
    let first = relation(args, 0, if name == "rename_relation" { "from_relation" } else { "relation" })?;
    if call_macro(state, render, name, args.all)?.is_none() {
        return Err(error::raise(crate::jinja::ErrorKind::UnknownMacro, format!("there is no macro `{name}`"), None));
    }
    match name {
        "drop_relation" => render.host.relation_dropped(&first),
        "rename_relation" => {
            render.host.relation_dropped(&first);
            render.host.relation_added(&relation(args, 1, "to_relation")?);
        }
        _ => {}
    }
    Ok(nothing())
}

/// `create_schema(relation)`, `drop_schema(relation)`: by macro, or else by the host.
fn schema(state: &mut State, render: &Arc<Render>, name: &str, args: &Arguments) -> Result<Value, Error> {
    let wanted = args.value(0, "relation")?;
    if call_macro(state, render, name, std::slice::from_ref(&wanted))?.is_some() {
        return Ok(nothing());
    }
    let wanted = RelationObject::from_value_with_schema(&wanted).ok_or_else(|| args.missing("a relation"))?;
    let (database, schema) = (wanted.database.as_deref(), wanted.schema.unwrap_or_default());
    let done = match name {
        "create_schema" => render.host.create_schema(database, &schema),
        _ => render.host.drop_schema(database, &schema),
    };
    done.map(|()| nothing()).map_err(from_host)
}

/// The first cell of a query result.
fn first_number(table: &Value) -> i64 {
    let cell = table.get_item_by_index(0).and_then(|row| row.get_item_by_index(0));
    cell.ok().and_then(|cell| cell.as_i64()).unwrap_or(0)
}

const STRATEGIES: [&str; 4] = ["append", "delete+insert", "merge", "microbatch"];

/// Strategies of dbt that no engine of medal has.
const OTHER_STRATEGIES: [&str; 1] = ["insert_overwrite"];

fn strategies() -> Result<Value, Error> {
    List::value(STRATEGIES.iter().map(|name| Value::from(*name)).collect())
}

/// `get_incremental_strategy_macro(context, strategy)`: `get_incremental_<strategy>_sql`.
fn incremental_strategy(render: &Arc<Render>, args: &Arguments) -> Result<Value, Error> {
    let strategy = args.optional_text(1, "strategy").unwrap_or_else(|| "default".to_string());
    let found = find_strategy(&render.shared, &render.package, &strategy).map_err(from_host)?;
    Ok(render.shared.proxy(found))
}

/// The macro that makes the SQL of a strategy, for templates of a package.
pub fn find_strategy(shared: &Shared, package: &str, strategy: &str) -> Result<usize, HostError> {
    if OTHER_STRATEGIES.contains(&strategy) {
        let message = format!("the incremental strategy `{strategy}` is not one of this engine");
        let help = format!("there are {}", STRATEGIES.join(", "));
        return Err(HostError { kind: Kind::Unsupported, message, help: Some(help) });
    }
    let name = format!("get_incremental_{}_sql", strategy.replace('+', "_"));
    shared.find(package, &name).ok_or_else(|| {
        let message = format!("there is no incremental strategy `{strategy}`: no macro `{name}`");
        let help = nearest(strategy, STRATEGIES).map(|nearest| format!("did you mean `{nearest}`?"));
        HostError { kind: Kind::UnknownMacro, message, help }
    })
}

/// `standardize_grants_dict(table)`: the grantees of each privilege.
fn grants(args: &Arguments) -> Result<Value, Error> {
    let mut grants: indexmap::IndexMap<Value, Vec<Value>> = indexmap::IndexMap::default();
    for row in args.value(0, "grants_table")?.try_iter()? {
        grants.entry(row.get_attr("privilege_type")?).or_default().push(row.get_attr("grantee")?);
    }
    let entries = grants.into_iter().map(|(privilege, grantees)| Ok((privilege, List::value(grantees)?)));
    Dict::value(entries.collect::<Result<_, Error>>()?)
}

/// `get_hard_deletes_behavior(config)`: what a snapshot does with rows that are gone.
fn hard_deletes(render: &Render) -> Result<Value, Error> {
    let invalidate = render.host.config("invalidate_hard_deletes").is_some_and(|value| value == true);
    match render.host.config("hard_deletes").unwrap_or_default().as_str() {
        Some(behaviour @ ("invalidate" | "new_record" | "ignore")) => Ok(Value::from(behaviour)),
        Some(other) => Err(runtime(format!("`hard_deletes` is `ignore`, `invalidate` or `new_record`, not `{other}`"))),
        None => Ok(Value::from(if invalidate { "invalidate" } else { "ignore" })),
    }
}

/// `api.Relation`, `api.Column`: can be called, and have methods that create.
struct Class {
    name: &'static str,
    create: fn(&[Value]) -> Result<Value, Error>,
}

fn class(name: &'static str, create: fn(&[Value]) -> Result<Value, Error>) -> Value {
    Value::from_object(Class { name, create })
}

fn translate_type(args: &Arguments) -> Result<Value, Error> {
    Ok(Value::from(column::translate_type(&args.shown(0, "dtype")?)))
}

pub fn api() -> Value {
    use crate::jinja::functions::Group;
    Group::value(
        "api",
        [("Relation", class("Relation", relation::create)), ("Column", class("Column", column::create))],
    )
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<class {}>", self.name)
    }
}

impl Object for Class {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (self.name, key.as_str()?) {
            ("Relation", "Table") => Some(Value::from("table")),
            ("Relation", "View") => Some(Value::from("view")),
            ("Relation", "CTE") => Some(Value::from("cte")),
            ("Relation", "External") => Some(Value::from("external")),
            ("Relation", "MaterializedView") => Some(Value::from("materialized_view")),
            ("Relation", "create") => Some(Function::value("create", |_, args| relation::create(args.all))),
            ("Column", "create") => Some(Function::value("create", |_, args| column::create(args.all))),
            ("Column", "translate_type") => Some(Function::value("translate_type", |_, args| translate_type(&args))),
            _ => None,
        }
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        (self.create)(args)
    }

    fn call_method(self: &Arc<Self>, state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        match (self.name, name) {
            (_, "create") => (self.create)(args),
            ("Relation", "get_relation_type") => Arguments::new(name, args).required(0),
            ("Column", "string_type" | "numeric_type") => {
                Value::from_object(ColumnObject::new("", "")).call_method(state, name, args)
            }
            ("Column", "translate_type") => translate_type(&Arguments::new(name, args)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
