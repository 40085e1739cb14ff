//! Max pooling, its inverse, and the pair of linear maps behind their gradients: picking by index and adding by index.

use super::average::check_1d;
use super::window::{Windows, empty_dim, output_length};
use super::{fresh, planes, with_spatial};
use crate::Tensor;
use crate::error::{Error, Result};
use crate::graph::{Save, record, record_many};
use crate::ops::nn::window::{Sizes, per_dim, widened};
use crate::ops::{squeeze, to_i64, unsqueeze};
use crate::options;
use flambeau_macros::op;
use flambeau_tensor::backend::{PoolGeometry, ScatterOp};
use flambeau_tensor::calls::{MaxPool, MaxPoolBackward, PrimitiveCall};
use flambeau_tensor::ops::fill;
use flambeau_tensor::{Array, DType, Dims, Scalar};
use smallvec::{SmallVec, smallvec};

options! {
    /// Options of `F::max_pool1d`, `F::max_pool2d` and `F::max_pool3d`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    MaxPoolOptions {
        /// Whether a last window that only partly fits counts (false).
        ceil_mode: bool = false,
        /// Step between windows (the window's size).
        stride: Option<Sizes> = None,
        /// What is added on both sides; it never wins (0).
        padding: Sizes = smallvec![0],
        /// Step between elements of a window (1).
        dilation: Sizes = smallvec![1],
    }
}

options! {
    /// Options of `F::max_unpool1d`, `F::max_unpool2d` and `F::max_unpool3d`.
    #[derive(Clone, Debug, PartialEq, Eq)]
    MaxUnpoolOptions {
        /// Step between the pooling's windows (the window's size).
        stride: Option<Sizes> = None,
        /// What the pooling added on both sides (0).
        padding: Sizes = smallvec![0],
        /// The result's spatial lengths, or its whole shape (the smallest that the pooling makes its input of).
        output_size: Option<Sizes> = None,
    }
}

impl MaxPoolOptions {
    fn windows<'a>(&'a self, name: &'static str, kernel: &'a [i64]) -> Windows<'a> {
        Windows {
            name,
            volume_name: "max_pool3d_with_indices_out_cpu_template",
            average: false,
            kernel,
            stride: self.stride.as_deref(),
            padding: &self.padding,
            dilation: &self.dilation,
            ceil_mode: self.ceil_mode,
        }
    }
}

/// The largest value of each window of `[n, c, l]` or `[c, l]`, windows side by side: `F.max_pool1d`. NaN wins. Options:
/// `stride`, `padding`, `dilation`, `ceil_mode`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0, 2.0, 0.0]]);
/// assert_eq!(F::max_pool1d(&x, 2).to_vec::<f32>(), [3.0, 2.0]);
/// assert_eq!(F::max_pool1d_with(&x, 2, |o| o.stride(1)).to_vec::<f32>(), [3.0, 3.0, 2.0]);
/// ```
///
/// # Errors
/// When the windows do not fit.
#[op(torch, functional)]
pub fn max_pool1d(x: &Tensor, kernel_size: &[i64], options: &MaxPoolOptions) -> Result<Tensor> {
    check_lines(x, kernel_size, options)?;
    if !x.is_floating_point() {
        return Err(flambeau_tensor::Error::NotImplementedFor { op: "max_pool1d_impl", dtype: x.dtype() }.into());
    }
    Ok(max_lines(x, kernel_size, options)?.0)
}

/// [`max_pool1d`] and the index (int64) of each value within its line: `F.max_pool1d(…, return_indices=True)`. The first of
/// equal values wins.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0, 2.0, 0.0]]);
/// let (y, indices) = F::max_pool1d_with_indices(&x, 2, |o| o);
/// assert_eq!((y.to_vec::<f32>(), indices.to_vec::<i64>()), (vec![3.0, 2.0], vec![1, 2]));
/// ```
#[op(functional, forms(
    max_pool1d_with_indices(kernel_size: &[i64], options: MaxPoolOptions) = (kernel_size, options),
))]
pub fn max_pool1d_with_indices(x: &Tensor, kernel_size: &[i64], options: &MaxPoolOptions) -> Result<(Tensor, Tensor)> {
    let stride = options.stride.as_deref().unwrap_or(&[1]);
    let (padding, dilation) = (("padding", &options.padding[..]), ("dilation", &options.dilation[..]));
    check_1d(x, "max_pool1d", [("kernel_size", kernel_size), ("stride", stride), padding, dilation])?;
    max_lines(x, kernel_size, options)
}

