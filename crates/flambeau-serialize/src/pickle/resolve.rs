//! From the unpickler's graph of nodes to a tree of values.

use super::{
    MAX_DEPTH,
    unpickler::{Budget, Id, Node},
};
use crate::{
    Error, Result,
    value::{Dict, Value},
};
use std::{collections::HashMap, path::Path};

type Pairs = Vec<(Value, Value)>;

/// Copies nodes out into values. Shared nodes are copied at each use, within the budget; tensors stay shared through
/// their storages.
pub(super) struct Resolver<'a> {
    nodes: &'a [Node],
    budget: Budget,
    path: &'a Path,
    depth: usize,
}

impl<'a> Resolver<'a> {
    pub fn new(nodes: &'a [Node], budget: Budget, path: &'a Path) -> Self {
        Resolver { nodes, budget, path, depth: 0 }
    }

    pub fn value(&mut self, id: Id) -> Result<Value> {
        if self.depth == MAX_DEPTH {
            let what = format!("its containers contain themselves or nest more than {MAX_DEPTH} levels deep");
            return Err(Error::unsupported(self.path, what));
        }
        self.depth += 1;
        let nodes = self.nodes;
        let value = match &nodes[id] {
            Node::Leaf(leaf) => {
                self.budget.spend(Budget::VALUE + payload(leaf), self.path)?;
                leaf.clone()
            }
            Node::List(items) => Value::List(self.values(items)?),
            Node::Tuple(items) => Value::Tuple(self.values(items)?),
            Node::Set(items) => Value::Set(self.values(items)?),
            Node::Dict { kind, items, state } => {
                let attributes = state.iter().flat_map(|&state| match &nodes[state] {
                    Node::Dict { items, .. } => items.as_slice(),
                    _ => &[], // BUILD admits dicts only
                });
                Value::Dict(Dict { kind: *kind, items: self.pairs(items)?, attributes: self.pairs(attributes)? })
            }
            Node::Global(global) => {
                let (module, name) = global.name();
                let what = format!("it stores the Python object `{module}.{name}` itself, which is no data");
                return Err(Error::unsupported(self.path, what));
            }
            Node::Storage(_) => {
                let what = "it stores a bare storage; in Python, save a tensor made of it";
                return Err(Error::unsupported(self.path, what));
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn values(&mut self, ids: &[Id]) -> Result<Vec<Value>> {
        self.budget.spend(Budget::VALUE, self.path)?;
        ids.iter().map(|&id| self.value(id)).collect()
    }

    /// The items of a dict; as in Python a later value replaces an earlier one under the same key.
    fn pairs(&mut self, ids: impl IntoIterator<Item = &'a (Id, Id)>) -> Result<Pairs> {
        self.budget.spend(Budget::VALUE, self.path)?;
        let mut pairs: Pairs = Vec::new();
        let mut positions = HashMap::new();
        for &(key, value) in ids {
            let (key, value) = (self.value(key)?, self.value(value)?);
            if matches!(key, Value::List(_) | Value::Set(_) | Value::Dict(_) | Value::Tensor(_)) {
                return Err(Error::unsupported(self.path, "a dict has a container or a tensor as a key"));
            }
            // The text of a hashable value tells it apart from every other.
            let position = *positions.entry(format!("{key:?}")).or_insert(pairs.len());
            match pairs.get_mut(position) {
                Some(known) => known.1 = value,
                None => pairs.push((key, value)),
            }
        }
        Ok(pairs)
    }
}

/// The heap bytes of a leaf.
fn payload(leaf: &Value) -> usize {
    match leaf {
        Value::Str(text) | Value::Device(text) => text.len(),
        Value::Bytes(bytes) | Value::BigInt(bytes) => bytes.len(),
        Value::Size(sizes) => size_of_val(sizes.as_slice()),
        Value::Tensor(tensor) => 2 * size_of_val(tensor.shape.as_slice()),
        _ => 0,
    }
}
