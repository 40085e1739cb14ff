//! Scaled dot-product attention.

mod blocks;

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::Grads;
use crate::mode::among_options;
use crate::ops::nn::window::cpp_name;
use crate::ops::{
    add, arange, dropout, expand, le, map, matmul, mul, reshape, softmax, squeeze, sub, sum, to_dtype, to_i64,
    transpose, unsqueeze,
};
use crate::options;
use flambeau_macros::op;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::ops::{ReduceArgs, reduce};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Device, Scalar};
use smallvec::smallvec;
use std::sync::LazyLock;

options! {
    /// Options of [`scaled_dot_product_attention`].
    #[derive(Clone, Copy, Debug)]
    AttentionOptions<'a> {
        /// Bools (true takes part) or floats that are added to the scores; broadcasts to `[…, l, s]` (none).
        attn_mask: Option<&'a Tensor> = None,
        /// The probability with which a weight is dropped (0).
        dropout_p: f64 = 0.0,
        /// Whether position i attends to positions up to i only (false).
        is_causal: bool = false,
        /// The factor of the scores (`None`: 1/√e).
        scale: Option<f64> = None,
        /// Whether groups of query heads share a key and value head (false).
        enable_gqa: bool = false,
    }
}

/// Scores where the mask holds, else −∞.
static MASKED: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.mask(1).select(b.input(0), f64::NEG_INFINITY)).with_arguments(&["self", "condition"])
});

/// Scores and a mask.
static ADD: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0) + b.input(1)));

/// x, or 0 in rows whose largest score is −∞.
static LIVE_ROWS: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(1).eq(f64::NEG_INFINITY).select(0.0, b.input(0))));

/// softmax(q·kᵀ/√e + mask)·v for `query` `[…, l, e]`, `key` `[…, s, e]`, `value` `[…, s, ev]` (arXiv 1706.03762):
/// `F.scaled_dot_product_attention`. A row that may attend to nothing gives zeros. Options: `attn_mask`, `dropout_p`,
/// `is_causal`, `scale`, `enable_gqa`.
///
/// ```
/// use torch::nn::functional as F;
/// let (q, k) = (torch::zeros([2, 3]), torch::ones([2, 3]));
/// let v = torch::tensor([[1.0], [3.0]]);
/// assert_eq!(F::scaled_dot_product_attention(&q, &k, &v).to_vec::<f32>(), [2.0, 2.0]);
/// let y = F::scaled_dot_product_attention_with(&q, &k, &v, |o| o.is_causal(true));
/// assert_eq!(y.to_vec::<f32>(), [1.0, 2.0]);
/// ```
///
/// # Errors
/// When shapes or dtypes do not fit, or a mask stands beside `is_causal`.
#[op(functional, cast = Low)]
#[track_caller]
#[allow(clippy::needless_lifetimes, reason = "the closure of the form with options needs a name")]
pub fn scaled_dot_product_attention<'a>(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    options: &AttentionOptions<'a>,
) -> Result<Tensor> {
    let mask = among_options(options.attn_mask)?;
    let options = &AttentionOptions { attn_mask: mask.as_deref(), ..*options };
    check(query, key, value, options)?;
    let dtype = query.dtype();
    if matches!(dtype, DType::F16 | DType::BF16) {
        // Scores and weights in half precision would be rounded twice on the way.
        let wide = |x: &Tensor| to_dtype(x, DType::F32);
        let mask = options.attn_mask.filter(|m| m.dtype() != DType::Bool).map(wide).transpose()?;
        let options = AttentionOptions { attn_mask: mask.as_ref().or(options.attn_mask), ..*options };
        let out = scaled_dot_product_attention(&wide(query)?, &wide(key)?, &wide(value)?, &options)?;
        return to_dtype(&out, dtype);
    }
    if query.dim() == 3 && key.dim() == 3 && value.dim() == 3 {
        let (q, k, v) = (unsqueeze(query, 0)?, unsqueeze(key, 0)?, unsqueeze(value, 0)?);
        return squeeze(&attention(&q, &k, &v, options)?, Some(&[0]));
    }
    attention(query, key, value, options)
}

#[track_caller]
fn attention(query: &Tensor, key: &Tensor, value: &Tensor, options: &AttentionOptions<'_>) -> Result<Tensor> {
    let heads = |x: &Tensor| x.dim().checked_sub(3).map_or(1, |d| x.size()[d]);
    let share = |x: &Tensor| match options.enable_gqa {
        true => repeat_heads(x, heads(query)),
        false => Ok(x.shallow_clone()),
    };
    let (key, value) = (share(key)?, share(value)?);
    let width = query.size()[query.dim() - 1];
    let scale = options.scale.unwrap_or(1.0 / (width as f64).sqrt());
    if in_blocks(query, &key, &value, options) {
        return blocks::attention([query, &key, &value], options.attn_mask, scale, options.is_causal);
    }
    let weights = weights(query, &key, options.attn_mask, scale, options.is_causal)?;
    let weights = dropout(&weights, options.dropout_p, true)?;
    matmul(&weights, &value)
}

