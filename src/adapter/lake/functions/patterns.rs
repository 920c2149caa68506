//! DuckDB's functions of regular expressions.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListBuilder, StringArray, StringBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use regex::{Regex, RegexBuilder};

use crate::adapter::lake::functions::scalar::{
    Spec, each_boolean, each_text, failure, gives_boolean, gives_text, text, texts,
};
use crate::adapter::lake::functions::texts::gives_list;

pub const ALL: &[Spec] = &[
    Spec { name: "regexp_matches", takes: texts, gives: gives_boolean, run: matches, simpler: None },
    Spec { name: "regexp_full_match", takes: texts, gives: gives_boolean, run: full_match, simpler: None },
    Spec { name: "regexp_extract", takes: texts, gives: gives_text, run: extract, simpler: None },
    Spec { name: "regexp_extract_all", takes: texts, gives: gives_list, run: extract_all, simpler: None },
    Spec { name: "regexp_replace", takes: texts, gives: gives_text, run: replace, simpler: None },
    Spec { name: "regexp_split_to_array", takes: texts, gives: gives_list, run: split, simpler: None },
];

/// The patterns of a column, each compiled once as long as it stays the same.
struct Patterns {
    patterns: StringArray,
    options: Option<StringArray>,
    is_whole: bool,
    last: Option<(String, Regex)>,
}

impl Patterns {
    fn new(patterns: &ArrayRef, options: Option<&ArrayRef>, is_whole: bool) -> Result<Patterns> {
        Ok(Patterns { patterns: text(patterns)?, options: options.map(text).transpose()?, is_whole, last: None })
    }

    fn options(&self, row: usize) -> &str {
        self.options.as_ref().filter(|options| options.is_valid(row)).map_or("", |options| options.value(row))
    }

    fn at(&mut self, row: usize) -> Result<Option<Regex>> {
        if self.patterns.is_null(row) {
            return Ok(None);
        }
        let pattern = self.patterns.value(row);
        if let Some((known, regex)) = &self.last
            && known == pattern
        {
            return Ok(Some(regex.clone()));
        }
        let ascii = ascii_classes(pattern);
        let anchored = if self.is_whole { format!("^(?:{ascii})$") } else { ascii };
        let options = self.options(row);
        // As in RE2, a dot does not stand for a line break unless `s` says so.
        let regex = RegexBuilder::new(&anchored)
            .case_insensitive(options.contains('i'))
            .dot_matches_new_line(options.contains('s'))
            .build()
            .map_err(|error| failure(format!("the pattern `{pattern}` cannot be read: {error}")))?;
        self.last = Some((pattern.to_string(), regex.clone()));
        Ok(Some(regex))
    }
}

/// Digits, letters and blanks of a pattern are those of ASCII, as in RE2.
fn ascii_classes(pattern: &str) -> String {
    let mut written = String::new();
    let mut is_set = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '[' => is_set = true,
            ']' => is_set = false,
            _ => {}
        }
        if c != '\\' {
            written.push(c);
            continue;
        }
        let Some(letter) = chars.next() else {
            written.push(c);
            break;
        };
        let class = match letter {
            'd' => "0-9",
            'w' => "0-9A-Za-z_",
            's' => r"\t\n\x0C\r ",
            'D' if !is_set => "^0-9",
            'W' if !is_set => "^0-9A-Za-z_",
            'S' if !is_set => r"^\t\n\x0C\r ",
            'b' | 'B' if !is_set => {
                written.push_str(&format!(r"(?-u:\{letter})"));
                continue;
            }
            other => {
                written.extend(['\\', other]);
                continue;
            }
        };
        if is_set { written.push_str(class) } else { written.push_str(&format!("[{class}]")) }
    }
    written
}

fn test(args: &[ArrayRef], is_whole: bool) -> Result<ArrayRef> {
    let texts = text(&args[0])?;
    let patterns = std::cell::RefCell::new(Patterns::new(&args[1], args.get(2), is_whole)?);
    each_boolean(texts.len(), |row| {
        let pattern = patterns.borrow_mut().at(row)?;
        Ok(pattern.filter(|_| texts.is_valid(row)).map(|pattern| pattern.is_match(texts.value(row))))
    })
}

