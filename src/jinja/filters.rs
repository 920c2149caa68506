//! Jinja2's filters, where minijinja has none or another result, and dbt's own.

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind};
use minijinja::{Environment, Error, Output, State, Value};
use serde_json::Value as Json;

use crate::jinja::collections::List;
use crate::jinja::error::runtime;
use crate::jinja::functions::Arguments;
use crate::jinja::methods;
use crate::jinja::operators;
use crate::jinja::python;
use crate::jinja::render::render;

/// Writes a value into the output as Python's `str` would.
pub fn write_value(out: &mut Output, _state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => out.write_str(text).map_err(Error::from),
        None => python::write_text(&mut Writer(out), value).map_err(Error::from),
    }
}

struct Writer<'a, 'b>(&'a mut Output<'b>);

impl std::fmt::Write for Writer<'_, '_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.write_str(text)
    }
}

pub fn register(engine: &mut Environment<'static>) {
    engine.add_filter("string", |value: &Value| python::text(value));
    engine.add_filter("safe", Value::clone);
    engine.add_filter("list", |value: &Value| List::value(items(value)?));
    engine.add_filter("tojson", to_json);
    engine.add_filter("join", join);
    engine.add_filter("sort", sort);
    engine.add_filter("dictsort", dictsort);
    engine.add_filter("min", |value: &Value, kwargs: Kwargs| extreme(value, &kwargs, false));
    engine.add_filter("max", |value: &Value, kwargs: Kwargs| extreme(value, &kwargs, true));
    engine.add_filter("sum", sum);
    engine.add_filter("unique", unique);
    engine.add_filter("first", |value: &Value| Ok::<_, Error>(items(value)?.into_iter().next().unwrap_or_default()));
    engine.add_filter("items", |value: &Value| match value.is_undefined() {
        true => List::value(Vec::new()),
        false if value.kind() != ValueKind::Map => {
            Err(runtime(format!("a value of type {} has no items", python::type_name(value))))
        }
        false => List::value(
            methods::pairs(value)?.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))).collect(),
        ),
    });
    engine.add_filter("last", last);
    engine.add_filter("reverse", reverse);
    engine.add_filter("length", length);
    engine.add_filter("count", length);
    engine.add_filter("batch", batch);
    engine.add_filter("slice", slice);
    engine.add_filter("int", int);
    engine.add_filter("float", float);
    engine.add_filter("round", round);
    engine.add_filter("abs", abs);
    engine.add_filter("attr", attr);
    engine.add_filter("format", format);
    for name in [
        "lower",
        "upper",
        "title",
        "capitalize",
        "trim",
        "replace",
        "wordcount",
        "center",
        "truncate",
        "indent",
        "escape",
        "e",
        "forceescape",
        "striptags",
        "urlencode",
        "wordwrap",
        "filesizeformat",
        "xmlattr",
        "pprint",
    ] {
        engine.add_filter(name, move |state: &mut State, args: Rest<Value>| text_filter(state, name, &args));
    }
    for name in ["as_text", "as_bool", "as_number", "as_native"] {
        engine.add_filter(name, move |state: &mut State, value: &Value| native(state, name, value));
    }
    engine.add_filter("is_list", |value: &Value| value.kind() == ValueKind::Seq && !value.is_tuple());
    engine.add_filter("random", |value: &Value| Ok::<_, Error>(items(value)?.into_iter().next().unwrap_or_default()));
}

/// What Python would iterate over.
fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::String => Ok(value.as_str().unwrap_or_default().chars().map(Value::from).collect()),
        ValueKind::Undefined => Ok(Vec::new()),
        ValueKind::None | ValueKind::Bool | ValueKind::Number => {
            Err(runtime(format!("a value of type {} is not iterable", python::type_name(value))))
        }
        _ => Ok(value.try_iter()?.collect()),
    }
}

