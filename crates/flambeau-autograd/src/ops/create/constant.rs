//! New tensors of one value, or of none in particular, and the identity matrix.

use crate::Tensor;
use crate::error::Result;
use crate::ops::copy;
use flambeau_device::default_device;
use flambeau_macros::op;
use flambeau_tensor::{DType, Device, Scalar, default_dtype};

/// A new tensor of the shape `size` with one value everywhere: `torch.full`. `torch::full` takes the dtype of the value's kind
/// (integers int64, floats the default dtype, bools bool) and the default device; `zeros_with` sets both.
///
/// # Errors
/// When the dtype does not hold the value.
///
/// ```
/// let x = torch::full([2, 2], 0.5);
/// assert_eq!(x.to_vec::<f32>(), [0.5; 4]);
/// assert_eq!(torch::full([2], 7).to_vec::<i64>(), [7, 7]);
/// ```
#[op(torch, creation, not_differentiable, fills, forms(
    full(fill_value: Scalar) = (fill_value, fill_value.dtype(default_dtype()), default_device()),
))]
pub fn full(size: &[usize], fill_value: impl Into<Scalar>, dtype: DType, device: Device) -> Result<Tensor> {
    let out = copy::empty(size, dtype, device)?;
    flambeau_tensor::ops::fill(&out, fill_value.into())?;
    Ok(out.into())
}

/// A new tensor of zeros of the shape `size`: `torch.zeros`. `torch::zeros` takes the default dtype and device;
/// `zeros_with` sets both.
///
/// ```
/// let x = torch::zeros([2, 3]);
/// assert_eq!(x.size(), [2, 3]);
/// assert_eq!(x.to_vec::<f32>(), [0.0; 6]);
/// ```
#[op(torch, creation, not_differentiable, forms(zeros() = (default_dtype(), default_device())))]
pub fn zeros(size: &[usize], dtype: DType, device: Device) -> Result<Tensor> {
    full(size, 0, dtype, device)
}

/// A new tensor of ones of the shape `size`: `torch.ones`. `torch::ones` takes the default dtype and device; `ones_with` sets
/// both.
///
/// ```
/// assert_eq!(torch::ones(3).to_vec::<f32>(), [1.0, 1.0, 1.0]);
/// assert_eq!(torch::ones([2]).to(torch::int64).to_vec::<i64>(), [1, 1]);
/// ```
#[op(torch, creation, not_differentiable, forms(ones() = (default_dtype(), default_device())))]
pub fn ones(size: &[usize], dtype: DType, device: Device) -> Result<Tensor> {
    full(size, 1, dtype, device)
}

/// A new tensor of the shape `size` whose memory is not initialised: it holds arbitrary numbers until something is written:
/// `torch.empty`. `torch::empty` takes the default dtype and device.
///
/// ```
/// let x = torch::empty([2, 2]);
/// x.fill_(3.0);
/// assert_eq!(x.to_vec::<f32>(), [3.0; 4]);
/// ```
#[op(torch, creation, not_differentiable, fills, forms(empty() = (default_dtype(), default_device())))]
pub fn empty(size: &[usize], dtype: DType, device: Device) -> Result<Tensor> {
    Ok(copy::empty(size, dtype, device)?.into())
}

/// The identity matrix of n rows and m columns (n, if there is no m), ones on the diagonal and zeros elsewhere: `torch.eye`.
/// `torch::eye` takes the default dtype and device.
///
/// ```
/// assert_eq!(torch::eye(2).to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
/// assert_eq!(torch::eye_m(1, 3).to_vec::<f32>(), [1.0, 0.0, 0.0]);
/// ```
#[op(torch, creation, not_differentiable, forms(
    eye() = (None, default_dtype(), default_device()),
    eye_m(m: usize) = (Some(m), default_dtype(), default_device()),
))]
pub fn eye(n: usize, m: Option<usize>, dtype: DType, device: Device) -> Result<Tensor> {
    let out = zeros(&[n, m.unwrap_or(n)], dtype, device)?.array().clone();
    flambeau_tensor::ops::fill(&out.diagonal(0, 0, 1)?, Scalar::Int(1))?;
    Ok(out.into())
}

/// A new tensor with one value everywhere, in the shape, dtype, device and order of dimensions of `x`: `torch.full_like`.
///
/// # Errors
/// When the dtype does not hold the value.
///
/// ```
/// let x = torch::tensor([[1, 2], [3, 4]]);
/// assert_eq!(x.full_like(9).to_vec::<i64>(), [9; 4]);
/// assert_eq!(x.full_like_with(0.5, |o| o.dtype(torch::float32)).to_vec::<f32>(), [0.5; 4]);
/// ```
#[op(torch, method, creation, not_differentiable, fills, forms(full_like(fill_value: Scalar) = (fill_value, None, None)))]
pub fn full_like(
    x: &Tensor,
    fill_value: impl Into<Scalar>,
    dtype: Option<DType>,
    device: Option<Device>,
) -> Result<Tensor> {
    let out = empty_like(x, dtype, device)?;
    flambeau_tensor::ops::fill(&out.array(), fill_value.into())?;
    Ok(out)
}

