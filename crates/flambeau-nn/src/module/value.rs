//! Inputs and outputs of any module, as hooks see them that know no signature.

use flambeau_autograd::Tensor;

/// An input or output of a module whose signature is not known: what hooks of a `&dyn Module` are shown. A module of several
/// inputs has a tuple of them.
#[derive(Default)]
pub enum Value {
    /// Python's `None`, for an optional input that is absent.
    #[default]
    None,
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A text.
    Str(String),
    /// A tensor, by handle.
    Tensor(Tensor),
    /// Several values.
    Tuple(Vec<Value>),
    /// A list.
    List(Vec<Value>),
    /// A type of the user's that does not say what is in it.
    Other,
}

impl Value {
    /// The tensor, if the value is one.
    pub fn tensor(&self) -> Option<&Tensor> {
        if let Value::Tensor(tensor) = self { Some(tensor) } else { None }
    }

    /// All tensors in the value, in order.
    pub fn tensors(&self) -> Vec<&Tensor> {
        match self {
            Value::Tensor(tensor) => vec![tensor],
            Value::Tuple(parts) | Value::List(parts) => parts.iter().flat_map(Value::tensors).collect(),
            _ => Vec::new(),
        }
    }

    /// The values side by side: a tuple's parts, or the value alone. What Python passes as `*args`.
    pub(super) fn arguments(&self) -> &[Value] {
        if let Value::Tuple(parts) = self { parts } else { std::slice::from_ref(self) }
    }

    pub(super) fn arguments_mut(&mut self) -> &mut [Value] {
        if let Value::Tuple(parts) = self { parts } else { std::slice::from_mut(self) }
    }
}

impl From<Tensor> for Value {
    fn from(tensor: Tensor) -> Self {
        Value::Tensor(tensor)
    }
}
