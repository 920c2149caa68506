//! Turns nodes of a Manifest into SQL: templates rendered, ephemeral models inlined, every name a relation.

pub mod context;
pub mod host;
pub mod inline;
pub mod session;

use crate::adapter::relation::Relation;
use crate::jinja::SourceMap;

/// A node as the SQL that will run.
#[derive(Debug, Clone)]
pub struct CompiledNode {
    /// The node's unique id.
    pub node: String,
    pub relation: Relation,
    /// With ephemeral models inlined.
    pub sql: String,
    /// From the text before inlining to the template.
    pub map: SourceMap,
    /// By how many bytes inlining has shifted the text, and where it was put in.
    pub inlined: Option<Inlined>,
    /// The ephemeral models that were inlined, in order: unique id and the text of the expression.
    pub ctes: Vec<(String, String)>,
}

/// Text that was put into the SQL of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inlined {
    pub at: usize,
    pub length: usize,
}
