//! Turns a list into a list of results on all cores, in the order of the list.

use std::cell::Cell;

use rayon::prelude::*;

thread_local! {
    /// Whether this thread is at an item. A list in a list is not shared out: the cores are busy, and a thread that took
    /// another item of the outer list meanwhile could wait for a lock that it holds itself.
    static IS_BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Makes the calling thread one of those that work. To be called once, before anything is shared out.
pub fn take_part() {
    let _ = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
}

/// Does something beside other work, as soon as a core is free.
pub fn begin(work: impl FnOnce() + Send + 'static) {
    rayon::spawn(|| busy(work));
}

/// Applies a function to every item. The result does not depend on the number of cores.
pub fn map<T: Sync, R: Send>(items: &[T], function: impl Fn(&T) -> R + Sync) -> Vec<R> {
    match IS_BUSY.get() {
        true => items.iter().map(function).collect(),
        false => items.par_iter().map(|item| busy(|| function(item))).collect(),
    }
}

/// Changes every item in its place, and gives what the function gives.
pub fn map_mut<T: Send, R: Send>(items: &mut [T], function: impl Fn(&mut T) -> R + Sync) -> Vec<R> {
    match IS_BUSY.get() {
        true => items.iter_mut().map(function).collect(),
        false => items.par_iter_mut().map(|item| busy(|| function(item))).collect(),
    }
}

fn busy<R>(work: impl FnOnce() -> R) -> R {
    IS_BUSY.set(true);
    let result = work();
    IS_BUSY.set(false);
    result
}

#[cfg(test)]
mod tests {
    use super::{map, map_mut};

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(map(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn items_are_changed_where_they_are() {
        let mut items: Vec<usize> = (0..1000).collect();
        let before = map_mut(&mut items, |item| std::mem::replace(item, *item * 2));
        assert_eq!(before.iter().map(|item| item * 2).collect::<Vec<_>>(), items);
    }

    #[test]
    fn a_list_in_a_list_does_not_wait_for_itself() {
        let lock = std::sync::Mutex::new(0);
        let sums = map(&[10; 100], |count| {
            let mut held = lock.lock().unwrap();
            *held += map(&vec![1; *count], |one| *one).len();
            *held
        });
        assert_eq!(sums.iter().max(), Some(&1000));
    }
}
