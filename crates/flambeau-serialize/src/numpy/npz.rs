//! The `.npz` format: a zip archive of `.npy` files.

use super::npy::{self, Written};
use crate::error::is_damage;
use crate::{Error, Result};
use flambeau_autograd::Tensor;
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read, Seek, Write};
use std::ops::Index;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use zip::read::ZipReadOptions;
use zip::result::{ZipError, ZipResult};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// An open `.npz` archive, whose arrays are read when they are asked for: NumPy's `NpzFile`. [`load`](super::load) gives it.
///
/// ```
/// use flambeau_serialize::numpy;
/// # let path = std::env::temp_dir().join(format!("flambeau_npz_{}.npz", std::process::id()));
/// let (w, b) = (flambeau_autograd::ones([2, 3]), flambeau_autograd::zeros([2]));
/// numpy::savez(&path, [("w", &w), ("b", &b)])?;
///
/// let npz = numpy::load(&path)?;
/// assert_eq!(npz.files(), ["w", "b"]);
/// assert_eq!(npz["w"].size(), [2, 3]);
/// for (name, array) in npz.items()? {
///     println!("{name} {}", array.shape());
/// }
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
pub struct NpzFile {
    zip: Mutex<ZipArchive<BufReader<File>>>,
    /// The entries' names in order.
    entries: Vec<String>,
    /// The same without `.npy`.
    files: Vec<String>,
    /// Where a name, with or without `.npy`, stands among the entries.
    places: HashMap<String, usize>,
    /// What `npz["w"]` has read.
    read: Vec<OnceLock<Tensor>>,
    path: PathBuf,
}

/// A byte of deflated data becomes at most so many.
const MAX_INFLATION: u64 = 1032;

impl NpzFile {
    pub(super) fn open(file: File, path: &Path) -> Result<Self> {
        let len = file.metadata().map_err(Error::io("read", path))?.len();
        let zip = ZipArchive::new(BufReader::new(file)).map_err(|e| zip_error(e, path))?;
        let mut packed = 0;
        for index in 0..zip.len() {
            let about = zip.by_index_data(index).map_err(|e| zip_error(e, path))?;
            packed += about.compressed_size();
            if packed > len {
                return Err(Error::corrupt(
                    path,
                    "its entries have more bytes than the file: they lie over each other",
                ));
            }
        }
        let names = zip.file_names().map(|name| name.map(Cow::into_owned));
        let mut entries: Vec<String> =
            names.collect::<Result<_, _>>().map_err(|e| Error::corrupt(path, e.to_string()))?;
        // Folders have entries of their own in some archives.
        entries.retain(|name| !name.ends_with('/'));
        let files: Vec<String> =
            entries.iter().map(|name| name.strip_suffix(".npy").unwrap_or(name).to_owned()).collect();
        // A whole name comes before one without its ending.
        let places = files.iter().enumerate().chain(entries.iter().enumerate());
        let places = places.map(|(at, name)| (name.clone(), at)).collect();
        let read = entries.iter().map(|_| OnceLock::new()).collect();
        Ok(NpzFile { zip: Mutex::new(zip), entries, files, places, read, path: path.to_owned() })
    }

    /// The arrays' names in the order of the archive: `npz.files`.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The arrays' names in the order of the archive: `npz.keys()`.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// How many arrays.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether there is an array of that name, with `.npy` or without: `name in npz`.
    pub fn contains_key(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Reads an array: `npz[name]`.
    ///
    /// # Errors
    /// `Key` if there is none of that name, `Corrupt` if it is damaged, `Unsupported` if no tensor can hold its elements.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        self.read(self.place(name)?)
    }

    /// Reads all arrays, with their names in the order of the archive: `npz.items()`.
    ///
    /// # Errors
    /// As [`NpzFile::get`].
    pub fn items(&self) -> Result<Vec<(String, Tensor)>> {
        self.files.iter().map(|name| Ok((name.clone(), self.get(name)?))).collect()
    }

