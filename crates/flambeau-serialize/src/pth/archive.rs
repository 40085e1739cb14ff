//! The zip archive that `torch.save` writes since PyTorch 1.6, and that `torch.jit.save` writes.

use crate::{
    Error, Result,
    error::is_damage,
    pickle::{self, Context, Input, ScriptClasses, StorageEntry},
    value::Value,
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, ErrorKind, Read},
    path::Path,
};
use zip::{CompressionMethod, ZipArchive, read::ZipReadOptions, result::ZipError};

/// The newest version of the archive's layout that PyTorch 2.15 reads.
const MAX_VERSION: u64 = 10;

/// How much a checksum is computed over at once, while it is still in the cache.
const CHUNK: usize = 1 << 20;

/// An open archive and how much of it may still be read.
pub(super) struct Archive<'a> {
    zip: ZipArchive<BufReader<File>>,
    /// The entries of the folder that holds `data.pkl`, by name, since a look-up in the archive's own table walks over it where names are not UTF-8.
    entries: HashMap<String, usize>,
    big_endian: bool,
    file_len: u64,
    /// How many bytes of the file may still be read: entries that lie over each other could otherwise fill the memory.
    left: u64,
    /// How many bytes compressed entries may still grow to.
    inflated_left: u64,
    path: &'a Path,
}

impl<'a> Archive<'a> {
    pub fn open(file: BufReader<File>, file_len: u64, path: &'a Path) -> Result<Self> {
        let zip = ZipArchive::new(file).map_err(|e| zip_error(e, path))?;
        let prefix = zip
            .file_names()
            .flatten()
            .find_map(|name| name.strip_suffix("/data.pkl").filter(|prefix| !prefix.contains('/')).map(str::to_owned));
        let Some(prefix) = prefix else {
            let exported = zip.file_names().flatten().any(|name| {
                name.ends_with("/archive_format") || name.contains("/models/") || name.starts_with("serialized_")
            });
            let what = match exported {
                true => "it is an archive of torch.export, a program; in Python, torch.save(exported.state_dict, path)",
                false => {
                    "it is a zip archive without data.pkl, so torch.save did not write it; torch.numpy.load reads a NumPy .npz"
                }
            };
            return Err(Error::unsupported(path, what));
        };
        let inside = |name: &str| name.strip_prefix(&prefix)?.strip_prefix('/').map(str::to_owned);
        let entries =
            zip.file_names().enumerate().filter_map(|(index, name)| Some((inside(&name.ok()?)?, index))).collect();
        // Weights compress to a half, and pruned ones to a tenth; what grows much more was made to fill the memory.
        let inflated_left = file_len.saturating_mul(32).saturating_add(64 << 20);
        let mut archive = Archive { zip, entries, big_endian: false, file_len, left: file_len, inflated_left, path };
        archive.big_endian = archive.read_byte_order()?;
        archive.check_version()?;
        Ok(archive)
    }

    fn read_byte_order(&mut self) -> Result<bool> {
        match self.entry("byteorder")?.as_deref() {
            None | Some(b"little") => Ok(false),
            Some(b"big") => Ok(true),
            Some(order) => {
                let what = format!("Unknown endianness type: {}", String::from_utf8_lossy(order));
                Err(Error::corrupt(self.path, what))
            }
        }
    }

    fn check_version(&mut self) -> Result<()> {
        let Some(text) = self.entry("version")? else { return Ok(()) };
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        match text.parse::<u64>() {
            Ok(version) if version <= MAX_VERSION => Ok(()),
            Ok(version) => Err(Error::unsupported(
                self.path,
                format!(
                    "Attempted to read a PyTorch file with version {version}, but the maximum supported version for \
                     reading is {MAX_VERSION}"
                ),
            )),
            Err(_) => Err(Error::corrupt(self.path, format!("Couldn't parse the version {text} as Long Long."))),
        }
    }

    /// Whether the elements of storages lie with their highest byte first.
    pub fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// The value, and the storages, each of which was found to have the length that its tensors need.
    pub fn value(&mut self) -> Result<(Value, Vec<StorageEntry>)> {
        let path = self.path;
        let data = self.entry("data.pkl")?.ok_or_else(|| Error::corrupt(path, "the entry data.pkl is missing"))?;
        let mut bytes = data.as_slice();
        let mut input = Input::new(&mut bytes, self.file_len, path);
        let mut context = Context::default();
        let value = match self.find("constants.pkl") {
            None => pickle::read(&mut input, &mut context)?,
            Some(_) => pickle::read_script(&mut input, &mut context, &self.script_classes()?)?,
        };
        let storages = context.storages.entries;
        for entry in storages.iter().filter(|entry| entry.data.is_none()) {
            let name = format!("data/{}", entry.key);
            let index = self.find(&name);
            let index = index.ok_or_else(|| Error::corrupt(path, format!("the entry {name} is missing")))?;
            let len = self.claim(index, &name)?;
            if len != entry.bytes as u64 {
                let what = format!("the entry {name} has {len} bytes, its tensors need {}", entry.bytes);
                return Err(Error::corrupt(path, what));
            }
        }
        Ok((value, storages))
    }

