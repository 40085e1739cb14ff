//! Tensors that share memory, which the format cannot say.

use crate::{Error, Result};
use flambeau_autograd::Tensor;
use flambeau_tensor::Storage;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// A storage with the first byte, the end and the name of each tensor on it.
type Used<'a> = (Storage, Vec<(usize, usize, &'a str)>);

/// The names in groups: those of one group lie over each other. Tensors of one storage that lie side by side are apart.
pub(super) fn find_shared(tensors: &[(String, Tensor)]) -> Vec<BTreeSet<String>> {
    let mut storages: Vec<Used<'_>> = Vec::new();
    // A device's storages have no address to be told apart by, so that those of one address are compared.
    let mut at_address: HashMap<usize, Vec<usize>> = HashMap::new();
    for (name, tensor) in tensors {
        if tensor.is_uninitialized() {
            continue;
        }
        let array = tensor.array();
        if array.storage().nbytes() == 0 {
            continue;
        }
        let size = array.dtype().size();
        let end = if array.numel() == 0 { array.offset() } else { array.required_elements() };
        let area = (array.offset() * size, end * size, name.as_str());
        let alike = at_address.entry(array.storage().host_ptr().addr()).or_default();
        match alike.iter().find(|&&i| storages[i].0.ptr_eq(array.storage())) {
            Some(&i) => storages[i].1.push(area),
            None => {
                alike.push(storages.len());
                storages.push((array.storage().clone(), vec![area]));
            }
        }
    }
    let mut groups: Vec<BTreeSet<String>> = Vec::new();
    for (_, mut areas) in storages {
        areas.sort_unstable();
        let mut last_end = None;
        for (start, end, name) in areas {
            match (last_end, groups.last_mut()) {
                (Some(last), Some(group)) if start < last => drop(group.insert(name.to_owned())),
                _ => groups.push(BTreeSet::from([name.to_owned()])),
            }
            last_end = Some(end);
        }
    }
    groups
}

/// Which names a file need not have, by the name that is kept for them: of each group one that covers its whole storage, if
/// possible one of `preferred`.
pub(super) fn duplicates(
    tensors: &[(String, Tensor)],
    preferred: &BTreeSet<&str>,
    path: &Path,
) -> Result<BTreeMap<String, Vec<String>>> {
    let complete = |name: &&String| {
        let tensor = tensors.iter().find(|(known, _)| known == *name).map(|(_, tensor)| tensor.array());
        tensor.is_some_and(|a| a.offset() == 0 && a.numel() * a.dtype().size() == a.storage().nbytes())
    };
    let mut out = BTreeMap::new();
    for group in find_shared(tensors).into_iter().filter(|group| group.len() > 1) {
        let whole: Vec<&String> = group.iter().filter(complete).collect();
        let kept = whole.iter().find(|name| preferred.contains(name.as_str())).or(whole.first());
        let Some(kept) = kept.map(|name| (*name).clone()) else {
            let what = format!(
                "Error while trying to find names to remove to save state dict, but found no suitable name to keep for \
                 saving amongst: {}. None is covering the entire storage.Refusing to save/load the model since you could be \
                 storing much more memory than needed. Please refer to \
                 https://huggingface.co/docs/safetensors/torch_shared_tensors for more information. Or open an issue.",
                braces(&group)
            );
            return Err(Error::invalid(path, what));
        };
        out.insert(kept.clone(), group.into_iter().filter(|name| *name != kept).collect());
    }
    Ok(out)
}

/// Python's print of a set of names, in the order of the names.
pub(super) fn braces(names: &BTreeSet<String>) -> String {
    let names: Vec<String> = names.iter().map(|name| flambeau_tensor::print::py_str(name)).collect();
    format!("{{{}}}", names.join(", "))
}