/// Whether attention goes by blocks: where PyTorch's CPU takes flash attention.
fn in_blocks(q: &Tensor, k: &Tensor, v: &Tensor, options: &AttentionOptions<'_>) -> bool {
    let (sq, sk, sv) = (q.size(), k.size(), v.size());
    let shapes = sq.len() == 4 && sk.len() == 4 && sk == sv && sq[..2] == sk[..2] && sq[3] == sk[3];
    let mask = options.attn_mask.is_none_or(|mask| {
        let (size, full) = (mask.size(), [sq[0], sq[1], sq[2], sk.get(2).copied().unwrap_or(0)]);
        let dims = size.len();
        let fits = |(have, want): (&usize, &usize)| have == want || *have == 1;
        !mask.requires_grad() && matches!(dims, 2 | 4) && size.iter().zip(&full[4 - dims..]).all(fits)
    });
    shapes && options.dropout_p == 0.0 && q.numel() > 0 && k.numel() > 0 && mask
}

/// softmax(q·kᵀ·scale + mask) as operations.
#[track_caller]
fn weights(q: &Tensor, k: &Tensor, mask: Option<&Tensor>, scale: f64, is_causal: bool) -> Result<Tensor> {
    let scores = matmul(&mul(q, scale)?, &transpose(k, -2, -1)?)?;
    match mask {
        None if is_causal => {
            let shape = scores.size();
            let mask = causal(shape[shape.len() - 2], shape[shape.len() - 1], scores.device())?;
            softmax(&map("WhereBackward0", &MASKED, &[&scores, &mask], &[])?, -1, None)
        }
        None => softmax(&scores, -1, None),
        Some(mask) => safe_softmax(&match mask.dtype() {
            DType::Bool => map("WhereBackward0", &MASKED, &[&scores, mask], &[])?,
            _ => add(&scores, mask, 1)?,
        }),
    }
}

/// The gradients of queries, keys and values as operations, for gradients of higher order.
#[track_caller]
fn gradients([q, k, v]: [&Tensor; 3], mask: Option<&Tensor>, scale: f64, is_causal: bool, g: &Tensor) -> Result<Grads> {
    let weights = weights(q, k, mask, scale, is_causal)?;
    let dv = matmul(&transpose(&weights, -2, -1)?, g)?;
    let of_weights = matmul(g, &transpose(v, -2, -1)?)?;
    let along = sum(&mul(&of_weights, &weights)?, &[-1], true, None)?;
    let of_scores = mul(&mul(&weights, &sub(&of_weights, &along, 1)?)?, scale)?;
    let (dq, dk) = (matmul(&of_scores, k)?, matmul(&transpose(&of_scores, -2, -1)?, q)?);
    Ok(smallvec![Some(dq), Some(dk), Some(dv)])
}

/// softmax along the last dimension that gives zeros, with zero gradient, where all scores are −∞.
fn safe_softmax(scores: &Tensor) -> Result<Tensor> {
    if scores.numel() == 0 {
        return softmax(scores, -1, None);
    }
    let largest = Tensor::from(reduce(ReduceArgs::new(ReduceOp::Max, &[-1], true), &[&scores.array()], &[])?);
    let live = map("WhereBackward0", &LIVE_ROWS, &[scores, &largest], &[])?;
    map("SafeSoftmaxBackward0", &LIVE_ROWS, &[&softmax(&live, -1, None)?, &largest], &[])
}

/// Whether a key stands no later than a query, `[l, s]`.
fn causal(l: usize, s: usize, device: Device) -> Result<Tensor> {
    let up_to = |n: usize| arange(Scalar::Int(0), Scalar::Int(n as i64), Scalar::Int(1), Some(DType::I64), device);
    le(&unsqueeze(&up_to(s)?, 0)?, &unsqueeze(&up_to(l)?, 1)?)
}

/// Repeats each head in place until there are `heads`.
fn repeat_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let shape = x.size();
    let Some(dim) = shape.len().checked_sub(3) else { return Ok(x.shallow_clone()) };
    let own = shape[dim];
    if own == heads {
        return Ok(x.shallow_clone());
    }
    if own == 0 || !heads.is_multiple_of(own) {
        return Err(Error::runtime(format!(
            "Number of heads in key and value must divide the number of heads in query, but got {own} and {heads}"
        )));
    }
    let mut wide = to_i64(&shape);
    wide.insert(dim + 1, (heads / own) as i64);
    let repeated = expand(&unsqueeze(x, dim as i64 + 1)?, &wide)?;
    let mut merged = to_i64(&shape);
    merged[dim] = heads as i64;
    reshape(&repeated, &merged)
}

fn check(query: &Tensor, key: &Tensor, value: &Tensor, options: &AttentionOptions<'_>) -> Result<()> {
    let (q, k, v) = (query.dim(), key.dim(), value.dim());
    if q < 2 || k < 2 || v < 2 {
        return Err(Error::runtime(format!(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: {q} key.dim: {k} and \
             value.dim: {v} instead."
        )));
    }
    let (a, b, c) = (query.dtype(), key.dtype(), value.dtype());
    if a != b || a != c {
        return Err(Error::runtime(format!(
            "Expected query, key, and value to have the same dtype, but got query.dtype: {} key.dtype: {} and value.dtype: {} \
             instead.",
            cpp_name(a),
            cpp_name(b),
            cpp_name(c)
        )));
    }
    let Some(mask) = options.attn_mask else { return Ok(()) };
    if mask.dtype() != DType::Bool && mask.dtype() != a && mask.dtype() != DType::F32 {
        return Err(Error::runtime(format!(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: {} and  \
             query.dtype: {} instead.",
            cpp_name(mask.dtype()),
            cpp_name(a)
        )));
    }
    match options.is_causal {
        true => Err(Error::runtime(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True",
        )),
        false => Ok(()),
    }
}
