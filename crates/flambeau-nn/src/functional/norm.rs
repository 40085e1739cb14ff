//! Normalisation.

use crate::options::options;
use flambeau_autograd::ops::{self, IntoShape};
use flambeau_autograd::{OrPanic, Tensor};

options! {
    /// Options of [`batch_norm_with`] and [`instance_norm_with`].
    BatchNormOptions {
        /// Multiplied, per channel (1).
        weight: Option<Tensor> = None,
        /// Added, per channel (0).
        bias: Option<Tensor> = None,
        /// Whether the batch's own statistics count, and move the running ones (no; `use_input_stats` of instance norm).
        training: bool = false,
        /// How far the running statistics move (0.1).
        momentum: f64 = 0.1,
        /// Added to the variance (1e-5).
        eps: f64 = 1e-5,
    }
}

/// Normalises each channel by its statistics over the batch, or by running ones:
/// `F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)`.
///
/// # Panics
/// On arguments that do not fit, in PyTorch's words.
#[track_caller]
pub fn batch_norm_with(
    input: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    options: impl FnOnce(BatchNormOptions) -> BatchNormOptions,
) -> Tensor {
    let o = options(BatchNormOptions::default());
    let (weight, bias) = (o.weight.as_ref(), o.bias.as_ref());
    ops::batch_norm(input, running_mean, running_var, weight, bias, o.training, o.momentum, o.eps).or_panic()
}

/// Normalises each channel of each sample by its own statistics: `F.instance_norm(input)`.
#[track_caller]
pub fn instance_norm(input: &Tensor) -> Tensor {
    instance_norm_with(input, None, None, |o| o.training(true))
}

/// [`instance_norm`] with running statistics, weight and bias; `training` is PyTorch's `use_input_stats`.
#[track_caller]
pub fn instance_norm_with(
    input: &Tensor,
    running_mean: Option<&Tensor>,
    running_var: Option<&Tensor>,
    options: impl FnOnce(BatchNormOptions) -> BatchNormOptions,
) -> Tensor {
    let o = options(BatchNormOptions::default());
    let (weight, bias) = (o.weight.as_ref(), o.bias.as_ref());
    ops::instance_norm(input, running_mean, running_var, weight, bias, o.training, o.momentum, o.eps).or_panic()
}

options! {
    /// Options of [`layer_norm_with`] and [`group_norm_with`].
    NormOptions {
        /// Multiplied: in the normalised shape, or per channel of groups (1).
        weight: Option<Tensor> = None,
        /// Added, in the shape of the weight (0).
        bias: Option<Tensor> = None,
        /// Added to the variance (1e-5).
        eps: f64 = 1e-5,
    }
}

fn lengths(shape: impl IntoShape) -> Vec<usize> {
    shape.into_dims().iter().map(|&n| n as usize).collect()
}

/// Normalises over the last dimensions: `F.layer_norm(input, normalized_shape)`.
#[track_caller]
pub fn layer_norm(input: &Tensor, normalized_shape: impl IntoShape) -> Tensor {
    layer_norm_with(input, normalized_shape, |o| o)
}

/// [`layer_norm`] with `weight`, `bias` and `eps`.
#[track_caller]
pub fn layer_norm_with(
    input: &Tensor,
    normalized_shape: impl IntoShape,
    options: impl FnOnce(NormOptions) -> NormOptions,
) -> Tensor {
    let o = options(NormOptions::default());
    ops::layer_norm(input, &lengths(normalized_shape), o.weight.as_ref(), o.bias.as_ref(), o.eps).or_panic()
}

/// Normalises groups of channels of each sample: `F.group_norm(input, num_groups)`.
#[track_caller]
pub fn group_norm(input: &Tensor, num_groups: usize) -> Tensor {
    group_norm_with(input, num_groups, |o| o)
}

/// [`group_norm`] with `weight`, `bias` and `eps`.
#[track_caller]
pub fn group_norm_with(input: &Tensor, num_groups: usize, options: impl FnOnce(NormOptions) -> NormOptions) -> Tensor {
    let o = options(NormOptions::default());
    ops::group_norm(input, num_groups, o.weight.as_ref(), o.bias.as_ref(), o.eps).or_panic()
}

/// x / √(mean x² + ε) over the last dimensions, times a weight: `F.rms_norm(input, normalized_shape, weight, eps)`.
#[track_caller]
pub fn rms_norm(input: &Tensor, normalized_shape: impl IntoShape, weight: Option<&Tensor>, eps: Option<f64>) -> Tensor {
    ops::rms_norm(input, &lengths(normalized_shape), weight, eps).or_panic()
}

/// x / max(‖x‖ₚ, 1e-12) along a dimension: `F.normalize(input, p, dim)`. PyTorch's defaults are 2 and 1.
#[track_caller]
pub fn normalize(input: &Tensor, p: f64, dim: i64) -> Tensor {
    ops::normalize(input, p, &[dim], 1e-12).or_panic()
}

/// x / (k + α · mean x²)^β over `size` neighbouring channels: `F.local_response_norm(input, size, alpha, beta, k)`. PyTorch's
/// defaults are 1e-4, 0.75 and 1.
#[track_caller]
pub fn local_response_norm(input: &Tensor, size: i64, alpha: f64, beta: f64, k: f64) -> Tensor {
    ops::local_response_norm(input, size, alpha, beta, k).or_panic()
}
