//! Copies, conversions and fills.

use crate::error::{Error, Result};
use crate::graph::{Grads, record};
use crate::ops::{Arrays, as_strided, view, zeros};
use crate::{OrPanic, Tensor, views};
use flambeau_macros::op;
use flambeau_tensor::{Array, DType, Device, Scalar};
use smallvec::smallvec;

/// Fresh memory; what it holds is unspecified.
pub(crate) fn empty(shape: &[usize], dtype: DType, device: Device) -> Result<Array> {
    Ok(Array::empty(flambeau_device::backend(device)?, device, shape, dtype)?)
}

/// Fresh memory in an array's shape, dtype and order of dimensions: `torch.empty_like`.
pub(crate) fn empty_like(array: &Array) -> Result<Array> {
    empty_as(array, array.dtype(), array.device())
}

/// Fresh memory in an array's shape and order of dimensions.
pub(crate) fn empty_as(array: &Array, dtype: DType, device: Device) -> Result<Array> {
    let strides = flambeau_tensor::ops::preserved_strides(array);
    let backend = if device == array.device() { array.backend() } else { flambeau_device::backend(device)? };
    Ok(Array::empty_strided(backend, device, array.shape(), &strides, dtype)?)
}

/// A copy with memory of its own that keeps the order of dimensions; gradients flow through it: `torch.clone`, and what
/// Rust's [`Clone`] does; [`Tensor::shallow_clone`] is another handle of the same tensor.
///
/// ```
/// let x = torch::tensor([1.0, 2.0]);
/// let (copy, other) = (x.clone(), torch::clone(&x));
/// x.zero_();
/// assert_eq!(copy.to_vec::<f32>(), [1.0, 2.0]);
/// assert!(copy.equal(&other));
/// ```
#[op(torch, method)]
pub fn clone(input: &Tensor) -> Result<Tensor> {
    let array = input.array();
    let out = empty_like(&array)?;
    flambeau_tensor::ops::copy_into(&array, &out)?;
    Ok(record("CloneBackward0", &[input], &[], out, |c| Ok(smallvec![Some(c.grad(0)?)])))
}

/// The tensor in another dtype or on another device; itself where nothing changes: `x.to(target)`. The target is a dtype
/// (`torch::float64`), a device or its name (`"cpu"`), or a tensor whose dtype and device are taken. `float`, `double`, `half`,
/// `bfloat16`, `long`, `int` and `bool` name their dtype. Gradients come back in the own dtype and device.
///
/// # Errors
/// When there is no such device.
///
/// ```
/// let x = torch::tensor([1.7, -2.0, 0.0]);
/// assert_eq!(x.to(torch::int64).to_vec::<i64>(), [1, -2, 0]);
/// assert_eq!(x.double().dtype(), torch::float64);
/// assert_eq!(x.bool().to_vec::<bool>(), [true, true, false]);
/// ```
#[op(method, forms(
    to(target: impl ToTarget) = (target),
    float() = (DType::F32),
    double() = (DType::F64),
    half() = (DType::F16),
    bfloat16() = (DType::BF16),
    long() = (DType::I64),
    int() = (DType::I32),
    bool() = (DType::Bool),
))]
pub fn to(x: &Tensor, target: impl ToTarget) -> Result<Tensor> {
    target.convert(x)
}

/// The tensor in another dtype, itself if it has that dtype: `x.to(dtype)`.
pub fn to_dtype(x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.shallow_clone());
    }
    let from = x.dtype();
    let out = x.array().to_dtype(dtype)?;
    if !dtype.is_floating_point() {
        return Ok(out.into());
    }
    Ok(record("ToCopyBackward0", &[x], &[], out, move |c| Ok(smallvec![Some(to_dtype(&c.grad(0)?, from)?)])))
}

