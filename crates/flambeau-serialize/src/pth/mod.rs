//! The `.pth` container: a zip archive of uncompressed entries, as `torch.save` writes it since PyTorch 1.6. Older formats,
//! and archives that were zipped again, are read too.
//!
//! `<name>/data.pkl` is the pickle, `<name>/data/0`… are the storages, each starting at a multiple of 64 bytes so that it
//! can be mapped; `byteorder`, `version` and a few more say how to read them. The folder `<name>` is the file's stem.

mod archive;
mod legacy;
mod map;
mod read;
mod tar;
mod write;
mod zip;

pub(crate) use map::map;
pub(crate) use read::Opened;
pub use read::read;
pub use write::write;
pub(crate) use write::write_parts;

use flambeau_tensor::DType;

/// A storage that was read: the memory that one or more tensors view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The element type of every tensor on it.
    pub dtype: DType,
    /// Its elements, little-endian; the length is a multiple of the element's size.
    pub bytes: Vec<u8>,
}

/// A storage to write.
#[derive(Clone, Copy, Debug)]
pub struct StorageRef<'a> {
    /// The element type of every tensor on it.
    pub dtype: DType,
    /// Its elements, little-endian.
    pub bytes: &'a [u8],
}

impl Storage {
    /// The same storage, to write it again.
    pub fn as_ref(&self) -> StorageRef<'_> {
        StorageRef { dtype: self.dtype, bytes: &self.bytes }
    }
}
