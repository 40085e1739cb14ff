//! `torchvision.transforms.v2`: the same transforms under v2's names, and what v2 adds for images and tensors.
//!
//! They draw and compute what v1 does. v2 itself differs in the last bit here and there: it resizes bytes by integer
//! arithmetic on some processors, and computes grey values and hues in another order.

use super::attempt;
use super::tensor;
use crate::error::Result;
use crate::options::options;
use flambeau_tensor::DType;

pub use super::functional;
pub use super::*;

/// An image to a tensor `[c, h, w]` of its bytes; a tensor as it is: `torchvision.transforms.v2.ToImage`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToImage;

impl ToImage {
    /// The step, as Python writes it: `v2.ToImage()`.
    pub fn new() -> Self {
        ToImage
    }
}

impl<P: Picture> Transform<P> for ToImage {
    type Output = P::AsTensor;
    fn apply(&self, pic: P) -> Result<P::AsTensor> {
        Ok(P::wrap_tensor(match pic.view() {
            View::Tensor(x) => x.shallow_clone(),
            image => attempt::pil_to_tensor(image)?,
        }))
    }
}

options! {
    /// The option of [`ToDtype`].
    ToDtypeOptions {
        /// Whether white stays white: 255 of uint8 becomes 1 of float32 (false).
        scale: bool = false,
    }
}

/// A tensor in another dtype: `torchvision.transforms.v2.ToDtype`. An image stays as it is.
///
/// ```
/// use flambeau_tensor::DType;
/// use flambeau_vision::transforms::{Compose, Transform, v2};
/// use flambeau_vision::{Image, Mode};
///
/// let steps = Compose((v2::ToImage, v2::ToDtype::with(DType::F32, |o| o.scale(true))));
/// assert_eq!(steps.call(Image::filled(Mode::L, (1, 1), &[255])).item(), 1.0);
/// ```
#[derive(Clone, Debug)]
pub struct ToDtype {
    dtype: DType,
    scale: bool,
}

impl ToDtype {
    /// Values as they are.
    pub fn new(dtype: DType) -> Self {
        Self::with(dtype, |o| o)
    }

    /// With the option `scale`.
    pub fn with(dtype: DType, options: impl FnOnce(ToDtypeOptions) -> ToDtypeOptions) -> Self {
        ToDtype { dtype, scale: options(ToDtypeOptions::default()).scale }
    }
}

impl<P: Picture> Transform<P> for ToDtype {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        img.map(
            |image| Ok(image.clone()),
            |x| match self.scale {
                true => tensor::convert_image_dtype(x, self.dtype),
                false => Ok(flambeau_autograd::ops::to_dtype(x, self.dtype)?),
            },
        )
    }
}

/// The picture as it is: `torchvision.transforms.v2.Identity`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl<P: Picture> Transform<P> for Identity {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        Ok(img.keep())
    }
}
