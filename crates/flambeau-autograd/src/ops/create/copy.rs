//! Copies, conversions and fills.

use crate::error::Result;
use crate::graph::{Grads, record};
use crate::ops::{Arrays, view};
use crate::{OrPanic, Tensor, views};
use flambeau_tensor::{Array, DType, Device, Scalar};
use smallvec::smallvec;

/// Fresh memory; what it holds is unspecified.
pub(crate) fn empty(shape: &[usize], dtype: DType, device: Device) -> Result<Array> {
    Ok(Array::empty(flambeau_device::backend(device)?, device, shape, dtype)?)
}

/// Fresh memory in an array's shape, dtype and order of dimensions: `torch.empty_like`.
pub(crate) fn empty_like(array: &Array) -> Result<Array> {
    let strides = flambeau_tensor::ops::preserved_strides(array);
    Ok(Array::empty_strided(array.backend(), array.device(), array.shape(), &strides, array.dtype())?)
}

/// A tensor filled with one value, in another's shape, dtype and order of dimensions: `torch.full_like`.
///
/// # Errors
/// When the dtype does not hold the value.
pub fn full_like(x: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    let out = empty_like(&x.array())?;
    flambeau_tensor::ops::fill(&out, value.into())?;
    Ok(out.into())
}

/// A tensor filled with one value: `torch.full`.
///
/// # Errors
/// When the dtype does not hold the value.
pub fn full(shape: &[usize], value: impl Into<Scalar>, dtype: DType, device: Device) -> Result<Tensor> {
    let out = empty(shape, dtype, device)?;
    flambeau_tensor::ops::fill(&out, value.into())?;
    Ok(out.into())
}

/// A tensor of zeros: `torch.zeros`.
pub fn zeros(shape: &[usize], dtype: DType, device: Device) -> Result<Tensor> {
    full(shape, 0, dtype, device)
}

/// A tensor of ones: `torch.ones`.
pub fn ones(shape: &[usize], dtype: DType, device: Device) -> Result<Tensor> {
    full(shape, 1, dtype, device)
}

/// A copy that keeps the order of dimensions: `torch.clone`.
pub fn clone(x: &Tensor) -> Result<Tensor> {
    let array = x.array();
    let out = empty_like(&array)?;
    flambeau_tensor::ops::copy_into(&array, &out)?;
    Ok(record("CloneBackward0", &[x], &[], out, |c| Ok(smallvec![Some(c.grad(0)?)])))
}

/// The tensor in another dtype, itself if it has that dtype: `x.to(dtype)`.
pub fn to_dtype(x: &Tensor, dtype: DType) -> Result<Tensor> {
    if x.dtype() == dtype {
        return Ok(x.clone());
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
        return Ok(x.clone());
    }
    let array = x.array();
    let out = empty(array.shape(), array.dtype(), device)?;
    flambeau_tensor::ops::copy_into(&array, &out)?;
    Ok(record("ToCopyBackward0", &[x], &[], out, move |c| Ok(smallvec![Some(to_device(&c.grad(0)?, from)?)])))
}

/// The tensor in row-major order, itself if it is: `x.contiguous()`.
pub fn contiguous(x: &Tensor) -> Result<Tensor> {
    if x.is_contiguous() {
        return Ok(x.clone());
    }
    contiguous_copy(x)
}

/// A row-major copy: `x.clone(memory_format=torch.contiguous_format)`.
pub(crate) fn contiguous_copy(x: &Tensor) -> Result<Tensor> {
    let out = x.array().copy()?;
    Ok(record("CloneBackward0", &[x], &[], out, |c| Ok(smallvec![Some(c.grad(0)?)])))
}

/// Copies `source`, broadcast and converted, into `target`: `target.copy_(source)`.
#[track_caller]
pub fn copy_(target: &Tensor, source: &Tensor) -> Result<Tensor> {
    let arrays = Arrays::of(&[target, source]);
    let refs = arrays.refs();
    let write = || Ok(flambeau_tensor::ops::copy_into(refs[1], refs[0])?);
    let (shape, device) = (source.size(), source.device());
    views::in_place("CopyBackwards", target, &[source], &[], write, move |c| {
        let grad = c.grad(0)?;
        let zeros = c.needs(0).then(|| zeros(&grad.size(), grad.dtype(), grad.device())).transpose()?;
        let source = c.needs(1).then(|| to_device(&view::sum_to_size(&grad, &shape)?, device)).transpose()?;
        Ok(smallvec![zeros, source])
    })?;
    Ok(target.clone())
}

