//! Losses of classes and probabilities.

use super::{Loss, LossFunction};
use crate::options::options;
use flambeau_autograd::ops::{self, Reduction};
use flambeau_autograd::{OrPanic, Tensor};

options! {
    /// Options of [`CrossEntropyLoss`].
    CrossEntropyLossOptions {
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// The target that counts for nothing (−100).
        ignore_index: i64 = -100,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// The part of a target's probability that all classes share (0).
        label_smoothing: f64 = 0.0,
    }
}

/// −ln softmax(x)ₜ for logits x [n, classes, …] and classes t [n, …], or probabilities in the shape of x: `nn.CrossEntropyLoss(weight, ignore_index, reduction, label_smoothing)`.
pub type CrossEntropyLoss = Loss<CrossEntropyLossOptions>;

impl LossFunction for CrossEntropyLossOptions {
    const NAME: &'static str = "CrossEntropyLoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::cross_entropy_with(x, target, |o| {
            let o = o.ignore_index(self.ignore_index).reduction(self.reduction).label_smoothing(self.label_smoothing);
            match &self.weight {
                Some(weight) => o.weight(weight),
                None => o,
            }
        })
        .or_panic()
    }
    fn weight(&self) -> Option<&Tensor> {
        self.weight.as_ref()
    }
}

options! {
    /// Options of [`NLLLoss`].
    NLLLossOptions {
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// The target that counts for nothing (−100).
        ignore_index: i64 = -100,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// −xₜ for log-probabilities x [n, classes, …] and classes t [n, …]: `nn.NLLLoss(weight, ignore_index, reduction)`.
pub type NLLLoss = Loss<NLLLossOptions>;

impl LossFunction for NLLLossOptions {
    const NAME: &'static str = "NLLLoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::nll_loss(x, target, self.weight.as_ref(), self.ignore_index, self.reduction).or_panic()
    }
    fn weight(&self) -> Option<&Tensor> {
        self.weight.as_ref()
    }
}

options! {
    /// Options of [`BCELoss`].
    BCELossOptions {
        /// A weight for each element, broadcast (1).
        weight: Option<Tensor> = None,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// −t · ln x − (1 − t) · ln(1 − x) for probabilities x: `nn.BCELoss(weight, reduction)`.
pub type BCELoss = Loss<BCELossOptions>;

impl LossFunction for BCELossOptions {
    const NAME: &'static str = "BCELoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::binary_cross_entropy(x, target, self.weight.as_ref(), self.reduction).or_panic()
    }
    fn weight(&self) -> Option<&Tensor> {
        self.weight.as_ref()
    }
}

options! {
    /// Options of [`BCEWithLogitsLoss`].
    BCEWithLogitsLossOptions {
        /// A weight for each element, broadcast (1).
        weight: Option<Tensor> = None,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// A weight for positive examples, broadcast (1).
        pos_weight: Option<Tensor> = None,
    }
}

/// [`BCELoss`] of sigmoid(x), which does not overflow: `nn.BCEWithLogitsLoss(weight, reduction, pos_weight)`.
pub type BCEWithLogitsLoss = Loss<BCEWithLogitsLossOptions>;

impl LossFunction for BCEWithLogitsLossOptions {
    const NAME: &'static str = "BCEWithLogitsLoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        let (weight, positive) = (self.weight.as_ref(), self.pos_weight.as_ref());
        ops::binary_cross_entropy_with_logits(x, target, weight, positive, self.reduction).or_panic()
    }
    fn weight(&self) -> Option<&Tensor> {
        self.weight.as_ref()
    }
    fn pos_weight(&self) -> Option<&Tensor> {
        self.pos_weight.as_ref()
    }
}
