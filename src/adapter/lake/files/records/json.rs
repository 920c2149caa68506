//! Turns the text of a JSON file (lines, one list, or values one after the other) into records.

use std::fmt;
use std::io::{BufRead, Bytes, Cursor, Read};

use crate::map::IndexMap;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value as Json;

use crate::adapter::lake::files::records::{Found, Records};

/// What is wanted of a record.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The fields, each as JSON.
    pub names: &'a [String],
    /// Whether the record itself is, too.
    pub whole: bool,
    /// Whether a record must be an object.
    pub objects: bool,
}

/// The records of a file. A line that is no JSON is a bad record; where a file is no lines, it makes the file bad.
pub fn records<'a>(mut reader: impl BufRead + 'a, by_lines: bool, wanted: Wanted<'a>) -> Records<'a> {
    let (first, is_lines) = match first_line(&mut reader) {
        Ok(found) => found,
        Err(error) => return Box::new(std::iter::once(Err(error.to_string()))),
    };
    let is_list = first.trim_ascii_start().starts_with(b"[");
    let reader = Cursor::new(first).chain(reader);
    if by_lines || is_lines {
        return Box::new(lines(reader, wanted));
    }
    let mut values = Values { bytes: reader.bytes(), ahead: None, list: is_list.then_some(Place::Before), read: 0 };
    let mut is_over = false;
    let next = move || {
        let found = if is_over { None } else { values.value().map_err(|error| error.to_string()).transpose() };
        let found = found.map(|text| wanted.of(&text?));
        is_over = found.as_ref().is_none_or(Result::is_err);
        found
    };
    Box::new(std::iter::from_fn(next))
}

/// The first line that says something, and whether it is one of many records: not the only one, if it is a list.
fn first_line(reader: &mut impl BufRead) -> std::io::Result<(Vec<u8>, bool)> {
    let mut line = Vec::new();
    while line.trim_ascii().is_empty() {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok((line, true));
        }
        if line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
    }
    let is_value = serde_json::from_slice::<IgnoredAny>(&line).is_ok();
    let is_list = line.trim_ascii_start().starts_with(b"[");
    let is_lines = is_value && (!is_list || !reader.fill_buf()?.trim_ascii().is_empty());
    Ok((line, is_lines))
}

fn lines<'a>(
    reader: impl BufRead + 'a,
    wanted: Wanted<'a>,
) -> impl Iterator<Item = std::result::Result<Found, String>> + 'a {
    reader.split(b'\n').filter_map(move |line| match line {
        Err(error) => Some(Err(error.to_string())),
        Ok(line) if line.trim_ascii().is_empty() => None,
        Ok(line) => {
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            Some(Ok(wanted.of(line).unwrap_or_else(|reason| bad(line, reason))))
        }
    })
}

fn bad(text: &[u8], reason: String) -> Found {
    Found::Bad { raw: String::from_utf8_lossy(text).into_owned(), reason, field: None }
}

impl Wanted<'_> {
    /// A record from its text.
    fn of(&self, text: &[u8]) -> std::result::Result<Found, String> {
        let text = std::str::from_utf8(text).map_err(|error| format!("Malformed JSON: {error}"))?.trim();
        let is_object = text.starts_with('{');
        // Whoever wants no fields of a record refuses the same ones as whoever wants some.
        let values = if is_object && (self.objects || !self.names.is_empty()) {
            let Members(mut members) = serde_json::from_str(text).map_err(malformed)?;
            self.names.iter().map(|name| members.swap_remove(name).map(|value| value.to_string())).collect()
        } else {
            serde_json::from_str::<IgnoredAny>(text).map_err(malformed)?;
            vec![None; self.names.len()]
        };
        if self.objects && !is_object {
            return Ok(bad(text.as_bytes(), "the record is no object".to_string()));
        }
        Ok(Found::Good { record: self.whole.then(|| text.to_string()), values })
    }
}

fn malformed(error: serde_json::Error) -> String {
    let told = error.to_string();
    let what = told.split(" at line ").next().unwrap_or_default();
    format!("Malformed JSON at line {}, column {}: {what}", error.line(), error.column())
}

/// The members of an object; of those with one name the first counts.
pub struct Members(pub IndexMap<String, Json>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        deserializer.deserialize_map(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = IndexMap::default();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            members.entry(name).or_insert(value);
        }
        Ok(Members(members))
    }
}

/// The texts of values: those of one list, or those that stand one after the other.
struct Values<R> {
    bytes: Bytes<R>,
    /// A byte that was taken too early.
    ahead: Option<u8>,
    /// The place in a list, if there is one.
    list: Option<Place>,
    /// How many bytes were read.
    read: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Before,
    AfterBracket,
    AfterComma,
    AfterValue,
    Behind,
}

impl<R: Read> Values<R> {
    fn next(&mut self) -> std::io::Result<Option<u8>> {
        if let Some(byte) = self.ahead.take() {
            return Ok(Some(byte));
        }
        self.read += 1;
        self.bytes.next().transpose()
    }

