//! Layers that apply a function to a tensor and have nothing to learn.

use crate::{Module, ModuleState, forward};
use flambeau_autograd::Tensor;

/// A function with its options: what distinguishes one activation layer from another.
pub trait ActivationFunction: Default + Clone + Send + Sync + 'static {
    /// The layer's name in prints: `LeakyReLU`.
    const NAME: &'static str;

    /// The function.
    fn apply(&self, x: &Tensor) -> Tensor;

    /// The options as the layer prints them.
    fn extra_repr(&self) -> String {
        String::new()
    }
}

/// A layer without parameters, made of its function: `nn.ReLU`, `nn.Softmax` and the like are aliases of this.
#[derive(Module, Default)]
#[module(type_name, extra_repr)]
pub struct Activation<F: ActivationFunction> {
    function: F,
    state: ModuleState,
}

/// The functions whose layers are made without arguments. Those whose first option public code nearly always gives have a `new`
/// of it.
pub trait WithoutArguments: ActivationFunction {}

impl<F: WithoutArguments> Activation<F> {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<F: ActivationFunction> Activation<F> {
    /// With options, named as PyTorch's keywords.
    #[track_caller]
    pub fn with(options: impl FnOnce(F) -> F) -> Self {
        Activation { function: options(F::default()), state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        F::NAME
    }

    fn extra_repr(&self) -> String {
        self.function.extra_repr()
    }
}

#[forward]
impl<F: ActivationFunction> Activation<F> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.function.apply(x)
    }
}
