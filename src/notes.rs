//! Turns what a command found out into lines of a file that later commands may believe: a key, and a value in JSON. They
//! may be lost at any time; a line that is not whole is none.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard};

use crate::map::IndexMap;
use foldhash::quality::FixedState;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::hash::sha256;

/// What is known from earlier, and what was learnt since. All threads may use it.
pub struct Notes {
    /// Of whom the lines may be believed: another writer, or another state of the world, has others.
    stamp: String,
    earlier: LazyLock<Earlier, Box<dyn FnOnce() -> Earlier + Send>>,
    learnt: Mutex<Learnt>,
    /// What is to be done when something new is learnt.
    then: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

/// The lines of a file.
#[derive(Debug, Default)]
struct Earlier {
    text: String,
    lines: IndexMap<String, Line>,
}

#[derive(Debug, Default)]
struct Learnt {
    values: BTreeMap<String, String>,
    /// Keys of what `news` has not given yet.
    unwritten: BTreeSet<String>,
    /// The file holds all that is known but what is unwritten.
    is_written: bool,
}

#[derive(Debug)]
struct Line {
    sum: Range<usize>,
    value: Range<usize>,
    is_used: AtomicBool,
}

/// So many lines that nobody has asked for are carried on, so that a command about a few nodes does not forget the others.
const CARRIED: usize = 50_000;

/// Hexadecimal digits of a digest: 128 bits.
const DIGITS: usize = 32;

/// A digest that two different texts do not share.
pub fn digest(text: &str) -> String {
    let mut digest = sha256(text);
    digest.truncate(DIGITS);
    digest
}

/// How what is new gets into the file.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// Lines to put at its end.
    More(String),
    /// All of it.
    All(String),
}

impl Earlier {
    fn read(text: String, stamp: &str) -> Earlier {
        let mut known = IndexMap::default();
        let mut lines = text.split_inclusive('\n');
        let mut at = lines.next().unwrap_or_default().len();
        if text[..at].trim_end() == digest(stamp) {
            for line in lines {
                // Without its end, the last one is not whole.
                if let Some((key, sum, value)) = line.strip_suffix('\n').and_then(parts) {
                    let value = at + value..at + line.len() - 1;
                    let line = Line { sum: at..at + sum, value, is_used: AtomicBool::new(false) };
                    known.insert(key.to_string(), line);
                }
                at += line.len();
            }
        }
        Earlier { text, lines: known }
    }
}

impl Default for Notes {
    fn default() -> Notes {
        Notes::read(String::new(), "")
    }
}

impl Notes {
    /// Takes up what earlier commands with the same stamp have written.
    pub fn read(text: String, stamp: &str) -> Notes {
        let owned = stamp.to_string();
        Notes::of(stamp, Box::new(move || Earlier::read(text, &owned)))
    }

    /// Takes up what a file holds, which is read beside other work.
    pub fn reading(text: impl FnOnce() -> String + Send + 'static, stamp: &str) -> Notes {
        let owned = stamp.to_string();
        let reader = std::thread::spawn(move || Earlier::read(text(), &owned));
        Notes::of(stamp, Box::new(move || reader.join().unwrap_or_default()))
    }

    fn of(stamp: &str, earlier: Box<dyn FnOnce() -> Earlier + Send>) -> Notes {
        Notes {
            stamp: stamp.to_string(),
            earlier: LazyLock::new(earlier),
            learnt: Mutex::default(),
            then: Mutex::default(),
        }
    }

    /// Does something as soon as something new is learnt, once.
    pub fn when_new(&self, then: impl FnOnce() + Send + 'static) {
        *lock(&self.then) = Some(Box::new(then));
    }

