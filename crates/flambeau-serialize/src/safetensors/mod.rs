//! `safetensors`, under the names of Python's package: [`save_file`], [`load_file`], [`safe_open`], [`save_model`],
//! [`load_model`], and [`save`] and [`load`] for bytes.
//!
//! A file is a JSON header with each tensor's dtype, shape and place, and the tensors' bytes. Nothing in it can be executed,
//! and a tensor can be read without the others.

mod header;
mod model;
mod open;
mod save;
pub(crate) mod sharded;
mod shared;

pub use model::{LoadModelOptions, load_model, load_model_with, save_model, save_model_with};
pub use open::{OpenOptions, SafeOpen, SafeSlice, safe_open, safe_open_with};
pub use save::{SaveOptions, save, save_file, save_file_with, save_with};

use crate::{Result, blocks};
use flambeau_autograd::Tensor;
use flambeau_nn::StateDict;
use flambeau_tensor::Device;
use header::Header;
use std::path::Path;

/// What errors call bytes in memory.
const BYTES: &str = "<bytes>";

/// All tensors of a safetensors file by name, in the order of the file: `safetensors.torch.load_file(filename)`. The result
/// can be indexed by name, and given to `load_state_dict`.
///
/// Large tensors lie on the file's own pages, which are read when they are touched: the file must not be truncated while
/// they live. An index of several files, `model.safetensors.index.json`, gives the tensors of all of them.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// use flambeau_serialize::safetensors::{load_file, save_file};
/// # let path = std::env::temp_dir().join(format!("flambeau_load_file_{}.safetensors", std::process::id()));
/// let model = nn::Linear::new(2, 1);
/// save_file(model.state_dict(), &path)?;
/// let tensors = load_file(&path)?;
/// assert_eq!(tensors["weight"].size(), [1, 2]);
/// model.load_state_dict(&tensors).unwrap();
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// `Io` if the file cannot be read, `Corrupt` if it breaks a rule of the format, `Unsupported` if a tensor's dtype is not here.
pub fn load_file(filename: impl AsRef<Path>) -> Result<StateDict> {
    load_file_with(filename, |o| o)
}

/// [`load_file`] with options: `load_file(filename, device="cuda:0")`.
///
/// # Errors
/// As [`load_file`].
pub fn load_file_with(
    filename: impl AsRef<Path>,
    options: impl FnOnce(OpenOptions) -> OpenOptions,
) -> Result<StateDict> {
    let path = filename.as_ref();
    let options = options(OpenOptions::default());
    if sharded::is_index(path) {
        return sharded::load(path, options.device);
    }
    safe_open_with(path, |_| options)?.get_tensors()
}

/// All tensors of a safetensors file that is in memory: `safetensors.torch.load(data)`.
///
/// # Errors
/// As [`load_file`].
pub fn load(data: impl AsRef<[u8]>) -> Result<StateDict> {
    let (data, path) = (data.as_ref(), Path::new(BYTES));
    let header = Header::read(&mut &*data, data.len() as u64, path)?;
    let tensors = header.tensors.iter().map(|(name, info)| {
        let dtype = header::from_dtype(name, info.dtype, path)?;
        // The header's places lie within the data.
        let mut bytes = &data[header.start as usize + info.data_offsets.0..];
        let array = blocks::read(&mut bytes, Device::Cpu, dtype, &info.shape, blocks::Order::Little, path)?;
        Ok((name.clone(), Tensor::from(array)))
    });
    tensors.collect::<Result<Vec<_>>>().map(StateDict::from_entries)
}