    fn place(&self, name: &str) -> Result<usize> {
        self.places.get(name).copied().ok_or_else(|| Error::Key {
            path: self.path.clone(),
            what: format!("{name} is not a file in the archive; it has {}", self.first_names()),
        })
    }

    fn read(&self, at: usize) -> Result<Tensor> {
        let (name, path) = (&self.entries[at], &self.path);
        let mut zip = self.zip.lock().unwrap_or_else(PoisonError::into_inner);
        let index =
            zip.index_for_name(name).ok_or_else(|| Error::corrupt(path, format!("the entry {name} is gone")))?;
        let about = zip.by_index_data(index).map_err(|e| zip_error(e, path))?;
        let (method, len, packed) = (about.compression(), about.size(), about.compressed_size());
        let most = match method {
            CompressionMethod::Stored => packed,
            CompressionMethod::Deflated => packed.saturating_mul(MAX_INFLATION),
            other => {
                let what = format!("the entry {name} is compressed by {other}; np.savez_compressed uses deflate");
                return Err(Error::unsupported(path, what));
            }
        };
        if len > most {
            return Err(Error::corrupt(
                path,
                format!("the entry {name} claims {len} bytes, and {packed} hold at most {most}"),
            ));
        }
        let file = zip.by_index_with_options(index, ZipReadOptions::new()).map_err(|e| zip_error(e, path))?;
        let mut file = BufReader::new(file);
        let within = |e: Error| match e {
            Error::Corrupt { path, what } => Error::Corrupt { path, what: format!("the array {name}: {what}") },
            Error::Unsupported { path, what } => Error::Unsupported { path, what: format!("the array {name}: {what}") },
            other => other,
        };
        let tensor = npy::read(&mut file, len, path).map_err(within)?;
        // The zip reader compares the checksum when it is asked beyond the end.
        file.read(&mut [0]).map_err(|e| zip_error(e.into(), path)).map_err(within)?;
        Ok(tensor)
    }

    /// Up to five names, as NumPy prints them.
    fn first_names(&self) -> String {
        let names = self.files[..self.files.len().min(5)].join(", ");
        if self.files.len() > 5 { names + "..." } else { names }
    }
}

impl Index<&str> for NpzFile {
    type Output = Tensor;

    /// The array of that name, which is read once and kept: `npz["w"]`.
    ///
    /// # Panics
    /// When there is none, or it cannot be read; [`NpzFile::get`] returns the error.
    #[track_caller]
    fn index(&self, name: &str) -> &Tensor {
        let place = match self.place(name) {
            Ok(place) => place,
            Err(error) => panic!("KeyError: {error}"),
        };
        if self.read[place].get().is_none() {
            match self.read(place) {
                // Another thread may have been faster; its array is as good.
                Ok(array) => drop(self.read[place].set(array)),
                Err(error) => panic!("{error}"),
            }
        }
        self.read[place].get().expect("it was set above")
    }
}

impl fmt::Display for NpzFile {
    /// As NumPy prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NpzFile '{}' with keys: {}", self.path.display(), self.first_names())
    }
}

impl fmt::Debug for NpzFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes arrays as an archive.
pub(super) fn write(out: impl Write + Seek, arrays: &[(String, Written)], method: CompressionMethod) -> ZipResult<()> {
    let mut zip = ZipWriter::new(out);
    for (name, array) in arrays {
        let options = SimpleFileOptions::default().compression_method(method).large_file(true).unix_permissions(0o600);
        zip.start_file(format!("{name}.npy"), options)?;
        array.write(&mut zip)?;
    }
    Ok(zip.finish()?.flush()?)
}

fn zip_error(error: ZipError, path: &Path) -> Error {
    match error {
        ZipError::Io(e) if !is_damage(&e) => Error::io("read", path)(e),
        ZipError::UnsupportedArchive(what) => Error::unsupported(path, what.to_string()),
        other => Error::corrupt(path, other.to_string()),
    }
}
