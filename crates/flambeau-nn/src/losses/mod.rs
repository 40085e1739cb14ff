//! The losses of `torch.nn`.

mod classification;
mod regression;

pub use classification::*;
pub use regression::*;

use crate::{Buffer, Module, ModuleState};
use flambeau_autograd::Tensor;

/// A loss's function with its options: what distinguishes one loss from another.
pub trait LossFunction: Default + Send + Sync + 'static {
    /// The loss's name in prints.
    const NAME: &'static str;

    /// The loss of `x` against `target`.
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor;

    /// The weights of classes or elements, which state dicts hold.
    fn weight(&self) -> Option<&Tensor> {
        None
    }

    /// The weights of positive examples, which state dicts hold.
    fn pos_weight(&self) -> Option<&Tensor> {
        None
    }
}

/// A loss, made of its function: `nn.MSELoss`, `nn.CrossEntropyLoss` and the like are aliases of this.
#[derive(Module)]
#[module(type_name)]
pub struct Loss<F: LossFunction> {
    #[module(skip)]
    function: F,
    weight: Option<Buffer>,
    pos_weight: Option<Buffer>,
    state: ModuleState,
}

impl<F: LossFunction> Default for Loss<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: LossFunction> Loss<F> {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options, named as PyTorch's keywords.
    #[track_caller]
    pub fn with(options: impl FnOnce(F) -> F) -> Self {
        let function = options(F::default());
        // The buffers are the options' own tensors, so `to(device)` moves both.
        let weight = function.weight().map(Buffer::new);
        let pos_weight = function.pos_weight().map(Buffer::new);
        Loss { function, weight, pos_weight, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        F::NAME
    }

    /// The loss of `x` against `target`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's message.
    #[track_caller]
    pub fn forward(&self, x: &Tensor, target: &Tensor) -> Tensor {
        self.function.apply(x, target)
    }

    /// Python's `criterion(x, target)`: the same as [`Loss::forward`].
    #[track_caller]
    pub fn call(&self, x: &Tensor, target: &Tensor) -> Tensor {
        self.forward(x, target)
    }
}
