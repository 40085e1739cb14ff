//! Several crops of one image.

use super::attempt;
use super::options::TenCropOptions;
use super::picture::Picture;
use super::sizes::crop_size;
use super::step::Transform;
use crate::error::Result;
use crate::options::Integers;
use flambeau_autograd::OrPanic;

/// The four corners and the middle: `torchvision.transforms.FiveCrop`. As it gives five pictures, it stands in tuples of
/// steps, before a [`Lambda`](super::Lambda) that makes one tensor of them.
#[derive(Clone, Debug)]
pub struct FiveCrop {
    size: [i64; 2],
}

impl FiveCrop {
    /// Each of (height, width), or a square.
    #[track_caller]
    pub fn new(size: impl Integers) -> Self {
        FiveCrop { size: crop_size(&size.integers()).or_panic() }
    }
}

impl<P: Picture> Transform<P> for FiveCrop {
    type Output = Vec<P::Owned>;
    fn apply(&self, img: P) -> Result<Vec<P::Owned>> {
        attempt::five_crop(&img, &self.size)
    }
}

/// [`FiveCrop`] of the image and of the flipped image: `torchvision.transforms.TenCrop`.
#[derive(Clone, Debug)]
pub struct TenCrop {
    size: [i64; 2],
    vertical_flip: bool,
}

impl TenCrop {
    /// Each of (height, width), or a square; the second five left to right.
    #[track_caller]
    pub fn new(size: impl Integers) -> Self {
        Self::with(size, |o| o)
    }

    /// [`TenCrop::new`] with the option `vertical_flip`.
    #[track_caller]
    pub fn with(size: impl Integers, options: impl FnOnce(TenCropOptions) -> TenCropOptions) -> Self {
        let vertical_flip = options(TenCropOptions::default()).vertical_flip;
        TenCrop { size: crop_size(&size.integers()).or_panic(), vertical_flip }
    }
}

impl<P: Picture> Transform<P> for TenCrop {
    type Output = Vec<P::Owned>;
    fn apply(&self, img: P) -> Result<Vec<P::Owned>> {
        attempt::ten_crop(&img, &self.size, self.vertical_flip)
    }
}
