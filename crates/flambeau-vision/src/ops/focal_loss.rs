//! The focal loss.

use super::reduced;
use flambeau_autograd::{AsTensor, Tensor, options};
use flambeau_nn::functional as F;
use flambeau_tensor::print::py_float;

options! {
    /// Options of [`sigmoid_focal_loss_with`].
    FocalLossOptions {
        /// The weight of positive examples, 1 − alpha that of others; −1 for none (0.25).
        alpha: f64 = 0.25,
        /// The power of 1 − p, by which examples that are easy count less (2).
        gamma: f64 = 2.0,
        /// `"none"`, `"mean"` or `"sum"` (`"none"`).
        reduction: String = "none".to_owned(),
    }
}

/// The focal loss of logits, of which examples that are easy count little: `torchvision.ops.sigmoid_focal_loss(inputs, targets)`.
/// Both have one shape; targets are 0 or 1, floats.
///
/// ```
/// let loss = torch::vision::ops::sigmoid_focal_loss(torch::tensor([0.0]), torch::tensor([1.0]));
/// assert!((loss.item() - 0.25 * 0.25 * 2f64.ln()).abs() < 1e-6);
/// ```
#[track_caller]
pub fn sigmoid_focal_loss(inputs: impl AsTensor, targets: impl AsTensor) -> Tensor {
    sigmoid_focal_loss_with(inputs, targets, |o| o)
}

/// [`sigmoid_focal_loss`] with options: `alpha`, `gamma`, `reduction`.
///
/// # Panics
/// When alpha is neither within 0 and 1 nor −1, or there is no such reduction.
#[track_caller]
pub fn sigmoid_focal_loss_with(
    inputs: impl AsTensor,
    targets: impl AsTensor,
    options: impl FnOnce(FocalLossOptions) -> FocalLossOptions,
) -> Tensor {
    let (x, t) = (inputs.as_tensor(), targets.as_tensor());
    let FocalLossOptions { alpha, gamma, reduction } = options(FocalLossOptions::default());
    assert!(
        (0.0..=1.0).contains(&alpha) || alpha == -1.0,
        "Invalid alpha value: {}. alpha must be in the range [0,1] or -1 for ignore.",
        py_float(alpha)
    );
    let p = x.sigmoid();
    let cross_entropy = F::binary_cross_entropy_with_logits_with(x, t, |o| o.reduction("none"));
    let other = t.neg().add(1);
    // The probability of what is true.
    let right = p.mul(t).add(p.neg().add(1).mul(&other));
    let mut loss = cross_entropy.mul(right.neg().add(1).pow(gamma));
    if alpha >= 0.0 {
        loss = t.mul(alpha).add(other.mul(1.0 - alpha)).mul(loss);
    }
    reduced(&loss, &reduction)
}