/// The tensor on another device, itself if it lies there: `x.to(device)`.
pub fn to_device(x: &Tensor, device: Device) -> Result<Tensor> {
    let from = x.device();
    if from == device {
        return Ok(x.shallow_clone());
    }
    let array = x.array();
    let out = empty(array.shape(), array.dtype(), device)?;
    flambeau_tensor::ops::copy_into(&array, &out)?;
    Ok(record("ToCopyBackward0", &[x], &[], out, move |c| Ok(smallvec![Some(to_device(&c.grad(0)?, from)?)])))
}

/// The tensor in row-major order of memory: itself where it is, else a copy: `x.contiguous()`.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]).t();
/// assert!(!x.is_contiguous());
/// assert!(x.contiguous().is_contiguous());
/// ```
#[op(method)]
pub fn contiguous(x: &Tensor) -> Result<Tensor> {
    if x.is_contiguous() {
        return Ok(x.shallow_clone());
    }
    contiguous_copy(x)
}

/// A row-major copy: `x.clone(memory_format=torch.contiguous_format)`.
pub(crate) fn contiguous_copy(x: &Tensor) -> Result<Tensor> {
    let out = x.array().copy()?;
    Ok(record("CloneBackward0", &[x], &[], out, |c| Ok(smallvec![Some(c.grad(0)?)])))
}

/// Copies `src`, broadcast to the tensor's shape and converted to its dtype, into the tensor, which is returned:
/// `x.copy_(src)`. Gradients flow to `src`.
///
/// # Errors
/// When `src` does not broadcast to the tensor's shape.
///
/// ```
/// let x = torch::zeros([2, 2]);
/// x.copy_(&torch::tensor([1, 2]));
/// assert_eq!(x.to_vec::<f32>(), [1.0, 2.0, 1.0, 2.0]);
/// ```
#[op(method)]
#[track_caller]
pub fn copy_(x: &Tensor, src: &Tensor) -> Result<Tensor> {
    let arrays = Arrays::of(&[x, src]);
    let refs = arrays.refs();
    let write = || Ok(flambeau_tensor::ops::copy_into(refs[1], refs[0])?);
    let (shape, device) = (src.size(), src.device());
    views::in_place("CopyBackwards", x, &[src], &[], write, move |c| {
        let grad = c.grad(0)?;
        let zeros = c.needs(0).then(|| zeros(&grad.size(), grad.dtype(), grad.device())).transpose()?;
        let source = c.needs(1).then(|| to_device(&view::sum_to_size(&grad, &shape)?, device)).transpose()?;
        Ok(smallvec![zeros, source])
    })?;
    Ok(x.shallow_clone())
}

/// A new tensor with one value everywhere, in the shape, dtype and order of dimensions of `input`, whose gradient is zero:
/// `torch.fill`.
///
/// # Errors
/// When the dtype does not hold the value.
///
/// ```
/// let x = torch::tensor([1.0, 2.0]);
/// assert_eq!(torch::fill(&x, 5).to_vec::<f32>(), [5.0, 5.0]);
/// ```
#[op(torch, fills)]
pub fn fill(input: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    let out = empty_like(&input.array())?;
    flambeau_tensor::ops::fill(&out, value.into())?;
    Ok(record("FillBackward0", &[input], &[], out, |c| {
        let grad = c.grad(0)?;
        Ok(smallvec![Some(zeros(&grad.size(), grad.dtype(), grad.device())?)])
    }))
}

/// Writes one value everywhere and returns the tensor: `x.fill_(value)`.
///
/// # Errors
/// When the dtype does not hold the value.
///
/// ```
/// let x = torch::zeros([2]);
/// assert_eq!(x.fill_(0.5).to_vec::<f32>(), [0.5, 0.5]);
/// ```
#[op(torch, method, fills)]
#[track_caller]
pub fn fill_(x: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    fill_named("FillBackward2", x, value.into())
}

/// Writes zeros everywhere and returns the tensor: `x.zero_()`.
///
/// ```
/// let x = torch::ones([2]);
/// x.zero_();
/// assert_eq!(x.to_vec::<f32>(), [0.0, 0.0]);
/// ```
#[op(torch, method)]
#[track_caller]
pub fn zero_(x: &Tensor) -> Result<Tensor> {
    fill_named("ZeroBackward0", x, Scalar::Int(0))
}

