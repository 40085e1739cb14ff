//! Writing files.

use super::header;
use super::shared::{braces, find_shared};
use crate::{Error, Result, Save, Value, blocks};
use flambeau_autograd::Tensor;
use flambeau_tensor::Array;
use flambeau_tensor::file::write_whole;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Options of [`save_file_with`], [`save_with`] and [`save_model_with`](super::save_model_with).
#[derive(Clone, Debug, Default)]
pub struct SaveOptions {
    /// Texts that are saved beside the tensors (none).
    pub metadata: Option<BTreeMap<String, String>>,
}

impl SaveOptions {
    /// Texts that are saved beside the tensors: `metadata={"format": "pt"}`.
    #[must_use]
    pub fn metadata<K: Into<String>, V: Into<String>>(mut self, texts: impl IntoIterator<Item = (K, V)>) -> Self {
        self.metadata = Some(texts.into_iter().map(|(key, text)| (key.into(), text.into())).collect());
        self
    }
}

/// Writes tensors by name as a safetensors file: `safetensors.torch.save_file(tensors, filename)`. The tensors are a state
/// dict, pairs of a name and a tensor, a map or a `dict!`. The file appears whole or not at all.
///
/// ```
/// use flambeau_serialize::safetensors::{load_file, save_file};
/// # let path = std::env::temp_dir().join(format!("flambeau_save_file_{}.safetensors", std::process::id()));
/// let x = flambeau_autograd::arange(6).view([2, 3]);
/// save_file([("x", &x)], &path)?;
/// assert_eq!(load_file(&path)?["x"].to_vec::<i64>(), x.to_vec::<i64>());
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// `Invalid` with Python's words if tensors share memory ([`save_model`](super::save_model) keeps one of them), are not
/// contiguous, or if the value is no dictionary of tensors; `Io` if the file cannot be written.
pub fn save_file(tensors: impl Save, filename: impl AsRef<Path>) -> Result<()> {
    save_file_with(tensors, filename, |o| o)
}

/// [`save_file`] with options: `save_file(tensors, filename, metadata={"format": "pt"})`.
///
/// ```
/// use flambeau_serialize::safetensors::{safe_open, save_file_with};
/// # let path = std::env::temp_dir().join(format!("flambeau_save_file_with_{}.safetensors", std::process::id()));
/// let tensors = [("x", flambeau_autograd::ones([2]))];
/// save_file_with(tensors, &path, |o| o.metadata([("format", "pt")]))?;
/// assert_eq!(safe_open(&path)?.metadata().unwrap()["format"], "pt");
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// As [`save_file`].
pub fn save_file_with(
    tensors: impl Save,
    filename: impl AsRef<Path>,
    options: impl FnOnce(SaveOptions) -> SaveOptions,
) -> Result<()> {
    let path = filename.as_ref();
    let file = prepare(tensors, options(SaveOptions::default()), path)?;
    let written = write_whole(path, |out| {
        let mut out = BufWriter::new(out);
        file.write(&mut out)?;
        out.flush()
    });
    written.map_err(|refused| Error::io(refused.action, path)(refused.source))
}

/// The bytes that [`save_file`] would write: `safetensors.torch.save(tensors)`.
///
/// ```
/// use flambeau_serialize::safetensors::{load, save};
/// let bytes = save([("x", flambeau_autograd::ones([2]))])?;
/// assert_eq!(load(&bytes)?["x"].to_vec::<f32>(), [1.0, 1.0]);
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// As [`save_file`].
pub fn save(tensors: impl Save) -> Result<Vec<u8>> {
    save_with(tensors, |o| o)
}

/// [`save`] with options: `save(tensors, metadata={"format": "pt"})`.
///
/// # Errors
/// As [`save_file`].
pub fn save_with(tensors: impl Save, options: impl FnOnce(SaveOptions) -> SaveOptions) -> Result<Vec<u8>> {
    let path = Path::new(super::BYTES);
    let file = prepare(tensors, options(SaveOptions::default()), path)?;
    let mut bytes = Vec::with_capacity(file.header.len() + file.data.iter().map(nbytes).sum::<usize>());
    file.write(&mut bytes).map_err(Error::io("write", path))?;
    Ok(bytes)
}

/// A file that may be written.
struct Prepared {
    header: Vec<u8>,
    /// What follows the header, in this order.
    data: Vec<Array>,
}

impl Prepared {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.header)?;
        self.data.iter().try_for_each(|array| blocks::write(array, out))
    }
}

fn nbytes(array: &Array) -> usize {
    array.numel() * array.dtype().size()
}

fn prepare(tensors: impl Save, options: SaveOptions, path: &Path) -> Result<Prepared> {
    let tensors = named(&tensors.to_value(), path)?;
    if let Some((name, _)) = tensors.iter().find(|(name, _)| name == "__metadata__") {
        let what = format!("a tensor cannot have the name `{name}`, under which the format keeps the metadata");
        return Err(Error::invalid(path, what));
    }
    let shared: Vec<String> =
        find_shared(&tensors).into_iter().filter(|names| names.len() > 1).map(|names| braces(&names)).collect();
    if !shared.is_empty() {
        let what = format!(
            "Some tensors share memory, this will lead to duplicate memory on disk and potential differences when loading \
             them again: [{}].\nA potential way to correctly save your model is to use `save_model`.\nMore information at \
             https://huggingface.co/docs/safetensors/torch_shared_tensors",
            shared.join(", ")
        );
        return Err(Error::invalid(path, what));
    }
    for (name, tensor) in &tensors {
        if tensor.is_uninitialized() {
            return Err(Error::invalid(path, tensor.uninitialized_message("storage")));
        }
        if !tensor.is_contiguous() {
            let what = format!(
                "You are trying to save a non contiguous tensor: `{name}` which is not allowed. It either means you are \
                 trying to save tensors which are reference of each other in which case it's recommended to save only the \
                 full tensors, and reslice at load time, or simply call `.contiguous()` on your tensor to pack it before \
                 saving."
            );
            return Err(Error::invalid(path, what));
        }
    }
    let arrays: Vec<Array> = tensors.iter().map(|(_, tensor)| tensor.array().clone()).collect();
    let rows = tensors.iter().zip(&arrays);
    let rows: Vec<_> =
        rows.map(|((name, _), a)| (name.as_str(), header::to_dtype(a.dtype()), a.shape(), nbytes(a))).collect();
    let written = header::write(&rows, options.metadata.as_ref());
    let (header, order) = written.map_err(|e| Error::invalid(path, e.to_string()))?;
    Ok(Prepared { header, data: order.iter().map(|&i| arrays[i].clone()).collect() })
}

/// Names and tensors of a dictionary, or what Python says of something else.
fn named(value: &Value<Tensor>, path: &Path) -> Result<Vec<(String, Tensor)>> {
    let class = |value: &Value<Tensor>| match value.type_name() {
        "Tensor" => "torch.Tensor",
        name => name,
    };
    let Some(entries) = value.entries() else {
        let what = format!("Expected a dict of [str, torch.Tensor] but received <class '{}'>", class(value));
        return Err(Error::invalid(path, what));
    };
    let entries = entries.into_iter().map(|(key, value)| match (key, value) {
        (Value::Str(name), Value::Tensor(tensor)) => Ok((name.clone(), tensor.shallow_clone())),
        (Value::Str(name), other) => Err(Error::invalid(
            path,
            format!("Key `{name}` is invalid, expected torch.Tensor but received <class '{}'>", class(other)),
        )),
        (key, _) => Err(Error::invalid(path, format!("the key {key} is no string"))),
    });
    entries.collect()
}
