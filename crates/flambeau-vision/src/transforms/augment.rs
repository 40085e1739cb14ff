//! Learned and random policies: AutoAugment, RandAugment, TrivialAugmentWide.

mod policies;

use super::InterpolationMode;
use super::options::{AffineOptions, RotateOptions};
use super::picture::Picture;
use super::step::Transform;
use super::{attempt, draw, pil, tensor};
use crate::error::Result;
use crate::options::{Setting, options};
pub use policies::AutoAugmentPolicy;

/// One of the changes that the policies choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
    Invert,
}
use Op::*;

/// How a policy's changes look: the settings that all three share.
#[derive(Clone, Debug)]
struct Look {
    interpolation: InterpolationMode,
    fill: Option<Vec<f64>>,
}

impl Look {
    fn apply<P: Picture>(&self, img: &P, op: Op, magnitude: f64) -> Result<P::Owned> {
        let affine = |shift: [f64; 2], shear: [f64; 2], center: Option<[f64; 2]>| {
            let options = AffineOptions { interpolation: self.interpolation, fill: self.fill.clone(), center };
            attempt::affine(img, 0.0, shift, 1.0, shear, &options)
        };
        let sheared = magnitude.atan().to_degrees();
        let factor = 1.0 + magnitude;
        match op {
            Identity => img.map(|i| Ok(i.clone()), |x| Ok(x.shallow_clone())),
            ShearX => affine([0.0; 2], [sheared, 0.0], Some([0.0; 2])),
            ShearY => affine([0.0; 2], [0.0, sheared], Some([0.0; 2])),
            TranslateX => affine([magnitude.trunc(), 0.0], [0.0; 2], None),
            TranslateY => affine([0.0, magnitude.trunc()], [0.0; 2], None),
            Rotate => {
                let (interpolation, fill) = (self.interpolation, self.fill.clone());
                attempt::rotate(img, magnitude, &RotateOptions { interpolation, fill, ..RotateOptions::default() })
            }
            Brightness => img.map(|i| Ok(pil::adjust_brightness(i, factor)), |x| tensor::adjust_brightness(x, factor)),
            Color => img.map(|i| Ok(pil::adjust_saturation(i, factor)), |x| tensor::adjust_saturation(x, factor)),
            Contrast => img.map(|i| Ok(pil::adjust_contrast(i, factor)), |x| tensor::adjust_contrast(x, factor)),
            Sharpness => img.map(|i| Ok(pil::adjust_sharpness(i, factor)), |x| tensor::adjust_sharpness(x, factor)),
            Posterize => attempt::posterize(img, magnitude as i64),
            Solarize => img.map(|i| pil::solarize(i, magnitude), |x| tensor::solarize(x, magnitude)),
            AutoContrast => img.map(pil::autocontrast, tensor::autocontrast),
            Equalize => img.map(pil::equalize, tensor::equalize),
            Invert => img.map(pil::invert, tensor::invert),
        }
    }
}

/// The largest magnitudes, which tell the policies apart.
struct Space {
    shear: f64,
    shift_x: f64,
    shift_y: f64,
    degrees: f64,
    factor: f64,
    /// How many bits are dropped at most.
    bits: f64,
}

impl Space {
    /// That of AutoAugment and RandAugment, for an image of a height and width.
    fn of_size(h: usize, w: usize) -> Self {
        let shift = |n: usize| 150.0 / 331.0 * n as f64;
        Space { shear: 0.3, shift_x: shift(w), shift_y: shift(h), degrees: 30.0, factor: 0.9, bits: 4.0 }
    }

    /// That of TrivialAugmentWide.
    const WIDE: Space = Space { shear: 0.99, shift_x: 32.0, shift_y: 32.0, degrees: 135.0, factor: 0.99, bits: 6.0 };

    /// The magnitude of a change at bin `i` of so many; none for a change that has no magnitude.
    fn magnitude(&self, op: Op, bins: usize, i: usize) -> Result<Option<f64>> {
        let (low, high) = match op {
            ShearX | ShearY => (0.0, self.shear),
            TranslateX => (0.0, self.shift_x),
            TranslateY => (0.0, self.shift_y),
            Rotate => (0.0, self.degrees),
            Brightness | Color | Contrast | Sharpness => (0.0, self.factor),
            Solarize => (255.0, 0.0),
            Posterize => {
                // In float32, as `torch.arange(bins) / ((bins - 1) / 4)`.
                let dropped = (i as f32 / ((bins as f64 - 1.0) / self.bits) as f32).round_ties_even();
                return Ok(Some(f64::from(8.0 - dropped)));
            }
            Identity | AutoContrast | Equalize | Invert => return Ok(None),
        };
        use flambeau_tensor::{DType, Device};
        let line = flambeau_autograd::ops::linspace(low, high, bins, DType::F32, Device::Cpu)?;
        Ok(Some(line.i(i as i64).item()))
    }
}

/// Whether a change's magnitude has a random sign.
fn signed(op: Op) -> bool {
    !matches!(op, Identity | Posterize | Solarize | AutoContrast | Equalize | Invert)
}

/// What RandAugment and TrivialAugmentWide choose from, in torchvision's order.
const ALL: [Op; 14] = [
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
];

options! {
    /// Options of [`AutoAugment`].
    AutoAugmentOptions {
        /// For which data the policy was learned: `"imagenet"`, `"cifar10"` or `"svhn"` (`"imagenet"`).
        policy: AutoAugmentPolicy = AutoAugmentPolicy::ImageNet,
        /// How values between pixels are found (`"nearest"`).
        interpolation: InterpolationMode = InterpolationMode::Nearest,
        /// The value outside the image (black).
        fill: Option<Vec<f64>> = None,
    }
}

