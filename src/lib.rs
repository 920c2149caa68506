//! medal turns a project of SQL `select`s with Jinja and YAML into a tested warehouse.
//!
//! ```text
//! ProjectFiles ─parse→ Project ─resolve→ Manifest ─compile→ CompiledNode ─plan→ Plan ─run→ RunResults
//!  text + spans       as written        names bound,       SQL of one       ordered     one outcome
//!                                       graph acyclic      node             steps       a node
//! ```
//! Each phase has a type of its own and never changes the one before. A phase does not fail on the user's mistakes: it
//! pushes diagnostics into a sink and goes on, so that all of them are reported at once.
//!
//! The modules stand in layer order: each uses only those before it, which a test checks.

pub mod parallel;
pub mod map;
pub mod files;
pub mod hash;
pub mod notes;
pub mod diagnostic;
pub mod yaml;
pub mod sql;
pub mod adapter;
pub mod jinja;
pub mod project;
pub mod deps;
pub mod manifest;
pub mod layer;
pub mod compile;
pub mod check;
pub mod lineage;
pub mod impact;
pub mod plan;
pub mod run;
pub mod artifact;
pub mod site;
pub mod cli;
