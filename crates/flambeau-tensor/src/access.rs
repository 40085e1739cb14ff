//! Who may touch a storage's host memory, and when.
//!
//! Each storage has one atomic word. A kernel takes it for all storages of its call at once, in address order, shared
//! where it only reads and exclusive where it writes, and waits for other kernels, which never take long. A guard that a
//! user holds (`as_slice`, `ndarray()`) marks the word too, but nobody waits for a guard: the operation fails and names the
//! line that took it.

use crate::storage::{Shared, Storage};
use crate::{Array, Error, Result};
use smallvec::SmallVec;
use std::ops::Range;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32};
// Under `cfg(loom)` the word can be modelled; see flambeau-cpu's `tests/loom_access.rs`.
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32};

const READER: u32 = 1;
const READERS: u32 = 0xffff;
const GUARD_READER: u32 = 1 << 16;
const GUARD_READERS: u32 = 0x3fff << 16;
const GUARD_WRITER: u32 = 1 << 30;
const WRITER: u32 = 1 << 31;

/// The right to use the host memory of some storages, until it is dropped. Acquired by kernels, for all storages of a
/// call at once; do not run user code, allocate, or call another operation while holding it.
pub struct Access<'a> {
    held: SmallVec<[(&'a Shared, bool); 4]>,
}

impl<'a> Access<'a> {
    /// Waits for the right to read `reads` and to write `writes`; an array may stand in both.
    ///
    /// # Errors
    /// When a user's guard conflicts.
    pub fn acquire(reads: &[&'a Array], writes: &[&'a Array]) -> Result<Self> {
        let mut wanted: SmallVec<[(&'a Shared, bool); 4]> = SmallVec::new();
        let all = reads.iter().map(|a| (*a, false)).chain(writes.iter().map(|a| (*a, true)));
        for (array, write) in all {
            let shared: &Shared = &array.storage().0;
            match wanted.iter_mut().find(|(s, _)| std::ptr::eq(*s, shared)) {
                Some(entry) => entry.1 |= write,
                None => wanted.push((shared, write)),
            }
        }
        wanted.sort_unstable_by_key(|(s, _)| std::ptr::from_ref(*s).addr());
        Self::acquire_in_order(wanted)
    }

    /// Waits for the right to change one storage.
    pub(crate) fn exclusive(storage: &'a Storage) -> Result<Self> {
        Self::acquire_in_order(SmallVec::from_iter([(&*storage.0, true)]))
    }

    fn acquire_in_order(wanted: SmallVec<[(&'a Shared, bool); 4]>) -> Result<Self> {
        let mut access = Access { held: SmallVec::new() };
        for (shared, write) in wanted {
            acquire_kernel(shared, write)?;
            access.held.push((shared, write));
        }
        Ok(access)
    }
}

impl Drop for Access<'_> {
    fn drop(&mut self) {
        for (shared, write) in &self.held {
            match write {
                // A writer is alone, so the word holds nothing else: a store costs a tenth of a subtraction.
                true => shared.access.store(0, Ordering::Release),
                false => drop(shared.access.fetch_sub(READER, Ordering::Release)),
            }
        }
    }
}

fn acquire_kernel(shared: &Shared, write: bool) -> Result<()> {
    let (conflict, busy, mine) = match write {
        true => (GUARD_READERS | GUARD_WRITER, READERS | WRITER, WRITER),
        false => (GUARD_WRITER, WRITER, READER),
    };
    let mut tries = 0u32;
    loop {
        let word = shared.access.load(Ordering::Relaxed);
        if word & conflict != 0 {
            return Err(borrowed(shared, write));
        }
        let free = word & busy == 0 && word & READERS < READERS;
        if free && shared.access.compare_exchange_weak(word, word + mine, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            return Ok(());
        }
        wait(&mut tries);
    }
}

/// Kernels are short: spin for a moment, then let other threads run.
fn wait(tries: &mut u32) {
    *tries += 1;
    #[cfg(loom)]
    return loom::thread::yield_now();
    #[cfg(not(loom))]
    match *tries {
        0..100 => std::hint::spin_loop(),
        100..1000 => std::thread::yield_now(),
        _ => std::thread::sleep(std::time::Duration::from_micros(50)),
    }
}

#[cold]
fn borrowed(shared: &Shared, write: bool) -> Error {
    // SAFETY: only `Guard::acquire` stores here, and only `'static` references.
    let location = unsafe { shared.guard.load(Ordering::Acquire).as_ref() };
    let guard = location.map_or_else(|| "another line".to_owned(), ToString::to_string);
    Error::Borrowed { wanted: if write { "write" } else { "read" }, guard }
}

impl Storage {
    /// Gives `f` the bytes `range` of host memory, to which no kernel writes meanwhile: for files, which are written from the
    /// memory itself. Kernels that want to write wait, so the range should be short.
    ///
    /// # Errors
    /// When a user's guard is writing, the memory is a device's, or the range reaches beyond it.
    pub fn with_host_bytes<R>(&self, range: Range<usize>, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let _shared = Access::acquire_in_order(SmallVec::from_iter([(&*self.0, false)]))?;
        if !self.device_name().is_host() || range.start > range.end || range.end > self.nbytes() {
            return Err(Error::runtime("these bytes are not the host's"));
        }
        // SAFETY: host memory has `nbytes` initialised bytes at `host_ptr`, the range lies within; the access word, held until
        // `f` returns, keeps writers out, and `replace_host` too.
        let bytes = unsafe { std::slice::from_raw_parts(self.host_ptr().add(range.start), range.len()) };
        Ok(f(bytes))
    }
}

/// A user's right to look at (or change) a storage's memory for as long as the guard lives.
pub struct Guard {
    shared: Arc<Shared>,
    write: bool,
}

impl Guard {
    /// Marks `storage`; waits for kernels, fails against other guards that conflict.
    #[track_caller]
    pub fn acquire(storage: &Storage, write: bool) -> Result<Self> {
        let shared = storage.0.clone();
        let (conflict, busy, mine) = match write {
            true => (GUARD_READERS | GUARD_WRITER, READERS | WRITER, GUARD_WRITER),
            false => (GUARD_WRITER, WRITER, GUARD_READER),
        };
        let mut tries = 0;
        loop {
            let word = shared.access.load(Ordering::Relaxed);
            if word & conflict != 0 {
                return Err(borrowed(&shared, write));
            }
            let free = word & busy == 0 && word & GUARD_READERS < GUARD_READERS;
            if free
                && shared.access.compare_exchange_weak(word, word + mine, Ordering::Acquire, Ordering::Relaxed).is_ok()
            {
                break;
            }
            wait(&mut tries);
        }
        shared.guard.store(std::ptr::from_ref(Location::caller()).cast_mut(), Ordering::Release);
        Ok(Guard { shared, write })
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mine = if self.write { GUARD_WRITER } else { GUARD_READER };
        self.shared.access.fetch_sub(mine, Ordering::Release);
    }
}
