//! Turns a text into what DuckDB tells of it without running it, which the crate cannot ask for: the number of its
//! statements, and the columns that a query would give.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::Arc;

use duckdb::core::LogicalTypeId;
use duckdb::ffi;

use crate::adapter::duckdb::kind;
use crate::adapter::relation::Column;

/// A database in memory that is opened without the crate.
pub struct Database(ffi::duckdb_database);

// SAFETY: the handle belongs to this value alone, and DuckDB lets any thread connect to a database.
unsafe impl Send for Database {}
// SAFETY: as above.
unsafe impl Sync for Database {}

impl Database {
    /// Opens a database in memory, or tells what DuckDB has against the options.
    pub fn open(options: &[(&str, &str)]) -> Result<Database, String> {
        let mut database = Database(ptr::null_mut());
        let mut said: *mut c_char = ptr::null_mut();
        let mut config = ptr::null_mut();
        // SAFETY: the calls only write to the handles that they are given, which are freed once: the configuration
        // here, the database when it is dropped. A null path means memory. The error text is copied before it is
        // freed.
        unsafe {
            ffi::duckdb_create_config(&mut config);
            let refused = options.iter().find(|(name, value)| {
                let (Ok(name), Ok(value)) = (CString::new(*name), CString::new(*value)) else { return true };
                ffi::duckdb_set_config(config, name.as_ptr(), value.as_ptr()) != ffi::DuckDBSuccess
            });
            let opened = refused.is_none()
                && ffi::duckdb_open_ext(ptr::null(), &mut database.0, config, &mut said) == ffi::DuckDBSuccess;
            ffi::duckdb_destroy_config(&mut config);
            if opened {
                return Ok(database);
            }
            let message = match (refused, said.is_null()) {
                (Some((name, _)), _) => format!("the option `{name}` could not be set"),
                (None, true) => "a database in memory could not be opened".to_string(),
                (None, false) => CStr::from_ptr(said).to_string_lossy().into_owned(),
            };
            ffi::duckdb_free(said.cast());
            Err(message)
        }
    }

    /// A connection of the crate to the same database, which must not outlive it.
    pub fn connection(&self) -> duckdb::Result<duckdb::Connection> {
        // SAFETY: the handle is that of an open database.
        unsafe { duckdb::Connection::open_from_raw(self.0) }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: nothing else has this handle, and it is freed once. DuckDB ignores null.
        unsafe { ffi::duckdb_close(&mut self.0) }
    }
}

/// A connection that reads texts, and gives no rows back.
pub struct Reader {
    connection: ffi::duckdb_connection,
    /// Kept open as long as the connection.
    _database: Arc<Database>,
}

// SAFETY: the handle belongs to this value alone and DuckDB does not tie it to a thread.
unsafe impl Send for Reader {}

impl Reader {
    /// Connects, and runs the statements that set the connection up.
    pub fn new(database: Arc<Database>, setup: &[String]) -> Option<Reader> {
        let mut reader = Reader { connection: ptr::null_mut(), _database: database };
        // SAFETY: the database is open, and the call only writes to the handle.
        let connected = unsafe { ffi::duckdb_connect(reader._database.0, &mut reader.connection) };
        let mut run = |sql: &String| CString::new(sql.as_str()).is_ok_and(|sql| reader.run(&sql).is_ok());
        let ready = connected == ffi::DuckDBSuccess && setup.iter().all(&mut run);
        ready.then_some(reader)
    }

    /// Runs statements that give nothing back, or tells what is wrong with them.
    pub fn run(&mut self, sql: &CStr) -> Result<(), String> {
        // SAFETY: the connection is open and the text ends with a null; DuckDB fills the result, whose zeros are empty.
        // The error text is copied before the result, which owns it, is freed, exactly once.
        unsafe {
            let mut result = std::mem::zeroed();
            let state = ffi::duckdb_query(self.connection, sql.as_ptr(), &mut result);
            let said = (state != ffi::DuckDBSuccess).then(|| copied(ffi::duckdb_result_error(&mut result)));
            ffi::duckdb_destroy_result(&mut result);
            said.map_or(Ok(()), |said| Err(said.unwrap_or_default()))
        }
    }

