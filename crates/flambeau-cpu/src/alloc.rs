//! Memory for storages: an allocator that keeps freed blocks for reuse.
//!
//! Fresh pages from the system cost more than most kernels that fill them, so freed blocks are kept: small ones in a
//! cache of each thread, without locks or atomics; the others in one shared cache, from which the least recently freed
//! go back to the system when too much is cached. Large blocks are aligned for huge pages and ask for them.
//!
//! Bytes of a block are always initialised: fresh memory is zero, a reused block holds what was last written to it,
//! except that its first bytes may have served as a link.
//!
//! With `--cfg flambeau_exact_alloc` each block is an allocation of its own, of exactly the bytes that were asked for, which
//! nobody reuses: so that AddressSanitizer sees a kernel that reads one element too many.

mod shared;
mod system;

use std::cell::RefCell;
use std::ptr::NonNull;

/// Blocks of at most this many bytes go through the thread's own cache.
const SMALL: usize = 64 << 10;
/// Size classes up to [`SMALL`].
const SMALL_CLASSES: usize = class_of(SMALL) + 1;
/// Every block's alignment at least.
const ALIGN: usize = 64;
/// What a thread may keep of one class, in bytes (but at least 4 blocks, and at most 256).
const LOCAL_BYTES_PER_CLASS: usize = 256 << 10;
/// A thread reports its counts to [`stats`] when they have changed by more than this.
const UNREPORTED: isize = 1 << 20;

/// The size class of `nbytes > 0`: multiples of 64 up to 256 bytes, then four steps per doubling.
const fn class_of(nbytes: usize) -> usize {
    let units = nbytes.div_ceil(ALIGN);
    if units <= 4 {
        return units - 1;
    }
    let log = (units - 1).ilog2() as usize;
    4 * (log - 1) + (((units - 1) >> (log - 2)) & 3)
}

/// The bytes of a block of class `class`, the inverse of [`class_of`].
const fn capacity_of(class: usize) -> usize {
    if class < 4 {
        return (class + 1) * ALIGN;
    }
    (5 + class % 4) << (class / 4 - 1 + ALIGN.ilog2() as usize)
}

/// What the allocator holds, in bytes. Counts of other threads lag behind by up to 1 MiB each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// In blocks that are in use (their capacities).
    pub live_bytes: usize,
    /// In freed blocks that are kept for reuse, the threads' own caches included.
    pub cached_bytes: usize,
    /// The most that `live_bytes` was in the last seconds; it sets how much is kept.
    pub recent_peak_bytes: usize,
}

/// A freed small block holds the link to the next one in its first bytes.
struct Link {
    next: Option<NonNull<Link>>,
}

/// One thread's freed small blocks.
struct Local {
    heads: [Option<NonNull<Link>>; SMALL_CLASSES],
    counts: [u16; SMALL_CLASSES],
    /// Changes that the shared counts do not hold yet.
    live: isize,
    cached: isize,
}

thread_local! {
    static LOCAL: RefCell<Local> = const {
        RefCell::new(Local { heads: [None; SMALL_CLASSES], counts: [0; SMALL_CLASSES], live: 0, cached: 0 })
    };
}

impl Local {
    #[inline]
    fn pop(&mut self, class: usize) -> Option<NonNull<u8>> {
        let block = self.heads[class]?;
        // SAFETY: blocks in the list are ours alone, and `push` wrote a Link into each.
        self.heads[class] = unsafe { block.read() }.next;
        self.counts[class] -= 1;
        self.cached -= capacity_of(class) as isize;
        Some(block.cast())
    }

    /// # Safety
    /// `block` has class `class` and nobody uses it.
    #[inline]
    unsafe fn push(&mut self, class: usize, block: NonNull<u8>) {
        let block = block.cast::<Link>();
        // SAFETY: a block has at least 64 bytes, aligned to 64, and the caller gave it up.
        unsafe { block.write(Link { next: self.heads[class] }) };
        self.heads[class] = Some(block);
        self.counts[class] += 1;
        self.cached += capacity_of(class) as isize;
    }

    /// Hands blocks of `class` to the shared cache until `keep` are left.
    #[cold]
    fn shrink(&mut self, class: usize, keep: u16) {
        let mut surplus = Vec::with_capacity(usize::from(self.counts[class].saturating_sub(keep)));
        while self.counts[class] > keep {
            surplus.extend(self.pop(class));
        }
        let (live, local) = (std::mem::take(&mut self.live), std::mem::take(&mut self.cached));
        // SAFETY: the blocks come from this thread's list of that class, and have left it.
        unsafe { shared::put(class, &surplus, live, local) };
    }

    #[cold]
    fn report(&mut self) {
        shared::count(std::mem::take(&mut self.live), std::mem::take(&mut self.cached));
    }

    #[inline]
    fn count_live(&mut self, change: isize) {
        self.live += change;
        if self.live.abs() > UNREPORTED {
            self.report();
        }
    }

