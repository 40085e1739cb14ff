//! Many threads on the same tensors: no deadlock, no torn write.

use flambeau_autograd::{Tensor, ops, zeros};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Fails when `work` does not end in time.
fn watchdog(seconds: u64, work: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    wait.recv_timeout(Duration::from_secs(seconds)).expect("the threads wait for each other for ever, or one failed");
    thread.join().unwrap();
}

#[test]
fn crossed_in_place_operations_finish() {
    watchdog(60, || {
        for size in [4usize, 100_000] {
            let (a, b) = (zeros(size as i64), zeros(size as i64));
            let rounds = if size == 4 { 20_000 } else { 200 };
            // A guard conflicts with writers: that is an error which names the guard's line, not a wait; and the only one.
            let work = |k: usize, a: Tensor, b: Tensor| {
                move || {
                    let mut refused = 0;
                    for round in 0..rounds {
                        let head = |t: &Tensor| ops::slice(t, 0, Some(1), None, 1);
                        let done = match k % 4 {
                            0 => ops::add_(&a, &b, 1),
                            1 => ops::add_(&b, &a, 1),
                            2 => head(&b).and_then(|b| ops::add_(&head(&a)?, &b, 1)),
                            _ if round % 2 == 0 => {
                                // A writer may hold the memory now, and finish; nobody else may refuse a reader's guard.
                                assert_eq!(a.as_slice::<f32>().len(), size);
                                continue;
                            }
                            _ => ops::add(&a, &b, 1),
                        };
                        if let Err(error) = done {
                            let words = error.to_string();
                            assert!(
                                words.starts_with("write of a tensor's memory") && words.contains("threads.rs"),
                                "{words}"
                            );
                            refused += 1;
                        }
                    }
                    (refused, rounds)
                }
            };
            let threads: Vec<_> =
                (0..8).map(|k| std::thread::spawn(work(k, a.shallow_clone(), b.shallow_clone()))).collect();
            let done: Vec<(usize, usize)> = threads.into_iter().map(|t| t.join().expect("no thread fails")).collect();
            // Guards on `a` do not concern those that write to `b`, or only read.
            for k in [1, 3, 5, 7] {
                assert_eq!(done[k].0, 0, "thread {k}");
            }
            assert!(done.iter().all(|&(refused, rounds)| refused < rounds), "{done:?}");
        }
    });
}

#[test]
fn writers_exclude_each_other() {
    watchdog(60, || {
        let x = zeros(1000);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let x = x.shallow_clone();
                std::thread::spawn(move || (0..500).for_each(|_| drop(x.add_(1))))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(x.to_vec::<f32>(), vec![4000.0; 1000]);
        assert_eq!(x.version(), 4000);
    });
}

#[test]
fn backward_runs_in_many_threads_at_once() {
    watchdog(60, || {
        let w = flambeau_autograd::ones(64).requires_grad_(true);
        let stop = Arc::new(AtomicBool::new(false));
        let reader = {
            let (w, stop) = (w.shallow_clone(), stop.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    drop(w.grad());
                }
            })
        };
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let w = w.shallow_clone();
                std::thread::spawn(move || (0..200).for_each(|_| (&w * 2).sum().backward()))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        assert_eq!(w.grad().unwrap().to_vec::<f32>(), vec![1600.0; 64], "no gradient is lost");
    });
}
