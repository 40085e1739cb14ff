//! Layers and losses as functions: `torch.nn.functional`. Each stands at its operation, in [`flambeau_autograd::ops`].

pub use flambeau_autograd::ops::paths::functional::*;
pub use flambeau_autograd::ops::{
    BatchNormOptions, CosineEmbeddingOptions, GaussianNLLOptions, MarginRankingOptions, MultiMarginOptions,
    NormOptions, PoissonNLLOptions,
};

// until its declaration says functional
use flambeau_autograd::{OrPanic, Tensor, ops};

/// The functions of dropout, each of an input, the probability to drop and whether the caller trains.
macro_rules! dropouts {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// When p is not within [0, 1].
        #[track_caller]
        pub fn $name(input: &Tensor, p: f64, training: bool) -> Tensor {
            ops::$name(input, p, training).or_panic()
        }
    )*};
}

dropouts! {
    /// Zeroes elements with probability p and divides the others by 1 − p: `F.dropout`.
    dropout
    /// [`dropout`] in place: `F.dropout(…, inplace=True)`.
    dropout_
    /// Zeroes whole channels of `[n, c, l]` or `[c, l]`: `F.dropout1d`.
    dropout1d
    /// Zeroes whole channels of `[n, c, h, w]`: `F.dropout2d`.
    dropout2d
    /// Zeroes whole channels of `[n, c, d, h, w]` or `[c, d, h, w]`: `F.dropout3d`.
    dropout3d
    /// Dropout that keeps the mean and variance of SELU's outputs: `F.alpha_dropout`.
    alpha_dropout
    /// [`alpha_dropout`] of whole channels: `F.feature_alpha_dropout`.
    feature_alpha_dropout
}
