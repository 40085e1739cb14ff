//! Losses of numbers against numbers.

use super::{Loss, LossFunction};
use crate::options::options;
use flambeau_autograd::ops::{self, Reduction};
use flambeau_autograd::{OrPanic, Tensor};

options! {
    /// Options of [`MSELoss`].
    MSELossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The squared difference (x − t)²: `nn.MSELoss(reduction)`.
pub type MSELoss = Loss<MSELossOptions>;

impl LossFunction for MSELossOptions {
    const NAME: &'static str = "MSELoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::mse_loss(x, target, self.reduction).or_panic()
    }
}

options! {
    /// Options of [`L1Loss`].
    L1LossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The absolute difference |x − t|: `nn.L1Loss(reduction)`.
pub type L1Loss = Loss<L1LossOptions>;

impl LossFunction for L1LossOptions {
    const NAME: &'static str = "L1Loss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::l1_loss(x, target, self.reduction).or_panic()
    }
}

options! {
    /// Options of [`SmoothL1Loss`].
    SmoothL1LossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// Where the square ends (1).
        beta: f64 = 1.0,
    }
}

/// (x − t)² / 2β where |x − t| < β, else |x − t| − β/2: `nn.SmoothL1Loss(reduction, beta)`.
pub type SmoothL1Loss = Loss<SmoothL1LossOptions>;

impl LossFunction for SmoothL1LossOptions {
    const NAME: &'static str = "SmoothL1Loss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::smooth_l1_loss(x, target, self.beta, self.reduction).or_panic()
    }
}

options! {
    /// Options of [`HuberLoss`].
    HuberLossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// Where the square ends (1).
        delta: f64 = 1.0,
    }
}

/// (x − t)² / 2 where |x − t| ≤ δ, else δ · (|x − t| − δ/2): `nn.HuberLoss(reduction, delta)`.
pub type HuberLoss = Loss<HuberLossOptions>;

impl LossFunction for HuberLossOptions {
    const NAME: &'static str = "HuberLoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::huber_loss(x, target, self.delta, self.reduction).or_panic()
    }
}

options! {
    /// Options of [`KLDivLoss`].
    KLDivLossOptions {
        /// As of the other losses, and `"batchmean"`, the sum over the batch size (`"mean"`).
        reduction: Reduction = Reduction::Mean,
        /// Whether the targets are log-probabilities too (false).
        log_target: bool = false,
    }
}

/// t · (ln t − x) for log-probabilities x and probabilities t: `nn.KLDivLoss(reduction, log_target)`.
pub type KLDivLoss = Loss<KLDivLossOptions>;

impl LossFunction for KLDivLossOptions {
    const NAME: &'static str = "KLDivLoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::kl_div(x, target, self.log_target, self.reduction).or_panic()
    }
}

options! {
    /// Options of [`HingeEmbeddingLoss`].
    HingeEmbeddingLossOptions {
        /// How far apart unlike pairs shall be (1).
        margin: f64 = 1.0,
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// x where t = 1, max(0, margin − x) where t = −1: `nn.HingeEmbeddingLoss(margin, reduction)`.
pub type HingeEmbeddingLoss = Loss<HingeEmbeddingLossOptions>;

impl LossFunction for HingeEmbeddingLossOptions {
    const NAME: &'static str = "HingeEmbeddingLoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::hinge_embedding_loss(x, target, self.margin, self.reduction).or_panic()
    }
}

options! {
    /// Options of [`SoftMarginLoss`].
    SoftMarginLossOptions {
        /// What becomes of the losses of single elements: `"none"`, `"mean"`, `"sum"` (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// ln(1 + e^(−t·x)) for targets ±1: `nn.SoftMarginLoss(reduction)`.
pub type SoftMarginLoss = Loss<SoftMarginLossOptions>;

impl LossFunction for SoftMarginLossOptions {
    const NAME: &'static str = "SoftMarginLoss";
    #[track_caller]
    fn apply(&self, x: &Tensor, target: &Tensor) -> Tensor {
        ops::soft_margin_loss(x, target, self.reduction).or_panic()
    }
}
