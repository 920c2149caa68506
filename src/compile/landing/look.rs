//! Turns the files that an `ingest` model would read into the columns that it would make of them, before it runs: bad
//! records change nothing.
//!
//! The rules are those of `guessed_type`, `json_field_type` and `shape_landed` in `templates/macros/ingest.sql`.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use chrono::{NaiveDate, NaiveDateTime};
use csv::{ByteRecord, ReaderBuilder};
use serde_json::{Map, Value as Json};

use crate::adapter::relation::Column;
use crate::compile::landing::{is_remote, local, unpacked};
use crate::manifest::ingest::Ingest;
use crate::map::IndexMap;

/// So many records of a file are looked at, and so many files.
const RECORDS: usize = 20_480;
const FILES: usize = 100;

/// A list of records in JSON that is longer is left to the engine.
const LONGEST: u64 = 64 << 20;

/// Types by name; none where there was no value.
type Types = IndexMap<String, Option<&'static str>>;

/// The columns of the files on the disk that an `ingest` model reads; none where only an engine can tell.
pub fn columns(root: &Path, ingest: &Ingest) -> Option<Vec<Column>> {
    let is_text = ["csv", "json", "ndjson"].contains(&ingest.format.as_str());
    if !is_text || ingest.choices["schema_mode"] == "raw" || ingest.locations.iter().any(|it| is_remote(it)) {
        return None;
    }
    let mut files = Vec::new();
    for location in &ingest.locations {
        let found = local(root, location).ok()?;
        files.extend(found.iter().filter_map(|file| file["file"].as_str()).map(str::to_string));
    }
    files.sort();
    files.dedup();
    files.truncate(FILES);
    let types = if ingest.format == "csv" { csv(&files, ingest) } else { json(&files, ingest)? };
    let column =
        |(name, kind): (String, Option<&str>)| Column { name, data_type: kind.unwrap_or("VARCHAR").to_string() };
    (!types.is_empty()).then(|| types.into_iter().map(column).collect())
}

/// Files of one header are of one form, and forms with other types for a column meet in a wider one.
fn csv(files: &[String], ingest: &Ingest) -> Types {
    let mut forms: IndexMap<Vec<String>, Vec<Guess>> = IndexMap::default();
    for file in files {
        // What cannot be read tells nothing.
        let _ = csv_file(file, ingest, &mut forms);
    }
    let mut types = Types::default();
    for (names, guesses) in forms {
        for (name, guess) in names.into_iter().zip(guesses) {
            let known = types.keys().find(|known| known.eq_ignore_ascii_case(&name)).cloned();
            let known = types.entry(known.unwrap_or(name)).or_default();
            *known = match (*known, guess.kind()) {
                (Some(one), Some(other)) if one == other => Some(one),
                (Some("BIGINT" | "DOUBLE"), Some("BIGINT" | "DOUBLE")) => Some("DOUBLE"),
                (Some(_), Some(_)) => Some("VARCHAR"),
                (one, other) => one.or(other),
            };
        }
    }
    types
}

/// None if the file cannot be read to where a column could be told.
fn csv_file(file: &str, ingest: &Ingest, forms: &mut IndexMap<Vec<String>, Vec<Guess>>) -> Option<()> {
    let byte = |key: &str| ingest.csv.get(key).and_then(|text| text.bytes().next());
    let (quote, escape) = (byte("quote"), byte("escape"));
    let mut reader = ReaderBuilder::new();
    reader.has_headers(false).flexible(true).delimiter(byte("delim").unwrap_or(b',')).quoting(quote.is_some());
    reader.quote(quote.unwrap_or(b'"')).escape(escape.filter(|escape| Some(*escape) != quote));
    let mut reader = reader.from_reader(unpacked(file).ok()?);
    let mut record = ByteRecord::new();
    if !reader.read_byte_record(&mut record).ok()? {
        return None;
    }
    let name = |field: &[u8]| Some(std::str::from_utf8(field).ok()?.trim_start_matches('\u{feff}').to_string());
    let names = record.iter().map(name).collect::<Option<Vec<String>>>()?;
    let is_twice = |at: usize| names[..at].iter().any(|other| other.eq_ignore_ascii_case(&names[at]));
    if (0..names.len()).any(is_twice) {
        return None;
    }
    let count = names.len();
    let guesses = forms.entry(names).or_insert_with(|| vec![Guess::default(); count]);
    for _ in 0..RECORDS {
        if !reader.read_byte_record(&mut record).ok()? {
            break;
        }
        let fields = record.iter().map(|field| std::str::from_utf8(field).ok()).collect::<Option<Vec<&str>>>();
        // A record that is too short or too long, or no text, is set aside.
        let Some(fields) = fields.filter(|fields| fields.len() == count) else { continue };
        let null = ingest.csv.get("nullstr").map_or("", String::as_str);
        guesses.iter_mut().zip(fields).filter(|(_, field)| *field != null).for_each(|(guess, field)| guess.see(field));
    }
    Some(())
}

/// The types that all texts of a column so far can be read as.
#[derive(Clone, Default)]
struct Guess {
    is_seen: bool,
    /// By the places of `KINDS`.
    refuted: [bool; KINDS.len()],
}

type Fits = fn(&str) -> bool;

