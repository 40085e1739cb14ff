//! Average pooling.

use super::window::Windows;
use super::{fresh, planes, with_spatial};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record};
use crate::ops::nn::window::Sizes;
use crate::ops::{IntoDims, squeeze, to_dtype, trunc, unsqueeze};
use flambeau_tensor::backend::{AvgPoolDivisor, PoolGeometry};
use flambeau_tensor::calls::{AvgPool, AvgPoolBackward, Call};
use flambeau_tensor::ops::fill;
use flambeau_tensor::{DType, Scalar};
use smallvec::smallvec;

/// Keyword arguments of `F.avg_pool1d`, `F.avg_pool2d` and `F.avg_pool3d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvgPoolOptions {
    /// Step between windows; `None` stands for the window's size.
    pub stride: Option<Sizes>,
    /// Zeros on both sides.
    pub padding: Sizes,
    /// Whether a last window that only partly fits counts.
    pub ceil_mode: bool,
    /// Whether padded zeros count in the mean.
    pub count_include_pad: bool,
    /// A divisor in place of the window's size (two and three dimensions).
    pub divisor_override: Option<i64>,
}

impl Default for AvgPoolOptions {
    fn default() -> Self {
        AvgPoolOptions {
            stride: None,
            padding: smallvec![0],
            ceil_mode: false,
            count_include_pad: true,
            divisor_override: None,
        }
    }
}

impl AvgPoolOptions {
    /// Step between windows; the window's size by default.
    #[must_use]
    pub fn stride(mut self, stride: impl IntoDims) -> Self {
        self.stride = Some(stride.into_dims()).filter(|s| !s.is_empty());
        self
    }

    /// Zeros on both sides; 0 by default.
    #[must_use]
    pub fn padding(mut self, padding: impl IntoDims) -> Self {
        self.padding = padding.into_dims();
        self
    }

    /// Whether a last window that only partly fits counts; false by default.
    #[must_use]
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.ceil_mode = ceil_mode;
        self
    }

    /// Whether padded zeros count; true by default.
    #[must_use]
    pub fn count_include_pad(mut self, count_include_pad: bool) -> Self {
        self.count_include_pad = count_include_pad;
        self
    }

    /// A divisor in place of the window's size; none by default.
    #[must_use]
    pub fn divisor_override(mut self, divisor: impl Into<Option<i64>>) -> Self {
        self.divisor_override = divisor.into();
        self
    }
}

/// The mean of each window of `[n, c, l]` or `[c, l]`: `F.avg_pool1d`.
pub fn avg_pool1d(x: &Tensor, kernel: &[i64], options: &AvgPoolOptions) -> Result<Tensor> {
    check_dims_1d(x, "avg_pool1d")?;
    one_int("avg_pool1d", "kernel_size", Some(kernel))?;
    one_int("avg_pool1d", "stride", options.stride.as_deref())?;
    one_int("avg_pool1d", "padding", Some(&options.padding))?;
    let wide = |sizes: &[i64], fill: i64| -> Sizes { std::iter::once(fill).chain(sizes.iter().copied()).collect() };
    let options = AvgPoolOptions {
        stride: options.stride.as_ref().map(|s| wide(s, 1)),
        padding: wide(&options.padding, 0),
        ..options.clone()
    };
    squeeze(&avg_pool2d(&unsqueeze(x, -2)?, &wide(kernel, 1), &options)?, Some(&[-2]))
}

/// Refuses a list of another length than one.
pub(super) fn one_int<T>(function: &str, argument: &str, list: Option<&[T]>) -> Result<()> {
    match list {
        Some(list) if list.len() != 1 => Err(Error::runtime(format!(
            "{function}() argument '{argument}' should contain one int (got {})",
            list.len()
        ))),
        _ => Ok(()),
    }
}

pub(super) fn check_dims_1d(x: &Tensor, name: &str) -> Result<()> {
    match x.dim() {
        2 | 3 => Ok(()),
        n => Err(Error::runtime(format!(
            "Expected 2 to 3 dimensions, but got {n}-dimensional tensor for argument #1 'self' (while checking arguments for \
             {name})"
        ))),
    }
}

/// The mean of each window of `[n, c, h, w]` or `[c, h, w]`: `F.avg_pool2d`.
pub fn avg_pool2d(x: &Tensor, kernel: &[i64], options: &AvgPoolOptions) -> Result<Tensor> {
    avg_pool(x, kernel, options, 2, "avg_pool2d", "AvgPool2DBackward0")
}

/// The mean of each window of `[n, c, d, h, w]` or `[c, d, h, w]`: `F.avg_pool3d`.
pub fn avg_pool3d(x: &Tensor, kernel: &[i64], options: &AvgPoolOptions) -> Result<Tensor> {
    avg_pool(x, kernel, options, 3, "avg_pool3d", "AvgPool3DBackward0")
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
        Ok(record(self.name, &[x], &[Save::Tensor(x)], out, move |c| {
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
