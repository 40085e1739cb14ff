//! Affine maps.

use super::lazy::length;
use super::{Lazy, LazyLayer, Place, materialize, py_bool, weight_and_bias, weight_and_bias_to_come};
use crate::init;
use crate::{Module, ModuleState, Parameter, forward};
use flambeau_autograd::arguments::Int;
use flambeau_autograd::options;
use flambeau_autograd::{OrPanic, Tensor, ops};
use flambeau_tensor::{DType, Device};

options! {
    /// Options of [`Linear`] and [`Bilinear`].
    #[derive(Clone)]
    LinearOptions {
        /// Whether a bias is added (true).
        bias: bool = true,
        /// The parameters' dtype (the default dtype).
        dtype: Option<DType> = None,
        /// The parameters' device (the default device).
        device: Option<Device> = None,
    }
}

/// x Wᵀ + b over the last dimension: `nn.Linear(in_features, out_features, bias)`. W is [out, in].
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct Linear {
    /// The numbers of inputs.
    pub in_features: usize,
    /// The number of outputs.
    pub out_features: usize,
    /// [out, in].
    pub weight: Parameter,
    /// `[out]`.
    pub bias: Option<Parameter>,
    /// Attention's output projection prints under another name.
    pub(super) name: &'static str,
    state: ModuleState,
}

impl Linear {
    /// With a bias.
    #[track_caller]
    pub fn new(in_features: impl Int, out_features: impl Int) -> Self {
        Self::with(in_features, out_features, |o| o)
    }

    /// With options: `bias`, `dtype`, `device`.
    #[track_caller]
    pub fn with(
        in_features: impl Int,
        out_features: impl Int,
        options: impl FnOnce(LinearOptions) -> LinearOptions,
    ) -> Self {
        let in_features = in_features.to_usize();
        let out_features = out_features.to_usize();
        let o = options(LinearOptions::default());
        let place = Place::new(o.dtype, o.device);
        let (weight, bias) = weight_and_bias(&[out_features, in_features], o.bias.then_some(out_features), place);
        Linear { in_features, out_features, weight, bias, name: "Linear", state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        self.name
    }

    fn extra_repr(&self) -> String {
        let (i, o) = (self.in_features, self.out_features);
        format!("in_features={i}, out_features={o}, bias={}", py_bool(self.bias.is_some()))
    }
}

#[forward]
impl Linear {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        ops::linear(x, &self.weight, self.bias.as_deref()).or_panic()
    }
}

/// [`Linear`] whose number of inputs the first input tells: `nn.LazyLinear(out_features, bias)`.
///
/// ```
/// use flambeau_nn::{self as nn, Module};
/// let layer = nn::LazyLinear::new(3);
/// assert_eq!(layer.state_dict().to_string(), "OrderedDict([('weight', <UninitializedParameter>), ('bias', <UninitializedParameter>)])");
/// assert_eq!(layer.call(flambeau_autograd::ones([2, 4])).size(), [2, 3]);
/// assert_eq!((layer.in_features, layer.weight.size()), (4, flambeau_autograd::ones([3, 4]).size()));
/// ```
pub type LazyLinear = Lazy<Linear>;

impl Lazy<Linear> {
    /// With a bias.
    #[track_caller]
    pub fn new(out_features: impl Int) -> Self {
        Self::with(out_features, |o| o)
    }

    /// With options: `bias`, `dtype`, `device`.
    #[track_caller]
    pub fn with(out_features: impl Int, options: impl FnOnce(LinearOptions) -> LinearOptions) -> Self {
        let out_features = out_features.to_usize();
        let o = options(LinearOptions::default());
        let (weight, bias) = weight_and_bias_to_come(o.bias, Place::new(o.dtype, o.device));
        Lazy::of(Linear { in_features: 0, out_features, weight, bias, name: "Linear", state: ModuleState::new() })
    }
}

impl LazyLayer for Linear {
    fn lazy_name(&self) -> &'static str {
        "LazyLinear"
    }

    #[track_caller]
    fn inferred(&self, input: &Tensor) -> Self {
        let Linear { in_features: known, out_features, weight, bias, name, state } = self;
        let in_features = length(input, -1);
        if weight.is_uninitialized() {
            let bias = bias.as_ref().map(|bias| (bias, *out_features));
            materialize(weight, &[*out_features, in_features], bias);
        } else if *known == 0 {
            let has = length(weight, -1);
            assert!(
                in_features == has,
                "The in_features inferred from input: {in_features} is not equal to in_features from self.weight: {has}"
            );
        }
        let in_features = if *known == 0 { in_features } else { *known };
        let (weight, bias) = (weight.share(), bias.as_ref().map(Parameter::share));
        Linear { in_features, out_features: *out_features, weight, bias, name, state: state.succeed() }
    }
}

/// x₁ᵀ Wₒ x₂ + bₒ for each output: `nn.Bilinear(in1_features, in2_features, out_features, bias)`. W is [out, in1, in2].
#[derive(Module)]
#[module(extra_repr)]
pub struct Bilinear {
    /// The length of the first input's last dimension.
    pub in1_features: usize,
    /// The length of the second input's last dimension.
    pub in2_features: usize,
    /// The number of outputs.
    pub out_features: usize,
    /// [out, in1, in2].
    pub weight: Parameter,
    /// `[out]`.
    pub bias: Option<Parameter>,
    state: ModuleState,
}

impl Bilinear {
    /// With a bias.
    #[track_caller]
    pub fn new(in1_features: impl Int, in2_features: impl Int, out_features: impl Int) -> Self {
        Self::with(in1_features, in2_features, out_features, |o| o)
    }

    /// With options: `bias`, `dtype`, `device`. Both parameters are uniform over ±1/√in1.
    #[track_caller]
    pub fn with(
        in1_features: impl Int,
        in2_features: impl Int,
        out_features: impl Int,
        options: impl FnOnce(LinearOptions) -> LinearOptions,
    ) -> Self {
        let in1_features = in1_features.to_usize();
        let in2_features = in2_features.to_usize();
        let out_features = out_features.to_usize();
        let o = options(LinearOptions::default());
        let place = Place::new(o.dtype, o.device);
        let bound = 1.0 / (in1_features as f64).sqrt();
        let uniform = |shape: &[usize]| Parameter::new(init::uniform_(place.zeros(shape), -bound, bound));
        let weight = uniform(&[out_features, in1_features, in2_features]);
        let bias = o.bias.then(|| uniform(&[out_features]));
        Bilinear { in1_features, in2_features, out_features, weight, bias, state: ModuleState::new() }
    }

    fn extra_repr(&self) -> String {
        let Bilinear { in1_features, in2_features, out_features, .. } = self;
        let bias = py_bool(self.bias.is_some());
        format!("in1_features={in1_features}, in2_features={in2_features}, out_features={out_features}, bias={bias}")
    }
}

#[forward]
impl Bilinear {
    /// Of tensors [*, in1] and [*, in2], a tensor [*, out].
    #[track_caller]
    fn forward(&self, input1: &Tensor, input2: &Tensor) -> Tensor {
        ops::bilinear(input1, input2, &self.weight, self.bias.as_deref()).or_panic()
    }
}
