//! The `.pth` container: a zip archive of uncompressed entries, as `torch.save` writes it since PyTorch 1.6.
//!
//! `<name>/data.pkl` is the pickle, `<name>/data/0`… are the storages, each starting at a multiple of 64 bytes so that it
//! can be mapped; `byteorder`, `version` and a few more say how to read them. The folder `<name>` is the file's stem.

use crate::{
    Error, Result,
    pickle::{self, StorageEntry, Value},
};
use flambeau_tensor::DType;
use flambeau_tensor::file::write_whole;
use std::{
    fs::File,
    hash::Hasher,
    io::{BufReader, BufWriter, Read, Seek, Write},
    path::Path,
};
use zip::{CompressionMethod, ZipArchive, ZipWriter, read::ZipReadOptions, result::ZipError, write::SimpleFileOptions};

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

/// Writes `value` as `torch.save` does; `torch.load(path, weights_only=True)` reads it. Each storage that a tensor of
/// `value` indexes is written once, in full, so views and tied weights stay tied.
///
/// The file is written under a temporary name in the same folder and renamed when it is complete and on the disk, so a
/// crash leaves the old file as it was. Equal values give equal files.
///
/// # Errors
/// `Io` if the file cannot be written, `Invalid` if a tensor does not fit its storage or the value nests too deep.
pub fn write(path: impl AsRef<Path>, value: &Value, storages: &[StorageRef<'_>]) -> Result<()> {
    let path = path.as_ref();
    let shapes: Vec<(DType, usize)> = storages.iter().map(|s| (s.dtype, s.bytes.len())).collect();
    let (data, order) = pickle::dump(value, &shapes, path)?;
    let used: Vec<&[u8]> = order.iter().map(|&index| storages[index].bytes).collect();

    let stem = path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| stem.is_ascii());
    let prefix = stem.unwrap_or("archive");
    let written = write_whole(path, |file| -> Result<(), ZipError> {
        let mut zip = ZipWriter::new(BufWriter::new(file));
        let mut entry = |name: &str, bytes: &[u8]| -> Result<(), ZipError> {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Stored)
                .with_alignment(ALIGNMENT)
                .large_file(bytes.len() >= u32::MAX as usize);
            zip.start_file(format!("{prefix}/{name}"), options)?;
            Ok(zip.write_all(bytes)?)
        };
        entry("data.pkl", &data)?;
        entry(".format_version", b"1")?;
        entry(".storage_alignment", ALIGNMENT.to_string().as_bytes())?;
        entry("byteorder", b"little")?;
        for (key, bytes) in used.iter().enumerate() {
            entry(&format!("data/{key}"), bytes)?;
        }
        entry("version", b"3\n")?;
        entry(".data/serialization_id", serialization_id(&data, &used).as_bytes())?;
        zip.finish()?.flush()?;
        Ok(())
    });
    written.map_err(|refused| Error::io(refused.action, path)(refused.source))
}

/// PyTorch's alignment of entries, in bytes.
const ALIGNMENT: u16 = 64;

/// Forty digits that identify the content, as PyTorch's two hashes do.
fn serialization_id(data: &[u8], storages: &[&[u8]]) -> String {
    // The keys of SipHash are fixed in `DefaultHasher::new`, so that equal content gives an equal file.
    let mut pickle = std::hash::DefaultHasher::new();
    pickle.write(data);
    let mut content = std::hash::DefaultHasher::new();
    storages.iter().for_each(|bytes| content.write(bytes));
    format!("{:020}{:020}", pickle.finish(), content.finish())
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
            let what = "it is a zip archive without data.pkl, so torch.save did not write it (a NumPy .npz?)";
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
    (b"\x93NUMPY", "it is a NumPy .npy file, not one of torch.save"),
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
        return Err(Error::unsupported(path, "it is a safetensors file, not one of torch.save"));
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