    /// What the archive's code says of its classes.
    fn script_classes(&mut self) -> Result<ScriptClasses> {
        let modules: Vec<String> = self
            .entries
            .keys()
            .filter_map(|name| Some(name.strip_prefix("code/")?.strip_suffix(".py")?.to_owned()))
            .collect();
        let mut classes = ScriptClasses::default();
        for module in modules {
            if let Some(code) = self.entry(&format!("code/{module}.py"))? {
                classes.scan(&module.replace('/', "."), &String::from_utf8_lossy(&code));
            }
        }
        Ok(classes)
    }

    /// Reads the entry of a storage that [`Archive::value`] has checked.
    pub fn fill_storage(&mut self, key: &str, out: &mut [u8]) -> Result<()> {
        let name = format!("data/{key}");
        let index =
            self.find(&name).ok_or_else(|| Error::corrupt(self.path, format!("the entry {name} is missing")))?;
        self.fill(index, &name, out)
    }

    /// Where a storage's bytes lie in the file, if they are not compressed.
    pub fn place(&mut self, key: &str) -> Result<Option<u64>> {
        let Some(index) = self.find(&format!("data/{key}")) else { return Ok(None) };
        let file = self.zip.by_index_raw(index).map_err(|e| zip_error(e, self.path))?;
        let as_is = file.compression() == CompressionMethod::Stored && file.size() == file.compressed_size();
        Ok(file.data_start().filter(|_| as_is && !file.encrypted()))
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.entries.get(name).copied()
    }

    /// The content of an entry, `None` if there is none of that name.
    fn entry(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(index) = self.find(name) else { return Ok(None) };
        let len = self.claim(index, name)?;
        let mut bytes = vec![0; len as usize];
        self.fill(index, name, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// The length of an entry, once it is known to be within what may be read.
    fn claim(&mut self, index: usize, name: &str) -> Result<u64> {
        let header = self.zip.by_index_data(index).map_err(|e| zip_error(e, self.path))?;
        let (len, stored) = (header.size(), header.compressed_size());
        let (left, inflated_left) = match header.compression() {
            CompressionMethod::Stored => (self.left.checked_sub(len.max(stored)), Some(self.inflated_left)),
            CompressionMethod::Deflated => (self.left.checked_sub(stored), self.inflated_left.checked_sub(len)),
            other => {
                let what = format!("its entry {name} is compressed by {other}, which PyTorch does not read either");
                return Err(Error::unsupported(self.path, what));
            }
        };
        let (Some(left), Some(inflated_left)) = (left, inflated_left) else {
            let what = format!("the entry {name} claims {len} bytes, more than there are");
            return Err(Error::corrupt(self.path, what));
        };
        (self.left, self.inflated_left) = (left, inflated_left);
        Ok(len)
    }

    /// Reads an entry into memory of its length.
    fn fill(&mut self, index: usize, name: &str, out: &mut [u8]) -> Result<()> {
        let path = self.path;
        let header = self.zip.by_index_data(index).map_err(|e| zip_error(e, path))?;
        // torch.serialization.set_crc32_options(False) writes 0 in place of each checksum.
        let options = ZipReadOptions::new().ignore_crc32(header.crc32() == 0);
        let mut file = self.zip.by_index_with_options(index, options).map_err(|e| zip_error(e, path))?;
        let mut read = || -> std::io::Result<bool> {
            out.chunks_mut(CHUNK).try_for_each(|chunk| file.read_exact(chunk))?;
            // The zip reader compares checksums when it is asked beyond the end.
            Ok(file.read(&mut [0])? == 0)
        };
        match read() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::corrupt(path, format!("the entry {name} has more than its {} bytes", out.len()))),
            Err(e) => Err(zip_error(e.into(), path)),
        }
    }
}

fn zip_error(error: ZipError, path: &Path) -> Error {
    match error {
        ZipError::Io(e) if !is_damage(&e) && e.kind() != ErrorKind::Other => Error::io("read", path)(e),
        other => Error::corrupt(path, other.to_string()),
    }
}
