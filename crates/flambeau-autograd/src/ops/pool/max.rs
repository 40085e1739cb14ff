//! Max pooling, its inverse, and the pair of linear maps behind their gradients: picking by index and adding by index.

use super::window::{Windows, output_length};
use super::{fresh, planes, with_spatial};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record, record_many};
use crate::ops::window::Sizes;
use crate::ops::{IntoDims, squeeze, to_i64, unsqueeze};
use flambeau_tensor::backend::{PoolGeometry, ScatterOp};
use flambeau_tensor::calls::{Call, MaxPool, MaxPoolBackward};
use flambeau_tensor::ops::fill;
use flambeau_tensor::{Array, DType, Dims, Scalar};
use smallvec::{SmallVec, smallvec};

/// Keyword arguments of `F.max_pool1d`, `F.max_pool2d` and `F.max_pool3d`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxPoolOptions {
    /// Step between windows; `None` stands for the window's size.
    pub stride: Option<Sizes>,
    /// What is added on both sides; it never wins.
    pub padding: Sizes,
    /// Step between elements of a window.
    pub dilation: Sizes,
    /// Whether a last window that only partly fits counts.
    pub ceil_mode: bool,
}

impl Default for MaxPoolOptions {
    fn default() -> Self {
        MaxPoolOptions { stride: None, padding: smallvec![0], dilation: smallvec![1], ceil_mode: false }
    }
}

impl MaxPoolOptions {
    /// Step between windows; the window's size by default.
    #[must_use]
    pub fn stride(mut self, stride: impl IntoDims) -> Self {
        self.stride = Some(stride.into_dims()).filter(|s| !s.is_empty());
        self
    }

    /// What is added on both sides; 0 by default.
    #[must_use]
    pub fn padding(mut self, padding: impl IntoDims) -> Self {
        self.padding = padding.into_dims();
        self
    }

    /// Step between elements of a window; 1 by default.
    #[must_use]
    pub fn dilation(mut self, dilation: impl IntoDims) -> Self {
        self.dilation = dilation.into_dims();
        self
    }

    /// Whether a last window that only partly fits counts; false by default.
    #[must_use]
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.ceil_mode = ceil_mode;
        self
    }

    fn windows<'a>(&'a self, name: &'static str, kernel: &'a [i64]) -> Windows<'a> {
        Windows {
            name,
            kernel,
            stride: self.stride.as_deref(),
            padding: &self.padding,
            dilation: &self.dilation,
            ceil_mode: self.ceil_mode,
        }
    }
}

/// The largest value of each window of `[n, c, l]` or `[c, l]` and its index within its line: `F.max_pool1d`. NaN wins.
pub fn max_pool1d(x: &Tensor, kernel: &[i64], options: &MaxPoolOptions) -> Result<(Tensor, Tensor)> {
    check_1d(x, kernel, options)?;
    let wide = |sizes: &[i64], fill: i64| -> Sizes { std::iter::once(fill).chain(sizes.iter().copied()).collect() };
    let options = MaxPoolOptions {
        stride: options.stride.as_ref().map(|s| wide(s, 1)),
        padding: wide(&options.padding, 0),
        dilation: wide(&options.dilation, 1),
        ceil_mode: options.ceil_mode,
    };
    let (values, indices) = max_pool2d(&unsqueeze(x, -2)?, &wide(kernel, 1), &options)?;
    Ok((squeeze(&values, Some(&[-2]))?, squeeze(&indices, Some(&[-2]))?))
}

/// What `max_pool1d` says in other words than the pooling of planes that does its work.
fn check_1d(x: &Tensor, kernel: &[i64], options: &MaxPoolOptions) -> Result<()> {
    let shape = x.size();
    let empty = shape.iter().skip(usize::from(shape.len() == 3)).any(|&n| n == 0);
    if !matches!(shape.len(), 2 | 3) || empty {
        return Err(Error::runtime(format!(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:{:?}",
            &shape[..]
        )));
    }
    let one = |name: &str, sizes: &[i64]| match *sizes {
        [n] => Ok(n),
        _ => Err(Error::runtime(format!(
            "max_pool1d() {name} must be an int, list of ints or tuple of ints of size 1 but got size {}",
            sizes.len()
        ))),
    };
    let positive = |name: &str, n: i64| match n > 0 {
        true => Ok(n),
        false => Err(Error::runtime(format!("max_pool1d() {name} must be greater than zero, but got {n}"))),
    };
    let kernel = positive("kernel_size", one("kernel_size", kernel)?)?;
    let stride = options.stride.as_deref().map_or(Ok(kernel), |s| one("stride", s))?;
    let stride = positive("stride", stride)?;
    let (padding, dilation) = (one("padding", &options.padding)?, one("dilation", &options.dilation)?);
    positive("dilation", dilation)?;
    let length = output_length(shape[shape.len() - 1], kernel, stride, padding, dilation, options.ceil_mode)?;
    match length > 0 {
        true => Ok(()),
        false => Err(Error::runtime(format!("max_pool1d() Invalid computed output size: {length}"))),
    }
}