/// The pooling of lines as planes of height one.
fn max_lines(x: &Tensor, kernel: &[i64], options: &MaxPoolOptions) -> Result<(Tensor, Tensor)> {
    let options = MaxPoolOptions {
        stride: options.stride.as_ref().map(|s| widened(s, 1)),
        padding: widened(&options.padding, 0),
        dilation: widened(&options.dilation, 1),
        ceil_mode: options.ceil_mode,
    };
    let (values, indices) = max_pool2d_with_indices(&unsqueeze(x, -2)?, &widened(kernel, 1), &options)?;
    Ok((squeeze(&values, Some(&[-2]))?, squeeze(&indices, Some(&[-2]))?))
}

/// What `max_pool1d` refuses before it does any work, in its own words.
fn check_lines(x: &Tensor, kernel: &[i64], options: &MaxPoolOptions) -> Result<()> {
    let shape = x.size();
    let empty = shape.iter().skip(usize::from(shape.len() == 3)).any(|&n| n == 0);
    if !matches!(shape.len(), 2 | 3) || empty {
        return Err(Error::runtime(format!(
            "max_pool1d: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:{:?}",
            &shape[..]
        )));
    }
    let one = |name: &str, kinds: &str, sizes: &[i64]| match *sizes {
        [n] => Ok(n),
        _ => Err(Error::runtime(format!("max_pool1d() {name} must be {kinds} of size 1 but got size {}", sizes.len()))),
    };
    let kernel = one("kernel_size", "an int, list of ints or tuple of ints", kernel)?;
    let stride = options.stride.as_deref();
    let stride = stride.map_or(Ok(kernel), |s| one("stride", "None, an int, list of ints, or tuple of ints", s))?;
    let padding = one("padding", "an int, list of ints, or tuple of ints", &options.padding)?;
    let dilation = one("dilation", "an int, list of ints or tuple of ints", &options.dilation)?;
    let require = |holds: bool, message: String| if holds { Ok(()) } else { Err(Error::runtime(message)) };
    let positive =
        |name: &str, n: i64| require(n > 0, format!("max_pool1d() {name} must be greater than zero, but got {n}"));
    positive("kernel_size", kernel)?;
    positive("stride", stride)?;
    require(padding >= 0, format!("max_pool1d() padding must be non-negative, but got {padding}"))?;
    let half = "max_pool1d() padding should be at most half of kernel size, but got";
    require(padding <= kernel / 2, format!("{half} padding={padding} and kernel_size={kernel}"))?;
    positive("dilation", dilation)?;
    let length = output_length(shape[shape.len() - 1], kernel, stride, padding, dilation, options.ceil_mode)?;
    require(length > 0, format!("max_pool1d() Invalid computed output size: {length}"))
}

/// [`max_pool1d`] over height and width, of `[n, c, h, w]` or `[c, h, w]`: `F.max_pool2d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 3.0], [7.0, 5.0]]]);
/// assert_eq!(F::max_pool2d(&x, 2).to_vec::<f32>(), [7.0]);
/// assert_eq!(F::max_pool2d_with(&x, [1, 2], |o| o.stride([1, 2])).to_vec::<f32>(), [3.0, 7.0]);
/// ```
#[op(torch, functional)]
pub fn max_pool2d(x: &Tensor, kernel_size: &[i64], options: &MaxPoolOptions) -> Result<Tensor> {
    Ok(max_pool2d_with_indices(x, kernel_size, options)?.0)
}

/// [`max_pool2d`] and the flat index (int64) of each value within its plane: `F.max_pool2d(…, return_indices=True)`. The first
/// of equal values wins.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 3.0], [7.0, 5.0]]]);
/// let (y, indices) = F::max_pool2d_with_indices(&x, 2, |o| o);
/// assert_eq!((y.item(), indices.to_vec::<i64>()), (7.0, vec![2]));
/// ```
#[op(functional, forms(
    max_pool2d_with_indices(kernel_size: &[i64], options: MaxPoolOptions) = (kernel_size, options),
))]
pub fn max_pool2d_with_indices(x: &Tensor, kernel_size: &[i64], options: &MaxPoolOptions) -> Result<(Tensor, Tensor)> {
    max_pool(x, options.windows("max_pool2d", kernel_size), 2, "MaxPool2DWithIndicesBackward0")
}

