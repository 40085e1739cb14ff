//! Files with tensors in them: what `torch.save` and `torch.load` do.

use crate::blocks::{in_parts, to_bools};
use crate::pth::{self, Opened};
use crate::{Error, RawTensor, Result, Save, Value, safetensors};
use flambeau_autograd::{Tensor, options};
use flambeau_tensor::{Array, DType, Device, HostBlock, Storage};
use std::collections::HashMap;
use std::path::Path;

impl From<Tensor> for Value<Tensor> {
    fn from(tensor: Tensor) -> Self {
        Value::Tensor(tensor)
    }
}

impl From<&Tensor> for Value<Tensor> {
    fn from(tensor: &Tensor) -> Self {
        Value::Tensor(tensor.shallow_clone())
    }
}

/// Writes a value, or what a reference leads to, as `torch.save(value, path)` does; `torch.load(path, weights_only=True)` reads it in Python.
///
/// Strides, `requires_grad` and parameters stay, and what shares memory is written once. The file appears whole or not at
/// all. Tensors of other devices are written as CPU tensors.
///
/// ```
/// use flambeau_serialize::{dict, load, save};
/// # let path = std::env::temp_dir().join(format!("flambeau_save_{}.pth", std::process::id()));
/// let w = flambeau_autograd::ones([2]);
/// save(&dict! { "epoch": 3, "weights": w, "best": ("cnn", 0.5), "losses": [0.75, 0.5] }, &path)?;
/// assert_eq!(load(&path)?["best"].to_string(), "('cnn', 0.5)");
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// A module itself is not saved, for its class is not in the file:
///
/// ```compile_fail,E0277
/// flambeau_serialize::save(&flambeau_nn::Linear::new(2, 1), "model.pth");
/// ```
///
/// # Errors
/// `Io` if the file cannot be written, `Invalid` if the value nests too deep, a storage is viewed in two dtypes, a tensor's
/// memory is borrowed, or a lazy module's parameter has no shape yet (Python writes it, and does not load what it wrote).
pub fn save(value: impl Save, path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let mut storages: Vec<(Storage, DType)> = Vec::new();
    let mut known: HashMap<usize, usize> = HashMap::new();
    let value = value.to_value().try_map(&mut |tensor: &Tensor| {
        if tensor.is_uninitialized() {
            return Err(Error::invalid(path, tensor.uninitialized_message("storage")));
        }
        let array = tensor.array();
        let storage = *known.entry(array.storage().identity()).or_insert_with(|| {
            storages.push((array.storage().clone(), array.dtype()));
            storages.len() - 1
        });
        if storages[storage].1 != array.dtype() {
            let what = "Cannot save multiple tensors or storages that view the same data as different types";
            return Err(Error::invalid(path, what));
        }
        Ok::<_, Error>(RawTensor {
            dtype: array.dtype(),
            shape: array.shape().to_vec(),
            strides: array.strides().to_vec(),
            offset: array.offset(),
            storage,
            requires_grad: tensor.requires_grad(),
            is_parameter: tensor.is_parameter(),
        })
    })?;
    let sizes: Vec<(DType, usize)> =
        storages.iter().map(|(s, dtype)| (*dtype, s.nbytes() / dtype.size() * dtype.size())).collect();
    pth::write_parts(path, &value, &sizes, &mut |index, take| {
        let ((storage, _), (dtype, bytes)) = (&storages[index], sizes[index]);
        in_parts(storage, dtype, 0..bytes, take)
    })
}

/// Reads a file of `torch.save`, as `torch.load(path, weights_only=True)` does: nothing in it is executed. Tensors come to
/// the CPU, wherever they lived; those that shared memory share it again.
///
/// A file whose name ends in `.safetensors` gives a dictionary of its tensors, as in PyTorch 2.15, and an index of several
/// files (`model.safetensors.index.json`, `pytorch_model.bin.index.json`) one of the tensors of all of them.
///
/// # Errors
/// As [`pth::read`], and `Memory` when the tensors do not fit.
pub fn load(path: impl AsRef<Path>) -> Result<Value<Tensor>> {
    load_with(path, |o| o)
}

