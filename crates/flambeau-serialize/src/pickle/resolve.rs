//! From the unpickler's graph of nodes to a tree of values.

use super::{
    MAX_DEPTH,
    budget::Budget,
    storages::View,
    unpickler::{Id, Node},
};
use crate::{
    Error, Result,
    value::{Dict, RawTensor, Value},
};
use flambeau_tensor::DType;
use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

type Pairs = Vec<(Value, Value)>;

/// Copies nodes out into values. Shared nodes are copied at each use, within the budget; tensors stay shared through
/// their storages.
pub(super) struct Resolver<'a> {
    nodes: &'a [Node],
    budget: Budget,
    /// How long the pickle was, or the file if that is less.
    read: u64,
    path: &'a Path,
    depth: usize,
}

impl<'a> Resolver<'a> {
    pub fn new(nodes: &'a [Node], budget: Budget, read: u64, path: &'a Path) -> Self {
        Resolver { nodes, budget, read, path, depth: 0 }
    }

    pub fn value(&mut self, id: Id) -> Result<Value> {
        if self.depth == MAX_DEPTH {
            let what = format!("its containers contain themselves or nest more than {MAX_DEPTH} levels deep");
            return Err(Error::unsupported(self.path, what));
        }
        self.depth += 1;
        self.budget.value(self.read, self.path)?;
        let nodes = self.nodes;
        let value = match &nodes[id] {
            Node::Leaf(leaf) => {
                self.budget.copy(payload(leaf), self.read, self.path)?;
                leaf.clone()
            }
            Node::List(items) => Value::List(self.values(items)?),
            Node::Tuple(items) => Value::Tuple(self.values(items)?),
            Node::Set(items) => Value::Set(self.distinct(items)?),
            Node::Dict { kind, items, state } => {
                let attributes = state.iter().flat_map(|&state| match &nodes[state] {
                    Node::Dict { items, .. } => items.as_slice(),
                    _ => &[], // BUILD admits dicts only
                });
                Value::Dict(Dict { kind: *kind, items: self.pairs(items)?, attributes: self.pairs(attributes)? })
            }
            Node::Storage(part) => Value::Tensor(whole(*part)),
            other => return Err(Error::unsupported(self.path, no_value(other, nodes))),
        };
        self.depth -= 1;
        Ok(value)
    }

    fn values(&mut self, ids: &[Id]) -> Result<Vec<Value>> {
        // A loop, since iterators would each put a frame on the stack.
        let mut values = Vec::with_capacity(ids.len());
        for &id in ids {
            values.push(self.value(id)?);
        }
        Ok(values)
    }

    /// The items of a set: of equal ones the first.
    fn distinct(&mut self, ids: &[Id]) -> Result<Vec<Value>> {
        let (mut items, mut known) = (Vec::new(), HashSet::new());
        for &id in ids {
            let item = self.value(id)?;
            let Some(identity) = identity(&item) else {
                return Err(Error::unsupported(self.path, "a set has a container or a tensor in it"));
            };
            if known.insert(identity) {
                items.push(item);
            }
        }
        Ok(items)
    }

    /// The items of a dict; as in Python a later value replaces an earlier one under the same key.
    fn pairs(&mut self, ids: impl IntoIterator<Item = &'a (Id, Id)>) -> Result<Pairs> {
        let mut pairs: Pairs = Vec::new();
        let mut positions = HashMap::new();
        for &(key, value) in ids {
            let (key, value) = (self.value(key)?, self.value(value)?);
            let Some(identity) = identity(&key) else {
                return Err(Error::unsupported(self.path, "a dict has a container or a tensor as a key"));
            };
            let position = *positions.entry(identity).or_insert(pairs.len());
            match pairs.get_mut(position) {
                Some(known) => known.1 = value,
                None => pairs.push((key, value)),
            }
        }
        Ok(pairs)
    }
}

/// A text that equal keys of a Python dict share and others do not: `1`, `True` and `1.0` are equal. `None` for what no dict
/// takes as a key.
fn identity(key: &Value) -> Option<String> {
    let all = |items: &[Value]| items.iter().map(identity).collect::<Option<Vec<_>>>();
    Some(match key {
        Value::List(_) | Value::Dict(_) | Value::ByteArray(_) | Value::Tensor(_) => return None,
        Value::Bool(x) => i64::from(*x).to_string(),
        Value::Int(x) => x.to_string(),
        // Below 2⁶³ every whole float is an `i64`.
        Value::Float(x) | Value::Complex(x, 0.0) if x.fract() == 0.0 && x.abs() < 9.2e18 => (*x as i64).to_string(),
        Value::Complex(x, 0.0) => format!("{:?}", Value::<RawTensor>::Float(*x)),
        Value::Tuple(items) => format!("({})", all(items)?.join(", ")),
        Value::Size(sizes) => format!("({})", sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
        Value::Set(items) => {
            let mut items = all(items)?;
            items.sort();
            format!("{{{}}}", items.join(", "))
        }
        other => format!("{other:?}"),
    })
}

/// A storage by itself, as a tensor of one dimension.
fn whole(part: View) -> RawTensor {
    let (shape, strides) = (vec![part.len], vec![1]);
    let View { storage, offset, .. } = part;
    let dtype = part.dtype.unwrap_or(DType::U8);
    RawTensor { dtype, shape, strides, offset, storage, requires_grad: false, is_parameter: false }
}

/// Why a node is no value.
fn no_value(node: &Node, nodes: &[Node]) -> String {
    match node {
        Node::Global(global) => {
            let (module, name) = global.name();
            format!("it stores the Python object `{module}.{name}` itself, which is no data")
        }
        Node::NumpyType(_) => "it stores a dtype of NumPy itself, which is no data".to_owned(),
        Node::Object { class, .. } => match &nodes[*class] {
            Node::Class(name) => format!("it holds an object of the class `{name}`"),
            _ => "it holds an object of an unknown class".to_owned(),
        },
        _ => "it holds an object that was made and never filled".to_owned(),
    }
}

/// The heap bytes of a leaf.
fn payload(leaf: &Value) -> usize {
    match leaf {
        Value::Str(text) | Value::Device(text) | Value::Layout(text) => text.len(),
        Value::Bytes(bytes) | Value::ByteArray(bytes) | Value::BigInt(bytes) | Value::SurrogateStr(bytes) => {
            bytes.len()
        }
        Value::Size(sizes) => size_of_val(sizes.as_slice()),
        Value::Tensor(tensor) => 2 * size_of_val(tensor.shape.as_slice()),
        _ => 0,
    }
}
