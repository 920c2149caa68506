//! Turns a list into a list of results on all cores, in the order of the list.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, mpsc};

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
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let sender = sender.clone();
            let (next, function) = (&next, &function);
            scope.spawn(move || {
                loop {
                    let start = next.fetch_add(chunk, Ordering::Relaxed);
                    let Some(part) = items.get(start..items.len().min(start + chunk)).filter(|p| !p.is_empty()) else {
                        break;
                    };
                    let results: Vec<R> = part.iter().map(function).collect();
                    if sender.send((start, results)).is_err() {
                        break;
                    }
                }
            });
        }
    });
    drop(sender);
    let mut parts: Vec<(usize, Vec<R>)> = receiver.into_iter().collect();
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