options! {
    /// Options of [`load_with`].
    #[derive(Clone)]
    LoadOptions {
        /// The device that the tensors come to (the CPU).
        map_location: Option<Device> = None,
        /// Accepted as PyTorch's; nothing in a file is executed either way (true).
        weights_only: bool = true,
        /// Leave the tensors' bytes in the file, from which each page is read when it is first used: a large file loads at once,
        /// and what is not used is never read. Writes stay in memory. For files of `torch.save` since PyTorch 1.6 (false).
        mmap: bool = false,
    }
}

/// [`load`] with options: `map_location` is the device that the tensors come to, wherever they lived:
/// `torch.load(path, map_location=device)`.
///
/// ```
/// use flambeau_autograd::tensor;
/// let path = std::env::temp_dir().join(format!("flambeau_load_with_{}.pth", std::process::id()));
/// flambeau_serialize::save(&tensor([1.0, 2.0]), &path)?;
/// let x = flambeau_serialize::load_with(&path, |o| o.map_location("cpu"))?;
/// # std::fs::remove_file(&path).ok();
/// assert!(matches!(x, flambeau_serialize::Value::Tensor(x) if x.to_vec::<f32>() == [1.0, 2.0]));
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// As [`load`].
pub fn load_with(path: impl AsRef<Path>, options: impl FnOnce(LoadOptions) -> LoadOptions) -> Result<Value<Tensor>> {
    let path = path.as_ref();
    let LoadOptions { map_location, mmap, .. } = options(LoadOptions::default());
    if path.as_os_str().as_encoded_bytes().ends_with(b".safetensors") || safetensors::sharded::is_index(path) {
        let tensors = safetensors::load_file_with(path, |o| safetensors::OpenOptions { device: map_location, ..o })?;
        return Ok(Value::dict(tensors.into_iter().map(|(name, tensor)| (name, Value::Tensor(tensor)))));
    }
    let device = map_location.unwrap_or(Device::Cpu);
    let mut file = Opened::open(path, mmap)?;
    let mut blocks = if mmap && device.is_host() { pth::map(&mut file, path)? } else { Vec::new() };
    blocks.resize_with(file.storages.len(), || None);
    let mut arrays = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.into_iter().enumerate() {
        arrays.push(storage(&mut file, index, block, device, path)?);
    }
    let memory = |source| Error::Memory { path: path.to_owned(), source };
    file.value.try_map(&mut |raw: &RawTensor| {
        let storage = arrays[raw.storage].clone();
        let (shape, strides) = (raw.shape.iter().copied().collect(), raw.strides.iter().copied().collect());
        let array = Array::from_parts(storage, raw.dtype, shape, strides, raw.offset).map_err(memory)?;
        let tensor = Tensor::from(array);
        Ok(match (raw.is_parameter, raw.requires_grad) {
            (true, requires_grad) => tensor.into_parameter(requires_grad),
            (false, true) if raw.dtype.is_floating_point() => tensor.requires_grad_(true),
            (false, _) => tensor,
        })
    })
}

/// A storage of the file on a device: mapped where there is a block of a map, else read straight into its memory.
fn storage(
    file: &mut Opened<'_>,
    index: usize,
    block: Option<HostBlock>,
    device: Device,
    path: &Path,
) -> Result<Storage> {
    let entry = &file.storages[index];
    let (len, dtype, holds_bool) = (entry.bytes, entry.dtype.unwrap_or(DType::U8), entry.holds_bool);
    let memory = |source| Error::Memory { path: path.to_owned(), source };
    let backend = flambeau_device::backend(device).map_err(memory)?;
    if let Some(block) = block {
        return Ok(Storage::host(backend, block));
    }
    if device.is_host() {
        let array = Array::empty(backend, device, &[len], DType::U8).map_err(memory)?;
        let storage = array.storage().clone();
        let whole = Tensor::from(array);
        let mut bytes = whole.as_slice_mut::<u8>();
        file.fill(index, &mut bytes)?;
        if holds_bool {
            to_bools(&mut bytes);
        }
        return Ok(storage);
    }
    let mut bytes = vec![0; len];
    file.fill(index, &mut bytes)?;
    if holds_bool {
        to_bools(&mut bytes);
    }
    let array = Array::empty(backend, device, &[len / dtype.size()], dtype).map_err(memory)?;
    if !array.shape().contains(&0) {
        array.backend().upload(&bytes, &array).map_err(memory)?;
    }
    Ok(array.storage().clone())
}
