//! Turns a limit into the memory that all statements share.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool, UnboundedMemoryPool,
};

/// The memory that there is, in bytes; without a limit all that the machine has.
pub fn pool(limit: Option<usize>) -> Arc<dyn MemoryPool> {
    match limit {
        Some(limit) => Arc::new(TrackConsumersPool::new(Pool { limit, state: Mutex::default() }, NonZeroUsize::MIN)),
        None => Arc::new(UnboundedMemoryPool::default()),
    }
}

/// Memory of which all that can do with less get the same share. What a sort has sorted stays in memory beside what others
/// still sort: so both have their parts of its share from the beginning.
#[derive(Debug)]
struct Pool {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// How much of that those have that have a share.
    shared: usize,
    shares: usize,
    /// What each of them has, by its number.
    held: BTreeMap<usize, usize>,
}

/// What takes memory, known by what DataFusion calls it.
enum Taker {
    /// Takes rows, of which it writes some to the disk when there are too many.
    Sort,
    /// Gives the rows of a sort, from few files at once if it must.
    Merge,
    Spills,
    /// Collects one side, and then copies all of it into one piece.
    Join,
    Other,
}

impl Taker {
    fn of(consumer: &MemoryConsumer) -> Taker {
        let is = |name: &str| consumer.name().starts_with(name);
        match consumer.can_spill() {
            _ if is("ExternalSorterMerge") => Taker::Merge,
            _ if is("HashJoinInput") => Taker::Join,
            true if is("ExternalSorter") => Taker::Sort,
            // Batches on their way from one thread to another: they are few, and go to the disk if that is too much.
            true if is("RepartitionExec") => Taker::Other,
            true => Taker::Spills,
            false => Taker::Other,
        }
    }

    /// How much of a share, in percent; none if all that is left may be taken.
    fn part(&self) -> Option<usize> {
        match self {
            Taker::Sort => Some(40),
            Taker::Merge => Some(60),
            Taker::Spills => Some(100),
            Taker::Join | Taker::Other => None,
        }
    }

    /// A sort and its merge have one share.
    fn brings_share(&self) -> bool {
        matches!(self, Taker::Merge | Taker::Spills)
    }

    fn taken(&self, bytes: usize) -> usize {
        if matches!(self, Taker::Join) { bytes.saturating_mul(2) } else { bytes }
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, consumer: &MemoryConsumer, taker: &Taker, bytes: usize) {
        self.used += bytes;
        if taker.part().is_some() {
            self.shared += bytes;
            *self.held.entry(consumer.id()).or_default() += bytes;
        }
    }

    /// How much more somebody may take.
    fn left(&self, limit: usize, consumer: &MemoryConsumer, taker: &Taker) -> usize {
        let free = limit.saturating_sub(self.used);
        let Some(part) = taker.part() else { return free };
        let share = limit.saturating_sub(self.used - self.shared) / self.shares.max(1) * part / 100;
        free.min(share.saturating_sub(self.held.get(&consumer.id()).copied().unwrap_or_default()))
    }
}

impl MemoryPool for Pool {
    fn register(&self, consumer: &MemoryConsumer) {
        self.lock().shares += usize::from(Taker::of(consumer).brings_share());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut state = self.lock();
        state.shares -= usize::from(Taker::of(consumer).brings_share());
        state.held.remove(&consumer.id());
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        let taker = Taker::of(reservation.consumer());
        self.lock().add(reservation.consumer(), &taker, taker.taken(additional));
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let (consumer, taker, mut state) = (reservation.consumer(), Taker::of(reservation.consumer()), self.lock());
        let bytes = taker.taken(shrink);
        state.used -= bytes;
        if taker.part().is_some() {
            state.shared -= bytes;
            *state.held.entry(consumer.id()).or_default() -= bytes;
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let (consumer, taker, mut state) = (reservation.consumer(), Taker::of(reservation.consumer()), self.lock());
        let (bytes, left) = (taker.taken(additional), state.left(self.limit, consumer, &taker));
        if bytes > left {
            let message = format!("`{}` wants {bytes} bytes, and {left} are left for it", consumer.name());
            return Err(DataFusionError::ResourcesExhausted(message));
        }
        state.add(consumer, &taker, bytes);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.lock().used
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}
