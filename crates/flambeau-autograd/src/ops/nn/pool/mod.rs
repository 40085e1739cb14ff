//! Pooling over one to three spatial dimensions: the largest value or the mean of each window.

pub(crate) mod adaptive;
pub(crate) mod average;
pub(crate) mod fractional;
pub(crate) mod max;
pub(crate) mod power;
mod window;

pub use adaptive::*;
pub use average::*;
pub use fractional::*;
pub use max::*;
pub use power::*;

use crate::Tensor;
use crate::error::Result;
use crate::ops::to_i64;
use flambeau_tensor::{Array, DType, Dims};
use smallvec::SmallVec;

/// The shape of `x` with other spatial lengths.
fn with_spatial(shape: &[usize], spatial: &[usize]) -> Dims {
    shape[..shape.len() - spatial.len()].iter().chain(spatial).copied().collect()
}

/// Dense memory of `x`'s planes as the backends take it: `[planes, d, h, w]`, missing dimensions of length one.
pub(crate) fn planes(x: &Array, ndim: usize) -> Result<Array> {
    let (outer, spatial) = x.shape().split_at(x.ndim() - ndim);
    let mut shape: SmallVec<[usize; 4]> = SmallVec::from_elem(1, 4);
    shape[0] = outer.iter().product();
    shape[4 - ndim..].copy_from_slice(spatial);
    Ok(x.contiguous()?.view(&to_i64(&shape))?)
}

/// Fresh dense memory of a shape beside `x`.
pub(crate) fn fresh(x: &Tensor, shape: &[usize], dtype: DType) -> Result<Array> {
    let array = x.array();
    Ok(Array::empty(array.backend(), array.device(), shape, dtype)?)
}
