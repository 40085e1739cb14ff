//! An array's elements to and from files, a block at a time, so that no second copy of them lies in memory.

use crate::{Error, Result};
use flambeau_tensor::{Array, DType, Device, Dims, HostBlock, Storage};
use memmap2::MmapOptions;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::ptr::NonNull;

/// What is read or written at a time; a multiple of every element's size.
const BLOCK: usize = 1 << 20;

/// From this size on a tensor is mapped rather than read.
const MAPPED_FROM: usize = 1 << 20;

/// The elements of a dense array, in the order of memory, in parts of at most [`BLOCK`] bytes.
fn parts(array: &Array) -> impl Iterator<Item = flambeau_tensor::Result<Array>> {
    let (each, total) = (BLOCK / array.dtype().size(), array.numel());
    (0..total.div_ceil(each)).map(move |i| {
        let len = each.min(total - i * each);
        let (shape, strides) = (std::iter::once(len).collect(), std::iter::once(1).collect());
        Array::from_parts(array.storage().clone(), array.dtype(), shape, strides, array.offset() + i * each)
    })
}

/// Writes the elements of a dense array in the order of memory, little-endian.
pub(crate) fn write(array: &Array, out: &mut impl Write) -> io::Result<()> {
    let mut block = Vec::new();
    for part in parts(array) {
        let part = part.map_err(io::Error::other)?;
        block.resize(part.numel() * part.dtype().size(), 0);
        part.backend().download(&part, &mut block).map_err(io::Error::other)?;
        out.write_all(&block)?;
    }
    Ok(())
}

/// How the bytes of elements lie in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The lowest byte first, as in memory.
    Little,
    /// The highest byte first.
    Big,
}

/// Fresh memory of that shape, row by row, filled from a reader. The caller has checked that the reader has so much.
pub(crate) fn read(
    from: &mut impl Read,
    device: Device,
    dtype: DType,
    shape: &[usize],
    order: Order,
    path: &Path,
) -> Result<Array> {
    let memory = |source| Error::Memory { path: path.to_owned(), source };
    let backend = flambeau_device::backend(device).map_err(memory)?;
    let array = Array::empty(backend, device, shape, dtype).map_err(memory)?;
    let mut block = Vec::new();
    for part in parts(&array) {
        let part = part.map_err(memory)?;
        block.resize(part.numel() * dtype.size(), 0);
        from.read_exact(&mut block).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => Error::corrupt(path, format!("it ends within the elements of a {shape:?}")),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Error::corrupt(path, e.to_string()),
            _ => Error::io("read", path)(e),
        })?;
        if dtype == DType::Bool {
            // A file may hold any byte; in memory a bool is 0 or 1.
            block.iter_mut().for_each(|b| *b = u8::from(*b != 0));
        }
        if order == Order::Big {
            block.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
        }
        backend.upload(&block, &part).map_err(memory)?;
    }
    Ok(array)
}

/// A tensor over a file's own pages, which the system reads when they are touched; what is written to it stays in memory.
/// `None` for what is better read: a small tensor, one that does not lie as its elements must, one for another device.
///
/// As with every mapped file, whoever truncates it while the tensor lives ends the program; files that are written as this
/// crate writes them, under another name first, leave the old one whole.
pub(crate) fn map(file: &File, at: u64, device: Device, dtype: DType, shape: &[usize]) -> Option<Array> {
    let bytes = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d))?;
    let mapped = cfg!(target_endian = "little") && device.is_host() && dtype != DType::Bool;
    if !mapped || bytes < MAPPED_FROM || !at.is_multiple_of(dtype.size() as u64) {
        return None;
    }
    // SAFETY: the map is private, so nobody else writes to its pages once they are in memory. That nobody truncates or
    // rewrites the file in place meanwhile is the caller's promise to the system, as for every mapped file.
    let mut map = unsafe { MmapOptions::new().offset(at).len(bytes).map_copy(file) }.ok()?;
    let first = NonNull::new(map.as_mut_ptr())?;
    // SAFETY: the map moves into the block, which keeps its pages where they are; they may be read and written, and only
    // this storage has them.
    let block = unsafe { HostBlock::from_owner(first, bytes, Box::new(map)) };
    let storage = Storage::host(flambeau_device::backend(device).ok()?, block);
    // No length is zero, for there are bytes.
    let mut strides: Dims = shape.iter().copied().collect();
    let mut step = 1;
    for stride in strides.iter_mut().rev() {
        step *= std::mem::replace(stride, step);
    }
    Array::from_parts(storage, dtype, shape.iter().copied().collect(), strides, 0).ok()
}
