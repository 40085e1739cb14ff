//! The threads behind `parallel_for`.
//!
//! A caller puts its job on a board and raises the board's bit in the pool's signal; idle workers join it. Caller and
//! workers then take chunks until there are none; the caller closes its board, waits for the workers that are still in
//! it, and only for them. A worker is with one job at a time and leaves it between chunks only, so a caller that holds a
//! storage's lock never waits for work of another call, and a worker that the system has put aside before it joined costs
//! no waiting.
//!
//! Several calls share the workers: one that is free joins the call with the fewest, and after each chunk it moves where
//! there are at least two fewer.

use super::job::{Body, Job};
use super::sync::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Mutex, Ordering, Thread, current, lock, park, spin_until,
};
use std::ptr::null_mut;

/// A board's state: free, or claimed by a caller with the number of workers in its low bits.
const FREE: u32 = 0;
const CLAIMED: u32 = 1 << 31;
/// Workers may join.
const OPEN: u32 = 1 << 30;
/// The caller sleeps until the last worker has left.
const CALLER_SLEEPS: u32 = 1 << 29;
const HELPERS: u32 = CALLER_SLEEPS - 1;

/// The signal: one bit for each board with an open job, above them the number of sleeping workers. That both are in one
/// word is why no wake-up is lost: of a worker that goes to sleep and a caller that opens a job, the later one sees the
/// other.
const BOARDS: u64 = (1 << 32) - 1;
const SLEEPER: u64 = 1 << 32;

/// Where one call shows its job, alone on its cache lines.
#[repr(align(128))]
struct Board {
    state: AtomicU32,
    job: AtomicPtr<Job<'static>>,
    /// Workers with a lower index may help.
    seats: AtomicUsize,
    caller: Mutex<Option<Thread>>,
}

/// What callers know of a worker, alone on its cache lines.
#[repr(align(128))]
struct Seat {
    sleeps: AtomicBool,
    worker: Mutex<Option<Thread>>,
}

#[repr(align(128))]
struct Signal(AtomicU64);

pub(super) struct Pool {
    signal: Signal,
    boards: Box<[Board]>,
    seats: Box<[Seat]>,
    /// How many workers there are, and who may make more.
    started: AtomicUsize,
    starting: Mutex<()>,
}

impl Pool {
    /// A pool for at most `callers` calls at once and at most `workers` workers, none of which runs yet.
    pub fn new(callers: usize, workers: usize) -> Self {
        assert!(callers <= BOARDS.count_ones() as usize, "a bit of the signal for each board");
        let board = |_| Board {
            state: AtomicU32::new(FREE),
            job: AtomicPtr::new(null_mut()),
            seats: AtomicUsize::new(0),
            caller: Mutex::new(None),
        };
        let seat = |_| Seat { sleeps: AtomicBool::new(false), worker: Mutex::new(None) };
        Pool {
            signal: Signal(AtomicU64::new(0)),
            boards: (0..callers).map(board).collect(),
            seats: (0..workers).map(seat).collect(),
            started: AtomicUsize::new(0),
            starting: Mutex::new(()),
        }
    }

