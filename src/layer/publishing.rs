//! How a model becomes what is read: whether it is tested before, and what it may not lose.

use serde_json::Value as Json;

use crate::manifest::{Kind, Node};
use crate::project::layers::{Layers, Publishing, medal_key};

/// The materializations that medal publishes: what they build replaces what was there, as a whole.
const PUBLISHED: [&str; 3] = ["table", "view", "incremental"];

/// How a node is published: its layer's way, with what its own configuration says. None for what is built in place, as
/// dbt does it: everything without a layer, and everything in a project whose layers are not switched on.
pub fn publishing(node: &Node, layers: &Layers) -> Option<Publishing> {
    let is_published = matches!(node.kind, Kind::Model) && PUBLISHED.contains(&node.materialized());
    let layer = layers.layers.get(node.layer.as_deref()?).filter(|_| is_published && layers.enforced)?;
    let own = |key: &str| medal_key(node.config.written(), key);
    let word = |key: &str| own(key).and_then(Json::as_str);
    let Publishing { audited, together, max_shrink, keep } = layer.publishing;
    let count = |value: &Json| value.as_u64().and_then(|count| usize::try_from(count).ok());
    Some(Publishing {
        audited: word("publish").map_or(audited, |word| word == "audited"),
        together: word("publish_group").map_or(together, |word| word == "together"),
        max_shrink: own("max_shrink").and_then(Json::as_f64).or(max_shrink),
        keep: own("keep_generations").and_then(count).or(keep),
    })
}
