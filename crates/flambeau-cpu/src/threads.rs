//! The one function through which kernels reach threads, and the pool behind it.
//!
//! The pool is a fork-join: the caller hands each worker one contiguous chunk, runs the first itself, takes back what no
//! worker has begun, and waits for the rest. Nobody ever runs work of another call, so a caller that holds a storage's
//! lock cannot deadlock, and a worker that the system has put aside costs no waiting.

use std::any::Any;
use std::hint::spin_loop;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a thread spins for work, or for the end of it, before it parks. Waking a parked thread costs about as much.
const SPIN: Duration = Duration::from_micros(40);

/// The cores that this process may use.
static CORES: LazyLock<usize> = LazyLock::new(|| thread::available_parallelism().map_or(1, |n| n.get()));

/// The number of threads in use; 0 until it is first asked for.
static NUM_THREADS: AtomicUsize = AtomicUsize::new(0);

static POOL: Pool = Pool {
    workers: Mutex::new(Vec::new()),
    pending: AtomicUsize::new(0),
    caller_parked: AtomicBool::new(false),
    caller: Mutex::new(None),
};

type Body<'a> = dyn Fn(Range<usize>) + Sync + 'a;
type Panic = Box<dyn Any + Send>;

/// One call of [`parallel_for`]; it lies on the caller's stack until no worker can reach it any more.
struct Job<'a> {
    body: &'a Body<'a>,
    len: usize,
    chunks: usize,
    panic: Mutex<Option<Panic>>,
}

impl Job<'_> {
    /// Runs chunk `index`; keeps the first panic for the caller.
    fn run(&self, index: usize) {
        let range = chunk(self.len, self.chunks, index);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.body)(range))) {
            lock(&self.panic).get_or_insert(payload);
        }
    }
}

/// What a worker shares with the callers, alone on its cache lines.
#[repr(align(128))]
struct Slot {
    /// The job that waits for this worker. Whoever swaps it out, the worker or the caller, runs the chunk.
    job: AtomicPtr<Job<'static>>,
    parked: AtomicBool,
}

struct Worker {
    slot: Arc<Slot>,
    thread: Thread,
}

struct Pool {
    /// Locked by the caller for as long as its job runs, so that a second caller, or a nested call, finds it taken.
    workers: Mutex<Vec<Worker>>,
    /// Chunks of the present job that have not ended.
    pending: AtomicUsize,
    caller_parked: AtomicBool,
    caller: Mutex<Option<Thread>>,
}

/// Locks; no code that could panic runs under these locks except where the data stays sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The `index`th of `chunks` parts of `0..len`, whose lengths differ by at most one.
fn chunk(len: usize, chunks: usize, index: usize) -> Range<usize> {
    let (base, longer) = (len / chunks, len % chunks);
    let start = index * base + index.min(longer);
    start..start + base + usize::from(index < longer)
}

