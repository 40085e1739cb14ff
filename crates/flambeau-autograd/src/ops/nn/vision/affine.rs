//! Grids of affine maps for `F.grid_sample`.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::{linspace, map, mul, narrow, reshape, zeros};
use crate::warn::warn;
use flambeau_macros::op;
use flambeau_tensor::pointwise::Pointwise;
use flambeau_tensor::{DType, Device, Scalar};
use std::sync::LazyLock;

pub(super) const ALIGNMENT_CHANGED: &str = "Default grid_sample and affine_grid behavior has changed to align_corners=False since \
                                            1.3.0. Please specify align_corners=True if the old behavior is desired. See the \
                                            documentation of grid_sample for details.";

/// The places of `F.grid_sample` for affine maps `theta`: `[n, 2, 3]` for images of `size` `[n, c, h, w]`, the result
/// `[n, h, w, 2]`; `[n, 3, 4]` for volumes of `[n, c, d, h, w]`, the result `[n, d, h, w, 3]`: `F.affine_grid`. Option:
/// `align_corners` (whether ±1 are the centres of the corner elements; false, with a warning where it is not given).
///
/// ```
/// use torch::nn::functional as F;
/// let identity = torch::tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]);
/// let grid = F::affine_grid_with(&identity, [1, 1, 1, 2], |o| o.align_corners(false));
/// assert_eq!(grid.to_vec::<f32>(), [-0.5, 0.0, 0.5, 0.0]);
/// ```
///
/// # Errors
/// For integers, and when shapes do not fit.
#[op(functional, default(align_corners = None))]
#[track_caller]
pub fn affine_grid(theta: &Tensor, size: &[i64], align_corners: Option<bool>) -> Result<Tensor> {
    let align_corners = align_corners.unwrap_or_else(|| {
        warn(ALIGNMENT_CHANGED);
        false
    });
    if !theta.is_floating_point() {
        let dtype = theta.dtype();
        return Err(Error::value(format!(
            "Expected theta to have floating point type, but got torch.{}",
            dtype.name()
        )));
    }
    let ndim = size.len().wrapping_sub(2);
    if ndim != 2 && ndim != 3 {
        return Err(flambeau_tensor::Error::NotImplemented(format!(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size {size:?}."
        ))
        .into());
    }
    let shape = theta.size();
    if shape.len() != 3 || shape[1] != ndim || shape[2] != ndim + 1 {
        return Err(Error::value(format!(
            "Expected a batch of {ndim}D affine matrices of shape Nx{ndim}x{} for size {size:?}. Got torch.Size({:?}).",
            ndim + 1,
            &shape[..]
        )));
    }
    if align_corners && size[2..].contains(&1) && size[2..].iter().all(|&n| n >= 1) {
        warn(
            "Since version 1.3.0, affine_grid behavior has changed for unit-size grids when align_corners=True. This is not an \
             intended use case of affine_grid. See the documentation of affine_grid for details.",
        );
    } else if size.iter().any(|&n| n <= 0) {
        return Err(Error::value(format!("Expected non-zero, positive output size. Got {size:?}")));
    }
    affine_grid_generator(theta, size, align_corners)
}

/// θ₀·x + θ₁·y + θ₂
static PLANE: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0) * b.input(3) + b.input(1) * b.input(4) + b.input(2)).with_arguments(&["theta"; 5])
});
/// θ₀·x + θ₁·y + θ₂·z + θ₃
static VOLUME: LazyLock<Pointwise> = LazyLock::new(|| {
    Pointwise::new(|b| b.input(0) * b.input(4) + b.input(1) * b.input(5) + b.input(2) * b.input(6) + b.input(3))
        .with_arguments(&["theta"; 7])
});

/// [`affine_grid`] without its checks of what is asked for: `torch.affine_grid_generator`.
///
/// ```
/// let identity = torch::tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]);
/// assert_eq!(torch::affine_grid_generator(&identity, [1, 1, 1, 2], true).to_vec::<f32>(), [-1.0, 0.0, 1.0, 0.0]);
/// ```
///
/// # Errors
/// When shapes do not fit.
#[op(torch)]
pub fn affine_grid_generator(theta: &Tensor, size: &[i64], align_corners: bool) -> Result<Tensor> {
    let ndim = size.len().wrapping_sub(2);
    if ndim != 2 && ndim != 3 {
        return Err(Error::runtime("AffineGridGenerator needs 4d (spatial) or 5d (volumetric) inputs."));
    }
    let shape = theta.size();
    let wanted = [size[0], ndim as i64 + 1];
    let found = [0, 2].map(|d| shape.get(d).map_or(-1, |&n| n as i64));
    if wanted != found {
        return Err(Error::runtime(format!(
            "Expected size for first two dimensions of batch2 tensor to be: {wanted:?} but got: {found:?}."
        )));
    }
    let (n, dtype, device) = (size[0], theta.dtype(), theta.device());
    // Columns of the matrices, then the coordinates, the last dimension's first: each along its own dimension of the result.
    let mut inputs = Vec::with_capacity(2 * ndim + 1);
    for column in 0..=ndim as i64 {
        let mut column_shape = vec![1; ndim + 2];
        (column_shape[0], column_shape[ndim + 1]) = (n, ndim as i64);
        inputs.push(reshape(&narrow(theta, 2, column, 1)?, &column_shape)?);
    }
    for d in (0..ndim).rev() {
        let mut along = vec![1; ndim + 2];
        along[d + 1] = size[d + 2];
        inputs.push(reshape(&coordinates(size[d + 2], align_corners, dtype, device)?, &along)?);
    }
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    map("AffineGridGeneratorBackward0", if ndim == 2 { &PLANE } else { &VOLUME }, &inputs, &[])
}

/// The centres of `n` elements, the range from −1 to 1 being theirs or that of their edges.
fn coordinates(n: i64, align_corners: bool, dtype: DType, device: Device) -> Result<Tensor> {
    if n <= 1 {
        return zeros(&[n.max(0) as usize], dtype, device);
    }
    let range = linspace(-1.0, 1.0, n as usize, dtype, device)?;
    match align_corners {
        true => Ok(range),
        false => crate::ops::div(&mul(&range, Scalar::Int(n - 1))?, Scalar::Int(n)),
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::affine_grid;
    use crate::{GradCheckOptions, Result, Tensor, arange, gradcheck, gradgradcheck};

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for (size, theta) in [(&[2i64, 1, 3, 2][..], [2, 2, 3]), (&[1, 1, 2, 1, 3], [1, 3, 4])] {
            let theta = arange(12.0).double().div(8.0).view(theta.map(|n| n as i64)).requires_grad_(true);
            for align in [true, false] {
                let f = |x: &[Tensor]| -> Result<Vec<Tensor>> { Ok(vec![affine_grid(&x[0], size, Some(align))?]) };
                gradcheck(&f, &[theta.shallow_clone()], GradCheckOptions::default()).unwrap();
                gradgradcheck(&f, &[theta.shallow_clone()], GradCheckOptions::default()).unwrap();
            }
        }
    }
}
