//! Turns the text of a CSV file into records, as DuckDB's strict reader tells them apart, and lines into records.

use std::io::{BufRead, Read};

use datafusion::common::plan_datafusion_err;
use datafusion::error::Result;
use serde_json::{Map, Value as Json};

use crate::adapter::lake::files::records::Found;

/// How a file is written.
#[derive(Debug, Clone)]
pub struct Dialect {
    delimiter: u8,
    quote: Option<u8>,
    escape: Option<u8>,
    null: String,
}

impl Dialect {
    pub fn of(given: &Map<String, Json>) -> Result<Dialect> {
        let text = |key: &str, default: &str| {
            let given = given.get(key).and_then(Json::as_str).unwrap_or(default);
            if given == "\\t" { "\t".to_string() } else { given.to_string() }
        };
        let byte = |key: &str, default: &str| match text(key, default).as_bytes() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            _ => Err(plan_datafusion_err!("`{key}` is one letter, and not `{}`", text(key, default))),
        };
        Ok(Dialect {
            delimiter: byte("delim", ",")?.unwrap_or(b','),
            quote: byte("quote", "\"")?,
            escape: byte("escape", "\"")?,
            null: text("nullstr", ""),
        })
    }
}

/// Each line, whatever is in it, as long as it is text.
pub fn lines(reader: impl BufRead) -> impl Iterator<Item = std::result::Result<Found, String>> {
    let text = |(number, line): (usize, std::io::Result<Vec<u8>>)| {
        let line = line.map_err(|error| error.to_string())?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let line = if number == 0 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        Ok(match std::str::from_utf8(line) {
            Ok(line) => Found::Good { record: Some(line.to_string()), values: Vec::new() },
            Err(error) => {
                Found::Bad { raw: String::from_utf8_lossy(line).into_owned(), reason: error.to_string(), field: None }
            }
        })
    };
    reader.split(b'\n').enumerate().map(text)
}

/// The records after the header.
pub fn records<'a>(
    reader: impl BufRead + 'a,
    dialect: &'a Dialect,
    names: &'a [String],
    whole: bool,
) -> impl Iterator<Item = std::result::Result<Found, String>> + 'a {
    let mut scanner = Scanner { bytes: reader.bytes(), dialect, ahead: None, record: Record::default() };
    let mut is_begun = false;
    let next = move || loop {
        match scanner.record(names.len() > 1 || !is_begun) {
            Err(error) => return Some(Err(error.to_string())),
            Ok(false) => return None,
            Ok(true) if is_begun => return Some(Ok(scanner.record.found(dialect, names, whole))),
            Ok(true) => is_begun = true,
        }
    };
    std::iter::from_fn(next)
}

/// A record while it is read.
#[derive(Debug, Default)]
struct Record {
    /// As it stands in the file.
    raw: Vec<u8>,
    /// The values, one after the other.
    text: Vec<u8>,
    /// Where each value ends, and whether it stood between quotes.
    ends: Vec<(usize, bool)>,
    /// The place of a value whose quotes are wrong.
    broken: Option<usize>,
}

/// Where in a value the next byte is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Nothing but spaces so far.
    Begin,
    Plain,
    Quoted,
    /// After a byte that takes the meaning from the next one.
    Escaped,
    /// After a quote, which ends the value unless another one follows.
    Quote,
    /// Only spaces may come.
    Closed,
    /// Up to the end of the value nothing has a meaning.
    Broken,
}

struct Scanner<'a, R> {
    bytes: std::io::Bytes<R>,
    dialect: &'a Dialect,
    /// A byte that was taken too early.
    ahead: Option<u8>,
    record: Record,
}

impl<R: Read> Scanner<'_, R> {
    fn next(&mut self) -> std::io::Result<Option<u8>> {
        match self.ahead.take() {
            Some(byte) => Ok(Some(byte)),
            None => self.bytes.next().transpose(),
        }
    }

    /// Reads the next record. False if there is none.
    fn record(&mut self, skips_blank: bool) -> std::io::Result<bool> {
        loop {
            self.record.clear();
            let is_ended = self.scan()?;
            let record = &self.record;
            let is_blank = record.ends == [(0, false)] && record.raw.is_empty() && record.broken.is_none();
            match (is_blank, is_ended) {
                (true, true) => return Ok(false),
                (true, false) if skips_blank => {}
                _ => return Ok(true),
            }
        }
    }

    /// Reads up to the end of a record. True if the file ends there.
    fn scan(&mut self) -> std::io::Result<bool> {
        let mut state = State::Begin;
        loop {
            let Some(byte) = self.next()? else {
                if matches!(state, State::Quoted | State::Escaped) {
                    self.record.breaks();
                }
                self.record.end_value(matches!(state, State::Quote | State::Closed));
                return Ok(true);
            };
            let is_inside = matches!(state, State::Quoted | State::Escaped);
            if !is_inside && (byte == b'\n' || byte == b'\r') {
                self.record.end_value(matches!(state, State::Quote | State::Closed));
                if byte == b'\r' {
                    self.ahead = self.next()?.filter(|next| *next != b'\n');
                }
                return Ok(false);
            }
            self.record.raw.push(byte);
            state = self.step(state, byte);
        }
    }

    fn step(&mut self, state: State, byte: u8) -> State {
        let Dialect { delimiter, quote, escape, .. } = *self.dialect;
        let (is_quote, is_escape) = (Some(byte) == quote, Some(byte) == escape);
        let record = &mut self.record;
        match state {
            State::Begin | State::Plain | State::Quote | State::Closed | State::Broken if byte == delimiter => {
                record.end_value(matches!(state, State::Quote | State::Closed));
                State::Begin
            }
            State::Begin if is_quote => {
                record.text.truncate(record.begin());
                State::Quoted
            }
            State::Begin | State::Plain => {
                record.text.push(byte);
                if state == State::Begin && byte == b' ' { State::Begin } else { State::Plain }
            }
            State::Broken => State::Broken,
            State::Quoted if is_escape && escape != quote => State::Escaped,
            State::Quoted if is_quote => State::Quote,
            State::Quoted | State::Escaped => {
                record.text.push(byte);
                State::Quoted
            }
            State::Quote if is_quote && escape == quote => {
                record.text.push(byte);
                State::Quoted
            }
            State::Quote | State::Closed if byte == b' ' => State::Closed,
            State::Quote | State::Closed => {
                record.breaks();
                State::Broken
            }
        }
    }
}

