//! Distances and angles between vectors.

use crate::error::{Error, Result};
use crate::ops::nn::loss::rules;
use crate::ops::reduce::vector_norm::named_norm;
use crate::ops::{map, sum_map, to_i64, vector_norm};
use crate::{Tensor, ops};
use flambeau_tensor::Scalar;
use flambeau_tensor::dims::broadcast_shapes;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::promotion::promote_types;
use std::sync::LazyLock;

/// a − b + ε
static DIFFERENCE: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) - b.input(1) + b.scalar(0)));

/// ‖a − b + ε‖ₚ over the last dimension: `F.pairwise_distance`.
pub fn pairwise_distance(a: &Tensor, b: &Tensor, p: f64, eps: f64, keepdim: bool) -> Result<Tensor> {
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
static PRODUCT_OF_UNITS: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| (b.input(0) / b.input(2)) * (b.input(1) / b.input(3))));

/// a·b / (max(‖a‖, ε) · max(‖b‖, ε)) over a dimension of the shape that both broadcast to: `F.cosine_similarity`.
pub fn cosine_similarity(a: &Tensor, b: &Tensor, dim: i64, eps: f64) -> Result<Tensor> {
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

/// x / max(‖x‖ₚ, ε) along some dimensions: `F.normalize`.
pub fn normalize(x: &Tensor, p: f64, dims: &[i64], eps: f64) -> Result<Tensor> {
    let norm = named_norm("NormBackward1", x, p, dims, true, None)?;
    map("DivBackward0", &SCALED_TO_ONE, &[x, &norm], &[Scalar::Float(eps)])
}
