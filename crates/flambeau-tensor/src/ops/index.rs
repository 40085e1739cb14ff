//! Gathers, scatters, sorts, scans and the like: fresh results, and dense operands where a call asks for them.

use super::{copy_into, same_device};
use crate::backend::{Extremum, ScanOp, ScatterOp};
use crate::calls::{
    ArgReduce, CheckIndex, Gather, IndexSelect, Nonzero, PrimitiveCall, RefuseWhere, Scan, Scatter, Sort,
};
use crate::dims::Dims;
use crate::pointwise::Pointwise;
use crate::{Array, DType, Finding, IndexRule, Result, Scalar};

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
    let out = fresh(src, index.shape(), src.dtype())?;
    Gather { src, dim, index, out: &out }.run()?;
    Ok(out)
}

/// Combines `src` (in `index`'s shape) into `out` at the places that `index` names along `dim`, through any view.
pub fn scatter(op: ScatterOp, dim: usize, index: &Array, src: &Array, out: &Array) -> Result<()> {
    same_device(&[out, index, src])?;
    let overlaps = src.may_overlap(out) || index.may_overlap(out);
    if out.is_contiguous() && !overlaps {
        return Scatter { op, dim, index, src, out }.run();
    }
    let dense = out.copy()?;
    Scatter { op, dim, index, src, out: &dense }.run()?;
    if index.numel() == 0 { Ok(()) } else { copy_into(&dense, out) }
}

/// The lines of `src` along `dim` that the 1-d `index` names: `torch.index_select`.
pub fn index_select(src: &Array, dim: usize, index: &Array) -> Result<Array> {
    let out = fresh(src, &with_length(src.shape(), dim, index.numel()), src.dtype())?;
    IndexSelect { src, dim, index, out: &out }.run()?;
    Ok(out)
}

/// The places (i64, in its shape) that an integer index names: what checks an index against its own dimension and counts
/// negative ones from the end, before anything is made of it.
///
/// # Errors
/// The rule's, when an index names no place; a device may tell at its next readback.
pub fn check_index(index: &Array, rule: &IndexRule) -> Result<Array> {
    CheckIndex { index, rule: *rule }.run()
}

/// Raises a finding if a program of one input gives anything but zero for an element of `x`.
///
/// # Errors
/// The finding's; a device may tell at its next readback.
pub fn refuse_where(program: &Pointwise, x: &Array, scalars: &[Scalar], finding: Finding) -> Result<()> {
    RefuseWhere { program, x, scalars, finding }.run()
}

/// The indices of elements that are not zero: i64 `[n, ndim]`.
pub fn nonzero(src: &Array) -> Result<Array> {
    Nonzero { src }.run()
}

/// Values and indices (i64) of the extrema along `dim`, with length 1 there.
pub fn arg_reduce(which: Extremum, src: &Array, dim: usize) -> Result<(Array, Array)> {
    let shape = with_length(src.shape(), dim, 1);
    let values = fresh(src, &shape, src.dtype())?;
    let indices = fresh(src, &shape, DType::I64)?;
    ArgReduce { which, src, dim, values: Some(&values), indices: &indices }.run()?;
    Ok((values, indices))
}

/// Running reduction along `dim` in `dtype`.
pub fn scan(op: ScanOp, src: &Array, dim: usize, dtype: DType) -> Result<Array> {
    let out = fresh(src, src.shape(), dtype)?;
    Scan { op, src, dim, out: &out }.run()?;
    Ok(out)
}

/// The first k values along `dim` in sorted order and their indices (i64), stably; [`Extremum::Max`] sorts descending.
pub fn sort(first: Extremum, src: &Array, dim: usize, k: usize) -> Result<(Array, Array)> {
    let shape = with_length(src.shape(), dim, k);
    let values = fresh(src, &shape, src.dtype())?;
    let indices = fresh(src, &shape, DType::I64)?;
    Sort { first, src, dim, values: &values, indices: &indices }.run()?;
    Ok((values, indices))
}
