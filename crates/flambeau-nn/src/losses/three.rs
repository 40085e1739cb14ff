//! Losses of three tensors.

use crate::{Module, ModuleState, forward};
use flambeau_autograd::{OrPanic, Tensor, ops};

/// The function of a loss of three tensors with its options: what distinguishes one such loss from another.
pub trait LossFunction3: Default + Clone + Send + Sync + 'static {
    /// The loss's name in prints.
    const NAME: &'static str;

    /// The loss of three tensors.
    fn apply(&self, a: &Tensor, b: &Tensor, c: &Tensor) -> Tensor;

    /// As [`check`](super::LossFunction::check) of losses of two tensors.
    ///
    /// # Panics
    /// With PyTorch's message.
    #[track_caller]
    fn check(&self) {}
}

/// A loss of three tensors, made of its function: `nn.TripletMarginLoss` and the like are aliases of this.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn as nn;
/// let triplet = nn::TripletMarginLoss::with(|o| o.margin(2).p(1).eps(0));
/// let [anchor, positive, negative] = [0.0, 1.0, 2.5].map(|x| tensor([[x]]));
/// assert_eq!(triplet.call(&anchor, &positive, &negative).item(), 0.5);
/// ```
#[derive(Module)]
#[module(type_name)]
pub struct Loss3<F: LossFunction3> {
    function: F,
    state: ModuleState,
}

impl<F: LossFunction3> Default for Loss3<F> {
    fn default() -> Self {
        Self::new()
    }
}

impl<F: LossFunction3> Loss3<F> {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options, named as PyTorch's keywords.
    ///
    /// # Panics
    /// For options that PyTorch's constructor refuses.
    #[track_caller]
    pub fn with(options: impl FnOnce(F) -> F) -> Self {
        let function = options(F::default());
        function.check();
        Loss3 { function, state: ModuleState::new() }
    }

    fn type_name(&self) -> &'static str {
        F::NAME
    }
}

#[forward]
impl<F: LossFunction3> Loss3<F> {
    /// The loss of the three tensors, in the order of PyTorch's arguments.
    ///
    /// # Panics
    /// When shapes or dtypes do not fit, with PyTorch's message.
    #[track_caller]
    fn forward(&self, input1: &Tensor, input2: &Tensor, input3: &Tensor) -> Tensor {
        self.function.apply(input1, input2, input3)
    }
}

/// Declares, for each line `Loss(Options) = function`, the loss as its function in [`ops`] with the function's options; behind
/// `if` stands what the constructor looks at.
macro_rules! losses {
    ($($(#[$doc:meta])* $loss:ident($options:ident) = $function:ident $(if $check:ident)?;)*) => {$(
        pub use ops::$options;

        $(#[$doc])*
        pub type $loss = Loss3<$options>;

        impl LossFunction3 for $options {
            const NAME: &'static str = stringify!($loss);
            #[track_caller]
            fn apply(&self, a: &Tensor, b: &Tensor, c: &Tensor) -> Tensor {
                ops::$function(a, b, c, self).or_panic()
            }
            $(#[track_caller]
            fn check(&self) {
                $check(self);
            })?
        }
    )*};
}

losses! {
    /// max(0, −t · (x₁ − x₂) + margin) for targets ±1: `nn.MarginRankingLoss(margin, reduction)`.
    MarginRankingLoss(MarginRankingOptions) = margin_ranking_loss;
    /// 1 − cos(x₁, x₂) where t = 1, max(0, cos(x₁, x₂) − margin) where t = −1: `nn.CosineEmbeddingLoss(margin, reduction)`.
    CosineEmbeddingLoss(CosineEmbeddingOptions) = cosine_embedding_loss;
    /// max(0, d(anchor, positive) − d(anchor, negative) + margin), d the p-norm of the difference:
    /// `nn.TripletMarginLoss(margin, p, eps, swap, reduction)`.
    TripletMarginLoss(TripletMarginOptions) = triplet_margin_loss if check_triplet;
}

#[track_caller]
fn check_triplet(options: &TripletMarginOptions) {
    super::check_margin("TripletMarginLoss", options.margin);
}