    /// The number of statements, or what the parser has to say against the text.
    pub fn count(&mut self, sql: &CStr) -> Result<usize, String> {
        let mut extracted = ptr::null_mut();
        // SAFETY: the connection is open and the text ends with a null. The error text is copied before
        // `extracted`, which owns it, is freed, exactly once.
        unsafe {
            let count = ffi::duckdb_extract_statements(self.connection, sql.as_ptr(), &mut extracted);
            let said = (count == 0).then(|| copied(ffi::duckdb_extract_statements_error(extracted))).flatten();
            ffi::duckdb_destroy_extracted(&mut extracted);
            said.map_or(Ok(count as usize), Err)
        }
    }

    /// The columns that a query would give, or what the binder has to say against it. None if one of them has a type
    /// that takes more than a word to name: `describe` names it.
    pub fn columns(&mut self, sql: &CStr) -> Result<Option<Vec<Column>>, String> {
        let mut prepared = ptr::null_mut();
        // SAFETY: the connection is open and the text ends with a null. The error text is copied before `prepared`,
        // which owns it, is freed, exactly once, also if the text could not be prepared.
        unsafe {
            let state = ffi::duckdb_prepare(self.connection, sql.as_ptr(), &mut prepared);
            let found = match state == ffi::DuckDBSuccess {
                true => Ok((0..ffi::duckdb_prepared_statement_column_count(prepared))
                    .map(|index| column(prepared, index))
                    .collect()),
                false => Err(copied(ffi::duckdb_prepare_error(prepared)).unwrap_or_default()),
            };
            ffi::duckdb_destroy_prepare(&mut prepared);
            found
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // SAFETY: nothing else has this handle, and it is freed once. DuckDB ignores null.
        unsafe { ffi::duckdb_disconnect(&mut self.connection) }
    }
}

/// A text that DuckDB owns.
///
/// # Safety
/// It must be null or end with a null.
unsafe fn copied(text: *const c_char) -> Option<String> {
    // SAFETY: by the caller.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// One column of a prepared statement.
///
/// # Safety
/// The statement must be prepared, and have so many columns.
unsafe fn column(prepared: ffi::duckdb_prepared_statement, index: u64) -> Option<Column> {
    // SAFETY: by the caller; the name and the type are ours to free, once, after they are read.
    unsafe {
        let name = ffi::duckdb_prepared_statement_column_name(prepared, index);
        let copy = copied(name);
        ffi::duckdb_free(name.cast_mut().cast());
        let mut kind = ffi::duckdb_prepared_statement_column_logical_type(prepared, index);
        let alias = ffi::duckdb_logical_type_get_alias(kind);
        let data_type = match copied(alias) {
            Some(alias) => Some(alias),
            None => plain_name(kind),
        };
        ffi::duckdb_free(alias.cast());
        ffi::duckdb_destroy_logical_type(&mut kind);
        Some(Column { name: copy?, data_type: data_type? })
    }
}

/// The name of a type that is not made of others.
///
/// # Safety
/// The type must be valid.
unsafe fn plain_name(of: ffi::duckdb_logical_type) -> Option<String> {
    // SAFETY: by the caller.
    let id = LogicalTypeId::from(unsafe { ffi::duckdb_get_type_id(of) });
    match id {
        // SAFETY: the type is a decimal.
        LogicalTypeId::Decimal => {
            Some(unsafe { format!("DECIMAL({},{})", ffi::duckdb_decimal_width(of), ffi::duckdb_decimal_scale(of)) })
        }
        // In a table or view, what is never anything but null is a number.
        LogicalTypeId::SqlNull => Some("INTEGER".to_string()),
        id => kind::word(id),
    }
}
