//! Losses. Those of one input and one target are the losses' own functions: [`nn::MSELoss`](crate::MSELoss) and its like.

use crate::losses::*;
use crate::options::options;
use flambeau_autograd::ops::{self, Reduction, TripletMarginOptions};
use flambeau_autograd::{OrPanic, Tensor};

/// Applies a loss's function with its options.
#[track_caller]
fn apply<L: LossFunction>(input: &Tensor, target: &Tensor, options: impl FnOnce(L) -> L) -> Tensor {
    options(L::default()).apply(input, target)
}

/// Cross-entropy of logits and targets, classes or probabilities: `F.cross_entropy(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn cross_entropy(input: &Tensor, target: &Tensor) -> Tensor {
    cross_entropy_with(input, target, |o| o)
}

/// [`cross_entropy`] with `weight`, `ignore_index`, `reduction` and `label_smoothing`.
#[track_caller]
pub fn cross_entropy_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(CrossEntropyLossOptions) -> CrossEntropyLossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// −x at the target's class, of log-probabilities: `F.nll_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn nll_loss(input: &Tensor, target: &Tensor) -> Tensor {
    nll_loss_with(input, target, |o| o)
}

/// [`nll_loss`] with `weight`, `ignore_index` and `reduction`.
#[track_caller]
pub fn nll_loss_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(NLLLossOptions) -> NLLLossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// −t · ln x − (1 − t) · ln(1 − x) of probabilities: `F.binary_cross_entropy(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn binary_cross_entropy(input: &Tensor, target: &Tensor) -> Tensor {
    binary_cross_entropy_with(input, target, |o| o)
}

/// [`binary_cross_entropy`] with `weight` and `reduction`.
#[track_caller]
pub fn binary_cross_entropy_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(BCELossOptions) -> BCELossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// [`binary_cross_entropy`] of σ(x), which does not overflow: `F.binary_cross_entropy_with_logits(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn binary_cross_entropy_with_logits(input: &Tensor, target: &Tensor) -> Tensor {
    binary_cross_entropy_with_logits_with(input, target, |o| o)
}

/// [`binary_cross_entropy_with_logits`] with `weight`, `pos_weight` and `reduction`.
#[track_caller]
pub fn binary_cross_entropy_with_logits_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(BCEWithLogitsLossOptions) -> BCEWithLogitsLossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// The mean of (x − t)²: `F.mse_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn mse_loss(input: &Tensor, target: &Tensor) -> Tensor {
    mse_loss_with(input, target, |o| o)
}

/// [`mse_loss`] with `reduction`.
#[track_caller]
pub fn mse_loss_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(MSELossOptions) -> MSELossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// The mean of |x − t|: `F.l1_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn l1_loss(input: &Tensor, target: &Tensor) -> Tensor {
    l1_loss_with(input, target, |o| o)
}

/// [`l1_loss`] with `reduction`.
#[track_caller]
pub fn l1_loss_with(input: &Tensor, target: &Tensor, options: impl FnOnce(L1LossOptions) -> L1LossOptions) -> Tensor {
    apply(input, target, options)
}

/// (x − t)² / 2β where |x − t| < β, else |x − t| − β/2: `F.smooth_l1_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn smooth_l1_loss(input: &Tensor, target: &Tensor) -> Tensor {
    smooth_l1_loss_with(input, target, |o| o)
}

/// [`smooth_l1_loss`] with `beta` and `reduction`.
#[track_caller]
pub fn smooth_l1_loss_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(SmoothL1LossOptions) -> SmoothL1LossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// (x − t)² / 2 where |x − t| ≤ δ, else δ · (|x − t| − δ/2): `F.huber_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn huber_loss(input: &Tensor, target: &Tensor) -> Tensor {
    huber_loss_with(input, target, |o| o)
}

/// [`huber_loss`] with `delta` and `reduction`.
#[track_caller]
pub fn huber_loss_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(HuberLossOptions) -> HuberLossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// The Kullback–Leibler divergence of log-probabilities from probabilities: `F.kl_div(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn kl_div(input: &Tensor, target: &Tensor) -> Tensor {
    kl_div_with(input, target, |o| o)
}

/// [`kl_div`] with `log_target` and `reduction`.
#[track_caller]
pub fn kl_div_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(KLDivLossOptions) -> KLDivLossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// x where the target is 1, max(margin − x, 0) where it is −1: `F.hinge_embedding_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn hinge_embedding_loss(input: &Tensor, target: &Tensor) -> Tensor {
    hinge_embedding_loss_with(input, target, |o| o)
}

/// [`hinge_embedding_loss`] with `margin` and `reduction`.
#[track_caller]
pub fn hinge_embedding_loss_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(HingeEmbeddingLossOptions) -> HingeEmbeddingLossOptions,
) -> Tensor {
    apply(input, target, options)
}

/// ln(1 + e^(−t·x)) with targets of 1 and −1: `F.soft_margin_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn soft_margin_loss(input: &Tensor, target: &Tensor) -> Tensor {
    soft_margin_loss_with(input, target, |o| o)
}

/// [`soft_margin_loss`] with `reduction`.
#[track_caller]
pub fn soft_margin_loss_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(SoftMarginLossOptions) -> SoftMarginLossOptions,
) -> Tensor {
    apply(input, target, options)
}

