//! Pooling: the largest value or the mean of each window.

use flambeau_autograd::ops::{self, AvgPoolOptions, IntoDims, IntoOutputSize, MaxPoolOptions};
use flambeau_autograd::{OrPanic, Tensor};

/// The largest value of each window over the last dimension, windows side by side: `F.max_pool1d(input, kernel_size)`.
///
/// # Panics
/// On windows that do not fit, in PyTorch's words.
#[track_caller]
pub fn max_pool1d(input: &Tensor, kernel_size: impl IntoDims) -> Tensor {
    ops::max_pool1d(input, &kernel_size.into_dims(), &MaxPoolOptions::default()).or_panic()
}

/// [`max_pool1d`] with `stride`, `padding`, `dilation` and `ceil_mode`.
#[track_caller]
pub fn max_pool1d_with(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
) -> Tensor {
    ops::max_pool1d(input, &kernel_size.into_dims(), &options(MaxPoolOptions::default())).or_panic()
}

/// [`max_pool1d_with`] and the flat index (int64) of each value within its channel: `return_indices=True`.
#[track_caller]
pub fn max_pool1d_with_indices(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
) -> (Tensor, Tensor) {
    ops::max_pool1d_with_indices(input, &kernel_size.into_dims(), &options(MaxPoolOptions::default())).or_panic()
}

/// The mean of each window over the last dimension, windows side by side: `F.avg_pool1d(input, kernel_size)`.
///
/// # Panics
/// On windows that do not fit, in PyTorch's words.
#[track_caller]
pub fn avg_pool1d(input: &Tensor, kernel_size: impl IntoDims) -> Tensor {
    ops::avg_pool1d(input, &kernel_size.into_dims(), &AvgPoolOptions::default()).or_panic()
}

/// [`avg_pool1d`] with `stride`, `padding`, `ceil_mode`, `count_include_pad` and `divisor_override`.
#[track_caller]
pub fn avg_pool1d_with(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(AvgPoolOptions) -> AvgPoolOptions,
) -> Tensor {
    ops::avg_pool1d(input, &kernel_size.into_dims(), &options(AvgPoolOptions::default())).or_panic()
}

/// The means of `output_size` windows that tile the last dimension; `[Some(5), None]` keeps a length:
/// `F.adaptive_avg_pool1d(input, output_size)`.
///
/// # Panics
/// On sizes that do not fit, in PyTorch's words.
#[track_caller]
pub fn adaptive_avg_pool1d(input: &Tensor, output_size: impl IntoOutputSize) -> Tensor {
    ops::adaptive_avg_pool1d(input, &output_size.into_output_size()).or_panic()
}

/// The largest values of `output_size` windows that tile the last dimension: `F.adaptive_max_pool1d(input, output_size)`.
///
/// # Panics
/// On sizes that do not fit, in PyTorch's words.
#[track_caller]
pub fn adaptive_max_pool1d(input: &Tensor, output_size: impl IntoOutputSize) -> Tensor {
    adaptive_max_pool1d_with_indices(input, output_size).0
}

/// [`adaptive_max_pool1d`] and the flat index (int64) of each value within its channel.
#[track_caller]
pub fn adaptive_max_pool1d_with_indices(input: &Tensor, output_size: impl IntoOutputSize) -> (Tensor, Tensor) {
    ops::adaptive_max_pool1d(input, &output_size.into_output_size()).or_panic()
}

/// Puts the values of [`max_pool1d_with_indices`] back, zeros elsewhere; `options` are those of the pooling:
/// `F.max_unpool1d(input, indices, kernel_size)`.
///
/// # Panics
/// On an index outside the output.
#[track_caller]
pub fn max_unpool1d(
    input: &Tensor,
    indices: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
    output_size: Option<&[usize]>,
) -> Tensor {
    let options = options(MaxPoolOptions::default());
    ops::max_unpool1d(input, indices, &kernel_size.into_dims(), &options, output_size).or_panic()
}

/// The largest value of each window over height and width, windows side by side: `F.max_pool2d(input, kernel_size)`.
///
/// # Panics
/// On windows that do not fit, in PyTorch's words.
#[track_caller]
pub fn max_pool2d(input: &Tensor, kernel_size: impl IntoDims) -> Tensor {
    ops::max_pool2d(input, &kernel_size.into_dims(), &MaxPoolOptions::default()).or_panic()
}

/// [`max_pool2d`] with `stride`, `padding`, `dilation` and `ceil_mode`.
#[track_caller]
pub fn max_pool2d_with(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
) -> Tensor {
    ops::max_pool2d(input, &kernel_size.into_dims(), &options(MaxPoolOptions::default())).or_panic()
}

/// [`max_pool2d_with`] and the flat index (int64) of each value within its channel: `return_indices=True`.
#[track_caller]
pub fn max_pool2d_with_indices(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
) -> (Tensor, Tensor) {
    ops::max_pool2d_with_indices(input, &kernel_size.into_dims(), &options(MaxPoolOptions::default())).or_panic()
}

/// The mean of each window over height and width, windows side by side: `F.avg_pool2d(input, kernel_size)`.
///
/// # Panics
/// On windows that do not fit, in PyTorch's words.
#[track_caller]
pub fn avg_pool2d(input: &Tensor, kernel_size: impl IntoDims) -> Tensor {
    ops::avg_pool2d(input, &kernel_size.into_dims(), &AvgPoolOptions::default()).or_panic()
}

/// [`avg_pool2d`] with `stride`, `padding`, `ceil_mode`, `count_include_pad` and `divisor_override`.
#[track_caller]
pub fn avg_pool2d_with(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(AvgPoolOptions) -> AvgPoolOptions,
) -> Tensor {
    ops::avg_pool2d(input, &kernel_size.into_dims(), &options(AvgPoolOptions::default())).or_panic()
}

