//! What an earlier run tells of the nodes, as far as a selection asks: what has changed, how they ended.

use std::collections::{BTreeMap, BTreeSet};

/// What `--state` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// None without a manifest.
    pub changes: Option<Changes>,
    /// Status by unique id; none without run results.
    pub results: Option<BTreeMap<String, String>>,
    /// Sources that have been loaded since; none unless their freshness was looked up both times.
    pub fresher: Option<BTreeSet<String>>,
}

/// How each node differs from that of the same unique id in another manifest. Equal nodes are not in it.
pub type Changes = BTreeMap<String, BTreeSet<Change>>;

/// A way to differ. Source of the rules: <https://docs.getdbt.com/reference/node-selection/state-comparison-caveats>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// There was no such node.
    New,
    /// Any change by which dbt counts a node as modified.
    Content,
    Body,
    Configs,
    PersistedDescriptions,
    Relation,
    Macros,
    Contract,
}
