//! What a parametrization's `right_inverse` gives.

use flambeau_autograd::Tensor;

/// The tensors of which a parametrization makes a given value: what `right_inverse` returns. It is made from a tensor, from
/// several, or from an option of these: `None` is Python's `NotImplementedError`.
pub enum RightInverse {
    /// One tensor, which is kept as `original`.
    One(Tensor),
    /// Several, kept as `original0`, `original1`, ….
    Several(Vec<Tensor>),
    /// It is not possible, for this reason.
    NotImplemented(String),
}

impl From<Tensor> for RightInverse {
    fn from(tensor: Tensor) -> Self {
        RightInverse::One(tensor)
    }
}

impl From<Vec<Tensor>> for RightInverse {
    fn from(tensors: Vec<Tensor>) -> Self {
        RightInverse::Several(tensors)
    }
}

impl<const N: usize> From<[Tensor; N]> for RightInverse {
    fn from(tensors: [Tensor; N]) -> Self {
        RightInverse::Several(tensors.into())
    }
}

impl From<(Tensor, Tensor)> for RightInverse {
    fn from((a, b): (Tensor, Tensor)) -> Self {
        RightInverse::Several(vec![a, b])
    }
}

impl From<(Tensor, Tensor, Tensor)> for RightInverse {
    fn from((a, b, c): (Tensor, Tensor, Tensor)) -> Self {
        RightInverse::Several(vec![a, b, c])
    }
}

impl<T: Into<RightInverse>> From<Option<T>> for RightInverse {
    fn from(inverse: Option<T>) -> Self {
        inverse.map_or_else(|| RightInverse::NotImplemented(String::new()), Into::into)
    }
}