/// Jinja2's `tojson` is safe in HTML, and sorts keys.
fn to_json(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    let _ = indent;
    let text = python::dump_json(&python::to_strict_json(value)?, true);
    Ok(text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027"))
}

/// A path such as `a.b.0` of a value.
fn attribute(value: &Value, path: &Value) -> Value {
    let Some(text) = path.as_str() else { return value.get_item(path).unwrap_or_default() };
    text.split('.').fold(value.clone(), |value, part| match part.parse::<usize>() {
        Ok(index) => value.get_item_by_index(index).unwrap_or_default(),
        Err(_) => value.get_attr(part).unwrap_or_default(),
    })
}

fn key_of(value: &Value, by: Option<&Value>, case_sensitive: bool) -> Value {
    let key = by.map_or_else(|| value.clone(), |path| attribute(value, path));
    match key.as_str() {
        Some(text) if !case_sensitive => Value::from(text.to_lowercase()),
        _ => key,
    }
}

fn join(value: &Value, joiner: Option<Value>, by: Option<Value>, kwargs: Kwargs) -> Result<String, Error> {
    let joiner = joiner.or_else(|| kwargs.get("d").ok()).map(|joiner| python::text(&joiner)).unwrap_or_default();
    let by: Option<Value> = by.or_else(|| kwargs.get("attribute").ok());
    let parts = items(value)?;
    let parts =
        parts.iter().map(|item| python::text(&by.as_ref().map_or_else(|| item.clone(), |path| attribute(item, path))));
    Ok(parts.collect::<Vec<_>>().join(&joiner))
}

fn sort(
    value: &Value,
    reverse: Option<bool>,
    case_sensitive: Option<bool>,
    by: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let reverse = reverse.or_else(|| kwargs.get("reverse").ok()).unwrap_or(false);
    let case_sensitive = case_sensitive.or_else(|| kwargs.get("case_sensitive").ok()).unwrap_or(false);
    let by: Option<Value> = by.or_else(|| kwargs.get("attribute").ok());
    let paths: Vec<Value> = match by.as_ref().and_then(Value::as_str) {
        Some(text) => text.split(',').map(Value::from).collect(),
        None => by.into_iter().collect(),
    };
    let key = |item: &Value| match &paths[..] {
        [] => key_of(item, None, case_sensitive),
        paths => Value::from(paths.iter().map(|path| key_of(item, Some(path), case_sensitive)).collect::<Vec<_>>()),
    };
    let mut keyed: Vec<(Value, Value)> = items(value)?.into_iter().map(|item| (key(&item), item)).collect();
    if paths.is_empty() {
        methods::comparable(&keyed.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())?;
    }
    keyed.sort_by(|(left, _), (right, _)| if reverse { right.cmp(left) } else { left.cmp(right) });
    List::value(keyed.into_iter().map(|(_, item)| item).collect())
}

fn dictsort(value: &Value, kwargs: Kwargs) -> Result<Value, Error> {
    if value.kind() != ValueKind::Map {
        return Err(runtime(format!("`dictsort` wants a dict, not a value of type {}", python::type_name(value))));
    }
    let by_value = kwargs.get::<&str>("by").is_ok_and(|by| by == "value");
    let case_sensitive = kwargs.get::<bool>("case_sensitive").unwrap_or(false);
    let mut pairs = methods::pairs(value)?;
    pairs.sort_by_key(|(key, value)| key_of(if by_value { value } else { key }, None, case_sensitive));
    if kwargs.get::<bool>("reverse").unwrap_or(false) {
        pairs.reverse();
    }
    List::value(pairs.into_iter().map(|(key, value)| Value::from(Tuple::from([key, value]))).collect())
}

fn extreme(value: &Value, kwargs: &Kwargs, largest: bool) -> Result<Value, Error> {
    let by = kwargs.get::<Value>("attribute").ok();
    let case_sensitive = kwargs.get::<bool>("case_sensitive").unwrap_or(false);
    let keyed: Vec<(Value, Value)> =
        items(value)?.into_iter().map(|item| (key_of(&item, by.as_ref(), case_sensitive), item)).collect();
    methods::comparable(&keyed.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>())?;
    let mut best: Option<(Value, Value)> = None;
    for (key, item) in keyed {
        let better = best.as_ref().is_none_or(|(other, _)| if largest { key > *other } else { key < *other });
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map(|(_, item)| item).unwrap_or_default())
}

fn sum(
    state: &mut State,
    value: &Value,
    by: Option<Value>,
    start: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let by = by.filter(|by| !by.is_none()).or_else(|| kwargs.get::<Value>("attribute").ok());
    let mut total = start.or_else(|| kwargs.get::<Value>("start").ok()).unwrap_or_else(|| Value::from(0));
    for item in items(value)? {
        let item = by.as_ref().map_or_else(|| item.clone(), |path| attribute(&item, path));
        total = crate::jinja::operators::add(state, Arguments::new("sum", &[total, item]))?;
    }
    Ok(total)
}

fn unique(value: &Value, kwargs: Kwargs) -> Result<Value, Error> {
    let by = kwargs.get::<Value>("attribute").ok();
    let case_sensitive = kwargs.get::<bool>("case_sensitive").unwrap_or(false);
    let mut seen = indexmap::IndexSet::new();
    List::value(
        items(value)?.into_iter().filter(|item| seen.insert(key_of(item, by.as_ref(), case_sensitive))).collect(),
    )
}

fn last(value: &Value) -> Result<Value, Error> {
    Ok(items(value)?.pop().unwrap_or_default())
}

fn reverse(value: &Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return Ok(Value::from(text.chars().rev().collect::<String>()));
    }
    let mut items = items(value)?;
    items.reverse();
    List::value(items)
}

