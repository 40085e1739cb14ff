//! Opening a file and reading of it what is asked for.

use super::header::{self, Header};
use crate::{Error, Result, blocks};
use ::safetensors::tensor::TensorInfo;
use flambeau_autograd::ops::indexing::IntoIndex;
use flambeau_autograd::{Tensor, ops, options};
use flambeau_nn::StateDict;
use flambeau_tensor::Device;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

options! {
    /// Options of [`safe_open_with`] and [`load_file_with`](super::load_file_with).
    #[derive(Clone)]
    OpenOptions {
        /// Accepted as Python's `framework="pt"`: what is read are tensors (pt).
        framework: String = "pt".into(),
        /// The device that the tensors come to (the CPU).
        device: Option<Device> = None,
    }
}

/// An open safetensors file, of which only the header has been read: `safetensors.safe_open`. Made by [`safe_open`].
pub struct SafeOpen {
    header: Header,
    file: Mutex<File>,
    device: Device,
    path: PathBuf,
}

/// Opens a safetensors file and reads its header; tensors are read when they are asked for:
/// `safe_open(filename, framework="pt")`.
///
/// ```
/// use flambeau_serialize::safetensors::{safe_open, save_file};
/// # let path = std::env::temp_dir().join(format!("flambeau_safe_open_{}.safetensors", std::process::id()));
/// save_file([("weight", flambeau_autograd::ones([2, 3])), ("bias", flambeau_autograd::zeros([2]))], &path)?;
///
/// let f = safe_open(&path)?;
/// assert_eq!(f.keys(), ["bias", "weight"]);
/// assert_eq!(f.get_tensor("bias")?.to_vec::<f32>(), [0.0, 0.0]);
/// let column = f.get_slice("weight")?.i((.., 0))?; // f.get_slice("weight")[:, 0]
/// assert_eq!(column.to_vec::<f32>(), [1.0, 1.0]);
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// `Io` if the file cannot be read, `Corrupt` if its header breaks a rule of the format.
pub fn safe_open(filename: impl AsRef<Path>) -> Result<SafeOpen> {
    safe_open_with(filename, |o| o)
}

/// [`safe_open`] with options: `safe_open(filename, framework="pt", device="cuda:0")`.
///
/// # Errors
/// As [`safe_open`].
pub fn safe_open_with(
    filename: impl AsRef<Path>,
    options: impl FnOnce(OpenOptions) -> OpenOptions,
) -> Result<SafeOpen> {
    let path = filename.as_ref();
    let device = options(OpenOptions::default()).device.unwrap_or(Device::Cpu);
    let file = File::open(path).map_err(Error::io("open", path))?;
    let about = file.metadata().map_err(Error::io("read", path))?;
    if about.is_dir() {
        return Err(Error::unsupported(path, "it is a folder; name the .safetensors file in it"));
    }
    let header = Header::read(&mut BufReader::new(&file), about.len(), path)?;
    Ok(SafeOpen { header, file: Mutex::new(file), device, path: path.to_owned() })
}

impl SafeOpen {
    /// The tensors' names, sorted: `f.keys()`.
    pub fn keys(&self) -> Vec<String> {
        let mut names = self.offset_keys();
        names.sort_unstable();
        names
    }

    /// The tensors' names in the order in which they lie in the file: `f.offset_keys()`.
    pub fn offset_keys(&self) -> Vec<String> {
        self.header.tensors.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The texts that were saved beside the tensors, by name: `f.metadata()`.
    pub fn metadata(&self) -> Option<&BTreeMap<String, String>> {
        self.header.metadata.as_ref()
    }

    /// One tensor: `f.get_tensor(name)`. A large one lies on the file's own pages, which are read when they are touched; the
    /// file must not be truncated while it lives. What is written to the tensor stays in memory.
    ///
    /// # Errors
    /// `Key` if the file has no such tensor, `Unsupported` if its dtype is one that is not here.
    pub fn get_tensor(&self, name: &str) -> Result<Tensor> {
        self.read(name, self.info(name)?)
    }

    /// All tensors in the order of the file: `f.get_tensors()`.
    ///
    /// # Errors
    /// As [`SafeOpen::get_tensor`].
    pub fn get_tensors(&self) -> Result<StateDict> {
        let tensors = self.header.tensors.iter().map(|(name, info)| Ok((name.clone(), self.read(name, info)?)));
        tensors.collect::<Result<Vec<_>>>().map(StateDict::from_entries)
    }

    /// A tensor of which parts can be read: `f.get_slice(name)`.
    ///
    /// # Errors
    /// `Key` if the file has no such tensor.
    pub fn get_slice(&self, name: &str) -> Result<SafeSlice<'_>> {
        Ok(SafeSlice { info: self.info(name)?, name: name.to_owned(), file: self })
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.header
            .get(name)
            .ok_or_else(|| Error::Key { path: self.path.clone(), what: format!("File does not contain tensor {name}") })
    }

    fn read(&self, name: &str, info: &TensorInfo) -> Result<Tensor> {
        let dtype = header::from_dtype(name, info.dtype, &self.path)?;
        let at = self.header.start + info.data_offsets.0 as u64;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(array) = blocks::map(&file, at, self.device, dtype, &info.shape) {
            return Ok(array.into());
        }
        file.seek(SeekFrom::Start(at)).map_err(Error::io("read", &self.path))?;
        let order = blocks::Order::Little;
        blocks::read(&mut *file, self.device, dtype, &info.shape, order, &self.path).map(Tensor::from)
    }
}

/// A tensor of an open file, of which only the parts that are asked for are read. Made by [`SafeOpen::get_slice`].
pub struct SafeSlice<'a> {
    name: String,
    info: &'a TensorInfo,
    file: &'a SafeOpen,
}

impl SafeSlice<'_> {
    /// The tensor's lengths: `s.get_shape()`.
    pub fn get_shape(&self) -> Vec<usize> {
        self.info.shape.clone()
    }

    /// The format's name of the tensor's dtype, such as `F32`: `s.get_dtype()`.
    pub fn get_dtype(&self) -> String {
        self.info.dtype.to_string()
    }

    /// The part of the tensor that the index names, in memory of its own: `s[:, :2]` is `s.i((.., ..2))`. Of a large tensor
    /// only the pages with that part are read.
    ///
    /// # Errors
    /// As [`SafeOpen::get_tensor`], and when the index is out of bounds.
    pub fn i(&self, index: impl IntoIndex) -> Result<Tensor> {
        let wrong = |e: flambeau_autograd::Error| Error::Key { path: self.file.path.clone(), what: e.to_string() };
        let whole = self.file.read(&self.name, self.info)?;
        let part = ops::index(&whole, index).map_err(wrong)?;
        ops::contiguous(&part).and_then(|part| ops::clone(&part)).map_err(wrong)
    }
}
