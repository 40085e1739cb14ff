//! Padding.

use flambeau_autograd::ops::{self, IntoDims, PadOptions};
use flambeau_autograd::{OrPanic, Tensor};

/// Pads with zeros from the last dimension forward: `pad` holds (before, after) of the last, of the last but one, …;
/// negative numbers crop: `F.pad(input, pad)`.
///
/// # Panics
/// On padding that does not fit, in PyTorch's words.
#[track_caller]
pub fn pad(input: &Tensor, pad: impl IntoDims) -> Tensor {
    ops::pad(input, &pad.into_dims(), &PadOptions::default()).or_panic()
}

/// [`pad`] with `mode` (`"constant"`, `"reflect"`, `"replicate"`, `"circular"`) and `value`.
#[track_caller]
pub fn pad_with(input: &Tensor, pad: impl IntoDims, options: impl FnOnce(PadOptions) -> PadOptions) -> Tensor {
    ops::pad(input, &pad.into_dims(), &options(PadOptions::default())).or_panic()
}