/// Writes a number on the main diagonal and returns the tensor: `x.fill_diagonal_(value)`. Of more than two dimensions, which must
/// be equally long, the elements i, i, i, … are written. `fill_diagonal_wrap_` is PyTorch's `wrap`: in a matrix higher than
/// wide the diagonal starts anew below its end, with one row between.
///
/// # Errors
/// For less than two dimensions, and for more than two of different lengths.
///
/// ```
/// let x = torch::zeros([2, 3]);
/// assert_eq!(x.fill_diagonal_(5).to_vec::<f32>(), [5.0, 0.0, 0.0, 0.0, 5.0, 0.0]);
/// let tall = torch::zeros([4, 1]);
/// assert_eq!(tall.fill_diagonal_wrap_(1, true).to_vec::<f32>(), [1.0, 0.0, 1.0, 0.0]);
/// ```
#[op(method, forms(
    fill_diagonal_(fill_value: Scalar) = (fill_value, false),
    fill_diagonal_wrap_(fill_value: Scalar, wrap: bool) = (fill_value, wrap),
))]
#[track_caller]
pub fn fill_diagonal_(x: &Tensor, fill_value: Scalar, wrap: bool) -> Result<Tensor> {
    let (size, strides, offset) = (x.size(), x.stride(), x.storage_offset());
    if size.len() < 2 {
        return Err(Error::runtime("dimensions must larger than 1"));
    }
    if size.len() > 2 && size.iter().any(|&n| n != size[0]) {
        return Err(Error::runtime("all dimensions of input must be of equal length"));
    }
    let (height, width) = (size[0], size[1]);
    let step = [strides.iter().sum::<usize>()];
    let length = height.min(width);
    fill_(&as_strided(x, &[length], &step, offset)?, fill_value)?;
    if wrap && size.len() == 2 && height > width + 1 {
        let rest = x.numel().div_ceil(width + 1) - length;
        fill_(&as_strided(x, &[rest], &step, offset + strides[0] * (width + 1))?, fill_value)?;
    }
    Ok(x.shallow_clone())
}

#[track_caller]
fn fill_named(name: &'static str, target: &Tensor, value: Scalar) -> Result<Tensor> {
    let write = || Ok(flambeau_tensor::ops::fill(&target.array(), value)?);
    views::in_place(name, target, &[], &[], write, |c| {
        let grad = c.grad(0)?;
        let grads: Grads = smallvec![Some(zeros(&grad.size(), grad.dtype(), grad.device())?)];
        Ok(grads)
    })?;
    Ok(target.shallow_clone())
}

/// What [`Tensor::to`] accepts: a dtype, a device, a device's name, or another tensor.
pub trait ToTarget {
    /// Converts `x`.
    fn convert(&self, x: &Tensor) -> Result<Tensor>;
}

impl ToTarget for DType {
    fn convert(&self, x: &Tensor) -> Result<Tensor> {
        to_dtype(x, *self)
    }
}

impl ToTarget for Device {
    fn convert(&self, x: &Tensor) -> Result<Tensor> {
        to_device(x, *self)
    }
}

impl ToTarget for &str {
    fn convert(&self, x: &Tensor) -> Result<Tensor> {
        to_device(x, self.parse::<Device>()?)
    }
}

impl ToTarget for (Device, DType) {
    fn convert(&self, x: &Tensor) -> Result<Tensor> {
        to_dtype(&to_device(x, self.0)?, self.1)
    }
}

impl ToTarget for &Tensor {
    fn convert(&self, x: &Tensor) -> Result<Tensor> {
        to_dtype(&to_device(x, self.device())?, self.dtype())
    }
}

impl Clone for Tensor {
    /// [`torch::clone`](crate::ops::clone): a copy with memory of its own, through which gradients flow.
    #[track_caller]
    fn clone(&self) -> Tensor {
        clone(self).or_panic()
    }
}
