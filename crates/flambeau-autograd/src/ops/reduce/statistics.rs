//! Truth values, counts and other summaries.

use crate::Tensor;
use crate::error::Result;
use crate::graph::{Save, record};
use crate::ops::reduce::extrema::kept_shape;
use crate::ops::{map, sum_map, view};
use flambeau_macros::op;
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::dims::wrap_dims;
use flambeau_tensor::ops::{ReduceArgs, pointwise, pointwise_into, reduce};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

/// A truth value over some dimensions, or over all (`None`); no dimension leaves each element's own.
fn logical(op: ReduceOp, x: &Tensor, dims: Option<&[i64]>, keepdim: bool) -> Result<Tensor> {
    let out = match dims {
        Some([]) => x.array().to_dtype(DType::Bool)?,
        dims => reduce(ReduceArgs::new(op, dims.unwrap_or_default(), keepdim), &[&x.array()], &[])?,
    };
    // u8 was the dtype of masks before bool, and still comes back as u8.
    Ok(if x.dtype() == DType::U8 { out.to_dtype(DType::U8)? } else { out }.into())
}

/// Whether all elements over the dimensions `dim` (all of them, if it is not given) are not zero, as bools: `torch.all`. Of uint8
/// the result is uint8. An empty list reduces nothing.
///
/// ```
/// let x = torch::tensor([[true, false], [true, true]]);
/// assert_eq!(x.all().item(), 0.0);
/// assert_eq!(x.all_dim(1, false).to_vec::<bool>(), [false, true]);
/// ```
#[op(torch, method, not_differentiable, forms(
    all() = (None, false),
    all_dim(dim: &[i64], keepdim: bool) = (Some(dim), keepdim),
))]
pub fn all(x: &Tensor, dim: Option<&[i64]>, keepdim: bool) -> Result<Tensor> {
    logical(ReduceOp::All, x, dim, keepdim)
}

/// Whether any element over the dimensions `dim` (all of them, if it is not given) is not zero, as bools: `torch.any`. Of uint8 the
/// result is uint8. An empty list reduces nothing.
///
/// ```
/// let x = torch::tensor([[true, false], [true, true]]);
/// assert_eq!(x.any().item(), 1.0);
/// assert_eq!(x.any_dim(1, false).to_vec::<bool>(), [true, true]);
/// ```
#[op(torch, method, not_differentiable, forms(
    any() = (None, false),
    any_dim(dim: &[i64], keepdim: bool) = (Some(dim), keepdim),
))]
pub fn any(x: &Tensor, dim: Option<&[i64]>, keepdim: bool) -> Result<Tensor> {
    logical(ReduceOp::Any, x, dim, keepdim)
}

/// Where the largest value is infinite, 0 takes its place: nothing is left to scale.
static FINITE_SHIFT: LazyLock<Pointwise> =
    LazyLock::new(|| Pointwise::new(|b| b.input(0).abs().eq(f64::INFINITY).select(0.0, b.input(0))));

/// e^(x − m)
static SHIFTED_EXP: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| (b.input(0) - b.input(1)).exp()));

/// ln s + m
static LOG_PLUS: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).log() + b.input(1)));

/// g · e^(x − l), where l is the result
static LOGSUMEXP_GRADIENT: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| {
        let (x, l, g) = (b.input(0), b.input(1), b.input(2));
        g * (x - l).exp()
    })
});

fn logsumexp_array(x: &Array, dims: &[i64]) -> Result<Array> {
    let (shape, sum) = (x.shape(), |program, inputs: &[&Array]| {
        reduce(ReduceArgs { map: program, ..ReduceArgs::new(ReduceOp::Sum, dims, true) }, inputs, &[])
    });
    if wrap_dims(dims, shape.len())?.iter().any(|&d| shape[d] == 0) {
        // Of nothing: ln 0.
        return Ok(pointwise(
            crate::ops::pointwise::unary::program(flambeau_tensor::pointwise::UnaryOp::Log),
            &[&sum(None, &[x])?],
            &[],
        )?);
    }
    let largest = reduce(ReduceArgs::new(ReduceOp::Max, dims, true), &[x], &[])?;
    let shift = pointwise(&FINITE_SHIFT, &[&largest], &[])?;
    let out = sum(Some(&*SHIFTED_EXP), &[x, &shift])?;
    pointwise_into(&LOG_PLUS, &[&out, &shift], &[], &[&out])?;
    Ok(out)
}