fn matches(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    test(args, false)
}

fn full_match(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    test(args, true)
}

fn group(groups: Option<&StringArray>, row: usize) -> Result<usize> {
    let Some(groups) = groups.filter(|groups| groups.is_valid(row)) else { return Ok(0) };
    groups.value(row).parse().map_err(|_| failure("a group of a pattern is given by its number"))
}

/// The text of a group; empty where the pattern does not match.
fn extract(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let texts = text(&args[0])?;
    let groups = args.get(2).map(text).transpose()?;
    let patterns = std::cell::RefCell::new(Patterns::new(&args[1], args.get(3), false)?);
    each_text(texts.len(), |row| {
        let Some(pattern) = patterns.borrow_mut().at(row)?.filter(|_| texts.is_valid(row)) else { return Ok(None) };
        let found = pattern.captures(texts.value(row));
        let part = found.and_then(|found| Some(found.get(group(groups.as_ref(), row).ok()?)?.as_str().to_string()));
        Ok(Some(part.unwrap_or_default()))
    })
}

/// Where nothing can match, the two libraries count the matches of nothing in another way.
fn no_empty_match(pattern: &Regex) -> Result<()> {
    if pattern.is_match("") {
        return Err(failure(format!("the pattern `{pattern}` also matches nothing; let it match one letter at least")));
    }
    Ok(())
}

fn extract_all(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let groups = args.get(2).map(text).transpose()?;
    lists(args, args.get(3), |text, pattern, row, list| {
        no_empty_match(pattern)?;
        let group = group(groups.as_ref(), row)?;
        for found in pattern.captures_iter(text) {
            list.append_value(found.get(group).map_or("", |part| part.as_str()));
        }
        Ok(())
    })
}

fn split(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    lists(args, args.get(2), |text, pattern, _, list| {
        no_empty_match(pattern)?;
        pattern.split(text).for_each(|part| list.append_value(part));
        Ok(())
    })
}

fn lists(
    args: &[ArrayRef],
    options: Option<&ArrayRef>,
    of: impl Fn(&str, &Regex, usize, &mut StringBuilder) -> Result<()>,
) -> Result<ArrayRef> {
    let texts = text(&args[0])?;
    let mut patterns = Patterns::new(&args[1], options, false)?;
    let mut list = ListBuilder::new(StringBuilder::new());
    for row in 0..texts.len() {
        let pattern = patterns.at(row)?.filter(|_| texts.is_valid(row));
        if let Some(pattern) = &pattern {
            of(texts.value(row), pattern, row, list.values())?;
        }
        list.append(pattern.is_some());
    }
    Ok(Arc::new(list.finish()))
}

/// The first match, or with the option `g` all of them; `\1` in the replacement is the first group.
fn replace(args: &[ArrayRef], _: &DataType) -> Result<ArrayRef> {
    let (texts, replacements) = (text(&args[0])?, text(&args[2])?);
    let patterns = std::cell::RefCell::new(Patterns::new(&args[1], args.get(3), false)?);
    each_text(texts.len(), |row| {
        let pattern = patterns.borrow_mut().at(row)?;
        let Some(pattern) = pattern.filter(|_| texts.is_valid(row) && replacements.is_valid(row)) else {
            return Ok(None);
        };
        let replacement = numbered_groups(replacements.value(row));
        let most = if patterns.borrow().options(row).contains('g') { 0 } else { 1 };
        Ok(Some(pattern.replacen(texts.value(row), most, replacement.as_str()).into_owned()))
    })
}

/// `\1` as the regex library writes it: `${1}`.
fn numbered_groups(replacement: &str) -> String {
    let mut written = String::new();
    let mut chars = replacement.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => written.push_str(&format!("${{{digit}}}")),
                Some(other) => written.push(other),
                None => written.push('\\'),
            },
            '$' => written.push_str("$$"),
            other => written.push(other),
        }
    }
    written
}
