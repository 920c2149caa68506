//! Turns Python's `str.format` into that of minijinja: a conversion such as `{0!r}` becomes an argument of its own.

use minijinja::formatting::FormatStyle;
use minijinja::{Error, Value};

use crate::jinja::error::runtime;
use crate::jinja::methods;
use crate::jinja::python;

/// `'…'.format(…)`.
pub fn format(text: &str, args: &[Value]) -> Result<Value, Error> {
    methods::checked_widths(text)?;
    if !text.contains('!') && !text.contains("%}") {
        return minijinja::formatting::format(FormatStyle::StrFormat, text, args).map(Value::from);
    }
    let (text, args) = converted(text, args)?;
    minijinja::formatting::format(FormatStyle::StrFormat, &text, &args).map(Value::from)
}

/// The text without conversions, and the arguments with what they make.
fn converted(text: &str, args: &[Value]) -> Result<(String, Vec<Value>), Error> {
    let (positional, keywords) = match args.split_last() {
        Some((last, rest)) if last.is_kwargs() => (rest, Some(last)),
        _ => (args, None),
    };
    let mut args = positional.to_vec();
    let (mut out, mut rest, mut unnamed) = (String::new(), text, 0);
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            out.push_str("{{");
            rest = after;
            continue;
        }
        let Some((field, after)) = after.split_once('}') else {
            return Err(runtime("a `{` of this format has no `}`"));
        };
        rest = after;
        let (field, spec) =
            field.split_once(':').map_or((field, String::new()), |(field, spec)| (field, format!(":{spec}")));
        let (name, conversion) = field.split_once('!').map_or((field, None), |(name, how)| (name, Some(how)));
        let mut name = name.to_string();
        if name.is_empty() {
            name = unnamed.to_string();
            unnamed += 1;
        }
        // Python's `%`: a hundred times the number, and the sign behind it.
        let percent = spec.ends_with('%');
        if conversion.is_some() || percent {
            let value = match name.parse::<usize>() {
                Ok(place) => positional.get(place).cloned(),
                Err(_) => keywords.and_then(|keywords| keywords.get_attr(&name).ok()),
            };
            let value = value.ok_or_else(|| runtime(format!("the format has no value for `{name}`")))?;
            name = args.len().to_string();
            args.push(match conversion {
                Some(conversion) => Value::from(shown(&value, conversion)?),
                None => Value::from(f64::try_from(value)? * 100.0),
            });
        }
        match spec.strip_suffix('%') {
            Some(spec) => out.push_str(&format!("{{{name}{spec}f}}%")),
            None => out.push_str(&format!("{{{name}{spec}}}")),
        }
    }
    out.push_str(rest);
    args.extend(keywords.cloned());
    Ok((out, args))
}

/// A value as `!s`, `!r` or `!a` shows it.
pub fn shown(value: &Value, conversion: &str) -> Result<String, Error> {
    match conversion {
        "s" => Ok(python::text(value)),
        "r" | "a" => {
            let mut out = String::new();
            python::write_repr(&mut out, value).map_err(|_| runtime("this value cannot be printed"))?;
            Ok(out)
        }
        other => Err(runtime(format!("a format has no conversion `{other}`: it has r, s and a"))),
    }
}
