//! Work memory that each thread keeps between calls, so that a product in a training loop allocates nothing.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::RefCell;

/// Blocks above this size go back to the system after use.
const KEEP: usize = 64 << 20;
/// Cache-line and AVX-512 alignment.
const ALIGN: usize = 64;

struct Block {
    ptr: *mut u8,
    bytes: usize,
}

impl Block {
    fn new(bytes: usize) -> Block {
        let layout = Layout::from_size_align(bytes, ALIGN).expect("work memory exceeds the address space");
        // Zeroed, so that its bytes are initialised whoever uses them; large blocks come zeroed from the system.
        // SAFETY: `Scratch::new` asks for at least `ALIGN` bytes, so the layout is not empty.
        let ptr = unsafe { alloc_zeroed(layout) };
        if ptr.is_null() {
            handle_alloc_error(layout)
        }
        Block { ptr, bytes }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: `ptr` came from `alloc` with this layout.
        unsafe { dealloc(self.ptr, Layout::from_size_align_unchecked(self.bytes, ALIGN)) }
    }
}

thread_local! {
    static FREE: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

/// Work memory that goes back to its thread's stock when dropped. Its bytes are initialised, and arbitrary.
pub(crate) struct Scratch<T> {
    block: Option<Block>,
    ptr: *mut T,
}

impl<T: Copy> Scratch<T> {
    /// Room for `len` elements, aligned to a cache line. Several may be held at once.
    pub(crate) fn new(len: usize) -> Scratch<T> {
        let bytes = len.checked_mul(size_of::<T>()).expect("work memory exceeds the address space").max(ALIGN);
        let block = FREE.with_borrow_mut(|free| {
            // The tightest block that fits; else a small one makes way for the larger one that this size needs.
            let fit = (0..free.len()).filter(|&i| free[i].bytes >= bytes).min_by_key(|&i| free[i].bytes);
            match fit {
                // A sanitizer is to see what is read past the end.
                _ if cfg!(flambeau_exact_alloc) => Block::new(bytes),
                Some(i) => free.swap_remove(i),
                None => {
                    free.pop();
                    Block::new(bytes.next_multiple_of(4096))
                }
            }
        });
        Scratch { ptr: block.ptr.cast(), block: Some(block) }
    }

    /// The first element.
    #[inline(always)]
    pub(crate) fn ptr(&self) -> *mut T {
        self.ptr
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        if let Some(block) = self.block.take().filter(|block| block.bytes <= KEEP && !cfg!(flambeau_exact_alloc)) {
            FREE.with_borrow_mut(|free| free.push(block));
        }
    }
}

// Exact blocks are not kept.
#[cfg(all(test, not(flambeau_exact_alloc)))]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_reused_and_nest() {
        let first = Scratch::<f32>::new(1000).ptr() as usize;
        let again = Scratch::<f32>::new(1000);
        assert_eq!(again.ptr() as usize, first);
        assert_ne!(Scratch::<f64>::new(500).ptr() as usize, first);
        assert_eq!(first % ALIGN, 0);
    }
}
