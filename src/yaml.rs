//! Turns YAML text into a tree in which every key and value knows its place. The only user of the YAML parser.
//!
//! Plain scalars are read as YAML 1.1 does (`yes` is true, `0x1F` is 31), because dbt reads its files so. The
//! budget on depth, nodes and aliases makes a hostile file a diagnostic, not a hang.

pub mod scalar;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as YamlSpan};
use serde_json::{Map, Number, Value as Json};

use crate::diagnostic::code::Code;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::files::{FileId, Span};

/// How deep a file may nest, and how many values it may have after aliases are followed.
const MAX_DEPTH: usize = 100;
const MAX_NODES: usize = 1_000_000;
/// How many lines inside brackets may stand further left than the YAML standard wants.
const MAX_JOINED_LINES: usize = 200;

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Yaml {
    pub span: Span,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Yaml>),
    Map(Vec<(Key, Yaml)>),
}

/// The key of a mapping; numbers and booleans are kept as their text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    pub span: Span,
}

impl Yaml {
    pub fn null(span: Span) -> Yaml {
        Yaml { span, value: Value::Null }
    }

    pub fn get(&self, name: &str) -> Option<&Yaml> {
        self.entries().iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[(Key, Yaml)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; a single value counts as a list of one, null as none.
    pub fn items(&self) -> &[Yaml] {
        match &self.value {
            Value::List(items) => items,
            Value::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What the value is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    pub fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Number(value) => Json::Number(value.clone()),
            Value::String(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Yaml::to_json).collect()),
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|(key, value)| (key.name.clone(), value.to_json())).collect())
            }
        }
    }
}

/// Parses a file of a project. As with dbt, the white space at its end does not count, not even in a last block of text.
pub fn parse_file(file: FileId, text: &str, sink: &mut Diagnostics) -> Option<Yaml> {
    parse(file, text.trim_end(), sink)
}

/// Parses one document. Every problem goes to the sink; `None` if the file has no usable value (also if empty).
pub fn parse(file: FileId, text: &str, sink: &mut Diagnostics) -> Option<Yaml> {
    let mut text = Cow::Borrowed(text);
    let mut found = Diagnostics::default();
    let (mut value, mut misplaced) = Builder::new(file, &text, &mut found).document();
    for _ in 0..MAX_JOINED_LINES {
        let Some(joined) = misplaced.and_then(|at| join_line(&text, at)) else { break };
        text = Cow::Owned(joined);
        let mut again = Diagnostics::default();
        (value, misplaced) = Builder::new(file, &text, &mut again).document();
        if value.is_some() {
            found = again;
        }
    }
    sink.extend(found);
    value
}

/// The text with the line of this place put behind the line before it. Nothing else moves.
///
/// Inside `[…]` and `{…}` dbt's YAML reader has no regard for indentation, but the parser here has. A line break
/// there is a space like any other, if no comment ends at it.
fn join_line(text: &str, at: usize) -> Option<String> {
    let (before, line) = text.split_at_checked(at)?;
    let kept = before.trim_end_matches([' ', '\t']).strip_suffix('\n')?;
    let kept = kept.strip_suffix('\r').unwrap_or(kept);
    let last_line = kept.rfind('\n').map_or(0, |end| end + 1);
    let end = comment_start(&kept[last_line..]).map_or(kept.len(), |comment| last_line + comment);
    Some([&text[..end], &" ".repeat(at - end), line].concat())
}

/// Where the comment of a line starts: a `#` at its start or after a space, not inside quotes.
fn comment_start(line: &str) -> Option<usize> {
    line.match_indices('#').map(|(at, _)| at).find(|&at| {
        let before = &line[..at];
        let open = |quote| before.matches(quote).count() % 2 == 1;
        (before.is_empty() || before.ends_with([' ', '\t'])) && !open('\'') && !open('"')
    })
}

/// Parses YAML that comes from the command line (`--vars`, `--args`).
pub fn parse_json(text: &str) -> Result<Json, String> {
    let mut sink = Diagnostics::default();
    let value = parse(FileId(0), text, &mut sink);
    match sink.iter().find(|problem| problem.severity == crate::diagnostic::Severity::Error) {
        Some(problem) => Err(problem.message.clone()),
        None => Ok(value.map_or(Json::Object(Map::new()), |value| value.to_json())),
    }
}

/// From the parser's character offsets to bytes.
enum Places {
    Ascii,
    Bytes(Vec<u32>),
}

