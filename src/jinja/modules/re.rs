//! `modules.re`: regular expressions.

use std::fmt;
use std::sync::Arc;

use fancy_regex::Regex;
use minijinja::value::{Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use crate::jinja::collections::{Dict, List};
use crate::jinja::error::runtime;
use crate::jinja::functions::{Arguments, Function, Group};
use crate::jinja::limits;
use crate::jinja::python;

type Captures<'t> = fancy_regex::Captures<'t, str>;

const FLAGS: [(&str, i64, char); 4] =
    [("IGNORECASE", 2, 'i'), ("MULTILINE", 8, 'm'), ("DOTALL", 16, 's'), ("VERBOSE", 64, 'x')];

const METHODS: [&str; 7] = ["match", "search", "fullmatch", "findall", "finditer", "sub", "split"];

/// `re.compile(…)`.
#[derive(Debug)]
struct Pattern {
    regex: Regex,
    source: String,
}

#[derive(Debug)]
struct Match {
    /// The text, and the character at which each group starts and ends.
    groups: Vec<Option<(String, usize, usize)>>,
    names: Vec<Option<String>>,
}

pub fn module() -> Value {
    let functions = [
        ("match", Function::value("match", |_, args| function("match", args))),
        ("search", Function::value("search", |_, args| function("search", args))),
        ("fullmatch", Function::value("fullmatch", |_, args| function("fullmatch", args))),
        ("findall", Function::value("findall", |_, args| function("findall", args))),
        ("finditer", Function::value("finditer", |_, args| function("finditer", args))),
        ("sub", Function::value("sub", |_, args| function("sub", args))),
        ("split", Function::value("split", |_, args| function("split", args))),
        (
            "compile",
            Function::value("compile", |_, args| {
                Ok(Value::from_object(pattern(&args.required(0)?, args.get(1, "flags"))?))
            }),
        ),
        (
            "escape",
            Function::value("escape", |_, args| Ok(Value::from(fancy_regex::escape(&args.text(0)?).to_string()))),
        ),
    ];
    let flags =
        FLAGS.iter().flat_map(|(name, value, _)| [(*name, Value::from(*value)), (&name[..1], Value::from(*value))]);
    Group::value("re", functions.into_iter().chain(flags).chain([("S", Value::from(16))]))
}

/// `re.search(pattern, text, flags)` and its like; `sub` has the replacement second.
fn function(name: &str, args: Arguments) -> Result<Value, Error> {
    let flags_at = match name {
        "sub" => 4,
        "split" => 3,
        _ => 2,
    };
    let pattern = pattern(&args.value(0, "pattern")?, args.get(flags_at, "flags"))?;
    run(&pattern, name, &Arguments::new(name, &args.all[1..]))
}

fn pattern(value: &Value, flags: Option<Value>) -> Result<Pattern, Error> {
    if let Some(pattern) = value.downcast_object_ref::<Pattern>() {
        return Ok(Pattern { regex: pattern.regex.clone(), source: pattern.source.clone() });
    }
    let source = python::text(value);
    let bits = flags.and_then(|flags| flags.as_i64()).unwrap_or(0);
    let letters: String = FLAGS.iter().filter(|(_, bit, _)| bits & bit != 0).map(|(_, _, letter)| *letter).collect();
    let text = if letters.is_empty() { source.clone() } else { format!("(?{letters}){source}") };
    let regex = Regex::new(&text.replace("\\Z", "\\z"));
    Ok(Pattern {
        regex: regex.map_err(|error| runtime(format!("`{source}` is no regular expression: {error}")))?,
        source,
    })
}

fn failed(error: fancy_regex::Error) -> Error {
    limits::error(format!("a regular expression takes too long: {error}"))
}

fn found(pattern: &Pattern, captures: Option<Captures>, text: &str) -> Value {
    let Some(captures) = captures else { return Value::from(()) };
    let chars = |offset: usize| text[..offset].chars().count();
    let groups = captures
        .iter()
        .map(|group| group.map(|group| (group.as_str().to_string(), chars(group.start()), chars(group.end()))));
    let names = pattern.regex.capture_names().map(|name| name.map(str::to_string));
    Value::from_object(Match { groups: groups.collect(), names: names.collect() })
}

fn all<'t>(pattern: &Pattern, text: &'t str) -> Result<Vec<Captures<'t>>, Error> {
    pattern.regex.captures_iter(text).map(|captures| captures.map_err(failed)).collect()
}