/// [`max_pool1d`] over depth, height and width, of `[n, c, d, h, w]` or `[c, d, h, w]`: `F.max_pool3d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::arange(8).reshape([1, 2, 2, 2]).float();
/// assert_eq!(F::max_pool3d(&x, 2).item(), 7.0);
/// ```
#[op(torch, functional, cast_cpu = Float32)]
pub fn max_pool3d(x: &Tensor, kernel_size: &[i64], options: &MaxPoolOptions) -> Result<Tensor> {
    Ok(max_pool3d_with_indices(x, kernel_size, options)?.0)
}

/// [`max_pool3d`] and the flat index (int64) of each value within its volume: `F.max_pool3d(…, return_indices=True)`. The first
/// of equal values wins.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([1.0, 9.0, 3.0, 4.0]).view([1, 1, 2, 2]);
/// let (y, indices) = F::max_pool3d_with_indices(&x, [1, 2, 2], |o| o);
/// assert_eq!((y.item(), indices.to_vec::<i64>()), (9.0, vec![1]));
/// ```
#[op(functional, forms(
    max_pool3d_with_indices(kernel_size: &[i64], options: MaxPoolOptions) = (kernel_size, options),
))]
pub fn max_pool3d_with_indices(x: &Tensor, kernel_size: &[i64], options: &MaxPoolOptions) -> Result<(Tensor, Tensor)> {
    max_pool(x, options.windows("max_pool3d", kernel_size), 3, "MaxPool3DWithIndicesBackward0")
}

fn max_pool(x: &Tensor, windows: Windows<'_>, ndim: usize, name: &'static str) -> Result<(Tensor, Tensor)> {
    let (geometry, lengths) = windows.check(x, ndim)?;
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
    Ok(record_max(name, x, values, indices, Picked::from_windows(geometry)))
}

/// Records values that were picked from `x` by index.
pub(super) fn record_max(
    name: &'static str,
    x: &Tensor,
    values: Array,
    indices: Array,
    picked: Picked,
) -> (Tensor, Tensor) {
    let saves = [Save::Tensor("self", x), Save::Array("result1", indices.clone())];
    // The adaptive ones refuse gradients without elements.
    let adaptive = match name {
        "AdaptiveMaxPool2DBackward0" => Some("adaptive_max_pool2d_backward"),
        "AdaptiveMaxPool3DBackward0" => Some("adaptive_max_pool3d_backward"),
        _ => None,
    };
    let mut outs = record_many(name, &[x], &saves, vec![values, indices], move |c| {
        let (x, indices) = (c.saved(0)?, c.saved(1)?);
        if let (Some(function), true) = (adaptive, c.has_grad(0)) {
            empty_dim(function, "grad_output", &c.grad(0)?.size(), 1)?;
        }
        let grads = c.has_grad(0).then(|| add_at(&c.grad(0)?, &indices, &x.size(), picked)).transpose()?;
        Ok(smallvec![grads])
    });
    let indices = outs.pop().expect("values and indices");
    (outs.pop().expect("values and indices"), indices)
}

/// Where indices come from: planes of how many dimensions and, if known, which windows.
#[derive(Clone, Copy)]
pub(super) struct Picked {
    pub ndim: usize,
    pub windows: Option<PoolGeometry>,
}

impl Picked {
    /// From evenly spaced windows.
    pub fn from_windows(geometry: PoolGeometry) -> Self {
        Picked { ndim: geometry.ndim, windows: Some(geometry) }
    }
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
    let saves = [Save::Array("indices", indices.array().clone())];
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
    let outer = x.dim() - ndim;
    if x.size()[outer..].contains(&0) && index.numel() > 0 {
        let first = index.to_vec::<i64>()?[0];
        return Err(Error::runtime(format!("index {first} is out of bounds for dimension {outer} with size 0")));
    }
    let out = flambeau_tensor::ops::gather(&lines(&x.array())?, 1, &lines(&index)?)?.view(&to_i64(index.shape()))?;
    let shape = x.size();
    Ok(record("GatherBackward0", &[x], &[Save::Array("index", index.clone())], out, move |c| {
        Ok(smallvec![Some(add_at(&c.grad(0)?, &c.saved(0)?, &shape, picked)?)])
    }))
}

