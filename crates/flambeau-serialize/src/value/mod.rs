//! The values that a `.pth` file can hold.

mod access;
mod key;
mod trail;

pub use key::Key;

use flambeau_tensor::DType;

/// A tensor as a `.pth` file describes it: a strided view of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawTensor {
    /// The element type; where a storage is viewed in two, which PyTorch does not write, not the storage's.
    pub dtype: DType,
    /// The lengths of the dimensions; empty for a 0-dim tensor.
    pub shape: Vec<usize>,
    /// The distance between neighbours along each dimension, in elements.
    pub strides: Vec<usize>,
    /// Where the first element lies in the storage, in elements.
    pub offset: usize,
    /// The index of the storage in the list that comes with the value. Tensors of one index share memory.
    pub storage: usize,
    /// `Tensor.requires_grad`.
    pub requires_grad: bool,
    /// Whether it is a `torch.nn.Parameter`.
    pub is_parameter: bool,
}

impl RawTensor {
    /// How many elements of the storage the tensor reaches: one more than the last element's position, 0 if the tensor
    /// is empty, `None` if the number does not fit a `usize`.
    pub fn storage_len_needed(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let last = self.shape.iter().zip(&self.strides).try_fold(self.offset, |sum, (&len, &stride)| {
            (len - 1).checked_mul(stride).and_then(|reach| sum.checked_add(reach))
        })?;
        last.checked_add(1)
    }

    /// What is wrong with a view of a storage of `storage_len` elements, if anything.
    pub(crate) fn fault(&self, storage_len: usize) -> Option<String> {
        if self.shape.len() != self.strides.len() {
            return Some(format!("a tensor has {} sizes but {} strides", self.shape.len(), self.strides.len()));
        }
        let bytes = self.shape.iter().try_fold(self.dtype.size(), |product, &len| product.checked_mul(len));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Some(format!("a tensor of shape {:?} is too large for this machine", self.shape));
        }
        match self.storage_len_needed() {
            Some(needed) if needed <= storage_len => None,
            _ => Some(format!(
                "a tensor with shape {:?}, strides {:?} and offset {} does not fit its storage of {storage_len} elements",
                self.shape, self.strides, self.offset
            )),
        }
    }
}

/// Which Python class a [`Dict`] is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DictKind {
    /// `dict`.
    #[default]
    Dict,
    /// `collections.OrderedDict`, the class of a `state_dict`.
    OrderedDict,
    /// `collections.Counter`, which `MultiStepLR.state_dict()` holds.
    Counter,
    /// `argparse.Namespace`, whose items are the attributes by name.
    Namespace,
}

/// A Python dictionary, in insertion order.
#[derive(Clone, Debug, PartialEq)]
pub struct Dict<T = RawTensor> {
    /// The class.
    pub kind: DictKind,
    /// Keys and values, in insertion order; keys are distinct.
    pub items: Vec<(Value<T>, Value<T>)>,
    /// The attributes of an `OrderedDict` object; `Module.state_dict()` has one, `_metadata`, with the modules' versions.
    pub attributes: Vec<(Value<T>, Value<T>)>,
}

impl<T> Dict<T> {
    /// A dictionary of the class `kind` with string keys.
    pub fn new<K: Into<String>>(kind: DictKind, items: impl IntoIterator<Item = (K, Value<T>)>) -> Self {
        let items = items.into_iter().map(|(key, value)| (Value::Str(key.into()), value)).collect();
        Dict { kind, items, attributes: Vec::new() }
    }

    /// Keys and values, in insertion order.
    pub fn iter(&self) -> impl Iterator<Item = (&Value<T>, &Value<T>)> {
        self.items.iter().map(|(key, value)| (key, value))
    }

    /// Puts a value under a key, in the place of the one that stood there; returns that one.
    pub(crate) fn insert(&mut self, key: Value<T>, value: Value<T>) -> Option<Value<T>> {
        match self.items.iter_mut().find(|(known, _)| known.same_key(&key)) {
            Some((_, slot)) => Some(std::mem::replace(slot, value)),
            None => {
                self.items.push((key, value));
                None
            }
        }
    }

    /// The value under a string key, found by a walk over the items.
    pub fn get(&self, key: &str) -> Option<&Value<T>> {
        self.items.iter().find(|(k, _)| matches!(k, Value::Str(k) if k == key)).map(|(_, value)| value)
    }
}

/// What `torch.load` returns: plain Python data with tensors (`T`) as leaves.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<T = RawTensor> {
    /// `None`.
    None,
    /// `bool`.
    Bool(bool),
    /// `int`, if it fits 64 bits.
    Int(i64),
    /// `int` beyond 64 bits: two's complement, little-endian, no longer than needed (`torch.initial_seed()` reaches 2⁶⁴ - 1).
    BigInt(Vec<u8>),
    /// `float`.
    Float(f64),
    /// `complex`: its real and its imaginary part.
    Complex(f64, f64),
    /// `str`.
    Str(String),
    /// A `str` that no `String` can hold, since it has halves of surrogate pairs (`'\ud800'`): UTF-8 in which each half stands
    /// as three bytes, as Python's `encode('utf-8', 'surrogatepass')` gives it.
    SurrogateStr(Vec<u8>),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `bytearray`.
    ByteArray(Vec<u8>),
    /// `list` or `collections.deque`.
    List(Vec<Value<T>>),
    /// `tuple`.
    Tuple(Vec<Value<T>>),
    /// `set` or `frozenset`, in the order of the file.
    Set(Vec<Value<T>>),
    /// `dict` and its subclasses.
    Dict(Dict<T>),
    /// `torch.Size`.
    Size(Vec<usize>),
    /// `torch.dtype`.
    DType(DType),
    /// `torch.device` by its name: `cpu`, `cuda:0`.
    Device(String),
    /// `torch.layout` by its name: `torch.strided`.
    Layout(String),
    /// `torch.Tensor` or `torch.nn.Parameter`.
    Tensor(T),
}