    /// The next byte that says something.
    fn token(&mut self) -> std::io::Result<Option<u8>> {
        loop {
            match self.next()? {
                Some(byte) if byte.is_ascii_whitespace() => {}
                token => return Ok(token),
            }
        }
    }

    fn malformed(&self, what: &str) -> std::io::Error {
        std::io::Error::other(format!("Malformed JSON at byte {}: {what}", self.read))
    }

    /// The text of the next value.
    fn value(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            match (self.token()?, self.list) {
                (None, None | Some(Place::Behind)) => return Ok(None),
                (None, Some(_)) => return Err(self.malformed("unexpected end of data")),
                (Some(b'['), Some(Place::Before)) => self.list = Some(Place::AfterBracket),
                (Some(b','), Some(Place::AfterValue)) => self.list = Some(Place::AfterComma),
                (Some(b']'), Some(Place::AfterBracket | Place::AfterValue)) => self.list = Some(Place::Behind),
                (Some(first), None | Some(Place::AfterBracket | Place::AfterComma)) => {
                    self.list = self.list.map(|_| Place::AfterValue);
                    return self.rest(first).map(Some);
                }
                (Some(byte), Some(_)) => {
                    return Err(self.malformed(&format!("unexpected `{}`", byte.escape_ascii())));
                }
            }
        }
    }

    /// The text of a value that begins with a byte. Whether it is right is found when it is read.
    fn rest(&mut self, first: u8) -> std::io::Result<Vec<u8>> {
        let mut text = vec![first];
        if !matches!(first, b'{' | b'[' | b'"') {
            while let Some(byte) = self.next()? {
                if byte.is_ascii_whitespace() || matches!(byte, b',' | b']' | b'}' | b'{' | b'[' | b'"') {
                    self.ahead = Some(byte);
                    break;
                }
                text.push(byte);
            }
            return Ok(text);
        }
        let (mut depth, mut in_text) = (u32::from(first != b'"'), first == b'"');
        while depth > 0 || in_text {
            let byte = self.next()?.ok_or_else(|| self.malformed("unexpected end of data"))?;
            text.push(byte);
            match byte {
                b'\\' if in_text => text.extend(self.next()?),
                b'"' => in_text = !in_text,
                b'{' | b'[' if !in_text => depth += 1,
                b'}' | b']' if !in_text => depth -= 1,
                _ => {}
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Wanted, records};

    /// What a file has: a record, `bad` with its text, or the reason why the file is bad.
    fn read(text: &str) -> Vec<String> {
        let wanted = Wanted { names: &[], whole: true, objects: true };
        let shown = |found: Result<Found, String>| match found {
            Ok(Found::Good { record, .. }) => record.unwrap_or_default(),
            Ok(Found::Bad { raw, .. }) => format!("bad {raw}"),
            Err(reason) => format!("file {reason}"),
        };
        records(text.as_bytes(), false, wanted).map(shown).collect()
    }

    #[test]
    fn the_first_line_tells_how_a_file_is_written() {
        assert_eq!(read("\u{feff}{\"a\":1}\n\n{\"b\":\r\n[3]\n{}"), ["{\"a\":1}", "bad {\"b\":", "bad [3]", "{}"]);
        assert_eq!(read("[{\"a\": \"]\\\"\"},\n {}]\n"), ["{\"a\": \"]\\\"\"}", "{}"]);
        assert_eq!(read("{\n\"a\": 1}\n{}{\"b\": 2}"), ["{\n\"a\": 1}", "{}", "{\"b\": 2}"]);
        assert_eq!(read("[1]\n[2]\n"), ["bad [1]", "bad [2]"]);
        assert_eq!(read("[1]\n"), ["bad 1"]);
        assert_eq!(read(" \n[]"), Vec::<String>::new());
    }

    #[test]
    fn a_record_is_refused_whether_its_fields_are_wanted_or_not() {
        let names = ["b".to_string()];
        for text in
            [r#"{"a":"\ud83d"}"#, r#"{"a":1e999}"#, &format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200))]
        {
            for names in [&names[..], &[]] {
                let wanted = Wanted { names, whole: false, objects: true };
                let found = records(text.as_bytes(), true, wanted).next();
                assert!(matches!(found, Some(Ok(Found::Bad { .. }))), "{text}");
            }
        }
    }

    #[test]
    fn what_is_wrong_inside_of_a_list_makes_the_file_bad() {
        let last = |text: &str| read(text).pop().unwrap_or_default();
        assert_eq!(last("[{\"id\": 7}, {\"id\":"), "file Malformed JSON at byte 19: unexpected end of data");
        assert_eq!(last("[{} {}]"), "file Malformed JSON at byte 5: unexpected `{`");
        assert!(last("[{}, {\"a\": tru}]").starts_with("file Malformed JSON at line 1, column 10: expected ident"));
        assert_eq!(last("[{}] more"), "file Malformed JSON at byte 6: unexpected `m`");
    }
}