    /// What was written down for a key.
    pub fn find<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let new = self.learnt().values.get(key).cloned();
        if let Some(value) = new {
            return serde_json::from_str(&value).ok();
        }
        let line = self.earlier.lines.get(key)?;
        let value = &self.earlier.text[line.value.clone()];
        let is_whole = self.earlier.text[line.sum.clone()] == self.sum(key, value);
        let found = is_whole.then(|| serde_json::from_str(value).ok()).flatten()?;
        line.is_used.store(true, Ordering::Relaxed);
        Some(found)
    }

    /// Writes something down for a key, in the place of what was there.
    pub fn keep(&self, key: &str, value: &impl Serialize) {
        if let Ok(value) = serde_json::to_string(value) {
            let mut learnt = self.learnt();
            learnt.values.insert(key.to_string(), value);
            learnt.unwritten.insert(key.to_string());
            drop(learnt);
            if let Some(then) = lock(&self.then).take() {
                then();
            }
        }
    }

    /// What is to be written, if there is anything new since it was asked for last. What holds a secret stays out.
    pub fn news(&self, holds_secret: impl Fn(&str) -> bool) -> Option<News> {
        let mut learnt = self.learnt();
        let mut lines = String::new();
        for key in std::mem::take(&mut learnt.unwritten) {
            let value = &learnt.values[&key];
            if !holds_secret(value) {
                lines.extend([&self.sum(&key, value), "\t", &key, "\t", value, "\n"]);
            }
        }
        if lines.is_empty() {
            return None;
        }
        // Lines that were replaced stay in the file until they are half of it.
        let Earlier { text: file, lines: earlier } = &*self.earlier;
        let believed: usize = earlier.values().map(|line| line.value.end - line.sum.start).sum();
        let is_tidy = file.ends_with('\n') && believed + lines.len() > file.len() / 2;
        if learnt.is_written || !earlier.is_empty() && is_tidy {
            return Some(News::More(lines));
        }
        learnt.is_written = true;
        let unused = earlier.values().filter(|line| !line.is_used.load(Ordering::Relaxed)).count();
        let mut text = digest(&self.stamp);
        text.push('\n');
        for (key, line) in earlier {
            if !learnt.values.contains_key(key) && (unused <= CARRIED || line.is_used.load(Ordering::Relaxed)) {
                text.push_str(&file[line.sum.start..=line.value.end]);
            }
        }
        Some(News::All(text + &lines))
    }

    /// Tells a line that is whole from one that is not. With the stamp: several writers may add to one file.
    fn sum(&self, key: &str, value: &str) -> String {
        format!("{:016x}", FixedState::default().hash_one((&self.stamp, key, value)))
    }

    fn learnt(&self) -> MutexGuard<'_, Learnt> {
        lock(&self.learnt)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The key of a line, and where its sum ends and its value begins.
fn parts(line: &str) -> Option<(&str, usize, usize)> {
    let (sum, rest) = line.split_once('\t')?;
    let (key, _) = rest.split_once('\t')?;
    Some((key, sum.len(), sum.len() + key.len() + 2))
}

#[cfg(test)]
mod tests {
    use super::{News, Notes};

    fn written() -> String {
        let notes = Notes::read(String::new(), "me");
        notes.keep("a", &vec![1, 2]);
        notes.keep("b", &"x\n\ty");
        with(String::new(), &notes)
    }

    /// The file after what is new is written.
    fn with(text: String, notes: &Notes) -> String {
        match notes.news(|_| false).unwrap() {
            News::More(lines) => text + &lines,
            News::All(text) => text,
        }
    }

    #[test]
    fn what_is_kept_is_found_again_and_is_no_news() {
        let notes = Notes::read(written(), "me");
        assert_eq!(notes.find::<Vec<i32>>("a"), Some(vec![1, 2]));
        assert_eq!(notes.find::<String>("b").as_deref(), Some("x\n\ty"));
        assert_eq!(notes.news(|_| false), None);
    }

    #[test]
    fn what_is_new_replaces_one_line_and_the_file_does_not_grow_for_ever() {
        let mut text = written();
        for number in 0..100 {
            let notes = Notes::read(text.clone(), "me");
            notes.keep("a", &number);
            text = with(text, &notes);
            let notes = Notes::read(text.clone(), "me");
            assert_eq!((notes.find::<i32>("a"), notes.find::<String>("b").is_some()), (Some(number), true));
            assert!(text.len() < 500, "{text}");
        }
    }

    #[test]
    fn a_changed_letter_makes_a_line_nothing() {
        let notes = Notes::read(written().replace("[1,2]", "[1,3]"), "me");
        assert_eq!((notes.find::<Vec<i32>>("a"), notes.find::<String>("b").is_some()), (None, true));
        for end in 0..written().len() {
            Notes::read(written()[..end].to_string(), "me").find::<String>("b");
        }
    }

    #[test]
    fn what_is_learnt_later_is_written_once() {
        let notes = Notes::read(String::new(), "me");
        notes.keep("a", &1);
        let text = with(String::new(), &notes);
        assert_eq!((notes.find("a"), notes.news(|_| false)), (Some(1), None));
        notes.keep("b", &2);
        let notes = Notes::read(with(text, &notes), "me");
        assert_eq!((notes.find("a"), notes.find("b")), (Some(1), Some(2)));
    }

    #[test]
    fn lines_of_another_are_not_believed() {
        assert_eq!(Notes::read(written(), "other").find::<Vec<i32>>("a"), None);
    }

    #[test]
    fn what_holds_a_secret_is_not_written() {
        let notes = Notes::read(String::new(), "me");
        notes.keep("a", &"hush");
        assert_eq!(notes.news(|value| value.contains("hush")), None);
    }
}