/// Puts the values of [`max_pool1d_with_indices`] back to where they came from, zeros elsewhere: `F.max_unpool1d`. The options
/// `stride` and `padding` are those of the pooling; without `output_size` the smallest input that gives `x` is assumed.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[1.0, 3.0, 2.0, 0.0]]);
/// let (y, indices) = F::max_pool1d_with_indices(&x, 2, |o| o);
/// assert_eq!(F::max_unpool1d(&y, &indices, 2).to_vec::<f32>(), [0.0, 3.0, 2.0, 0.0]);
/// let longer = F::max_unpool1d_with(&y, &indices, 2, |o| o.output_size(5));
/// assert_eq!(longer.to_vec::<f32>(), [0.0, 3.0, 2.0, 0.0, 0.0]);
/// ```
///
/// # Errors
/// When shapes do not fit, or an index lies outside the output.
#[op(functional, cast_cpu = Float32)]
pub fn max_unpool1d(x: &Tensor, indices: &Tensor, kernel_size: &[i64], options: &MaxUnpoolOptions) -> Result<Tensor> {
    // A line is a plane of width one.
    let mut size = unpooled_size(x, kernel_size, options, 1)?;
    size.push(1);
    let out = max_unpool("MaxUnpool2DBackward0", &unsqueeze(x, -1)?, &unsqueeze(indices, -1)?, &size)?;
    squeeze(&out, Some(&[-1]))
}

/// [`max_unpool1d`] over height and width: `F.max_unpool2d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([[[1.0, 3.0], [7.0, 5.0]]]);
/// let (y, indices) = F::max_pool2d_with_indices(&x, 2, |o| o);
/// assert_eq!(F::max_unpool2d(&y, &indices, 2).to_vec::<f32>(), [0.0, 0.0, 7.0, 0.0]);
/// ```
#[op(functional, cast_cpu = Float32)]
pub fn max_unpool2d(x: &Tensor, indices: &Tensor, kernel_size: &[i64], options: &MaxUnpoolOptions) -> Result<Tensor> {
    let size = unpooled_size(x, kernel_size, options, 2)?;
    max_unpool("MaxUnpool2DBackward0", x, indices, &size)
}

/// [`max_unpool1d`] over depth, height and width: `F.max_unpool3d`.
///
/// ```
/// use torch::nn::functional as F;
/// let x = torch::tensor([1.0, 9.0, 3.0, 4.0]).view([1, 1, 2, 2]);
/// let (y, indices) = F::max_pool3d_with_indices(&x, [1, 2, 2], |o| o);
/// let back = F::max_unpool3d(&y, &indices, [1, 2, 2]);
/// assert_eq!(back.to_vec::<f32>(), [0.0, 9.0, 0.0, 0.0]);
/// ```
#[op(functional, cast_cpu = Float32)]
pub fn max_unpool3d(x: &Tensor, indices: &Tensor, kernel_size: &[i64], options: &MaxUnpoolOptions) -> Result<Tensor> {
    let size = unpooled_size(x, kernel_size, options, 3)?;
    if let Some(stride) = options.stride.as_deref().filter(|s| s.iter().any(|&n| n <= 0)) {
        let stride = per_dim(stride, 3, || format!("max_unpool3d: expected 3 numbers, but got {stride:?}"))?;
        return Err(Error::runtime(format!("strides should be greater than zero, but got stride: {stride:?}")));
    }
    max_unpool("MaxUnpool3DBackward0", x, indices, &size)
}

