//! Corrects a query word by word, so that the engine goes on to the next mistake, and keeps the places of the original.

use std::ops::Range;

/// A query with some of its words replaced.
#[derive(Debug, Clone)]
pub struct Patched {
    pub text: String,
    /// Start in `text`, length there, length in the original; in order.
    edits: Vec<(usize, usize, usize)>,
}

impl Patched {
    pub fn new(text: &str) -> Patched {
        Patched { text: text.to_string(), edits: Vec::new() }
    }

    /// The place in the original of a byte of the text.
    pub fn origin(&self, at: usize) -> usize {
        let mut shift = 0_isize;
        for (start, length, original) in &self.edits {
            if at < *start {
                break;
            }
            if at < start + length {
                return (*start as isize + shift) as usize;
            }
            shift += *original as isize - *length as isize;
        }
        (at as isize + shift) as usize
    }

    /// Replaces the first occurrence of a word from a place on. False if there is none nearby.
    pub fn replace(&mut self, from: usize, word: &str, by: &str) -> bool {
        let Some(at) = self.nearby(from, word) else { return false };
        self.put(at..at + word.len(), by);
        true
    }

    /// Puts null in the place of a column, with what stands before its dots. False if it is not nearby.
    pub fn blank_column(&mut self, from: usize, name: &str) -> bool {
        let Some(at) = self.nearby(from, name) else { return false };
        let quoted = |at: usize, end: usize| self.text[..at].ends_with('"') && self.text[end..].starts_with('"');
        let wide = usize::from(quoted(at, at + name.len()));
        let (mut start, end) = (at - wide, at + name.len() + wide);
        while let Some(before) = self.text[..start].strip_suffix('.') {
            let name = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
            start = name.len();
        }
        self.put(start..end, "null");
        true
    }

    /// Puts null in the place of a call. False if no call of the function is nearby.
    pub fn blank_call(&mut self, from: usize, function: &str) -> bool {
        let Some(at) = self.nearby(from, function) else { return false };
        let Some(length) = call_length(&self.text[at + function.len()..]) else { return false };
        self.put(at..at + function.len() + length, "null");
        true
    }

    fn nearby(&self, from: usize, word: &str) -> Option<usize> {
        find_word(&self.text, from, word).filter(|at| at - from <= word.len() + 200)
    }

    fn put(&mut self, range: Range<usize>, by: &str) {
        let original = self.origin(range.end) - self.origin(range.start);
        let grown = by.len() as isize - range.len() as isize;
        self.edits.retain(|(start, ..)| !range.contains(start));
        for edit in self.edits.iter_mut().filter(|edit| edit.0 >= range.end) {
            edit.0 = (edit.0 as isize + grown) as usize;
        }
        self.edits.push((range.start, by.len(), original));
        self.edits.sort_unstable();
        self.text.replace_range(range, by);
    }
}

/// The length of the list of arguments that a text begins with.
fn call_length(text: &str) -> Option<usize> {
    let mut depth = 0;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 1 => return Some(at + 1),
            (None, ')') => depth -= 1,
            (None, c) if depth == 0 && !c.is_whitespace() => return None,
            _ => {}
        }
    }
    None
}

/// The first place from an offset on where a word stands as a whole word, whatever its case.
pub fn find_word(text: &str, from: usize, word: &str) -> Option<usize> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let (bytes, wanted) = (text.as_bytes(), word.as_bytes());
    if wanted.is_empty() {
        return None;
    }
    (from..=bytes.len().checked_sub(wanted.len())?).find(|at| {
        let end = at + wanted.len();
        bytes[*at].eq_ignore_ascii_case(&wanted[0])
            && bytes[*at..end].eq_ignore_ascii_case(wanted)
            && (*at == 0 || !is_part(bytes[at - 1]))
            && bytes.get(end).is_none_or(|next| !is_part(*next))
    })
}

/// The only place of a word; none if it stands there twice, or not at all.
pub fn only_word(text: &str, word: &str) -> Option<usize> {
    let first = find_word(text, 0, word)?;
    find_word(text, first + word.len(), word).is_none().then_some(first)
}

/// The parts of a name at the beginning of a text.
pub fn name_parts(mut text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    loop {
        let end = match text.strip_prefix('"') {
            Some(quoted) => {
                let Some(end) = quoted.find('"') else { break };
                parts.push(quoted[..end].to_string());
                end + 2
            }
            None => {
                let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
                if end == 0 {
                    break;
                }
                parts.push(text[..end].to_string());
                end
            }
        };
        match text[end..].strip_prefix('.') {
            Some(rest) => text = rest,
            None => break,
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::{Patched, only_word};

    #[test]
    fn places_behind_a_correction_are_those_of_the_original() {
        let mut patched = Patched::new("select amout, statuses from t");
        assert!(patched.replace(7, "amout", "\"amount\""));
        assert!(patched.replace(17, "statuses", "s"));
        assert_eq!(patched.text, "select \"amount\", s from t");
        assert_eq!(patched.origin(patched.text.find("from").unwrap()), 23);
        assert_eq!(patched.origin(17), 14);
        assert_eq!(patched.origin(3), 3);
    }

    #[test]
    fn what_nobody_knows_is_blanked_as_a_whole() {
        let mut patched = Patched::new("select amout, rnd(amout, ')') + s.\"gone\", x from t");
        assert!(patched.replace(18, "amout", "\"amount\""));
        assert!(patched.blank_call(14, "rnd"));
        assert!(patched.blank_column(21, "gone"));
        assert_eq!(patched.text, "select amout, null + null, x from t");
        assert_eq!(patched.origin(patched.text.find("x from").unwrap()), 42);
        assert!(!patched.blank_call(0, "amout"));
    }

    #[test]
    fn a_word_that_stands_there_twice_has_no_place() {
        assert_eq!(only_word("a b a_b", "b"), Some(2));
        assert_eq!(only_word("a b a", "a"), None);
    }
}
