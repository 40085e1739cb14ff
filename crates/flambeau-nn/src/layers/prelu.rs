//! PReLU, the activation that learns.

use super::Place;
use crate::init;
use crate::{Module, ModuleState, Parameter, forward};
use flambeau_autograd::{OrPanic, Tensor, ops, options};
use flambeau_tensor::{DType, Device};

options! {
    /// Options of [`PReLU`].
    #[derive(Clone)]
    PReLUOptions {
        /// The slopes' first value (0.25).
        init: f64 = 0.25,
        /// The slopes' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The slopes' device (the default device).
        device: Option<Device> = None,
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
        let weight = init::constant_(Place::new(o.dtype, o.device).zeros(&[o.num_parameters]), o.init);
        PReLU { weight: Parameter::new(&weight), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        format!("num_parameters={}", self.weight.own().numel())
    }
}

#[forward]
impl PReLU {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::prelu(x, &self.weight).or_panic()
    }
}
