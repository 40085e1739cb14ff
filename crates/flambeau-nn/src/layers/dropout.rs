//! Random zeroes.

use super::py_bool;
use crate::{Forward, Module, ModuleState};
use flambeau_autograd::{OrPanic, Result, Tensor, ops};
use flambeau_tensor::print::py_float;
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
}

/// A dropout layer: [`Dropout`], [`Dropout1d`], [`Dropout2d`], [`Dropout3d`], [`AlphaDropout`]. In training mode it zeroes
/// with probability p and scales the rest by 1/(1 − p); in evaluation it does nothing.
#[derive(Module)]
#[module(type_name, extra_repr)]
pub struct DropoutLayer<K: DropoutKind> {
    p: f64,
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
    pub fn new(p: f64) -> Self {
        assert!((0.0..=1.0).contains(&p), "dropout probability has to be between 0 and 1, but got {}", py_float(p));
        DropoutLayer { p, inplace: false, kind: PhantomData, state: ModuleState::new() }
    }

    /// Writes the input itself: `inplace=True`.
    #[must_use]
    pub fn inplace(mut self) -> Self {
        self.inplace = true;
        self
    }

    fn type_name(&self) -> &'static str {
        K::NAME
    }

    fn extra_repr(&self) -> String {
        format!("p={}, inplace={}", py_float(self.p), py_bool(self.inplace))
    }
}

impl<K: DropoutKind> Forward for DropoutLayer<K> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = K::apply(x, self.p, self.state.training()).or_panic();
        if self.inplace && !y.is_same(x) { x.copy_(&y) } else { y }
    }
}

/// The kinds of dropout.
pub mod dropout_kinds {
    use super::{DropoutKind, Result, Tensor, ops};

    macro_rules! kinds {
        ($($(#[$doc:meta])* $kind:ident = $name:literal, $function:ident;)*) => {$(
            $(#[$doc])*
            pub struct $kind;
            impl DropoutKind for $kind {
                const NAME: &'static str = $name;
                #[track_caller]
                fn apply(x: &Tensor, p: f64, training: bool) -> Result<Tensor> {
                    ops::$function(x, p, training)
                }
            }
        )*};
    }
    kinds! {
        /// Single elements.
        Elements = "Dropout", dropout;
        /// Whole rows of [n, channels, length].
        Rows = "Dropout1d", dropout1d;
        /// Whole planes of [n, channels, height, width].
        Planes = "Dropout2d", dropout2d;
        /// Whole volumes of [n, channels, depth, height, width].
        Volumes = "Dropout3d", dropout3d;
        /// Single elements, keeping mean and variance of SELU's outputs.
        Alpha = "AlphaDropout", alpha_dropout;
        /// Whole features, keeping mean and variance of SELU's outputs.
        FeatureAlpha = "FeatureAlphaDropout", feature_alpha_dropout;
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