/// In the order in which they are chosen.
const KINDS: [(&str, Fits); 6] = [
    ("BIGINT", |text| is_whole(text) && text.trim_start_matches('-').len() <= 18),
    ("DOUBLE", |text| text.chars().count() < 17 && is_number(text)),
    ("BOOLEAN", |text| text == "true" || text == "false"),
    ("DATE", |text| text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()),
    ("TIMESTAMP", is_timestamp),
    ("TIMESTAMP WITH TIME ZONE", |text| without_zone(text).is_some_and(is_timestamp)),
];

impl Guess {
    fn see(&mut self, text: &str) {
        self.is_seen = true;
        for ((_, fits), refuted) in KINDS.iter().zip(&mut self.refuted).filter(|(_, refuted)| !**refuted) {
            *refuted = !fits(text);
        }
    }

    fn kind(&self) -> Option<&'static str> {
        let open = KINDS.iter().zip(self.refuted).find(|(_, refuted)| !refuted).map(|((kind, _), _)| *kind);
        self.is_seen.then(|| open.unwrap_or("VARCHAR"))
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Without zeros in front: `007` is no number.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    is_digits(digits) && (digits == "0" || !digits.starts_with('0'))
}

fn is_number(text: &str) -> bool {
    text.split_once('.').map_or_else(|| is_whole(text), |(whole, fraction)| is_whole(whole) && is_digits(fraction))
}

fn is_timestamp(text: &str) -> bool {
    let text = text.replacen('T', " ", 1);
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
    text.get(10..11) == Some(" ") && forms.iter().any(|form| NaiveDateTime::parse_from_str(&text, form).is_ok())
}

/// `…+01:00`, `…+0100`, `…+01` and `…Z` without their ends.
fn without_zone(text: &str) -> Option<&str> {
    if let Some(utc) = text.strip_suffix('Z') {
        return Some(utc);
    }
    let at = text.rfind(['+', '-']).filter(|at| *at > 10)?;
    let zone = text[at + 1..].replacen(':', "", 1);
    (is_digits(&zone) && [2, 4].contains(&zone.len())).then(|| &text[..at])
}

/// All files are of one form. None if a file is too long to be read as a whole.
fn json(files: &[String], ingest: &Ingest) -> Option<Types> {
    let mut found: IndexMap<String, Vec<&'static str>> = IndexMap::default();
    for file in files {
        let Ok(text) = unpacked(file) else { continue };
        let by_lines = ingest.format == "ndjson";
        let records = if by_lines { Some(lines(text)) } else { whole(text) };
        for (name, value) in records?.iter().flatten() {
            let kinds = found.entry(name.clone()).or_default();
            let kind = kind_of(value).filter(|kind| !kinds.contains(kind));
            kinds.extend(kind);
        }
    }
    let one = |kinds: Vec<&'static str>| match kinds.as_slice() {
        [] => None,
        [kind] => Some(*kind),
        ["BIGINT", "DOUBLE"] | ["DOUBLE", "BIGINT"] => Some("DOUBLE"),
        _ => Some("JSON"),
    };
    Some(found.into_iter().map(|(name, kinds)| (name, one(kinds))).collect())
}

/// The records of a file with one a line; a line that is no record is set aside.
fn lines(text: impl Read) -> Vec<Map<String, Json>> {
    let lines = BufReader::new(text).split(b'\n').take(RECORDS).map_while(Result::ok);
    lines.filter_map(|line| serde_json::from_slice(&line).ok()).collect()
}

/// The records of a list, or one after the other.
fn whole(text: impl Read) -> Option<Vec<Map<String, Json>>> {
    let mut all = Vec::new();
    text.take(LONGEST + 1).read_to_end(&mut all).ok().filter(|length| *length as u64 <= LONGEST)?;
    let values: Vec<Json> = match all.trim_ascii_start().starts_with(b"[") {
        true => serde_json::from_slice(&all).unwrap_or_default(),
        false => serde_json::Deserializer::from_slice(&all).into_iter().map_while(Result::ok).collect(),
    };
    let record = |value: Json| match value {
        Json::Object(record) => Some(record),
        _ => None,
    };
    Some(values.into_iter().take(RECORDS).filter_map(record).collect())
}

fn kind_of(value: &Json) -> Option<&'static str> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(_) => "BOOLEAN",
        Json::Number(number) if number.is_f64() => "DOUBLE",
        Json::Number(_) => "BIGINT",
        Json::String(_) => "VARCHAR",
        Json::Array(_) | Json::Object(_) => "JSON",
    })
}

#[cfg(test)]
mod tests {
    use super::Guess;

    #[test]
    fn texts_have_the_type_that_all_of_them_can_be_read_as() {
        let kind = |texts: &[&str]| {
            let mut guess = Guess::default();
            texts.iter().for_each(|text| guess.see(text));
            guess.kind()
        };
        assert_eq!(kind(&[]), None);
        assert_eq!(kind(&["1", "-20"]), Some("BIGINT"));
        assert_eq!(kind(&["1", "2.50"]), Some("DOUBLE"));
        assert_eq!(kind(&["1", "007"]), Some("VARCHAR"));
        assert_eq!(kind(&["true", "false"]), Some("BOOLEAN"));
        assert_eq!(kind(&["2024-02-29"]), Some("DATE"));
        assert_eq!(kind(&["2023-02-29"]), Some("VARCHAR"));
        assert_eq!(kind(&["2024-01-01T10:00:00", "2024-01-01 10:00:00.5"]), Some("TIMESTAMP"));
        assert_eq!(kind(&["2024-01-01T10:00:00Z", "2024-01-01 10:00:00+01:00"]), Some("TIMESTAMP WITH TIME ZONE"));
    }
}