fn length(value: &Value) -> Result<usize, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(0),
        ValueKind::Plain => Err(runtime("this value has no length")),
        _ => Ok(value.len().map_or_else(|| items(value).map(|items| items.len()), Ok)?),
    }
}

fn count_of(count: i64) -> Result<usize, Error> {
    usize::try_from(count)
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| runtime("the number of items must be positive"))
}

fn batch(value: &Value, count: i64, fill: Option<Value>) -> Result<Value, Error> {
    let count = count_of(count)?;
    let items = items(value)?;
    let row = |chunk: &[Value]| {
        let mut row = chunk.to_vec();
        if let Some(fill) = &fill {
            row.resize(crate::jinja::limits::width(count)?, fill.clone());
        }
        List::value(row)
    };
    List::value(items.chunks(count).map(row).collect::<Result<_, _>>()?)
}

fn slice(value: &Value, count: i64, fill: Option<Value>) -> Result<Value, Error> {
    let count = crate::jinja::limits::width(count_of(count)?)?;
    let items = items(value)?;
    let (size, larger) = (items.len() / count, items.len() % count);
    let mut out = Vec::new();
    let mut at = 0;
    for index in 0..count {
        let take = size + usize::from(index < larger);
        let mut part = items[at..at + take].to_vec();
        if let Some(fill) = fill.as_ref().filter(|_| index >= larger && larger > 0) {
            part.push(fill.clone());
        }
        out.push(List::value(part)?);
        at += take;
    }
    List::value(out)
}

fn int(value: &Value, default: Option<Value>, base: Option<u32>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = default.or_else(|| kwargs.get("default").ok()).unwrap_or_else(|| Value::from(0));
    let base = base.or_else(|| kwargs.get("base").ok()).unwrap_or(10);
    let from_float =
        |float: f64| if float.is_finite() { Value::from(float.trunc() as i128 as i64) } else { default.clone() };
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(runtime("an undefined value is no number")),
        ValueKind::Bool => Value::from(i64::from(value.is_true())),
        ValueKind::Number if value.is_integer() => value.clone(),
        ValueKind::Number => f64::try_from(value.clone()).map_or(default.clone(), from_float),
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default().trim().replace('_', "");
            match i64::from_str_radix(&text, base.clamp(2, 36)) {
                Ok(int) => Value::from(int),
                Err(_) => text.parse::<f64>().map_or(default.clone(), from_float),
            }
        }
        _ => default,
    })
}

fn float(value: &Value, default: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = default.or_else(|| kwargs.get("default").ok()).unwrap_or_else(|| Value::from(0.0));
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(runtime("an undefined value is no number")),
        ValueKind::Bool => Value::from(if value.is_true() { 1.0 } else { 0.0 }),
        ValueKind::Number => f64::try_from(value.clone()).map_or(default, Value::from),
        ValueKind::String => value.as_str().unwrap_or_default().trim().parse::<f64>().map_or(default, Value::from),
        _ => default,
    })
}

fn round(value: &Value, precision: Option<i32>, method: Option<String>, kwargs: Kwargs) -> Result<Value, Error> {
    let precision = precision.or_else(|| kwargs.get("precision").ok()).unwrap_or(0);
    let method = method.or_else(|| kwargs.get("method").ok()).unwrap_or_else(|| "common".to_string());
    match value.kind() {
        ValueKind::Number | ValueKind::Bool => {}
        _ => return Err(runtime(format!("a value of type {} cannot be rounded", python::type_name(value)))),
    }
    if method == "common" && (value.is_integer() || value.kind() == ValueKind::Bool) {
        return if precision >= 0 {
            int(value, None, None, Kwargs::from_iter(Vec::<(String, Value)>::new()))
        } else {
            minijinja::filters::round(value.clone(), Some(precision), None, kwargs)
        };
    }
    let float = f64::try_from(value.clone())?;
    let scale = 10f64.powi(precision.clamp(-300, 300));
    Ok(Value::from(match method.as_str() {
        "ceil" => (float * scale).ceil() / scale,
        "floor" => (float * scale).floor() / scale,
        // Python rounds the decimal text of a number, and a half to the even digit.
        _ if (0..=17).contains(&precision) => format!("{float:.*}", precision as usize).parse().unwrap_or(float),
        _ => (float * scale).round_ties_even() / scale,
    }))
}

