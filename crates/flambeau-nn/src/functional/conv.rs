//! Convolutions: `F.conv1d` … `F.conv_transpose3d`.

use flambeau_autograd::ops::{self, ConvOptions, ConvTransposeOptions};
use flambeau_autograd::{OrPanic, Tensor};

/// The cross-correlation of `[n, c, l]` (or one sample) with a weight `[o, c/groups, k]`, plus a bias `[o]`: `F.conv1d(input, weight,
/// bias)`.
///
/// # Panics
/// On shapes or dtypes that do not fit, in PyTorch's words.
#[track_caller]
pub fn conv1d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    ops::conv1d(input, weight, bias, &ConvOptions::default()).or_panic()
}

/// [`conv1d`] with `stride`, `padding` (numbers, `"same"`, `"valid"`), `dilation` and `groups`.
#[track_caller]
pub fn conv1d_with(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: impl FnOnce(ConvOptions) -> ConvOptions,
) -> Tensor {
    ops::conv1d(input, weight, bias, &options(ConvOptions::default())).or_panic()
}

/// The cross-correlation of `[n, c, h, w]` (or one sample) with a weight `[o, c/groups, kh, kw]`, plus a bias `[o]`: `F.conv2d(input, weight,
/// bias)`.
///
/// # Panics
/// On shapes or dtypes that do not fit, in PyTorch's words.
#[track_caller]
pub fn conv2d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    ops::conv2d(input, weight, bias, &ConvOptions::default()).or_panic()
}

/// [`conv2d`] with `stride`, `padding` (numbers, `"same"`, `"valid"`), `dilation` and `groups`.
#[track_caller]
pub fn conv2d_with(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: impl FnOnce(ConvOptions) -> ConvOptions,
) -> Tensor {
    ops::conv2d(input, weight, bias, &options(ConvOptions::default())).or_panic()
}

/// The cross-correlation of `[n, c, d, h, w]` (or one sample) with a weight `[o, c/groups, kd, kh, kw]`, plus a bias `[o]`: `F.conv3d(input, weight,
/// bias)`.
///
/// # Panics
/// On shapes or dtypes that do not fit, in PyTorch's words.
#[track_caller]
pub fn conv3d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    ops::conv3d(input, weight, bias, &ConvOptions::default()).or_panic()
}

/// [`conv3d`] with `stride`, `padding` (numbers, `"same"`, `"valid"`), `dilation` and `groups`.
#[track_caller]
pub fn conv3d_with(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: impl FnOnce(ConvOptions) -> ConvOptions,
) -> Tensor {
    ops::conv3d(input, weight, bias, &options(ConvOptions::default())).or_panic()
}

/// The transposed convolution of `[n, c, l]` (or one sample) with a weight `[c, o/groups, k]`, plus a bias `[o]`:
/// `F.conv_transpose1d(input, weight, bias)`.
///
/// # Panics
/// On shapes or dtypes that do not fit, in PyTorch's words.
#[track_caller]
pub fn conv_transpose1d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    ops::conv_transpose1d(input, weight, bias, &ConvTransposeOptions::default()).or_panic()
}

/// [`conv_transpose1d`] with `stride`, `padding`, `output_padding`, `groups` and `dilation`.
#[track_caller]
pub fn conv_transpose1d_with(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: impl FnOnce(ConvTransposeOptions) -> ConvTransposeOptions,
) -> Tensor {
    ops::conv_transpose1d(input, weight, bias, &options(ConvTransposeOptions::default())).or_panic()
}

/// The transposed convolution of `[n, c, h, w]` (or one sample) with a weight `[c, o/groups, kh, kw]`, plus a bias `[o]`:
/// `F.conv_transpose2d(input, weight, bias)`.
///
/// # Panics
/// On shapes or dtypes that do not fit, in PyTorch's words.
#[track_caller]
pub fn conv_transpose2d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    ops::conv_transpose2d(input, weight, bias, &ConvTransposeOptions::default()).or_panic()
}

/// [`conv_transpose2d`] with `stride`, `padding`, `output_padding`, `groups` and `dilation`.
#[track_caller]
pub fn conv_transpose2d_with(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: impl FnOnce(ConvTransposeOptions) -> ConvTransposeOptions,
) -> Tensor {
    ops::conv_transpose2d(input, weight, bias, &options(ConvTransposeOptions::default())).or_panic()
}

/// The transposed convolution of `[n, c, d, h, w]` (or one sample) with a weight `[c, o/groups, kd, kh, kw]`, plus a bias `[o]`:
/// `F.conv_transpose3d(input, weight, bias)`.
///
/// # Panics
/// On shapes or dtypes that do not fit, in PyTorch's words.
#[track_caller]
pub fn conv_transpose3d(input: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    ops::conv_transpose3d(input, weight, bias, &ConvTransposeOptions::default()).or_panic()
}

/// [`conv_transpose3d`] with `stride`, `padding`, `output_padding`, `groups` and `dilation`.
#[track_caller]
pub fn conv_transpose3d_with(
    input: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    options: impl FnOnce(ConvTransposeOptions) -> ConvTransposeOptions,
) -> Tensor {
    ops::conv_transpose3d(input, weight, bias, &options(ConvTransposeOptions::default())).or_panic()
}