/// The largest value of each window of `[n, c, h, w]` or `[c, h, w]` and its flat index (i64) within its plane:
/// `F.max_pool2d`. The first of equal values wins; NaN wins.
pub fn max_pool2d(x: &Tensor, kernel: &[i64], options: &MaxPoolOptions) -> Result<(Tensor, Tensor)> {
    max_pool(x, options.windows("max_pool2d", kernel), 2, "MaxPool2DWithIndicesBackward0")
}

/// [`max_pool2d`] over depth, height and width: `F.max_pool3d`.
pub fn max_pool3d(x: &Tensor, kernel: &[i64], options: &MaxPoolOptions) -> Result<(Tensor, Tensor)> {
    max_pool(x, options.windows("max_pool3d", kernel), 3, "MaxPool3DWithIndicesBackward0")
}

fn max_pool(x: &Tensor, windows: Windows<'_>, ndim: usize, name: &'static str) -> Result<(Tensor, Tensor)> {
    let (geometry, lengths) = windows.check(x, ndim, false)?;
    if x.dtype() == DType::Bool {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: windows.name, dtype: DType::Bool }.into());
    }
    let shape = with_spatial(&x.size(), &lengths);
    let (values, indices) = (fresh(x, &shape, x.dtype())?, fresh(x, &shape, DType::I64)?);
    if values.numel() > 0 {
        let src = planes(&x.array(), ndim)?;
        MaxPool { src: &src, geometry: &geometry, out: &planes(&values, ndim)?, indices: &planes(&indices, ndim)? }
            .run()?;
    }
    Ok(record_max(name, x, values, indices, geometry))
}

/// Records values that were picked from `x` by index, from the windows of `geometry`.
pub(super) fn record_max(
    name: &'static str,
    x: &Tensor,
    values: Array,
    indices: Array,
    geometry: PoolGeometry,
) -> (Tensor, Tensor) {
    let saves = [Save::Tensor(x), Save::Array(indices.clone())];
    let picked = Picked { ndim: geometry.ndim, windows: Some(geometry) };
    let mut outs = record_many(name, &[x], &saves, vec![values, indices], move |c| {
        let (x, indices) = (c.saved(0)?, c.saved(1)?);
        let grads = c.has_grad(0).then(|| add_at(&c.grad(0)?, &indices, &x.size(), picked)).transpose()?;
        Ok(smallvec![grads])
    });
    let indices = outs.pop().expect("values and indices");
    (outs.pop().expect("values and indices"), indices)
}

/// Where indices come from: planes of how many dimensions and, if known, which windows.
#[derive(Clone, Copy)]
struct Picked {
    ndim: usize,
    windows: Option<PoolGeometry>,
}

/// Zeros of `shape` with each element of `x` added at the flat index within its plane: the gradient of max pooling.
fn add_at(x: &Tensor, indices: &Tensor, shape: &[usize], picked: Picked) -> Result<Tensor> {
    let out = fresh(x, shape, x.dtype())?;
    let lines = |a: &Array| planes(a, picked.ndim);
    let target = lines(&out)?;
    match x.numel() {
        0 => fill(&out, Scalar::Int(0))?,
        _ => {
            let (grad, found) = (lines(&x.array())?, lines(&indices.array())?);
            MaxPoolBackward { grad: &grad, indices: &found, windows: picked.windows.as_ref(), out: &target }.run()?;
        }
    }
    let indices = indices.clone();
    let saves = [Save::Array(indices.array().clone())];
    Ok(record("MaxPoolBackwardBackward0", &[x], &saves, out, move |c| {
        Ok(smallvec![Some(pick_at(&c.grad(0)?, &c.saved(0)?, picked)?)])
    }))
}

/// The elements of `x` at the flat indices within each plane.
fn pick_at(x: &Tensor, indices: &Tensor, picked: Picked) -> Result<Tensor> {
    let ndim = picked.ndim;
    let lines = |a: &Array| -> Result<Array> {
        let outer: usize = a.shape()[..a.ndim() - ndim].iter().product();
        let inner: usize = a.shape()[a.ndim() - ndim..].iter().product();
        Ok(a.contiguous()?.view(&[outer as i64, inner as i64])?)
    };
    let index = indices.array();
    let out = flambeau_tensor::ops::gather(&lines(&x.array())?, 1, &lines(&index)?)?.view(&to_i64(index.shape()))?;
    let shape = x.size();
    Ok(record("GatherBackward0", &[x], &[Save::Array(index.clone())], out, move |c| {
        Ok(smallvec![Some(add_at(&c.grad(0)?, &c.saved(0)?, &shape, picked)?)])
    }))
}

