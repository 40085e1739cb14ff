//! The likelihood of normal distributions.

use crate::{Arg, Buffer, Forward, Input, Module, ModuleState, Output, Parameter, Value};
pub use flambeau_autograd::ops::GaussianNLLOptions;
use flambeau_autograd::ops::Operand;
use flambeau_autograd::{AsTensor, OrPanic, Tensor, ops};

/// A variance: one for each element, a tensor, or one for all, a number.
pub enum Variance {
    /// One each, as [`gaussian_nll_loss`](ops::gaussian_nll_loss()) has it.
    Tensor(Tensor),
    /// The same everywhere.
    Number(f64),
}

/// A borrowed [`Variance`].
#[derive(Clone, Copy)]
pub enum VarianceRef<'a> {
    /// One each.
    Tensor(&'a Tensor),
    /// The same everywhere.
    Number(f64),
}

impl Output for Variance {
    fn to_value(&self) -> Value {
        match self {
            Variance::Tensor(tensor) => tensor.to_value(),
            Variance::Number(number) => number.to_value(),
        }
    }
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Tensor(tensor) => Some(Variance::Tensor(tensor)),
            value => f64::from_value(value).map(Variance::Number),
        }
    }
}

impl Input for Variance {
    type Ref<'a> = VarianceRef<'a>;
    fn borrow(&self) -> VarianceRef<'_> {
        match self {
            Variance::Tensor(tensor) => VarianceRef::Tensor(tensor),
            Variance::Number(number) => VarianceRef::Number(*number),
        }
    }
    fn keep(input: VarianceRef<'_>) -> Self {
        match input {
            VarianceRef::Tensor(tensor) => Variance::Tensor(tensor.shallow_clone()),
            VarianceRef::Number(number) => Variance::Number(number),
        }
    }
}

/// What a caller may write for a variance: a tensor, owned or borrowed, or an `f64`.
#[diagnostic::on_unimplemented(message = "`{Self}` is no variance", label = "expected a tensor or an `f64`")]
pub trait AsVariance {
    /// The variance as `forward` gets it.
    fn as_variance(&self) -> VarianceRef<'_>;
}

// One by one, since numbers stand beside them.
macro_rules! tensors {
    ($($t:ty)*) => {$(
        impl AsVariance for $t {
            fn as_variance(&self) -> VarianceRef<'_> {
                VarianceRef::Tensor(self.as_tensor())
            }
        }
    )*};
}
tensors!(Tensor &Tensor &&Tensor Parameter &Parameter Buffer &Buffer);

impl AsVariance for f64 {
    fn as_variance(&self) -> VarianceRef<'_> {
        VarianceRef::Number(*self)
    }
}

/// ½ (ln v + (x − t)² / v) with v = max(var, eps), for means x and variances var:
/// `nn.GaussianNLLLoss(full, eps, reduction)`.
///
/// ```
/// use flambeau_autograd::tensor;
/// let loss = flambeau_nn::GaussianNLLLoss::new();
/// let (x, target) = (tensor([1.0, 2.0]), tensor([1.0, 4.0]));
/// assert_eq!(loss.call(&x, &target, tensor([1.0, 1.0])).item(), 1.0);
/// assert_eq!(loss.call(&x, &target, 1.0).item(), 1.0);
/// ```
#[derive(Module)]
pub struct GaussianNLLLoss {
    options: GaussianNLLOptions,
    state: ModuleState,
}

impl Default for GaussianNLLLoss {
    fn default() -> Self {
        Self::new()
    }
}

impl GaussianNLLLoss {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `full`, `eps`, `reduction`.
    pub fn with(options: impl FnOnce(GaussianNLLOptions) -> GaussianNLLOptions) -> Self {
        GaussianNLLLoss { options: options(GaussianNLLOptions::default()), state: ModuleState::new() }
    }

    /// Python's `module(input, target, var)`: the loss between the module's hooks. The variance is a tensor or an `f64`.
    ///
    /// # Panics
    /// When the sizes do not fit or a variance is negative, with PyTorch's message.
    #[track_caller]
    pub fn call(&self, input: impl Arg<Tensor>, target: impl Arg<Tensor>, var: impl AsVariance) -> Tensor {
        Forward::<(Tensor, Tensor, Variance)>::call_ref(self, (input.arg(), target.arg(), var.as_variance()))
    }
}

impl Forward<(Tensor, Tensor, Variance)> for GaussianNLLLoss {
    #[track_caller]
    fn forward(&self, (input, target, var): (&Tensor, &Tensor, VarianceRef<'_>)) -> Tensor {
        let var: Operand<'_> = match var {
            VarianceRef::Tensor(tensor) => tensor.into(),
            VarianceRef::Number(number) => number.into(),
        };
        ops::gaussian_nll_loss(input, target, var, &self.options).or_panic()
    }
}