/// How many threads [`parallel_for`] uses: what [`set_num_threads`] set, else the environment variable
/// `FLAMBEAU_NUM_THREADS`, else the cores that this process may use. Mirrors `torch.get_num_threads`.
///
/// # Panics
/// When `FLAMBEAU_NUM_THREADS` is not a positive integer.
#[inline]
pub fn num_threads() -> usize {
    match NUM_THREADS.load(Ordering::Relaxed) {
        0 => default_num_threads(),
        n => n,
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

/// Sets how many threads [`parallel_for`] uses from now on; calls that already run keep theirs. Mirrors
/// `torch.set_num_threads`.
///
/// # Panics
/// When `n` is 0.
#[track_caller]
pub fn set_num_threads(n: usize) {
    assert!(n > 0, "set_num_threads expects a positive integer");
    NUM_THREADS.store(n, Ordering::Relaxed);
}

/// Splits `0..len` into at most [`num_threads`] contiguous chunks of at least `grain` items (one chunk where `len` is
/// smaller), whose lengths differ by at most one, and runs `body` on each, on several threads at once.
///
/// `body` runs once, on all of `0..len`, on the calling thread, where there is work for one thread only; also inside
/// another `parallel_for`, and while another thread's call runs: this function never waits for foreign work. With
/// `len == 0` it does not run at all.
///
/// # Panics
/// With the first panic of `body`, after every chunk has ended.
#[inline]
pub fn parallel_for(len: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
    if len == 0 {
        return;
    }
    if len / 2 >= grain.max(1) {
        let chunks = num_threads().min(len / grain.max(1));
        if chunks > 1 {
            return fork_join(len, chunks, body);
        }
    }
    body(0..len);
}

fn fork_join(len: usize, chunks: usize, body: &Body<'_>) {
    let mut workers = match POOL.workers.try_lock() {
        Ok(workers) => workers,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return body(0..len),
    };
    while workers.len() < chunks - 1 {
        match spawn_worker(workers.len()) {
            Some(worker) => workers.push(worker),
            None => break,
        }
    }
    let chunks = chunks.min(workers.len() + 1);
    let job = Job { body, len, chunks, panic: Mutex::new(None) };
    let shared = (&raw const job).cast::<Job<'static>>().cast_mut();
    POOL.pending.store(chunks - 1, Ordering::Relaxed);
    let workers_used = &workers[..chunks - 1];
    for worker in workers_used {
        worker.slot.job.store(shared, Ordering::SeqCst);
        if worker.slot.parked.load(Ordering::SeqCst) {
            worker.thread.unpark();
        }
    }
    job.run(0);
    for (i, worker) in workers_used.iter().enumerate() {
        if !worker.slot.job.load(Ordering::Relaxed).is_null()
            && !worker.slot.job.swap(null_mut(), Ordering::AcqRel).is_null()
        {
            job.run(i + 1);
            POOL.pending.fetch_sub(1, Ordering::Relaxed);
        }
    }
    wait_for_pending();
    drop(workers);
    if let Some(payload) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(payload);
    }
}

/// Returns when every chunk that a worker took has ended.
fn wait_for_pending() {
    let done = || POOL.pending.load(Ordering::SeqCst) == 0;
    if spin_until(done) {
        return;
    }
    *lock(&POOL.caller) = Some(thread::current());
    POOL.caller_parked.store(true, Ordering::SeqCst);
    while !done() {
        thread::park();
    }
    POOL.caller_parked.store(false, Ordering::SeqCst);
}

/// Spins until `done`, for at most [`SPIN`]; not at all where threads outnumber cores. Returns whether `done` came.
fn spin_until(done: impl Fn() -> bool) -> bool {
    if done() {
        return true;
    }
    if num_threads() > *CORES {
        return false;
    }
    let start = Instant::now();
    loop {
        for _ in 0..32 {
            spin_loop();
            if done() {
                return true;
            }
        }
        if start.elapsed() > SPIN {
            return false;
        }
    }
}

/// Starts worker `index`; `None` where the system gives no thread.
fn spawn_worker(index: usize) -> Option<Worker> {
    let slot = Arc::new(Slot { job: AtomicPtr::new(null_mut()), parked: AtomicBool::new(false) });
    let own = Arc::clone(&slot);
    let handle =
        thread::Builder::new().name(format!("flambeau-{}", index + 1)).spawn(move || work(&own, index)).ok()?;
    Some(Worker { slot, thread: handle.thread().clone() })
}

/// A worker's life: it never ends, and does not keep the process alive.
fn work(slot: &Slot, index: usize) -> ! {
    let waiting = || !slot.job.load(Ordering::SeqCst).is_null();
    loop {
        while !spin_until(waiting) {
            slot.parked.store(true, Ordering::SeqCst);
            while !waiting() {
                thread::park();
            }
            slot.parked.store(false, Ordering::Relaxed);
        }
        let job = slot.job.swap(null_mut(), Ordering::AcqRel);
        if job.is_null() {
            continue;
        }
        // SAFETY: the caller put the pointer there and keeps the job alive until `pending` has counted this chunk.
        unsafe { &*job }.run(index + 1);
        // After this line the job may be gone; what follows touches the pool only, which is static.
        if POOL.pending.fetch_sub(1, Ordering::SeqCst) == 1
            && POOL.caller_parked.load(Ordering::SeqCst)
            && let Some(caller) = &*lock(&POOL.caller)
        {
            caller.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs `parallel_for` and returns how often each index was visited.
    fn visits(len: usize, grain: usize) -> Vec<usize> {
        let counts: Vec<AtomicUsize> = (0..len).map(|_| AtomicUsize::new(0)).collect();
        parallel_for(len, grain, &|range| {
            for i in range {
                counts[i].fetch_add(1, Ordering::Relaxed);
            }
        });
        counts.into_iter().map(AtomicUsize::into_inner).collect()
    }

    fn serial_tests() -> MutexGuard<'static, ()> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        lock(&ONE_AT_A_TIME)
    }

    #[test]
    fn chunks_cover_the_range_in_balance() {
        for len in 0..40 {
            for chunks in 1..9 {
                let parts: Vec<_> = (0..chunks).map(|i| chunk(len, chunks, i)).collect();
                assert_eq!(parts.concat_ranges(), (0..len).collect::<Vec<_>>());
                let lens = parts.iter().map(Range::len);
                assert!(lens.clone().max().unwrap() - lens.min().unwrap() <= 1);
            }
        }
    }

    trait ConcatRanges {
        fn concat_ranges(&self) -> Vec<usize>;
    }
    impl ConcatRanges for Vec<Range<usize>> {
        fn concat_ranges(&self) -> Vec<usize> {
            self.iter().flat_map(Clone::clone).collect()
        }
    }

    proptest! {
        #[test]
        fn every_index_is_visited_once(len in 0usize..500, grain in 0usize..100, threads in 1usize..7) {
            let _serial = serial_tests();
            let before = num_threads();
            set_num_threads(threads);
            let seen = visits(len, grain);
            set_num_threads(before);
            prop_assert_eq!(seen, vec![1; len]);
        }
    }

    #[test]
    fn chunks_hold_at_least_a_grain_and_at_most_num_threads_exist() {
        let _serial = serial_tests();
        let before = num_threads();
        set_num_threads(4);
        for (len, grain) in [(100, 30), (100, 50), (100, 51), (100, 1), (5, 5), (9, 5), (10, 5)] {
            let parts = Mutex::new(Vec::new());
            parallel_for(len, grain, &|range| lock(&parts).push(range.len()));
            let parts = parts.into_inner().unwrap();
            assert!(parts.len() <= 4 && (parts.len() == 1 || parts.iter().all(|&n| n >= grain)), "{parts:?}");
            assert_eq!(parts.iter().sum::<usize>(), len);
        }
        set_num_threads(before);
    }

    #[test]
    fn small_work_stays_on_the_calling_thread() {
        let caller = thread::current().id();
        parallel_for(1000, 1000, &|range| {
            assert_eq!(range, 0..1000);
            assert_eq!(thread::current().id(), caller);
        });
        parallel_for(0, 1, &|_| panic!("nothing to do"));
    }

    #[test]
    fn several_threads_take_part() {
        let _serial = serial_tests();
        let before = num_threads();
        set_num_threads(3);
        // Each chunk waits until all three run at once: only three threads can get past that. Another test's call may
        // hold the pool, in which case one thread gets everything, so a round may fail and is then repeated.
        let met = (0..1000).any(|_| {
            let (inside, deadline) = (AtomicUsize::new(0), Instant::now() + Duration::from_millis(50));
            parallel_for(3, 1, &|_| {
                inside.fetch_add(1, Ordering::SeqCst);
                while inside.load(Ordering::SeqCst) < 3 && Instant::now() < deadline {
                    thread::yield_now();
                }
            });
            inside.into_inner() == 3 && Instant::now() < deadline
        });
        set_num_threads(before);
        assert!(met);
    }

    #[test]
    fn nested_calls_run_serially() {
        let _serial = serial_tests();
        let before = num_threads();
        set_num_threads(4);
        let sum = AtomicUsize::new(0);
        parallel_for(8, 1, &|outer| {
            for i in outer {
                let me = thread::current().id();
                parallel_for(100, 1, &|inner| {
                    assert_eq!(inner, 0..100);
                    assert_eq!(thread::current().id(), me);
                    sum.fetch_add(i * inner.len(), Ordering::Relaxed);
                });
            }
        });
        set_num_threads(before);
        assert_eq!(sum.into_inner(), 2800);
    }

    #[test]
    fn eight_callers_at_once() {
        let _serial = serial_tests();
        let before = num_threads();
        set_num_threads(3);
        thread::scope(|scope| {
            for t in 0..8 {
                scope.spawn(move || {
                    for round in 0..2000 {
                        let len = 1 + (t * 37 + round) % 300;
                        if round % 200 == 0 {
                            set_num_threads(1 + (t + round / 200) % 4);
                        }
                        assert_eq!(visits(len, 1 + round % 9), vec![1; len]);
                    }
                });
            }
        });
        set_num_threads(before);
    }

    #[test]
    fn wakes_parked_workers() {
        let _serial = serial_tests();
        let before = num_threads();
        set_num_threads(2);
        for _ in 0..50 {
            thread::sleep(Duration::from_micros(200));
            assert_eq!(visits(64, 1), vec![1; 64]);
            // The worker, once woken, outlasts the caller's spinning, so the caller parks too.
            parallel_for(2, 1, &|range| thread::sleep(Duration::from_micros(100 + 200 * range.start as u64)));
        }
        set_num_threads(before);
    }

    #[test]
    fn a_panic_reaches_the_caller_after_all_chunks() {
        let _serial = serial_tests();
        let before = num_threads();
        set_num_threads(4);
        for bad in 0..4 {
            let ran = AtomicUsize::new(0);
            let result = catch_unwind(AssertUnwindSafe(|| {
                parallel_for(4, 1, &|range| {
                    for i in range {
                        if i == bad {
                            panic!("chunk {i}");
                        }
                        thread::sleep(Duration::from_millis(1));
                        ran.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }));
            assert_eq!(*result.unwrap_err().downcast::<String>().unwrap(), format!("chunk {bad}"));
            // Serially (another test held the pool) the rest after the panic does not run.
            assert!([3, bad].contains(&ran.into_inner()));
            assert_eq!(visits(100, 1), vec![1; 100]);
        }
        set_num_threads(before);
    }

    #[test]
    #[should_panic(expected = "set_num_threads expects a positive integer")]
    fn zero_threads_panics() {
        set_num_threads(0);
    }
}
