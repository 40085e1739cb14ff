//! Gathers, scatters, sorts, scans and the like: the caller checks shapes, this layer makes operands dense.

use super::{copy_into, same_device};
use crate::backend::{Extremum, ScanOp, ScatterOp};
use crate::dims::Dims;
use crate::{Array, DType, Error, Result};

fn expect_index(index: &Array, op: &str) -> Result<()> {
    if index.dtype() == DType::I64 {
        return Ok(());
    }
    Err(Error::runtime(format!("{op}(): Expected dtype int64 for index")))
}

pub(super) fn fresh(like: &Array, shape: &[usize], dtype: DType) -> Result<Array> {
    Array::empty(like.backend(), like.device(), shape, dtype)
}

/// The shape with `length` at `dim`; zero-dimensional shapes stay.
fn with_length(shape: &[usize], dim: usize, length: usize) -> Dims {
    let mut shape: Dims = shape.into();
    if let Some(n) = shape.get_mut(dim) {
        *n = length;
    }
    shape
}

/// out\[…i…\] = src\[…index\[…i…\]…\] along `dim`, in `index`'s shape: `torch.gather`.
pub fn gather(src: &Array, dim: usize, index: &Array) -> Result<Array> {
    same_device(&[src, index])?;
    expect_index(index, "gather")?;
    let out = fresh(src, index.shape(), src.dtype())?;
    if out.numel() > 0 {
        src.backend().gather(src, dim, index, &out)?;
    }
    Ok(out)
}

/// Combines `src` (in `index`'s shape) into `out` at the places that `index` names along `dim`, through any view.
pub fn scatter(op: ScatterOp, dim: usize, index: &Array, src: &Array, out: &Array) -> Result<()> {
    same_device(&[out, index, src])?;
    expect_index(index, "scatter")?;
    if index.numel() == 0 {
        return Ok(());
    }
    let overlaps = src.may_overlap(out) || index.may_overlap(out);
    if out.is_contiguous() && !overlaps {
        return out.backend().scatter(op, dim, index, src, out);
    }
    let dense = out.copy()?;
    out.backend().scatter(op, dim, index, src, &dense)?;
    copy_into(&dense, out)
}

/// The lines of `src` along `dim` that the 1-d `index` names: `torch.index_select`, negative indices allowed.
pub fn index_select(src: &Array, dim: usize, index: &Array) -> Result<Array> {
    same_device(&[src, index])?;
    let out = fresh(src, &with_length(src.shape(), dim, index.numel()), src.dtype())?;
    if out.numel() > 0 {
        src.backend().index_select(src, dim, index, &out)?;
    }
    Ok(out)
}

/// The indices of elements that are not zero: i64 `[n, ndim]`.
pub fn nonzero(src: &Array) -> Result<Array> {
    src.backend().nonzero(src)
}

/// Values and indices (i64) of the extrema along `dim`, with length 1 there.
pub fn arg_reduce(which: Extremum, src: &Array, dim: usize) -> Result<(Array, Array)> {
    let shape = with_length(src.shape(), dim, 1);
    let values = fresh(src, &shape, src.dtype())?;
    let indices = fresh(src, &shape, DType::I64)?;
    if values.numel() > 0 {
        src.backend().arg_reduce(which, src, dim, Some(&values), &indices)?;
    }
    Ok((values, indices))
}

/// Running reduction along `dim` in `dtype`.
pub fn scan(op: ScanOp, src: &Array, dim: usize, dtype: DType) -> Result<Array> {
    let out = fresh(src, src.shape(), dtype)?;
    if out.numel() > 0 {
        src.backend().scan(op, src, dim, &out)?;
    }
    Ok(out)
}

/// The first k values along `dim` in sorted order and their indices (i64), stably; [`Extremum::Max`] sorts descending.
pub fn sort(first: Extremum, src: &Array, dim: usize, k: usize) -> Result<(Array, Array)> {
    let shape = with_length(src.shape(), dim, k);
    let values = fresh(src, &shape, src.dtype())?;
    let indices = fresh(src, &shape, DType::I64)?;
    if values.numel() > 0 {
        src.backend().sort(first, src, dim, &values, &indices)?;
    }
    Ok((values, indices))
}
