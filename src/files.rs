//! Turns folders on disk into ProjectFiles: texts with ids, in a fixed order. The only reader of the project's disk.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use serde::{Deserialize, Serialize};

use crate::parallel;

/// A text of the project, by number. Valid for the `ProjectFiles` that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A range of bytes in one file. Written down, it is without the file, whose number is another each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl From<(u32, u32)> for Span {
    fn from((start, end): (u32, u32)) -> Span {
        Span { file: FileId(0), start, end }
    }
}

impl From<Span> for (u32, u32) {
    fn from(span: Span) -> (u32, u32) {
        (span.start, span.end)
    }
}

impl Span {
    pub fn new(file: FileId, range: Range<usize>) -> Span {
        Span { file, start: clamp(range.start), end: clamp(range.end) }
    }

    /// The very start of a file: the place of a problem that concerns the file as a whole.
    pub fn start_of(file: FileId) -> Span {
        Span { file, start: 0, end: 0 }
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

fn clamp(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// A text and where it came from.
#[derive(Clone)]
pub struct SourceFile {
    /// Path as shown to the user: relative to the project's root, with forward slashes.
    pub path: Arc<str>,
    /// Text with `\n` line ends and without a byte order mark.
    pub text: Arc<str>,
}

impl SourceFile {
    /// Line and column of a byte offset, both counted from 1; columns count characters.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = floor_char_boundary(&self.text, offset);
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Why a file could not be read as text.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("cannot read `{path}`: {source}")]
    Io { path: String, source: std::io::Error },
    #[error("`{path}` is not UTF-8 text (first bad byte at offset {offset})")]
    NotUtf8 { path: String, offset: usize },
    #[error("`{path}` has {bytes} bytes, more than the limit of {limit}")]
    TooLarge { path: String, bytes: u64, limit: u64 },
}

/// The largest project file (model, macro, YAML) that is read into memory. Seeds are streamed, not read.
pub const MAX_TEXT_BYTES: u64 = 16 * 1024 * 1024;

/// Room behind a text, so that one look finds its end.
const ROOM: usize = 64;

/// All texts that medal has read in one invocation. Files are only added, never changed.
#[derive(Default)]
pub struct ProjectFiles {
    root: PathBuf,
    files: RwLock<Vec<SourceFile>>,
}

impl ProjectFiles {
    pub fn new(root: impl Into<PathBuf>) -> ProjectFiles {
        ProjectFiles { root: root.into(), files: RwLock::default() }
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Adds a text that is not on disk (a built-in template, `--inline`).
    pub fn add(&self, path: &str, text: &str) -> FileId {
        self.add_shared(path, normalise(text).as_ref().into())
    }

    /// Adds a text that medal has made itself and that somebody else holds too.
    pub fn add_shared(&self, path: &str, text: Arc<str>) -> FileId {
        let mut files = self.files.write().expect("no writer panics while it holds the lock");
        files.push(SourceFile { path: path.into(), text });
        FileId(clamp(files.len() - 1))
    }

    /// Reads a text file; Windows line ends become `\n` and a byte order mark is dropped, as Jinja2 does.
    pub fn read(&self, path: &Path) -> Result<FileId, ReadError> {
        self.read_as(path, &self.shown(path))
    }

    /// Reads text files on all cores. They get their numbers in the order of the list.
    pub fn read_all(&self, paths: &[&Path]) -> Vec<Result<FileId, ReadError>> {
        let texts = parallel::map(paths, |path| {
            let shown = self.shown(path);
            read_text(path, &shown).map(|text| (normalise(&text).as_ref().into(), shown))
        });
        let add = |(text, shown): (Arc<str>, String)| self.add_shared(&shown, text);
        texts.into_iter().map(|read| read.map(add)).collect()
    }

    /// Reads a text file that is shown under another path than its own.
    pub fn read_as(&self, path: &Path, shown: &str) -> Result<FileId, ReadError> {
        Ok(self.add(shown, &read_text(path, shown)?))
    }

    /// A path relative to the project's root, with forward slashes.
    pub fn shown(&self, path: &Path) -> String {
        let path = path.strip_prefix(&self.root).unwrap_or(path);
        path.to_string_lossy().replace('\\', "/")
    }

    pub fn get(&self, id: FileId) -> SourceFile {
        self.files.read().expect("no writer panics while it holds the lock")[id.0 as usize].clone()
    }
}

impl fmt::Debug for ProjectFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProjectFiles").field("root", &self.root).finish_non_exhaustive()
    }
}

fn read_text(path: &Path, shown: &str) -> Result<String, ReadError> {
    let io = |source| ReadError::Io { path: shown.to_string(), source };
    let mut file = File::open(path).map_err(io)?;
    let bytes = file.metadata().map_err(io)?.len();
    let mut read = Vec::with_capacity(usize::try_from(bytes.min(MAX_TEXT_BYTES)).unwrap_or_default() + ROOM);
    if bytes <= MAX_TEXT_BYTES {
        file.by_ref().take(MAX_TEXT_BYTES + 1).read_to_end(&mut read).map_err(io)?;
    }
    let bytes = bytes.max(read.len() as u64);
    if bytes > MAX_TEXT_BYTES {
        return Err(ReadError::TooLarge { path: shown.to_string(), bytes, limit: MAX_TEXT_BYTES });
    }
    String::from_utf8(read)
        .map_err(|error| ReadError::NotUtf8 { path: shown.to_string(), offset: error.utf8_error().valid_up_to() })
}

fn normalise(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match text.contains('\r') {
        true => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")),
        false => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::ProjectFiles;

    #[test]
    fn a_byte_order_mark_and_windows_line_ends_are_dropped() {
        let files = ProjectFiles::new("/p");
        let id = files.add("a.sql", "\u{feff}select 1\r\nfrom é\r\n");
        let file = files.get(id);
        assert_eq!(&*file.text, "select 1\nfrom é\n");
        assert_eq!(file.line_column(16), (2, 7));
    }
}