/// The spatial lengths of an unpooling: the smallest that pool to `x`'s, or the given ones, which must be near them.
fn unpooled_size(x: &Tensor, kernel: &[i64], options: &MaxUnpoolOptions, ndim: usize) -> Result<SmallVec<[usize; 3]>> {
    let shape = x.size();
    if shape.len() < ndim {
        return Err(wrong_unpooling(ndim, shape.len()));
    }
    let list = |sizes: &[i64]| {
        per_dim(sizes, ndim, || format!("max_unpool{ndim}d: expected {ndim} numbers, but got {sizes:?}"))
    };
    let (kernel, padding) = (list(kernel)?, list(&options.padding)?);
    let stride = options.stride.as_deref().map_or_else(|| Ok(kernel.clone()), list)?;
    let lengths = shape[shape.len() - ndim..].iter().enumerate();
    let smallest: Sizes = lengths
        .map(|(d, &n)| {
            (n as i64 - 1).saturating_mul(stride[d]).saturating_add(kernel[d]).saturating_sub(2 * padding[d])
        })
        .collect();
    let lengths = |sizes: &[i64]| match sizes.iter().position(|&n| n < 0) {
        Some(d) => Err(Error::value(format!(
            "max_unpooling: output_size must contain non-negative spatial dimensions, but got output_size[{d}]={}",
            sizes[d]
        ))),
        None => Ok(sizes.iter().map(|&n| n as usize).collect()),
    };
    let Some(size) = options.output_size.as_deref() else { return lengths(&smallest) };
    let spatial = match size.len() {
        n if n == ndim => size,
        n if n == ndim + 2 => &size[2..],
        n => {
            return Err(Error::value(format!(
                "output_size should be a sequence containing {ndim} or {} elements, but it has a length of '{n}'",
                ndim + 2
            )));
        }
    };
    for (d, &n) in spatial.iter().enumerate() {
        let (low, high) = (smallest[d] - stride[d], smallest[d] + stride[d]);
        if !(low < n && n < high) {
            return Err(Error::value(format!(
                "invalid output_size \"{spatial:?}\" (dim {d} must be between {low} and {high})"
            )));
        }
    }
    lengths(spatial)
}

fn wrong_unpooling(ndim: usize, dims: usize) -> Error {
    Error::runtime(format!(
        "Input to max_unpooling{ndim}d should be a {}d or {}d Tensor, but got a tensor with {dims} dimensions.",
        ndim + 1,
        ndim + 2
    ))
}

fn max_unpool(name: &'static str, x: &Tensor, indices: &Tensor, size: &[usize]) -> Result<Tensor> {
    if indices.dtype() != DType::I64 {
        let dtype = indices.dtype().scalar_type_name();
        return Err(Error::runtime(format!("elements in indices should be type int64 but got: {dtype}")));
    }
    let (from, ndim) = (x.size(), size.len());
    if from.len() != ndim + 1 && from.len() != ndim + 2 {
        return Err(wrong_unpooling(ndim, from.len()));
    }
    if from != indices.size() {
        return Err(Error::runtime(format!(
            "Expected shape of indices to be same as that of the input tensor ({:?}) but got indices tensor with shape: {:?}",
            &from[..],
            &indices.size()[..]
        )));
    }
    let function = if ndim == 2 { "max_unpooling2d_forward_out_cpu" } else { "max_unpooling3d_forward_out_cpu" };
    empty_dim(function, "input", &from, 1)?;
    if !x.is_floating_point() {
        let op = if ndim == 2 { "max_unpool2d" } else { "max_unpool3d" };
        return Err(flambeau_tensor::Error::NotImplementedFor { op, dtype: x.dtype() }.into());
    }
    let plane: usize = size.iter().product();
    let outside = |&i: &i64| i < 0 || i >= plane as i64;
    // PyTorch looks at all and names the last; without a place to put them it looks at none.
    let bad = if plane == 0 { None } else { indices.to_vec::<i64>().into_iter().rfind(outside) };
    if let Some(bad) = bad {
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
    if plane > 0 {
        let (index, values) = (lines(&indices.array(), per_plane)?, lines(&x.array(), per_plane)?);
        flambeau_tensor::ops::scatter(ScatterOp::Set, 1, &index, &values, &lines(&out, plane)?)?;
    }
    Ok(record(name, &[x], &[Save::Array("indices", indices.array().clone())], out, move |c| {
        Ok(smallvec![Some(pick_at(&c.grad(0)?, &c.saved(0)?, Picked { ndim, windows: None })?)])
    }))
}
