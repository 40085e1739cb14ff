//! Matrices turned and mirrored.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::index::lines::as_one;
use crate::ops::{clone, flip, transpose};
use flambeau_macros::op;
use flambeau_tensor::dims::wrap_dim;
use smallvec::smallvec;

/// A quarter turn, `k` times, in the plane of two dimensions, from the first towards the second: `torch.rot90`. Negative k turns
/// the other way.
///
/// # Errors
/// Where there are not two dimensions, or `dims` are not two different ones.
///
/// ```
/// let x = torch::tensor([[0, 1], [2, 3]]);
/// assert_eq!(x.rot90(1, [0, 1]).to_vec::<i64>(), [1, 3, 0, 2]);
/// assert_eq!(x.rot90(-1, [0, 1]).to_vec::<i64>(), [2, 0, 3, 1]);
/// ```
#[op(torch, method, positional, default(k = 1, dims = &[0, 1]))]
pub fn rot90(x: &Tensor, k: i64, dims: &[i64]) -> Result<Tensor> {
    let (n, &[from, to]) = (x.dim(), dims) else {
        return Err(Error::runtime(format!("expected total rotation dims == 2, but got dims = {}", dims.len())));
    };
    if n < 2 {
        return Err(Error::runtime(format!("expected total dims >= 2, but got total dims = {n}")));
    }
    if from == to || (from - to).abs() == n as i64 {
        return Err(Error::runtime(format!(
            "expected rotation dims to be different, but got dim0 = {from} and dim1 = {to}"
        )));
    }
    wrap_dim(from, n)?;
    wrap_dim(to, n)?;
    let compute = || match k.rem_euclid(4) {
        1 => transpose(&flip(x, &[to])?, from, to),
        2 => flip(x, &[from, to]),
        3 => transpose(&flip(x, &[from])?, from, to),
        _ => clone(x),
    };
    as_one("Rot90Backward0", &[x], &[], compute, move |c| {
        Ok(smallvec![Some(rot90(&c.grad(0)?, -k.rem_euclid(4), &[from, to])?)])
    })
}

/// The columns in reverse order: `torch.fliplr`.
///
/// # Errors
/// For less than two dimensions.
///
/// ```
/// assert_eq!(torch::tensor([[1, 2], [3, 4]]).fliplr().to_vec::<i64>(), [2, 1, 4, 3]);
/// ```
#[op(torch, method)]
pub fn fliplr(x: &Tensor) -> Result<Tensor> {
    if x.dim() < 2 {
        return Err(Error::runtime("Input must be >= 2-d."));
    }
    flip(x, &[1])
}

/// The rows in reverse order: `torch.flipud`.
///
/// # Errors
/// For a tensor without dimensions.
///
/// ```
/// assert_eq!(torch::tensor([[1, 2], [3, 4]]).flipud().to_vec::<i64>(), [3, 4, 1, 2]);
/// ```
#[op(torch, method)]
pub fn flipud(x: &Tensor) -> Result<Tensor> {
    if x.dim() < 1 {
        return Err(Error::runtime("Input must be >= 1-d."));
    }
    flip(x, &[0])
}
