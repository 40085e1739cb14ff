//! An array's elements to and from files, a block at a time, so that no second copy of them lies in memory.

use crate::{Error, Result};
use flambeau_tensor::dims::contiguous_strides;
use flambeau_tensor::{Array, DType, Device, HostBlock, Storage};
use memmap2::MmapOptions;
use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::Path;
use std::ptr::NonNull;

/// What is read at a time; a multiple of every element's size.
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

/// Takes the next bytes of what is written.
pub(crate) type Take<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// Why bytes were not written.
pub(crate) enum Stop {
    /// They could not be had.
    Memory(flambeau_tensor::Error),
    /// The file took no more.
    File(io::Error),
}

impl From<flambeau_tensor::Error> for Stop {
    fn from(error: flambeau_tensor::Error) -> Self {
        Stop::Memory(error)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::File(error)
    }
}

/// Bytes of a host's memory that are written at once: as much as stays in a core's cache between checksum and copy.
const HOST_PART: usize = 1 << 18;
/// Bytes that are brought from a device at once.
const DEVICE_PART: usize = 1 << 26;

/// Gives `bytes` of a storage to `take`, part by part, from the memory itself where it is the host's.
pub(crate) fn in_parts(storage: &Storage, dtype: DType, bytes: Range<usize>, take: Take<'_>) -> Result<(), Stop> {
    let is_host = storage.device_name().is_host();
    let step = if is_host { HOST_PART } else { DEVICE_PART };
    for start in bytes.clone().step_by(step) {
        let end = bytes.end.min(start + step);
        if is_host {
            storage.with_host_bytes(start..end, &mut *take)??;
            continue;
        }
        let shape = std::iter::once((end - start) / dtype.size()).collect();
        let strides = std::iter::once(1).collect();
        let part = Array::from_parts(storage.clone(), dtype, shape, strides, start / dtype.size())?;
        let mut copy = vec![0; end - start];
        storage.backend().download(&part, &mut copy)?;
        take(&copy)?;
    }
    Ok(())
}

/// Writes the elements of a dense array in the order of memory, little-endian.
pub(crate) fn write(array: &Array, out: &mut impl Write) -> io::Result<()> {
    let size = array.dtype().size();
    let start = array.offset() * size;
    let bytes = start..start + array.numel() * size;
    in_parts(array.storage(), array.dtype(), bytes, &mut |part| out.write_all(part)).map_err(|stop| match stop {
        Stop::Memory(error) => io::Error::other(error),
        Stop::File(error) => error,
    })
}

/// Turns each group of `size` bytes round.
pub(crate) fn swap_bytes(bytes: &mut [u8], size: usize) {
    if size > 1 {
        bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
    }
}

/// Makes bools of bytes: a file may hold any byte, in memory a bool is 0 or 1.
pub(crate) fn to_bools(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|b| *b = u8::from(*b != 0));
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
            _ => Error::reading(path)(e),
        })?;
        if dtype == DType::Bool {
            to_bools(&mut block);
        }
        if order == Order::Big {
            swap_bytes(&mut block, dtype.size());
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
    let strides = contiguous_strides(shape);
    Array::from_parts(storage, dtype, shape.iter().copied().collect(), strides, 0).ok()
}
