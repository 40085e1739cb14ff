//! The atomics, locks and threads that the pool is made of: the standard library's, or, under `cfg(loom)`, those of loom,
//! which runs a model under every order that the memory model allows.

#[cfg(loom)]
pub(super) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
#[cfg(loom)]
pub(super) use loom::sync::{Mutex, MutexGuard};
#[cfg(loom)]
pub(super) use loom::thread::{Thread, current, park};
#[cfg(not(loom))]
pub(super) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
#[cfg(not(loom))]
pub(super) use std::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(super) use std::thread::{Thread, current, park};

/// Locks; no code that could panic runs under these locks except where the data stays sound.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Spins until `done`, for as long as waking a parked thread costs; not at all where threads outnumber cores, nor in a
/// model, where time does not pass. Returns whether `done` came.
pub(super) fn spin_until(done: impl Fn() -> bool) -> bool {
    if done() {
        return true;
    }
    if cfg!(loom) || super::num_threads() > *super::CORES {
        return false;
    }
    let start = std::time::Instant::now();
    loop {
        for _ in 0..32 {
            std::hint::spin_loop();
            if done() {
                return true;
            }
        }
        if start.elapsed() > super::SPIN {
            return false;
        }
    }
}
