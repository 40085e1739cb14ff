//! Resizing, shuffles between channels and pixels, and sliding blocks.

use flambeau_autograd::ops::{self, InterpolateOptions, IntoDims, UnfoldOptions};
use flambeau_autograd::{OrPanic, Tensor};

/// Resizes the spatial dimensions of `[n, c, …]` by `size` or `scale_factor`, with `mode`, `align_corners` and
/// `recompute_scale_factor`: `F.interpolate(input, …)`.
///
/// # Panics
/// On options that do not fit, in PyTorch's words.
#[track_caller]
pub fn interpolate(input: &Tensor, options: impl FnOnce(InterpolateOptions) -> InterpolateOptions) -> Tensor {
    ops::interpolate(input, &options(InterpolateOptions::default())).or_panic()
}

/// Moves groups of r² channels to blocks of r × r pixels: `F.pixel_shuffle(input, upscale_factor)`.
#[track_caller]
pub fn pixel_shuffle(input: &Tensor, upscale_factor: i64) -> Tensor {
    ops::pixel_shuffle(input, upscale_factor).or_panic()
}

/// The inverse of [`pixel_shuffle`]: `F.pixel_unshuffle(input, downscale_factor)`.
#[track_caller]
pub fn pixel_unshuffle(input: &Tensor, downscale_factor: i64) -> Tensor {
    ops::pixel_unshuffle(input, downscale_factor).or_panic()
}

/// Each block of `[n, c, h, w]` as a column, `[n, c·kh·kw, blocks]`: `F.unfold(input, kernel_size)`.
#[track_caller]
pub fn unfold(input: &Tensor, kernel_size: impl IntoDims) -> Tensor {
    ops::im2col(input, &kernel_size.into_dims(), &UnfoldOptions::default()).or_panic()
}

/// [`unfold`] with `dilation`, `padding` and `stride`.
#[track_caller]
pub fn unfold_with(
    input: &Tensor,
    kernel_size: impl IntoDims,
    options: impl FnOnce(UnfoldOptions) -> UnfoldOptions,
) -> Tensor {
    ops::im2col(input, &kernel_size.into_dims(), &options(UnfoldOptions::default())).or_panic()
}

/// Adds columns of blocks up to images of `output_size`: `F.fold(input, output_size, kernel_size)`.
#[track_caller]
pub fn fold(input: &Tensor, output_size: impl IntoDims, kernel_size: impl IntoDims) -> Tensor {
    fold_with(input, output_size, kernel_size, |o| o)
}

/// [`fold`] with `dilation`, `padding` and `stride`.
#[track_caller]
pub fn fold_with(
    input: &Tensor,
    output_size: impl IntoDims,
    kernel_size: impl IntoDims,
    options: impl FnOnce(UnfoldOptions) -> UnfoldOptions,
) -> Tensor {
    let options = options(UnfoldOptions::default());
    ops::col2im(input, &output_size.into_dims(), &kernel_size.into_dims(), &options).or_panic()
}
