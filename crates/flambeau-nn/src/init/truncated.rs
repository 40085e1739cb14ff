//! Normal numbers within bounds.

use super::{normal_from_, uniform_from_};
use flambeau_autograd::{AsTensor, OrPanic, Tensor, no_grad, ops, options};
use flambeau_tensor::random::Generator;

options! {
    /// Options of [`trunc_normal_with_`].
    TruncNormalOptions {
        /// The mean (0).
        mean: f64 = 0.0,
        /// The standard deviation (1), before what lies outside of the bounds is cut.
        std: f64 = 1.0,
        /// The lower bound (−2).
        a: f64 = -2.0,
        /// The upper bound (2).
        b: f64 = 2.0,
        /// Where the numbers come from (the default generator).
        generator: Option<Generator> = None,
    }
}

/// Normal numbers of mean 0 and standard deviation 1, drawn again until they lie in [−2, 2]: `init.trunc_normal_(tensor)`.
#[track_caller]
pub fn trunc_normal_(x: impl AsTensor) -> Tensor {
    trunc_normal_with_(x, |o| o)
}

/// [`trunc_normal_`] with options: `mean`, `std`, `a`, `b`, `generator`.
///
/// ```
/// use flambeau_nn::{self as nn, init};
/// let layer = nn::Linear::new(4, 4);
/// init::trunc_normal_with_(&layer.weight, |o| o.std(0.02).a(-0.01).b(0.01));
/// assert!(layer.weight.abs().max().item() <= 0.01);
/// ```
#[track_caller]
pub fn trunc_normal_with_(x: impl AsTensor, options: impl FnOnce(TruncNormalOptions) -> TruncNormalOptions) -> Tensor {
    let o = options(TruncNormalOptions::default());
    fill(x.as_tensor(), o.mean, o.std, o.a, o.b, o.generator.as_ref())
}

/// Where the bounds leave at least 30 % of the distribution, normal numbers are drawn until all fit; else uniform numbers
/// are accepted with the density's probability. Both redraw whole tensors, as PyTorch does, for its stream.
#[track_caller]
fn fill(x: &Tensor, mean: f64, std: f64, a: f64, b: f64, generator: Option<&Generator>) -> Tensor {
    let _guard = no_grad();
    let inside = probability_below((b - mean) / std) - probability_below((a - mean) / std);
    let kept = if inside > 0.3 {
        resample_normal(x, mean, std, a, b, generator)
    } else {
        accept_uniform(x, mean, std, a, b, generator)
    };
    x.copy_(&kept)
}

#[track_caller]
fn resample_normal(x: &Tensor, mean: f64, std: f64, a: f64, b: f64, generator: Option<&Generator>) -> Tensor {
    let mut kept = normal_from_(&x.empty_like(), mean, std, generator);
    // The bounds in the tensor's dtype, which is what its elements are compared with.
    let bound = |v: f64| x.new_empty(()).fill_(v).item();
    let (low, high) = (bound(a), bound(b));
    loop {
        let outside = kept.lt(low).logical_or(kept.gt(high));
        if !any(&outside) {
            return kept;
        }
        let again = normal_from_(&x.empty_like(), mean, std, generator);
        kept = ops::where_(&outside, &again, &kept).or_panic();
    }
}

#[track_caller]
fn accept_uniform(x: &Tensor, mean: f64, std: f64, a: f64, b: f64, generator: Option<&Generator>) -> Tensor {
    let peak = -0.5 * ((mean.min(b).max(a) - mean) / std).powi(2);
    let accepted = |candidates: &Tensor| {
        let log_density = candidates.sub(mean).div_(std).pow_(2).mul_(-0.5).sub_(peak);
        uniform_from_(&x.empty_like(), 0.0, 1.0, generator).log_().le(&log_density)
    };
    let mut kept = uniform_from_(&x.empty_like(), a, b, generator);
    let mut pending = accepted(&kept).logical_not();
    while any(&pending) {
        let candidates = uniform_from_(&x.empty_like(), a, b, generator);
        kept = ops::where_(&pending, &candidates, &kept).or_panic();
        pending = pending.logical_and(accepted(&candidates).logical_not());
    }
    kept
}

#[track_caller]
fn any(mask: &Tensor) -> bool {
    mask.sum().item() > 0.0
}

/// The standard normal distribution function.
#[track_caller]
fn probability_below(x: f64) -> f64 {
    let erf = flambeau_autograd::from_vec(vec![x / std::f64::consts::SQRT_2], [1]).erf().item();
    (1.0 + erf) / 2.0
}
