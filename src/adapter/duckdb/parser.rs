//! Turns a text into the number of statements that DuckDB's own parser sees in it.

use std::ffi::{CStr, CString};
use std::ptr;

use duckdb::ffi;

/// A connection of its own to an empty database in memory: the crate does not lend the handle of its connections.
pub struct Parser {
    database: ffi::duckdb_database,
    connection: ffi::duckdb_connection,
}

// SAFETY: the handles belong to this value alone and DuckDB does not tie them to a thread.
unsafe impl Send for Parser {}

impl Parser {
    pub fn new() -> Option<Parser> {
        let mut parser = Parser { database: ptr::null_mut(), connection: ptr::null_mut() };
        // SAFETY: the first two calls only write to the handles that they are given, and a null path means memory.
        // If one fails its handle stays null, which `drop` hands back to DuckDB, and DuckDB ignores null. The query
        // has no result that we would have to free.
        let opened = unsafe {
            ffi::duckdb_open(ptr::null(), &mut parser.database) == ffi::DuckDBSuccess
                && ffi::duckdb_connect(parser.database, &mut parser.connection) == ffi::DuckDBSuccess
                && ffi::duckdb_query(parser.connection, c"set errors_as_json = true".as_ptr(), ptr::null_mut())
                    == ffi::DuckDBSuccess
        };
        opened.then_some(parser)
    }

    /// The number of statements, or what the parser has to say against the text.
    pub fn count(&mut self, sql: &CString) -> Result<usize, String> {
        let mut extracted = ptr::null_mut();
        // SAFETY: the connection is open and the text ends with a null. The error text is copied before
        // `extracted`, which owns it, is freed, exactly once.
        unsafe {
            let count = ffi::duckdb_extract_statements(self.connection, sql.as_ptr(), &mut extracted);
            let said = ffi::duckdb_extract_statements_error(extracted);
            let said = (count == 0 && !said.is_null()).then(|| CStr::from_ptr(said).to_string_lossy().into_owned());
            ffi::duckdb_destroy_extracted(&mut extracted);
            said.map_or(Ok(count as usize), Err)
        }
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        // SAFETY: nothing else has these handles, and each is freed once.
        unsafe {
            ffi::duckdb_disconnect(&mut self.connection);
            ffi::duckdb_close(&mut self.database);
        }
    }
}
