//! Turns a list into a list of results on all cores, in the order of the list.

use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many items a worker takes at a time at most: small enough to share the work, large enough to cost nothing.
const CHUNK: usize = 32;

/// Of few items, each worker takes so many times a part.
const PARTS: usize = 4;

/// Applies a function to every item. The result does not depend on the number of cores.
pub fn map<T: Sync, R: Send>(items: &[T], function: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let chunk = (items.len() / (PARTS * cores())).clamp(1, CHUNK);
    let workers = cores().min(items.len().div_ceil(chunk));
    if workers <= 1 {
        return items.iter().map(function).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut parts: Vec<(usize, Vec<R>)> = Vec::new();
        loop {
            let start = next.fetch_add(chunk, Ordering::Relaxed);
            match items.get(start..items.len().min(start + chunk)).filter(|part| !part.is_empty()) {
                Some(part) => parts.push((start, part.iter().map(&function).collect())),
                None => return parts,
            }
        }
    };
    let mut parts = std::thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut parts = work();
        for other in others {
            parts.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        parts
    });
    parts.sort_by_key(|(start, _)| *start);
    parts.into_iter().flat_map(|(_, results)| results).collect()
}

/// The system reads files to tell, so it is asked once.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, |cores| cores.get()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(super::map(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
    }
}
