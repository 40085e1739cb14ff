//! Truth values, counts and other summaries.

use crate::error::Result;
use crate::graph::{Save, record};
use crate::ops::reduce::extrema::kept_shape;
use crate::ops::{IntoDims, map, sum_map, view};
use crate::{OrPanic, Tensor};
use flambeau_tensor::backend::ReduceOp;
use flambeau_tensor::dims::wrap_dims;
use flambeau_tensor::ops::{ReduceArgs, pointwise, pointwise_into, reduce};
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{Array, DType};
use smallvec::{SmallVec, smallvec};
use std::sync::LazyLock;

fn logical(op: ReduceOp, x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    let out = reduce(ReduceArgs::new(op, dims, keepdim), &[&x.array()], &[])?;
    // u8 was the dtype of masks before bool, and still comes back as u8.
    Ok(if x.dtype() == DType::U8 { out.to_dtype(DType::U8)? } else { out }.into())
}

/// Whether all elements over `dims` (empty: all) are not zero: `torch.all`.
pub fn all(x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    logical(ReduceOp::All, x, dims, keepdim)
}

/// Whether any element over `dims` (empty: all) is not zero: `torch.any`.
pub fn any(x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    logical(ReduceOp::Any, x, dims, keepdim)
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

/// ln Σeˣ over `dims` (empty: all), without overflow: `torch.logsumexp`.
pub fn logsumexp(x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    let x = if x.is_floating_point() { x } else { &crate::ops::to_dtype(x, flambeau_tensor::default_dtype())? };
    let out = logsumexp_array(&x.array(), dims)?;
    let kept = kept_shape(&x.size(), dims)?;
    let out = if keepdim {
        out
    } else {
        let reduced = wrap_dims(dims, x.dim())?;
        let reduced: SmallVec<[i64; 6]> = reduced.iter().map(|&d| d as i64).collect();
        if reduced.is_empty() { out } else { out.squeeze(Some(&reduced))? }
    };
    Ok(record("LogsumexpBackward0", &[x], &[Save::Tensor(x), Save::Output(0)], out, move |c| {
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

/// The sum over `dims` (empty: all) of what is not NaN: `torch.nansum`.
pub fn nansum(x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    if !x.is_floating_point() {
        return crate::ops::sum(x, dims, keepdim, None);
    }
    sum_map("NansumBackward0", Some(&*WITHOUT_NAN), &[x], &[], dims, keepdim, None)
}

/// The mean over `dims` (empty: all) of what is not NaN: `torch.nanmean`.
pub fn nanmean(x: &Tensor, dims: &[i64], keepdim: bool) -> Result<Tensor> {
    let count = sum_map("NotDifferentiable", Some(&*IS_NUMBER), &[&x.detach()], &[], dims, keepdim, None)?;
    crate::ops::div(&nansum(x, dims, keepdim)?, &count)
}

/// Summaries; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// Whether all elements are not zero, as a tensor: `x.all()`.
    #[track_caller]
    pub fn all(&self) -> Tensor {
        all(self, &[], false).or_panic()
    }

    /// See [`all`].
    #[track_caller]
    pub fn all_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
        all(self, &dims.into_dims(), keepdim).or_panic()
    }

    /// Whether any element is not zero, as a tensor: `x.any()`.
    #[track_caller]
    pub fn any(&self) -> Tensor {
        any(self, &[], false).or_panic()
    }

    /// See [`any`].
    #[track_caller]
    pub fn any_dim(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
        any(self, &dims.into_dims(), keepdim).or_panic()
    }

    /// See [`logsumexp`].
    #[track_caller]
    pub fn logsumexp(&self, dims: impl IntoDims, keepdim: bool) -> Tensor {
        logsumexp(self, &dims.into_dims(), keepdim).or_panic()
    }

    /// The sum of all elements that are not NaN: `x.nansum()`.
    #[track_caller]
    pub fn nansum(&self) -> Tensor {
        nansum(self, &[], false).or_panic()
    }

    /// The mean of all elements that are not NaN: `x.nanmean()`.
    #[track_caller]
    pub fn nanmean(&self) -> Tensor {
        nanmean(self, &[], false).or_panic()
    }
}
