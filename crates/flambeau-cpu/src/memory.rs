//! Storages in host memory.

use crate::alloc;
use flambeau_tensor::access::Access;
use flambeau_tensor::{Array, Backend, Device, Error, HostBlock, Result, Storage};

/// A block of `nbytes` initialised bytes from the caching allocator.
fn block(nbytes: usize) -> Result<HostBlock> {
    let (ptr, capacity) = alloc::alloc(nbytes).ok_or(Error::OutOfMemory { device: Device::Cpu, bytes: nbytes })?;
    // SAFETY: the allocator hands out initialised memory of this capacity, and `free` takes it back.
    Ok(unsafe { HostBlock::from_allocator(ptr, nbytes, capacity, alloc::free) })
}

/// Fresh memory: inside the storage itself where it is small.
pub fn allocate(backend: &'static dyn Backend, nbytes: usize) -> Result<Storage> {
    match Storage::inline(backend, nbytes) {
        Some(storage) => Ok(storage),
        None => Ok(Storage::host(backend, block(nbytes)?)),
    }
}

/// Replaces a storage's memory by a larger one with the same bytes at its front and zeros behind them.
pub fn grow(storage: &Storage, nbytes: usize) -> Result<()> {
    let block = block(nbytes)?;
    storage.replace_host(block)
}

/// Writes bytes to a dense array that has as many.
pub fn upload(bytes: &[u8], out: &Array) -> Result<()> {
    let _access = Access::acquire(&[], &[out])?;
    // SAFETY: the array's bytes are one block of this length in host memory, which is ours under the lock.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), out.host_ptr(), bytes.len()) };
    Ok(())
}

/// Reads a dense array into as many bytes as it has.
pub fn download(src: &Array, bytes: &mut [u8]) -> Result<()> {
    let _access = Access::acquire(&[src], &[])?;
    // SAFETY: as in `upload`.
    unsafe { std::ptr::copy_nonoverlapping(src.host_ptr(), bytes.as_mut_ptr(), bytes.len()) };
    Ok(())
}
