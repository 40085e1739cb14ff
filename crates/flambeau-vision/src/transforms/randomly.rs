//! Steps that are taken with a probability.

use super::picture::Picture;
use super::step::Transform;
use super::{attempt, draw, pil, tensor};
use crate::error::Result;
use crate::options::options;
use flambeau_autograd::arguments::{Int, Number};

options! {
    /// The option of transforms that are applied with a probability.
    Chance {
        /// The probability of the change (0.5; of [`RandomGrayscale`] 0.1).
        p: f64 = 0.5,
    }
}

/// A change that a random step makes or does not make.
pub trait Change: Send + Sync {
    /// Whether it happens, drawn as torchvision draws it for this change.
    ///
    /// # Errors
    /// None on the CPU.
    fn drawn(p: f64) -> Result<bool> {
        draw::chance_of_item(p)
    }

    /// The change.
    ///
    /// # Errors
    /// When the picture is not of a kind that can be changed so.
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned>;
}

/// A change with a probability. The transforms of torchvision that are no more than that are names of it.
#[derive(Clone, Debug)]
pub struct Randomly<C> {
    p: f64,
    change: C,
}

impl<C: Change, P: Picture> Transform<P> for Randomly<C> {
    type Output = P::Owned;
    fn apply(&self, img: P) -> Result<P::Owned> {
        if C::drawn(self.p)? { self.change.change(&img) } else { Ok(img.keep()) }
    }
}

/// A change without settings: its probability when none is given, and itself.
pub trait Plain: Change {
    /// The default probability.
    const P: f64 = 0.5;
    /// The change.
    fn plain() -> Self;
}

impl<C: Plain> Randomly<C> {
    /// With the default probability.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        Self::with(|o| o)
    }

    /// With the option `p`.
    pub fn with(options: impl FnOnce(Chance) -> Chance) -> Self {
        Randomly { p: options(Chance { p: C::P }).p, change: C::plain() }
    }
}

/// The changes' types, behind the names of the transforms.
pub mod changes {
    /// Left and right exchanged.
    #[derive(Clone, Debug)]
    pub struct HorizontalFlip;
    /// Top and bottom exchanged.
    #[derive(Clone, Debug)]
    pub struct VerticalFlip;
    /// White minus the image.
    #[derive(Clone, Debug)]
    pub struct Invert;
    /// Each channel from black to white.
    #[derive(Clone, Debug)]
    pub struct Autocontrast;
    /// Each channel's histogram equalized.
    #[derive(Clone, Debug)]
    pub struct Equalize;
    /// Black and white in as many channels as before.
    #[derive(Clone, Debug)]
    pub struct Gray;
    /// The upper bits.
    #[derive(Clone, Debug)]
    pub struct Posterize(pub(super) i64);
    /// Values from a threshold on inverted.
    #[derive(Clone, Debug)]
    pub struct Solarize(pub(super) f64);
    /// Sharper by a factor.
    #[derive(Clone, Debug)]
    pub struct Sharpness(pub(super) f64);
}

impl Change for changes::HorizontalFlip {
    fn drawn(p: f64) -> Result<bool> {
        draw::chance(p)
    }
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        attempt::flip(img, false)
    }
}

impl Change for changes::VerticalFlip {
    fn drawn(p: f64) -> Result<bool> {
        draw::chance(p)
    }
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        attempt::flip(img, true)
    }
}

impl Change for changes::Invert {
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        img.map(pil::invert, tensor::invert)
    }
}

impl Change for changes::Autocontrast {
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        img.map(pil::autocontrast, tensor::autocontrast)
    }
}

impl Change for changes::Equalize {
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        img.map(pil::equalize, tensor::equalize)
    }
}

impl Change for changes::Gray {
    fn drawn(p: f64) -> Result<bool> {
        draw::chance(p)
    }
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        let [channels, ..] = img.view().dimensions()?;
        attempt::rgb_to_grayscale(img, channels as i64)
    }
}

impl Change for changes::Posterize {
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        attempt::posterize(img, self.0)
    }
}

