//! References, variables of the environment, `log`, `return`, and what keeps macros going.

use minijinja::{Error, State, Value};

use crate::adapter::relation::literal;
use crate::jinja::ErrorKind;
use crate::jinja::collections::bind;
use crate::jinja::error::{self, from_host, runtime};
use crate::jinja::functions::Arguments;
use crate::jinja::library;
use crate::jinja::objects::relation::RelationObject;
use crate::jinja::python;
use crate::jinja::render::{Handle, Link, link, lock, render};

/// A number is a version of a table, all else a time.
fn state_of(as_of: &Value) -> String {
    match as_of.as_i64() {
        Some(version) => format!("at (version => {version})"),
        None => format!("at (timestamp => {})", literal(&python::text(as_of))),
    }
}

/// `ref([package,] name, version=…, as_of=…)`.
pub fn reference(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let names = args.positional.iter().map(|name| {
        name.as_str()
            .map(str::to_string)
            .ok_or_else(|| runtime(format!("`ref` takes names, not a value of type {}", python::type_name(name))))
    });
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let version = args.keyword("version").or_else(|| args.keyword("v")).map(|version| python::to_json(&version));
    let (package, name) = match &names[..] {
        [name] => (None, name),
        [package, name] => (Some(package.as_str()), name),
        _ => return Err(runtime("`ref` takes one name, or a package and a name")),
    };
    let relation = render(state)?.host.reference(package, name, version.as_ref().filter(|version| !version.is_null()));
    let mut relation = relation.map_err(from_host)?;
    relation.as_of = args.keyword("as_of").filter(|as_of| !as_of.is_none()).map(|as_of| state_of(&as_of));
    Ok(RelationObject::value(relation))
}

/// `source(source, table)`.
pub fn source(state: &mut State, args: Arguments) -> Result<Value, Error> {
    if args.positional.len() != 2 {
        return Err(runtime("`source` takes two names: the source and the table"));
    }
    let relation = render(state)?.host.source(&args.text(0)?, &args.text(1)?);
    relation.map(RelationObject::value).map_err(from_host)
}

/// `doc([package,] name)`.
pub fn doc(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let host = render(state)?.host.clone();
    let text = match args.positional.len() {
        1 => host.doc(None, &args.text(0)?),
        _ => host.doc(Some(&args.text(0)?), &args.text(1)?),
    };
    text.map(Value::from).map_err(from_host)
}

/// `env_var(name, default)`.
pub fn env_var(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let name = args.shown(0, "var")?;
    match render(state)?.host.env_var(&name).map_err(from_host)? {
        Some(text) => Ok(Value::from(text)),
        None => args
            .get(1, "default")
            .filter(|default| !default.is_none())
            .map(|default| Value::from(python::text(&default)))
            .ok_or_else(|| {
                let help = format!("set it, or give a default: `env_var('{name}', 'default')`");
                error::raise(
                    ErrorKind::MissingEnvVar,
                    format!("the environment variable `{name}` is not set"),
                    Some(help),
                )
            }),
    }
}

/// `log(message, info=false)`: nothing comes out.
pub fn log(state: &mut State, args: Arguments) -> Result<Value, Error> {
    render(state)?.host.log(&args.shown(0, "msg")?, args.flag(1, "info", false));
    Ok(Value::from(""))
}

/// `print(message)`.
pub fn print(state: &mut State, args: Arguments) -> Result<Value, Error> {
    render(state)?.host.log(&args.shown(0, "msg")?, true);
    Ok(Value::from(""))
}

/// `return(value)`: leaves the macro by an error that the macro's proxy catches.
pub fn return_value(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let value = args.get(0, "data").unwrap_or_else(|| Value::from(()));
    link(state)?.returned = Some(bind(value)?);
    Err(runtime("`return` stands outside of a macro"))
}

/// `render(text)`: text that is a template again.
pub fn render_text(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let render = render(state)?;
    match render.nested(&args.shown(0, "string")?) {
        Ok(text) => Ok(Value::from(text)),
        Err(error) => Err(from_host(error)),
    }
}

/// `write(payload)`: dbt writes a file for people to look at; medal writes every compiled text anyway.
pub fn write(state: &mut State, args: Arguments) -> Result<Value, Error> {
    render(state)?.host.write(&args.shown(0, "payload")?);
    Ok(Value::from(""))
}

/// `try_or_compiler_error(message, function, …)`.
pub fn try_or_compiler_error(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let message = args.shown(0, "message_if_exception")?;
    let function = args.required(1)?;
    function.call(state, &args.all[2..]).map_err(|_| error::raise(ErrorKind::Raised, message, None))
}

pub fn unsupported(_state: &mut State, args: Arguments) -> Result<Value, Error> {
    let name = args.function;
    Err(error::raise(ErrorKind::Unsupported, format!("`{name}` is not supported"), None))
}

pub fn nothing(_state: &mut State, _args: Arguments) -> Result<Value, Error> {
    Ok(Value::from(""))
}

/// `__install(load)`: the prelude hands over the macro that links others.
pub fn install(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let load = args.required(0)?;
    let handle = state.lookup("__render").and_then(|value| value.downcast_object::<Handle>());
    let render = handle.ok_or_else(|| runtime("this template was started without a render"))?.0.clone();
    state.get_or_insert_extension_with(|| Link { render, load, linked: Default::default(), returned: None });
    Ok(Value::from(""))
}

/// `__reg(macro)`: a macro's template hands over the macro.
pub fn register(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let id = library::macro_of(state.name()).unwrap_or(usize::MAX);
    let value = args.required(0)?;
    link(state)?.linked.insert(id, value);
    Ok(Value::from(""))
}

/// `__mark(number)`: notes where the output stands.
pub fn mark(state: &mut State, args: Arguments) -> Result<Value, Error> {
    render(state)?.mark(usize::try_from(args.int(0, 0)?).unwrap_or_default());
    Ok(Value::from(""))
}

/// `__data(bytes)`: counts text of the template that goes into a value.
pub fn data(state: &mut State, args: Arguments) -> Result<Value, Error> {
    render(state)?.emitted(usize::try_from(args.int(0, 0)?).unwrap_or_default())?;
    Ok(Value::from(""))
}

/// `__yield(value)`: keeps a value as it is.
pub fn keep(state: &mut State, args: Arguments) -> Result<Value, Error> {
    let value = bind(args.required(0)?)?;
    *lock(&render(state)?.kept) = Some(value);
    Ok(Value::from(""))
}

/// `__invoke()`: calls what the caller of the render has asked for.
pub fn invoke(state: &mut State, _args: Arguments) -> Result<Value, Error> {
    let render = render(state)?;
    let pending = lock(&render.pending).take();
    if let Some((function, args)) = pending {
        let value = function.call(state, &args)?;
        *lock(&render.kept) = Some(value);
    }
    Ok(Value::from(""))
}
