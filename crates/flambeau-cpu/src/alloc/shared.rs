//! The freed blocks that all threads share, the counts, and the limit on what is kept.

use super::{Stats, capacity_of, system};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What may be kept on top of the recent peak of live memory, so that small programs never give memory back.
const SLACK: usize = 256 << 20;
/// A peak counts for one to two such spans: longer than a training step, during which live memory swings widely.
const PEAK_SPAN: Duration = Duration::from_secs(5);

struct Freed {
    block: NonNull<u8>,
    /// When it was freed, in units of calls.
    stamp: u64,
}

// SAFETY: a freed block belongs to the cache alone, on whatever thread.
unsafe impl Send for Freed {}

struct Shared {
    /// For each size class the freed blocks, the last freed at the back.
    classes: Vec<VecDeque<Freed>>,
    clock: u64,
    live: isize,
    /// Bytes in `classes`.
    cached: usize,
    /// Bytes in the threads' caches.
    local: isize,
    peak: usize,
    earlier_peak: usize,
    span_start: Option<Instant>,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared {
    classes: Vec::new(),
    clock: 0,
    live: 0,
    cached: 0,
    local: 0,
    peak: 0,
    earlier_peak: 0,
    span_start: None,
});

fn lock() -> MutexGuard<'static, Shared> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn count(&mut self, live: isize, local: isize) {
        self.live += live;
        self.local += local;
        self.peak = self.peak.max(self.live_bytes());
    }

    /// Never negative: another thread may free a block before the one that allocated it has reported.
    fn live_bytes(&self) -> usize {
        self.live.max(0) as usize
    }

    fn recent_peak(&self) -> usize {
        self.peak.max(self.earlier_peak)
    }

    fn age_peak(&mut self) {
        let now = Instant::now();
        let start = *self.span_start.get_or_insert(now);
        let spans = now.duration_since(start).as_secs() / PEAK_SPAN.as_secs();
        if spans > 0 {
            self.earlier_peak = if spans == 1 { self.peak } else { self.live_bytes() };
            self.peak = self.live_bytes();
            self.span_start = Some(now);
        }
    }

    /// Takes the least recently freed blocks out of the cache until live and cached bytes together are within a quarter
    /// above the recent peak of live bytes, plus [`SLACK`].
    fn surplus(&mut self) -> Vec<(NonNull<u8>, usize)> {
        // Reading the clock costs as much as the rest.
        if self.clock.is_multiple_of(32) || self.cached > SLACK {
            self.age_peak();
        }
        let peak = self.recent_peak();
        let limit = (peak + peak / 4 + SLACK).saturating_sub(self.live_bytes());
        let mut surplus = Vec::new();
        while self.cached > limit {
            let oldest = (0..self.classes.len()).min_by_key(|&c| self.classes[c].front().map_or(u64::MAX, |f| f.stamp));
            let Some(class) = oldest else { break };
            let Some(freed) = self.classes[class].pop_front() else { break };
            self.cached -= capacity_of(class);
            surplus.push((freed.block, capacity_of(class)));
        }
        surplus
    }
}

/// Adds to the counts of live bytes and of bytes in the threads' caches.
pub fn count(live: isize, local: isize) {
    lock().count(live, local);
}

/// The most recently freed block of a class, which then counts as live.
pub fn take(class: usize) -> Option<NonNull<u8>> {
    let mut shared = lock();
    let freed = shared.classes.get_mut(class)?.pop_back()?;
    shared.cached -= capacity_of(class);
    shared.count(capacity_of(class) as isize, 0);
    Some(freed.block)
}

/// Adds to the counts as [`count`] does, keeps blocks of a class, and gives the system what is then too much.
///
/// # Safety
/// The blocks have that class and nobody uses them.
pub unsafe fn put(class: usize, blocks: &[NonNull<u8>], live: isize, local: isize) {
    let mut shared = lock();
    shared.count(live, local);
    if shared.classes.len() <= class {
        shared.classes.resize_with(class + 1, VecDeque::new);
    }
    for &block in blocks {
        shared.clock += 1;
        let stamp = shared.clock;
        shared.classes[class].push_back(Freed { block, stamp });
        shared.cached += capacity_of(class);
    }
    let surplus = shared.surplus();
    drop(shared);
    // SAFETY: the cache held these blocks, and gave them up.
    unsafe { give_back(surplus) };
}

/// Gives every block of the cache back to the system.
pub fn empty() {
    let mut shared = lock();
    shared.cached = 0;
    let classes = std::mem::take(&mut shared.classes);
    drop(shared);
    for (class, list) in classes.into_iter().enumerate() {
        let blocks = list.into_iter().map(|freed| (freed.block, capacity_of(class))).collect();
        // SAFETY: as in `put`.
        unsafe { give_back(blocks) };
    }
}

/// # Safety
/// The blocks came from the system with these capacities, and nobody uses them.
unsafe fn give_back(blocks: Vec<(NonNull<u8>, usize)>) {
    for (block, capacity) in blocks {
        // SAFETY: the caller vouches for it.
        unsafe { system::free(block, capacity) };
    }
}

pub fn stats() -> Stats {
    let shared = lock();
    Stats {
        live_bytes: shared.live_bytes(),
        cached_bytes: shared.cached + shared.local.max(0) as usize,
        recent_peak_bytes: shared.recent_peak(),
    }
}
