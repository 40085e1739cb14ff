//! Models of the pool: loom runs each under every order of its steps (with at most so many preemptions as a model says), and
//! fails where a thread sees memory that nobody handed to it, or where all threads wait for each other.
//!
//! `RUSTFLAGS="--cfg loom" cargo test --package flambeau-cpu --lib models` runs them; `cargo xtask check-all` does so.

use super::pool::Pool;
use super::sync::lock;
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;
use std::ops::Range;

/// Explores every order of `model` with at most `preemptions` switches that no thread asked for.
fn explore(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

/// Numbers that loom watches: writing one while another thread touches it, or without having been told of its last write, fails.
struct Watched(Vec<UnsafeCell<usize>>);

// SAFETY: loom finds any access that is not ordered.
unsafe impl Sync for Watched {}
// SAFETY: as above.
unsafe impl Send for Watched {}

impl Watched {
    fn new(len: usize) -> Self {
        Watched((0..len).map(|_| UnsafeCell::new(0)).collect())
    }

    fn count(&self, range: Range<usize>) {
        for i in range {
            // SAFETY: loom checks that nobody else touches it now.
            self.0[i].with_mut(|n| unsafe { *n += 1 });
        }
    }

    fn all(&self) -> Vec<usize> {
        // SAFETY: as in `count`.
        self.0.iter().map(|cell| cell.with(|n| unsafe { *n })).collect()
    }
}

/// A worker that never sleeps, and looks for work `times` times.
fn eager_worker(pool: &Arc<Pool>, worker: usize, times: usize) -> thread::JoinHandle<()> {
    let pool = pool.clone();
    thread::spawn(move || {
        pool.take_seat(worker);
        for _ in 0..times {
            pool.help(worker);
        }
    })
}

#[test]
fn every_chunk_runs_once_and_its_writes_reach_the_caller() {
    explore(3, || {
        let pool = Arc::new(Pool::new(1, 1));
        let worker = eager_worker(&pool, 0, 2);
        let seen = Watched::new(4);
        for round in 1..=2 {
            pool.run(4, 4, 2, &|range| seen.count(range)).expect("the board is free").expect("no chunk panics");
            assert_eq!(seen.all(), [round; 4]);
        }
        worker.join().unwrap();
        assert_eq!(seen.all(), [2; 4]);
    });
}

#[test]
fn two_workers_share_a_call() {
    explore(2, || {
        let pool = Arc::new(Pool::new(1, 2));
        let workers = [0, 1].map(|worker| eager_worker(&pool, worker, 1));
        let seen = Watched::new(3);
        pool.run(3, 3, 3, &|range| seen.count(range)).unwrap().unwrap();
        assert_eq!(seen.all(), [1; 3]);
        for worker in workers {
            worker.join().unwrap();
        }
    });
}

#[test]
fn two_callers_share_a_worker() {
    explore(2, || {
        let pool = Arc::new(Pool::new(2, 1));
        let worker = eager_worker(&pool, 0, 2);
        let call = |pool: &Pool| {
            let seen = Watched::new(2);
            pool.run(2, 2, 2, &|range| seen.count(range)).unwrap().unwrap();
            assert_eq!(seen.all(), [1; 2]);
        };
        let second = pool.clone();
        let caller = thread::spawn(move || call(&second));
        call(&pool);
        caller.join().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn with_all_boards_taken_nothing_runs() {
    explore(2, || {
        let pool = Arc::new(Pool::new(1, 0));
        let second = pool.clone();
        let caller = thread::spawn(move || {
            let seen = Watched::new(2);
            let ran = second.run(2, 2, 2, &|range| seen.count(range)).is_some();
            assert_eq!(seen.all(), [usize::from(ran); 2]);
        });
        let seen = Watched::new(2);
        let ran = pool.run(2, 2, 2, &|range| seen.count(range)).is_some();
        assert_eq!(seen.all(), [usize::from(ran); 2]);
        caller.join().unwrap();
    });
}

/// The first chunk does not end before the second has begun, so the worker, which may be on its way to sleep, must hear of
/// the call: else caller and worker wait for ever, which loom finds.
#[test]
fn a_worker_that_goes_to_sleep_hears_of_a_call() {
    explore(3, || {
        let pool = Arc::new(Pool::new(1, 1));
        let own = pool.clone();
        let worker = thread::spawn(move || {
            own.take_seat(0);
            while !own.help(0) {
                own.sleep(0);
            }
        });
        let (begun, told) = (Mutex::new(false), Condvar::new());
        let meet = |range: Range<usize>| {
            if range.contains(&1) {
                *lock(&begun) = true;
                told.notify_one();
            } else {
                let mut begun = lock(&begun);
                while !*begun {
                    begun = told.wait(begun).unwrap();
                }
            }
        };
        pool.run(2, 2, 2, &meet).unwrap().unwrap();
        worker.join().unwrap();
    });
}

#[test]
fn a_panic_on_a_worker_reaches_the_caller() {
    explore(2, || {
        let pool = Arc::new(Pool::new(1, 1));
        let worker = eager_worker(&pool, 0, 1);
        let seen = Watched::new(2);
        let result = pool.run(2, 2, 2, &|range| {
            seen.count(range.clone());
            if range.contains(&1) {
                std::panic::resume_unwind(Box::new("chunk 1"));
            }
        });
        let payload = result.unwrap().expect_err("the second chunk panics");
        assert_eq!(payload.downcast_ref(), Some(&"chunk 1"));
        assert_eq!(seen.all(), [1; 2]);
        worker.join().unwrap();
    });
}