/// Zeros in the shape, dtype, device and order of dimensions of `x`: `torch.zeros_like`.
///
/// ```
/// let x = torch::tensor([1.5, 2.5]);
/// assert_eq!(x.zeros_like().to_vec::<f32>(), [0.0, 0.0]);
/// assert_eq!(torch::zeros_like_with(&x, |o| o.dtype(torch::int64)).to_vec::<i64>(), [0, 0]);
/// ```
#[op(torch, method, creation, not_differentiable, forms(zeros_like() = (None, None)))]
pub fn zeros_like(x: &Tensor, dtype: Option<DType>, device: Option<Device>) -> Result<Tensor> {
    full_like(x, 0, dtype, device)
}

/// Ones in the shape, dtype, device and order of dimensions of `x`: `torch.ones_like`.
///
/// ```
/// let x = torch::tensor([true, false]);
/// assert_eq!(torch::ones_like(&x).to_vec::<bool>(), [true, true]);
/// ```
#[op(torch, method, creation, not_differentiable, forms(ones_like() = (None, None)))]
pub fn ones_like(x: &Tensor, dtype: Option<DType>, device: Option<Device>) -> Result<Tensor> {
    full_like(x, 1, dtype, device)
}

/// Memory that is not initialised, in the shape, dtype, device and order of dimensions of `x`: `torch.empty_like`.
///
/// ```
/// let x = torch::zeros([2, 3]);
/// assert_eq!(x.empty_like().size(), [2, 3]);
/// ```
#[op(torch, method, creation, not_differentiable, fills, forms(empty_like() = (None, None)))]
pub fn empty_like(x: &Tensor, dtype: Option<DType>, device: Option<Device>) -> Result<Tensor> {
    let array = x.array();
    Ok(copy::empty_as(&array, dtype.unwrap_or(array.dtype()), device.unwrap_or(array.device()))?.into())
}

/// A new tensor of the shape `size` with one value everywhere, in the dtype and on the device of `x`: `x.new_full(size, value)`.
///
/// # Errors
/// When the dtype does not hold the value.
///
/// ```
/// let x = torch::tensor([1, 2, 3]);
/// assert_eq!(x.new_full([2], 7).to_vec::<i64>(), [7, 7]);
/// ```
#[op(method, creation, not_differentiable, fills, forms(
    new_full(size: &[usize], fill_value: Scalar) = (size, fill_value, None, None),
))]
pub fn new_full(
    x: &Tensor,
    size: &[usize],
    fill_value: impl Into<Scalar>,
    dtype: Option<DType>,
    device: Option<Device>,
) -> Result<Tensor> {
    full(size, fill_value, dtype.unwrap_or(x.dtype()), device.unwrap_or(x.device()))
}

/// Zeros of the shape `size`, in the dtype and on the device of `x`: `x.new_zeros(size)`.
///
/// ```
/// let x = torch::tensor([1, 2, 3]);
/// assert_eq!(x.new_zeros([2]).to_vec::<i64>(), [0, 0]);
/// assert_eq!(x.new_zeros_with(2, |o| o.dtype(torch::float32)).to_vec::<f32>(), [0.0, 0.0]);
/// ```
#[op(method, creation, not_differentiable, forms(new_zeros(size: &[usize]) = (size, None, None)))]
pub fn new_zeros(x: &Tensor, size: &[usize], dtype: Option<DType>, device: Option<Device>) -> Result<Tensor> {
    new_full(x, size, 0, dtype, device)
}

/// Ones of the shape `size`, in the dtype and on the device of `x`: `x.new_ones(size)`.
///
/// ```
/// assert_eq!(torch::tensor([1, 2, 3]).new_ones(2).to_vec::<i64>(), [1, 1]);
/// ```
#[op(method, creation, not_differentiable, forms(new_ones(size: &[usize]) = (size, None, None)))]
pub fn new_ones(x: &Tensor, size: &[usize], dtype: Option<DType>, device: Option<Device>) -> Result<Tensor> {
    new_full(x, size, 1, dtype, device)
}

/// Memory of the shape `size` that is not initialised, in the dtype and on the device of `x`: `x.new_empty(size)`.
///
/// ```
/// let x = torch::tensor([1, 2, 3]);
/// assert_eq!(x.new_empty([4, 2]).dtype(), torch::int64);
/// ```
#[op(method, creation, not_differentiable, fills, forms(new_empty(size: &[usize]) = (size, None, None)))]
pub fn new_empty(x: &Tensor, size: &[usize], dtype: Option<DType>, device: Option<Device>) -> Result<Tensor> {
    empty(size, dtype.unwrap_or(x.dtype()), device.unwrap_or(x.device()))
}
