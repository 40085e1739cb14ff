//! Distances and angles between vectors.

use crate::error::{Error, Result};
use crate::ops::nn::loss::rules;
use crate::ops::reduce::vector_norm::named_norm;
use crate::ops::{map, sum_map, to_i64, vector_norm};
use crate::{Tensor, ops};
use flambeau_macros::op;
use flambeau_tensor::Scalar;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::promotion::promote_types;
use std::sync::LazyLock;

/// a − b + ε
static DIFFERENCE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)).rounded() + b.scalar(0)));

/// ‖x1 − x2 + ε‖ₚ over the last dimension: `F.pairwise_distance`. Options: `p` (2), `eps` (1e-6), `keepdim`.
///
/// ```
/// use torch::nn::functional as F;
/// let (a, b) = (torch::tensor([[0.0, 0.0]]), torch::tensor([[3.0, 4.0]]));
/// assert!(F::pairwise_distance(&a, &b).allclose(&torch::tensor([5.0])));
/// assert!(F::pairwise_distance_with(&a, &b, |o| o.p(1).keepdim(true)).allclose(&torch::tensor([[7.0]])));
/// ```
#[op(torch, functional, cast_gpu = Float32Result, default(p = 2.0, eps = 1e-6, keepdim = false))]
pub fn pairwise_distance(x1: &Tensor, x2: &Tensor, p: f64, eps: f64, keepdim: bool) -> Result<Tensor> {
    let (a, b) = (x1, x2);
    rules::difference(a.dtype(), b.dtype())?;
    let difference = match a.is_floating_point() || b.is_floating_point() {
        true => map("AddBackward0", &DIFFERENCE, &[a, b], &[Scalar::Float(eps)])?,
        // Integers are integers until ε is added: they wrap.
        false => ops::add(&ops::sub(a, b, 1)?, eps, 1)?,
    };
    named_norm("NormBackward1", &difference, p, &[-1], keepdim, None)
}

/// max(x, ε), whose gradient passes everywhere.
static KEPT_FROM_ZERO: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0).lt(b.scalar(0)).select(b.scalar(0), b.input(0))).with_gradient(|_, g, _, _| vec![g])
});

/// (a / p) · (b / q)
static PRODUCT_OF_UNITS: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| (b.input(0) / b.input(2)) * (b.input(1) / b.input(3)))
        .with_arguments(&["x1", "x2", "norm1", "norm2"])
});

/// x1·x2 / (max(‖x1‖, ε) · max(‖x2‖, ε)) over a dimension of the shape that both broadcast to, the cosine of the angle between
/// the vectors: `F.cosine_similarity`. Options: `dim` (1), `eps` (1e-8).
///
/// ```
/// use torch::nn::functional as F;
/// let (a, b) = (torch::tensor([[1.0, 0.0], [1.0, 0.0]]), torch::tensor([[2.0, 0.0], [0.0, 3.0]]));
/// assert_eq!(F::cosine_similarity(&a, &b).to_vec::<f32>(), [1.0, 0.0]);
/// assert_eq!(F::cosine_similarity_with(&a, &b, |o| o.eps(1e-6)).to_vec::<f32>(), [1.0, 0.0]);
/// ```
///
/// # Errors
/// When the shapes do not broadcast, or of integers.
#[op(torch, functional, cast_gpu = Float32, default(dim = 1, eps = 1e-8))]
pub fn cosine_similarity(x1: &Tensor, x2: &Tensor, dim: i64, eps: f64) -> Result<Tensor> {
    let (a, b) = (x1, x2);
    let shape = to_i64(&broadcast_shapes(&a.size(), &b.size())?);
    let dtype = promote_types(a.dtype(), b.dtype());
    if !dtype.is_floating_point() {
        return Err(Error::runtime(format!(
            "expected common dtype to be floating point, yet common dtype is {}",
            dtype.scalar_type_name()
        )));
    }
    let wide = |x: &Tensor| ops::expand(&ops::to_dtype(x, dtype)?, &shape);
    let (a, b) = (wide(a)?, wide(b)?);
    let norm = |x: &Tensor| {
        let norm = vector_norm(x, 2.0, &[dim], true, None)?;
        map("CloneBackward0", &KEPT_FROM_ZERO, &[&norm], &[Scalar::Float(eps)])
    };
    sum_map("SumBackward1", Some(&PRODUCT_OF_UNITS), &[&a, &b, &norm(&a)?, &norm(&b)?], &[], &[dim], false, None)
}

/// x / max(n, ε)
static SCALED_TO_ONE: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0) / b.input(1).lt(b.scalar(0)).select(b.scalar(0), b.input(1))));

/// x / max(‖x‖ₚ, ε) along some dimensions: vectors of length one: `F.normalize`. Options: `p` (2), `dim` (1), `eps` (1e-12).
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[3.0, 4.0], [0.0, 0.0]]);
/// assert!(F::normalize(&x).allclose(&torch::tensor([[0.6, 0.8], [0.0, 0.0]])));
/// assert!(F::normalize_with(&x, |o| o.dim(-1).eps(1e-6)).allclose(&torch::tensor([[0.6, 0.8], [0.0, 0.0]])));
/// ```
#[op(functional, cast_gpu = Float32Result, default(p = 2.0, dim = &[1], eps = 1e-12))]
pub fn normalize(x: &Tensor, p: f64, dim: &[i64], eps: f64) -> Result<Tensor> {
    let norm = named_norm("NormBackward1", x, p, dim, true, None)?;
    map("DivBackward0", &SCALED_TO_ONE, &[x, &norm], &[Scalar::Float(eps)])
}