fn run(pattern: &Pattern, name: &str, args: &Arguments) -> Result<Value, Error> {
    if name == "sub" {
        return substitute(pattern, args);
    }
    let text = args.value(0, "string")?;
    let text = text.as_str().ok_or_else(|| runtime("expected a text"))?;
    Ok(match name {
        "search" => found(pattern, pattern.regex.captures(text).map_err(failed)?, text),
        "match" => {
            let captures = pattern.regex.captures(text).map_err(failed)?;
            found(pattern, captures.filter(|captures| captures.get(0).is_some_and(|whole| whole.start() == 0)), text)
        }
        "fullmatch" => {
            let anchored = Regex::new(&format!("^(?:{})$", pattern.regex.as_str())).map_err(failed)?;
            found(pattern, anchored.captures(text).map_err(failed)?, text)
        }
        "findall" => {
            let group =
                |captures: &Captures, at: usize| Value::from(captures.get(at).map_or("", |group| group.as_str()));
            let item = |captures: Captures| match captures.len() {
                1 | 2 => group(&captures, captures.len() - 1),
                count => Value::from(Tuple::from((1..count).map(|at| group(&captures, at)).collect::<Vec<_>>())),
            };
            List::value(all(pattern, text)?.into_iter().map(item).collect())?
        }
        "finditer" => {
            List::value(all(pattern, text)?.into_iter().map(|captures| found(pattern, Some(captures), text)).collect())?
        }
        _ => split(pattern, text, args.int(1, 0)?)?,
    })
}

fn split(pattern: &Pattern, text: &str, limit: i64) -> Result<Value, Error> {
    let mut parts = Vec::new();
    let mut at = 0;
    for captures in all(pattern, text)? {
        if limit > 0 && parts.len() as i64 >= limit {
            break;
        }
        let Some(whole) = captures.get(0) else { continue };
        parts.push(Value::from(&text[at..whole.start()]));
        parts.extend(
            captures
                .iter()
                .skip(1)
                .map(|group| group.map_or_else(|| Value::from(()), |group| Value::from(group.as_str()))),
        );
        at = whole.end();
    }
    parts.push(Value::from(&text[at..]));
    List::value(parts)
}

fn substitute(pattern: &Pattern, args: &Arguments) -> Result<Value, Error> {
    let replacement = args.shown(0, "repl")?;
    let text = args.shown(1, "string")?;
    let limit =
        args.get(2, "count").and_then(|count| count.as_usize()).filter(|count| *count > 0).unwrap_or(usize::MAX);
    let mut out = String::new();
    let mut at = 0;
    for captures in all(pattern, &text)?.into_iter().take(limit) {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[at..whole.start()]);
        expand(&replacement, &captures, &mut out);
        at = whole.end();
        limits::text(out.len())?;
    }
    out.push_str(&text[at..]);
    Ok(Value::from(out))
}

/// Puts the groups in the place of `\1` and `\g<name>`.
fn expand(replacement: &str, captures: &Captures, out: &mut String) {
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let named = rest.strip_prefix("g<").and_then(|name| name.split_once('>'));
        let digits = rest.len() - rest.trim_start_matches(|char: char| char.is_ascii_digit()).len();
        let group = if let Some((name, after)) = named {
            rest = after;
            name.parse::<usize>().map_or_else(|_| captures.name(name), |number| captures.get(number))
        } else if digits > 0 {
            let (number, after) = rest.split_at(digits.min(2));
            rest = after;
            number.parse::<usize>().ok().and_then(|number| captures.get(number))
        } else {
            let mut chars = rest.chars();
            match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            }
            rest = chars.as_str();
            None
        };
        out.push_str(group.map_or("", |group| group.as_str()));
    }
    out.push_str(rest);
}

impl Object for Pattern {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("pattern")).then(|| Value::from(self.source.as_str()))
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        if METHODS.contains(&name) {
            return run(self, name, &Arguments::new(name, args));
        }
        Err(Error::from(ErrorKind::UnknownMethod))
    }
}

impl Match {
    fn group(&self, key: &Value) -> Option<&(String, usize, usize)> {
        let at = match key.as_str() {
            Some(name) => self.names.iter().position(|other| other.as_deref() == Some(name))?,
            None => key.as_usize()?,
        };
        self.groups.get(at)?.as_ref()
    }

    fn text(&self, key: &Value) -> Value {
        self.group(key).map_or_else(|| Value::from(()), |(text, _, _)| Value::from(text.as_str()))
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(self.text(key))
    }

    fn call_method(self: &Arc<Self>, _state: &mut State<'_, '_>, name: &str, args: &[Value]) -> Result<Value, Error> {
        let args = Arguments::new(name, args);
        let first = args.get(0, "group").unwrap_or_else(|| Value::from(0));
        let texts = |from: usize| (from..self.groups.len()).map(|at| self.text(&Value::from(at)));
        Ok(match name {
            "group" if args.positional.len() > 1 => {
                Value::from(Tuple::from(args.positional.iter().map(|key| self.text(key)).collect::<Vec<_>>()))
            }
            "group" => self.text(&first),
            "groups" => Value::from(Tuple::from(texts(1).collect::<Vec<_>>())),
            "groupdict" => {
                let named = self
                    .names
                    .iter()
                    .flatten()
                    .map(|name| (Value::from(name.as_str()), self.text(&Value::from(name.as_str()))));
                Dict::value(named.collect())?
            }
            "start" => Value::from(self.group(&first).map_or(-1, |(_, start, _)| *start as i64)),
            "end" => Value::from(self.group(&first).map_or(-1, |(_, _, end)| *end as i64)),
            "span" => Value::from(self.group(&first).map_or((-1, -1), |(_, start, end)| (*start as i64, *end as i64))),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.groups.first().cloned().flatten().map(|(text, _, _)| text).unwrap_or_default();
        write!(f, "<re.Match object; match={:?}>", Value::from(text))
    }
}
