//! The format before PyTorch 1.6, still written with `_use_new_zipfile_serialization=False`: five pickles one behind the
//! other (a magic number, the protocol's version, the machine's properties, the value, the keys of the storages), then each
//! storage as the number of its elements and the elements, always little-endian, whatever the machine.

use crate::{
    Error, Result,
    pickle::{self, Context, Input, StorageEntry},
    value::Value,
};
use flambeau_tensor::DType;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

/// PyTorch's magic number, little-endian as a pickle has it, and in the decimal digits of protocols 0 and 1.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const MAGIC_DIGITS: &[u8] = b"L119547037146038801333356L\n";
const PROTOCOL_VERSION: i64 = 1001;

/// A value, its storages, and where each of them starts in the file.
pub(super) type Parts = (Value, Vec<StorageEntry>, Vec<u64>);

/// Whether a file that starts so is of this format.
pub(super) fn starts_one(start: &[u8]) -> bool {
    // Protocols 4 and 5 have a frame of 11 bytes before it.
    let head = &start[..start.len().min(32)];
    head.starts_with(MAGIC_DIGITS) || (head.starts_with(&[0x80]) && head.windows(10).any(|bytes| bytes == MAGIC))
}

pub(super) fn read(file: &mut File, file_len: u64, path: &Path) -> Result<Parts> {
    let mut context = Context::default();
    let mut input = Input::new(file, file_len, path);
    let magic = pickle::read(&mut input, &mut context)?;
    if magic != Value::BigInt(MAGIC.to_vec()) {
        return Err(Error::corrupt(path, "Invalid magic number"));
    }
    let version = pickle::read(&mut input, &mut context)?;
    if version != Value::Int(PROTOCOL_VERSION) {
        return Err(Error::unsupported(path, "Invalid protocol version"));
    }
    // The machine that wrote it: PyTorch reads it and does not look at it.
    pickle::read(&mut input, &mut context)?;
    let value = pickle::read(&mut input, &mut context)?;
    let keys = pickle::read(&mut input, &mut context)?;
    let position = input.position();

    let storages = context.storages;
    let mut starts = vec![None; storages.entries.len()];
    let mut walk = Walk { file, position, file_len, path };
    for key in keys.as_slice().ok_or_else(|| Error::corrupt(path, "it has no list of storages"))? {
        let key = match key {
            Value::Str(key) => key.clone(),
            Value::Int(key) => key.to_string(),
            _ => return Err(Error::corrupt(path, "the key of a storage is no text")),
        };
        let Some(index) = storages.find(&key) else {
            return Err(Error::corrupt(path, format!("storage key '{key}' not found in deserialized_objects")));
        };
        if starts[index].is_some() {
            return Err(Error::corrupt(path, format!("storage {key} comes twice")));
        }
        starts[index] = Some(walk.storage(&storages.entries[index])?);
    }
    let starts = starts_of(&storages.entries, starts, path)?;
    Ok((value, storages.entries, starts))
}

/// The start of each storage, all of which must be there unless the pickle has their bytes.
pub(super) fn starts_of(entries: &[StorageEntry], starts: Vec<Option<u64>>, path: &Path) -> Result<Vec<u64>> {
    let found = |(entry, start): (&StorageEntry, Option<u64>)| match start {
        Some(start) => Ok(start),
        None if entry.data.is_some() => Ok(0),
        None => Err(Error::corrupt(path, format!("storage {} is missing", entry.key))),
    };
    entries.iter().zip(starts).map(found).collect()
}

/// A walk over storages that lie one behind the other.
pub(super) struct Walk<'a> {
    pub file: &'a mut File,
    pub position: u64,
    pub file_len: u64,
    pub path: &'a Path,
}

impl Walk<'_> {
    /// The number of elements that stands at the position.
    pub fn count(&mut self) -> Result<u64> {
        let mut count = [0; 8];
        let at = self.skip(8)?;
        let read = self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(&mut count));
        read.map_err(Error::io("read", self.path))?;
        Ok(u64::from_le_bytes(count))
    }

    /// Passes over `bytes` bytes: where they start.
    pub fn skip(&mut self, bytes: u64) -> Result<u64> {
        let start = self.position;
        let end = start.checked_add(bytes).filter(|&end| end <= self.file_len);
        self.position = end.ok_or_else(|| Error::corrupt(self.path, "it ends before its last storage does"))?;
        Ok(start)
    }

    /// Passes over a storage, whose length must be what the pickle says: where its elements start.
    fn storage(&mut self, entry: &StorageEntry) -> Result<u64> {
        let count = self.count()?;
        let (bytes, size) = (entry.bytes as u64, entry.dtype.map_or(1, DType::size) as u64);
        // Untyped storages count bytes.
        if count.checked_mul(size) != Some(bytes) && count != bytes {
            let what = format!("storage {} has {count} elements, its tensors need {}", entry.key, bytes / size);
            return Err(Error::corrupt(self.path, what));
        }
        self.skip(bytes)
    }
}
