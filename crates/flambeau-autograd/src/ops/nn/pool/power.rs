//! Power-average pooling: the p-norm of each window.

use crate::Tensor;
use crate::error::{Error, Result};
use crate::ops::nn::window::Sizes;
use crate::ops::{self, AvgPoolOptions, MaxPoolOptions};
use crate::options;
use flambeau_macros::op;
use flambeau_tensor::Scalar;
use flambeau_tensor::print::py_float;

options! {
    /// Options of `F::lp_pool1d`, `F::lp_pool2d` and `F::lp_pool3d`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    LpPoolOptions {
        /// Step between windows (the window's size).
        stride: Option<Sizes> = None,
        /// Whether a last window that only partly fits counts (false).
        ceil_mode: bool = false,
    }
}

/// (Σ xᵖ)^(1/p) over each window of `[n, c, l]` or `[c, l]`, windows side by side: `F.lp_pool1d`. For p = 1 that is the sum, for
/// p = ∞ the largest absolute value. Where the sum is zero the gradient is zero. Options: `stride`, `ceil_mode`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[3.0, 4.0, 6.0, 8.0]]);
/// assert!(F::lp_pool1d(&x, 2, 2).allclose(&torch::tensor([[5.0, 10.0]])));
/// assert_eq!(F::lp_pool1d_with(&x, 1, 2, |o| o.stride(1)).to_vec::<f32>(), [7.0, 10.0, 14.0]);
/// ```
///
/// # Errors
/// For p = 0, and when the windows do not fit.
#[op(functional)]
pub fn lp_pool1d(x: &Tensor, norm_type: Scalar, kernel_size: &[i64], options: &LpPoolOptions) -> Result<Tensor> {
    power_pool(x, norm_type, kernel_size, options, 1)
}

/// [`lp_pool1d`] over height and width, of `[n, c, h, w]` or `[c, h, w]`: `F.lp_pool2d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 1.0], [1.0, 1.0]]]);
/// assert_eq!(F::lp_pool2d(&x, 2, 2).to_vec::<f32>(), [2.0]);
/// assert_eq!(F::lp_pool2d_with(&x, 1, [2, 1], |o| o.ceil_mode(true)).to_vec::<f32>(), [2.0, 2.0]);
/// ```
#[op(functional)]
pub fn lp_pool2d(x: &Tensor, norm_type: Scalar, kernel_size: &[i64], options: &LpPoolOptions) -> Result<Tensor> {
    power_pool(x, norm_type, kernel_size, options, 2)
}

/// [`lp_pool1d`] over depth, height and width, of `[n, c, d, h, w]` or `[c, d, h, w]`: `F.lp_pool3d`.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::lp_pool3d(&torch::ones([1, 2, 4, 6, 8]), 2, 2).size(), [1, 2, 2, 3, 4]);
/// assert_eq!(F::lp_pool3d_with(&torch::ones([1, 2, 4, 6, 8]), 2, 2, |o| o.stride(1)).size(), [1, 2, 3, 5, 7]);
/// ```
#[op(functional)]
pub fn lp_pool3d(x: &Tensor, norm_type: Scalar, kernel_size: &[i64], options: &LpPoolOptions) -> Result<Tensor> {
    power_pool(x, norm_type, kernel_size, options, 3)
}

fn power_pool(x: &Tensor, norm_type: Scalar, kernel: &[i64], options: &LpPoolOptions, ndim: usize) -> Result<Tensor> {
    let p = norm_type.to_f64();
    if p == 0.0 {
        let given = if norm_type.is_int() { norm_type.to_string() } else { py_float(p) };
        return Err(Error::value(format!("norm_type must be a non-zero value, but got {given}")));
    }
    let LpPoolOptions { stride, ceil_mode } = options;
    if p.is_infinite() {
        let largest = [ops::max_pool1d, ops::max_pool2d, ops::max_pool3d][ndim - 1];
        let options = MaxPoolOptions { stride: stride.clone(), ceil_mode: *ceil_mode, ..MaxPoolOptions::default() };
        let size = ops::abs(x)?;
        return match p > 0.0 {
            true => largest(&size, kernel, &options),
            false => ops::neg(&largest(&ops::neg(&size)?, kernel, &options)?),
        };
    }
    let mean = [ops::avg_pool1d, ops::avg_pool2d, ops::avg_pool3d][ndim - 1];
    let options = AvgPoolOptions { stride: stride.clone(), ceil_mode: *ceil_mode, ..AvgPoolOptions::default() };
    let mean = mean(&ops::pow(x, norm_type)?, kernel, &options)?;
    let count: i64 = match *kernel {
        [one] => one.pow(ndim as u32),
        _ => kernel.iter().product(),
    };
    // As PyTorch has it: the detour by the absolute value gives a sum of zero the gradient zero.
    let kept = ops::mul(&ops::sign(&mean)?, &ops::relu(&ops::abs(&mean)?)?)?;
    ops::pow(&ops::mul(&kept, count)?, 1.0 / p)
}
