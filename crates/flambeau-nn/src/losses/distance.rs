//! The margin of triplets by a distance of the user's.

use super::check_margin;
use crate::layers::PairwiseDistance;
use crate::{Forward, Module, ModuleState, forward};
use flambeau_autograd::arguments::Number;
pub use flambeau_autograd::ops::DistanceFunction;
use flambeau_autograd::ops::{Reduction, TripletMarginWithDistanceLossOptions};
use flambeau_autograd::{OrPanic, Tensor, ops};

/// A module that maps two tensors to their distance.
type DistanceModule = Box<dyn Forward<(Tensor, Tensor)>>;

/// max(0, d(anchor, positive) − d(anchor, negative) + margin) with a distance d of the user's, a function or a module:
/// `nn.TripletMarginWithDistanceLoss(distance_function, margin, swap, reduction)`. Without one it is [`PairwiseDistance`]'s.
///
/// ```
/// use flambeau_autograd::tensor;
/// use flambeau_nn::{self as nn, Module, functional as F};
/// let triplet = nn::TripletMarginWithDistanceLoss::with(|o| {
///     o.distance_function(|x, y| F::cosine_similarity(x, y).neg() + 1.0).margin(0.5)
/// });
/// let [a, p, n] = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]].map(|x| tensor([x]));
/// assert_eq!(triplet.call(&a, &n, &p).item(), 1.5);
/// assert_eq!(nn::TripletMarginWithDistanceLoss::new().repr(),
///     "TripletMarginWithDistanceLoss(\n  (distance_function): PairwiseDistance()\n)");
/// ```
#[derive(Module)]
pub struct TripletMarginWithDistanceLoss {
    distance_function: Option<DistanceModule>,
    options: TripletMarginWithDistanceLossOptions,
    state: ModuleState,
}

/// Options of [`TripletMarginWithDistanceLoss`].
#[derive(Default)]
pub struct TripletMarginWithDistanceOptions {
    module: Option<DistanceModule>,
    options: TripletMarginWithDistanceLossOptions,
}

impl TripletMarginWithDistanceOptions {
    /// The distance, a function or closure of two tensors.
    #[must_use]
    pub fn distance_function(mut self, f: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static) -> Self {
        self.options = self.options.distance_function(f);
        self.module = None;
        self
    }

    /// The distance, a module of two tensors, which becomes a part of the loss: PyTorch's `distance_function` of a module.
    #[must_use]
    pub fn distance_module(mut self, module: impl Forward<(Tensor, Tensor)>) -> Self {
        self.options.distance_function = None;
        self.module = Some(Box::new(module));
        self
    }

    /// By how much the negative must be farther (1).
    #[must_use]
    pub fn margin(mut self, margin: impl Number) -> Self {
        self.options = self.options.margin(margin);
        self
    }

    /// Whether the distance of positive and negative counts where it is the smaller (false).
    #[must_use]
    pub fn swap(mut self, swap: bool) -> Self {
        self.options = self.options.swap(swap);
        self
    }

    /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
    #[track_caller]
    #[must_use]
    pub fn reduction(mut self, reduction: impl Into<Reduction>) -> Self {
        self.options = self.options.reduction(reduction);
        self
    }
}

impl Default for TripletMarginWithDistanceLoss {
    fn default() -> Self {
        Self::new()
    }
}

impl TripletMarginWithDistanceLoss {
    /// With PyTorch's defaults.
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `distance_function` or `distance_module`, `margin`, `swap`, `reduction`.
    ///
    /// # Panics
    /// When the margin is not positive.
    #[track_caller]
    pub fn with(options: impl FnOnce(TripletMarginWithDistanceOptions) -> TripletMarginWithDistanceOptions) -> Self {
        let TripletMarginWithDistanceOptions { module, options } = options(Default::default());
        check_margin("TripletMarginWithDistanceLoss", options.margin);
        let distance_function = match (module, &options.distance_function) {
            (None, None) => Some(Box::new(PairwiseDistance::new()) as DistanceModule),
            (module, _) => module,
        };
        TripletMarginWithDistanceLoss { distance_function, options, state: ModuleState::new() }
    }
}

#[forward]
impl TripletMarginWithDistanceLoss {
    /// The loss of three tensors.
    ///
    /// # Panics
    /// When the numbers of dimensions differ, with PyTorch's message.
    #[track_caller]
    fn forward(&self, anchor: &Tensor, positive: &Tensor, negative: &Tensor) -> Tensor {
        let distance = |x: &Tensor, y: &Tensor| match &self.distance_function {
            Some(module) => Ok(module.call_ref((x, y))),
            None => Ok(self.options.distance_function.as_ref().expect("there is one of the two").call(x, y)),
        };
        ops::triplet_margin_by(anchor, positive, negative, &self.options, &distance).or_panic()
    }
}
