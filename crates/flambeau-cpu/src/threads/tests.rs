//! What `parallel_for` promises, on real threads.

use super::job::part;
use super::sync::lock;
use super::*;
use proptest::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;
use std::sync::{Barrier, Mutex, MutexGuard};
use std::time::Instant;

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
            let parts: Vec<_> = (0..chunks).map(|i| part(len, chunks, i)).collect();
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
fn chunks_hold_at_least_a_grain_and_at_most_num_threads_run_at_once() {
    let _serial = serial_tests();
    let before = num_threads();
    set_num_threads(4);
    for (len, grain) in [(100, 30), (100, 50), (100, 51), (100, 1), (5, 5), (9, 5), (10, 5), (1000, 7), (64, 8)] {
        let (parts, threads) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        parallel_for(len, grain, &|range| {
            lock(&parts).push(range.len());
            let mut threads = lock(&threads);
            let me = thread::current().id();
            if !threads.contains(&me) {
                threads.push(me);
            }
        });
        let (parts, threads) = (parts.into_inner().unwrap(), threads.into_inner().unwrap());
        assert!(parts.len() <= 4 * CHUNKS_PER_THREAD && threads.len() <= 4, "{parts:?}");
        assert!(parts.len() == 1 || parts.iter().all(|&n| n >= grain), "{parts:?}");
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
    // Each chunk waits until all three run at once: only three threads can get past that. The workers may be with another
    // test's call at first, so a round may fail and is then repeated.
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
        assert_eq!(ran.into_inner(), 3);
        assert_eq!(visits(100, 1), vec![1; 100]);
    }
    set_num_threads(before);
}

#[test]
#[should_panic(expected = "set_num_threads expects a positive integer")]
fn zero_threads_panics() {
    set_num_threads(0);
}

/// Waits for `condition`, for as long as no machine needs.
fn comes(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() && Instant::now() < deadline {
        thread::yield_now();
    }
    condition()
}

#[test]
fn two_callers_at_once_both_get_a_worker() {
    let _serial = serial_tests();
    let before = num_threads();
    set_num_threads(3);
    let both = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                both.wait();
                for _ in 0..200 {
                    // No chunk ends before two run, which takes a second thread.
                    let inside = AtomicUsize::new(0);
                    parallel_for(3, 1, &|_| {
                        inside.fetch_add(1, Ordering::SeqCst);
                        assert!(comes(|| inside.load(Ordering::SeqCst) >= 2), "no worker came");
                    });
                }
            });
        }
    });
    set_num_threads(before);
}

/// Call A has two workers and chunks left when call B opens with none. Everything in A but the one chunk waits for a worker
/// in B, so it must be that chunk's worker that moves.
#[test]
fn a_worker_moves_to_the_call_that_has_none() {
    let pool = Pool::new(2, 2);
    let (in_a, b_open, b_met) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for worker in 0..2 {
            let (pool, stop) = (&pool, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    pool.help(worker);
                }
            });
        }
        scope.spawn(|| {
            assert!(comes(|| in_a.load(Ordering::SeqCst) == 2));
            let result = pool.run(2, 2, 3, &|range| match range.start {
                0 => {
                    b_open.store(true, Ordering::SeqCst);
                    assert!(comes(|| b_met.load(Ordering::SeqCst)), "no worker moved");
                }
                _ => b_met.store(true, Ordering::SeqCst),
            });
            assert!(result.unwrap().is_ok());
        });
        // Of four chunks the caller's region holds the first two; the workers begin with the last two.
        let result = pool.run(4, 4, 3, &|range| {
            if range.start >= 2 {
                in_a.fetch_add(1, Ordering::SeqCst);
                assert!(comes(|| b_open.load(Ordering::SeqCst)));
            }
            if range.start != 2 {
                assert!(comes(|| b_met.load(Ordering::SeqCst)), "nobody left");
            }
        });
        stop.store(true, Ordering::SeqCst);
        assert!(result.unwrap().is_ok());
    });
}

#[test]
fn a_thread_with_a_number_of_its_own_keeps_its_work() {
    let _serial = serial_tests();
    let before = num_threads();
    set_num_threads(3);
    thread::spawn(|| {
        set_own_num_threads(1);
        let me = thread::current().id();
        let ranges = Mutex::new(Vec::new());
        parallel_for(1000, 1, &|range| {
            assert_eq!(thread::current().id(), me);
            lock(&ranges).push(range);
        });
        let ranges = ranges.into_inner().unwrap();
        assert_eq!((ranges.len(), ranges[0].clone()), (1, 0..1000));
        set_num_threads(2);
        assert_eq!(num_threads(), 2);
    })
    .join()
    .unwrap();
    assert_eq!(num_threads(), 3);
    set_num_threads(before);
}

#[test]
fn more_threads_than_the_pool_has_are_no_error() {
    let _serial = serial_tests();
    let before = num_threads();
    set_num_threads(40);
    assert_eq!(visits(10_000, 1), vec![1; 10_000]);
    let pool = Pool::new(1, 3);
    let count = AtomicUsize::new(0);
    let body = |range: Range<usize>| {
        count.fetch_add(range.len(), Ordering::Relaxed);
    };
    pool.run(500, 400, 100, &body).unwrap().unwrap();
    assert_eq!(count.into_inner(), 500);
    set_num_threads(before);
}
