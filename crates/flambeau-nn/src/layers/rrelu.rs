//! RReLU, the activation that draws.

use super::py_number;
use crate::{Module, ModuleState, forward};
use flambeau_autograd::{OrPanic, Tensor, ops, options};
use flambeau_tensor::Scalar;

options! {
    /// Options of [`RReLU`].
    #[derive(Clone)]
    RReLUOptions {
        /// The smallest slope (1/8).
        lower: Scalar = Scalar::Float(1.0 / 8.0),
        /// The largest slope (1/3).
        upper: Scalar = Scalar::Float(1.0 / 3.0),
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }
}

/// x where it is positive, else a slope times x: `nn.RReLU(lower, upper, inplace)`. In training mode the slope of each such element
/// is drawn from [lower, upper), in evaluation it is their mean.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// let layer = nn::RReLU::with(|o| o.lower(0.25).upper(0.75));
/// layer.eval();
/// assert_eq!(layer.call(flambeau_autograd::tensor([-4.0, 2.0])).to_vec::<f32>(), [-2.0, 2.0]);
/// assert_eq!(layer.to_string(), "RReLU(lower=0.25, upper=0.75)");
/// ```
#[derive(Module)]
#[module(extra_repr)]
pub struct RReLU {
    options: RReLUOptions,
    state: ModuleState,
}

impl Default for RReLU {
    fn default() -> Self {
        Self::new()
    }
}

impl RReLU {
    /// With slopes from 1/8 to 1/3.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `lower`, `upper`, `inplace`.
    #[track_caller]
    pub fn with(options: impl FnOnce(RReLUOptions) -> RReLUOptions) -> Self {
        RReLU { options: options(RReLUOptions::default()), state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        let o = &self.options;
        let inplace = if o.inplace { ", inplace=True" } else { "" };
        format!("lower={}, upper={}{inplace}", py_number(o.lower), py_number(o.upper))
    }
}

#[forward]
impl RReLU {
    /// Of a tensor of any shape, one of the same.
    ///
    /// # Panics
    /// When a bound is not finite, or `lower` is above `upper`.
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let apply = if self.options.inplace { ops::rrelu_ } else { ops::rrelu };
        apply(x, self.options.lower.to_f64(), self.options.upper.to_f64(), self.state.training()).or_panic()
    }
}
