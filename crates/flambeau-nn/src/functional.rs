//! Layers and losses as functions: `torch.nn.functional`. Each stands at its operation, in [`flambeau_autograd::ops`].

pub use flambeau_autograd::ops::paths::functional::*;
pub use flambeau_autograd::ops::{
    BatchNormOptions, CosineEmbeddingOptions, GaussianNLLOptions, InstanceNormOptions,
    LinearCrossEntropyFunctionOptions, MarginRankingOptions, MultiMarginOptions, NormOptions, PoissonNLLOptions,
    TripletMarginWithDistanceLossOptions,
};

mod multi_head;

pub(crate) use multi_head::{InProjection, MultiHead, canonical_mask};
pub use multi_head::{
    MultiHeadAttentionForwardOptions, multi_head_attention_forward, multi_head_attention_forward_with,
};

use flambeau_autograd::ops::InterpolateOptions;
use flambeau_autograd::{AsTensor, Tensor, warn};

#[track_caller]
fn deprecated(name: &str) {
    warn(&format!("`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead."));
}

/// [`interpolate()`] under its old name, with a warning: `F.upsample`. Options: `size` or `scale_factor`, `mode`, `align_corners`.
///
/// ```
/// use flambeau_nn::functional as F;
/// let x = flambeau_autograd::tensor([[[1.0, 3.0]]]);
/// assert_eq!(F::upsample(&x, |o| o.scale_factor(2)).to_vec::<f32>(), [1.0, 1.0, 3.0, 3.0]);
/// ```
///
/// # Panics
/// As [`interpolate()`].
#[track_caller]
pub fn upsample(x: impl AsTensor, options: impl FnOnce(InterpolateOptions) -> InterpolateOptions) -> Tensor {
    deprecated("upsample");
    interpolate(x, options)
}

/// [`interpolate()`] by the nearest element, with a warning: `F.upsample_nearest`. Options: `size` or `scale_factor`.
///
/// ```
/// use flambeau_nn::functional as F;
/// let x = flambeau_autograd::tensor([[[1.0, 3.0]]]);
/// assert_eq!(F::upsample_nearest(&x, |o| o.size(4)).to_vec::<f32>(), [1.0, 1.0, 3.0, 3.0]);
/// ```
///
/// # Panics
/// As [`interpolate()`].
#[track_caller]
pub fn upsample_nearest(x: impl AsTensor, options: impl FnOnce(InterpolateOptions) -> InterpolateOptions) -> Tensor {
    deprecated("upsample_nearest");
    interpolate(x, |o| options(o).mode("nearest"))
}

/// [`interpolate()`] of images, linear between the corners' centres, with a warning: `F.upsample_bilinear`. Options: `size` or
/// `scale_factor`.
///
/// ```
/// use flambeau_nn::functional as F;
/// let x = flambeau_autograd::tensor([[[[1.0, 3.0]]]]);
/// assert_eq!(F::upsample_bilinear(&x, |o| o.size((1, 3))).to_vec::<f32>(), [1.0, 2.0, 3.0]);
/// ```
///
/// # Panics
/// As [`interpolate()`].
#[track_caller]
pub fn upsample_bilinear(x: impl AsTensor, options: impl FnOnce(InterpolateOptions) -> InterpolateOptions) -> Tensor {
    deprecated("upsample_bilinear");
    interpolate(x, |o| options(o).mode("bilinear").align_corners(true))
}
