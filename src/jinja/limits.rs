//! What a template may use: steps, depth, text, entries. Beyond that a render ends with an error.

use minijinja::{Error, ErrorKind};

use crate::jinja::error;

/// Steps of the engine in one render: well under two seconds of an endless loop.
pub const FUEL: u64 = 10_000_000;

/// Nested calls; one macro call costs about four.
pub const RECURSION: usize = 2_000;

/// Texts that `render(…)` may render inside of each other.
pub const NESTING: usize = 10;

/// Bytes of one rendered template.
pub const OUTPUT: usize = 256 * 1024 * 1024;

/// Bytes of one text in a variable.
pub const TEXT: usize = 64 * 1024 * 1024;

/// Entries of one list or dict.
pub const LENGTH: usize = 10_000_000;

/// Entries that all additions of lists of one render may copy.
pub const COPIES: usize = 50_000_000;

/// Bytes of text that all calls of one render may make together: in a loop, a large text adds up.
pub const WORK: usize = 8 * 1024 * 1024 * 1024;

/// Bytes that one render may put out, into its text or into values. A text that macros hand up counts once for each.
pub const EMITTED: usize = 1024 * 1024 * 1024;

/// Bytes of all texts that a template may put into one list or dict.
pub const KEPT: usize = 1024 * 1024 * 1024;

/// Characters to which a text may be padded.
pub const WIDTH: usize = 1_000_000;

pub fn error(message: impl Into<String>) -> Error {
    error::raise(crate::jinja::ErrorKind::Limit, message, None)
}

pub fn text(bytes: usize) -> Result<(), Error> {
    if bytes > TEXT { Err(error(format!("a text has more than {} MB", TEXT / 1024 / 1024))) } else { Ok(()) }
}

pub fn kept(bytes: usize) -> Result<(), Error> {
    if bytes > KEPT { Err(error("the texts in a list or dict are more than 1 GB")) } else { Ok(()) }
}

pub fn length(entries: usize) -> Result<(), Error> {
    if entries > LENGTH { Err(error(format!("a list has more than {LENGTH} entries"))) } else { Ok(()) }
}

pub fn width(width: usize) -> Result<usize, Error> {
    if width > WIDTH {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("a width of {width} is more than {WIDTH}")));
    }
    Ok(width)
}
