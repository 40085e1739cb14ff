//! Samples of categories through which gradients flow.

use crate::error::Result;
use crate::{Tensor, ops, warn};
use flambeau_macros::op;

/// A sample of the Gumbel-softmax distribution along `dim` (arXiv 1611.00712): softmax((x + g) / τ) of unnormalised
/// log-probabilities x, with noise g that is drawn anew: `F.gumbel_softmax`.
///
/// With `hard` it is one-hot, and has the gradient of the soft sample. Options: `tau` (1), `hard` (false), `dim` (−1); `eps` has no
/// effect, as in PyTorch.
///
/// ```
/// use torch::nn::functional as F;
/// torch::manual_seed(0);
/// let logits = torch::zeros((4, 3)).requires_grad_(true);
/// let sample = F::gumbel_softmax_with(&logits, |o| o.tau(0.5).hard(true));
/// assert_eq!(sample.sum_dim(-1, false).to_vec::<f32>(), [1.0; 4]);
/// ```
///
/// # Errors
/// When x is not of floats, the dimension does not exist, or a hard sample is to be drawn of no categories.
#[op(functional, default(tau = 1.0, hard = false, eps = 1e-10, dim = -1))]
#[track_caller]
pub fn gumbel_softmax(x: &Tensor, tau: f64, hard: bool, eps: f64, dim: i64) -> Result<Tensor> {
    if eps != 1e-10 {
        warn("`eps` parameter is deprecated and has no effect.");
    }
    let noise = ops::zeros(&x.size(), x.dtype(), x.device())?;
    let noise = ops::neg(&ops::log(&ops::exponential_(&noise, 1.0, None)?)?)?;
    let soft = ops::softmax(&ops::div(&ops::add(x, &noise, 1)?, tau)?, dim, None)?;
    if !hard {
        return Ok(soft);
    }
    let (_, index) = ops::max_dim(&soft.detach(), dim, true)?;
    let one_hot = ops::scatter_(&ops::zeros(&x.size(), x.dtype(), x.device())?, dim, &index, 1.0)?;
    // The values are those of the one-hot sample, the gradient is the soft one's.
    ops::add(&ops::sub(&one_hot, soft.detach(), 1)?, &soft, 1)
}