impl Places {
    fn of(text: &str) -> Places {
        if text.is_ascii() {
            return Places::Ascii;
        }
        Places::Bytes(text.char_indices().map(|(at, _)| at as u32).chain([text.len() as u32]).collect())
    }

    fn byte(&self, marker: &Marker) -> usize {
        match self {
            Places::Ascii => marker.index(),
            Places::Bytes(bytes) => bytes[marker.index().min(bytes.len() - 1)] as usize,
        }
    }
}

struct Builder<'a> {
    file: FileId,
    text: &'a str,
    places: Places,
    nodes: usize,
    anchors: BTreeMap<usize, Yaml>,
    /// Where a line inside brackets stands too far left.
    misplaced: Option<usize>,
    sink: &'a mut Diagnostics,
}

/// What the parser complains of, at the place where the mistake is: a tab is found later than it stands.
fn invalid(file: FileId, text: &str, at: usize, info: &str) -> Diagnostic {
    let problem = |at: Range<usize>, why: &str| {
        Diagnostic::error(Code::InvalidYaml, Span::new(file, at), format!("this is not valid YAML: {why}"))
    };
    let line = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let indents = text[line..].split_inclusive('\n').scan(line, |start, line| {
        let indent = *start..*start + line.len() - line.trim_start().len();
        *start += line.len();
        Some(indent)
    });
    let tab = indents.take(50).find_map(|indent| Some(indent.start + text[indent].find('\t')?));
    match tab {
        Some(tab) => problem(tab..tab + 1, "a tab indents this line").help("indent with spaces"),
        None => problem(at..at, info).help("look at the indentation and the quotes of this line and the one before"),
    }
}

/// The document cannot be read further; the reason is in the sink.
struct Stop;

type Events<'t> = Parser<'t, saphyr_parser::StrInput<'t>>;

