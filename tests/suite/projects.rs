//! What a project does to a warehouse, one behaviour a test, on small projects that are written in place.

mod artifacts;
mod configuration;
mod data_tests;
mod governance;
mod macros;
mod materializations;
mod seeds;
mod selection;
mod snapshots;
mod workflow;
