//! Blocks from the system: the global allocator for most, whole mappings with huge pages for the large ones.

use std::alloc::Layout;
use std::ptr::NonNull;

/// From this many bytes on, blocks are aligned to it and ask for huge pages.
const HUGE: usize = 2 << 20;

fn layout(capacity: usize) -> Option<Layout> {
    Layout::from_size_align(capacity, if capacity >= HUGE { HUGE } else { super::ALIGN }).ok()
}

/// A block of `capacity > 0` zero bytes, or `None` where there is no memory.
pub fn alloc_zeroed(capacity: usize) -> Option<NonNull<u8>> {
    #[cfg(target_os = "linux")]
    if capacity >= HUGE {
        return map_huge(capacity);
    }
    // SAFETY: the capacity is not 0.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(layout(capacity)?) })
}

/// # Safety
/// `block` came from [`alloc_zeroed`] with the same `capacity`.
pub unsafe fn free(block: NonNull<u8>, capacity: usize) {
    #[cfg(target_os = "linux")]
    if capacity >= HUGE {
        // SAFETY: `map_huge` mapped exactly these bytes.
        unsafe { libc::munmap(block.as_ptr().cast(), capacity) };
        return;
    }
    if let Some(layout) = layout(capacity) {
        // SAFETY: `alloc_zeroed` used the same layout.
        unsafe { std::alloc::dealloc(block.as_ptr(), layout) };
    }
}

/// Maps `capacity` bytes, a multiple of the page size, at an address that huge pages can back. The standard library's
/// aligned zeroed allocation would write every page before huge pages could be asked for.
#[cfg(target_os = "linux")]
fn map_huge(capacity: usize) -> Option<NonNull<u8>> {
    use std::ptr::null_mut;
    let mapped = capacity.checked_add(HUGE)?;
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: a new anonymous mapping touches no existing memory.
    let start = unsafe { libc::mmap(null_mut(), mapped, access, kind, -1, 0) };
    if start == libc::MAP_FAILED {
        return None;
    }
    let head = start.cast::<u8>().align_offset(HUGE);
    let block = start.cast::<u8>().wrapping_add(head);
    // SAFETY: head and tail lie inside the mapping made above and outside the block that is handed out.
    unsafe {
        if head > 0 {
            libc::munmap(start, head);
        }
        libc::munmap(block.wrapping_add(capacity).cast(), HUGE - head);
        // Advice only: where the kernel has no huge pages, small ones serve.
        libc::madvise(block.cast(), capacity, libc::MADV_HUGEPAGE);
    }
    NonNull::new(block)
}

/// More than this no test needs; each byte is written, and a sanitizer's allocator ends the program where it has no more.
const LARGEST_EXACT: usize = 1 << 30;

/// A block of exactly `nbytes > 0` zero bytes, or `None` where there is no memory.
pub fn alloc_exact(nbytes: usize) -> Option<NonNull<u8>> {
    let layout = Layout::from_size_align(nbytes, super::ALIGN).ok().filter(|_| nbytes <= LARGEST_EXACT)?;
    // SAFETY: the size is not 0.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })
}

/// # Safety
/// `block` came from [`alloc_exact`] with the same `nbytes`.
pub unsafe fn free_exact(block: NonNull<u8>, nbytes: usize) {
    if let Ok(layout) = Layout::from_size_align(nbytes, super::ALIGN) {
        // SAFETY: `alloc_exact` used the same layout.
        unsafe { std::alloc::dealloc(block.as_ptr(), layout) };
    }
}
