//! PyTorch's pruning methods.

use super::method::{BasePruningMethod, PruningType};
use crate::layers::py_number;
use flambeau_autograd::arguments::Int;
use flambeau_autograd::{AsTensor, OrPanic, Result, Tensor, ops, rand};
use flambeau_tensor::Scalar;

/// How much is pruned: a share, or a number of elements or channels.
#[track_caller]
fn checked(amount: Scalar) -> Scalar {
    let fits = match amount.is_int() {
        true => amount.to_f64() >= 0.0,
        false => (0.0..=1.0).contains(&amount.to_f64()),
    };
    assert!(
        fits,
        "amount={} should either be a float in the range [0, 1] or a non-negative integer",
        py_number(amount)
    );
    amount
}

/// How many of `size` are pruned.
#[track_caller]
fn count(amount: Scalar, size: usize) -> i64 {
    if !amount.is_int() {
        return (amount.to_f64() * size as f64).round_ties_even() as i64;
    }
    let n = amount.to_f64() as i64;
    assert!(n <= size as i64, "amount={n} should be smaller than the number of parameters to prune={size}");
    n
}

/// A dimension counted from the front.
fn from_front(t: &Tensor, dim: i64) -> i64 {
    if dim < 0 { dim + t.dim() as i64 } else { dim }
}

/// A copy of the mask with zeros where indices point to, as if it had one dimension.
fn without(mask: &Tensor, indices: &Tensor) -> Result<Tensor> {
    let flat = ops::clone(&ops::reshape(mask, &[-1])?)?;
    let flat = ops::index_fill(&flat, 0, indices, 0)?;
    ops::view(&flat, &mask.size().iter().map(|&n| n as i64).collect::<Vec<_>>())
}

/// A mask of the kind of `t` with ones in the entries of `dim` that `kept` (ones and zeros) says.
fn channels(t: &Tensor, dim: i64, kept: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; t.dim()];
    shape[from_front(t, dim) as usize] = -1;
    let kept = ops::to_device(&ops::to_dtype(kept, t.dtype())?, t.device())?;
    ops::mul(&super::method::ones_like(t)?, &ops::view(&kept, &shape)?)
}

/// The mask of a method that prunes elements: the default one without those of the `n` largest scores, or smallest.
#[track_caller]
fn unstructured(
    amount: Scalar,
    t: &Tensor,
    default_mask: &Tensor,
    scores: impl FnOnce(&Tensor) -> Result<Tensor>,
    largest: bool,
) -> Tensor {
    let n = count(amount, t.numel());
    if n == 0 {
        return ops::clone(default_mask).or_panic();
    }
    let found = scores(&t.detach()).and_then(|scores| ops::topk(&ops::reshape(&scores, &[-1])?, n, -1, largest));
    found.and_then(|(_, indices)| without(default_mask, &indices)).or_panic()
}

/// The mask of a method that prunes channels along `dim`: of `size` of them `n` go, and `kept` has ones for the others.
#[track_caller]
fn structured(
    amount: Scalar,
    dim: i64,
    t: &Tensor,
    default_mask: &Tensor,
    kept: impl FnOnce(usize, i64) -> Result<Tensor>,
) -> Tensor {
    let size = check_structured(t, dim);
    match count(amount, size) {
        0 => default_mask.shallow_clone(),
        n => {
            let mask = kept(size, n).and_then(|kept| channels(t, dim, &kept)).or_panic();
            ops::mul(&mask, ops::to_dtype(default_mask, mask.dtype()).or_panic()).or_panic()
        }
    }
}

/// The checks of structured methods.
#[track_caller]
fn check_structured(t: &Tensor, dim: i64) -> usize {
    assert!(
        t.dim() > 1,
        "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape {} with {} dims",
        t.size(),
        t.dim()
    );
    assert!(dim < t.dim() as i64, "Invalid index {dim} for tensor of size {}", t.size());
    t.size_dim(dim)
}

/// Prunes nothing, and only makes a mask: `prune.Identity`.
pub struct Identity;

impl BasePruningMethod for Identity {
    fn pruning_type(&self) -> PruningType {
        PruningType::Unstructured
    }
    fn compute_mask(&self, _t: &Tensor, default_mask: &Tensor) -> Tensor {
        default_mask.shallow_clone()
    }
}

macro_rules! by_amount {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        pub struct $name {
            amount: Scalar,
        }

        impl $name {
            /// Of a share, or of a number of elements.
            ///
            /// # Panics
            /// When the share is not between 0 and 1, or the number negative.
            #[track_caller]
            pub fn new(amount: impl Into<Scalar>) -> Self {
                $name { amount: checked(amount.into()) }
            }
        }
    )*};
}
by_amount! {
    /// Prunes elements at random: `prune.RandomUnstructured(amount)`.
    RandomUnstructured
    /// Prunes the elements nearest to zero: `prune.L1Unstructured(amount)`.
    L1Unstructured
}

