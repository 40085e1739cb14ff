//! The losses of `torch.nn`: here those of an input and a target.

mod adaptive;
mod ctc;
mod distance;
mod gaussian;
mod linear;
mod three;

pub use adaptive::*;
pub use ctc::*;
pub use distance::*;
pub use gaussian::*;
pub use linear::*;
pub use three::*;

use crate::{Buffer, Memo, Module, ModuleState, forward};
use flambeau_autograd::{OrPanic, Tensor, ops};

/// A loss's function with its options: what distinguishes one loss from another.
pub trait LossFunction: Default + Clone + Send + Sync + 'static {
    /// The loss's name in prints.
    const NAME: &'static str;

    /// The loss of `x` against `target`.
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor;

    /// Refuses options that the class's constructor refuses.
    ///
    /// # Panics
    /// With PyTorch's message.
    #[track_caller]
    fn check(&self) {}

    /// The weights of classes or elements, which state dicts hold.
    fn weight(&self) -> Option<&Tensor> {
        None
    }

    /// The weights of positive examples, which state dicts hold.
    fn pos_weight(&self) -> Option<&Tensor> {
        None
    }

    /// The same function with other tensors for its weights.
    #[must_use]
    fn with_weights(self, _weight: Option<&Tensor>, _pos_weight: Option<&Tensor>) -> Self {
        self
    }
}

/// A loss, made of its function: `nn.MSELoss`, `nn.CrossEntropyLoss` and the like are aliases of this.
#[derive(Module)]
#[module(type_name, deepcopy)]
pub struct Loss<F: LossFunction> {
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
        function.check();
        // The buffers are the options' own tensors, so `to(device)` moves both.
        let weight = function.weight().map(Buffer::new);
        let pos_weight = function.pos_weight().map(Buffer::new);
        Loss { function, weight, pos_weight, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        F::NAME
    }

    /// The buffers of the copy are its function's tensors too.
    #[track_caller]
    fn deepcopy_in(&self, memo: &mut Memo) -> Self {
        let (weight, pos_weight) = (memo.part(&self.weight), memo.part(&self.pos_weight));
        let function = self.function.clone().with_weights(weight.as_deref(), pos_weight.as_deref());
        Loss { function, weight, pos_weight, state: memo.part(&self.state) }
    }
}

#[forward]
impl<F: LossFunction> Loss<F> {
    /// The loss of `input` against `target`.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's message.
    #[track_caller]
    fn forward(&self, input: &Tensor, target: &Tensor) -> Tensor {
        self.function.apply(input, target)
    }
}

