//! What a project does to a warehouse, one behaviour a test, on small projects that are written in place.

mod artifacts;
mod catalog;
mod check;
mod configuration;
mod data_tests;
mod external;
mod freshness;
mod governance;
mod hooks;
mod logs;
mod macros;
mod materializations;
mod microbatch;
mod packages;
mod publish;
mod quality;
mod sample;
mod seeds;
mod semantic;
mod selection;
mod site;
mod unit_tests;
mod snapshots;
mod state;
mod warnings;
mod workflow;
