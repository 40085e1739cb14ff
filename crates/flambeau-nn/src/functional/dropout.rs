//! Dropout. Every function takes the probability of dropping and whether the caller trains.

use flambeau_autograd::{OrPanic, Tensor, ops};

/// Zeroes elements with probability p and divides the others by 1 − p: `F.dropout`.
///
/// # Panics
/// When p is not within [0, 1].
#[track_caller]
pub fn dropout(input: &Tensor, p: f64, training: bool) -> Tensor {
    ops::dropout(input, p, training).or_panic()
}

/// [`dropout`] in place: `F.dropout(…, inplace=True)`.
///
/// # Panics
/// When p is not within [0, 1].
#[track_caller]
pub fn dropout_(input: &Tensor, p: f64, training: bool) -> Tensor {
    ops::dropout_(input, p, training).or_panic()
}

/// Zeroes whole channels of `[n, c, l]` or `[c, l]`: `F.dropout1d`.
///
/// # Panics
/// When p is not within [0, 1].
#[track_caller]
pub fn dropout1d(input: &Tensor, p: f64, training: bool) -> Tensor {
    ops::dropout1d(input, p, training).or_panic()
}

/// Zeroes whole channels of `[n, c, h, w]`: `F.dropout2d`.
///
/// # Panics
/// When p is not within [0, 1].
#[track_caller]
pub fn dropout2d(input: &Tensor, p: f64, training: bool) -> Tensor {
    ops::dropout2d(input, p, training).or_panic()
}

/// Zeroes whole channels of `[n, c, d, h, w]` or `[c, d, h, w]`: `F.dropout3d`.
///
/// # Panics
/// When p is not within [0, 1].
#[track_caller]
pub fn dropout3d(input: &Tensor, p: f64, training: bool) -> Tensor {
    ops::dropout3d(input, p, training).or_panic()
}

/// Dropout that keeps the mean and variance of SELU's outputs: `F.alpha_dropout`.
///
/// # Panics
/// When p is not within [0, 1].
#[track_caller]
pub fn alpha_dropout(input: &Tensor, p: f64, training: bool) -> Tensor {
    ops::alpha_dropout(input, p, training).or_panic()
}

/// [`alpha_dropout`] of whole channels: `F.feature_alpha_dropout`.
///
/// # Panics
/// When p is not within [0, 1].
#[track_caller]
pub fn feature_alpha_dropout(input: &Tensor, p: f64, training: bool) -> Tensor {
    ops::feature_alpha_dropout(input, p, training).or_panic()
}
