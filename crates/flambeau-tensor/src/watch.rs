//! What the floors below an operation tell a profiler: which memory they take and give back, and for whom a device works.
//! While nobody watches, telling costs one relaxed load.

use crate::Device;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Memory that was taken or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryChange {
    /// Where it lies.
    pub device: Device,
    /// How much was taken; negative when it was given back.
    pub bytes: i64,
    /// Its address on the host, or its number on a device.
    pub address: usize,
}

/// A kernel that ran on a device.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// Where it ran.
    pub device: Device,
    /// Its name.
    pub kernel: &'static str,
    /// The [`mark`] of the thread that launched it.
    pub mark: u64,
    /// When it began, by the host's clock.
    pub start: Instant,
    /// How long it ran.
    pub duration: Duration,
}

/// Whom memory changes are told.
type Watcher = fn(MemoryChange);

static WATCHED: AtomicBool = AtomicBool::new(false);
static WATCHER: RwLock<Option<Watcher>> = RwLock::new(None);

thread_local! {
    static MARK: Cell<u64> = const { Cell::new(0) };
}

/// Tells `watcher` of all memory that storages of any thread take and give back from now on; `None` ends it. The watcher is
/// called where storages are made and dropped, so it must make none.
pub fn watch_memory(watcher: Option<Watcher>) {
    *WATCHER.write().unwrap_or_else(PoisonError::into_inner) = watcher;
    WATCHED.store(watcher.is_some(), Ordering::Relaxed);
}

/// Whether anybody is told of memory.
#[inline(always)]
pub fn is_memory_watched() -> bool {
    WATCHED.load(Ordering::Relaxed)
}

/// Tells of memory that was taken, or of a negative number of bytes, that was given back.
#[inline(always)]
pub fn memory_changed(device: Device, bytes: i64, address: usize) {
    if is_memory_watched() {
        tell(MemoryChange { device, bytes, address });
    }
}

#[cold]
#[inline(never)]
fn tell(change: MemoryChange) {
    let watcher = *WATCHER.read().unwrap_or_else(PoisonError::into_inner);
    // A storage without elements takes no memory.
    if let Some(watcher) = watcher.filter(|_| change.bytes != 0) {
        watcher(change);
    }
}

/// A number that this thread's launches carry, so that a profiler knows whose they are; zero where nobody set one.
pub fn mark() -> u64 {
    MARK.get()
}

/// Sets [`mark`] and returns the former one.
pub fn set_mark(mark: u64) -> u64 {
    MARK.replace(mark)
}