/// Declares, for each line `Loss(Options) = function if check: weights`, the loss as its function in [`ops`] with the function's
/// options; `weights` are those of its options that state dicts hold, `check` is what the constructor looks at.
macro_rules! losses {
    ($($(#[$doc:meta])* $loss:ident($options:ident) = $function:ident $(if $check:ident)?: $($weight:ident)*;)*) => {$(
        pub use ops::$options;

        $(#[$doc])*
        pub type $loss = Loss<$options>;

        impl LossFunction for $options {
            const NAME: &'static str = stringify!($loss);
            #[track_caller]
            fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
                ops::$function(x, target, self).or_panic()
            }
            $(#[track_caller]
            fn check(&self) {
                $check(self);
            })?
            $(fn $weight(&self) -> Option<&Tensor> {
                self.$weight.as_ref()
            })*
            losses!(@weights $($weight)*);
        }
    )*};
    (@weights) => {};
    (@weights weight) => {
        fn with_weights(mut self, weight: Option<&Tensor>, _pos_weight: Option<&Tensor>) -> Self {
            self.weight = weight.map(Tensor::shallow_clone);
            self
        }
    };
    (@weights weight pos_weight) => {
        fn with_weights(mut self, weight: Option<&Tensor>, pos_weight: Option<&Tensor>) -> Self {
            self.weight = weight.map(Tensor::shallow_clone);
            self.pos_weight = pos_weight.map(Tensor::shallow_clone);
            self
        }
    };
}

losses! {
    /// −ln softmax(x)ₜ for logits x [n, classes, …] and classes t [n, …], or probabilities in the shape of x:
    /// `nn.CrossEntropyLoss(weight, ignore_index, reduction, label_smoothing)`.
    CrossEntropyLoss(CrossEntropyLossOptions) = cross_entropy: weight;
    /// −xₜ for log-probabilities x [n, classes, …] and classes t [n, …]: `nn.NLLLoss(weight, ignore_index, reduction)`.
    NLLLoss(NLLLossOptions) = nll_loss: weight;
    /// −t · ln x − (1 − t) · ln(1 − x) for probabilities x: `nn.BCELoss(weight, reduction)`.
    BCELoss(BCELossOptions) = binary_cross_entropy: weight;
    /// [`BCELoss`] of sigmoid(x), which does not overflow: `nn.BCEWithLogitsLoss(weight, reduction, pos_weight)`.
    BCEWithLogitsLoss(BCEWithLogitsLossOptions) = binary_cross_entropy_with_logits: weight pos_weight;
    /// The squared difference (x − t)²: `nn.MSELoss(reduction)`.
    MSELoss(MSELossOptions) = mse_loss:;
    /// The absolute difference |x − t|: `nn.L1Loss(reduction)`.
    L1Loss(L1LossOptions) = l1_loss:;
    /// (x − t)² / 2β where |x − t| < β, else |x − t| − β/2: `nn.SmoothL1Loss(reduction, beta)`.
    SmoothL1Loss(SmoothL1LossOptions) = smooth_l1_loss:;
    /// (x − t)² / 2 where |x − t| ≤ δ, else δ · (|x − t| − δ/2): `nn.HuberLoss(reduction, delta)`.
    HuberLoss(HuberLossOptions) = huber_loss:;
    /// t · (ln t − x) for log-probabilities x and probabilities t: `nn.KLDivLoss(reduction, log_target)`.
    KLDivLoss(KLDivLossOptions) = kl_div:;
    /// x where t = 1, max(0, margin − x) where t = −1: `nn.HingeEmbeddingLoss(margin, reduction)`.
    HingeEmbeddingLoss(HingeEmbeddingLossOptions) = hinge_embedding_loss:;
    /// ln(1 + e^(−t·x)) for targets ±1: `nn.SoftMarginLoss(reduction)`.
    SoftMarginLoss(SoftMarginLossOptions) = soft_margin_loss:;
    /// eˣ − t · x, or x − t · ln(x + eps), of Poisson distributions: `nn.PoissonNLLLoss(log_input, full, eps, reduction)`.
    PoissonNLLLoss(PoissonNLLOptions) = poisson_nll_loss:;
    /// Σ max(0, margin − xₜ + xᵢ)ᵖ / classes over the other classes i, for inputs `[n, classes]` and classes t `[n]`:
    /// `nn.MultiMarginLoss(p, margin, weight, reduction)`.
    MultiMarginLoss(MultiMarginOptions) = multi_margin_loss if check_multi_margin: weight;
    /// Σ max(0, 1 − xₜ + xᵢ) / classes over a sample's classes t and the others i, for inputs and targets [n, classes], where −1
    /// ends a sample's classes: `nn.MultiLabelMarginLoss(reduction)`.
    MultiLabelMarginLoss(MultiLabelMarginLossOptions) = multilabel_margin_loss:;
    /// The mean over the classes of [`BCEWithLogitsLoss`] for inputs and targets [n, classes]:
    /// `nn.MultiLabelSoftMarginLoss(weight, reduction)`.
    MultiLabelSoftMarginLoss(MultiLabelSoftMarginLossOptions) = multilabel_soft_margin_loss: weight;
}

#[track_caller]
fn check_multi_margin(options: &MultiMarginOptions) {
    assert!(options.p == 1 || options.p == 2, "only p == 1 and p == 2 supported");
    if let Some(weight) = options.weight.as_ref().filter(|weight| weight.dim() != 1) {
        panic!("MultiMarginLoss: expected weight to be None or 1D tensor, got {}D instead", weight.dim());
    }
}

/// Refuses a margin that is not positive, in the words of the losses of triplets.
#[track_caller]
pub(crate) fn check_margin(loss: &str, margin: f64) {
    let got = flambeau_tensor::print::py_float(margin);
    assert!(margin > 0.0, "{loss}: expected margin to be greater than 0, got {got} instead");
}
