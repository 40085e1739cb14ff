//! Softmax and its kin: layers that normalise along a dimension; GELU, whose option is a name; PReLU, which learns.

use super::{Activation, ActivationFunction, Place};
use crate::init;
use crate::{Forward, Module, ModuleState, Parameter};
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::{DType, Device};

options! {
    /// Options of [`Softmax`].
    SoftmaxOptions {
        /// The dimension whose results add up to 1; if it is not given, 0 for tensors of 0, 1 and 3 dimensions, else 1.
        dim: Option<i64> = None,
    }
}

options! {
    /// Options of [`LogSoftmax`].
    LogSoftmaxOptions {
        /// As for [`SoftmaxOptions::dim`].
        dim: Option<i64> = None,
    }
}

options! {
    /// Options of [`Softmin`].
    SoftminOptions {
        /// As for [`SoftmaxOptions::dim`].
        dim: Option<i64> = None,
    }
}

/// eˣⁱ / Σⱼ eˣʲ along a dimension: `nn.Softmax(dim)`.
pub type Softmax = Activation<SoftmaxOptions>;
/// ln softmax, which does not overflow: `nn.LogSoftmax(dim)`.
pub type LogSoftmax = Activation<LogSoftmaxOptions>;
/// The softmax of −x: `nn.Softmin(dim)`.
pub type Softmin = Activation<SoftminOptions>;

/// The dimension that PyTorch chose before one had to be given.
fn implicit(dim: Option<i64>, x: &Tensor) -> i64 {
    dim.unwrap_or_else(|| i64::from(!matches!(x.dim(), 0 | 1 | 3)))
}

fn repr(dim: Option<i64>) -> String {
    dim.map_or("dim=None".to_owned(), |d| format!("dim={d}"))
}

impl ActivationFunction for SoftmaxOptions {
    const NAME: &'static str = "Softmax";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::softmax(x, implicit(self.dim, x), None).or_panic()
    }
    fn extra_repr(&self) -> String {
        repr(self.dim)
    }
}

impl ActivationFunction for LogSoftmaxOptions {
    const NAME: &'static str = "LogSoftmax";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::log_softmax(x, implicit(self.dim, x), None).or_panic()
    }
    fn extra_repr(&self) -> String {
        repr(self.dim)
    }
}

impl ActivationFunction for SoftminOptions {
    const NAME: &'static str = "Softmin";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::softmin(x, implicit(self.dim, x), None).or_panic()
    }
    fn extra_repr(&self) -> String {
        repr(self.dim)
    }
}

/// How [`GELU`] is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approximate {
    /// `"none"`: with erf.
    None,
    /// `"tanh"`: with tanh.
    Tanh,
}

impl From<&str> for Approximate {
    #[track_caller]
    fn from(name: &str) -> Self {
        match name {
            "none" => Approximate::None,
            "tanh" => Approximate::Tanh,
            _ => panic!("approximate argument must be either none or tanh."),
        }
    }
}

options! {
    /// Options of [`GELU`].
    GELUOptions {
        /// `"none"` or `"tanh"` (`"none"`).
        approximate: Approximate = Approximate::None,
    }
}

/// x · Φ(x): `nn.GELU(approximate)`.
pub type GELU = Activation<GELUOptions>;

impl ActivationFunction for GELUOptions {
    const NAME: &'static str = "GELU";
    #[track_caller]
    fn apply(&self, x: &Tensor) -> Tensor {
        ops::gelu(x, self.approximate == Approximate::Tanh).or_panic()
    }
    fn extra_repr(&self) -> String {
        let name = if self.approximate == Approximate::Tanh { "tanh" } else { "none" };
        format!("approximate='{name}'")
    }
}

options! {
    /// Options of [`PReLU`].
    PReLUOptions {
        /// The slopes' first value (0.25).
        init: f64 = 0.25,
        /// The slopes' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The slopes' device (the default device).
        device: Option<Device> = None,
    } exact {
        /// 1, or a slope for each channel (1).
        num_parameters: usize = 1,
    }
}

/// x where it is positive, else a learned slope times x: `nn.PReLU(num_parameters, init)`.
#[derive(Module)]
#[module(extra_repr)]
pub struct PReLU {
    /// The slopes.
    pub weight: Parameter,
    state: ModuleState,
}

impl Default for PReLU {
    fn default() -> Self {
        Self::new()
    }
}

impl PReLU {
    /// With one slope.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `num_parameters`, `init`, `dtype`, `device`.
    #[track_caller]
    pub fn with(options: impl FnOnce(PReLUOptions) -> PReLUOptions) -> Self {
        let o = options(PReLUOptions::default());
        let weight = init::constant_(&Place::new(o.dtype, o.device).zeros(&[o.num_parameters]), o.init);
        PReLU { weight: Parameter::new(&weight), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("num_parameters={}", self.weight.numel())
    }
}

impl Forward for PReLU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::prelu(x, &self.weight).or_panic()
    }
}
