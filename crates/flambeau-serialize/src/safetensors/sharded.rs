//! Checkpoints in several files, with an index that says which tensor is in which.

use super::{OpenOptions, safe_open_with};
use crate::{Error, Result};
use flambeau_nn::StateDict;
use flambeau_tensor::Device;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path};

/// Longer index files are refused: a line for each tensor makes some megabytes at most.
const MAX_BYTES: u64 = 100_000_000;

/// Whether a file is an index by its name: `model.safetensors.index.json`, `pytorch_model.bin.index.json`.
pub(crate) fn is_index(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.ends_with(".index.json"))
}

/// All tensors of all files that an index names, file by file.
pub(crate) fn load(path: &Path, device: Option<Device>) -> Result<StateDict> {
    let corrupt = |what: String| Error::corrupt(path, what);
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(Error::io("read", path))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(corrupt(format!("it has more than {MAX_BYTES} bytes, which no index needs")));
    }
    let index: serde_json::Value = serde_json::from_slice(&text).map_err(|e| corrupt(format!("invalid JSON: {e}")))?;
    let Some(weight_map) = index.get("weight_map").and_then(serde_json::Value::as_object) else {
        return Err(corrupt("it has no object `weight_map` from names of tensors to names of files".into()));
    };
    let mut shards: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, shard) in weight_map {
        let shard = shard.as_str().ok_or_else(|| corrupt(format!("`weight_map` has no file name for `{name}`")))?;
        shards.entry(shard).or_default().insert(name);
    }
    let (mut all, mut places) = (Vec::new(), HashMap::new());
    for (shard, names) in shards {
        let parts = Path::new(shard).components();
        // A backslash parts folders on Windows only, and stands in no name of a shard.
        if shard.is_empty() || shard.contains('\\') || !parts.clone().all(|c| matches!(c, Component::Normal(_))) {
            return Err(corrupt(format!("its `weight_map` names the file {shard:?}, which lies outside its folder")));
        }
        let shard_path = path.with_file_name(shard);
        let tensors = match shard.ends_with(".safetensors") {
            true => safe_open_with(&shard_path, |o| OpenOptions { device, ..o })?.get_tensors()?,
            false => crate::load_with(&shard_path, |o| crate::LoadOptions { map_location: device, ..o })?.extract()?,
        };
        let known: HashSet<&str> = tensors.keys().collect();
        if let Some(name) = names.iter().find(|name| !known.contains(*name)) {
            return Err(corrupt(format!("its `weight_map` says that {shard} has the tensor `{name}`, and it has not")));
        }
        for (name, tensor) in tensors {
            // Of a name in two files the later counts, as in Python, which updates a dictionary.
            match places.get(&name) {
                Some(&at) => all[at] = (name, tensor),
                None => {
                    places.insert(name.clone(), all.len());
                    all.push((name, tensor));
                }
            }
        }
    }
    Ok(StateDict::from_entries(all))
}
