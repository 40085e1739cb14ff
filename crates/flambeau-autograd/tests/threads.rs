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
            let work = |k: usize, a: Tensor, b: Tensor| {
                move || {
                    for round in 0..rounds {
                        match k % 4 {
                            0 => drop(a.add_(&b)),
                            1 => drop(b.add_(&a)),
                            2 => drop(a.slice(0, Some(1), None, 1).add_(b.slice(0, Some(1), None, 1))),
                            // Guards conflict with writers: that is an error, not a wait.
                            _ if round % 2 == 0 => drop(std::panic::catch_unwind(|| a.as_slice::<f32>().len())),
                            _ => drop(ops::add(&a, &b)),
                        }
                    }
                }
            };
            let threads: Vec<_> = (0..8)
                .map(|k| {
                    let work = work(k, a.clone(), b.clone());
                    // A writer may meet a reader's guard and panic with its message; anything else would hang.
                    std::thread::spawn(move || drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))))
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        }
    });
}

#[test]
fn writers_exclude_each_other() {
    watchdog(60, || {
        let x = zeros(1000);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let x = x.clone();
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
            let (w, stop) = (w.clone(), stop.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    drop(w.grad());
                }
            })
        };
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let w = w.clone();
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
