//! Modules to files and back, where some of their tensors are one.

use super::shared::duplicates;
use super::{OpenOptions, SaveOptions, load_file_with, save_file_with};
use crate::{Error, Result};
use flambeau_autograd::{Tensor, options};
use flambeau_nn::{Module, StateDict};
use flambeau_tensor::Device;
use std::collections::BTreeSet;
use std::path::Path;

/// Writes a module's state as a safetensors file: `safetensors.torch.save_model(model, filename)`. Of tensors that share
/// memory one is written; the metadata says, under each other name, which.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// use flambeau_serialize::safetensors::{load_model, save_model};
/// # let path = std::env::temp_dir().join(format!("flambeau_save_model_{}.safetensors", std::process::id()));
/// let (model, other) = (nn::Linear::new(2, 1), nn::Linear::new(2, 1));
/// save_model(&model, &path)?;
/// let (missing, unexpected) = load_model(&other, &path)?;
/// assert!(missing.is_empty() && unexpected.is_empty());
/// assert_eq!(other.weight.to_vec::<f32>(), model.weight.to_vec::<f32>());
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), flambeau_serialize::Error>(())
/// ```
///
/// # Errors
/// `Invalid` if tensors lie over each other and none of them is the whole; `Io` if the file cannot be written.
pub fn save_model(model: &impl Module, filename: impl AsRef<Path>) -> Result<()> {
    save_model_with(model, filename, |o| o)
}

/// [`save_model`] with options: `save_model(model, filename, metadata={"format": "pt"})`.
///
/// # Errors
/// As [`save_model`].
pub fn save_model_with(
    model: &impl Module,
    filename: impl AsRef<Path>,
    options: impl FnOnce(SaveOptions) -> SaveOptions,
) -> Result<()> {
    let path = filename.as_ref();
    let mut metadata = options(SaveOptions::default()).metadata;
    let mut state = entries(&model.state_dict());
    for (kept, removed) in duplicates(&state, &BTreeSet::new(), path)? {
        for name in removed {
            state.retain(|(known, _)| *known != name);
            metadata.get_or_insert_default().entry(name).or_insert_with(|| kept.clone());
        }
    }
    for (_, tensor) in &mut state {
        if !tensor.is_uninitialized() && !tensor.is_contiguous() {
            *tensor = tensor.contiguous();
        }
    }
    save_file_with(state, path, |_| SaveOptions { metadata })
}

options! {
    /// Options of [`load_model_with`].
    #[derive(Clone)]
    LoadModelOptions {
        /// Whether names that are missing or unexpected are an error (true).
        strict: bool = true,
        /// The device that the file's tensors come to before they are copied (the CPU).
        device: Option<Device> = None,
    }
}

/// Loads what [`save_model`] wrote into a module: `safetensors.torch.load_model(model, filename)`. Gives the names that the
/// file lacks and those that the module lacks: none, if `strict`.
///
/// # Errors
/// As [`load_file`](super::load_file), and `Model` if names are missing or unexpected, or shapes differ.
pub fn load_model(model: &impl Module, filename: impl AsRef<Path>) -> Result<(Vec<String>, Vec<String>)> {
    load_model_with(model, filename, |o| o)
}

/// [`load_model`] with options: `load_model(model, filename, strict=False)`.
///
/// # Errors
/// As [`load_model`].
pub fn load_model_with(
    model: &impl Module,
    filename: impl AsRef<Path>,
    options: impl FnOnce(LoadModelOptions) -> LoadModelOptions,
) -> Result<(Vec<String>, Vec<String>)> {
    let path = filename.as_ref();
    let LoadModelOptions { strict, device } = options(LoadModelOptions::default());
    let state = load_file_with(path, |o| OpenOptions { device, ..o })?;
    let removed = duplicates(&entries(&model.state_dict()), &state.keys().collect(), path)?;
    let report = model.load_state_dict_with(&state, |o| o.strict(false));
    let report = report.map_err(|e| Error::Model { path: path.to_owned(), what: e.to_string() })?;
    let (mut missing, mut unexpected) = (report.missing_keys, report.unexpected_keys);
    for name in removed.into_values().flatten() {
        match missing.iter().position(|known| *known == name) {
            Some(at) => drop(missing.remove(at)),
            // The file has both names of what is one tensor here.
            None => unexpected.push(name),
        }
    }
    if strict && !(missing.is_empty() && unexpected.is_empty()) {
        let mut what = format!("Error(s) in loading state_dict for {}:", model.type_name());
        for (kind, names) in [("Missing", &missing), ("Unexpected", &unexpected)] {
            let mut names: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            names.sort_unstable();
            if !names.is_empty() {
                what += &format!("\n    {kind} key(s) in state_dict: {}", names.join(", "));
            }
        }
        return Err(Error::Model { path: path.to_owned(), what });
    }
    Ok((missing, unexpected))
}

fn entries(state: &StateDict) -> Vec<(String, Tensor)> {
    state.iter().map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect()
}
