//! NumPy's files, under NumPy's names: [`load`] reads `.npy` and `.npz`, [`save`], [`savez`] and [`savez_compressed`] write
//! them; an `.npy` file and the entries of an archive are NumPy's byte for byte.
//!
//! Arrays come as tensors: what `torch.from_numpy(np.load(path))` gives in Python, with the strides of Fortran's order where
//! the file has it, and in this machine's byte order whatever the file's is.

pub(crate) mod dtype;
mod literal;
mod npy;
mod npz;

pub use npz::NpzFile;

use crate::formats::{self, Format};
use crate::{Error, Result, Save, Value};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, from_vec};
use flambeau_tensor::file::write_whole;
use npy::Written;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::ops::{Deref, Index};
use std::path::{Path, PathBuf};
use zip::CompressionMethod;

/// What [`load`] read: an array, or an archive of arrays, as the file is.
///
/// An array is used as the tensor that it is: its methods are there, and whatever takes tensors takes it. An archive has its
/// arrays under names: `npz["w"]`.
#[derive(Debug)]
pub enum Loaded {
    /// The array of an `.npy` file.
    Array(Tensor),
    /// An open `.npz` archive.
    Archive(NpzFile),
}

/// Reads a file of NumPy: `np.load(path)`. Nothing in it is executed; arrays of Python objects are refused.
///
/// ```
/// use flambeau_serialize::numpy;
/// # let path = std::env::temp_dir().join(format!("flambeau_npy_{}.npy", std::process::id()));
/// numpy::save(&path, flambeau_autograd::arange(6).view([2, 3]))?;
/// let x = numpy::load(&path)?;
/// assert_eq!(x.size(), [2, 3]);
/// let x: flambeau_autograd::Tensor = x.try_into()?;
/// assert_eq!(x.sum().item(), 15.0);
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// `Io` if the file cannot be read, `Corrupt` if it is damaged, `Unsupported` if no tensor can hold its elements (texts,
/// dates, records, complex numbers, unsigned integers of more than 8 bits, Python objects) or it is another format.
pub fn load(file: impl AsRef<Path>) -> Result<Loaded> {
    let path = file.as_ref();
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let about = file.metadata().map_err(Error::io("read", path))?;
    if about.is_dir() {
        return Err(Error::unsupported(path, "it is a folder; name the .npy or .npz file in it"));
    }
    let mut start = Vec::new();
    (&file).take(formats::LONGEST as u64).read_to_end(&mut start).map_err(Error::io("read", path))?;
    file.rewind().map_err(Error::io("read", path))?;
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return NpzFile::open(file, path).map(Loaded::Archive);
    }
    if start.starts_with(npy::MAGIC) {
        return npy::read(&mut BufReader::new(file), about.len(), path).map(Loaded::Array);
    }
    Err(match Format::of(&start) {
        _ if start.is_empty() => Error::corrupt(path, "it is empty (No data left in file)"),
        Some(other) => Error::unsupported(path, format!("it is no file of NumPy, but {}", other.describe(": "))),
        None => Error::unsupported(path, "it is no file of NumPy (no .npy, no .npz)"),
    })
}

/// Writes a tensor as an `.npy` file: `np.save(path, x.numpy())`. The name gets `.npy` at its end if it has it not. The file
/// appears whole or not at all.
///
/// # Errors
/// `Invalid` with Python's words if the tensor requires grad, is on a GPU, or is of bfloat16, which NumPy has not; `Io` if
/// the file cannot be written.
pub fn save(file: impl AsRef<Path>, arr: impl AsTensor) -> Result<()> {
    let path = with_ending(file.as_ref(), ".npy");
    let array = Written::new(arr.as_tensor(), &path)?;
    let written = write_whole(&path, |out| {
        let mut out = BufWriter::new(out);
        array.write(&mut out)?;
        out.flush()
    });
    written.map_err(|refused| Error::io(refused.action, &path)(refused.source))
}

/// Writes tensors by name as an `.npz` archive: `np.savez(path, w=w, b=b)`. The names are those of pairs, a map, a state dict
/// or a `dict!`; tensors of a list become `arr_0`, `arr_1`, …. The file's name gets `.npz` at its end if it has it not.
///
/// ```
/// use flambeau_serialize::numpy;
/// # let path = std::env::temp_dir().join(format!("flambeau_savez_{}.npz", std::process::id()));
/// let (x, y) = (flambeau_autograd::ones([2]), flambeau_autograd::zeros([3]));
/// numpy::savez(&path, [&x, &y])?;
/// assert_eq!(numpy::load(&path)?["arr_1"].size(), [3]);
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// As [`save`], and `Invalid` for a value that is no array.
pub fn savez(file: impl AsRef<Path>, arrays: impl Save) -> Result<()> {
    archive(file.as_ref(), &arrays.to_value(), CompressionMethod::Stored)
}

/// [`savez`] with deflated entries: `np.savez_compressed(path, w=w, b=b)`.
///
/// # Errors
/// As [`savez`].
pub fn savez_compressed(file: impl AsRef<Path>, arrays: impl Save) -> Result<()> {
    archive(file.as_ref(), &arrays.to_value(), CompressionMethod::Deflated)
}

/// A tensor over an array that was loaded: `torch.from_numpy(np.load(path))`. Memory is shared. For an `ndarray` array there
/// is `from_ndarray`.
///
/// ```
/// use flambeau_serialize::numpy;
/// # let path = std::env::temp_dir().join(format!("flambeau_from_numpy_{}.npy", std::process::id()));
/// numpy::save(&path, flambeau_autograd::ones([2]))?;
/// let x = numpy::from_numpy(numpy::load(&path)?);
/// assert_eq!(x.to_vec::<f32>(), [1.0, 1.0]);
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Panics
/// When the file is an archive: name one of its arrays.
#[track_caller]
pub fn from_numpy(array: impl AsTensor) -> Tensor {
    array.as_tensor().shallow_clone()
}