fn abs(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(i64::from(value.is_true()))),
        ValueKind::Number => minijinja::filters::abs(value.clone()),
        _ => Err(runtime(format!("a value of type {} has no absolute value", python::type_name(value)))),
    }
}

/// `attr` finds attributes, never the entries of a dict.
fn attr(value: &Value, name: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(runtime("an undefined value has no attributes"));
    }
    let is_dict =
        python::is_native_map(value) || value.downcast_object_ref::<crate::jinja::collections::Dict>().is_some();
    Ok(if is_dict { Value::UNDEFINED } else { value.get_item(name).unwrap_or_default() })
}

fn format(template: &Value, args: Rest<Value>) -> Result<String, Error> {
    let template = python::text(template);
    methods::checked_widths(&template)?;
    operators::printf(&template, args.to_vec())
}

/// Filters that take the text of any value.
fn text_filter(state: &mut State, name: &str, args: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new(name, args);
    let value = args.required(0)?;
    let text = python::text(&value);
    let method =
        |state: &mut State, name: &str, rest: &[Value]| Value::from(text.as_str()).call_method(state, name, rest);
    Ok(match name {
        "lower" => Value::from(text.to_lowercase()),
        "upper" => Value::from(text.to_uppercase()),
        "title" => Value::from(minijinja::filters::title(text.as_str().into())),
        "capitalize" => Value::from(methods::capitalize(&text)),
        "trim" => method(state, "strip", &args.get(1, "chars").into_iter().collect::<Vec<_>>())?,
        "replace" => {
            let (old, new) = (args.shown(1, "old")?, args.shown(2, "new")?);
            let count = args.get(3, "count").and_then(|count| count.as_usize()).unwrap_or(usize::MAX);
            crate::jinja::limits::text(text.len().saturating_mul(1 + new.len() / old.len().max(1)))?;
            Value::from(text.replacen(&old, &new, count))
        }
        "wordcount" => {
            let is_word = |char: char| char == '_' || char.is_alphanumeric();
            Value::from(text.split(|char| !is_word(char)).filter(|word| !word.is_empty()).count())
        }
        "center" => method(state, "center", &[args.get(1, "width").unwrap_or_else(|| Value::from(80))])?,
        "truncate" => Value::from(truncate(&value, &text, &args)?),
        "indent" => Value::from(indent(&value, &text, &args)?),
        "escape" | "e" | "forceescape" => Value::from(escape(&text)),
        "striptags" => Value::from(strip_tags(&text)),
        "urlencode" => Value::from(url_encode(&value, &text)?),
        "wordwrap" => {
            Value::from(word_wrap(&text, args.get(1, "width").and_then(|width| width.as_usize()).unwrap_or(79)))
        }
        "filesizeformat" => Value::from(file_size(number(&value)?)),
        "xmlattr" => Value::from(xml_attributes(&value)?),
        _ => {
            let mut out = String::new();
            python::write_repr(&mut out, &value).map_err(|_| runtime("this value cannot be printed"))?;
            Value::from(out)
        }
    })
}

fn truncate(value: &Value, text: &str, args: &Arguments) -> Result<String, Error> {
    let number = |at: usize, name: &str, default: usize| {
        args.get(at, name).and_then(|value| value.as_usize()).unwrap_or(default)
    };
    let (length, leeway) = (number(1, "length", 255), number(4, "leeway", 5));
    let end = args.optional_text(3, "end").unwrap_or_else(|| "...".to_string());
    let chars: Vec<char> = text.chars().collect();
    if value.as_str().is_none() && self::length(value)? > length + leeway {
        return Err(runtime(format!("a value of type {} cannot be truncated", python::type_name(value))));
    }
    if value.as_str().is_none() || chars.len() <= length + leeway {
        return Ok(text.to_string());
    }
    let cut: String = chars[..length.saturating_sub(end.chars().count())].iter().collect();
    let cut = if args.flag(2, "killwords", false) {
        cut
    } else {
        cut.rsplit_once(' ').map_or(cut.clone(), |(words, _)| words.to_string())
    };
    Ok(cut + &end)
}

