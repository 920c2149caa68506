//! The objects that templates see: relations, columns, query results, ranges and sets.

pub mod column;
pub mod relation;
pub mod runtime;
pub mod table;
pub mod view;
