//! Storages that stay in the file: its pages are read when they are first used, and written only in memory.

use super::Opened;
use crate::{Error, Result};
use flambeau_tensor::{DType, HostBlock};
use memmap2::{MmapOptions, MmapRaw};
use std::{fs::File, path::Path, ptr::NonNull, sync::Arc};

/// Each storage's block of a private map of the file; `None` where the bytes must be read: they are compressed, turned round,
/// not aligned, or truth values, which must be 0 or 1. As with PyTorch's `mmap=True`, checksums are not compared, and nobody may
/// shorten the file while it is mapped.
pub(crate) fn map(opened: &mut Opened<'_>, path: &Path) -> Result<Vec<Option<HostBlock>>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    // SAFETY: the map is private, so that no write of ours reaches the file; what others write to it while it is mapped may or
    // may not be seen, as any element values are valid; shortening it is excluded above.
    let pages = unsafe { MmapOptions::new().map_copy(&file) }.map_err(Error::io("map", path))?;
    let pages = Arc::new(MmapRaw::from(pages));
    let mut places = Vec::new();
    for index in 0..opened.storages.len() {
        let (bytes, holds_bool) = (opened.storages[index].bytes, opened.storages[index].holds_bool);
        let unit = opened.storages[index].dtype.map_or(1, DType::size) as u64;
        let start = if bytes == 0 || holds_bool { None } else { opened.place(index)? };
        places.push(start.filter(|start| start.is_multiple_of(unit)).map(|start| (start, bytes as u64)));
    }
    let mut taken: Vec<(u64, u64)> = places.iter().copied().flatten().collect();
    taken.sort_unstable();
    let fits = |&(start, len): &(u64, u64)| start.checked_add(len).is_some_and(|end| end <= pages.len() as u64);
    if !taken.iter().all(fits) || taken.windows(2).any(|pair| pair[0].0 + pair[0].1 > pair[1].0) {
        return Err(Error::corrupt(path, "its storages lie over each other or beyond its end"));
    }
    let block = |(start, len): (u64, u64)| {
        let ptr = NonNull::new(pages.as_mut_ptr().wrapping_add(start as usize))?;
        // SAFETY: the bytes lie within the map, which the block's owner keeps; no two blocks overlap, as checked above, and
        // nobody else has the map.
        Some(unsafe { HostBlock::from_owner(ptr, len as usize, Box::new(pages.clone())) })
    };
    Ok(places.into_iter().map(|place| place.and_then(block)).collect())
}
