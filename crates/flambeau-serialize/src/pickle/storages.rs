//! The storages that a pickle names.

use super::unpickler::{Context, Id, Node, Unpickler};
use crate::{RawTensor, Result, Value};
use flambeau_tensor::DType;
use std::collections::HashMap;

/// A storage that the pickle names: it lies elsewhere in the file, unless it came with a NumPy array.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StorageEntry {
    /// Its name in the file: a zip archive has the entry `data/<key>`.
    pub key: String,
    /// The element type; `None` for untyped bytes that no tensor uses.
    pub dtype: Option<DType>,
    /// Its length in bytes.
    pub bytes: usize,
    /// Its bytes, if the pickle itself has them.
    pub data: Option<Vec<u8>>,
    /// Whether a tensor of truth values views it, whose bytes must be 0 or 1.
    pub holds_bool: bool,
}

/// What a tensor is made of: a part of a storage. Before PyTorch 0.4 storages could be views of others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// An index into [`Storages::entries`].
    pub storage: usize,
    /// The type of its elements; `None` for untyped bytes.
    pub dtype: Option<DType>,
    /// Where the part starts in the storage, in elements.
    pub offset: usize,
    /// How many elements it has.
    pub len: usize,
}

/// All storages that were named so far.
#[derive(Debug, Default)]
pub(crate) struct Storages {
    pub entries: Vec<StorageEntry>,
    keys: HashMap<String, usize>,
}

impl Storages {
    /// A storage that has its bytes already.
    pub fn push_data(&mut self, dtype: DType, data: Vec<u8>) -> View {
        let (bytes, storage) = (data.len(), self.entries.len());
        let holds_bool = dtype == DType::Bool;
        self.entries.push(StorageEntry { key: String::new(), dtype: Some(dtype), bytes, data: Some(data), holds_bool });
        View { storage, dtype: Some(dtype), offset: 0, len: bytes / dtype.size() }
    }

    /// The index of the storage `key`, if it was named.
    pub fn find(&self, key: &str) -> Option<usize> {
        self.keys.get(key).copied()
    }

    /// The storage of that key and length, whether it was named before or not; what is wrong with it otherwise.
    pub fn name(&mut self, key: &str, dtype: Option<DType>, len: usize) -> Result<View, String> {
        let bytes = len.checked_mul(dtype.map_or(1, DType::size)).filter(|&bytes| bytes <= isize::MAX as usize);
        let bytes = bytes.ok_or_else(|| format!("storage {key} claims {len} elements"))?;
        let storage = match self.keys.get(key) {
            // Memory of no bytes may be viewed in any dtype.
            Some(&known) if self.entries[known].bytes == bytes => known,
            Some(_) => return Err(format!("storage {key} is described in two ways")),
            None => {
                self.keys.insert(key.to_owned(), self.entries.len());
                let holds_bool = dtype == Some(DType::Bool);
                self.entries.push(StorageEntry { key: key.to_owned(), dtype, bytes, data: None, holds_bool });
                self.entries.len() - 1
            }
        };
        Ok(View { storage, dtype, offset: 0, len })
    }
}

impl Context {
    /// `tensor`, whose place is counted from the start of `part`, as a tensor of the whole storage; what is wrong with it if
    /// it does not fit.
    pub fn view(&mut self, part: View, mut tensor: RawTensor) -> Result<RawTensor, String> {
        let (dtype, unit) = (tensor.dtype, part.dtype.map_or(1, DType::size));
        match tensor.fault(part.len * unit / dtype.size()) {
            Some(fault) => return Err(fault),
            None => tensor.storage = part.storage,
        }
        tensor.offset += part.offset * unit / dtype.size();
        let entry = &mut self.storages.entries[part.storage];
        entry.holds_bool |= dtype == DType::Bool;
        entry.dtype.get_or_insert(dtype);
        Ok(tensor)
    }
}

impl Unpickler<'_, '_> {
    /// What the persistent id of a storage stands for: `('storage', class, key, location, numel)`, in the formats before 1.6
    /// with `view_metadata` at the end: `None` or `(key of the view, offset, numel)`. The location is where the tensor lived
    /// when it was saved; storages are read to the CPU whatever it says. In the tar format an id is a number.
    pub(super) fn persistent(&mut self, id: Id) -> Result<Node> {
        if let Node::Leaf(Value::Int(_) | Value::Str(_)) = &self.nodes[id] {
            let key = match &self.nodes[id] {
                Node::Leaf(Value::Int(key)) => Some(*key),
                Node::Leaf(Value::Str(key)) => key.parse().ok(),
                _ => None,
            };
            let object = key.and_then(|key| self.context.objects.get(&key)).cloned();
            if let Some(Node::Leaf(Value::Tensor(tensor))) = &object {
                self.spend(2 * size_of_val(tensor.shape.as_slice()))?;
            }
            return object.ok_or_else(|| self.corrupt("a persistent id names no object of the file"));
        }
        let parts = self.elements(id)?;
        let &[tag, class, key, _location, len, ref view @ ..] = parts.as_slice() else {
            return Err(self.corrupt("a persistent id has too few parts"));
        };
        if self.text(tag)? != "storage" {
            return Err(self.corrupt("a persistent id names no storage"));
        }
        let dtype = self.nodes[class].storage_type();
        let dtype = dtype.ok_or_else(|| self.corrupt("a persistent id has no storage class"))?;
        let key = match self.nodes[key] {
            Node::Leaf(Value::Int(key)) => key.to_string(),
            _ => self.text(key)?,
        };
        let len = self.length(len)?;
        let whole = self.context.storages.name(&key, dtype, len);
        let whole = whole.map_err(|fault| self.corrupt(fault))?;
        match view {
            [] => Ok(Node::Storage(whole)),
            &[view] if matches!(self.nodes[view], Node::Leaf(Value::None)) => Ok(Node::Storage(whole)),
            &[view] => {
                let &[_key, offset, len] = self.elements(view)?.as_slice() else {
                    return Err(self.corrupt("a view of a storage has not three parts"));
                };
                let (offset, len) = (self.length(offset)?, self.length(len)?);
                if offset.checked_add(len).is_none_or(|end| end > whole.len) {
                    return Err(self.corrupt("a view of a storage reaches beyond it"));
                }
                Ok(Node::Storage(View { offset, len, ..whole }))
            }
            _ => Err(self.corrupt("a persistent id has too many parts")),
        }
    }
}