/// One value everywhere, in the shape, dtype and order of dimensions of `x`: `torch.fill`. Its gradient is zero.
pub fn fill(x: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    let array = x.array();
    let strides = flambeau_tensor::ops::preserved_strides(&array);
    let out = Array::empty_strided(array.backend(), array.device(), array.shape(), &strides, array.dtype())?;
    flambeau_tensor::ops::fill(&out, value.into())?;
    Ok(record("FillBackward0", &[x], &[], out, |c| {
        let grad = c.grad(0)?;
        Ok(smallvec![Some(zeros(&grad.size(), grad.dtype(), grad.device())?)])
    }))
}

/// Writes one value everywhere: `target.fill_(value)`.
#[track_caller]
pub fn fill_(target: &Tensor, value: impl Into<Scalar>) -> Result<Tensor> {
    fill_named("FillBackward2", target, value.into())
}

/// Writes zeros: `target.zero_()`.
#[track_caller]
pub fn zero_(target: &Tensor) -> Result<Tensor> {
    fill_named("ZeroBackward0", target, Scalar::Int(0))
}

#[track_caller]
fn fill_named(name: &'static str, target: &Tensor, value: Scalar) -> Result<Tensor> {
    let write = || Ok(flambeau_tensor::ops::fill(&target.array(), value)?);
    views::in_place(name, target, &[], &[], write, |c| {
        let grad = c.grad(0)?;
        let grads: Grads = smallvec![Some(zeros(&grad.size(), grad.dtype(), grad.device())?)];
        Ok(grads)
    })?;
    Ok(target.clone())
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

/// Copies and conversions; each panics at the caller's line where its function in [`crate::ops`] fails.
impl Tensor {
    /// The tensor in another dtype or on another device: `x.to(torch::float64)`, `x.to("cpu")`, `x.to(&other)`.
    #[track_caller]
    pub fn to(&self, target: impl ToTarget) -> Tensor {
        target.convert(self).or_panic()
    }

    /// A copy with its own memory, connected to the graph: PyTorch's `x.clone()` (Rust's `clone` is another handle).
    #[track_caller]
    pub fn clone_tensor(&self) -> Tensor {
        clone(self).or_panic()
    }

    /// See [`contiguous`].
    #[track_caller]
    pub fn contiguous(&self) -> Tensor {
        contiguous(self).or_panic()
    }

    /// See [`copy_`].
    #[track_caller]
    pub fn copy_(&self, source: &Tensor) -> Tensor {
        copy_(self, source).or_panic()
    }

    /// See [`fill_`].
    #[track_caller]
    pub fn fill_(&self, value: impl Into<Scalar>) -> Tensor {
        fill_(self, value).or_panic()
    }

    /// See [`zero_`].
    #[track_caller]
    pub fn zero_(&self) -> Tensor {
        zero_(self).or_panic()
    }

    /// The tensor as f32.
    #[track_caller]
    pub fn float(&self) -> Tensor {
        self.to(DType::F32)
    }

    /// The tensor as f64.
    #[track_caller]
    pub fn double(&self) -> Tensor {
        self.to(DType::F64)
    }

    /// The tensor as f16.
    #[track_caller]
    pub fn half(&self) -> Tensor {
        self.to(DType::F16)
    }

    /// The tensor as bf16.
    #[track_caller]
    pub fn bfloat16(&self) -> Tensor {
        self.to(DType::BF16)
    }

    /// The tensor as i64.
    #[track_caller]
    pub fn long(&self) -> Tensor {
        self.to(DType::I64)
    }

    /// The tensor as i32.
    #[track_caller]
    pub fn int(&self) -> Tensor {
        self.to(DType::I32)
    }

    /// The tensor as truth values: whether each element is not zero.
    #[track_caller]
    pub fn bool(&self) -> Tensor {
        self.to(DType::Bool)
    }
}
