//! Average pooling.

use super::window::Windows;
use super::{fresh, planes, with_spatial};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::nn::window::{Sizes, widened};
use crate::ops::{squeeze, to_dtype, trunc, unsqueeze};
use crate::options;
use flambeau_macros::op;
use flambeau_tensor::backend::{AvgPoolDivisor, PoolGeometry};
use flambeau_tensor::calls::{AvgPool, AvgPoolBackward, PrimitiveCall};
use flambeau_tensor::ops::fill;
use flambeau_tensor::{DType, Scalar};
use smallvec::smallvec;

options! {
    /// Options of `F::avg_pool1d`, `F::avg_pool2d` and `F::avg_pool3d`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    AvgPoolOptions {
        /// Whether a last window that only partly fits counts (false).
        ceil_mode: bool = false,
        /// Whether padded zeros count in the mean (true).
        count_include_pad: bool = true,
        /// A divisor in place of the window's size, of two and three dimensions (none).
        divisor_override: Option<i64> = None,
        /// Step between windows (the window's size).
        stride: Option<Sizes> = None,
        /// Zeros on both sides (0).
        padding: Sizes = smallvec![0],
    }
}

/// The mean of each window of `[n, c, l]` or `[c, l]`, windows side by side: `F.avg_pool1d`. Options: `stride`, `padding`,
/// `ceil_mode`, `count_include_pad`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0, 5.0, 7.0]]);
/// assert_eq!(F::avg_pool1d(&x, 2).to_vec::<f32>(), [2.0, 6.0]);
/// assert_eq!(F::avg_pool1d_with(&x, 2, |o| o.stride(1)).to_vec::<f32>(), [2.0, 4.0, 6.0]);
/// ```
///
/// # Errors
/// When the windows do not fit.
#[op(torch, functional)]
pub fn avg_pool1d(x: &Tensor, kernel_size: &[i64], options: &AvgPoolOptions) -> Result<Tensor> {
    let stride = options.stride.as_deref();
    check_1d(
        x,
        "avg_pool1d",
        [("kernel_size", kernel_size), ("stride", stride.unwrap_or(&[1])), ("padding", &options.padding)],
    )?;
    let options = AvgPoolOptions {
        stride: stride.map(|s| widened(s, 1)),
        padding: widened(&options.padding, 0),
        ..options.clone()
    };
    squeeze(&avg_pool2d(&unsqueeze(x, -2)?, &widened(kernel_size, 1), &options)?, Some(&[-2]))
}

/// What PyTorch refuses of a pooling of lines: other inputs than lines, and arguments that are lists of another length than one.
pub(super) fn check_1d<const N: usize>(x: &Tensor, function: &str, lists: [(&str, &[i64]); N]) -> Result<()> {
    let n = x.dim();
    if n != 2 && n != 3 {
        return Err(Error::runtime(format!(
            "Expected 2 to 3 dimensions, but got {n}-dimensional tensor for argument #1 'self' (while checking arguments for \
             {function})"
        )));
    }
    match lists.iter().find(|(_, list)| list.len() != 1) {
        Some((argument, list)) => Err(Error::runtime(format!(
            "{function}() argument '{argument}' should contain one int (got {})",
            list.len()
        ))),
        None => Ok(()),
    }
}

/// [`avg_pool1d`] over height and width, of `[n, c, h, w]` or `[c, h, w]`: `F.avg_pool2d`. Options as there, and
/// `divisor_override`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 3.0], [5.0, 7.0]]]);
/// assert_eq!(F::avg_pool2d(&x, 2).to_vec::<f32>(), [4.0]);
/// assert_eq!(F::avg_pool2d_with(&x, [2, 1], |o| o.divisor_override(1)).to_vec::<f32>(), [6.0, 10.0]);
/// ```
#[op(functional)]
pub fn avg_pool2d(x: &Tensor, kernel_size: &[i64], options: &AvgPoolOptions) -> Result<Tensor> {
    avg_pool(x, kernel_size, options, 2, "avg_pool2d", "AvgPool2DBackward0")
}

/// [`avg_pool1d`] over depth, height and width, of `[n, c, d, h, w]` or `[c, d, h, w]`: `F.avg_pool3d`. Options as there, and
/// `divisor_override`.
///
/// ```
/// use torch::nn::functional as F;
/// assert_eq!(F::avg_pool3d(&torch::ones([1, 2, 4, 6, 8]), 2).size(), [1, 2, 2, 3, 4]);
/// ```
#[op(functional, cast_cpu = Float32)]
pub fn avg_pool3d(x: &Tensor, kernel_size: &[i64], options: &AvgPoolOptions) -> Result<Tensor> {
    avg_pool(x, kernel_size, options, 3, "avg_pool3d", "AvgPool3DBackward0")
}

fn avg_pool(
    x: &Tensor,
    kernel: &[i64],
    options: &AvgPoolOptions,
    ndim: usize,
    function: &'static str,
    name: &'static str,
) -> Result<Tensor> {
    if options.divisor_override == Some(0) {
        return Err(Error::runtime("divisor must be not zero"));
    }
    if x.dtype() == DType::I64 {
        // Integer division truncates; sums are exact in f64 up to 2⁵³.
        let mean = avg_pool(&to_dtype(x, DType::F64)?, kernel, options, ndim, function, name)?;
        return to_dtype(&trunc(&mean)?, DType::I64);
    }
    let windows = Windows {
        name: function,
        volume_name: function,
        average: true,
        kernel,
        stride: options.stride.as_deref(),
        padding: &options.padding,
        dilation: &[1],
        ceil_mode: options.ceil_mode,
    };
    let (geometry, lengths) = windows.check(x, ndim)?;
    let divisor =
        AvgPoolDivisor { count_include_pad: options.count_include_pad, divisor_override: options.divisor_override };
    if !x.is_floating_point() {
        let op = if ndim == 3 { "avg_pool3d_out_frame" } else { "avg_pool2d" };
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    let shape = with_spatial(&x.size(), &lengths);
    Means { geometry, divisor, name }.forward(x, &shape)
}

/// The means of fixed windows: a linear map and its transpose.
#[derive(Clone, Copy)]
struct Means {
    geometry: PoolGeometry,
    divisor: AvgPoolDivisor,
    name: &'static str,
}

impl Means {
    fn forward(self, x: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let out = fresh(x, shape, x.dtype())?;
        if out.numel() > 0 {
            let src = planes(&x.array(), self.geometry.ndim)?;
            AvgPool {
                src: &src,
                geometry: &self.geometry,
                divisor: self.divisor,
                out: &planes(&out, self.geometry.ndim)?,
            }
            .run()?;
        }
        Ok(record(self.name, &[x], &[Save::Tensor("self", x)], out, move |c| {
            Ok(smallvec![Some(self.transpose(&c.grad(0)?, &c.saved(0)?.size())?)])
        }))
    }

    fn transpose(self, grad: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let out = fresh(grad, shape, grad.dtype())?;
        if grad.numel() > 0 {
            let src = planes(&grad.array(), self.geometry.ndim)?;
            AvgPoolBackward {
                grad: &src,
                geometry: &self.geometry,
                divisor: self.divisor,
                out: &planes(&out, self.geometry.ndim)?,
            }
            .run()?;
        } else {
            fill(&out, Scalar::Int(0))?;
        }
        let pooled = grad.size();
        Ok(record("AvgPoolBackwardBackward0", &[grad], &[], out, move |c| {
            Ok(smallvec![Some(self.forward(&c.grad(0)?, &pooled)?)])
        }))
    }
}
