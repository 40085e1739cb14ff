//! Parameters and buffers whose shape the first input tells: `torch.nn.parameter.UninitializedParameter`.

use super::{Buffer, Parameter};
use flambeau_autograd::{AsTensor, Tensor, options};
use flambeau_device::default_device;
use flambeau_tensor::{DType, Device, default_dtype};

options! {
    /// Options of [`UninitializedParameter`].
    #[derive(Clone)]
    UninitializedParameterOptions {
        /// Whether the parameter requires grad (true).
        requires_grad: bool = true,
        /// Its dtype (the default dtype).
        dtype: Option<DType> = None,
        /// Its device (the default device).
        device: Option<Device> = None,
    }
}

options! {
    /// Options of [`UninitializedBuffer`].
    #[derive(Clone)]
    UninitializedBufferOptions {
        /// Its dtype (the default dtype).
        dtype: Option<DType> = None,
        /// Its device (the default device).
        device: Option<Device> = None,
        /// Whether state dicts hold it (true).
        persistent: bool = true,
    }
}

/// Makes parameters without a shape: `nn.UninitializedParameter()`. Only their dtype and device can be changed, until
/// [`Parameter::materialize`] gives them a shape; any operation on one fails with PyTorch's `ValueError`.
///
/// ```
/// use flambeau_autograd::{Tensor, ones};
/// use flambeau_nn::{self as nn, Call, Forward, Module, init};
///
/// /// A scale for each of as many features as the first input has.
/// #[derive(Module)]
/// struct Scale {
///     weight: nn::Parameter,
/// }
///
/// impl Forward for Scale {
///     fn forward(&self, x: &Tensor) -> Tensor {
///         if nn::parameter::is_lazy(&self.weight) {
///             self.weight.materialize(x.size_dim(-1));
///             init::ones_(&self.weight);
///         }
///         x * &*self.weight
///     }
/// }
///
/// let scale = Scale { weight: nn::UninitializedParameter::new() };
/// assert_eq!(scale.weight.to_string(), "<UninitializedParameter>");
/// assert_eq!(scale.call(ones([2, 3])).size(), [2, 3]);
/// assert_eq!(scale.weight.size(), [3]);
/// ```
pub struct UninitializedParameter;

impl UninitializedParameter {
    /// One that requires grad.
    #[track_caller]
    #[expect(clippy::new_ret_no_self, reason = "what PyTorch's class becomes")]
    pub fn new() -> Parameter {
        Self::with(|o| o)
    }

    /// With options: `requires_grad`, `dtype`, `device`.
    #[track_caller]
    pub fn with(options: impl FnOnce(UninitializedParameterOptions) -> UninitializedParameterOptions) -> Parameter {
        let o = options(UninitializedParameterOptions::default());
        Parameter::over(tensor(o.dtype, o.device, Some(o.requires_grad)))
    }
}

/// Makes buffers without a shape: `nn.parameter.UninitializedBuffer()`; see [`UninitializedParameter`].
///
/// ```
/// use flambeau_nn::UninitializedBuffer;
/// let mean = UninitializedBuffer::new();
/// assert_eq!(mean.to_string(), "<UninitializedBuffer>");
/// mean.materialize([2]);
/// assert_eq!(mean.to_string(), "tensor([0., 0.])");
/// ```
pub struct UninitializedBuffer;

impl UninitializedBuffer {
    /// One that state dicts hold.
    #[track_caller]
    #[expect(clippy::new_ret_no_self, reason = "what PyTorch's class becomes")]
    pub fn new() -> Buffer {
        Self::with(|o| o)
    }

    /// With options: `dtype`, `device`, `persistent`.
    #[track_caller]
    pub fn with(options: impl FnOnce(UninitializedBufferOptions) -> UninitializedBufferOptions) -> Buffer {
        let o = options(UninitializedBufferOptions::default());
        let tensor = tensor(o.dtype, o.device, None);
        if o.persistent { Buffer::new(tensor) } else { Buffer::non_persistent(tensor) }
    }
}

#[track_caller]
fn tensor(dtype: Option<DType>, device: Option<Device>, parameter: Option<bool>) -> Tensor {
    Tensor::uninitialized(dtype.unwrap_or_else(default_dtype), device.unwrap_or_else(default_device), parameter)
}

/// Whether a parameter or buffer has no shape yet: `torch.nn.parameter.is_lazy(x)`.
///
/// ```
/// use flambeau_nn::{self as nn, parameter::is_lazy};
/// let layer = nn::LazyLinear::new(2);
/// assert!(is_lazy(&layer.weight));
/// layer.call(flambeau_autograd::ones([1, 3]));
/// assert!(!is_lazy(&layer.weight));
/// ```
pub fn is_lazy(x: impl AsTensor) -> bool {
    x.as_tensor().is_uninitialized()
}
