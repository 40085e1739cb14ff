//! One call's work, cut into chunks that threads take one after the other.

use super::sync::{AtomicUsize, Mutex, Ordering, lock};
use std::any::Any;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;

pub(super) type Body<'a> = dyn Fn(Range<usize>) + Sync + 'a;
type Panic = Box<dyn Any + Send>;

/// The most regions of a job.
const REGIONS: usize = if cfg!(loom) { 2 } else { 16 };

/// One call of `parallel_for`; it lies on the caller's stack until no worker can reach it any more.
///
/// The chunks form one region for each thread. A thread takes those of its own region first, from call to call the same
/// part of an array, which it then has in its cache; then what the others have left.
pub(super) struct Job<'a> {
    body: &'a Body<'a>,
    len: usize,
    chunks: usize,
    regions: usize,
    /// How many chunks of each region are taken.
    taken: [AtomicUsize; REGIONS],
    panic: Mutex<Option<Panic>>,
}

impl<'a> Job<'a> {
    /// `0..len` in `chunks` parts for `threads` threads; the first part is the maker's ([`Job::run_first`]).
    pub fn new(len: usize, chunks: usize, threads: usize, body: &'a Body<'a>) -> Self {
        let taken = std::array::from_fn(|region| AtomicUsize::new(usize::from(region == 0)));
        let regions = threads.min(chunks).min(REGIONS);
        Job { body, len, chunks, regions, taken, panic: Mutex::new(None) }
    }

    /// Runs the chunk that is taken from the start.
    pub fn run_first(&self) {
        self.run(0);
    }

    /// Takes and runs chunks, those of region `home` first, until all are taken (then it returns true) or, after any of
    /// them, `stay` says no.
    pub fn run_others(&self, home: usize, stay: impl Fn() -> bool) -> bool {
        for step in 0..self.regions {
            let region = (home + step) % self.regions;
            let chunks = part(self.chunks, self.regions, region);
            while self.taken[region].load(Ordering::Relaxed) < chunks.len() {
                let taken = self.taken[region].fetch_add(1, Ordering::Relaxed);
                if taken >= chunks.len() {
                    break;
                }
                self.run(chunks.start + taken);
                if !stay() {
                    return false;
                }
            }
        }
        true
    }

    /// Runs chunk `index`; keeps the first panic for the caller.
    fn run(&self, index: usize) {
        let range = part(self.len, self.chunks, index);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.body)(range))) {
            lock(&self.panic).get_or_insert(payload);
        }
    }

    /// The first panic of a chunk.
    pub fn into_panic(self) -> Option<Panic> {
        self.panic.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `index`th of `parts` parts of `0..len`, whose lengths differ by at most one.
pub(super) fn part(len: usize, parts: usize, index: usize) -> Range<usize> {
    let (base, longer) = (len / parts, len % parts);
    let start = index * base + index.min(longer);
    start..start + base + usize::from(index < longer)
}
