//! Maps and sets that keep the order in which they were filled. Their hash is quick for the short texts that name things
//! here, and has another seed in each process. The maps
//! that minijinja looks into are its own.

use foldhash::fast::RandomState;

pub type IndexMap<K, V> = indexmap::IndexMap<K, V, RandomState>;
pub type IndexSet<T> = indexmap::IndexSet<T, RandomState>;
