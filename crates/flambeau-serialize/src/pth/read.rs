//! Reading files of `torch.save`, of every format.

use super::{Storage, archive::Archive, legacy, tar};
use crate::{Error, Result, blocks::swap_bytes, formats, pickle::StorageEntry, value::Value};
use flambeau_tensor::DType;
use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// Reads a file of `torch.save`: its value and the storages that the value's tensors index.
///
/// Every format that PyTorch has had is read: zip archives, the files from before 1.6, tar archives from before 0.1.10; of a
/// TorchScript archive, its `state_dict`. Nothing in a file is executed (as with `torch.load(weights_only=True)`), and every
/// tensor is checked to lie within its storage. Tensors keep their strides, and tensors that shared memory share a storage.
/// Where a tensor lived (`cuda:0`) is ignored. Memory is bounded by a multiple of the file's size.
///
/// # Errors
/// `Io` if the file cannot be read, `Corrupt` if it is damaged, `Unsupported` if it is another format or holds Python objects
/// beyond plain data and tensors.
pub fn read(path: impl AsRef<Path>) -> Result<(Value, Vec<Storage>)> {
    let mut file = Opened::open(path.as_ref(), false)?;
    let mut storages = Vec::with_capacity(file.storages.len());
    for index in 0..file.storages.len() {
        let entry = &file.storages[index];
        let dtype = entry.dtype.unwrap_or(DType::U8);
        let mut bytes = vec![0; entry.bytes];
        file.fill(index, &mut bytes)?;
        storages.push(Storage { dtype, bytes });
    }
    Ok((file.value, storages))
}

/// A file whose value was read and whose storages can be: each was found to be as long as its tensors need.
pub(crate) struct Opened<'a> {
    pub value: Value,
    pub storages: Vec<StorageEntry>,
    source: Source<'a>,
    path: &'a Path,
}

/// Where the bytes of storages lie.
enum Source<'a> {
    Zip(Box<Archive<'a>>),
    /// At these positions of the file.
    Plain {
        file: File,
        starts: Vec<u64>,
    },
}

impl<'a> Opened<'a> {
    /// Opens a file and reads its value. `mmap` says that the storages are to be mapped, which zip archives alone allow.
    pub fn open(path: &'a Path, mmap: bool) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let len = file.metadata().map_err(Error::io("read", path))?.len();
        let format = recognise(&mut file, path)?;
        if format == Format::Zip {
            let mut archive = Archive::open(BufReader::new(file), len, path)?;
            let (value, storages) = archive.value()?;
            return Ok(Opened { value, storages, source: Source::Zip(Box::new(archive)), path });
        }
        if mmap {
            return Err(Error::unsupported(
                path,
                format!(
                    "mmap can only be used with files saved with `torch.save({}, _use_new_zipfile_serialization=True), \
                     please torch.save your checkpoint with this option in order to use mmap.",
                    path.display()
                ),
            ));
        }
        let (value, storages, starts) = match format {
            Format::Tar => tar::read(&mut file, len, path)?,
            _ => legacy::read(&mut file, len, path)?,
        };
        Ok(Opened { value, storages, source: Source::Plain { file, starts }, path })
    }

    /// Reads a storage into memory of its length.
    pub fn fill(&mut self, index: usize, out: &mut [u8]) -> Result<()> {
        let entry = &self.storages[index];
        if let Some(data) = &entry.data {
            out.copy_from_slice(data);
            return Ok(());
        }
        match &mut self.source {
            Source::Zip(archive) => {
                archive.fill_storage(&entry.key, out)?;
                if archive.big_endian() {
                    swap_bytes(out, entry.dtype.map_or(1, DType::size));
                }
            }
            Source::Plain { file, starts } => {
                let read = file.seek(SeekFrom::Start(starts[index])).and_then(|_| file.read_exact(out));
                read.map_err(Error::io("read", self.path))?;
            }
        }
        Ok(())
    }

    /// Where a storage lies in the file, if it lies there as it is in memory.
    pub fn place(&mut self, index: usize) -> Result<Option<u64>> {
        let entry = &self.storages[index];
        match &mut self.source {
            Source::Zip(archive) if entry.data.is_none() && !archive.big_endian() => archive.place(&entry.key),
            _ => Ok(None),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Zip,
    Tar,
    Legacy,
}

/// The format of a file by its first bytes; leaves the file at its start.
fn recognise(file: &mut File, path: &Path) -> Result<Format> {
    let mut start = Vec::new();
    file.by_ref().take(512).read_to_end(&mut start).map_err(Error::io("read", path))?;
    file.rewind().map_err(Error::io("read", path))?;
    if start.starts_with(b"PK\x03\x04") {
        return Ok(Format::Zip);
    }
    if start.is_empty() {
        return Err(Error::corrupt(path, "it is empty"));
    }
    if tar::starts_one(&start) {
        return Ok(Format::Tar);
    }
    if legacy::starts_one(&start) {
        return Ok(Format::Legacy);
    }
    let what = match formats::Format::of(&start) {
        // A pickle that torch.save wrote was recognised above.
        _ if start[0] == 0x80 => "it is a bare Python pickle, not one of torch.save".into(),
        Some(other) => format!("it is {}", other.describe(", not one of torch.save; ")),
        None => "it is not a file of torch.save (no zip archive)".into(),
    };
    Err(Error::unsupported(path, what))
}