fn indent(value: &Value, text: &str, args: &Arguments) -> Result<String, Error> {
    if value.as_str().is_none() {
        return Err(runtime(format!("a value of type {} cannot be indented", python::type_name(value))));
    }
    let pad = match args.get(1, "width") {
        Some(width) if width.as_str().is_some() => python::text(&width),
        Some(width) => " ".repeat(crate::jinja::limits::width(usize::try_from(width)?)?),
        None => " ".repeat(4),
    };
    let (first, blank) = (args.flag(2, "first", false), args.flag(3, "blank", false));
    let lines: Vec<String> = text
        .split('\n')
        .enumerate()
        .map(|(at, line)| {
            if (at == 0 && !first) || (line.is_empty() && !blank && at > 0) {
                line.to_string()
            } else {
                format!("{pad}{line}")
            }
        })
        .collect();
    Ok(lines.join("\n"))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;").replace('"', "&#34;")
}

fn strip_tags(text: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for char in text.chars() {
        match char {
            '<' => inside = true,
            '>' if inside => inside = false,
            char if !inside => out.push(char),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text, or the pairs of a query.
fn url_encode(value: &Value, text: &str) -> Result<String, Error> {
    if !matches!(value.kind(), ValueKind::Map | ValueKind::Seq) {
        return Ok(percent(text));
    }
    let pairs = methods::pairs(value)?;
    let pair =
        |(key, value): &(Value, Value)| format!("{}={}", percent(&python::text(key)), percent(&python::text(value)));
    Ok(pairs.iter().map(pair).collect::<Vec<_>>().join("&"))
}

fn percent(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn word_wrap(text: &str, width: usize) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut current = String::new();
        for word in line.split_whitespace() {
            if !current.is_empty() && current.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    lines.join("\n")
}

fn number(value: &Value) -> Result<f64, Error> {
    let no_number = || runtime(format!("a value of type {} is no number", python::type_name(value)));
    match value.as_str() {
        Some(text) => text.trim().parse().map_err(|_| no_number()),
        None if value.kind() == ValueKind::Bool => Ok(f64::from(u8::from(value.is_true()))),
        None => f64::try_from(value.clone()).map_err(|_| no_number()),
    }
}

fn file_size(bytes: f64) -> String {
    if bytes == 1.0 {
        return "1 Byte".to_string();
    }
    if bytes < 1000.0 {
        return format!("{} Bytes", bytes.trunc());
    }
    let mut size = bytes / 1000.0;
    for unit in ["kB", "MB", "GB", "TB", "PB"] {
        if size < 1000.0 {
            return format!("{size:.1} {unit}");
        }
        size /= 1000.0;
    }
    format!("{size:.1} EB")
}

fn xml_attributes(value: &Value) -> Result<String, Error> {
    let pairs = methods::pairs(value)?.into_iter().filter(|(_, value)| !value.is_none() && !value.is_undefined());
    Ok(pairs
        .map(|(key, value)| format!(" {}=\"{}\"", escape(&python::text(&key)), escape(&python::text(&value))))
        .collect())
}

/// dbt's filters for YAML values; in SQL they change nothing.
fn native(state: &mut State, name: &str, value: &Value) -> Result<Value, Error> {
    if !render(state)?.native {
        return Ok(value.clone());
    }
    let Some(text) = value.as_str() else {
        return Ok(if name == "as_text" { Value::from(python::text(value)) } else { value.clone() });
    };
    let literal = match text {
        "True" => Some(Json::Bool(true)),
        "False" => Some(Json::Bool(false)),
        "None" => Some(Json::Null),
        _ => text.parse::<i64>().map(Json::from).ok().or_else(|| text.parse::<f64>().map(Json::from).ok()),
    };
    match (name, literal) {
        ("as_text", _) => Ok(value.clone()),
        ("as_native", literal) => Ok(literal.map_or_else(|| value.clone(), |json| python::from_json(&json))),
        ("as_bool", Some(Json::Bool(value))) => Ok(Value::from(value)),
        ("as_number", Some(Json::Number(number))) => Ok(python::from_json(&Json::Number(number))),
        ("as_bool", _) => Err(runtime(format!("`{text}` is neither True nor False"))),
        _ => Err(runtime(format!("`{text}` is not a number"))),
    }
}
