//! The few calls that a pickle may make: each builds a value from its arguments.

use super::{
    globals::Global,
    unpickler::{Budget, Id, Node, StorageEntry, Unpickler},
};
use crate::{
    Result,
    value::{DictKind, RawTensor, Value},
};
use flambeau_tensor::DType;

impl Unpickler<'_> {
    /// REDUCE: the node that `function(*arguments)` stands for.
    pub(super) fn reduce(&mut self, function: Id, arguments: Id) -> Result<Node> {
        let Node::Global(global) = self.nodes[function] else {
            return Err(self.corrupt("it calls something that is no function"));
        };
        let arguments = self.elements(arguments)?;
        match (global, arguments.as_slice()) {
            (Global::OrderedDict, &[]) => Ok(dict(DictKind::OrderedDict, Vec::new())),
            (Global::OrderedDict, &[pairs]) => {
                let pairs = self.elements(pairs)?;
                let items = pairs.into_iter().map(|pair| self.pair(pair)).collect::<Result<_>>()?;
                Ok(dict(DictKind::OrderedDict, items))
            }
            (Global::Counter, &[]) => Ok(dict(DictKind::Counter, Vec::new())),
            (Global::Counter, &[counts]) => {
                let Node::Dict { items, .. } = &self.nodes[counts] else {
                    return Err(self.corrupt("a Counter is made of something that is no dict"));
                };
                let items = items.clone();
                self.budget.spend(items.len() * Budget::VALUE, self.path)?;
                Ok(dict(DictKind::Counter, items))
            }
            (Global::Set, &[]) => Ok(Node::Set(Vec::new())),
            (Global::Set, &[items]) => Ok(Node::Set(self.elements(items)?)),
            (Global::Size, &[sizes]) => Ok(Node::Leaf(Value::Size(self.lengths(sizes)?))),
            (Global::Device, &[name]) => Ok(Node::Leaf(Value::Device(self.text(name)?))),
            (Global::Device, &[name, index]) => {
                let (name, index) = (self.text(name)?, self.length(index)?);
                Ok(Node::Leaf(Value::Device(format!("{name}:{index}"))))
            }
            (Global::Encode, &[text, encoding]) => self.encode(text, encoding),
            (Global::RebuildTensor, &[storage, offset, size, stride]) => {
                self.tensor([storage, offset, size, stride], None, None)
            }
            (Global::RebuildTensorV2, &[storage, offset, size, stride, grad, _hooks, ref metadata @ ..]) => {
                self.no_metadata(metadata)?;
                self.tensor([storage, offset, size, stride], Some(grad), None)
            }
            (Global::RebuildTensorV3, &[storage, offset, size, stride, grad, _hooks, dtype, ref metadata @ ..]) => {
                self.no_metadata(metadata)?;
                self.tensor([storage, offset, size, stride], Some(grad), Some(dtype))
            }
            // The state of a parameter holds attributes that user code hung on it; the tensor is complete without.
            (Global::RebuildParameter, &[tensor, grad, _hooks])
            | (Global::RebuildParameterWithState, &[tensor, grad, _hooks, _]) => {
                let requires_grad = self.flag(grad)?;
                match &self.nodes[tensor] {
                    Node::Leaf(Value::Tensor(tensor)) => {
                        let tensor = RawTensor { requires_grad, is_parameter: true, ..tensor.clone() };
                        self.budget.spend(tensor.shape.len() * 16, self.path)?;
                        Ok(Node::Leaf(Value::Tensor(tensor)))
                    }
                    _ => Err(self.corrupt("a Parameter is made of something that is no tensor")),
                }
            }
            (other, arguments) => {
                let (module, name) = other.name();
                Err(self.corrupt(format!("it calls {module}.{name} with {} arguments", arguments.len())))
            }
        }
    }

    /// The storage that the persistent id `('storage', class, key, location, numel)` names. The location is where the
    /// tensor lived when it was saved; storages are read to the CPU whatever it says.
    pub(super) fn persistent_storage(&mut self, id: Id) -> Result<usize> {
        let &[tag, class, key, _location, len] = self.elements(id)?.as_slice() else {
            return Err(self.corrupt("a persistent id has not five parts"));
        };
        if self.text(tag)? != "storage" {
            return Err(self.corrupt("a persistent id names no storage"));
        }
        let dtype = match self.nodes[class] {
            Node::Global(Global::Storage(dtype)) => Some(dtype),
            Node::Global(Global::UntypedStorage) => None,
            _ => return Err(self.corrupt("a persistent id has no storage class")),
        };
        let (key, len) = (self.text(key)?, self.length(len)?);
        let bytes = len.checked_mul(dtype.map_or(1, DType::size)).filter(|&bytes| bytes <= isize::MAX as usize);
        let bytes = bytes.ok_or_else(|| self.corrupt(format!("storage {key} claims {len} elements")))?;
        if let Some(&known) = self.storage_keys.get(&key) {
            let entry = &self.storages[known];
            if entry.bytes != bytes || (dtype.is_some() && entry.dtype != dtype) {
                return Err(self.corrupt(format!("storage {key} is described in two ways")));
            }
            return Ok(known);
        }
        let index = self.storages.len();
        self.storage_keys.insert(key.clone(), index);
        self.storages.push(StorageEntry { key, dtype, bytes });
        Ok(index)
    }

    /// A view `[storage, offset, size, stride]`; `dtype` is given for untyped storages.
    fn tensor(&mut self, view: [Id; 4], requires_grad: Option<Id>, dtype: Option<Id>) -> Result<Node> {
        let [storage, offset, size, stride] = view;
        let Node::Storage(storage) = self.nodes[storage] else {
            return Err(self.corrupt("a tensor has no storage"));
        };
        let dtype = match dtype.map(|id| &self.nodes[id]) {
            None => self.storages[storage].dtype,
            Some(&Node::Leaf(Value::DType(dtype))) => Some(dtype),
            Some(_) => None,
        };
        let dtype = dtype.ok_or_else(|| self.corrupt("a tensor has no dtype"))?;
        let known = *self.storages[storage].dtype.get_or_insert(dtype);
        if known != dtype {
            return Err(self.unsupported(format!("one storage is viewed both as {known} and as {dtype}")));
        }
        let tensor = RawTensor {
            dtype,
            shape: self.lengths(size)?,
            strides: self.lengths(stride)?,
            offset: self.length(offset)?,
            storage,
            requires_grad: requires_grad.map(|grad| self.flag(grad)).transpose()?.unwrap_or(false),
            is_parameter: false,
        };
        match tensor.fault(self.storages[storage].bytes / dtype.size()) {
            Some(fault) => Err(self.corrupt(fault)),
            None => Ok(Node::Leaf(Value::Tensor(tensor))),
        }
    }

    /// Newer writers add a dict of flags (conjugate and negative views). Only its absence or emptiness is understood.
    fn no_metadata(&self, metadata: &[Id]) -> Result<()> {
        match metadata.first().map(|&id| &self.nodes[id]) {
            None | Some(Node::Leaf(Value::None)) => Ok(()),
            Some(Node::Dict { items, .. }) if items.is_empty() => Ok(()),
            _ => {
                Err(self.unsupported("a tensor is a conjugate or negative view; in Python, save tensor.resolve_neg()"))
            }
        }
    }

    /// `_codecs.encode(text, 'latin1')`: each character is one byte.
    fn encode(&mut self, text: Id, encoding: Id) -> Result<Node> {
        if !matches!(self.text(encoding)?.as_str(), "latin1" | "latin-1") {
            return Err(self.corrupt("bytes are encoded in something other than latin1"));
        }
        let text = self.text(text)?;
        let bytes = text.chars().map(|c| u8::try_from(u32::from(c))).collect::<Result<Vec<u8>, _>>();
        Ok(Node::Leaf(Value::Bytes(bytes.map_err(|_| self.corrupt("a byte is larger than 255"))?)))
    }

    /// A copy of the children of a list or tuple.
    fn elements(&mut self, id: Id) -> Result<Vec<Id>> {
        let (Node::List(items) | Node::Tuple(items)) = &self.nodes[id] else {
            return Err(self.corrupt("a list or tuple was expected"));
        };
        self.budget.spend(size_of_val(items.as_slice()), self.path)?;
        Ok(items.clone())
    }

    fn pair(&mut self, id: Id) -> Result<(Id, Id)> {
        match self.elements(id)?.as_slice() {
            &[key, value] => Ok((key, value)),
            _ => Err(self.corrupt("a pair was expected")),
        }
    }

    pub(super) fn text(&mut self, id: Id) -> Result<String> {
        let Node::Leaf(Value::Str(text)) = &self.nodes[id] else { return Err(self.corrupt("a string was expected")) };
        self.budget.spend(text.len(), self.path)?;
        Ok(text.clone())
    }

    /// A non-negative integer: a size, a stride, an offset.
    fn length(&self, id: Id) -> Result<usize> {
        match self.nodes[id] {
            Node::Leaf(Value::Int(len)) => usize::try_from(len).ok(),
            _ => None,
        }
        .ok_or_else(|| self.corrupt("a non-negative integer was expected"))
    }

    fn lengths(&mut self, id: Id) -> Result<Vec<usize>> {
        if let Node::Leaf(Value::Size(sizes)) = &self.nodes[id] {
            self.budget.spend(size_of_val(sizes.as_slice()), self.path)?;
            return Ok(sizes.clone());
        }
        let items = self.elements(id)?;
        items.into_iter().map(|item| self.length(item)).collect()
    }

    fn flag(&self, id: Id) -> Result<bool> {
        match self.nodes[id] {
            Node::Leaf(Value::Bool(flag)) => Ok(flag),
            _ => Err(self.corrupt("True or False was expected")),
        }
    }
}

fn dict(kind: DictKind, items: Vec<(Id, Id)>) -> Node {
    Node::Dict { kind, items, state: Vec::new() }
}