    fn release_all(&mut self) {
        for class in 0..SMALL_CLASSES {
            if self.counts[class] > 0 {
                self.shrink(class, 0);
            }
        }
        self.report();
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.release_all();
    }
}

/// How many blocks of each small class one thread keeps.
const LOCAL_LIMITS: [u16; SMALL_CLASSES] = {
    let mut limits = [256; SMALL_CLASSES];
    let mut class = 0;
    while class < SMALL_CLASSES {
        let n = LOCAL_BYTES_PER_CLASS / capacity_of(class);
        if n < 256 {
            limits[class] = n as u16;
        }
        class += 1;
    }
    limits
};

/// A block of at least `nbytes` bytes, aligned to 64 bytes (to 2 MiB from that size on), and its capacity: at most a
/// quarter above `nbytes` once `nbytes` exceeds 256. All bytes are initialised, but their values are arbitrary. `None`
/// where the system gives no memory. The block is to be given back to [`free`].
#[inline]
pub fn alloc(nbytes: usize) -> Option<(NonNull<u8>, usize)> {
    let nbytes = nbytes.max(1);
    if cfg!(flambeau_exact_alloc) {
        return Some((system::alloc_exact(nbytes)?, nbytes));
    }
    if nbytes <= SMALL {
        let class = class_of(nbytes);
        let capacity = capacity_of(class);
        let reused = LOCAL.try_with(|local| {
            let mut local = local.borrow_mut();
            let block = local.pop(class)?;
            local.count_live(capacity as isize);
            Some(block)
        });
        if let Ok(Some(block)) = reused {
            return Some((block, capacity));
        }
    }
    alloc_shared(nbytes)
}

#[cold]
fn alloc_shared(nbytes: usize) -> Option<(NonNull<u8>, usize)> {
    if nbytes > isize::MAX as usize / 2 {
        return None;
    }
    let class = class_of(nbytes);
    let capacity = capacity_of(class);
    if let Some(block) = shared::take(class) {
        return Some((block, capacity));
    }
    let fresh = system::alloc_zeroed(capacity).or_else(|| {
        empty_cache();
        system::alloc_zeroed(capacity)
    })?;
    shared::count(capacity as isize, 0);
    Some((fresh, capacity))
}

/// Takes a block back, on any thread.
///
/// # Safety
/// `block` and `capacity` came from one call of [`alloc`], and nobody uses the block any more.
#[inline]
pub unsafe fn free(block: NonNull<u8>, capacity: usize) {
    if cfg!(flambeau_exact_alloc) {
        // SAFETY: `alloc` took the block from there.
        return unsafe { system::free_exact(block, capacity) };
    }
    let class = class_of(capacity);
    if capacity <= SMALL {
        let kept = LOCAL.try_with(|local| {
            let mut local = local.borrow_mut();
            // SAFETY: the caller gave the block up, and its capacity names its class.
            unsafe { local.push(class, block) };
            local.count_live(-(capacity as isize));
            if local.counts[class] > LOCAL_LIMITS[class] {
                local.shrink(class, LOCAL_LIMITS[class] / 2);
            }
        });
        if kept.is_ok() {
            return;
        }
    }
    // SAFETY: as above.
    unsafe { shared::put(class, &[block], -(capacity as isize), 0) };
}

/// What is in use and what is kept for reuse.
pub fn stats() -> Stats {
    // A thread that is being torn down has nothing left to report.
    let _ = LOCAL.try_with(|local| local.borrow_mut().report());
    shared::stats()
}

/// Gives every freed block back to the system, except those in other threads' own caches (at most 9 MiB each). Mirrors
/// `torch.cuda.empty_cache`.
pub fn empty_cache() {
    // As in `stats`.
    let _ = LOCAL.try_with(|local| local.borrow_mut().release_all());
    shared::empty();
}

