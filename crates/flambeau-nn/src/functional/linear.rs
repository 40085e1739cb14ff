//! Linear maps, distances and angles.

use flambeau_autograd::ops;
use flambeau_autograd::{OrPanic, Tensor};

/// x · Wᵀ + b over the last dimension, with W of `[out, in]`: `F.linear(input, weight, bias)`.
///
/// # Panics
/// On shapes or dtypes that do not fit, in PyTorch's words.
#[track_caller]
pub fn linear(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    ops::linear(input, weight, bias).or_panic()
}

/// x1 · W · x2 + b over the last dimensions, with W of `[out, in1, in2]`: `F.bilinear(input1, input2, weight, bias)`.
#[track_caller]
pub fn bilinear(input1: &Tensor, input2: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    ops::bilinear(input1, input2, weight, bias).or_panic()
}

/// The cosine of the angle between vectors along a dimension: `F.cosine_similarity(x1, x2, dim)`. PyTorch's default is 1.
#[track_caller]
pub fn cosine_similarity(x1: &Tensor, x2: &Tensor, dim: i64) -> Tensor {
    ops::cosine_similarity(x1, x2, dim, 1e-8).or_panic()
}

/// ‖x1 − x2 + 1e-6‖₂ over the last dimension: `F.pairwise_distance(x1, x2)`.
#[track_caller]
pub fn pairwise_distance(x1: &Tensor, x2: &Tensor) -> Tensor {
    ops::pairwise_distance(x1, x2, 2.0, 1e-6, false).or_panic()
}