impl<'a> Builder<'a> {
    fn new(file: FileId, text: &'a str, sink: &'a mut Diagnostics) -> Builder<'a> {
        Builder { file, text, places: Places::of(text), nodes: 0, anchors: BTreeMap::new(), misplaced: None, sink }
    }

    /// The value, and where a line stands too far left, if that ended it.
    fn document(mut self) -> (Option<Yaml>, Option<usize>) {
        let value = self.root();
        (value, self.misplaced)
    }

    fn root(&mut self) -> Option<Yaml> {
        let mut events = Parser::new_from_str(self.text);
        loop {
            match self.next(&mut events).ok()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd | Event::DocumentEnd, _) => return None,
                (event, span) => {
                    let value = self.value(event, span, &mut events, 0).ok()?;
                    // Read to the end, so that a problem after the value is not missed.
                    while !matches!(self.next(&mut events).ok()?.0, Event::StreamEnd | Event::DocumentStart(_)) {}
                    return Some(value).filter(|value| !value.is_null());
                }
            }
        }
    }

    fn next<'t>(&mut self, events: &mut Events<'t>) -> Result<(Event<'t>, YamlSpan), Stop> {
        match events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let at = self.places.byte(error.marker());
                self.misplaced = error.info().starts_with("invalid indentation").then_some(at);
                self.sink.push(invalid(self.file, self.text, at, error.info()));
                Err(Stop)
            }
            None => Err(Stop),
        }
    }

    fn stop<T>(&mut self, span: Span, message: String) -> Result<T, Stop> {
        self.sink.push(Diagnostic::error(Code::InvalidYaml, span, message));
        Err(Stop)
    }

    fn span(&self, span: &YamlSpan) -> Span {
        Span::new(self.file, self.places.byte(&span.start)..self.places.byte(&span.end))
    }

    fn value<'t>(
        &mut self,
        event: Event<'t>,
        at: YamlSpan,
        events: &mut Events<'t>,
        depth: usize,
    ) -> Result<Yaml, Stop> {
        let mut span = self.span(&at);
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            let limit = if depth > MAX_DEPTH { format!("{MAX_DEPTH} levels") } else { format!("{MAX_NODES} values") };
            return self.stop(span, format!("this file has more than {limit}, which medal does not read"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none_or(|tag| tag.suffix != "str");
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let text = if is_block { self.ended_as_written(text, span) } else { text };
                if is_block {
                    // The parser goes on to the next key before it ends a block.
                    let written = self.text.get(span.range()).unwrap_or_default();
                    span.end = span.start + written.trim_end().len() as u32;
                }
                (if plain { scalar::read(&text) } else { Value::String(text.into_owned()) }, anchor)
            }
            Event::SequenceStart(anchor, _) => (Value::List(self.list(events, depth)?), anchor),
            Event::MappingStart(anchor, _) => (Value::Map(self.map(events, depth)?), anchor),
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => return self.stop(span, "this is not valid YAML: a value is missing".to_string()),
        };
        let end = events_end(&value, span);
        let yaml = Yaml { span: Span { end, ..span }, value };
        if anchor != 0 {
            self.anchors.insert(anchor, yaml.clone());
        }
        Ok(yaml)
    }

    /// A block of text at the end of a file that does not end with a line break has none either.
    fn ended_as_written<'t>(&self, text: Cow<'t, str>, span: Span) -> Cow<'t, str> {
        let written = self.text.trim_end();
        let is_last = span.range().end >= written.len() && !self.text[written.len()..].contains('\n');
        match text.strip_suffix('\n') {
            Some(kept) if is_last => Cow::Owned(kept.to_string()),
            _ => text,
        }
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Yaml, Stop> {
        let Some(value) = self.anchors.get(&anchor).cloned() else {
            return self.stop(span, "this alias names an anchor that is not complete here".to_string());
        };
        self.nodes += count(&value);
        if self.nodes > MAX_NODES {
            return self.stop(span, format!("this file has more than {MAX_NODES} values, which medal does not read"));
        }
        Ok(value)
    }

    fn list(&mut self, events: &mut Events<'_>, depth: usize) -> Result<Vec<Yaml>, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next(events)? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.value(event, span, events, depth + 1)?),
            }
        }
    }

    fn map(&mut self, events: &mut Events<'_>, depth: usize) -> Result<Vec<(Key, Yaml)>, Stop> {
        let mut entries: Vec<(Key, Yaml)> = Vec::new();
        let mut merged: Vec<(Key, Yaml)> = Vec::new();
        loop {
            let (event, at) = self.next(events)?;
            if event == Event::MappingEnd {
                merged.retain(|(key, _)| entries.iter().all(|(own, _)| own.name != key.name));
                entries.extend(merged);
                return Ok(entries);
            }
            let key = self.key(event, at, events, depth)?;
            let (event, at) = self.next(events)?;
            let value = self.value(event, at, events, depth + 1)?;
            if key.name == "<<" {
                value.items().iter().for_each(|source| merged.extend(source.entries().iter().cloned()));
                continue;
            }
            if !self.stands_twice(&key, &value, &entries) {
                entries.push((key, value));
            }
        }
    }

    fn key<'t>(&mut self, event: Event<'t>, at: YamlSpan, events: &mut Events<'t>, depth: usize) -> Result<Key, Stop> {
        let span = self.span(&at);
        match event {
            Event::Scalar(text, ..) => Ok(Key { name: text.into_owned(), span }),
            other => {
                let key = self.value(other, at, events, depth + 1)?;
                match key.value {
                    Value::String(name) => Ok(Key { name, span }),
                    _ => self.stop(span, format!("a key must be a text, and this is {}", key.kind())),
                }
            }
        }
    }

    /// Reports a key that was there before: a mistake, unless it says the same again.
    fn stands_twice(&mut self, key: &Key, value: &Yaml, entries: &[(Key, Yaml)]) -> bool {
        let Some((first, other)) = entries.iter().find(|(other, _)| other.name == key.name) else { return false };
        let message = format!("`{}` stands twice here", key.name);
        let problem = if other.to_json() == value.to_json() {
            Diagnostic::warning(Code::DuplicateKey, key.span, message).event("DuplicateYAMLKeysDeprecation")
        } else {
            Diagnostic::error(Code::DuplicateKey, key.span, message)
        };
        let problem = problem.label("the second one").related(first.span, "the first one").help("keep one of them");
        self.sink.push(problem);
        true
    }
}

/// A block's own span is only its first line; the end of its last part says where it ends.
fn events_end(value: &Value, span: Span) -> u32 {
    match value {
        Value::List(items) => items.last().map_or(span.end, |item| item.span.end),
        Value::Map(entries) => entries.last().map_or(span.end, |(_, item)| item.span.end),
        _ => span.end,
    }
    .max(span.end)
}

fn count(value: &Yaml) -> usize {
    1 + match &value.value {
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(entries) => entries.iter().map(|(_, item)| count(item)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