fn archive(path: &Path, value: &Value<Tensor>, method: CompressionMethod) -> Result<()> {
    let path = &with_ending(path, ".npz");
    let arrays = named(value, path)?;
    let arrays: Vec<(String, Written)> =
        arrays.into_iter().map(|(name, array)| Ok((name, Written::new(&array, path)?))).collect::<Result<_>>()?;
    let written = write_whole(path, |out| npz::write(BufWriter::new(out), &arrays, method));
    written.map_err(|refused| Error::io(refused.action, path)(refused.source))
}

/// Names and arrays, as `np.savez` takes them: numbers are arrays without dimensions.
fn named(value: &Value<Tensor>, path: &Path) -> Result<Vec<(String, Tensor)>> {
    let array = |name: &str, value: &Value<Tensor>| match value {
        Value::Tensor(tensor) => Ok(tensor.shallow_clone()),
        Value::Int(n) => Ok(from_vec(vec![*n], [0_usize; 0])),
        Value::Float(x) => Ok(from_vec(vec![*x], [0_usize; 0])),
        Value::Bool(b) => Ok(from_vec(vec![*b], [0_usize; 0])),
        other => {
            let what = format!("`{name}` is a {}, and not a tensor or a number", other.type_name());
            Err(Error::invalid(path, what))
        }
    };
    let numbered = |items: &[Value<Tensor>]| {
        let items = items.iter().enumerate().map(|(i, value)| (format!("arr_{i}"), value));
        items.map(|(name, value)| Ok((name.clone(), array(&name, value)?))).collect()
    };
    if let Some(entries) = value.entries() {
        let entries = entries.into_iter().map(|(key, value)| match key {
            Value::Str(name) => Ok((name.clone(), array(name, value)?)),
            key => Err(Error::invalid(path, format!("the key {key} is no string"))),
        });
        return entries.collect();
    }
    match value {
        Value::List(items) | Value::Tuple(items) => numbered(items),
        single => numbered(std::slice::from_ref(single)),
    }
}

/// The path with that ending, which is added if it is not there.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    if path.as_os_str().as_encoded_bytes().ends_with(ending.as_bytes()) {
        return path.to_owned();
    }
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

/// An archive's names and arrays, as [`NpzFile`] has them; an array has none.
impl Loaded {
    /// The arrays' names in the order of the archive: `npz.files`; none of a single array, which has no name.
    pub fn files(&self) -> &[String] {
        if let Loaded::Archive(npz) = self { npz.files() } else { &[] }
    }

    /// [`Loaded::files`] as texts: `npz.keys()`.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.files().iter().map(String::as_str)
    }

    /// Whether the archive has an array of that name: `name in npz`.
    pub fn contains_key(&self, name: &str) -> bool {
        self.as_archive().is_ok_and(|npz| npz.contains_key(name))
    }

    /// Reads the array of that name: `npz[name]`.
    ///
    /// # Errors
    /// As [`NpzFile::get`], and `Numpy` of a single array.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        self.as_archive()?.get(name)
    }

    /// Reads all arrays, with their names: `npz.items()`.
    ///
    /// # Errors
    /// As [`NpzFile::items`], and `Numpy` of a single array.
    pub fn items(&self) -> Result<Vec<(String, Tensor)>> {
        self.as_archive()?.items()
    }

    /// The archive.
    ///
    /// # Errors
    /// `Numpy` of a single array.
    pub fn as_archive(&self) -> Result<&NpzFile> {
        match self {
            Loaded::Archive(npz) => Ok(npz),
            Loaded::Array(_) => Err(Error::Numpy { expected: "an .npz archive", found: "a single array".into() }),
        }
    }

    /// The array.
    ///
    /// # Errors
    /// `Numpy` of an archive, with the names of its arrays.
    pub fn into_tensor(self) -> Result<Tensor> {
        match self {
            Loaded::Array(tensor) => Ok(tensor),
            Loaded::Archive(npz) => Err(Error::Numpy { expected: "an array", found: npz.to_string() }),
        }
    }
}

impl TryFrom<Loaded> for Tensor {
    type Error = Error;
    fn try_from(loaded: Loaded) -> Result<Tensor> {
        loaded.into_tensor()
    }
}

/// The array's own methods.
impl Deref for Loaded {
    type Target = Tensor;

    /// # Panics
    /// Of an archive, which has several arrays.
    #[track_caller]
    fn deref(&self) -> &Tensor {
        match self {
            Loaded::Array(tensor) => tensor,
            Loaded::Archive(npz) => panic!("expected np.ndarray (got {npz}): name one of its arrays"),
        }
    }
}

impl AsTensor for Loaded {
    #[track_caller]
    fn as_tensor(&self) -> &Tensor {
        self
    }
}

impl Index<&str> for Loaded {
    type Output = Tensor;

    /// The array of that name, which is read once and kept: `npz["w"]`.
    ///
    /// # Panics
    /// As [`NpzFile`]'s, and of a single array.
    #[track_caller]
    fn index(&self, name: &str) -> &Tensor {
        &self.as_archive().or_panic()[name]
    }
}

impl fmt::Display for Loaded {
    /// The tensor, or the archive as NumPy prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Loaded::Array(tensor) => tensor.fmt(f),
            Loaded::Archive(npz) => npz.fmt(f),
        }
    }
}