impl Record {
    fn clear(&mut self) {
        self.raw.clear();
        self.text.clear();
        self.ends.clear();
        self.broken = None;
    }

    /// Where the value that is read begins.
    fn begin(&self) -> usize {
        self.ends.last().map_or(0, |(end, _)| *end)
    }

    fn end_value(&mut self, is_quoted: bool) {
        self.ends.push((self.text.len(), is_quoted));
    }

    fn breaks(&mut self) {
        self.broken = self.broken.or(Some(self.ends.len()));
    }

    fn found(&mut self, dialect: &Dialect, names: &[String], whole: bool) -> Found {
        // A delimiter may end a record, too.
        if let [.., (before, _), (end, false)] = self.ends[..]
            && self.ends.len() == names.len() + 1
            && before == end
        {
            self.ends.pop();
        }
        let bad = |reason: String, at: usize| Found::Bad {
            raw: String::from_utf8_lossy(&self.raw).into_owned(),
            reason,
            field: names.get(at).cloned(),
        };
        if let Some(at) = self.broken {
            return bad("Value with unterminated quote found.".to_string(), at);
        }
        if self.ends.len() != names.len() {
            let reason = format!("Expected Number of Columns: {} Found: {}", names.len(), self.ends.len());
            return bad(reason, self.ends.len());
        }
        let mut begin = 0;
        let mut values = Vec::with_capacity(names.len());
        for (at, (end, is_quoted)) in self.ends.iter().enumerate() {
            let Ok(text) = std::str::from_utf8(&self.text[begin..*end]) else {
                let reason = "Invalid unicode (byte sequence mismatch) detected. This file is not utf-8 encoded.";
                return bad(reason.to_string(), at);
            };
            values.push((*is_quoted || text != dialect.null).then(|| text.to_string()));
            begin = *end;
        }
        let record = whole.then(|| {
            let fields = names.iter().cloned().zip(values.iter().cloned().map(Json::from));
            Json::Object(fields.collect()).to_string()
        });
        Found::Good { record, values }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::{Dialect, Found, records};

    /// The records of a file of two columns: values beside each other, or the reason and the text.
    fn read(text: &str) -> Vec<String> {
        let dialect = Dialect::of(&Map::new()).expect("the defaults are right");
        let names = ["a".to_string(), "b".to_string()];
        let shown = |found: Result<Found, String>| match found.expect("the text can be read") {
            Found::Good { values, .. } => {
                let value = |value: &Option<String>| value.clone().unwrap_or("null".to_string());
                values.iter().map(value).collect::<Vec<_>>().join("|")
            }
            Found::Bad { raw, field, .. } => format!("bad {field:?}: {raw}"),
        };
        records(text.as_bytes(), &dialect, &names, false).map(shown).collect()
    }

    #[test]
    fn records_are_told_apart_as_in_duckdb() {
        assert_eq!(read("a,b\r\n1,2\r\n\r\n3,\"x\r\ny\"\r\n"), ["1|2", "3|x\r\ny"]);
        assert_eq!(read("a,b\n1,\"\"\n2,\n 1 , \"q\" \n3,4,\n5,x\"y"), ["1|", "2|null", " 1 |q", "3|4", "5|x\"y"]);
        assert_eq!(read("a,b\n1\n2,3,4\n5,6"), ["bad Some(\"b\"): 1", "bad None: 2,3,4", "5|6"]);
        assert_eq!(read("a,b\n1,\"x\"y\n2,\"z\"\"\"\n"), ["bad Some(\"b\"): 1,\"x\"y", "2|z\""]);
        assert_eq!(read("a,b\n\"x\"y,\"1\n2\"\n3,4"), ["bad Some(\"a\"): \"x\"y,\"1\n2\"", "3|4"]);
        assert_eq!(read("a,b\n1,\"open\n2,3\n"), ["bad Some(\"b\"): 1,\"open\n2,3\n"]);
    }
}