// Exact blocks have neither classes nor caches.
#[cfg(all(test, not(flambeau_exact_alloc)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn filled(nbytes: usize, byte: u8) -> (NonNull<u8>, usize) {
        let (block, capacity) = alloc(nbytes).unwrap();
        // SAFETY: the block has `capacity` bytes and is ours.
        unsafe { block.as_ptr().write_bytes(byte, capacity) };
        (block, capacity)
    }

    fn holds(block: NonNull<u8>, capacity: usize, byte: u8) -> bool {
        // SAFETY: callers pass a live block of theirs.
        unsafe { std::slice::from_raw_parts(block.as_ptr(), capacity) }.iter().all(|&b| b == byte)
    }

    /// For tests that another test's `empty_cache` would disturb.
    fn undisturbed() -> std::sync::MutexGuard<'static, ()> {
        static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
        ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    #[test]
    fn classes_and_capacities_are_inverse() {
        for class in 0..200 {
            let capacity = capacity_of(class);
            assert_eq!(class_of(capacity), class);
            assert_eq!(class_of(capacity + 1), class + 1);
        }
        for nbytes in 1..100_000usize {
            let capacity = capacity_of(class_of(nbytes));
            assert!(capacity >= nbytes && capacity.is_multiple_of(ALIGN));
            assert!(capacity - nbytes < ALIGN || (capacity - nbytes) * 4 <= nbytes, "{nbytes} {capacity}");
        }
    }

    #[test]
    fn a_freed_block_is_reused_with_its_bytes() {
        let _alone = undisturbed();
        for nbytes in [200, 64 << 10, 65 << 10, 3 << 20] {
            let (first, capacity) = filled(nbytes, 7);
            // SAFETY: allocated above, used no more.
            unsafe { free(first, capacity) };
            let (second, same) = alloc(nbytes - 1).unwrap();
            assert_eq!(capacity, same);
            if nbytes <= SMALL {
                assert_eq!(first, second);
                // SAFETY: the block is ours and larger than 8 bytes.
                assert_eq!(unsafe { second.add(8).read() }, 7);
            }
            // SAFETY: as above.
            unsafe { free(second, same) };
        }
    }

    #[test]
    fn fresh_blocks_are_zero_and_aligned() {
        // A size that no other test uses, in a thread with an empty cache.
        for (nbytes, align) in [(2000, 64), (100_000, 64), ((2 << 20) + 1, 2 << 20), (11 << 20, 2 << 20)] {
            let block = system::alloc_zeroed(capacity_of(class_of(nbytes))).unwrap();
            assert!(holds(block, nbytes, 0));
            assert_eq!(block.as_ptr() as usize % align, 0);
            // SAFETY: it came from `system::alloc_zeroed` with this capacity.
            unsafe { system::free(block, capacity_of(class_of(nbytes))) };
        }
    }

    #[test]
    fn an_impossible_size_is_none() {
        let _alone = undisturbed();
        assert!(alloc(usize::MAX).is_none());
        assert!(alloc(isize::MAX as usize / 2).is_none());
        assert!(alloc(1 << 46).is_none());
    }

    #[test]
    fn blocks_travel_between_threads() {
        let (sender, receiver) = std::sync::mpsc::channel::<(usize, usize, u8)>();
        let consumer = std::thread::spawn(move || {
            for (address, capacity, byte) in receiver {
                let block = NonNull::new(address as *mut u8).unwrap();
                assert!(holds(block, capacity, byte));
                // SAFETY: the producer gave the block up.
                unsafe { free(block, capacity) };
            }
        });
        for i in 0..20_000usize {
            let (block, capacity) = filled(1 + i * 97 % 5000, i as u8);
            sender.send((block.as_ptr() as usize, capacity, i as u8)).unwrap();
        }
        drop(sender);
        consumer.join().unwrap();
    }

    #[test]
    fn an_ended_thread_leaves_its_cache_to_the_others() {
        let _alone = undisturbed();
        // 40 KiB blocks: the thread keeps 6 of the 100 at most, and those it keeps must reach the shared cache at its end.
        let addresses = |n: usize| {
            let blocks: Vec<_> = (0..n).map(|_| alloc(40 << 10).unwrap()).collect();
            let addresses: Vec<usize> = blocks.iter().map(|b| b.0.as_ptr() as usize).collect();
            // SAFETY: allocated above, used no more.
            blocks.into_iter().for_each(|(block, capacity)| unsafe { free(block, capacity) });
            addresses
        };
        let theirs = std::thread::spawn(move || addresses(4)).join().unwrap();
        let ours = addresses(200);
        assert!(theirs.iter().any(|a| ours.contains(a)), "{theirs:x?}");
    }

    #[test]
    fn stats_follow_a_block() {
        let _alone = undisturbed();
        let before = stats().live_bytes;
        let (block, capacity) = alloc(300 << 20).unwrap();
        assert!(stats().live_bytes + (64 << 20) >= before + capacity);
        assert!(stats().recent_peak_bytes >= capacity);
        // SAFETY: allocated above, used no more.
        unsafe { free(block, capacity) };
        empty_cache();
        assert!(stats().live_bytes <= before + (64 << 20));
    }

    proptest! {
        #[test]
        fn live_blocks_never_overlap(steps in prop::collection::vec((any::<bool>(), 1usize..300_000), 1..200)) {
            let mut live: HashMap<u8, (NonNull<u8>, usize)> = HashMap::new();
            for (i, (give_back, nbytes)) in steps.into_iter().enumerate() {
                let byte = i as u8;
                let key = if give_back { live.keys().next().copied() } else { None };
                if let Some(key) = key {
                    let (block, capacity) = live.remove(&key).unwrap();
                    prop_assert!(holds(block, capacity, key));
                    // SAFETY: it was live and is used no more.
                    unsafe { free(block, capacity) };
                } else {
                    let (block, capacity) = filled(nbytes, byte);
                    prop_assert!(capacity >= nbytes && (block.as_ptr() as usize).is_multiple_of(ALIGN));
                    live.insert(byte, (block, capacity));
                }
            }
            for (byte, (block, capacity)) in live {
                prop_assert!(holds(block, capacity, byte));
                // SAFETY: as above.
                unsafe { free(block, capacity) };
            }
        }
    }
}
