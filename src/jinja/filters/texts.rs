//! Jinja2's filters for texts, which take the text of any value.

use minijinja::value::{Rest, ValueKind};
use minijinja::{Error, State, Value};

use crate::jinja::error::runtime;
use crate::jinja::filters::links::link;
use crate::jinja::filters::sequences;
use crate::jinja::functions::Arguments;
use crate::jinja::limits;
use crate::jinja::methods;
use crate::jinja::operators;
use crate::jinja::python;
use crate::jinja::render::weigh;

/// The filters of this file that `text_filter` knows.
pub const TEXT_FILTERS: [&str; 20] = [
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
    "urlize",
    "wordwrap",
    "filesizeformat",
    "xmlattr",
    "pprint",
];

pub fn format(template: &Value, args: Rest<Value>) -> Result<String, Error> {
    let template = python::text(template);
    methods::checked_widths(&template)?;
    operators::printf(&template, args.to_vec())
}

/// Filters that take the text of any value.
pub fn text_filter(state: &mut State, name: &str, args: &[Value]) -> Result<Value, Error> {
    let args = Arguments::new(name, args);
    let value = args.required(0)?;
    weigh(state, &value)?;
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
            Value::from(replaced(&text, &old, &new, count)?)
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
        "urlize" => Value::from(link(&text, &args)),
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
    if value.as_str().is_none() && sequences::length(value)? > length + leeway {
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

/// The text with the first `count` places of `old` replaced.
pub fn replaced(text: &str, old: &str, new: &str, count: usize) -> Result<String, Error> {
    let places = text.matches(old).take(count).count();
    limits::text(text.len().saturating_add(places.saturating_mul(new.len())))?;
    Ok(text.replacen(old, new, count))
}

fn indent(value: &Value, text: &str, args: &Arguments) -> Result<String, Error> {
    if value.as_str().is_none() {
        return Err(runtime(format!("a value of type {} cannot be indented", python::type_name(value))));
    }
    let pad = match args.get(1, "width") {
        Some(width) if width.as_str().is_some() => python::text(&width),
        Some(width) => " ".repeat(limits::width(usize::try_from(width)?)?),
        None => " ".repeat(4),
    };
    limits::text(text.len().saturating_add(text.matches('\n').count().saturating_mul(pad.len())))?;
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

pub fn escape(text: &str) -> String {
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
    if value.kind() != ValueKind::Map {
        return Err(runtime(format!("`xmlattr` wants a dict, not a value of type {}", python::type_name(value))));
    }
    let pairs = methods::pairs(value)?.into_iter().filter(|(_, value)| !value.is_none() && !value.is_undefined());
    Ok(pairs
        .map(|(key, value)| format!(" {}=\"{}\"", escape(&python::text(&key)), escape(&python::text(&value))))
        .collect())
}