impl Change for changes::Solarize {
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        img.map(|image| pil::solarize(image, self.0), |x| tensor::solarize(x, self.0))
    }
}

impl Change for changes::Sharpness {
    fn change<P: Picture>(&self, img: &P) -> Result<P::Owned> {
        img.map(|image| Ok(pil::adjust_sharpness(image, self.0)), |x| tensor::adjust_sharpness(x, self.0))
    }
}

impl Plain for changes::HorizontalFlip {
    fn plain() -> Self {
        changes::HorizontalFlip
    }
}

impl Plain for changes::VerticalFlip {
    fn plain() -> Self {
        changes::VerticalFlip
    }
}

impl Plain for changes::Invert {
    fn plain() -> Self {
        changes::Invert
    }
}

impl Plain for changes::Autocontrast {
    fn plain() -> Self {
        changes::Autocontrast
    }
}

impl Plain for changes::Equalize {
    fn plain() -> Self {
        changes::Equalize
    }
}

impl Plain for changes::Gray {
    const P: f64 = 0.1;
    fn plain() -> Self {
        changes::Gray
    }
}

impl Randomly<changes::Posterize> {
    /// The upper `bits` bits of each byte, with probability ½.
    pub fn new(bits: impl Int) -> Self {
        Self::with(bits, |o| o)
    }

    /// [`RandomPosterize::new`](Self::new) with the option `p`.
    pub fn with(bits: impl Int, options: impl FnOnce(Chance) -> Chance) -> Self {
        Randomly { p: options(Chance::default()).p, change: changes::Posterize(bits.to_i64()) }
    }
}

impl Randomly<changes::Solarize> {
    /// Values from `threshold` on inverted, with probability ½.
    pub fn new(threshold: impl Number) -> Self {
        Self::with(threshold, |o| o)
    }

    /// [`RandomSolarize::new`](Self::new) with the option `p`.
    pub fn with(threshold: impl Number, options: impl FnOnce(Chance) -> Chance) -> Self {
        Randomly { p: options(Chance::default()).p, change: changes::Solarize(threshold.to_f64()) }
    }
}

impl Randomly<changes::Sharpness> {
    /// Sharper by a factor, with probability ½.
    pub fn new(sharpness_factor: impl Number) -> Self {
        Self::with(sharpness_factor, |o| o)
    }

    /// [`RandomAdjustSharpness::new`](Self::new) with the option `p`.
    pub fn with(sharpness_factor: impl Number, options: impl FnOnce(Chance) -> Chance) -> Self {
        Randomly { p: options(Chance::default()).p, change: changes::Sharpness(sharpness_factor.to_f64()) }
    }
}

/// Left and right exchanged with a probability: `torchvision.transforms.RandomHorizontalFlip`.
pub type RandomHorizontalFlip = Randomly<changes::HorizontalFlip>;
/// Top and bottom exchanged with a probability: `torchvision.transforms.RandomVerticalFlip`.
pub type RandomVerticalFlip = Randomly<changes::VerticalFlip>;
/// Inverted with a probability: `torchvision.transforms.RandomInvert`.
pub type RandomInvert = Randomly<changes::Invert>;
/// Stretched from black to white with a probability: `torchvision.transforms.RandomAutocontrast`.
pub type RandomAutocontrast = Randomly<changes::Autocontrast>;
/// Equalized with a probability: `torchvision.transforms.RandomEqualize`.
pub type RandomEqualize = Randomly<changes::Equalize>;
/// Black and white with a probability: `torchvision.transforms.RandomGrayscale`.
pub type RandomGrayscale = Randomly<changes::Gray>;
/// The upper bits with a probability: `torchvision.transforms.RandomPosterize`.
pub type RandomPosterize = Randomly<changes::Posterize>;
/// Solarized with a probability: `torchvision.transforms.RandomSolarize`.
pub type RandomSolarize = Randomly<changes::Solarize>;
/// Sharper with a probability: `torchvision.transforms.RandomAdjustSharpness`.
pub type RandomAdjustSharpness = Randomly<changes::Sharpness>;