impl<T> Value<T> {
    /// An `OrderedDict` with string keys, as a `state_dict` is.
    pub fn ordered_dict<K: Into<String>>(items: impl IntoIterator<Item = (K, Value<T>)>) -> Self {
        Value::Dict(Dict::new(DictKind::OrderedDict, items))
    }

    /// A plain `dict` with string keys, as a checkpoint is: `{'model': …, 'epoch': 3}`.
    pub fn dict<K: Into<String>>(items: impl IntoIterator<Item = (K, Value<T>)>) -> Self {
        Value::Dict(Dict::new(DictKind::Dict, items))
    }

    /// A plain `dict` of these keys and values; of equal texts or integers as keys the later has the value.
    pub fn from_items(items: impl IntoIterator<Item = (Value<T>, Value<T>)>) -> Self {
        let mut dict: Dict<T> = Dict { kind: DictKind::Dict, items: Vec::new(), attributes: Vec::new() };
        for (key, value) in items {
            dict.insert(key, value);
        }
        Value::Dict(dict)
    }

    /// Whether two keys of a dictionary are one: equal texts or integers.
    fn same_key(&self, other: &Value<T>) -> bool {
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            _ => false,
        }
    }

    /// The Python type: `dict`, `int`, `Tensor`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::BigInt(_) => "int",
            Value::Float(_) => "float",
            Value::Complex(..) => "complex",
            Value::Str(_) | Value::SurrogateStr(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::ByteArray(_) => "bytearray",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Set(_) => "set",
            Value::Dict(Dict { kind: DictKind::Dict, .. }) => "dict",
            Value::Dict(Dict { kind: DictKind::OrderedDict, .. }) => "OrderedDict",
            Value::Dict(Dict { kind: DictKind::Counter, .. }) => "Counter",
            Value::Dict(Dict { kind: DictKind::Namespace, .. }) => "Namespace",
            Value::Size(_) => "torch.Size",
            Value::DType(_) => "torch.dtype",
            Value::Device(_) => "torch.device",
            Value::Layout(_) => "torch.layout",
            Value::Tensor(_) => "Tensor",
        }
    }

    /// The type as a sentence has it: `an int`, `None`.
    pub(crate) fn with_article(&self) -> String {
        match self {
            Value::None => "None".into(),
            Value::Int(_) | Value::BigInt(_) | Value::Dict(Dict { kind: DictKind::OrderedDict, .. }) => {
                format!("an {}", self.type_name())
            }
            _ => format!("a {}", self.type_name()),
        }
    }

    /// The same value with `f` applied to each tensor, in the order of the file, so that a layer above can put its own
    /// tensors in. Stops at the first error.
    pub fn try_map<U, E>(&self, f: &mut impl FnMut(&T) -> Result<U, E>) -> Result<Value<U>, E> {
        fn all<T, U, E>(items: &[Value<T>], f: &mut impl FnMut(&T) -> Result<U, E>) -> Result<Vec<Value<U>>, E> {
            items.iter().map(|item| item.try_map(f)).collect()
        }
        type Pairs<T> = Vec<(Value<T>, Value<T>)>;
        fn pairs<T, U, E>(items: &Pairs<T>, f: &mut impl FnMut(&T) -> Result<U, E>) -> Result<Pairs<U>, E> {
            items.iter().map(|(key, value)| Ok((key.try_map(f)?, value.try_map(f)?))).collect()
        }
        Ok(match self {
            Value::None => Value::None,
            Value::Bool(x) => Value::Bool(*x),
            Value::Int(x) => Value::Int(*x),
            Value::BigInt(x) => Value::BigInt(x.clone()),
            Value::Float(x) => Value::Float(*x),
            Value::Complex(real, imaginary) => Value::Complex(*real, *imaginary),
            Value::Str(x) => Value::Str(x.clone()),
            Value::SurrogateStr(x) => Value::SurrogateStr(x.clone()),
            Value::Bytes(x) => Value::Bytes(x.clone()),
            Value::ByteArray(x) => Value::ByteArray(x.clone()),
            Value::Size(x) => Value::Size(x.clone()),
            Value::DType(x) => Value::DType(*x),
            Value::Device(x) => Value::Device(x.clone()),
            Value::Layout(x) => Value::Layout(x.clone()),
            Value::List(items) => Value::List(all(items, f)?),
            Value::Tuple(items) => Value::Tuple(all(items, f)?),
            Value::Set(items) => Value::Set(all(items, f)?),
            Value::Dict(dict) => Value::Dict(Dict {
                kind: dict.kind,
                items: pairs(&dict.items, f)?,
                attributes: pairs(&dict.attributes, f)?,
            }),
            Value::Tensor(tensor) => Value::Tensor(f(tensor)?),
        })
    }
}
