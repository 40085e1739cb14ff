//! Random zeroes.

use super::{py_bool, py_number};
use crate::{Module, ModuleState, forward};
use flambeau_autograd::{OrPanic, Result, Tensor, ops, options};
use flambeau_tensor::Scalar;
use std::marker::PhantomData;

/// What a dropout layer does to its input.
pub trait DropoutKind: Send + Sync + 'static {
    /// The layer's name in prints.
    const NAME: &'static str;

    /// The function with probability p; the input itself unless training.
    ///
    /// # Errors
    /// When p is no probability or the input's dimensions do not fit.
    fn apply(x: &Tensor, p: f64, training: bool) -> Result<Tensor>;

    /// [`DropoutKind::apply`] to the input itself.
    ///
    /// # Errors
    /// Also when the input is a leaf that requires grad.
    fn apply_(x: &Tensor, p: f64, training: bool) -> Result<Tensor>;
}

options! {
    /// Options of dropout layers.
    #[derive(Clone)]
    DropoutOptions {
        /// Whether the input itself is written (false).
        inplace: bool = false,
    }
}

/// A dropout layer: [`Dropout`], [`Dropout1d`], [`Dropout2d`], [`Dropout3d`], [`AlphaDropout`]. In training mode it zeroes
/// with probability p and scales the rest by 1/(1 − p); in evaluation it does nothing.
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct DropoutLayer<K: DropoutKind> {
    p: Scalar,
    inplace: bool,
    kind: PhantomData<K>,
    state: ModuleState,
}

impl<K: DropoutKind> Default for DropoutLayer<K> {
    fn default() -> Self {
        Self::new(0.5)
    }
}

impl<K: DropoutKind> DropoutLayer<K> {
    /// With probability `p`; PyTorch's default is 0.5.
    ///
    /// # Panics
    /// When p is no probability.
    #[track_caller]
    pub fn new(p: impl Into<Scalar>) -> Self {
        let p = p.into();
        let fits = (0.0..=1.0).contains(&p.to_f64());
        assert!(fits, "dropout probability has to be between 0 and 1, but got {}", py_number(p));
        DropoutLayer { p, inplace: false, kind: PhantomData, state: ModuleState::new() }
    }

    /// With options: `inplace`.
    ///
    /// # Panics
    /// When p is no probability.
    #[track_caller]
    pub fn with(p: impl Into<Scalar>, options: impl FnOnce(DropoutOptions) -> DropoutOptions) -> Self {
        DropoutLayer { inplace: options(DropoutOptions::default()).inplace, ..Self::new(p) }
    }

    fn type_name(&self) -> &'static str {
        K::NAME
    }

    fn extra_repr(&self) -> String {
        format!("p={}, inplace={}", py_number(self.p), py_bool(self.inplace))
    }
}

#[forward]
impl<K: DropoutKind> DropoutLayer<K> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let apply = if self.inplace { K::apply_ } else { K::apply };
        apply(x, self.p.to_f64(), self.state.training()).or_panic()
    }
}

/// The kinds of dropout.
pub mod dropout_kinds {
    use super::{DropoutKind, Result, Tensor, ops};

    macro_rules! kinds {
        ($($(#[$doc:meta])* $kind:ident = $name:literal, $function:ident, $in_place:ident;)*) => {$(
            $(#[$doc])*
            pub struct $kind;
            impl DropoutKind for $kind {
                const NAME: &'static str = $name;
                #[track_caller]
                fn apply(x: &Tensor, p: f64, training: bool) -> Result<Tensor> {
                    ops::$function(x, p, training)
                }
                #[track_caller]
                fn apply_(x: &Tensor, p: f64, training: bool) -> Result<Tensor> {
                    ops::$in_place(x, p, training)
                }
            }
        )*};
    }
    kinds! {
        /// Single elements.
        Elements = "Dropout", dropout, dropout_;
        /// Whole rows of [n, channels, length].
        Rows = "Dropout1d", dropout1d, dropout1d_;
        /// Whole planes of [n, channels, height, width].
        Planes = "Dropout2d", dropout2d, dropout2d_;
        /// Whole volumes of [n, channels, depth, height, width].
        Volumes = "Dropout3d", dropout3d, dropout3d_;
        /// Single elements, keeping mean and variance of SELU's outputs.
        Alpha = "AlphaDropout", alpha_dropout, alpha_dropout_;
        /// Whole features, keeping mean and variance of SELU's outputs.
        FeatureAlpha = "FeatureAlphaDropout", feature_alpha_dropout, feature_alpha_dropout_;
    }
}

/// Zeroes single elements: `nn.Dropout(p)`.
pub type Dropout = DropoutLayer<dropout_kinds::Elements>;
/// Zeroes whole channels of [n, channels, length]: `nn.Dropout1d(p)`.
pub type Dropout1d = DropoutLayer<dropout_kinds::Rows>;
/// Zeroes whole channels of [n, channels, height, width]: `nn.Dropout2d(p)`.
pub type Dropout2d = DropoutLayer<dropout_kinds::Planes>;
/// Zeroes whole channels of [n, channels, depth, height, width]: `nn.Dropout3d(p)`.
pub type Dropout3d = DropoutLayer<dropout_kinds::Volumes>;
/// Dropout for SELU networks: `nn.AlphaDropout(p)`.
pub type AlphaDropout = DropoutLayer<dropout_kinds::Alpha>;
/// Dropout of whole features for SELU networks: `nn.FeatureAlphaDropout(p)`.
pub type FeatureAlphaDropout = DropoutLayer<dropout_kinds::FeatureAlpha>;
