//! The cross product.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::Save;
use crate::ops::index::lines::as_one;
use crate::ops::{mul, roll, sub, sum_to_size};
use flambeau_macros::op;
use flambeau_tensor::dims::{broadcast_shapes, wrap_dim};
use smallvec::smallvec;

fn product(a: &Tensor, b: &Tensor, dim: i64) -> Result<Tensor> {
    let turned = |x: &Tensor, by: i64| roll(x, &[-by], &[dim]);
    sub(&mul(&turned(a, 1)?, &turned(b, 2)?)?, &mul(&turned(a, 2)?, &turned(b, 1)?)?, 1)
}

/// The cross product of vectors of length 3 along `dim` (the last one); the other dimensions broadcast: `torch.linalg.cross`.
///
/// # Errors
/// Where the dimension is not of length 3 in both.
///
/// ```
/// let (x, y) = (torch::tensor([1.0, 0.0, 0.0]), torch::tensor([0.0, 1.0, 0.0]));
/// assert_eq!(torch::linalg::cross(&x, &y).to_vec::<f32>(), [0.0, 0.0, 1.0]);
/// ```
#[op(linalg, forms(cross(other: &Tensor) = (other, -1), cross_dim(other: &Tensor, dim: i64) = (other, dim)))]
pub fn linalg_cross(input: &Tensor, other: &Tensor, dim: i64) -> Result<Tensor> {
    let (a, b) = (input, other);
    if a.dim() != b.dim() {
        return Err(Error::runtime("linalg.cross: inputs must have the same number of dimensions."));
    }
    let d = wrap_dim(dim, a.dim())?;
    let length = |x: &Tensor| x.size().get(d).copied().unwrap_or(1);
    if length(a) != 3 || length(b) != 3 {
        return Err(Error::runtime(format!(
            "linalg.cross: inputs dimension {dim} must have length 3. Got {} and {}",
            length(a),
            length(b)
        )));
    }
    broadcast_shapes(&a.size(), &b.size())?;
    if a.dtype() != b.dtype() {
        return Err(Error::runtime(format!(
            "expected scalar type {} but found {}",
            a.dtype().scalar_type_name(),
            b.dtype().scalar_type_name()
        )));
    }
    let dim = d as i64;
    let saves = [Save::Tensor("self", a), Save::Tensor("other", b)];
    as_one(
        "LinalgCrossBackward0",
        &[a, b],
        &saves,
        || product(a, b, dim),
        move |c| {
            let (g, a, b) = (c.grad(0)?, c.saved(0)?, c.saved(1)?);
            let of_a = c.needs(0).then(|| sum_to_size(&linalg_cross(&b, &g, dim)?, &a.size())).transpose()?;
            let of_b = c.needs(1).then(|| sum_to_size(&linalg_cross(&g, &a, dim)?, &b.size())).transpose()?;
            Ok(smallvec![of_a, of_b])
        },
    )
}

/// [`linalg_cross`] along `dim` (`cross_dim`), or along the first dimension of length 3: `torch.cross`.
///
/// # Errors
/// Where there is no dimension of length 3, and those of [`linalg_cross`].
///
/// ```
/// let (x, y) = (torch::tensor([1.0, 0.0, 0.0]), torch::tensor([0.0, 1.0, 0.0]));
/// assert_eq!(x.cross_dim(&y, 0).to_vec::<f32>(), [0.0, 0.0, 1.0]);
/// ```
#[op(torch, method, cast_gpu = Widest, forms(
    cross(other: &Tensor) = (other, None),
    cross_dim(other: &Tensor, dim: i64) = (other, Some(dim)),
))]
pub fn cross(input: &Tensor, other: &Tensor, dim: Option<i64>) -> Result<Tensor> {
    let dim = match dim {
        Some(dim) => dim,
        None => {
            crate::warn(
                "Using torch.cross without specifying the dim arg is deprecated.\nPlease either pass the dim explicitly or simply \
                 use torch.linalg.cross.\nThe default value of dim will change to agree with that of linalg.cross in a future \
                 release.",
            );
            let three = input.size().iter().position(|&n| n == 3);
            three.ok_or_else(|| Error::runtime("no dimension of size 3 in input"))? as i64
        }
    };
    linalg_cross(input, other, dim)
}