    /// Runs `body` on `chunks` parts of `0..len` on this thread and up to `threads - 1` workers; returns the first panic.
    /// `None` where as many calls as there are boards run already: then nothing has run.
    pub fn run(&self, len: usize, chunks: usize, threads: usize, body: &Body<'_>) -> Option<std::thread::Result<()>> {
        let index = self.boards.iter().position(Board::claim)?;
        let (board, bit) = (&self.boards[index], 1 << index);
        let seats = (threads - 1).min(self.seats.len());
        let job = Job::new(len, chunks, threads, body);
        board.open((&raw const job).cast::<Job<'static>>().cast_mut(), seats);
        if self.signal.0.fetch_or(bit, Ordering::AcqRel) >= SLEEPER {
            self.wake(seats);
        }
        job.run_first();
        job.run_others(0, || true);
        self.lower(bit);
        board.close();
        Some(job.into_panic().map_or(Ok(()), Err))
    }

    /// Takes a board's bit out of the signal: its job has no chunk left. Only who is in the job may do so.
    fn lower(&self, bit: u64) {
        if self.signal.0.load(Ordering::Relaxed) & bit != 0 {
            self.signal.0.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// Wakes those of the first `seats` workers that sleep.
    #[cold]
    fn wake(&self, seats: usize) {
        for seat in &self.seats[..seats] {
            if seat.sleeps.load(Ordering::Relaxed) && seat.sleeps.swap(false, Ordering::AcqRel) {
                self.signal.0.fetch_sub(SLEEPER, Ordering::Relaxed);
                if let Some(worker) = &*lock(&seat.worker) {
                    worker.unpark();
                }
            }
        }
    }

    /// Of the open jobs in `signal` that worker `worker` may join, the one with the fewest workers, and how many these are.
    fn emptiest(&self, signal: u64, worker: usize) -> Option<(usize, u32)> {
        let mut open = signal & BOARDS;
        let mut best: Option<(usize, u32)> = None;
        while open != 0 {
            let index = open.trailing_zeros() as usize;
            open &= open - 1;
            let board = &self.boards[index];
            let state = board.state.load(Ordering::Relaxed);
            let helpers = state & HELPERS;
            let eligible = state & OPEN != 0 && worker < board.seats.load(Ordering::Relaxed);
            if eligible && best.is_none_or(|(_, fewest)| helpers < fewest) {
                best = Some((index, helpers));
            }
        }
        best
    }

    fn offer(&self, worker: usize) -> Option<usize> {
        self.emptiest(self.signal.0.load(Ordering::Acquire), worker).map(|(index, _)| index)
    }

    /// Joins an open job, if there is one, and helps until it has no chunk left or another needs the worker more. Returns
    /// whether it joined any.
    pub fn help(&self, worker: usize) -> bool {
        let Some(index) = self.offer(worker) else { return false };
        let (board, bit) = (&self.boards[index], 1 << index);
        if !board.join(worker) {
            return false;
        }
        let stay = || {
            let others = self.signal.0.load(Ordering::Relaxed) & BOARDS & !bit;
            if others == 0 {
                return true;
            }
            let here = board.state.load(Ordering::Relaxed) & HELPERS;
            self.emptiest(others, worker).is_none_or(|(_, there)| there + 1 >= here)
        };
        // SAFETY: the caller put the pointer there and keeps the job alive until every worker that joined has left.
        let job = unsafe { &*board.job.load(Ordering::Relaxed) };
        if job.run_others(worker + 1, stay) {
            self.lower(bit);
        }
        board.leave();
        true
    }

    /// Sleeps until a caller has work for worker `worker`.
    pub fn sleep(&self, worker: usize) {
        let seat = &self.seats[worker];
        seat.sleeps.store(true, Ordering::Relaxed);
        let signal = self.signal.0.fetch_add(SLEEPER, Ordering::AcqRel);
        if self.emptiest(signal, worker).is_some() && seat.sleeps.swap(false, Ordering::AcqRel) {
            self.signal.0.fetch_sub(SLEEPER, Ordering::Relaxed);
            return;
        }
        while seat.sleeps.load(Ordering::Acquire) {
            park();
        }
    }

    /// Lets callers know this thread as worker `worker`.
    pub fn take_seat(&self, worker: usize) {
        *lock(&self.seats[worker].worker) = Some(current());
    }

    /// Sees to it that there are `workers` workers, as far as the system gives threads; returns how many there are.
    #[cfg(not(loom))]
    pub fn start(&'static self, workers: usize) -> usize {
        let started = self.started.load(Ordering::Acquire);
        if started >= workers.min(self.seats.len()) { started } else { self.start_more(workers) }
    }

    #[cfg(not(loom))]
    #[cold]
    fn start_more(&'static self, workers: usize) -> usize {
        let _starting = lock(&self.starting);
        let mut started = self.started.load(Ordering::Acquire);
        while started < workers.min(self.seats.len()) {
            let live = move || {
                super::enter_worker();
                self.take_seat(started);
                loop {
                    if !self.help(started) && !spin_until(|| self.offer(started).is_some()) {
                        self.sleep(started);
                    }
                }
            };
            // A worker never ends, and does not keep the process alive.
            if std::thread::Builder::new().name(format!("flambeau-{}", started + 1)).spawn(live).is_err() {
                break;
            }
            started += 1;
            self.started.store(started, Ordering::Release);
        }
        started
    }
}

impl Board {
    /// Takes a free board.
    fn claim(&self) -> bool {
        self.state.load(Ordering::Relaxed) == FREE
            && self.state.compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Shows a job to the workers below `seats`.
    fn open(&self, job: *mut Job<'static>, seats: usize) {
        self.job.store(job, Ordering::Relaxed);
        self.seats.store(seats, Ordering::Relaxed);
        self.state.store(CLAIMED | OPEN, Ordering::Release);
    }

    /// Counts a worker in, unless the board has been closed.
    fn join(&self, worker: usize) -> bool {
        let mut state = self.state.load(Ordering::Relaxed);
        while state & OPEN != 0 {
            match self.state.compare_exchange_weak(state, state + 1, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) if worker < self.seats.load(Ordering::Relaxed) => return true,
                // The board has meanwhile got another job, for fewer workers.
                Ok(_) => {
                    self.leave();
                    return false;
                }
                Err(now) => state = now,
            }
        }
        false
    }

    /// Counts a worker out. After this the job may be gone; what follows touches the board only.
    fn leave(&self) {
        let before = self.state.fetch_sub(1, Ordering::AcqRel);
        if before & HELPERS == 1
            && before & CALLER_SLEEPS != 0
            && let Some(caller) = &*lock(&self.caller)
        {
            caller.unpark();
        }
    }

    /// Lets nobody else join, and returns when every worker that joined has left; then the board is free.
    fn close(&self) {
        if self.state.fetch_and(!OPEN, Ordering::AcqRel) & HELPERS != 0 {
            self.wait();
        }
        self.state.store(FREE, Ordering::Release);
    }

    fn wait(&self) {
        let empty = || self.state.load(Ordering::Acquire) & HELPERS == 0;
        if spin_until(empty) {
            return;
        }
        *lock(&self.caller) = Some(current());
        if self.state.fetch_or(CALLER_SLEEPS, Ordering::AcqRel) & HELPERS != 0 {
            while !empty() {
                park();
            }
        }
    }
}