options! {
    /// Options of [`margin_ranking_loss_with`].
    MarginRankingOptions {
        /// By how much one must rank above the other (0).
        margin: f64 = 0.0,
        /// What becomes of the losses of single elements (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// max(−t · (a − b) + margin, 0): `F.margin_ranking_loss(input1, input2, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn margin_ranking_loss(input1: &Tensor, input2: &Tensor, target: &Tensor) -> Tensor {
    margin_ranking_loss_with(input1, input2, target, |o| o)
}

/// [`margin_ranking_loss`] with `margin` and `reduction`.
#[track_caller]
pub fn margin_ranking_loss_with(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    options: impl FnOnce(MarginRankingOptions) -> MarginRankingOptions,
) -> Tensor {
    let o = options(MarginRankingOptions::default());
    ops::margin_ranking_loss(input1, input2, target, o.margin, o.reduction).or_panic()
}

options! {
    /// Options of [`cosine_embedding_loss_with`].
    CosineEmbeddingOptions {
        /// The cosine that different pairs may have (0).
        margin: f64 = 0.0,
        /// What becomes of the losses of single elements (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// 1 − cos(a, b) where the target is 1, max(cos(a, b) − margin, 0) where it is −1: `F.cosine_embedding_loss(input1, input2, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn cosine_embedding_loss(input1: &Tensor, input2: &Tensor, target: &Tensor) -> Tensor {
    cosine_embedding_loss_with(input1, input2, target, |o| o)
}

/// [`cosine_embedding_loss`] with `margin` and `reduction`.
#[track_caller]
pub fn cosine_embedding_loss_with(
    input1: &Tensor,
    input2: &Tensor,
    target: &Tensor,
    options: impl FnOnce(CosineEmbeddingOptions) -> CosineEmbeddingOptions,
) -> Tensor {
    let o = options(CosineEmbeddingOptions::default());
    ops::cosine_embedding_loss(input1, input2, target, o.margin, o.reduction).or_panic()
}

options! {
    /// Options of [`multi_margin_loss_with`].
    MultiMarginOptions {
        /// The exponent, 1 or 2 (1).
        p: i64 = 1,
        /// By how much the target's class must lead (1).
        margin: f64 = 1.0,
        /// A weight for each class (1).
        weight: Option<Tensor> = None,
        /// What becomes of the losses of single elements (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// Σ over classes i ≠ y of max(margin − x_y + x_i, 0)ᵖ / C: `F.multi_margin_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn multi_margin_loss(input: &Tensor, target: &Tensor) -> Tensor {
    multi_margin_loss_with(input, target, |o| o)
}

/// [`multi_margin_loss`] with `p`, `margin`, `weight` and `reduction`.
#[track_caller]
pub fn multi_margin_loss_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(MultiMarginOptions) -> MultiMarginOptions,
) -> Tensor {
    let o = options(MultiMarginOptions::default());
    ops::multi_margin_loss(input, target, o.p, o.margin, o.weight.as_ref(), o.reduction).or_panic()
}

options! {
    /// Options of [`poisson_nll_loss_with`].
    PoissonNLLOptions {
        /// Whether the input is a logarithm (yes).
        log_input: bool = true,
        /// Whether Stirling's approximation of ln t! is added (no).
        full: bool = false,
        /// Added to the input before its logarithm is taken (1e-8).
        eps: f64 = 1e-8,
        /// What becomes of the losses of single elements (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The negative log-likelihood of `target` under Poisson distributions: `F.poisson_nll_loss(input, target)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn poisson_nll_loss(input: &Tensor, target: &Tensor) -> Tensor {
    poisson_nll_loss_with(input, target, |o| o)
}

/// [`poisson_nll_loss`] with `log_input`, `full`, `eps` and `reduction`.
#[track_caller]
pub fn poisson_nll_loss_with(
    input: &Tensor,
    target: &Tensor,
    options: impl FnOnce(PoissonNLLOptions) -> PoissonNLLOptions,
) -> Tensor {
    let o = options(PoissonNLLOptions::default());
    ops::poisson_nll_loss(input, target, o.log_input, o.full, o.eps, o.reduction).or_panic()
}

options! {
    /// Options of [`gaussian_nll_loss_with`].
    GaussianNLLOptions {
        /// Whether the constant ½ ln 2π is added (no).
        full: bool = false,
        /// The least variance (1e-6).
        eps: f64 = 1e-6,
        /// What becomes of the losses of single elements (`"mean"`).
        reduction: Reduction = Reduction::Mean,
    }
}

/// The negative log-likelihood of `target` under normal distributions of means `input` and variances `var`: `F.gaussian_nll_loss(input, target, var)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn gaussian_nll_loss(input: &Tensor, target: &Tensor, var: &Tensor) -> Tensor {
    gaussian_nll_loss_with(input, target, var, |o| o)
}

/// [`gaussian_nll_loss`] with `full`, `eps` and `reduction`.
#[track_caller]
pub fn gaussian_nll_loss_with(
    input: &Tensor,
    target: &Tensor,
    var: &Tensor,
    options: impl FnOnce(GaussianNLLOptions) -> GaussianNLLOptions,
) -> Tensor {
    let o = options(GaussianNLLOptions::default());
    ops::gaussian_nll_loss(input, target, var, o.full, o.eps, o.reduction).or_panic()
}

/// max(d(anchor, positive) − d(anchor, negative) + margin, 0): `F.triplet_margin_loss(anchor, positive, negative)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn triplet_margin_loss(anchor: &Tensor, positive: &Tensor, negative: &Tensor) -> Tensor {
    triplet_margin_loss_with(anchor, positive, negative, |o| o)
}

/// [`triplet_margin_loss`] with `margin`, `p`, `eps`, `swap` and `reduction`.
#[track_caller]
pub fn triplet_margin_loss_with(
    anchor: &Tensor,
    positive: &Tensor,
    negative: &Tensor,
    options: impl FnOnce(TripletMarginOptions) -> TripletMarginOptions,
) -> Tensor {
    let o = options(TripletMarginOptions::default());
    ops::triplet_margin_loss(anchor, positive, negative, &o).or_panic()
}