impl<W: Into<AutoAugmentPolicy>> Setting<AutoAugmentPolicy> for W {
    #[track_caller]
    fn setting(self) -> AutoAugmentPolicy {
        self.into()
    }
}

/// Two changes from a learned list: `torchvision.transforms.AutoAugment`. Images, or tensors of bytes.
#[derive(Clone, Debug)]
pub struct AutoAugment {
    policy: AutoAugmentPolicy,
    look: Look,
}

impl AutoAugment {
    /// The policy for ImageNet.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `policy`, `interpolation`, `fill`.
    pub fn with(options: impl FnOnce(AutoAugmentOptions) -> AutoAugmentOptions) -> Self {
        let o = options(AutoAugmentOptions::default());
        AutoAugment { policy: o.policy, look: Look { interpolation: o.interpolation, fill: o.fill } }
    }
}

impl<P: Picture> Transform<P> for AutoAugment {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let [_, h, w] = img.view().dimensions()?;
        let space = Space::of_size(h, w);
        let policies = self.policy.pairs();
        let pair = policies[draw::randint(0, policies.len() as i64)? as usize];
        let (probabilities, signs) = (draw::rand_pair()?, draw::randints(0, 2, 2)?);
        let mut img = img.keep();
        for (i, (op, p, bin)) in pair.into_iter().enumerate() {
            // A float32 tensor is compared with Python's number in float32.
            if probabilities[i] <= f64::from(p as f32) {
                let magnitude = space.magnitude(op, 10, bin)?.unwrap_or(0.0);
                let magnitude = if signed(op) && signs[i] == 0 { -magnitude } else { magnitude };
                img = self.look.apply(&img, op, magnitude)?;
            }
        }
        Ok(img)
    }
}

options! {
    /// Options of [`RandAugment`].
    RandAugmentOptions {
        /// How many changes follow each other (2).
        num_ops: usize = 2,
        /// How strong they are, a bin (9).
        magnitude: usize = 9,
        /// How many bins there are (31).
        num_magnitude_bins: usize = 31,
        /// How values between pixels are found (`"nearest"`).
        interpolation: InterpolationMode = InterpolationMode::Nearest,
        /// The value outside the image (black).
        fill: Option<Vec<f64>> = None,
    }
}

/// Some random changes of one strength: `torchvision.transforms.RandAugment`. Images, or tensors of bytes.
#[derive(Clone, Debug)]
pub struct RandAugment {
    options: RandAugmentOptions,
    look: Look,
}

impl RandAugment {
    /// Two changes of strength 9 of 31.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `num_ops`, `magnitude`, `num_magnitude_bins`, `interpolation`, `fill`.
    ///
    /// # Panics
    /// When the strength is not a bin.
    #[track_caller]
    pub fn with(options: impl FnOnce(RandAugmentOptions) -> RandAugmentOptions) -> Self {
        let o = options(RandAugmentOptions::default());
        assert!(o.magnitude < o.num_magnitude_bins, "the magnitude {} is not below the number of bins", o.magnitude);
        let look = Look { interpolation: o.interpolation, fill: o.fill.clone() };
        RandAugment { options: o, look }
    }
}

impl<P: Picture> Transform<P> for RandAugment {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        let [_, h, w] = img.view().dimensions()?;
        let space = Space::of_size(h, w);
        let o = &self.options;
        let mut img = img.keep();
        for _ in 0..o.num_ops {
            let op = ALL[draw::randint(0, ALL.len() as i64)? as usize];
            let magnitude = space.magnitude(op, o.num_magnitude_bins, o.magnitude)?.unwrap_or(0.0);
            let negative = signed(op) && draw::randint(0, 2)? != 0;
            img = self.look.apply(&img, op, if negative { -magnitude } else { magnitude })?;
        }
        Ok(img)
    }
}

options! {
    /// Options of [`TrivialAugmentWide`].
    AugmentOptions {
        /// How many strengths there are (31).
        num_magnitude_bins: usize = 31,
        /// How values between pixels are found (`"nearest"`).
        interpolation: InterpolationMode = InterpolationMode::Nearest,
        /// The value outside the image (black).
        fill: Option<Vec<f64>> = None,
    }
}

/// One random change of random strength: `torchvision.transforms.TrivialAugmentWide`. Images, or tensors of bytes.
#[derive(Clone, Debug)]
pub struct TrivialAugmentWide {
    bins: usize,
    look: Look,
}

impl TrivialAugmentWide {
    /// Of 31 strengths.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With options: `num_magnitude_bins`, `interpolation`, `fill`.
    pub fn with(options: impl FnOnce(AugmentOptions) -> AugmentOptions) -> Self {
        let o = options(AugmentOptions::default());
        TrivialAugmentWide { bins: o.num_magnitude_bins, look: Look { interpolation: o.interpolation, fill: o.fill } }
    }
}

impl<P: Picture> Transform<P> for TrivialAugmentWide {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        img.view().dimensions()?;
        let op = ALL[draw::randint(0, ALL.len() as i64)? as usize];
        let magnitude = match Space::WIDE.magnitude(op, self.bins, 0)? {
            Some(_) => {
                let bin = draw::randint(0, self.bins as i64)? as usize;
                Space::WIDE.magnitude(op, self.bins, bin)?.unwrap_or(0.0)
            }
            None => 0.0,
        };
        let negative = signed(op) && draw::randint(0, 2)? != 0;
        self.look.apply(&img, op, if negative { -magnitude } else { magnitude })
    }
}
