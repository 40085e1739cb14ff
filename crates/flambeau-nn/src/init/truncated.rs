//! Normal numbers within bounds.

use super::{normal_from_, uniform_from_};
use flambeau_autograd::arguments::Number;
use flambeau_autograd::{AsTensor, OrPanic, Tensor, no_grad, ops};
use flambeau_tensor::random::Generator;

/// Normal numbers with the given mean and standard deviation, drawn again until they lie in [a, b]:
/// `init.trunc_normal_(tensor, mean, std, a, b)`; PyTorch's defaults are 0, 1, −2, 2.
#[track_caller]
pub fn trunc_normal_(x: impl AsTensor, mean: impl Number, std: impl Number, a: impl Number, b: impl Number) -> Tensor {
    let x = x.as_tensor();
    let mean = mean.to_f64();
    let std = std.to_f64();
    let a = a.to_f64();
    let b = b.to_f64();
    fill(x, mean, std, a, b, None)
}

/// [`trunc_normal_`] from a generator of the caller's.
#[track_caller]
pub fn trunc_normal_with_(
    x: impl AsTensor,
    mean: impl Number,
    std: impl Number,
    a: impl Number,
    b: impl Number,
    generator: &Generator,
) -> Tensor {
    let x = x.as_tensor();
    let mean = mean.to_f64();
    let std = std.to_f64();
    let a = a.to_f64();
    let b = b.to_f64();
    fill(x, mean, std, a, b, Some(generator))
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