/// Puts the values of a [`max_pool1d`] back to where they came from, zeros elsewhere: `F.max_unpool1d`. Without
/// `output_size` the smallest input that gives `x` is assumed.
pub fn max_unpool1d(
    x: &Tensor,
    indices: &Tensor,
    kernel: &[i64],
    options: &MaxPoolOptions,
    output_size: Option<&[usize]>,
) -> Result<Tensor> {
    let size = unpooled_size(x, kernel, options, output_size, 1)?;
    let size: SmallVec<[usize; 3]> = smallvec![1, size[0]];
    let out = max_unpool("MaxUnpool2DBackward0", &unsqueeze(x, -2)?, &unsqueeze(indices, -2)?, &size)?;
    squeeze(&out, Some(&[-2]))
}

/// [`max_unpool1d`] over height and width: `F.max_unpool2d`.
pub fn max_unpool2d(
    x: &Tensor,
    indices: &Tensor,
    kernel: &[i64],
    options: &MaxPoolOptions,
    output_size: Option<&[usize]>,
) -> Result<Tensor> {
    let size = unpooled_size(x, kernel, options, output_size, 2)?;
    max_unpool("MaxUnpool2DBackward0", x, indices, &size)
}

/// [`max_unpool1d`] over depth, height and width: `F.max_unpool3d`.
pub fn max_unpool3d(
    x: &Tensor,
    indices: &Tensor,
    kernel: &[i64],
    options: &MaxPoolOptions,
    output_size: Option<&[usize]>,
) -> Result<Tensor> {
    let size = unpooled_size(x, kernel, options, output_size, 3)?;
    max_unpool("MaxUnpool3DBackward0", x, indices, &size)
}

fn unpooled_size(
    x: &Tensor,
    kernel: &[i64],
    options: &MaxPoolOptions,
    output_size: Option<&[usize]>,
    ndim: usize,
) -> Result<SmallVec<[usize; 3]>> {
    use crate::ops::window::per_dim;
    let shape = x.size();
    if shape.len() != ndim + 1 && shape.len() != ndim + 2 {
        return Err(Error::runtime(format!(
            "Input to max_unpooling{ndim}d should be a {}d or {}d Tensor, but got a tensor with dim = {}",
            ndim + 1,
            ndim + 2,
            shape.len()
        )));
    }
    if let Some(size) = output_size {
        let spatial = &size[size.len().saturating_sub(ndim)..];
        return match spatial.len() == ndim {
            true => Ok(spatial.into()),
            false => Err(Error::value(format!(
                "output_size should be a sequence containing {ndim} or {} elements, but it has a length of '{}'",
                ndim + 2,
                size.len()
            ))),
        };
    }
    let list = |sizes: &[i64]| {
        per_dim(sizes, ndim, || format!("max_unpool{ndim}d: expected {ndim} numbers, but got {sizes:?}"))
    };
    let (kernel, padding) = (list(kernel)?, list(&options.padding)?);
    let stride = options.stride.as_deref().map_or_else(|| Ok(kernel.clone()), list)?;
    let lengths = shape[shape.len() - ndim..].iter().enumerate();
    Ok(lengths.map(|(d, &n)| ((n as i64 - 1) * stride[d] + kernel[d] - 2 * padding[d]).max(0) as usize).collect())
}

fn max_unpool(name: &'static str, x: &Tensor, indices: &Tensor, size: &[usize]) -> Result<Tensor> {
    if x.size() != indices.size() {
        return Err(Error::runtime(format!(
            "Expected shape of indices to be same as that of the input tensor ({:?}) but got indices tensor with shape: {:?}",
            &x.size()[..],
            &indices.size()[..]
        )));
    }
    let ndim = size.len();
    let plane: usize = size.iter().product();
    if let Some(bad) = indices.to_vec::<i64>().into_iter().find(|&i| i < 0 || i >= plane as i64) {
        let lengths: Vec<String> = size.iter().map(usize::to_string).collect();
        return Err(Error::runtime(format!(
            "Found an invalid max index: {bad} (output volumes are of size {}",
            lengths.join("x") + ")"
        )));
    }
    let shape: Dims = with_spatial(&x.size(), size);
    let outer: usize = shape[..shape.len() - ndim].iter().product();
    let out = fresh(x, &shape, x.dtype())?;
    fill(&out, Scalar::Int(0))?;
    let lines = |a: &Array, n: usize| Ok::<_, Error>(a.contiguous()?.view(&[outer as i64, n as i64])?);
    let per_plane: usize = x.size()[shape.len() - ndim..].iter().product();
    let index = lines(&indices.array(), per_plane)?;
    flambeau_tensor::ops::scatter(ScatterOp::Set, 1, &index, &lines(&x.array(), per_plane)?, &lines(&out, plane)?)?;
    Ok(record(name, &[x], &[Save::Array(indices.array().clone())], out, move |c| {
        Ok(smallvec![Some(pick_at(&c.grad(0)?, &c.saved(0)?, Picked { ndim, windows: None })?)])
    }))
}