/// The means of `output_size` windows that tile height and width; `[Some(5), None]` keeps a length:
/// `F.adaptive_avg_pool2d(input, output_size)`.
///
/// # Panics
/// On sizes that do not fit, in PyTorch's words.
#[track_caller]
pub fn adaptive_avg_pool2d(input: &Tensor, output_size: impl IntoOutputSize) -> Tensor {
    ops::adaptive_avg_pool2d(input, &output_size.into_output_size()).or_panic()
}

/// The largest values of `output_size` windows that tile height and width: `F.adaptive_max_pool2d(input, output_size)`.
///
/// # Panics
/// On sizes that do not fit, in PyTorch's words.
#[track_caller]
pub fn adaptive_max_pool2d(input: &Tensor, output_size: impl IntoOutputSize) -> Tensor {
    adaptive_max_pool2d_with_indices(input, output_size).0
}

/// [`adaptive_max_pool2d`] and the flat index (int64) of each value within its channel.
#[track_caller]
pub fn adaptive_max_pool2d_with_indices(input: &Tensor, output_size: impl IntoOutputSize) -> (Tensor, Tensor) {
    ops::adaptive_max_pool2d(input, &output_size.into_output_size()).or_panic()
}

/// Puts the values of [`max_pool2d_with_indices`] back, zeros elsewhere; `options` are those of the pooling:
/// `F.max_unpool2d(input, indices, kernel_size)`.
///
/// # Panics
/// On an index outside the output.
#[track_caller]
pub fn max_unpool2d(
    input: &Tensor,
    indices: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
    output_size: Option<&[usize]>,
) -> Tensor {
    let options = options(MaxPoolOptions::default());
    ops::max_unpool2d(input, indices, &kernel_size.into_dims(), &options, output_size).or_panic()
}

/// The largest value of each window over depth, height and width, windows side by side: `F.max_pool3d(input, kernel_size)`.
///
/// # Panics
/// On windows that do not fit, in PyTorch's words.
#[track_caller]
pub fn max_pool3d(input: &Tensor, kernel_size: impl IntoDims) -> Tensor {
    ops::max_pool3d(input, &kernel_size.into_dims(), &MaxPoolOptions::default()).or_panic()
}

/// [`max_pool3d`] with `stride`, `padding`, `dilation` and `ceil_mode`.
#[track_caller]
pub fn max_pool3d_with(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
) -> Tensor {
    ops::max_pool3d(input, &kernel_size.into_dims(), &options(MaxPoolOptions::default())).or_panic()
}

/// [`max_pool3d_with`] and the flat index (int64) of each value within its channel: `return_indices=True`.
#[track_caller]
pub fn max_pool3d_with_indices(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
) -> (Tensor, Tensor) {
    ops::max_pool3d_with_indices(input, &kernel_size.into_dims(), &options(MaxPoolOptions::default())).or_panic()
}

/// The mean of each window over depth, height and width, windows side by side: `F.avg_pool3d(input, kernel_size)`.
///
/// # Panics
/// On windows that do not fit, in PyTorch's words.
#[track_caller]
pub fn avg_pool3d(input: &Tensor, kernel_size: impl IntoDims) -> Tensor {
    ops::avg_pool3d(input, &kernel_size.into_dims(), &AvgPoolOptions::default()).or_panic()
}

/// [`avg_pool3d`] with `stride`, `padding`, `ceil_mode`, `count_include_pad` and `divisor_override`.
#[track_caller]
pub fn avg_pool3d_with(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(AvgPoolOptions) -> AvgPoolOptions,
) -> Tensor {
    ops::avg_pool3d(input, &kernel_size.into_dims(), &options(AvgPoolOptions::default())).or_panic()
}

/// The means of `output_size` windows that tile depth, height and width; `[Some(5), None]` keeps a length:
/// `F.adaptive_avg_pool3d(input, output_size)`.
///
/// # Panics
/// On sizes that do not fit, in PyTorch's words.
#[track_caller]
pub fn adaptive_avg_pool3d(input: &Tensor, output_size: impl IntoOutputSize) -> Tensor {
    ops::adaptive_avg_pool3d(input, &output_size.into_output_size()).or_panic()
}

/// The largest values of `output_size` windows that tile depth, height and width: `F.adaptive_max_pool3d(input, output_size)`.
///
/// # Panics
/// On sizes that do not fit, in PyTorch's words.
#[track_caller]
pub fn adaptive_max_pool3d(input: &Tensor, output_size: impl IntoOutputSize) -> Tensor {
    adaptive_max_pool3d_with_indices(input, output_size).0
}

/// [`adaptive_max_pool3d`] and the flat index (int64) of each value within its channel.
#[track_caller]
pub fn adaptive_max_pool3d_with_indices(input: &Tensor, output_size: impl IntoOutputSize) -> (Tensor, Tensor) {
    ops::adaptive_max_pool3d(input, &output_size.into_output_size()).or_panic()
}

/// Puts the values of [`max_pool3d_with_indices`] back, zeros elsewhere; `options` are those of the pooling:
/// `F.max_unpool3d(input, indices, kernel_size)`.
///
/// # Panics
/// On an index outside the output.
#[track_caller]
pub fn max_unpool3d(
    input: &Tensor,
    indices: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(MaxPoolOptions) -> MaxPoolOptions,
    output_size: Option<&[usize]>,
) -> Tensor {
    let options = options(MaxPoolOptions::default());
    ops::max_unpool3d(input, indices, &kernel_size.into_dims(), &options, output_size).or_panic()
}