impl BasePruningMethod for RandomUnstructured {
    fn pruning_type(&self) -> PruningType {
        PruningType::Unstructured
    }
    #[track_caller]
    fn compute_mask(&self, t: &Tensor, default_mask: &Tensor) -> Tensor {
        unstructured(self.amount, t, default_mask, |t| Ok(t.rand_like()), true)
    }
}

impl BasePruningMethod for L1Unstructured {
    fn pruning_type(&self) -> PruningType {
        PruningType::Unstructured
    }
    #[track_caller]
    fn compute_mask(&self, t: &Tensor, default_mask: &Tensor) -> Tensor {
        unstructured(self.amount, t, default_mask, ops::abs, false)
    }
}

/// Prunes channels at random: `prune.RandomStructured(amount, dim)`.
pub struct RandomStructured {
    amount: Scalar,
    dim: i64,
}

impl RandomStructured {
    /// Of a share or a number of the channels along `dim`.
    ///
    /// # Panics
    /// When the share is not between 0 and 1, or the number negative.
    #[track_caller]
    pub fn new(amount: impl Into<Scalar>, dim: impl Int) -> Self {
        RandomStructured { amount: checked(amount.into()), dim: dim.to_i64() }
    }
}

impl BasePruningMethod for RandomStructured {
    fn pruning_type(&self) -> PruningType {
        PruningType::Structured
    }
    fn dim(&self) -> i64 {
        self.dim
    }
    #[track_caller]
    fn compute_mask(&self, t: &Tensor, default_mask: &Tensor) -> Tensor {
        structured(self.amount, self.dim, t, default_mask, |size, n| {
            let drawn = rand([size]);
            let (threshold, _) = ops::kthvalue(&drawn, n, -1, false)?;
            ops::gt(&drawn, &threshold)
        })
    }
}

/// The order of a norm: a number, `"fro"`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct NormOrder(f64);

impl From<f64> for NormOrder {
    fn from(n: f64) -> Self {
        NormOrder(n)
    }
}

impl From<i32> for NormOrder {
    fn from(n: i32) -> Self {
        NormOrder(n.into())
    }
}

impl From<&str> for NormOrder {
    /// # Panics
    /// For a name that is not `"fro"`: the nuclear norm would need singular values.
    #[track_caller]
    fn from(name: &str) -> Self {
        assert!(name == "fro", "pruning by the norm '{name}' is not supported: give its order, or \"fro\"");
        NormOrder(2.0)
    }
}

/// Prunes the channels of the smallest norms: `prune.LnStructured(amount, n, dim)`.
pub struct LnStructured {
    amount: Scalar,
    n: NormOrder,
    dim: i64,
}

impl LnStructured {
    /// Of a share or a number of the channels along `dim`, by their `n`-norms.
    ///
    /// # Panics
    /// When the share is not between 0 and 1, or the number negative.
    #[track_caller]
    pub fn new(amount: impl Into<Scalar>, n: impl Into<NormOrder>, dim: impl Int) -> Self {
        LnStructured { amount: checked(amount.into()), n: n.into(), dim: dim.to_i64() }
    }
}

impl BasePruningMethod for LnStructured {
    fn pruning_type(&self) -> PruningType {
        PruningType::Structured
    }
    fn dim(&self) -> i64 {
        self.dim
    }
    #[track_caller]
    fn compute_mask(&self, t: &Tensor, default_mask: &Tensor) -> Tensor {
        let t = &t.detach();
        structured(self.amount, self.dim, t, default_mask, |size, n| {
            let at = from_front(t, self.dim);
            let others: Vec<i64> = (0..t.dim() as i64).filter(|&d| d != at).collect();
            let norms = ops::vector_norm(t, self.n.0, &others, false, None)?;
            let (_, kept) = ops::topk(&norms, size as i64 - n, -1, true)?;
            ops::index_fill(&ops::zeros(&[size], t.dtype(), t.device())?, 0, &kept, 1)
        })
    }
}

/// Prunes what a mask says: `prune.CustomFromMask(mask)`.
pub struct CustomFromMask {
    mask: Tensor,
}

impl CustomFromMask {
    /// Of a mask of ones and zeros, of any dtype.
    pub fn new(mask: impl AsTensor) -> Self {
        CustomFromMask { mask: mask.as_tensor().shallow_clone() }
    }
}

impl BasePruningMethod for CustomFromMask {
    fn pruning_type(&self) -> PruningType {
        PruningType::Global
    }
    #[track_caller]
    fn compute_mask(&self, _t: &Tensor, default_mask: &Tensor) -> Tensor {
        assert!(
            default_mask.size() == self.mask.size(),
            "default_mask shape {} must match self.mask shape {}",
            default_mask.size(),
            self.mask.size()
        );
        ops::to_dtype(&self.mask, default_mask.dtype()).and_then(|mask| ops::mul(default_mask, &mask)).or_panic()
    }
}
