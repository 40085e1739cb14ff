//! `torch.amp.custom_fwd` and `custom_bwd`: what a region of autocast does with a [`Function`](crate::Function).

use super::autocast::{self, AutocastGuard, DeviceType, Kind, is_autocast_enabled};
use crate::error::Result;
use crate::function_arguments::Argument;
use crate::{Tensor, ops};
use flambeau_tensor::DType;

/// What a region of autocast does with the forward of a custom function; made by [`custom_fwd`].
#[derive(Clone, Copy, Debug)]
pub struct CustomFwd {
    device_type: &'static str,
    cast_inputs: Option<DType>,
}

/// Has the forward of a custom function note its region of autocast for backward: `@torch.amp.custom_fwd(device_type=device_type)`.
/// With [`CustomFwd::cast_inputs`] it runs outside of the region, on inputs of a dtype.
///
/// ```
/// use torch::Tensor;
/// use torch::amp::{CustomBwd, CustomFwd, custom_bwd, custom_fwd};
/// use torch::autograd::{Function, FunctionCtx};
///
/// struct Product;
///
/// impl Function for Product {
///     type Inputs = (Tensor, Tensor);
///     type Outputs = Tensor;
///     type GradOutputs = Tensor;
///     type GradInputs = (Tensor, Tensor);
///     const CUSTOM_FWD: Option<CustomFwd> = Some(custom_fwd("cpu").cast_inputs(torch::float32));
///     const CUSTOM_BWD: Option<CustomBwd> = Some(custom_bwd("cpu"));
///
///     fn forward(ctx: &mut FunctionCtx, (a, b): Self::Inputs) -> Tensor {
///         ctx.save_for_backward([&a, &b]);
///         a.mm(&b)
///     }
///     fn backward(ctx: &FunctionCtx, grad: Tensor) -> Self::GradInputs {
///         let [a, b] = ctx.saved_tensors();
///         (grad.mm(b.t()), a.t().mm(&grad))
///     }
/// }
///
/// let x = torch::ones([2, 2]).requires_grad_(true);
/// let _autocast = torch::autocast("cpu");
/// let low = x.mm(&x);
/// assert_eq!(low.dtype(), torch::bfloat16);
/// assert_eq!(Product::apply((&low, &x)).dtype(), torch::float32);
/// ```
pub const fn custom_fwd(device_type: &'static str) -> CustomFwd {
    CustomFwd { device_type, cast_inputs: None }
}

impl CustomFwd {
    /// In a region, floating inputs of the device are converted to this dtype (but float64 stays), and forward runs outside of the
    /// region: `cast_inputs=dtype`.
    pub const fn cast_inputs(mut self, dtype: DType) -> Self {
        self.cast_inputs = Some(dtype);
        self
    }

    fn kind(self) -> Result<Kind> {
        self.device_type.device_type().map(Kind::of)
    }

    /// What backward is told.
    pub(crate) fn forwarded(self) -> Result<Forwarded> {
        let device = self.device_type.device_type()?;
        let used = self.cast_inputs.is_none() && is_autocast_enabled(device);
        Ok(Forwarded { used, dtype: autocast::get_autocast_dtype(device) })
    }

    /// Runs forward.
    pub(crate) fn run<A: Argument, R>(self, inputs: A, forward: impl FnOnce(A) -> R) -> Result<R> {
        let kind = self.kind()?;
        let (Some(dtype), Some(low)) = (self.cast_inputs, autocast::low_precision(kind)) else {
            return Ok(forward(inputs));
        };
        let _outside = autocast::enter(kind, false, low);
        let mut failed = None;
        let inputs = inputs.map_tensors(&mut |x| {
            let eligible = x.is_floating_point() && x.dtype() != DType::F64 && Kind::of(x.device()) == kind;
            let cast = || ops::to_dtype(x, dtype);
            let cast: Result<Tensor> = if eligible { cast() } else { Ok(x.shallow_clone()) };
            cast.unwrap_or_else(|error| {
                failed = Some(error);
                x.shallow_clone()
            })
        });
        match failed {
            None => Ok(forward(inputs)),
            Some(error) => Err(error),
        }
    }
}

/// Whether a forward ran in a region of autocast, and its dtype.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forwarded {
    used: bool,
    dtype: DType,
}

/// Has the backward of a custom function run in the region of autocast of its forward; made by [`custom_bwd`].
#[derive(Clone, Copy, Debug)]
pub struct CustomBwd {
    device_type: &'static str,
}

/// Has the backward of a custom function run in the region of autocast that its forward ran in, wherever backward is called:
/// `@torch.amp.custom_bwd(device_type=device_type)`. It goes with [`custom_fwd`], whose example has both.
///
/// ```
/// use torch::amp::{CustomBwd, custom_bwd};
/// const BWD: CustomBwd = custom_bwd("cuda");
/// # let _ = BWD;
/// ```
pub const fn custom_bwd(device_type: &'static str) -> CustomBwd {
    CustomBwd { device_type }
}

impl CustomBwd {
    pub(crate) fn enter(self, forwarded: Option<Forwarded>) -> Result<AutocastGuard> {
        let device = self.device_type.device_type()?;
        let Forwarded { used, dtype } =
            forwarded.unwrap_or(Forwarded { used: false, dtype: autocast::get_autocast_dtype(device) });
        Ok(autocast::enter(Kind::of(device), used, dtype))
    }
}