/// ln Σeˣ over the dimensions `dim` (empty: all), without overflow: `torch.logsumexp`. Integers and bools compute in the default
/// dtype.
///
/// ```
/// let x = torch::tensor([1000.0, 1000.0]);
/// assert_eq!(x.logsumexp(0).item(), f64::from(1000.0 + 2f32.ln()));
/// ```
#[op(torch, special, method, cast_gpu = Float32, default(keepdim = false))]
pub fn logsumexp(x: &Tensor, dim: &[i64], keepdim: bool) -> Result<Tensor> {
    let x = if x.is_floating_point() { x } else { &crate::ops::to_dtype(x, flambeau_tensor::default_dtype())? };
    let out = logsumexp_array(&x.array(), dim)?;
    let kept = kept_shape(&x.size(), dim)?;
    let out = if keepdim {
        out
    } else {
        let reduced = wrap_dims(dim, x.dim())?;
        let reduced: SmallVec<[i64; 6]> = reduced.iter().map(|&d| d as i64).collect();
        if reduced.is_empty() { out } else { out.squeeze(Some(&reduced))? }
    };
    Ok(record("LogsumexpBackward0", &[x], &[Save::Tensor("self", x), Save::Output("result", 0)], out, move |c| {
        let (l, g) = (view(&c.saved(1)?, &kept)?, view(&c.grad(0)?, &kept)?);
        Ok(smallvec![Some(map("MulBackward0", &LOGSUMEXP_GRADIENT, &[&c.saved(0)?, &l, &g], &[])?)])
    }))
}

/// x, or 0 where it is NaN
static WITHOUT_NAN: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0).is_nan().select(0.0, b.input(0)))
        .with_gradient(|_, g, x, _| vec![g * x[0].is_nan().logical_not()])
});

/// x = x
static IS_NUMBER: LazyLock<Pointwise> = LazyLock::new(|| Pointwise::new(|b| b.input(0).is_nan().logical_not()));

/// The sum over the dimensions `dim` (empty: all) of what is not NaN: `torch.nansum`. Integers and bools sum in int64.
///
/// ```
/// let x = torch::tensor([1.0, f32::NAN, 2.0]);
/// assert_eq!(x.nansum().item(), 3.0);
/// ```
#[op(torch, method, forms(
    nansum() = (&[], false),
    nansum_dim(dim: &[i64], keepdim: bool) = (dim, keepdim),
),
    default(keepdim = false)
)]
pub fn nansum(x: &Tensor, dim: &[i64], keepdim: bool) -> Result<Tensor> {
    if !x.is_floating_point() {
        return crate::ops::sum(x, dim, keepdim, None);
    }
    sum_map("NansumBackward0", Some(&*WITHOUT_NAN), &[x], &[], dim, keepdim, None)
}

/// The mean over the dimensions `dim` (empty: all) of what is not NaN: `torch.nanmean`. Where all is NaN the mean is NaN.
///
/// ```
/// let x = torch::tensor([1.0, f32::NAN, 2.0]);
/// assert_eq!(x.nanmean().item(), 1.5);
/// ```
#[op(torch, method, forms(
    nanmean() = (&[], false),
    nanmean_dim(dim: &[i64], keepdim: bool) = (dim, keepdim),
))]
pub fn nanmean(x: &Tensor, dim: &[i64], keepdim: bool) -> Result<Tensor> {
    let count = sum_map("NotDifferentiable", Some(&*IS_NUMBER), &[&x.detach()], &[], dim, keepdim, None)?;
    crate::ops::div(&nansum(x, dim, keepdim)?, &count)
}
