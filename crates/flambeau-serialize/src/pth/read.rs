//! Reading the container.

use super::Storage;
use crate::{
    Error, Result,
    pickle::{self, StorageEntry},
    value::Value,
};
use flambeau_tensor::DType;
use std::{
    fs::File,
    io::{BufReader, Read, Seek},
    path::Path,
};
use zip::{CompressionMethod, ZipArchive, read::ZipReadOptions, result::ZipError};

/// Reads a file of `torch.save`: its value and the storages that the value's tensors index.
///
/// Nothing in the file is executed (as with `torch.load(weights_only=True)`), and every tensor is checked to lie within
/// its storage. Tensors keep their strides, and tensors that shared memory share a storage. Where a tensor lived
/// (`cuda:0`) is ignored. Memory is bounded by a multiple of the file's size.
///
/// # Errors
/// `Io` if the file cannot be read, `Corrupt` if it is damaged, `Unsupported` if it is another format, is big-endian, or
/// holds Python objects beyond plain data and tensors.
pub fn read(path: impl AsRef<Path>) -> Result<(Value, Vec<Storage>)> {
    let path = path.as_ref();
    let mut file = BufReader::new(File::open(path).map_err(Error::io("open", path))?);
    let file_len = file.get_ref().metadata().map_err(Error::io("read", path))?.len();
    recognise(&mut file, path)?;
    let zip = ZipArchive::new(file).map_err(|e| zip_error(e, path))?;
    let mut archive = Archive::new(zip, file_len, path)?;
    if let Some(order) = archive.entry("byteorder")?
        && order.trim_ascii() != b"little"
    {
        let order = String::from_utf8_lossy(&order).into_owned();
        return Err(Error::unsupported(
            path,
            format!("its byte order is `{order}`; save it on a little-endian machine"),
        ));
    }
    let data = archive.entry("data.pkl")?.ok_or_else(|| Error::corrupt(path, "the entry data.pkl is missing"))?;
    let (value, entries) = pickle::load(&data, path)?;
    let storages = entries.into_iter().map(|entry| archive.storage(entry)).collect::<Result<_>>()?;
    Ok((value, storages))
}

/// An open archive and how much of it was read.
struct Archive<'a, R> {
    zip: ZipArchive<R>,
    /// The folder that holds `data.pkl`.
    prefix: String,
    /// How many bytes may still be read: entries that lie over each other could otherwise fill the memory.
    left: u64,
    path: &'a Path,
}

impl<'a, R: Read + Seek> Archive<'a, R> {
    fn new(zip: ZipArchive<R>, file_len: u64, path: &'a Path) -> Result<Self> {
        let prefix = zip
            .file_names()
            .flatten()
            .find_map(|name| name.strip_suffix("/data.pkl").filter(|prefix| !prefix.contains('/')).map(str::to_owned));
        let Some(prefix) = prefix else {
            let what = "it is a zip archive without data.pkl, so torch.save did not write it; torch.numpy.load reads a NumPy .npz";
            return Err(Error::unsupported(path, what));
        };
        if zip.index_for_name(&format!("{prefix}/constants.pkl")).is_some() {
            let what = "it is a TorchScript archive; in Python, save torch.jit.load(path).state_dict() with torch.save";
            return Err(Error::unsupported(path, what));
        }
        Ok(Archive { zip, prefix, left: file_len, path })
    }

    /// The content of an entry, `None` if there is none of that name.
    fn entry(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(index) = self.zip.index_for_name(&format!("{}/{name}", self.prefix)) else { return Ok(None) };
        let header = self.zip.by_index_data(index).map_err(|e| zip_error(e, self.path))?;
        if header.compression() != CompressionMethod::Stored {
            let what = "its entries are compressed, as no torch.save does; unpack and zip it again with `zip -0`";
            return Err(Error::unsupported(self.path, what));
        }
        let len = header.size();
        self.left = self.left.checked_sub(len).ok_or_else(|| {
            Error::corrupt(self.path, format!("the entry {name} claims {len} bytes, more than there are"))
        })?;
        // torch.serialization.set_crc32_options(False) writes 0 in place of each checksum.
        let options = ZipReadOptions::new().ignore_crc32(header.crc32() == 0);
        let file = self.zip.by_index_with_options(index, options).map_err(|e| zip_error(e, self.path))?;
        let mut bytes = Vec::with_capacity(len as usize);
        // One byte more than there should be, since the zip reader compares checksums when it is asked beyond the end.
        file.take(len + 1).read_to_end(&mut bytes).map_err(|e| zip_error(e.into(), self.path))?;
        if bytes.len() as u64 != len {
            return Err(Error::corrupt(
                self.path,
                format!("the entry {name} has {} bytes instead of {len}", bytes.len()),
            ));
        }
        Ok(Some(bytes))
    }

    /// The bytes of a storage, whose length must be what the pickle says.
    fn storage(&mut self, entry: StorageEntry) -> Result<Storage> {
        let name = format!("data/{}", entry.key);
        let bytes =
            self.entry(&name)?.ok_or_else(|| Error::corrupt(self.path, format!("the entry {name} is missing")))?;
        if bytes.len() != entry.bytes {
            let what = format!("the entry {name} has {} bytes, its tensors need {}", bytes.len(), entry.bytes);
            return Err(Error::corrupt(self.path, what));
        }
        Ok(Storage { dtype: entry.dtype.unwrap_or(DType::U8), bytes })
    }
}

/// The first bytes of files that are taken for a `.pth`, and what to do with them.
const OTHER_FORMATS: [(&[u8], &str); 5] = [
    (
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19",
        "it is in PyTorch's format from before 1.6; in Python, torch.save(torch.load(path), path) converts it",
    ),
    (b"\x93NUMPY", "it is a NumPy .npy file, not one of torch.save; torch.numpy.load reads it"),
    (b"\x89HDF", "it is an HDF5 file, not one of torch.save"),
    (b"GGUF", "it is a GGUF file, not one of torch.save"),
    (b"\x80", "it is a bare Python pickle, not one of torch.save"),
];

/// Errors unless the file starts as a zip archive does; leaves the reader at its start.
fn recognise(file: &mut (impl Read + Seek), path: &Path) -> Result<()> {
    let mut start = Vec::new();
    file.by_ref().take(16).read_to_end(&mut start).map_err(Error::io("read", path))?;
    file.rewind().map_err(Error::io("read", path))?;
    if start.starts_with(b"PK\x03\x04") {
        return Ok(());
    }
    if start.is_empty() {
        return Err(Error::corrupt(path, "it is empty"));
    }
    if let Some((_, what)) = OTHER_FORMATS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(Error::unsupported(path, *what));
    }
    // A safetensors file is the length of a JSON header and the header.
    if start.get(8) == Some(&b'{') {
        return Err(Error::unsupported(
            path,
            "it is a safetensors file, not one of torch.save; torch.safetensors.load_file reads it",
        ));
    }
    Err(Error::unsupported(path, "it is not a file of torch.save (no zip archive)"))
}

fn zip_error(error: ZipError, path: &Path) -> Error {
    match error {
        // The zip reader reports a wrong checksum or a short entry as one of these kinds.
        ZipError::Io(e) if !matches!(e.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof) => {
            Error::Io { action: "read", path: path.to_owned(), source: e }
        }
        other => Error::corrupt(path, other.to_string()),
    }
}
