//! Parts replaced in a copy, and dimensions added: select_scatter, slice_scatter, unflatten, atleast_nd.

use crate::error::{Error, Result};
use crate::graph::record;
use crate::ops::{clone, select, slice, unsqueeze, view};
use crate::{OrPanic, Tensor};
use flambeau_tensor::Array;
use flambeau_tensor::dims::wrap_dim;
use smallvec::smallvec;

/// A copy of `x` with `src` in the part that `part` shows.
fn part_scatter(
    name: &'static str,
    x: &Tensor,
    src: &Tensor,
    array_part: impl Fn(&Array) -> Result<Array>,
    part: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
) -> Result<Tensor> {
    let out = x.array().copy()?;
    let into = array_part(&out)?;
    if *src.size() != *into.shape() {
        return Err(Error::runtime(format!(
            "expected src to have a size equal to the slice of self. src size = {:?}, slice size = {:?}",
            &src.size()[..],
            into.shape()
        )));
    }
    flambeau_tensor::ops::copy_into(&src.array(), &into)?;
    let dtype = src.dtype();
    Ok(record(name, &[x, src], &[], out, move |c| {
        let grad = c.grad(0)?;
        let own = || {
            let own = clone(&grad)?;
            crate::ops::zero_(&part(&own)?)?;
            Ok::<_, Error>(own)
        };
        let src = c.needs(1).then(|| crate::ops::to_dtype(&part(&grad)?, dtype)).transpose()?;
        Ok(smallvec![c.needs(0).then(own).transpose()?, src])
    }))
}

/// A copy of x with `src` as one line of a dimension: `torch.select_scatter`.
pub fn select_scatter(x: &Tensor, src: &Tensor, dim: i64, index: i64) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    let n = x.size().get(d).copied().unwrap_or(0) as i64;
    if index < -n || index >= n {
        return Err(Error::index(format!(
            "select(): index {index} out of range for tensor of size {:?} at dimension {d}",
            &x.size()[..]
        )));
    }
    let array_part = move |a: &Array| Ok(a.select(dim, index)?);
    part_scatter("SelectScatterBackward0", x, src, array_part, move |t| select(t, dim, index))
}

/// A copy of x with `src` in `[start:end:step]` of a dimension: `torch.slice_scatter`.
pub fn slice_scatter(
    x: &Tensor,
    src: &Tensor,
    dim: i64,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> Result<Tensor> {
    let array_part = move |a: &Array| Ok(a.slice(dim, start, end, step)?);
    part_scatter("SliceScatterBackward0", x, src, array_part, move |t| slice(t, dim, start, end, step))
}

/// A copy of x with `src` on a diagonal: `torch.diagonal_scatter`.
pub fn diagonal_scatter(x: &Tensor, src: &Tensor, offset: i64, dim1: i64, dim2: i64) -> Result<Tensor> {
    let array_part = move |a: &Array| Ok(a.diagonal(offset, dim1, dim2)?);
    part_scatter("DiagonalScatterBackward0", x, src, array_part, move |t| crate::ops::diagonal(t, offset, dim1, dim2))
}

/// One dimension as several; one length may be −1: `torch.unflatten`.
pub fn unflatten(x: &Tensor, dim: i64, sizes: &[i64]) -> Result<Tensor> {
    let d = wrap_dim(dim, x.dim())?;
    if sizes.is_empty() {
        return Err(Error::runtime("unflatten: sizes must be non-empty"));
    }
    let own = x.size();
    let Some(&n) = own.get(d) else {
        return Err(Error::index(format!("Dimension specified as {dim} but tensor has no dimensions")));
    };
    let inferred = flambeau_tensor::dims::infer_shape(sizes, n).map_err(|_| {
        Error::runtime(format!(
            "unflatten: Provided sizes {sizes:?} don't multiply up to the size of dim {d} ({n}) in the input tensor"
        ))
    })?;
    let shape: Vec<i64> = own[..d].iter().chain(&inferred).chain(&own[d + 1..]).map(|&n| n as i64).collect();
    view(x, &shape)
}

/// The tensor with at least one dimension: `torch.atleast_1d`.
pub fn atleast_1d(x: &Tensor) -> Result<Tensor> {
    if x.dim() == 0 { view(x, &[1]) } else { Ok(x.clone()) }
}

/// The tensor with at least two dimensions, new ones in front: `torch.atleast_2d`.
pub fn atleast_2d(x: &Tensor) -> Result<Tensor> {
    match x.dim() {
        0 => view(x, &[1, 1]),
        1 => unsqueeze(x, 0),
        _ => Ok(x.clone()),
    }
}

/// The tensor with at least three dimensions; a vector lies along the second: `torch.atleast_3d`.
pub fn atleast_3d(x: &Tensor) -> Result<Tensor> {
    match x.dim() {
        0 => view(x, &[1, 1, 1]),
        1 => unsqueeze(&unsqueeze(x, 0)?, -1),
        2 => unsqueeze(x, -1),
        _ => Ok(x.clone()),
    }
}

/// Parts replaced and dimensions added; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// See [`select_scatter`].
    #[track_caller]
    pub fn select_scatter(&self, src: &Tensor, dim: i64, index: i64) -> Tensor {
        select_scatter(self, src, dim, index).or_panic()
    }

    /// See [`slice_scatter`].
    #[track_caller]
    pub fn slice_scatter(&self, src: &Tensor, dim: i64, start: Option<i64>, end: Option<i64>, step: i64) -> Tensor {
        slice_scatter(self, src, dim, start, end, step).or_panic()
    }

    /// See [`unflatten`].
    #[track_caller]
    pub fn unflatten(&self, dim: i64, sizes: impl crate::ops::IntoDims) -> Tensor {
        unflatten(self, dim, &sizes.into_dims()).or_panic()
    }

    /// See [`atleast_1d`].
    #[track_caller]
    pub fn atleast_1d(&self) -> Tensor {
        atleast_1d(self).or_panic()
    }

    /// See [`atleast_2d`].
    #[track_caller]
    pub fn atleast_2d(&self) -> Tensor {
        atleast_2d(self).or_panic()
    }

    /// See [`atleast_3d`].
    #[track_caller]
    pub fn atleast_3d(&self) -> Tensor {
        atleast_3d(self).or_panic()
    }
}
