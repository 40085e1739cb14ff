//! The one function through which kernels reach threads: [`parallel_for`]. Behind it stands one pool that all callers
//! share (`pool.rs`).

// A model starts its own workers and runs nothing else.
#![cfg_attr(loom, allow(dead_code))]

mod job;
#[cfg(all(test, loom))]
mod models;
mod pool;
mod sync;
#[cfg(all(test, not(loom)))]
mod tests;

use pool::Pool;
use std::cell::Cell;
use std::ops::Range;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How long a thread spins for work, or for the end of it, before it parks. Waking a parked thread costs about as much.
const SPIN: Duration = Duration::from_micros(40);

/// How many chunks a thread gets where there are enough: a thread that shares its core with another program's then holds
/// the rest up by a quarter of its part at most.
const CHUNKS_PER_THREAD: usize = 4;

/// The most threads of the pool, and the most calls that share it at once; one more runs on its own thread.
const MAX_WORKERS: usize = 255;
const MAX_CALLS: usize = 32;

/// The cores that this process may use.
static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, |n| n.get()));

/// The number of threads in use; 0 until it is first asked for.
static NUM_THREADS: AtomicUsize = AtomicUsize::new(0);

static POOL: LazyLock<Pool> = LazyLock::new(|| Pool::new(MAX_CALLS, MAX_WORKERS));

thread_local! {
    /// This thread's own number of threads; 0 where it uses the process's.
    static OWN_NUM_THREADS: Cell<usize> = const { Cell::new(0) };
    /// Whether this thread is running a chunk: what it calls then stays on it.
    static IN_CHUNK: Cell<bool> = const { Cell::new(false) };
}

/// How many threads [`parallel_for`] uses when called from this thread: what [`set_num_threads`] set, else the environment
/// variable `FLAMBEAU_NUM_THREADS`, else the cores that this process may use; in a `DataLoader`'s worker it is 1 unless set
/// there. Mirrors `torch.get_num_threads`.
///
/// # Panics
/// When `FLAMBEAU_NUM_THREADS` is not a positive integer.
#[inline]
pub fn num_threads() -> usize {
    match OWN_NUM_THREADS.get() {
        0 => match NUM_THREADS.load(Ordering::Relaxed) {
            0 => default_num_threads(),
            n => n,
        },
        own => own,
    }
}

#[cold]
fn default_num_threads() -> usize {
    let n = match std::env::var("FLAMBEAU_NUM_THREADS") {
        Ok(text) => match text.trim().parse() {
            Ok(n) if n > 0 => n,
            _ => panic!("FLAMBEAU_NUM_THREADS is '{text}'; expected a positive integer"),
        },
        Err(_) => *CORES,
    };
    match NUM_THREADS.compare_exchange(0, n, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => n,
        Err(set_meanwhile) => set_meanwhile,
    }
}

/// Sets how many threads [`parallel_for`] uses from now on, up to 256; calls that already run keep theirs. It holds for the
/// whole process, except when called in a thread with a number of its own ([`set_own_num_threads`]), where it sets that.
/// Mirrors `torch.set_num_threads`.
///
/// # Panics
/// When `n` is 0.
#[track_caller]
pub fn set_num_threads(n: usize) {
    assert!(n > 0, "set_num_threads expects a positive integer");
    match OWN_NUM_THREADS.get() {
        0 => NUM_THREADS.store(n, Ordering::Relaxed),
        _ => OWN_NUM_THREADS.set(n),
    }
}

/// Gives this thread a number of threads of its own: with 1 everything that it computes stays on it, as in the workers of a
/// `DataLoader`, which must not take the threads from the one that trains.
///
/// # Panics
/// When `n` is 0.
#[track_caller]
pub fn set_own_num_threads(n: usize) {
    assert!(n > 0, "set_own_num_threads expects a positive integer");
    OWN_NUM_THREADS.set(n);
}

/// Splits `0..len` into contiguous chunks of at least `grain` items (one chunk where `len` is smaller), whose lengths
/// differ by at most one, and runs `body` on each, on at most [`num_threads`] threads at once. There are up to four chunks
/// for each thread; which thread runs which one is open.
///
/// `body` runs once, on all of `0..len`, on the calling thread, where there is work for one thread only; also inside
/// another `parallel_for`. Calls of several threads at once share the pool's threads evenly, and none waits for another's
/// work. With `len == 0` it does not run at all.
///
/// # Panics
/// With the first panic of `body`, after every chunk has ended.
#[inline]
pub fn parallel_for(len: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
    if len == 0 {
        return;
    }
    let grain = grain.max(1);
    if len / 2 >= grain && !IN_CHUNK.get() {
        let threads = num_threads().min(len / grain);
        if threads > 1 {
            return fork_join(len, len / grain, threads, body);
        }
    }
    body(0..len);
}

fn fork_join(len: usize, grains: usize, threads: usize, body: &job::Body<'_>) {
    #[cfg(not(loom))]
    if POOL.start(threads - 1) == 0 {
        return body(0..len);
    }
    let chunks = threads * (grains / threads).min(CHUNKS_PER_THREAD);
    IN_CHUNK.set(true);
    let result = POOL.run(len, chunks, threads, body);
    IN_CHUNK.set(false);
    match result {
        None => body(0..len),
        Some(Ok(())) => {}
        Some(Err(payload)) => std::panic::resume_unwind(payload),
    }
}

/// What a worker is: it runs nothing but chunks.
#[cfg(not(loom))]
fn enter_worker() {
    IN_CHUNK.set(true);
}
